"""Units of a text that are erased and kept as one: the words or sentences that tokens belong to (METHOD section 11)."""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed

from datasets import List, Value
from tokenizers import Encoding, Tokenizer

from eraserhead.data.words import stripped, white_space_runs
from eraserhead.method.names import SENTENCES, WORDS, Unit

UNITS = "units"  # column: the number of each token's unit, from 0 in each document
UNIT_COLUMN = {UNITS: List(Value("int32"))}
PROBE = "a b"
Offsets = Sequence[tuple[int, int]]
Split = Callable[[str], Sequence[tuple[int, int]]]
# What tokens of one unit share, and neighbours of different units do not; None: a token of no unit, such as [CLS].
Key = Hashable | None


@dataclass(frozen=True)
class Units:
    """How the tokens of a text are grouped.

    Attributes:
        kind: ``words`` or ``sentences``.
        split: Returns the start and end of each sentence of a text; None for words, and for texts that are one sentence
            each.
    """

    kind: Unit
    split: Split | None = None

    @property
    def by_word(self) -> bool:
        """Whether the units are words."""
        return self.kind == WORDS

    @property
    def version(self) -> str:
        """What else decides where sentences end; part of the cache key."""
        return installed("sentencex") if self.kind == SENTENCES else ""


def numbered(keys: Sequence[Key]) -> list[int]:
    """Number runs of equal keys from 0; a token of no unit is a run of its own."""
    numbers, number, before = [], -1, None
    for key in keys:
        number += key is None or key != before
        numbers.append(number)
        before = key
    return numbers


def separates_words(backend: Tokenizer) -> bool:
    """Tell whether a tokenizer knows words: those of SentencePiece models without a splitter are the whole text."""
    words = backend.encode(PROBE, add_special_tokens=False).word_ids
    return len({word for word in words if word is not None}) > 1  # None: padding, where it is switched on


def unit_keys(
    units: Units,
    encodings: Sequence[Encoding],
    texts: Sequence[str],
    seconds: Sequence[int | None],
    offsets: Sequence[Offsets],
    backend: Tokenizer,
) -> list[list[Key]]:
    """Return the unit of each token; special tokens are of none.

    Words are the tokenizer's own, or, where it has none, runs without white space. A token is of the sentence in which
    it begins. The two texts of a pair share no unit.

    Args:
        units: The kind of unit.
        encodings: The encoded texts, or pairs of texts.
        texts: The texts that `offsets` index; of a pair both, with a newline between them.
        seconds: Where the second text of each pair begins; None where there is one text.
        offsets: Where each token lies in its text.
        backend: The tokenizer.
    """
    if units.by_word and separates_words(backend):
        found = map(_own_words, encodings)
    elif units.by_word:
        found = map(_written_words, texts, offsets)
    else:
        found = (sentence_keys(*each, units.split) for each in zip(texts, seconds, offsets, strict=True))
    return [
        [None if special else key for key, special in zip(keys, encoding.special_tokens_mask, strict=True)]
        for keys, encoding in zip(found, encodings, strict=True)
    ]


def sentence_keys(text: str, second: int | None, offsets: Offsets, split: Split | None) -> list[Key]:
    """Return the number of the sentence in which each token begins, or its first letter where it begins with a space.

    Without `split` the text is one sentence.
    """
    if split is None:
        return [0] * len(offsets)
    ends = [end for _, end in split(text if second is None else text[: second - 1])]
    if second is not None:
        ends += [second + end for _, end in split(text[second:])]
    return [bisect_right(ends, stripped(text, start, end)[0]) for start, end in offsets]


def _own_words(encoding: Encoding) -> list[Key]:
    return [
        None if word is None else (sequence, word)
        for word, sequence in zip(encoding.word_ids, encoding.sequence_ids, strict=True)
    ]


def _written_words(text: str, offsets: Offsets) -> list[Key]:
    runs = white_space_runs(text, [start for start, _ in offsets], [end for _, end in offsets])
    return [number for number, run in enumerate(runs) for _ in run]
