"""Erasure from Python: texts or a data set in, tables out."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import torch
from datasets import Dataset
from datasets.table import InMemoryTable
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from eraserhead.data.columns import FEATURES, PAIR_FEATURES, joined_pair
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents, Provenance
from eraserhead.erasure.config import CountNeverAs, EraseConfig
from eraserhead.erasure.erasing import erase_documents, load_for
from eraserhead.erasure.results import SCHEMAS, ResultsFolder
from eraserhead.errors import UserError, nearest
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import Checkpoint, load_checkpoint, window
from eraserhead.loading.checks import check_family, check_weights, give_padding
from eraserhead.loading.config import LIMITS
from eraserhead.loading.reader import check_text
from eraserhead.method.names import RandomOther
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.settings import check_ranges


@dataclass(frozen=True, repr=False)
class Erasure:
    """The results of an erasure analysis.

    Attributes:
        tables: ``documents``, ``flips`` and ``singles`` as Arrow tables; null stands for what does not exist.
        summary: The aggregates with their intervals.
    """

    tables: dict[str, pa.Table]
    summary: dict[str, Any]

    def __repr__(self) -> str:
        rows = ", ".join(f"{name}: {table.num_rows} rows" for name, table in self.tables.items())
        return f"Erasure({rows}; summary: {', '.join(self.summary)})"

    @property
    def documents(self) -> pd.DataFrame:
        """One row a document: text, decision, attention, gradients, every component erased alone."""
        return self.tables["documents"].to_pandas()

    @property
    def flips(self) -> pd.DataFrame:
        """One row a document, ranking and draw: what must be erased until the decision flips."""
        return self.tables["flips"].to_pandas()

    @property
    def singles(self) -> pd.DataFrame:
        """One row a document and ranking: its top component against a random other."""
        return self.tables["singles"].to_pandas()

    def dataset(self, name: str) -> Dataset:
        """Return one of the tables as a `datasets.Dataset`."""
        return Dataset(InMemoryTable(self.tables[name]))


def erase(
    model: str | Path | PreTrainedModel,
    data: Sequence[str] | Dataset | DataConfig,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    text_column: str = "text",
    pair_column: str | None = None,
    label_column: str = "label",
    max_length: int | None = None,
    draws: int = 10,
    seed: int = 0,
    random_other: RandomOther = "uniform",
    count_never_as: CountNeverAs = "beyond_all",
    output_dir: str | None = None,
    batch_tokens: int | None = None,
    site: str | None = None,
    heads: Sequence[int] | None = None,
    special_tokens: bool | None = None,
    search: Literal["none", "greedy"] = "none",
    label_map: Sequence[str] | None = None,
    memory_budget: float = 1.0,
    revision: str | None = None,
    dtype: Literal["float32", "float64", "bfloat16", "float16"] = "float32",
    trust_remote_code: bool = False,
    cpu: bool = False,
) -> Erasure:
    """Erase the attention weights of a classifier, document by document, and see when its decisions flip.

    Args:
        model: Folder or hub id of a classifier, or the classifier itself together with its `tokenizer`; it is put
            into eval mode and on the device in use, and a decoder without a padding token is given its tokenizer's.
        data: Texts, a data set with a text column and perhaps a column of class indices, or a `DataConfig`. A column
            ``id`` names the documents, and so seeds their random draws; otherwise they are numbered.
        tokenizer: The tokenizer, where `model` is not a name.
        text_column: Column of the texts in a data set.
        pair_column: Column of a second sequence in a data set, which the tokenizer gets as a pair with the text.
        label_column: Column of the gold classes in a data set, as indices; used for accuracy alone, and may be absent.
        max_length: Tokens a document, for models that read it as a whole; default: what the `DataConfig` or the run
            says, else what the model was trained on, else its window.
        draws: Shuffles a document of the random ranking.
        seed: Seed of all draws.
        random_other: What the top component is compared with in test 1: ``uniform``, any component but the top;
            ``position``, any but the first, the top included, as in Serrano & Smith's released code.
        count_never_as: How the summary counts a document that never flips: ``beyond_all``, as larger than everything,
            and in no mean; ``all``, as one that flips when everything is erased (fraction 1). The tables keep null.
        output_dir: Folder to keep the results in; by default they live in memory alone.
        batch_tokens: Tokens processed at a time.
        site: ``pooling``, ``words`` (of a hierarchical model), or inside an encoder ``layer:L``, ``layer:L:all`` or
            ``all``; default: the last attention-pooling layer where there is one, else the last layer.
        heads: Heads whose weights are erased, inside an encoder; default: all.
        special_tokens: Whether tokens such as [CLS] are components, inside an encoder; default: yes.
        search: ``greedy`` looks for smaller flipping sets than those of the rankings, where there is no exact minimum.
        label_map: Classes of a `DataConfig`'s data and of the model that mean the same, as ``data=model`` pairs.
        memory_budget: Gigabytes that the replays at ``words`` and inside an encoder may take.
        revision: Branch, tag or commit of a model on the hub.
        dtype: Precision to load a named model in.
        trust_remote_code: Run Python code that a named model's repository brings with it.
        cpu: Use the CPU even where there is an accelerator.

    Raises:
        UserError: The model or the data cannot be used, or `output_dir` holds other results.
    """
    checkpoint = _checkpoint(model, tokenizer, revision, dtype, trust_remote_code)
    if isinstance(data, DataConfig):
        documents = load_for(checkpoint, data, label_map)
    else:
        if label_map:
            raise UserError("erase: label_map belongs to a DataConfig; texts and data sets bring class indices")
        columns = Columns(text_column, pair_column, label_column)
        documents = _documents(data, columns, len(checkpoint.class_names))
    with tempfile.TemporaryDirectory() as scratch:
        config = EraseConfig(
            model=checkpoint.name,
            output_dir=output_dir or str(Path(scratch) / "results"),
            data=_limits(checkpoint, data if isinstance(data, DataConfig) else checkpoint.data, max_length),
            draws=draws,
            seed=seed,
            random_other=random_other,
            count_never_as=count_never_as,
            batch_tokens=batch_tokens,
            site=site,
            heads=None if heads is None else list(heads),
            special_tokens=special_tokens,
            search=search,
            label_map=None if label_map is None else list(label_map),
            memory_budget=memory_budget,
            dtype=_precision(checkpoint.model.dtype),
            cpu=cpu,
        )
        check_ranges(config)
        results = erase_documents(checkpoint, documents, config, devices.start(cpu))
        return Erasure({name: results.table(name) for name in SCHEMAS}, results.summary())


def read(folder: str | Path) -> Erasure:
    """Read the finished results in a folder.

    Raises:
        UserError: There are none.
    """
    results = ResultsFolder(Path(folder))
    summary = results.summary()
    return Erasure({name: results.table(name) for name in SCHEMAS}, summary)


def _checkpoint(
    model: str | Path | PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    revision: str | None,
    dtype: str,
    trust_remote_code: bool,
) -> Checkpoint:
    if isinstance(model, (str, Path)):
        return load_checkpoint(str(model), revision, dtype, trust_remote_code)
    if not isinstance(model, PreTrainedModel):
        raise UserError(f"erase: a {type(model).__name__} is no classifier of transformers")
    if tokenizer is None:
        raise UserError("erase: give the model's tokenizer too, or the model by its name or folder")
    if not isinstance(model, AttentionPoolingForSequenceClassification):
        check_family(model.config, "the model")
        give_padding(model, tokenizer, "the model")
    check_weights(model, "the model")
    return Checkpoint(model.eval(), tokenizer, "in memory", None, None, None, None)


def _limits(checkpoint: Checkpoint, data: DataConfig | None, max_length: int | None) -> DataConfig:
    """Return what is read of each document: as asked for, as the data says, as the model was trained, or all it can."""
    if data is not None:
        limits = {name: getattr(data, name) for name in LIMITS}
        return DataConfig(**{**limits, "max_length": max_length or data.max_length})
    model = checkpoint.model
    known = isinstance(model, AttentionPoolingForSequenceClassification) and model.config.reads.tokens
    return DataConfig(max_length=max_length or (None if known else window(model, checkpoint.tokenizer)))


def _precision(dtype: torch.dtype) -> Any:
    return str(dtype).removeprefix("torch.")


@dataclass(frozen=True)
class Columns:
    """Columns of a data set."""

    text: str
    pair: str | None
    label: str


def _documents(data: Sequence[str] | Dataset, columns: Columns, classes: int) -> Documents:
    texts, labels = _texts_and_labels(data, columns)
    labels = [None if label == -1 else label for label in labels]  # the hub's way to say that a label is unknown
    wrong = next((label for label in labels if label is not None and label not in range(classes)), None)
    if wrong is not None:
        raise UserError(f"erase: label {wrong!r} is none of the model's classes, which are 0 to {classes - 1}")
    content = {"id": _ids(data) or [f"texts/{row}" for row in range(len(texts))], "text": texts, "label": labels}
    if columns.pair is not None:
        seconds = _column(data, columns.pair)
        content["second"] = [len(text) + 1 for text in texts]
        content["text"] = [joined_pair(first, second) for first, second in zip(texts, seconds, strict=True)]
    rows = Dataset.from_dict(content, features=FEATURES if columns.pair is None else PAIR_FEATURES)
    provenance = Provenance(
        None, None, None, None, "texts", [columns.text], columns.pair, columns.label, False, len(texts), len(texts), 0
    )
    return Documents(rows, None, provenance)


def _ids(data: Sequence[str] | Dataset) -> list[str]:
    ids = list(map(str, data["id"])) if isinstance(data, Dataset) and "id" in data.column_names else []
    if len(set(ids)) < len(ids):
        raise UserError("erase: the column 'id' names some documents twice; make the ids unique, or leave it out")
    return ids


def _texts_and_labels(data: Sequence[str] | Dataset, columns: Columns) -> tuple[list[str], list[int | None]]:
    if isinstance(data, (str, Mapping)):
        raise UserError(f"erase: give a list of texts or one split of a data set, not a {type(data).__name__}")
    if not isinstance(data, Dataset):
        return _checked(list(data)), [None] * len(data)
    labels: list[int | None] = list(data[columns.label]) if columns.label in data.column_names else [None] * len(data)
    return _column(data, columns.text), labels


def _column(data: Sequence[str] | Dataset, column: str) -> list[str]:
    known = data.column_names if isinstance(data, Dataset) else []
    if not isinstance(data, Dataset) or column not in known:
        raise UserError(f"erase: no column '{column}'{nearest(column, known)}; there are: {', '.join(known) or 'none'}")
    return _checked(list(data[column]))


def _checked(texts: list[str]) -> list[str]:
    if not texts or not all(isinstance(text, str) for text in texts):
        raise UserError("erase: give one text or more, each of them a str")
    return [check_text(text, f"erase: text {number}") for number, text in enumerate(texts)]
