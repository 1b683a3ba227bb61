"""From texts to tokens: what the model sees, where it lies in the text, and what its window cut away."""

import copy
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import pyarrow as pa
from datasets import Dataset, Features, List, Value
from tokenizers import Encoding, Tokenizer
from transformers import PreTrainedTokenizerBase

from eraserhead.data.arrow import arrow_table
from eraserhead.data.columns import processes
from eraserhead.data.provenance import Truncation
from eraserhead.errors import Setting, UserError

TOKENIZE_VERSION = 2  # part of the cache key: raise it when `_tokenize_batch` writes something else
NO_WINDOW = 10**30  # what transformers itself writes for a tokenizer without a window
BATCH = 500
TOKEN_COLUMNS = {
    "input_ids": List(Value("int32")),
    "starts": List(Value("int32")),
    "ends": List(Value("int32")),
    "tokens": Value("int32"),
    "truncated_tokens": Value("int32"),
}
COUNTS = ("tokens", "truncated_tokens", "sentences", "truncated_sentences")
TYPES = "token_type_ids"
TYPE_COLUMN = {TYPES: List(Value("int32"))}


def tokenize(rows: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Add the tokens of every text; `rows` may have any other columns, which are kept.

    Where `rows` has a column ``second``, the text holds two sequences: the second begins there, after a newline, and
    the tokenizer gets them as a pair.

    New columns:
        input_ids: Token ids, special tokens included, at most `max_length`.
        token_type_ids: For pairs alone, where the tokenizer's model takes them: the sequence that each token belongs
            to.
        starts, ends: Code-point offsets of each token in the text, 0 and 0 for special tokens; null where the tokenizer
            knows no offsets.
        tokens: How many tokens the model sees.
        truncated_tokens: How many were cut off; 0 where the text fits.

    The result is kept in the cache of `datasets`; the same rows, tokenizer and length find it again, in any process.
    The tokenizer itself is left as it is.

    Raises:
        UserError: If `max_length` leaves no room beside the special tokens.
    """
    pairs = "second" in rows.column_names
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
                "version": TOKENIZE_VERSION,
            },
            features=Features({**rows.features, **TOKEN_COLUMNS, **(TYPE_COLUMN if typed else {})}),
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


@dataclass(frozen=True)
class FastTokenizer:
    """What tokenising needs of a fast tokenizer, as text: quick to hash and to send to other processes.

    Attributes:
        written: The tokenizer as JSON, without a window and without padding.
        truncation_side: The side on which long texts are cut.
        split_special_tokens: Whether special tokens that stand in a text are split like other text.
    """

    written: str
    truncation_side: str
    split_special_tokens: bool

    @cached_property
    def backend(self) -> Tokenizer:
        """The tokenizer; it is made only where something is not in the cache."""
        backend = Tokenizer.from_str(self.written)
        backend.encode_special_tokens = self.split_special_tokens
        return backend

    def __reduce__(self) -> tuple[type, tuple[str, str, bool]]:
        return FastTokenizer, (self.written, self.truncation_side, self.split_special_tokens)

    def num_special_tokens_to_add(self, pair: bool) -> int:
        """Return how many tokens frame a text, or a pair."""
        return self.backend.num_special_tokens_to_add(pair)


NeutralTokenizer = FastTokenizer | PreTrainedTokenizerBase


def neutral(tokenizer: PreTrainedTokenizerBase) -> NeutralTokenizer:
    """Return a copy without a window, and without state from earlier calls, which would change the cache key."""
    if tokenizer.is_fast:
        content = json.loads(cast(Tokenizer, tokenizer.backend_tokenizer).to_str())
        written = json.dumps(content | {"truncation": None, "padding": None}, ensure_ascii=False)
        return FastTokenizer(written, tokenizer.truncation_side, tokenizer.split_special_tokens)
    neutral = copy.deepcopy(tokenizer)
    neutral.deprecation_warnings = {}
    neutral.model_max_length = NO_WINDOW  # tokens beyond the limit are counted here, without a warning
    return neutral


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
    max_length: int,
    typed: bool,
    version: int,
) -> dict[str, list[Any]]:
    del version  # only part of the cache key
    sequences = [Sequences(text, None) for text in texts]
    if seconds is not None:
        sequences = [
            Sequences(text[: second - 1], text[second:], second) for text, second in zip(texts, seconds, strict=True)
        ]
    columns, types = encode(sequences, tokenizer, max_length)
    return columns | ({TYPES: types} if typed else {})


@dataclass(frozen=True)
class Sequences:
    """The tokenizer's input: one sequence, or two, of which the second begins at `start` in the text."""

    first: str
    second: str | None
    start: int = 0

    @property
    def given(self) -> str | tuple[str, str]:
        """The argument for the tokenizer."""
        return self.first if self.second is None else (self.first, self.second)


def encode(
    sequences: list[Sequences], tokenizer: NeutralTokenizer, max_length: int
) -> tuple[dict[str, list[Any]], list[list[int]]]:
    """Return the `TOKEN_COLUMNS` of sequences, and their token types; `tokenizer` comes from `neutral`."""
    if isinstance(tokenizer, FastTokenizer):
        return _fast_batch(sequences, tokenizer, max_length)
    return _slow_batch(sequences, tokenizer, max_length)


def _fast_batch(
    sequences: list[Sequences], tokenizer: FastTokenizer, max_length: int
) -> tuple[dict[str, list[Any]], list[list[int]]]:
    pairs = any(each.second is not None for each in sequences)
    encodings, whole = (_cut_pairs if pairs else _cut)(sequences, tokenizer, max_length)
    offsets = [_offsets(encoding, each.start) for encoding, each in zip(encodings, sequences, strict=True)]
    columns = {
        "input_ids": [encoding.ids for encoding in encodings],
        "starts": [[start for start, _ in of_text] for of_text in offsets],
        "ends": [[end for _, end in of_text] for of_text in offsets],
        **_counts(whole, map(len, encodings)),
    }
    return columns, [encoding.type_ids for encoding in encodings]


def _cut(sequences: list[Sequences], tokenizer: FastTokenizer, max_length: int) -> tuple[list[Encoding], list[int]]:
    """Return the encodings of texts, cut, and how many tokens each would have: what is cut off comes along."""
    backend, framing = tokenizer.backend, tokenizer.num_special_tokens_to_add(pair=False)
    backend.enable_truncation(max_length, direction=tokenizer.truncation_side)
    encodings: list[Encoding] = backend.encode_batch([each.first for each in sequences])
    backend.no_truncation()
    beyond = (sum(len(part) - framing for part in encoding.overflowing) for encoding in encodings)
    return encodings, [len(encoding) + more for encoding, more in zip(encodings, beyond, strict=True)]


def _cut_pairs(
    sequences: list[Sequences], tokenizer: FastTokenizer, max_length: int
) -> tuple[list[Encoding], list[int]]:
    """Return the same for pairs: of what is cut off from one, the parts come along with each part of the other."""
    backend = tokenizer.backend
    encodings: list[Encoding] = backend.encode_batch([each.given for each in sequences])
    whole = [len(encoding) for encoding in encodings]
    too_long = [place for place, length in enumerate(whole) if length > max_length]
    backend.enable_truncation(max_length, direction=tokenizer.truncation_side)
    cut = backend.encode_batch([sequences[place].given for place in too_long])
    backend.no_truncation()
    for place, encoding in zip(too_long, cut, strict=True):
        encodings[place] = encoding
    return encodings, whole


def _offsets(encoding: Encoding, second: int) -> list[tuple[int, int]]:
    """Return where each token lies in the text, in which the second sequence begins at `second`."""
    if not second:
        return encoding.offsets
    return [
        (start + second, end + second) if sequence == 1 else (start, end)
        for (start, end), sequence in zip(encoding.offsets, encoding.sequence_ids, strict=True)
    ]


def _slow_batch(
    sequences: list[Sequences], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[dict[str, list[Any]], list[list[int]]]:
    encoded = [_encoded(tokenizer, each) for each in sequences]
    whole = [len(of_text["input_ids"]) for of_text in encoded]
    too_long = [place for place, length in enumerate(whole) if length > max_length]
    for place in too_long:
        encoded[place] = _encoded(tokenizer, sequences[place], truncation=True, max_length=max_length)
    ids = [of_text["input_ids"] for of_text in encoded]
    nothing = [None] * len(sequences)
    columns = {"input_ids": ids, "starts": nothing, "ends": nothing, **_counts(whole, map(len, ids))}
    return columns, [of_text[TYPES] for of_text in encoded]


def _encoded(tokenizer: PreTrainedTokenizerBase, sequences: Sequences, **options: Any) -> dict[str, list[int]]:
    pair = sequences.second
    encoded = tokenizer(
        sequences.first, pair, return_attention_mask=False, return_token_type_ids=pair is not None, **options
    )
    return {"input_ids": cast(list[int], encoded["input_ids"]), TYPES: cast(list[int], encoded.get(TYPES, []))}


def _counts(whole: list[int], seen: Iterable[int]) -> dict[str, list[Any]]:
    tokens = list(seen)
    return {"tokens": tokens, "truncated_tokens": [all_ - left for all_, left in zip(whole, tokens, strict=True)]}
