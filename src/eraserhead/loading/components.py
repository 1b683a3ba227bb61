"""Names of the components of a document, and their offsets in its text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int
from transformers import PreTrainedTokenizerBase

from eraserhead.loading.setup import SENTENCES

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
    """Return the tokens of a tokenised document, or its sentences.

    The tokens of a document that is read by sentence are those of all its sentences, in order.
    """
    if components == SENTENCES:
        text, starts, ends = (document[name] for name in ("text", "sentence_starts", "sentence_ends"))
        return Components([text[start:end].strip() for start, end in zip(starts, ends, strict=True)], starts, ends)
    ids, starts, ends = (_flat(document[name]) for name in ("input_ids", "starts", "ends"))
    return Components(list(map(str, tokenizer.convert_ids_to_tokens(ids or []))), starts, ends)


@dataclass(frozen=True)
class ComponentTexts:
    """Components of several documents, one document after the other.

    Attributes:
        names: Their token strings, or their sentences.
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
        positions: Positions of all rows' components among their documents' tokens, or sentences.
        tokenizer: The model's tokenizer.
        components: What components are.
    """
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
        ids, found = np.unique(units.values[places], return_inverse=True)
        written = tokenizer.convert_ids_to_tokens(ids.tolist()) if len(ids) else []
        names = pa.array(list(map(str, written)), pa.string()).take(pa.array(found))
    return ComponentTexts(names, *(None if each is None else each.values[places] for each in (starts, ends)))


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
