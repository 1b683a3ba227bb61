"""Run a study cell by cell: skip complete cells, continue interrupted ones, and list those that fail."""

import gc
import logging
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset, Features, Value

from eraserhead.data.bars import without_bars
from eraserhead.disk import disk_failure
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.errors import DocumentError, Setting, UserError
from eraserhead.files import write_text
from eraserhead.loading import devices
from eraserhead.loading.launcher import training_precision
from eraserhead.loading.model_files import check_undamaged
from eraserhead.models.architecture import Limits
from eraserhead.models.splitting import sentence_spans
from eraserhead.study.cells import Cell, DatasetStatistics, SplitStatistics, read_cells
from eraserhead.study.layout import STUDY
from eraserhead.training.config import TrainConfig
from eraserhead.training.folder import RunFolder
from eraserhead.training.splits import load_splits
from eraserhead.training.training import train, with_precision

logger = logging.getLogger("eraserhead")

COUNTS_VERSION = f"1 {installed('sentencex')}"  # part of a cache key: raise it when `_counts` changes
OUT_OF_MEMORY = UserError(
    "out of memory; lower ", Setting("batch_tokens"), ", or start another study with a lower ",
    Setting("data.max_length"), ", ", Setting("data.max_sentences"), " or ",
    Setting("data.max_sentence_length"), " in the YAML file",
)  # fmt: skip
# Messages when the CPU is out of memory; torch has no exception for that.
ALLOCATION = (
    "can't allocate memory", "not enough memory", "Cannot allocate memory", "std::bad_alloc", "out of memory",
    "STATUS_ALLOC_FAILED",
)  # fmt: skip
ANALYSIS = ("draws", "seed", "random_other", "count_never_as")  # settings of `EraseConfig` that a study sets


@dataclass(frozen=True)
class Plan:
    """One cell of a study to train and erase.

    Attributes:
        cell: The cell.
        train: How its model is trained.
        erase: How it is erased.
    """

    cell: Cell
    train: TrainConfig
    erase: EraseConfig

    @property
    def precision(self) -> str:
        """Precision that the model is trained in; raises as `training_precision`."""
        return training_precision(self.train.training.mixed_precision)


@dataclass(frozen=True)
class Study:
    """The outcome of a study.

    Attributes:
        cells: Cells that are complete.
        datasets: Sizes of the data sets that could be read.
        failures: Why the other cells failed.
    """

    cells: list[Cell]
    datasets: dict[str, DatasetStatistics]
    failures: dict[Cell, UserError]


def check(plans: Sequence[Plan]) -> None:
    """Refuse plans that do not fit together, or differ from the cells of an earlier run, before any cell starts.

    Raises:
        UserError: The message names the first such cell, what differs, and how many there are.
    """
    if not plans:
        raise UserError("there is nothing to do: name at least one of the datasets, of the models and of the seeds")
    folders = Counter(plan.cell.folder for plan in plans)
    shared, times = folders.most_common(1)[0]
    if times > 1:
        raise UserError(f"{shared}: {times} cells would be written here; name each data set and model differently")
    precisions = sorted({plan.precision for plan in plans})
    if len(precisions) > 1:
        raise UserError(
            Setting("training.mixed_precision"),
            f": one process can only use one, not {' and '.join(precisions)}; run them separately",
        )
    changed = {plan.cell.name: differs for plan in plans if (differs := _changed(plan))}
    if changed:
        first = next(iter(changed))
        raise UserError(
            f"{plans[0].cell.folder.parent}: {len(changed)} of these {len(plans)} cells were made in another "
            f"setup, such as {first} (different: {', '.join(changed[first])}); choose another ",
            Setting("output_dir"),
            ", or delete the cells to run again",
        )


def _changed(plan: Plan) -> list[str]:
    """Name what differs between a cell's plan and its existing run; a damaged cell fails later, when it is run."""
    try:
        changed = RunFolder(plan.cell.folder).changed(with_precision(plan.train, plan.precision)) or []
        setup = plan.cell.results.summary().setup if plan.cell.results.complete else None
    except UserError:
        return []
    return changed + [name for name in ANALYSIS if setup and getattr(setup, name) != getattr(plan.erase, name)]


def reproduce(plans: Sequence[Plan], folder: Path, cpu: bool) -> Study:
    """Run all cells, and go on after cells that fail; a full disk or an interruption ends the study.

    Every process of a distributed run calls this. With several processes, the study only goes on after a failure that
    all of them share; a failure of one process ends the run, since the others would wait. The same command continues.
    """
    accelerator = devices.start_training(cpu, plans[0].precision)
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
            if disk_failure(error) is not None:
                raise  # every other cell would fail too
            if accelerator.num_processes > 1 and (not isinstance(error, UserError) or isinstance(error, DocumentError)):
                raise
            failures[plan.cell] = why_failed(error)
            devices.tell(accelerator, "cell %s failed: %s", name, failures[plan.cell])
            if not isinstance(error, UserError):
                _write_traceback(trace)
        _release()
    return Study(cells, datasets, failures)


def why_failed(error: Exception) -> UserError:
    """Return in one line why a cell failed, and how to mend it if that is known."""
    text = " ".join(str(error).split())
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(words in text for words in ALLOCATION):
        return OUT_OF_MEMORY
    return error if isinstance(error, UserError) else UserError(f"{type(error).__name__}: {text}")


def dataset_statistics(config: TrainConfig) -> DatasetStatistics:
    """Count the documents, words and sentences that a configuration uses; words are separated by white space."""
    documents = load_splits(config)
    labels = documents["train"].labels
    assert labels is not None
    language = config.data.language or Limits().language
    splits = {role: _split_statistics(found.rows, language) for role, found in documents.items()}
    return DatasetStatistics(len(labels.names), splits)


@without_bars()
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
    """Train and erase one cell, unless that is already done."""
    run, results = RunFolder(plan.cell.folder), plan.cell.results
    run.changed(plan.train)  # raises an error that names a damaged file
    if run.complete and results.complete:
        check_undamaged(run.path)
        if results.damage() is None:
            read_cells([plan.cell])
            if accelerator.is_main_process:
                run.tidy()
                results.tidy()
            devices.tell(accelerator, f"{run.path}: already complete")
            return
    train(replace(plan.train, resume=run.started))
    _release()
    erase_to_folder(plan.erase)


def _release() -> None:
    """Free the memory of the last model before the next one is loaded."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _write_traceback(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # As `repr` writes them: a message may quote a document, whose control characters a terminal would obey.
    write_text(path, "".join(f"{repr(line)[1:-1]}\n" for line in traceback.format_exc().splitlines()))
    logger.info(f"the traceback is in {path}")
