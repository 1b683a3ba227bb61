"""What an atlas says: the answer in sentences, and the places in the order of how much they stand out."""

import math
from collections.abc import Sequence

from eraserhead.erasure.verdict import FEWEST_DOCUMENTS, VerdictKind, why_none
from eraserhead.mapping.summary import SIGNIFICANT, AtlasSetup, AtlasSummary, PlaceSummary
from eraserhead.method.statistics import Estimate
from eraserhead.showing.terminal import interval, percent

GRID = "1, 2, 4, ... and all"  # sizes of the prefixes that are looked at of a head
COLUMNS = (
    "flips along attention, %",
    "at random, %",
    "best found, %",
    "fewer minus more, points",
    "p, Holm",
    "JS of the top, nats",
    "flips without it, %",
)
NOTE = (
    "Fewer minus more: share of documents that flip with fewer removals along attention than in random orders, less "
    "the share with more; * marks places that stand out among all (p < .05 after Holm's correction). Best found: along "
    "the smallest set found on any order. JS of the top: divergence when the component of most attention is erased. "
    "Flips without it: when all attention of the place is erased. In brackets: 95 % intervals over documents. "
    "{prefixes}Weights are multipliers, so that larger ones flip decisions sooner: decisions rest on the weights of a "
    "place that stands out, which is no verdict on what its attention means."
)
PREFIXES = (
    f"Of heads, prefixes of {GRID} components are looked at, of layers every prefix: compare the flips of the two with "
    "care. "
)


def sentences(summary: AtlasSummary) -> tuple[str, str]:
    """Return the answer: how many places stand out, and which places matter most when they are erased."""
    return _standing_out(summary), _largest_effects(summary.places)


def ordered(summary: AtlasSummary) -> list[PlaceSummary]:
    """Return the places, those that stand out most first; among equals those with the largest difference."""

    def key(place: PlaceSummary) -> tuple[float, float, float]:
        corrected = 2.0 if place.corrected is None else place.corrected
        return corrected, -abs(place.advantage.value or 0.0), -(place.whole_flips.value or 0.0)

    return sorted(summary.places, key=key)


def cells(summary: AtlasSummary, place: PlaceSummary) -> tuple[str, ...]:
    """Return the cells of a place under `COLUMNS`."""
    mark = " *" if place.stands_out and why_none(summary) is None else ""
    return (
        *(percent(place.flips[name]) for name in ("attention", "random", "best_found")),
        f"{percent(place.advantage)}{mark}",
        "-" if place.corrected is None else f"{place.corrected:.3g}",
        interval(place.top_js, digits=4),
        percent(place.whole_flips),
    )


def note(setup: AtlasSetup) -> str:
    """Return what has to be known to read the table."""
    return NOTE.format(prefixes=PREFIXES if setup.heads == "each" else "")


def counted_places(setup: AtlasSetup) -> str:
    """Return how many places there are."""
    layers = f"{len(setup.layers)} layer{'s' * (len(setup.layers) > 1)}"
    heads = len(setup.places) - len(setup.layers)
    return f"{layers} and {heads} heads" if heads else layers


def documents_needed(places: int) -> int:
    """Return from how many documents on a place can stand out among so many, if all of them differ in one direction."""
    return max(FEWEST_DOCUMENTS, math.floor(math.log2(2 * places / SIGNIFICANT)) + 1)


def _standing_out(summary: AtlasSummary) -> str:
    setup, places = summary.setup, summary.places
    reason = why_none(summary)
    needed = documents_needed(len(places))
    if reason is VerdictKind.NOTHING:
        return "No document has two components or more: there is nothing to compare."
    if reason is VerdictKind.CHANCE_LEVEL:
        largest = summary.largest_class
        assert largest is not None
        return (
            f"No place is said to stand out: the model's accuracy, {interval(summary.accuracy)}, is not above what its "
            f"largest class alone gives, {largest.value:.3f}."
        )
    if reason is VerdictKind.TOO_FEW or summary.documents.analysed < needed:
        return (
            f"No place can stand out among {len(places)}: {summary.documents.analysed} documents are too few, it takes "
            f"{needed}."
        )
    sooner, later = (
        [place for place in places if place.stands_out and sign * (place.advantage.value or 0.0) > 0]
        for sign in (1, -1)
    )
    return (
        f"Of {len(places)} places ({counted_places(setup)}), {_count(sooner)} where decisions flip with fewer removals "
        f"along attention than in random orders, and {_count(later)} where they flip with more."
    )


def _count(places: Sequence[PlaceSummary]) -> str:
    return f"{len(places)} stand{'s' * (len(places) == 1)} out"


def _largest_effects(places: Sequence[PlaceSummary]) -> str:
    parts = []
    for what, own in (
        ("layer", [place for place in places if place.head is None]),
        ("head", [place for place in places if place.head is not None]),
    ):
        if own:
            most = max(own, key=lambda place: place.whole_flips.value or 0.0)
            parts.append(_effect(what, most, most.whole_flips))
    return f"Erased as a whole, {'; '.join(parts)}."


def _effect(what: str, place: PlaceSummary, flips: Estimate) -> str:
    if not flips.value:
        return f"no {what} flips any decision"
    return f"{place.name} flips {percent(flips)} % of the decisions, the most of any {what}"
