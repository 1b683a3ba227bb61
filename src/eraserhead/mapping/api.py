"""An atlas from Python: texts or a data set in, every layer and head out."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from eraserhead.data.config import DataConfig
from eraserhead.data.given import Given, GivenColumns
from eraserhead.erasure.schemas import DOCUMENT_ROWS, FLIP_ROWS
from eraserhead.loading import devices
from eraserhead.loading.given import IN_MEMORY, Dtype, GivenModel
from eraserhead.loading.given_inputs import given_inputs
from eraserhead.loading.targets import check_threshold
from eraserhead.mapping.answer import standing_out
from eraserhead.mapping.config import AtlasConfig, Heads
from eraserhead.mapping.folder import ATLAS, SCHEMAS, AtlasFolder
from eraserhead.mapping.mapping import map_documents
from eraserhead.mapping.summary import AtlasSummary
from eraserhead.method.names import Unit
from eraserhead.parquet import read_parquet
from eraserhead.settings import as_list, check_settings


@dataclass(frozen=True, repr=False)
class Atlas:
    """Every layer and head of a checkpoint.

    Attributes:
        table: One row for each place as an Arrow table: shares and divergences, each with its interval.
        tables: ``documents`` and ``flips`` as Arrow tables: what was found of each document at each place.
        summary: The places as records.
        page: The page, as HTML.
    """

    table: pa.Table
    tables: dict[str, pa.Table]
    summary: AtlasSummary
    page: str

    def __repr__(self) -> str:
        out = len(standing_out(self.summary))
        return f"Atlas({len(self.summary.places)} places, {out} stand out; {self.summary.documents.analysed} documents)"

    @property
    def places(self) -> pd.DataFrame:
        """One row for each place: a layer as a whole, where the head is missing, or one of its heads."""
        return self.table.to_pandas()

    @property
    def documents(self) -> pd.DataFrame:
        """One row for each document: its decision, and how many components it has."""
        return self.tables[DOCUMENT_ROWS].to_pandas()

    @property
    def flips(self) -> pd.DataFrame:
        """One row for each document and place: how many components are erased at its first flips."""
        return self.tables[FLIP_ROWS].to_pandas()


def atlas(
    model: GivenModel,
    data: Given | DataConfig,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    split: str | None = None,
    text_column: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
    label_columns: Sequence[str] | None = None,
    max_length: int | None = None,
    layers: Sequence[int] | None = None,
    heads: Heads = "each",
    draws: int = 2,
    seed: int = 0,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    batch_tokens: int | None = None,
    components: Unit | None = None,
    special_tokens: bool | None = None,
    label_map: Sequence[str] | None = None,
    memory_budget: float = 1.0,
    target: str | Sequence[str] | None = None,
    threshold: float | None = None,
    threshold_on: Literal["probability", "logit"] = "probability",
    revision: str | None = None,
    dtype: Dtype | None = None,
    trust_remote_code: bool = False,
    cpu: bool = False,
) -> Atlas:
    """Erase attention in every layer and every head of a classifier, and see which of them move its decisions.

    Args:
        model: As in `erase`; a classifier whose attention is its own encoder's.
        data: As in `erase`.
        tokenizer: The tokenizer, where `model` is a classifier in memory.
        split: The split, where `data` is a `DatasetDict` of several.
        text_column: Column of the texts in rows; default: ``text``.
        pair_column: Column of a second sequence in rows.
        label_column: Column of the gold classes in rows; default: ``label``, where there is one.
        label_columns: Columns of 0 and 1 in rows, one for each label of a model that decides label by label.
        max_length: Most tokens of a document; default: as in `erase`.
        layers: Numbers of the layers, from 0, negative ones from the last; default: all.
        heads: What is looked at of every head alone: with ``each``, prefixes of 1, 2, 4, ... and all components; with
            ``complete``, every prefix, as of the layers, which takes long; with ``none``, layers alone.
        draws: Number of random orders tried for each document.
        seed: Seed of all draws.
        output_dir: Folder for the atlas; default: it is kept in memory alone.
        overwrite: Replace an atlas of another setup in `output_dir`.
        batch_tokens: Tokens processed at a time.
        components: What is erased, ranked and counted as one: ``tokens`` (the default), ``words`` or ``sentences``.
        special_tokens: Whether tokens such as [CLS] are components; default: yes.
        label_map: Classes of the data and of the model that mean the same, as ``data=model`` pairs.
        memory_budget: Gigabytes that readings and replays may take.
        target: Labels of a multi-label model whose states are looked at, as in `erase`.
        threshold: Where a label is on, as in `erase`.
        threshold_on: What `threshold` is, likewise.
        revision: Branch, tag or commit of a model on the hub.
        dtype: Precision to load a named model in; default: float32.
        trust_remote_code: Run Python code that a named model's repository brings with it.
        cpu: Use the CPU even where there is an accelerator.

    Raises:
        UserError: The model or the data cannot be used, or `output_dir` holds other results.
    """
    asked = data if isinstance(data, DataConfig) else DataConfig()
    config = AtlasConfig(
        model=IN_MEMORY,
        output_dir=str(output_dir) if isinstance(output_dir, Path) else output_dir,
        overwrite=overwrite,
        data=asked if max_length is None else replace(asked, max_length=max_length),
        layers=as_list(layers),
        heads=heads,
        draws=draws,
        seed=seed,
        batch_tokens=batch_tokens,
        components=components,
        special_tokens=special_tokens,
        label_map=as_list(label_map),
        memory_budget=memory_budget,
        target=[target] if isinstance(target, str) else as_list(target),
        threshold=threshold,
        threshold_on=threshold_on,
        revision=revision,
        dtype="float32" if dtype is None else dtype,
        trust_remote_code=trust_remote_code,
        cpu=cpu,
    )
    check_settings(config)
    check_threshold(config)
    columns = GivenColumns(text_column, pair_column, label_column, tuple(label_columns or ()))
    given = given_inputs(model, tokenizer, data, columns, split, config, config.label_map, dtype, max_length)
    with tempfile.TemporaryDirectory() as scratch:
        config = replace(given.config, output_dir=given.config.output_dir or str(Path(scratch) / "atlas"))
        accelerator = devices.start(cpu)
        with devices.alone_in(config.folder, accelerator):
            return read_atlas(map_documents(given.checkpoint, given.documents, config, accelerator))


def read_atlas(folder: AtlasFolder) -> Atlas:
    """Read a finished atlas.

    Raises:
        UserError: There is none, or one of its files is damaged.
    """
    summary = folder.checked_summary()
    return Atlas(
        table=read_parquet(folder.path / ATLAS.places, folder.again),
        tables={name: folder.table(name) for name in SCHEMAS},
        summary=summary,
        page=(folder.path / ATLAS.page).read_text(encoding="utf-8"),
    )
