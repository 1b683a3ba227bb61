"""From texts to tokens: what the model sees, where it lies in the text, and what its window cut away."""

import copy
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
from datasets import Dataset, Features, List, Value
from tokenizers import Encoding, Tokenizer
from transformers import PreTrainedTokenizerBase

from eraserhead.data.labels import arrow_table
from eraserhead.data.writing import processes
from eraserhead.errors import UserError

TOKENIZE_VERSION = 1  # part of the cache key: raise it when `_tokenize_batch` writes something else
NO_WINDOW = 10**30  # what transformers itself writes for a tokenizer without a window
BATCH = 500
TOKEN_COLUMNS = {
    "input_ids": List(Value("int32")),
    "starts": List(Value("int32")),
    "ends": List(Value("int32")),
    "tokens": Value("int32"),
    "truncated_tokens": Value("int32"),
}
UNSPACED = (  # scripts written without spaces between words, as ranges of code points
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x312F),  # CJK radicals and punctuation, kana, Bopomofo
    (0x31A0, 0x9FFF),  # CJK ideographs
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFF66, 0xFF9F),  # halfwidth kana
    (0x20000, 0x3FFFF),  # further ideographs
)


@dataclass(frozen=True)
class Truncation:
    """What the model's window cut away.

    Attributes:
        documents: All documents.
        truncated_documents: Those that lost tokens.
        tokens: Tokens that the model sees, special tokens included.
        truncated_tokens: Tokens cut away.
    """

    documents: int
    truncated_documents: int
    tokens: int
    truncated_tokens: int

    def describe(self) -> str:
        """Return one line, such as "3 of 10 documents (30.0 %) lost 40 of 400 tokens (10.0 %) to the length limit"."""
        whole = self.tokens + self.truncated_tokens
        documents = _share(self.truncated_documents, self.documents, "documents")
        return f"{documents} lost {_share(self.truncated_tokens, whole, 'tokens')} to the length limit"


def tokenize(rows: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Add the tokens of every text; `rows` may have any other columns, which are kept.

    New columns:
        input_ids: Token ids, special tokens included, at most `max_length`.
        starts, ends: Code-point offsets of each token in the text, 0 and 0 for special tokens; null where the tokenizer
            knows no offsets.
        tokens: How many tokens the model sees.
        truncated_tokens: How many were cut away; 0 where the text fits.

    The result is kept in the cache of `datasets`; the same rows, tokenizer and length find it again, in any process.
    The tokenizer itself is left as it is.

    Raises:
        UserError: If `max_length` leaves no room beside the special tokens, or exceeds the tokenizer's window.
    """
    _check_length(tokenizer, max_length)
    with _parallel_once(processes(len(rows))) as count:
        return rows.map(
            _tokenize_batch,
            batched=True,
            batch_size=BATCH,
            input_columns=["text"],
            fn_kwargs={"tokenizer": _neutral(tokenizer), "max_length": max_length, "version": TOKENIZE_VERSION},
            features=Features({**rows.features, **TOKEN_COLUMNS}),
            num_proc=count,
        )


def truncation(rows: Dataset) -> Truncation:
    """Count what `tokenize` cut away from these rows."""
    counts = arrow_table(rows, ["tokens", "truncated_tokens"])
    cut = np.asarray(counts.column("truncated_tokens"), dtype=np.int64)
    seen = int(np.asarray(counts.column("tokens"), dtype=np.int64).sum())
    return Truncation(len(rows), int((cut > 0).sum()), seen, int(cut.sum()))


def word_spans(text: str, starts: Sequence[int], ends: Sequence[int]) -> list[list[int]]:
    """Group components into written words; every component is in exactly one group, in reading order.

    Components belong together where no whitespace lies between them in the text. Punctuation at either end of such a
    run stands apart, one group for each component ("wakes up." gives "wakes", "up", "."), and stays inside a word
    ("don't", "3.14"). In scripts written without spaces (CJK, kana, Thai, ...) every component is a word. So is one
    that covers no text or only whitespace, such as a special token.

    Args:
        text: What the offsets index.
        starts: Code-point offset at which each component begins.
        ends: Offset after its last code point.
    """
    spans = [_strip(text, start, end) for start, end in zip(starts, ends, strict=True)]
    runs: list[list[int]] = [[0]] if spans else []
    for place, (before, after) in enumerate(pairwise(spans), start=1):
        if _joined(text, before, after):
            runs[-1].append(place)
        else:
            runs.append([place])
    return [group for run in runs for group in _set_apart(run, [text[slice(*spans[place])] for place in run])]


def _check_length(tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
    special = tokenizer.num_special_tokens_to_add()
    window = tokenizer.model_max_length
    if max_length < special + 1:
        raise UserError(
            f"data.max_length {max_length}: the tokenizer adds {special} special tokens; give {special + 1} or more"
        )
    if max_length > window:
        raise UserError(
            f"data.max_length {max_length}: the tokenizer's window is {window} tokens; give {window} or less"
        )


def _neutral(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return a copy without the traces of earlier calls, which would change the cache key, and without a window."""
    neutral = copy.deepcopy(tokenizer)
    neutral.deprecation_warnings = {}
    neutral.model_max_length = NO_WINDOW  # what is too long is counted here, not warned of
    if neutral.is_fast:
        backend = _backend(neutral)
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = tokenizer.split_special_tokens
    return neutral


def _backend(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    return cast(Tokenizer, tokenizer.backend_tokenizer)


@contextmanager
def _parallel_once(count: int | None) -> Iterator[int | None]:
    """Keep the tokenizer's own threads out of several processes: they warn of the fork, and the cores are taken."""
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
    texts: list[str], tokenizer: PreTrainedTokenizerBase, max_length: int, version: int
) -> dict[str, list[Any]]:
    del version  # only part of the cache key
    return _fast_batch(texts, tokenizer, max_length) if tokenizer.is_fast else _slow_batch(texts, tokenizer, max_length)


def _fast_batch(texts: list[str], tokenizer: PreTrainedTokenizerBase, max_length: int) -> dict[str, list[Any]]:
    backend = _backend(tokenizer)
    encodings: list[Encoding] = backend.encode_batch(texts)
    whole = [len(encoding) for encoding in encodings]
    too_long = [place for place, length in enumerate(whole) if length > max_length]
    backend.enable_truncation(max_length, direction=tokenizer.truncation_side)
    for place, encoding in zip(too_long, backend.encode_batch([texts[place] for place in too_long]), strict=True):
        encodings[place] = encoding
    backend.no_truncation()
    offsets = [encoding.offsets for encoding in encodings]
    return {
        "input_ids": [encoding.ids for encoding in encodings],
        "starts": [[start for start, _ in of_text] for of_text in offsets],
        "ends": [[end for _, end in of_text] for of_text in offsets],
        **_counts(whole, map(len, encodings)),
    }


def _slow_batch(texts: list[str], tokenizer: PreTrainedTokenizerBase, max_length: int) -> dict[str, list[Any]]:
    ids: list[list[int]] = _ids(tokenizer, texts)
    whole = [len(of_text) for of_text in ids]
    too_long = [place for place, length in enumerate(whole) if length > max_length]
    for place in too_long:
        ids[place] = _ids(tokenizer, [texts[place]], truncation=True, max_length=max_length)[0]
    nothing = [None] * len(texts)
    return {"input_ids": ids, "starts": nothing, "ends": nothing, **_counts(whole, map(len, ids))}


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str], **options: Any) -> list[list[int]]:
    encoded = tokenizer(texts, return_attention_mask=False, return_token_type_ids=False, **options)
    return cast(list[list[int]], encoded["input_ids"])


def _counts(whole: list[int], seen: Iterable[int]) -> dict[str, list[Any]]:
    tokens = list(seen)
    return {"tokens": tokens, "truncated_tokens": [all_ - left for all_, left in zip(whole, tokens, strict=True)]}


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without whitespace at its ends, which some tokenizers count as part of a token."""
    covered = text[start:end]
    return start + len(covered) - len(covered.lstrip()), start + len(covered.rstrip())


def _joined(text: str, before: tuple[int, int], after: tuple[int, int]) -> bool:
    if before[0] >= before[1] or after[0] >= after[1]:
        return False
    if any(character.isspace() for character in text[before[1] : after[0]]):
        return False
    return not (_is_unspaced(text[before[1] - 1]) or _is_unspaced(text[after[0]]))


def _is_unspaced(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in UNSPACED)


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"  # punctuation and symbols


def _set_apart(run: list[int], pieces: list[str]) -> list[list[int]]:
    """Split punctuation off both ends of a run."""
    wordlike = [place for place, piece in enumerate(pieces) if not all(map(_is_punctuation, piece))]
    if not wordlike:
        return [[place] for place in run]
    first, last = wordlike[0], wordlike[-1] + 1
    return [[place] for place in run[:first]] + [run[first:last]] + [[place] for place in run[last:]]


def _share(part: int, whole: int, what: str) -> str:
    percent = f" ({100 * part / whole:.1f} %)" if whole else ""
    return f"{part:,} of {whole:,} {what}{percent}"
