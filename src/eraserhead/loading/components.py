"""Names of the components of a document, and their offsets in its text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int
from transformers import PreTrainedTokenizerBase

from eraserhead.data.units import UNITS
from eraserhead.data.words import stripped
from eraserhead.method.names import SENTENCES

OFFSETS = ("starts", "ends")
SENTENCE_OFFSETS = ("sentence_starts", "sentence_ends")


@dataclass(frozen=True)
class Components:
    """Components of one document: their names, and the offsets in its text where they start and end, if known."""

    names: list[str]
    starts: list[int] | None
    ends: list[int] | None

    def at(self, positions: Sequence[int]) -> "Components":
        """Return some of the components."""
        starts, ends = (None if each is None else [each[at] for at in positions] for each in (self.starts, self.ends))
        return Components([self.names[at] for at in positions], starts, ends)


def components_of(document: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, components: str) -> Components:
    """Return the components of a tokenised document by position: its tokens, or the sentences that a model reads.

    The tokens of a document that is read by sentence are those of all its sentences, in order. Where they are grouped
    to words or sentences, each stands for the whole of its group.
    """
    if UNITS in document:
        places = np.arange(len(document[UNITS]))
        if not len(places):
            return Components([], [], [])
        rows = pa.table({name: [document[name]] for name in ("text", "input_ids", *OFFSETS, UNITS)})
        found = component_texts(rows, np.zeros(1, np.int64), np.array([len(places)]), places, tokenizer, components)
        assert found.starts is not None
        assert found.ends is not None
        return Components(found.names.to_pylist(), found.starts.tolist(), found.ends.tolist())
    if components == SENTENCES:
        text, starts, ends = (document[name] for name in ("text", "sentence_starts", "sentence_ends"))
        return Components([text[start:end].strip() for start, end in zip(starts, ends, strict=True)], starts, ends)
    ids, starts, ends = (_flat(document[name]) for name in ("input_ids", "starts", "ends"))
    return Components(list(map(str, tokenizer.convert_ids_to_tokens(ids or []))), starts, ends)


@dataclass(frozen=True)
class ComponentTexts:
    """Components of several documents, one document after the other.

    Attributes:
        names: Their token strings, or their words or sentences as they are written.
        starts: Offsets in the document's text where they begin; None where some document's are unknown.
        ends: Offsets behind their last characters; None likewise.
    """

    names: pa.Array
    starts: np.ndarray | None
    ends: np.ndarray | None


def component_texts(
    documents: pa.Table,
    rows: Int[np.ndarray, " rows"],
    lengths: Int[np.ndarray, " rows"],
    positions: Int[np.ndarray, " components"],
    tokenizer: PreTrainedTokenizerBase,
    components: str,
) -> ComponentTexts:
    """Return the names and offsets of components that were read.

    Args:
        documents: Tokenised documents.
        rows: Number of each row's document.
        lengths: Number of its components.
        positions: Positions of all rows' components among their documents' tokens, or sentences; of groups of tokens
            those of their first ones.
        tokenizer: The model's tokenizer.
        components: What components are.
    """
    if UNITS in documents.column_names:
        return _group_texts(documents, rows, lengths, positions, tokenizer)
    by_sentence = components == SENTENCES
    starts, ends = (_numbers(documents.column(name)) for name in (SENTENCE_OFFSETS if by_sentence else OFFSETS))
    units = starts if by_sentence else _numbers(documents.column("input_ids"))
    assert units is not None
    places = np.repeat(units.firsts[rows], lengths) + positions
    if by_sentence:
        assert starts is not None
        assert ends is not None
        texts = np.repeat(rows, lengths).tolist()
        names = _sentences(documents.column("text"), texts, starts.values[places], ends.values[places])
    else:
        names = _tokens(units.values[places], tokenizer)
    return ComponentTexts(names, *(None if each is None else each.values[places] for each in (starts, ends)))


def _group_texts(
    documents: pa.Table,
    rows: Int[np.ndarray, " rows"],
    lengths: Int[np.ndarray, " rows"],
    positions: Int[np.ndarray, " components"],
    tokenizer: PreTrainedTokenizerBase,
) -> ComponentTexts:
    """Return the texts of groups of tokens, without the white space around them.

    A group that covers nothing visible, such as [CLS], is called by its first token.
    """
    ids, starts, ends, units = (_numbers(documents.column(name)) for name in ("input_ids", *OFFSETS, UNITS))
    assert ids is not None
    assert starts is not None
    assert ends is not None
    assert units is not None
    places = np.repeat(units.firsts[rows], lengths) + positions
    first = np.diff(units.values, prepend=-1) != 0  # token of its group, or of a document, where numbers start again
    first[units.firsts[units.firsts < len(first)]] = True
    groups, beginnings = (first.cumsum() - 1)[places], first.nonzero()[0]
    if not len(places):
        return ComponentTexts(pa.array([], pa.string()), places, places)
    widest = np.minimum.reduceat(starts.values, beginnings), np.maximum.reduceat(ends.values, beginnings)
    texts, tokens = documents.column("text").to_pylist(), _tokens(ids.values[places], tokenizer).to_pylist()
    names, spans = [], []
    for row, token, *edges in zip(
        np.repeat(rows, lengths).tolist(), tokens, *(edge[groups].tolist() for edge in widest), strict=True
    ):
        start, end = stripped(texts[row], *edges)
        names.append(texts[row][start:end] or token)
        spans.append((start, end) if start < end else edges)
    return ComponentTexts(pa.array(names, pa.string()), *np.array(spans).T)


def _tokens(ids: np.ndarray, tokenizer: PreTrainedTokenizerBase) -> pa.Array:
    known, found = np.unique(ids, return_inverse=True)
    written = tokenizer.convert_ids_to_tokens(known.tolist()) if len(known) else []
    return pa.array(list(map(str, written)), pa.string()).take(pa.array(found))


@dataclass(frozen=True)
class _Numbers:
    """Numbers of several documents: all of them, and where each document's begin."""

    values: np.ndarray
    firsts: np.ndarray


def _numbers(column: pa.ChunkedArray) -> _Numbers | None:
    """Return the numbers in a column of lists, or of lists of lists; None where a document has none at all."""
    lists = column.combine_chunks()
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    if not pa.types.is_list(lists.type) or lists.null_count:
        return None
    counts = np.diff(lists.offsets)
    inner = lists.flatten()
    if pa.types.is_list(inner.type):
        of_inner = np.concatenate([[0], np.diff(inner.offsets).cumsum()])
        ends = of_inner[counts.cumsum()]
        return _Numbers(inner.flatten().to_numpy(), np.concatenate([[0], ends[:-1]]).astype(np.int64))
    return _Numbers(inner.to_numpy(), counts.cumsum() - counts)


def _sentences(texts: pa.ChunkedArray, rows: Sequence[int], starts: np.ndarray, ends: np.ndarray) -> pa.Array:
    written = texts.to_pylist()
    spans = zip(rows, starts.tolist(), ends.tolist(), strict=True)
    return pa.array([written[row][start:end].strip() for row, start, end in spans], pa.string())


def _flat(numbers: list[Any] | None) -> list[int] | None:
    if numbers and isinstance(numbers[0], list):
        return [number for sentence in numbers for number in sentence]
    return numbers
