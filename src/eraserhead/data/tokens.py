"""From texts to tokens: what the model sees, where it lies in the text, and what its window cut away."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from eraserhead.data.arrow import arrow_table
from eraserhead.data.bars import without_bars
from eraserhead.data.columns import processes
from eraserhead.data.encoding import TYPES, UNIT_KEYS, NeutralTokenizer, Sequences, encode, neutral, without_middle
from eraserhead.data.provenance import Truncation
from eraserhead.data.units import UNIT_COLUMN, UNITS, Units, numbered
from eraserhead.errors import Setting, UserError

TOKENIZE_VERSION = 2  # part of the cache key: raise it when `_tokenize_batch` writes something else
BATCH = 500
TOKEN_COLUMNS = {
    "input_ids": List(Value("int32")),
    "starts": List(Value("int32")),
    "ends": List(Value("int32")),
    "tokens": Value("int32"),
    "truncated_tokens": Value("int32"),
}
COUNTS = ("tokens", "truncated_tokens", "sentences", "truncated_sentences")
TYPE_COLUMN = {TYPES: List(Value("int32"))}


@without_bars()
def tokenize(
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int | None,
    units: Units | None = None,
    framing: tuple[int, int] | None = None,
) -> Dataset:
    """Add the tokens of every text; `rows` may have any other columns, which are kept.

    Where `rows` has a column ``second``, the text holds two sequences: the second begins there, after a newline, and
    the tokenizer gets them as a pair.

    New columns:
        input_ids: Token ids, special tokens included, at most `max_length`, where that is a number.
        token_type_ids: For pairs alone, where the tokenizer's model takes them: the sequence that each token belongs
            to.
        starts, ends: Code-point offsets of each token in the text, 0 and 0 for special tokens; null where the tokenizer
            knows no offsets.
        tokens: How many tokens the model sees.
        truncated_tokens: How many were cut off, or out; 0 where the text fits.
        units: Only where `units` are given, and the tokenizer knows offsets: the number of each token's word or
            sentence, from 0 in each document.

    The result is kept in the cache of `datasets`; the same rows, tokenizer and length find it again, in any process.
    The tokenizer itself is left as it is.

    Args:
        rows: Documents with a column ``text``.
        tokenizer: The tokenizer.
        max_length: Most tokens of a text; None for no limit.
        units: What tokens are grouped to.
        framing: Cut out the middle of long texts, and keep their beginning and end; how many special tokens stand
            before and after a text. None: cut the end off.

    Raises:
        UserError: If `max_length` leaves no room beside the special tokens.
    """
    pairs = "second" in rows.column_names
    if max_length is not None:
        check_room(tokenizer, max_length, pairs, "max_length")
    typed = pairs and TYPES in tokenizer.model_input_names
    with parallel_once(processes(len(rows))) as count:
        return rows.map(
            _tokenize_batch,
            batched=True,
            batch_size=BATCH,
            input_columns=["text", "second"] if pairs else ["text"],
            fn_kwargs={
                "tokenizer": neutral(tokenizer),
                "max_length": max_length,
                "typed": typed,
                "units": units,
                "framing": framing,
                "version": (TOKENIZE_VERSION, units and units.version),
            },
            features=Features(
                rows.features | TOKEN_COLUMNS | (TYPE_COLUMN if typed else {}) | (UNIT_COLUMN if units else {})
            ),
            num_proc=count,
        )


def truncation(rows: Dataset) -> Truncation:
    """Sum what `tokenize` or `tokenize_sentences` cut off from these rows."""
    return summed_truncation(arrow_table(rows, [name for name in COUNTS if name in rows.column_names]))


def summed_truncation(documents: pa.Table) -> Truncation:
    """Sum the `COUNTS` of a table of documents; a count that the table lacks, or that some document lacks, is null."""
    known = [name for name in COUNTS if name in documents.column_names and not documents.column(name).null_count]
    columns = {name: np.asarray(documents.column(name), dtype=np.int64) for name in known}
    cut = int((columns["truncated_tokens"] > 0).sum())
    return Truncation(len(documents), cut, **{name: int(values.sum()) for name, values in columns.items()})


def check_room(tokenizer: PreTrainedTokenizerBase, length: int, pairs: bool, name: str) -> None:
    """Refuse a length that leaves no room beside the special tokens.

    Raises:
        UserError: The length is too short; the message names the setting.
    """
    special = tokenizer.num_special_tokens_to_add(pair=pairs)
    if length < special + 1:
        raise UserError(
            Setting(f"data.{name}", length),
            f": the tokenizer adds {special} special tokens; give {special + 1} or more",
        )


@contextmanager
def parallel_once(count: int | None) -> Iterator[int | None]:
    """Switch off the tokenizer's threads where several processes run: they warn of the fork, and cores are taken."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    if count is not None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        yield count
    finally:
        if before is not None:
            os.environ["TOKENIZERS_PARALLELISM"] = before
        elif count is not None:
            del os.environ["TOKENIZERS_PARALLELISM"]


def _tokenize_batch(
    texts: list[str],
    seconds: list[int] | None = None,
    *,
    tokenizer: NeutralTokenizer,
    max_length: int | None,
    typed: bool,
    units: Units | None,
    framing: tuple[int, int] | None,
    version: tuple[int, str | None],
) -> dict[str, list[Any]]:
    del version  # only part of the cache key
    sequences = [Sequences(text, None) for text in texts]
    if seconds is not None:
        sequences = [
            Sequences(text[: second - 1], text[second:], second) for text, second in zip(texts, seconds, strict=True)
        ]
    columns, types = encode(sequences, tokenizer, max_length if framing is None else None, units)
    if framing is not None:
        assert max_length is not None
        columns = without_middle(columns, max_length, framing)
    if units is not None:
        columns[UNITS] = list(map(numbered, columns.pop(UNIT_KEYS)))
    return columns | ({TYPES: types} if typed else {})
