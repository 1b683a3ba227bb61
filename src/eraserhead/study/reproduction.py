"""A study cell by cell: trained, erased, skipped where complete, continued where interrupted, listed where failed."""

import gc
import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset, Features, Value

from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.errors import DocumentError, Setting, UserError
from eraserhead.files import DISK_IS_FULL, write_text
from eraserhead.loading import devices
from eraserhead.loading.launcher import training_precision
from eraserhead.models.architecture import Limits
from eraserhead.models.splitting import sentence_spans
from eraserhead.study.cells import Cell, DatasetStatistics, SplitStatistics, read_cells
from eraserhead.study.layout import STUDY
from eraserhead.training.config import TrainConfig
from eraserhead.training.folder import RunFolder
from eraserhead.training.training import load_splits, train, with_precision

logger = logging.getLogger("eraserhead")

COUNTS_VERSION = f"1 {installed('sentencex')}"  # part of a cache key: raise it when `_counts` counts otherwise
OUT_OF_MEMORY = (
    "out of memory; lower batch_tokens, or for another study data.max_length, data.max_sentences or "
    "data.max_sentence_length in its YAML"
)
# What torch says where a CPU has no more memory: it has no exception of its own.
ALLOCATION = (
    "can't allocate memory", "not enough memory", "Cannot allocate memory", "std::bad_alloc", "out of memory",
    "STATUS_ALLOC_FAILED",
)  # fmt: skip
ANALYSIS = ("draws", "seed", "random_other", "count_never_as")  # of `EraseConfig`, that a study sets


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


def check(plans: Sequence[Plan]) -> None:
    """Refuse plans that do not fit together, or to what an earlier run has left of them; nothing is done then.

    Raises:
        UserError: Naming the first such cell, what differs, and how many there are.
    """
    if not plans:
        raise UserError("there is nothing to do: name one of the datasets and one of the models at least")
    precisions = sorted({training_precision(plan.train.training.mixed_precision) for plan in plans})
    if len(precisions) > 1:
        raise UserError(
            Setting("training.mixed_precision"),
            f": one process has one, not {' and '.join(precisions)}; run them apart",
        )
    changed = {plan.cell.name: differs for plan in plans if (differs := _changed(plan))}
    if changed:
        first = next(iter(changed))
        raise UserError(
            f"{plans[0].cell.folder.parent}: {len(changed)} of these {len(plans)} cells were made in another "
            f"setup, such as {first} (different: {', '.join(changed[first])}); choose another ",
            Setting("output_dir"),
            ", or delete the cells that are to be done again",
        )


def _changed(plan: Plan) -> list[str]:
    """Name what differs between a cell's plan and what is there of it; what is damaged fails when its turn comes."""
    try:
        changed = RunFolder(plan.cell.folder).changed(with_precision(plan.train)) or []
        setup = plan.cell.results.summary().setup if plan.cell.results.complete else None
    except UserError:
        return []
    return changed + [name for name in ANALYSIS if setup and getattr(setup, name) != getattr(plan.erase, name)]


def reproduce(plans: Sequence[Plan], folder: Path, cpu: bool) -> Study:
    """Do all cells, and go on past those that fail; a full disk and an interruption end it.

    Every process of a distributed run calls this. With several of them, only what all of them refuse alike is gone
    past: a failure of one leaves the others waiting, so that it ends the run, and the same command continues.
    """
    accelerator = devices.start_training(cpu, training_precision(plans[0].train.training.mixed_precision))
    cells, datasets, failures = [], {}, {}
    for number, plan in enumerate(devices.progress(plans, accelerator, "cells", "cell"), start=1):
        name, trace = plan.cell.name, folder / STUDY.failure(plan.cell.name)
        devices.tell(accelerator, f"cell {number} of {len(plans)}: {name}")
        try:
            if plan.cell.dataset not in datasets:
                with devices.main_first(accelerator):
                    datasets[plan.cell.dataset] = dataset_statistics(plan.train)
            _do(plan, accelerator)
            cells.append(plan.cell)
            trace.unlink(missing_ok=True)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_IS_FULL:
                raise  # no other cell would do better
            if accelerator.num_processes > 1 and (not isinstance(error, UserError) or isinstance(error, DocumentError)):
                raise
            failures[name] = why_failed(error)
            devices.tell(accelerator, f"cell {name} failed: {failures[name]}")
            if not isinstance(error, UserError):
                _write_traceback(trace)
        _release()
    return Study(cells, datasets, failures)


def why_failed(error: Exception) -> str:
    """Return in one line why a cell failed, and how to mend it where that is known."""
    text = " ".join(str(error).split())
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(words in text for words in ALLOCATION):
        return OUT_OF_MEMORY
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def dataset_statistics(config: TrainConfig) -> DatasetStatistics:
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
        partial(_counts, language=language, version=COUNTS_VERSION),
        batched=True,
        input_columns=["text"],
        remove_columns=rows.column_names,
        features=features,
    )
    words, sentences = (float(np.mean(np.asarray(counts[name]))) for name in ("words", "sentences"))
    return SplitStatistics(len(rows), words, sentences)


def _counts(texts: list[str], language: str, version: str) -> dict[str, list[int]]:
    del version  # only part of the cache key
    sentences = [[text[start:end] for start, end in sentence_spans(text, language)] for text in texts]
    return {
        "words": [len(text.split()) for text in texts],
        "sentences": [sum(1 for sentence in found if sentence.strip()) for found in sentences],
    }


def _do(plan: Plan, accelerator: Accelerator) -> None:
    """Train and erase one cell, as far as that is not done."""
    RunFolder(plan.cell.folder).changed(plan.train)  # a damaged file is named
    if RunFolder(plan.cell.folder).complete and plan.cell.results.complete:
        plan.cell.results.check_tables()
        read_cells([plan.cell])
        devices.tell(accelerator, f"{plan.cell.folder}: complete already")
        return
    train(replace(plan.train, resume=RunFolder(plan.cell.folder).started))
    _release()
    erase_to_folder(plan.erase)


def _release() -> None:
    """Free what the last model took, before the next one comes."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _write_traceback(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # As `repr` writes them: a message may quote a document, and whoever prints this file has a terminal that obeys.
    write_text(path, "".join(f"{repr(line)[1:-1]}\n" for line in traceback.format_exc().splitlines()))
    logger.info(f"what led to it is in {path}")
