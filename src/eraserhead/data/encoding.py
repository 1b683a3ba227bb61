"""Encodes batches of texts by fast and by slow tokenizers, in the same columns."""

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from tokenizers import Encoding, Tokenizer
from transformers import PreTrainedTokenizerBase

from eraserhead.data.units import Units, unit_keys
from eraserhead.models.long_documents import head_and_tail

NO_WINDOW = 10**30  # what transformers itself writes for a tokenizer without a window
TYPES = "token_type_ids"
UNIT_KEYS = "unit_keys"  # column of the units that tokens belong to, where they are asked for


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

    @property
    def text(self) -> str:
        """The text that offsets index."""
        return self.first if self.second is None else f"{self.first}\n{self.second}"


def encode(
    sequences: list[Sequences], tokenizer: NeutralTokenizer, max_length: int | None, units: Units | None = None
) -> tuple[dict[str, list[Any]], list[list[int]]]:
    """Return the `data.tokens.TOKEN_COLUMNS` of sequences, and their token types; `tokenizer` comes from `neutral`.

    With `units`, which a fast tokenizer alone can tell, there is a column more, the `UNIT_KEYS` of the tokens. A
    `max_length` of None cuts nothing.
    """
    if isinstance(tokenizer, FastTokenizer):
        return _fast_batch(sequences, tokenizer, max_length, units)
    assert units is None
    return _slow_batch(sequences, tokenizer, max_length)


def without_middle(columns: dict[str, list[Any]], max_length: int, framing: tuple[int, int]) -> dict[str, list[Any]]:
    """Return the columns of texts that `encode` did not cut, without the middle of those above `max_length` tokens.

    Args:
        columns: What `encode` returns.
        max_length: Most tokens that are kept, special tokens included.
        framing: How many special tokens stand before and after each text.
    """
    whole = [len(ids) for ids in columns["input_ids"]]
    kept = [head_and_tail(length, max_length, framing) for length in whole]
    of_tokens = [name for name in ("input_ids", "starts", "ends", UNIT_KEYS) if name in columns]
    left = {
        name: [values and [values[place] for place in own] for values, own in zip(columns[name], kept, strict=True)]
        for name in of_tokens
    }
    return columns | left | _counts(whole, map(len, kept))


def _fast_batch(
    sequences: list[Sequences], tokenizer: FastTokenizer, max_length: int | None, units: Units | None
) -> tuple[dict[str, list[Any]], list[list[int]]]:
    if any(each.second is not None for each in sequences):
        assert max_length is not None
        encodings, whole = _cut_pairs(sequences, tokenizer, max_length)
    else:
        encodings, whole = _cut(sequences, tokenizer, max_length)
    offsets = [_offsets(encoding, each.start) for encoding, each in zip(encodings, sequences, strict=True)]
    columns = {
        "input_ids": [encoding.ids for encoding in encodings],
        "starts": [[start for start, _ in of_text] for of_text in offsets],
        "ends": [[end for _, end in of_text] for of_text in offsets],
        **_counts(whole, map(len, encodings)),
    }
    if units is not None:
        texts = [each.text for each in sequences]
        seconds = [None if each.second is None else each.start for each in sequences]
        columns[UNIT_KEYS] = unit_keys(units, encodings, texts, seconds, offsets, tokenizer.backend)
    return columns, [encoding.type_ids for encoding in encodings]


def _cut(
    sequences: list[Sequences], tokenizer: FastTokenizer, max_length: int | None
) -> tuple[list[Encoding], list[int]]:
    """Return the encodings of texts, cut, and how many tokens each would have: what is cut off comes along."""
    backend, framing = tokenizer.backend, tokenizer.num_special_tokens_to_add(pair=False)
    if max_length is not None:
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
    sequences: list[Sequences], tokenizer: PreTrainedTokenizerBase, max_length: int | None
) -> tuple[dict[str, list[Any]], list[list[int]]]:
    encoded = [_encoded(tokenizer, each) for each in sequences]
    whole = [len(of_text["input_ids"]) for of_text in encoded]
    too_long = [place for place, length in enumerate(whole) if max_length is not None and length > max_length]
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
