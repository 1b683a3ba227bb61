"""Written words from the offsets of word pieces, in any script."""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise

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


def white_space_runs(text: str, starts: Sequence[int], ends: Sequence[int]) -> list[list[int]]:
    """Group tokens between which no white space lies in the text; every token is in exactly one group, in order.

    Tokens that share a character belong together. Otherwise, in scripts written without spaces (CJK, kana, Thai, ...)
    every token stands alone. So does one that covers no text or white space alone, such as a special token.

    Args:
        text: What the offsets index.
        starts: Code-point offset at which each token begins.
        ends: Offset after its last code point.
    """
    spans = [stripped(text, start, end) for start, end in zip(starts, ends, strict=True)]
    runs: list[list[int]] = [[0]] if spans else []
    for place, (before, after) in enumerate(pairwise(spans), start=1):
        if _joined(text, before, after):
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def word_spans(text: str, starts: Sequence[int], ends: Sequence[int]) -> list[list[int]]:
    """Group tokens into written words: `white_space_runs`, from which punctuation at either end is set apart.

    "wakes up." gives "wakes", "up", "."; punctuation stays inside a word ("don't", "3.14").
    """
    written = [text[slice(*stripped(text, start, end))] for start, end in zip(starts, ends, strict=True)]
    runs = white_space_runs(text, starts, ends)
    return [group for run in runs for group in _set_apart(run, [written[place] for place in run])]


def stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without white space at its ends, which some tokenizers count as part of a token.

    Of white space alone an empty span is left, at its start.
    """
    covered = text[start:end]
    first = start + len(covered) - len(covered.lstrip())
    return (first, start + len(covered.rstrip())) if covered.strip() else (start, start)


def _joined(text: str, before: tuple[int, int], after: tuple[int, int]) -> bool:
    if before[0] >= before[1] or after[0] >= after[1]:
        return False
    if after[0] < before[1]:  # parts of one character, or of characters that a byte-level token spans
        return True
    if any(character.isspace() for character in text[before[1] : after[0]]):
        return False
    return not (_is_unspaced(text[before[1] - 1]) or _is_unspaced(text[after[0]]))


def _is_unspaced(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in UNSPACED)


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"  # punctuation and symbols


def _set_apart(run: list[int], texts: list[str]) -> list[list[int]]:
    """Split punctuation off both ends of a run."""
    wordlike = [place for place, text in enumerate(texts) if not all(map(_is_punctuation, text))]
    if not wordlike:
        return [[place] for place in run]
    first, last = wordlike[0], wordlike[-1] + 1
    return [[place] for place in run[:first]] + [run[first:last]] + [[place] for place in run[last:]]
