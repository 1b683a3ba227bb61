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
PROBE = "one two"
Split = Callable[[str], Sequence[tuple[int, int]]]
# What tokens of one unit share, and neighbours of different units do not; None: a token of no unit, such as [CLS].
Key = Hashable | None


@dataclass(frozen=True)
class Units:
    """How the tokens of a text are grouped.

    Attributes:
        kind: ``words`` or ``sentences``.
        split: Returns the start and end of each sentence of a text; words need none.
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
    return len(set(words)) > 1


def word_keys(
    encodings: Sequence[Encoding], texts: Sequence[str], offsets: Sequence[list[tuple[int, int]]], backend: Tokenizer
) -> list[list[Key]]:
    """Return the word of each token: the tokenizer's own, or where it has none the run without white space.

    Special tokens are of no word. Words of the second text of a pair are others than those of the first.

    Args:
        encodings: The encoded texts, or pairs of texts.
        texts: The texts that `offsets` index.
        offsets: Where each token lies in its text.
        backend: The tokenizer.
    """
    if separates_words(backend):
        return [_own_words(encoding) for encoding in encodings]
    return [_written_words(*of_text) for of_text in zip(encodings, texts, offsets, strict=True)]


def sentence_keys(
    text: str, starts: Sequence[int], ends: Sequence[int], split: Split, second: int | None = None
) -> list[Key]:
    """Return the number of the sentence in which each token begins; tokens that cover no text are of none.

    Args:
        text: The text, or two with a newline between them.
        starts: Code-point offset at which each token begins.
        ends: Offset after its last code point.
        split: Returns the start and end of each sentence of a text.
        second: Offset at which the second of two texts begins.
    """
    last = [end for _, end in split(text if second is None else text[: second - 1])]
    if second is not None:
        last += [second + end for _, end in split(text[second:])]
    begins = (stripped(text, start, end)[0] for start, end in zip(starts, ends, strict=True))
    return [
        bisect_right(last, begin) if start < end else None
        for begin, start, end in zip(begins, starts, ends, strict=True)
    ]


def _own_words(encoding: Encoding) -> list[Key]:
    return [
        None if word is None or sequence is None else (sequence, word)
        for word, sequence in zip(encoding.word_ids, encoding.sequence_ids, strict=True)
    ]


def _written_words(encoding: Encoding, text: str, offsets: list[tuple[int, int]]) -> list[Key]:
    runs = white_space_runs(text, [start for start, _ in offsets], [end for _, end in offsets])
    run_of = {place: number for number, run in enumerate(runs) for place in run}
    return [None if special else run_of[place] for place, special in enumerate(encoding.special_tokens_mask)]
