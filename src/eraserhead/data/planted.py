"""The built-in corpus: generated reviews whose evidence is known to the character.

A review's label follows from the grades of its evidence alone (`graded_label`), without noise. Neutral sentences
share their words with the evidence; in about a tenth of the evidence, negation, comparison or the speaker reverses the
sign of the words. Every clause belongs to one split for good, and so does every opinion word that fits any subject: no
clause of the test split was seen in training, whatever the seeds.
"""

import math
import re
import zlib
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from random import Random

from eraserhead.data import planted_grammar as grammar
from eraserhead.data.planted_grammar import Choices
from eraserhead.errors import UserError, nearest

LABEL_NAMES = {
    2: ("negative", "positive"),
    3: ("negative", "mixed", "positive"),
    4: ("terrible", "bad", "good", "excellent"),
    5: ("terrible", "bad", "mixed", "good", "excellent"),
}
BORDERS = {2: (0.0,), 3: (-0.5, 0.5), 4: (-1.25, 0.0, 1.25), 5: (-1.25, -0.5, 0.5, 1.25)}  # on the mean grade
GRADES: tuple[int, ...] = (-2, -1, 1, 2)
GRADE_SPREAD = 1.6  # how far grades stray from the middle of their class: evidence against the label comes from here

DEFAULT_SIZES = {"train": 2000, "validation": 300, "test": 500}
SPLIT_PERCENTILES = {"train": range(60), "validation": range(60, 75), "test": range(75, 100)}

MEDIAN_SENTENCES = 7.0
SENTENCES_SIGMA = 0.8  # standard deviation of the logarithm
MOST_SENTENCES = 40
EVIDENCE_SHARE = (0.3, 0.8)
EVIDENCE_KINDS = (0.83, 0.1, 0.07)  # shares of plain frames, turned frames and experiences
NEUTRAL_KINDS = (0.5, 0.15, 0.35)
SLOT = re.compile(r"\{(\w+)\}")
TRIES = 8  # fillings of one frame before the next frame is taken

SAME_SIGN = (("", ", and "), ("", "; "))
OPPOSITE_SIGN = (("", ", but "), ("although ", ", "), ("", "; still, "))


@dataclass(frozen=True)
class Evidence:
    """A sentence or clause that speaks for or against what is reviewed.

    Attributes:
        start: Code-point offset of its first character in the text.
        end: Offset after its last character, the full stop not included.
        grade: -2 (strongly negative), -1, 1 or 2 (strongly positive).
    """

    start: int
    end: int
    grade: int


@dataclass(frozen=True)
class Review:
    """One generated document; its evidence is in reading order, disjoint and never empty."""

    id: str
    text: str
    label: int
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class _Piece:
    """A stretch of text; grade 0 is no evidence."""

    text: str
    grade: int = 0


def label_names(classes: int) -> tuple[str, ...]:
    """Return the names of the labels, worst first; `UserError` outside 2 to 5 classes."""
    if classes not in LABEL_NAMES:
        raise UserError(f"planted corpus: {classes} classes; it has 2 to 5")
    return LABEL_NAMES[classes]


def graded_label(grades: Sequence[int], classes: int) -> int | None:
    """Return the label that evidence of these grades gives: how many of the class borders lie below their mean.

    None where there is no evidence, or where the mean lies exactly on a border. No review is such a case, but it can
    become one when some of its evidence is taken away.
    """
    if not grades:
        return None
    mean = sum(grades) / len(grades)
    return None if mean in BORDERS[classes] else bisect(BORDERS[classes], mean)


def planted_reviews(split: str, classes: int = 2, size: int | None = None, seed: int = 0) -> list[Review]:
    """Return the first `size` reviews of a split (default: 2,000 train, 300 validation, 500 test).

    A review depends on (split, classes, seed) and its position alone, so a shorter list is a prefix of a longer one.
    The labels are balanced in every prefix, to within one review. No clause of one split occurs in another.
    """
    label_names(classes)
    if split not in DEFAULT_SIZES:
        raise UserError(f"planted corpus: unknown split '{split}'{nearest(split, DEFAULT_SIZES)}; it has {_splits()}")
    if size is not None and size < 0:
        raise UserError(f"planted corpus: a size of {size}; it must be 0 or more")
    size = DEFAULT_SIZES[split] if size is None else size
    return [_review(split, classes, seed, position) for position in range(size)]


def _splits() -> str:
    return ", ".join(DEFAULT_SIZES)


def _review(split: str, classes: int, seed: int, position: int) -> Review:
    corpus = f"{split}/{classes}/{seed}"
    label = _balanced_label(corpus, classes, position)
    rng = Random(f"{corpus}/{position}")
    sentences = _sentence_count(rng)
    grades = _draw_grades(rng, label, classes, evidence=max(1, round(sentences * rng.uniform(*EVIDENCE_SHARE))))
    author = _Author(rng, split, grades)
    text, evidence = _assemble(author.compose(grades, neutral=max(0, sentences - len(grades))))
    return Review(id=f"{split}/{position}", text=text, label=label, evidence=evidence)


def _balanced_label(corpus: str, classes: int, position: int) -> int:
    """Return one entry of a shuffled block that holds each label once."""
    block, place = divmod(position, classes)
    return Random(f"{corpus}/labels/{block}").sample(range(classes), classes)[place]


def _sentence_count(rng: Random) -> int:
    drawn = rng.lognormvariate(math.log(MEDIAN_SENTENCES), SENTENCES_SIGMA)
    return min(MOST_SENTENCES, max(1, round(drawn)))


def _draw_grades(rng: Random, label: int, classes: int, evidence: int) -> list[int]:
    """Draw grades around the middle of the class until they give the label.

    After every 50 failed draws one more piece of evidence is drawn, since a single piece is never mixed.
    """
    edges = (GRADES[0], *BORDERS[classes], GRADES[-1])
    middle = (edges[label] + edges[label + 1]) / 2
    weights = [math.exp(-(((grade - middle) / GRADE_SPREAD) ** 2)) for grade in GRADES]
    draws = (rng.choices(GRADES, weights, k=evidence + vain // 50) for vain in count())
    return next(grades for grades in draws if graded_label(grades, classes) == label)


class _Author:
    """Writes one review: holds the item, the company and the opinions that must agree from sentence to sentence."""

    def __init__(self, rng: Random, split: str, grades: Sequence[int]) -> None:
        self.rng = rng
        self.split = split
        self.domain = rng.choice(grammar.DOMAINS)
        self.choices = {**grammar.COMMON_CHOICES, **_review_choices(rng, self.domain)}
        self.aspects = _aspects_by_sign(rng, grammar.aspect_choices(self.domain, split), grades)
        self.decks: dict[tuple[str, ...], Iterator[str]] = {}
        self.written: set[str] = set()

    def compose(self, grades: Sequence[int], neutral: int) -> list[list[_Piece]]:
        """Return the sentences: mostly the occasion first, then everything shuffled, then perhaps a verdict."""
        verdict = self._verdict_grade(grades)
        body = list(grades)
        if verdict:
            body.remove(verdict)
        occasions = int(neutral > 0 and self.rng.random() < 0.75)
        body += [0] * (neutral - occasions)
        self.rng.shuffle(body)
        clauses = [self._occasion()] if occasions else []
        clauses += [self._clause(grade) for grade in body]
        clauses += [self._verdict(verdict)] if verdict else []
        return _sentences(self.rng, clauses)

    def _verdict_grade(self, grades: Sequence[int]) -> int:
        """Return the grade to be written as a closing verdict, of the same sign as their sum; 0 for no verdict."""
        candidates = [grade for grade in grades if grade * sum(grades) > 0]
        return self.rng.choice(candidates) if candidates and self.rng.random() < 0.3 else 0

    def _occasion(self) -> _Piece:
        return self._write(self.domain.settings, self.choices, 0)

    def _verdict(self, grade: int) -> _Piece:
        return self._write(grammar.VERDICTS[grade], self.choices, grade)

    def _clause(self, grade: int) -> _Piece:
        kinds = (grammar.PLAIN_FRAMES, grammar.TURNED_FRAMES, self.domain.experiences)
        frames = self.rng.choices(kinds, EVIDENCE_KINDS if grade else NEUTRAL_KINDS)[0]
        aspect = next(self.aspects[_sign(grade)])
        return self._write(frames[grade], {**self.choices, **aspect}, grade)

    def _write(self, frames: tuple[str, ...], choices: Choices, grade: int) -> _Piece:
        """Return a clause of this split that the review does not hold yet, from the next frame that has one."""
        for frame in self._deck(frames):
            for _ in range(TRIES):
                text = _fill(self.rng, frame, choices)
                if _belongs(text, self.split) and text not in self.written:
                    self.written.add(text)
                    return _Piece(text, grade)
        raise AssertionError("a deck never ends")

    def _deck(self, frames: tuple[str, ...]) -> Iterator[str]:
        """Return the frames in an order of this review's own, again and again; a frame recurs after all others."""
        if frames not in self.decks:
            self.decks[frames] = cycle(self.rng.sample(frames, len(frames)))
        return self.decks[frames]


def _review_choices(rng: Random, domain: grammar.Domain) -> Choices:
    """Return what stays the same through one review: the item, its rival and three people."""
    other = rng.choice(domain.others)
    return {
        "item": [rng.choice(domain.items)],
        "other": [other],
        "there": [f"{domain.preposition} {other}"],
        "again": [domain.again],
        "who": rng.sample(grammar.PEOPLE, 3),
    }


def _aspects_by_sign(rng: Random, aspects: Sequence[Choices], grades: Sequence[int]) -> dict[int, Iterator[Choices]]:
    """Deal the aspects out, so that a review never praises and blames the same one; neutral clauses take any."""
    order = rng.sample(aspects, len(aspects))
    praised = round(len(order) * sum(grade > 0 for grade in grades) / len(grades))
    praised = min(len(order) - 1, max(1, praised))
    return {1: cycle(order[:praised]), -1: cycle(order[praised:]), 0: cycle(order[::-1])}


def _sign(grade: int) -> int:
    return (grade > 0) - (grade < 0)


def _fill(rng: Random, frame: str, choices: Choices) -> str:
    return SLOT.sub(lambda slot: rng.choice(choices[slot[1]]), frame)


def _belongs(clause: str, split: str) -> bool:
    """Tell whether a clause is the split's own, by a hash that no process, platform or seed changes."""
    return zlib.crc32(clause.encode()) % 100 in SPLIT_PERCENTILES[split]


def _sentences(rng: Random, clauses: Sequence[_Piece]) -> list[list[_Piece]]:
    """Make sentences of the clauses, now and then one of two neighbours."""
    sentences, rest = [], list(clauses)
    while rest:
        first = rest.pop(0)
        if rest and _joinable(first) and _joinable(rest[0]) and rng.random() < 0.5:
            sentences.append(_joined(rng, first, rest.pop(0)))
        else:
            sentences.append(_alone(rng, first))
    return sentences


def _joinable(clause: _Piece) -> bool:
    return clause.grade != 0 and not re.search("[,;:]", clause.text)


def _joined(rng: Random, first: _Piece, second: _Piece) -> list[_Piece]:
    ways = SAME_SIGN if first.grade * second.grade > 0 else OPPOSITE_SIGN
    before, between = rng.choice(ways)
    return [_Piece(before), first, _Piece(between), second, _Piece(".")]


def _alone(rng: Random, clause: _Piece) -> list[_Piece]:
    chance = rng.random()
    if clause.grade == 0 and chance < 0.06:
        return [_Piece("("), clause, _Piece(".)")]
    opener = f"{rng.choice(grammar.OPENERS)} " if clause.grade != 0 and chance > 0.85 else ""
    stop = "!" if abs(clause.grade) == 2 and chance < 0.15 else "."
    return [_Piece(opener), clause, _Piece(stop)]


def _assemble(sentences: Sequence[Sequence[_Piece]]) -> tuple[str, tuple[Evidence, ...]]:
    """Return the text and where in it the evidence lies."""
    text, evidence = "", []
    for sentence in sentences:
        text += " " if text else ""
        for piece in _capitalized(sentence):
            if piece.grade:
                evidence.append(Evidence(len(text), len(text) + len(piece.text), piece.grade))
            text += piece.text
    return text, tuple(evidence)


def _capitalized(sentence: Sequence[_Piece]) -> list[_Piece]:
    """Return the pieces with the sentence's first letter in upper case."""
    pieces = list(sentence)
    first = next(index for index, piece in enumerate(pieces) if re.search(r"\w", piece.text))
    raised = re.sub(r"\w", lambda letter: letter[0].upper(), pieces[first].text, count=1)
    pieces[first] = _Piece(raised, pieces[first].grade)
    return pieces
