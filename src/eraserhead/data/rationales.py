"""Rationales: the parts of a text that people marked as the evidence for its class (METHOD section 15)."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from datasets import Dataset, List, Value

from eraserhead.errors import Setting, UserError, listed, nearest

RATIONALES = "rationales"  # column of documents
SPANS = List(List({"start": Value("int32"), "end": Value("int32")}))  # of each annotator, the spans
WORD = re.compile(r"\S+")
SHOWN = 60  # characters of a value in a message
FORMS = (
    "; give the spans of each document, [[start, end], ...] or [{'start': start, 'end': end}, ...] in characters, "
    "or one 0 or 1 for each word, or a list of these with one entry for each annotator"
)

Span = dict[str, int]
Annotators = list[list[Span]]


def with_rationales(documents: Dataset, values: Sequence[Any], setting: Setting) -> Dataset:
    """Add a column of rationales: for each document the spans of each of its annotators, null where there are none.

    Args:
        documents: Columns ``id`` and ``text``, which the spans index.
        values: What the data has of each document: spans, marks of its words, or either of several annotators; also as
            JSON.
        setting: The setting that names the column, for errors.

    Raises:
        UserError: A value is none of these, or a span lies outside its text.
    """
    ids, texts = list(documents["id"]), list(documents["text"])
    parsed = [_parsed(value) for value in values]
    marks = _are_marks(parsed, texts)
    read, wrong = [], []
    for name, text, value in zip(ids, texts, parsed, strict=True):
        try:
            read.append(None if value is None else [_spans(own, text, marks) for own in _by_annotator(value, marks)])
        except _UnreadableError as error:
            wrong.append(f"{name} {error}")
    if wrong:
        more = f" ({len(wrong)} of {len(ids)} documents)" if len(wrong) > 1 else ""
        raise UserError(setting, f": document {wrong[0]}{more}", FORMS)
    if all(own is None for own in read):
        raise UserError(setting, f": none of the {len(ids)} documents has a rationale; name a column that has")
    column: Any = read
    return documents.add_column(RATIONALES, column, feature=SPANS)  # pyright: ignore[reportCallIssue] - its stub is older


def check_rationale_column(column: str, known: Sequence[str]) -> None:
    """Refuse a column that the data does not have.

    Raises:
        UserError: There is no such column.
    """
    if column not in known:
        hint = nearest(column, known)
        raise UserError(Setting("data.rationale_column", column), f": no such column{hint}; there are: {listed(known)}")


class _UnreadableError(ValueError):
    """A value is no rationale; the message says what it is."""


def _parsed(value: Any) -> Any:
    """Return lists for whatever holds them; null for nothing."""
    if isinstance(value, str) and not value.strip():
        return None
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and math.isnan(value):
        return None  # as pandas writes what is missing
    if isinstance(value, Mapping):
        starts, ends = value.get("start"), value.get("end")
        if isinstance(starts, list) and isinstance(ends, list) and len(starts) == len(ends):
            return [list(span) for span in zip(starts, ends, strict=True)]  # as data sets write objects
    if isinstance(value, (list, tuple)):
        return [_parsed(each) if isinstance(each, (list, tuple, np.ndarray)) else each for each in value]
    return value


def _are_marks(values: Sequence[Any], texts: Sequence[str]) -> bool:
    """Tell whether the values mark words; otherwise they are spans.

    They are read alike in all documents. Lists of pairs of 0 and 1 can be either, and mark words where every text has
    two words.
    """
    pairs = [(list(_innermost(value)), text) for value, text in zip(values, texts, strict=True) if value is not None]
    numbers = [numbers for found, _ in pairs for numbers in found]
    if (
        not numbers
        or any(not isinstance(each, list) for each in numbers)
        or any(each not in (0, 1) for own in numbers for each in own)
    ):
        return False
    if any(len(own) != 2 for own in numbers):
        return True
    return all(len(WORD.findall(text)) == 2 for found, text in pairs if found)


def _innermost(value: Any) -> Iterable[Any]:
    """Yield the lists of numbers that a value holds, at any depth, and whatever else stands in place of one."""
    if isinstance(value, list) and value and all(isinstance(each, (list, Mapping)) for each in value):
        for each in value:
            yield from _innermost(each)
    elif not isinstance(value, list) or value:
        yield value


def _by_annotator(value: Any, marks: bool) -> list[Any]:
    """Return a list with what each annotator marked."""
    if not isinstance(value, list):
        raise _UnreadableError(f"has {_shown(value)}")
    if not marks and value and all(each == [] for each in value):
        return value  # none of several annotators marked anything
    depth = _depth(value)
    of_one = 1 if marks else 2
    if depth > of_one + 1:
        raise _UnreadableError(f"has lists within lists, {depth} deep")
    return value if depth == of_one + 1 else [value]


def _depth(value: Any) -> int:
    """Return how deep lists lie in each other; an object with a start and an end counts as a pair."""
    if isinstance(value, Mapping):
        return 1
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _spans(own: Any, text: str, marks: bool) -> list[Span]:
    """Return the spans of one annotator."""
    if marks:
        words = list(WORD.finditer(text))
        if len(own) != len(words):
            raise _UnreadableError(f"has {len(own)} marks for {len(words)} words (runs without white space)")
        return [_span(*word.span()) for word, mark in zip(words, own, strict=True) if mark]
    return [_checked(each, text) for each in own]


def _checked(span: Any, text: str) -> Span:
    pair: Any = (span.get("start"), span.get("end")) if isinstance(span, Mapping) else span
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(_is_whole(edge) for edge in pair):
        raise _UnreadableError(f"has {_shown(span)} in place of a span")
    start, end = int(pair[0]), int(pair[1])
    if not 0 <= start < end <= len(text):
        raise _UnreadableError(f"has the span {start} to {end} in a text of {len(text)} characters")
    return _span(start, end)


def _shown(value: Any) -> str:
    written = repr(value)
    return written if len(written) <= SHOWN else f"{written[:SHOWN]}..."


def _is_whole(edge: Any) -> bool:
    return isinstance(edge, Real) and not isinstance(edge, bool) and float(edge).is_integer()


def _span(start: int, end: int) -> Span:
    return {"start": start, "end": end}
