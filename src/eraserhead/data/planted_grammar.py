"""The grammar of the built-in corpus, read from ``planted_grammar.yaml``, which says how it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from itertools import cycle
from typing import Any

import yaml

Frames = dict[int, tuple[str, ...]]
Choices = Mapping[str, Sequence[str]]  # slot -> what can fill it


@dataclass(frozen=True)
class Aspects:
    """Things about an item that the same adjectives fit."""

    singular: tuple[str, ...]
    plural: tuple[str, ...]
    good: tuple[str, ...]
    great: tuple[str, ...]
    bad: tuple[str, ...]
    awful: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Domain:
    """One kind of thing that is reviewed; compared by identity, and so hashable."""

    items: tuple[str, ...]
    preposition: str
    others: tuple[str, ...]
    again: str
    aspects: tuple[Aspects, ...]
    settings: tuple[str, ...]
    experiences: Frames


def _read() -> dict[str, Any]:
    """Read the grammar; lists become tuples."""
    text = files("eraserhead.data").joinpath("planted_grammar.yaml").read_text(encoding="utf-8")
    return _frozen(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def _frozen(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _frozen(value) for key, value in content.items()}
    return tuple(map(_frozen, content)) if isinstance(content, list) else content


def _domain(content: dict[str, Any]) -> Domain:
    aspects = tuple(Aspects(**group) for group in content["aspects"])
    return Domain(**{**{field.name: content[field.name] for field in fields(Domain)}, "aspects": aspects})


_GRAMMAR = _read()
PEOPLE: tuple[str, ...] = _GRAMMAR["people"]
OPENERS: tuple[str, ...] = _GRAMMAR["openers"]
WORDS: dict[str, tuple[str, ...]] = _GRAMMAR["words"]
PLAIN_FRAMES: Frames = _GRAMMAR["plain_frames"]
TURNED_FRAMES: Frames = _GRAMMAR["turned_frames"]
VERDICTS: Frames = _GRAMMAR["verdicts"]
DOMAINS = tuple(map(_domain, _GRAMMAR["domains"].values()))

COMMON_CHOICES: Choices = {
    "n": [str(number) for number in range(3, 10)],
    "nn": [str(number) for number in range(11, 59)],
    "day": _GRAMMAR["days"],
    "month": _GRAMMAR["months"],
    "time": [f"{hour}:{minute}" for hour in range(5, 11) for minute in ("05", "15", "20", "30", "40", "55")],
}
WORD_OWNERS = ("train", "test", "train", "train", "validation", "train", "test")  # owners of a list's words, in turn


@cache
def own_words(split: str) -> dict[str, list[str]]:
    """Return the part of `WORDS` that the split may use; the splits share none of it."""
    return {
        slot: [word for word, owner in zip(words, cycle(WORD_OWNERS), strict=False) if owner == split]
        for slot, words in WORDS.items()
    }


@cache
def aspect_choices(domain: Domain, split: str) -> tuple[Choices, ...]:
    """Return, for every aspect of a domain, the choices for the slots of clauses about it."""
    return tuple(
        _choices(aspect, group, split) for group in domain.aspects for aspect in (*group.singular, *group.plural)
    )


def _choices(aspect: str, group: Aspects, split: str) -> Choices:
    was, it, them = ("were", "they", "them") if aspect in group.plural else ("was", "it", "it")
    fitting = {"good": group.good, "great": group.great, "bad": group.bad, "awful": group.awful}
    words = {slot: [*fitting.get(slot, ()), *own] for slot, own in own_words(split).items()}
    return {"A": [aspect], "was": [was], "it": [it], "them": [them], **words}
