"""Packs decisions into compressed blocks of a page, which it opens when they are needed.

A block is zlib's, in base64. Inflated it has the length of a JSON text (4 bytes, little-endian), the text, and behind
it all numbers of its arrays, type by type. Of each type come first the lowest bytes of all numbers, then the second
ones, and so on, since bytes that are alike are compressed best. In the text an array is its type, where it begins among
the numbers of that type, and how many it has. ``page/decode.js`` reads all this.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eraserhead.explanation.decision_numbers import DecisionNumbers, RankingNumbers
from eraserhead.method.names import ATTENTION, RANDOM

LEVEL = 9  # of zlib, the best
NUMBERS, TEXTS = 2**18, 2**18  # approximate bytes of a block before it is compressed
SNIPPET = 100  # characters of a text in the list
FINE = 2**15 - 1  # steps from 0 to the largest score, or to a probability of 1, where numbers are rounded


@dataclass
class _Arrays:
    """Arrays of a block, by their types."""

    parts: dict[str, list[np.ndarray]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(np.dtype(kind).itemsize * count for kind, count in self.counts.items())

    def add(self, values: Any, kind: str) -> list[Any]:
        """Add an array; return its type, where it begins, and its length."""
        array = np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<")).ravel()
        place = self.counts.get(kind, 0)
        self.parts.setdefault(kind, []).append(array)
        self.counts[kind] = place + len(array)
        return [kind, place, len(array)]

    @property
    def written(self) -> bytes:
        """All numbers, type by type, with the bytes of one height together."""
        return b"".join(_planes(np.concatenate(parts)) for parts in self.parts.values())


def _planes(array: np.ndarray) -> bytes:
    return array.view(np.uint8).reshape(-1, array.itemsize).T.tobytes()


def packed(decisions: Sequence[DecisionNumbers], prefix: str) -> dict[str, str]:
    """Return decisions as blocks by name, with `prefix` in front: an index, their texts, and their numbers."""
    texts, text_of = _texts(decisions)
    blocks: dict[str, str] = {}
    numbers: list[tuple[int, int]] = []
    arrays, rows = _Arrays(), []
    for decision in decisions:
        numbers.append((_count(blocks, f"{prefix}numbers"), len(rows)))
        rows.append(_row(decision, arrays))
        if arrays.size > NUMBERS:
            blocks[f"{prefix}numbers-{numbers[-1][0]}"] = _block(rows, arrays)
            arrays, rows = _Arrays(), []
    if rows:
        blocks[f"{prefix}numbers-{numbers[-1][0]}"] = _block(rows, arrays)
    blocks |= {f"{prefix}texts-{number}": _block(own, _Arrays()) for number, own in enumerate(texts)}
    blocks[f"{prefix}index"] = _block(_index(decisions, numbers, text_of), _Arrays())
    return blocks


def _count(blocks: Mapping[str, str], prefix: str) -> int:
    return sum(name.startswith(prefix) for name in blocks)


def _block(content: Any, arrays: _Arrays) -> str:
    whole = {"content": content, "counts": arrays.counts}
    written = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    block = len(written).to_bytes(4, "little") + written + arrays.written
    return base64.b64encode(zlib.compress(block, LEVEL)).decode()


def _texts(decisions: Sequence[DecisionNumbers]) -> tuple[list[list[str]], dict[str, tuple[int, int]]]:
    """Return the texts of each block, and where that of each document is."""
    blocks: list[list[str]] = [[]]
    places: dict[str, tuple[int, int]] = {}
    size = 0
    for decision in decisions:
        if decision.id in places:
            continue
        if size > TEXTS:
            blocks.append([])
            size = 0
        places[decision.id] = len(blocks) - 1, len(blocks[-1])
        blocks[-1].append(decision.text)
        size += len(decision.text)
    return blocks, places


def _index(
    decisions: Sequence[DecisionNumbers], numbers: Sequence[tuple[int, int]], texts: Mapping[str, tuple[int, int]]
) -> dict[str, Any]:
    """Return the columns of the list of documents."""
    names = [ranking.name for ranking in decisions[0].rankings] if decisions else []
    return {
        "id": [each.id for each in decisions],
        "target": [each.target for each in decisions],
        "snippet": [" ".join(each.text[: 2 * SNIPPET].split())[:SNIPPET] for each in decisions],
        "n": [len(each.names) for each in decisions],
        "decision": [each.decision for each in decisions],
        "label": [each.label for each in decisions],
        "probability": [round(each.probabilities[each.decision], 4) for each in decisions],
        "removed": {name: [_short(each.rankings[at].removed) for each in decisions] for at, name in enumerate(names)},
        "percentile": {
            name: [_short(each.rankings[at].percentile) for each in decisions] for at, name in enumerate(names)
        },
        "block": [block for block, _ in numbers],
        "place": [place for _, place in numbers],
        "text": [texts[each.id] for each in decisions],
    }


def _short(number: float | None) -> float | None:
    return None if number is None else round(number, 2)


def _row(decision: DecisionNumbers, arrays: _Arrays) -> dict[str, Any]:
    """Return one decision; its arrays are added to those of the block."""
    n, affine = len(decision.names), decision.affine
    row: dict[str, Any] = {
        "probabilities": decision.probabilities,
        "truncated": decision.truncated,
        "percentile": _short(decision.percentile),
        "rankings": [_ranking(each, arrays, n, affine is not None) for each in decision.rankings],
        **_offsets(decision, arrays),
    }
    if affine is None:
        row["singleDecision"] = arrays.add(decision.singles.decision, _numbering(len(decision.probabilities)))
        row["singleJs"] = arrays.add(decision.singles.js, "f4")
        return row
    row["weights"] = arrays.add(affine.weights, "f8")
    row["logits"] = arrays.add(affine.logits.T, "f8")  # a class after the other: alike bytes lie together
    row["bias"] = arrays.add(affine.bias, "f8")
    if decision.limits is not None:
        row["lower"], row["upper"] = (
            arrays.add(_steps(each), "u2") for each in (decision.limits.lower, decision.limits.upper)
        )
    return row


def _offsets(decision: DecisionNumbers, arrays: _Arrays) -> dict[str, Any]:
    """Return where components lie in the text as JavaScript counts, and the names of those that cover nothing."""
    starts, ends = decision.starts, decision.ends
    if starts is None or ends is None:
        return {"names": decision.names}
    if not decision.text.isascii():
        wide = np.array([ord(character) > 0xFFFF for character in decision.text], dtype=np.int64)
        shift = np.concatenate([[0], wide.cumsum()])
        starts, ends = starts + shift[starts], ends + shift[ends]
    unseen = {int(at): decision.names[at] for at in np.flatnonzero(ends <= starts)}
    gaps = starts - np.concatenate([[0], ends[:-1]]) if len(starts) else starts
    return {"gaps": arrays.add(gaps, "i4"), "lengths": arrays.add(ends - starts, "i4"), "names": unseen}


def _ranking(ranking: RankingNumbers, arrays: _Arrays, n: int, affine: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": ranking.name,
        "order": arrays.add(ranking.order, _numbering(n)),
        "removed": [flip.removed for flip in ranking.flips],
    }
    if ranking.scores is not None and not (affine and ranking.name == ATTENTION):  # which are the weights themselves
        largest = float(np.abs(ranking.scores).max(initial=0.0))
        scaled = ranking.scores / largest if largest > 0 else np.zeros(n)
        row["scores"], row["largest"] = arrays.add(np.rint(scaled * FINE), "i2"), largest
    if ranking.curve is not None and (not affine or ranking.name == RANDOM):  # a page computes the others itself
        if len(ranking.curve.k) != n + 1:
            row["k"] = arrays.add(ranking.curve.k, "i4")
        row["curve"] = arrays.add(_steps(ranking.curve.probability), "u2")
    return row


def _numbering(count: int) -> str:
    """Return the smallest type that numbers so many classes or components from 0."""
    return "u1" if count <= 2**8 else "u2" if count <= 2**16 else "i4"


def _steps(probability: np.ndarray) -> np.ndarray:
    """Return rounded probabilities, each as what is to be added to the one before, in 16 bits that wrap around."""
    return np.diff(np.rint(np.asarray(probability, dtype=np.float64) * FINE).astype(np.uint16), prepend=np.uint16(0))
