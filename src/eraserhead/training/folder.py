"""Read and write the folder of a training run; no other module writes its files.

With ``config.json``, weights and tokenizer it is a model for `from_pretrained`. ``run.yaml`` has the options that
made it, in the format that ``--config`` takes; the other files are records of their own. `RunLayout` names them all.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from eraserhead.data.documents import Documents
from eraserhead.data.label_sets import LABELS
from eraserhead.data.seen import TRAIN, VALIDATION, SeenTexts, TrainingRole
from eraserhead.data.tokens import truncation
from eraserhead.environment import environment
from eraserhead.errors import Setting, UserError
from eraserhead.files import differences, moving_into, moving_name, remove
from eraserhead.folders import OutputFolder
from eraserhead.loading.boundary import quiet
from eraserhead.loading.run_layout import RUN
from eraserhead.loading.run_options import read_options, write_options
from eraserhead.loading.training_data import TrainingData, read_training_data, write_seen_texts, write_training_data
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.records import plain, write_record
from eraserhead.seals import seal
from eraserhead.training.adapter import EncoderAdapter
from eraserhead.training.config import TrainConfig
from eraserhead.training.records import EncoderSource, Metrics, TrainingEnvironment, TrainingSetup
from eraserhead.training.states import States

# Options that may differ when a run is resumed: they do not change its results.
FREE_TO_DIFFER = (
    *("output_dir", "resume", "overwrite", "cache_limit", "cpu", "training.batch_tokens", "training.trackers"),
    *("push_to_hub", "push_every", "push_private", "seeds"),
)
# Files that tokenizers save beside tokenizer.json; others of these kinds are the user's.
VOCABULARIES = (
    *("vocab.txt", "vocab.json", "merges.txt", "tokenizer.model", "spiece.model", "spm.model", "sentencepiece.model"),
    *("sentencepiece.bpe.model", "bpe.codes", "vocab.bpe"),
)


@dataclass(frozen=True)
class Split:
    """Documents of one role, tokenised.

    Attributes:
        documents: As loaded.
        rows: With their tokens.
    """

    documents: Documents
    rows: Dataset

    @property
    def labels(self) -> torch.Tensor:
        """Gold classes, or rows of 0 and 1 for the labels of a multi-label model; -1 where unknown."""
        if LABELS in self.rows.column_names:
            return self._states(len(self.documents.labels.names if self.documents.labels else ()))
        return torch.tensor([-1 if label is None else label for label in self.rows["label"]])

    def _states(self, labels: int) -> torch.Tensor:
        states = torch.zeros(len(self.rows), labels, dtype=torch.long)
        for row, own in enumerate(self.rows[LABELS]):
            states[row, slice(None) if own is None else own] = -1 if own is None else 1
        return states


@dataclass(frozen=True)
class RunFolder(OutputFolder):
    """The folder of one training run."""

    CONTENT: ClassVar[str] = "a run"
    COMMAND: ClassVar[str] = "train"
    MARK: ClassVar[str] = RUN.run

    @property
    def complete(self) -> bool:
        """Whether the model is finished."""
        return self.has(RUN.config)

    @property
    def started(self) -> bool:
        """Whether the folder contains a run, finished or not."""
        return self.has(RUN.run)

    @property
    def states(self) -> States:
        """The states to resume from."""
        return States(self.path)

    def config(self) -> TrainConfig | None:
        """Read the options that made the run; null where there is none."""
        return read_options(TrainConfig, self.path, self.again)

    def metrics(self) -> Metrics | None:
        """Read the metrics of the run; null if the folder has none."""
        return self.read(Metrics, RUN.metrics) if self.has(RUN.metrics) else None

    def data(self) -> TrainingData | None:
        """Read which documents the model was trained on; null if the folder does not say."""
        return read_training_data(self.path, self.again)

    def environment(self) -> TrainingEnvironment | None:
        """Read where the model was trained; null if the folder does not say."""
        return self.read(TrainingEnvironment, RUN.environment) if self.has(RUN.environment) else None

    def check(self, config: TrainConfig) -> None:
        """Refuse a folder that this run may not use.

        Raises:
            UserError: There is a run that is neither to be resumed nor to be replaced, a run of another setup,
                or something else.
        """
        changed = self.changed(config)
        self.refuse(changed, config.overwrite)
        if changed is not None and not config.overwrite and not config.resume and not self.complete:
            raise UserError(
                f"{self.path}: holds an interrupted run; continue it with ",
                Setting("resume", True),
                " or replace it with ",
                Setting("overwrite", True),
            )

    def check_setup(self, setup: TrainingSetup, overwrite: bool) -> None:
        """Refuse a run whose documents or encoder have changed since it was started.

        Raises:
            UserError: The message names what has changed.
        """
        changed = None if overwrite else self.differing(RUN.setup, setup)
        if changed:
            raise UserError(
                f"{self.path}: this run's training inputs have changed ({', '.join(changed)}); choose another ",
                Setting("output_dir"),
                ", or replace the run with ",
                Setting("overwrite", True),
            )

    def open(self, config: TrainConfig, setup: TrainingSetup) -> None:
        """Prepare the folder for this run, after the checks; `overwrite` removes an earlier run."""
        if config.overwrite:
            self._clear()
        write_options(self.path, config)
        self.write(RUN.setup, setup)

    def tidy(self) -> None:
        """Remove what is not needed beside a finished model: the files for resuming, and what a killed process left."""
        remove(self.path / RUN.checkpoints)
        remove(moving_name(self.path))

    @contextmanager
    def best_model(self) -> Iterator["RunFolder"]:
        """Give a folder for the model of the best epoch so far; it is removed when the context ends."""
        folder = RunFolder(self.path / RUN.best_model)
        remove(folder.path)
        folder.path.mkdir(parents=True)
        for name in (RUN.run, RUN.setup):
            shutil.copyfile(self.path / name, folder.path / name)
        try:
            yield folder
        finally:
            remove(folder.path)

    def changed(self, config: TrainConfig) -> list[str] | None:
        """Return the names of what differs from the options of the run here; null where there is none.

        Options that did not exist when the run was made count as having their defaults.
        """
        stored = self.config()
        if stored is None:
            return None
        return [name for name in differences(plain(stored), plain(config.with_metric())) if name not in FREE_TO_DIFFER]

    def _clear(self) -> None:
        """Remove the files of an earlier run, the model's configuration first; folders such as `erasure` stay."""
        records = (RUN.setup, RUN.data, RUN.seen, RUN.metrics, RUN.environment, RUN.chart, RUN.seal)
        for name in (RUN.config, RUN.checkpoints, RUN.adapter, *RUN.tracked, *records):
            remove(self.path / name)
        for pattern in ("model*.safetensors*", "*token*.json", *VOCABULARIES):  # weights in parts have an index, too
            for file in self.path.glob(pattern):
                if file.is_file():
                    file.unlink()


@dataclass(frozen=True)
class Saver:
    """Writes the model in training, with the records about it.

    Attributes:
        model: The model with its current weights.
        tokenizer: Its tokenizer.
        splits: The documents by role.
        encoder: Where the encoder came from.
        adapter: The adapter in the model's encoder, if there is one: the model is written with it merged.
    """

    model: AttentionPoolingForSequenceClassification
    tokenizer: PreTrainedTokenizerBase
    splits: dict[str, Split]
    encoder: EncoderSource
    adapter: EncoderAdapter | None = None

    @cached_property
    def seen(self) -> SeenTexts:
        """The texts that training sees."""
        return SeenTexts.of(*(self.splits[role].documents.rows for role in (TRAIN, VALIDATION)))

    @cached_property
    def roles(self) -> dict[str, list[TrainingRole]]:
        """What the text of each document is in training, by the role that the document itself was loaded for."""
        return {role: self.seen.roles(split.documents.rows) for role, split in self.splits.items() if role != TRAIN}

    def save(self, folder: RunFolder, metrics: Metrics) -> None:
        """Write a folder's model and records, ``config.json`` last.

        Raises:
            UserError: The folder was emptied meanwhile.
        """
        labels = self.splits["train"].documents.labels
        assert labels is not None
        data = TrainingData(
            labels=labels,
            documents={role: split.documents.record for role, split in self.splits.items()},
            truncation={role: truncation(split.rows) for role, split in self.splits.items()},
            trained_on={role: found.count(TRAIN) for role, found in self.roles.items()},
        )
        folder.check_mark()
        with moving_into(folder.path, last=RUN.config) as unfinished:
            with quiet(), self.adapter.merged() if self.adapter else nullcontext():
                self.model.save_pretrained(unfinished)
            if self.adapter is not None and self.adapter.config.keep:
                self.adapter.save(unfinished / RUN.adapter)
            self.tokenizer.save_pretrained(unfinished)
            write_training_data(unfinished, data)
            write_seen_texts(unfinished, self.seen)
            write_record(unfinished / RUN.metrics, metrics)
            trained_in = TrainingEnvironment(**vars(environment()), encoder=self.encoder)
            write_record(unfinished / RUN.environment, trained_in)
            seal(unfinished)
