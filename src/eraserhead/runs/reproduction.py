"""A study cell by cell: trained, erased, skipped where complete, continued where interrupted, listed where failed."""

import errno
import gc
import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset, Features, Value

from eraserhead.errors import UserError
from eraserhead.models.architecture import Limits
from eraserhead.models.splitting import sentence_spans
from eraserhead.runs import devices
from eraserhead.runs.config import RUN_CONFIG, EraseConfig, TrainConfig
from eraserhead.runs.erasing import erase_to_folder
from eraserhead.runs.files import write_text
from eraserhead.runs.folder import RunFolder
from eraserhead.runs.study import Cell, DatasetStatistics, SplitStatistics
from eraserhead.runs.training import load_splits, train

logger = logging.getLogger("eraserhead")

FAILURES = "failures"  # folder of what failed and where
OUT_OF_MEMORY = (
    "out of memory; lower --batch_tokens, or data.max_length, data.max_sentences, data.max_sentence_length in its YAML"
)
# What torch says where a CPU has no more memory: it has no exception of its own.
ALLOCATION = ("can't allocate memory", "not enough memory", "Cannot allocate memory", "std::bad_alloc")


@dataclass(frozen=True)
class Plan:
    """One cell of a study, to be done.

    Attributes:
        cell: The cell.
        train: How its model is trained.
        erase: How it is erased.
    """

    cell: Cell
    train: TrainConfig
    erase: EraseConfig


@dataclass(frozen=True)
class Study:
    """What has become of a study.

    Attributes:
        cells: Those that are complete.
        datasets: How large the data sets are, as far as they could be read.
        failures: Why the other cells failed, by their names.
    """

    cells: list[Cell]
    datasets: dict[str, DatasetStatistics]
    failures: dict[str, str]


def reproduce(plans: Sequence[Plan], folder: Path, cpu: bool) -> Study:
    """Do all cells, and go on past those that fail; a full disk and an interruption end it.

    Every process of a distributed run calls this.
    """
    accelerator = devices.start(cpu)
    cells, datasets, failures = [], {}, {}
    for number, plan in enumerate(devices.progress(plans, accelerator, "cells", "cell"), start=1):
        name = plan.cell.name
        devices.tell(accelerator, f"cell {number} of {len(plans)}: {name}")
        try:
            if plan.cell.dataset not in datasets:
                with accelerator.main_process_first():
                    datasets[plan.cell.dataset] = statistics(plan.train)
            _do(plan, accelerator)
            cells.append(plan.cell)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise  # on a full disk no other cell would do better
            failures[name] = reason(error)
            devices.tell(accelerator, f"cell {name} failed: {failures[name]}")
            if accelerator.is_main_process and not isinstance(error, UserError):
                _write_traceback(folder, name)
        _release()
    return Study(cells, datasets, failures)


def reason(error: Exception) -> str:
    """Return in one line why a cell failed, and how to mend it where that is known."""
    text = " ".join(str(error).split())
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(words in text for words in ALLOCATION):
        return OUT_OF_MEMORY
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def statistics(config: TrainConfig) -> DatasetStatistics:
    """Count the documents, words and sentences that a configuration uses; words are what white space separates."""
    documents = load_splits(config)
    labels = documents["train"].labels
    assert labels is not None
    language = config.data.language or Limits().language
    splits = {role: _split_statistics(found.rows, language) for role, found in documents.items()}
    return DatasetStatistics(len(labels.names), splits)


def _split_statistics(rows: Dataset, language: str) -> SplitStatistics:
    features = Features({"words": Value("int32"), "sentences": Value("int32")})
    counts = rows.map(
        partial(_counts, language=language),
        batched=True,
        input_columns=["text"],
        remove_columns=rows.column_names,
        features=features,
    )
    words, sentences = (float(np.mean(np.asarray(counts[name]))) for name in ("words", "sentences"))
    return SplitStatistics(len(rows), words, sentences)


def _counts(texts: list[str], language: str) -> dict[str, list[int]]:
    sentences = [[text[start:end] for start, end in sentence_spans(text, language)] for text in texts]
    return {
        "words": [len(text.split()) for text in texts],
        "sentences": [sum(1 for sentence in found if sentence.strip()) for found in sentences],
    }


def _do(plan: Plan, accelerator: Accelerator) -> None:
    """Train and erase one cell, as far as that is not done."""
    run = RunFolder(plan.cell.folder)
    run.check(replace(plan.train, resume=True))
    if run.complete and plan.cell.results.complete and _same_analysis(plan):
        devices.tell(accelerator, f"{plan.cell.folder}: complete already")
        return
    started = (plan.cell.folder / RUN_CONFIG).is_file()
    train(replace(plan.train, resume=started))
    _release()
    erase_to_folder(plan.erase)


def _same_analysis(plan: Plan) -> bool:
    """Tell whether the results are those of the analysis that is wanted; the data and the model are the run's own."""
    found: Any = plan.cell.results.summary()["configuration"]
    return all(
        found.get(name) == getattr(plan.erase, name) for name in ("draws", "seed", "random_other", "count_never_as")
    )


def _release() -> None:
    """Free what the last model took, before the next one comes."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _write_traceback(folder: Path, name: str) -> None:
    path = folder / FAILURES / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, traceback.format_exc())
    logger.info(f"what led to it is in {path}")
