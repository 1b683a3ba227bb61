"""What an atlas says: the answer in sentences, and the places in the order of how much they stand out."""

import math
from collections.abc import Sequence

from eraserhead.erasure.verdict import FEWEST_DOCUMENTS, VerdictKind, why_none
from eraserhead.mapping.summary import AtlasSetup, AtlasSummary, PlaceSummary
from eraserhead.method.names import ATTENTION, BEST_FOUND, RANDOM
from eraserhead.method.statistics import Estimate
from eraserhead.showing.terminal import NONE, interval, percent

SIGNIFICANT = 0.05
GRID = "1, 2, 4, ... and all"  # sizes of the prefixes that are looked at of a head
FEW_COLUMNS = (
    "flips along attention, %",
    "at random, %",
    "fewer minus more, points",
    "p, Holm",
    "flips without it, %",
)
COLUMNS = (*FEW_COLUMNS, "flips along best found, %", "JS of the top, nats")
NOTE = (
    "Fewer minus more: share of documents that flip with fewer removals along attention than in random orders, less "
    "the share with more; * marks places that stand out among all (p < .05 after Holm's correction). Flips without it: "
    "when all attention of the place is erased. {columns}In brackets: 95 % intervals over documents. {prefixes}"
    "Weights are multipliers, so that larger ones flip decisions sooner: decisions rest on the weights of a place that "
    "stands out, which is no verdict on what its attention means."
)
FURTHER = (
    "Best found: along the smallest set found on any order. JS of the top: divergence when the component of most "
    "attention is erased. "
)
PREFIXES = (
    f"Of heads, prefixes of {GRID} components are looked at, of layers every prefix: compare the flips of the two with "
    "care. "
)


def sentences(summary: AtlasSummary) -> tuple[str, ...]:
    """Return the answer: how many places stand out, and which places matter most when they are erased."""
    return tuple(filter(None, (_standing_out(summary), _largest_effects(summary.places))))


def standing_out(summary: AtlasSummary) -> list[PlaceSummary]:
    """Return the places at which attention differs from random orders, among all; none where nothing may be said."""
    if why_none(summary) is not None:
        return []
    return [place for place in summary.places if place.corrected is not None and place.corrected < SIGNIFICANT]


def ordered(summary: AtlasSummary) -> list[PlaceSummary]:
    """Return the places, those that stand out most first; among equals those with the largest difference."""

    def key(place: PlaceSummary) -> tuple[float, float, float]:
        corrected = 2.0 if place.corrected is None else place.corrected
        return corrected, -abs(place.advantage.value or 0.0), -(place.whole_flips.value or 0.0)

    return sorted(summary.places, key=key)


def cells(summary: AtlasSummary, place: PlaceSummary) -> tuple[str, ...]:
    """Return the cells of a place under `COLUMNS`; those under `FEW_COLUMNS` come first."""
    mark = " *" if place in standing_out(summary) else ""
    return (
        percent(place.flips[ATTENTION]),
        percent(place.flips[RANDOM]),
        f"{percent(place.advantage)}{mark}",
        NONE if place.corrected is None else f"{place.corrected:.2g}",
        percent(place.whole_flips),
        percent(place.flips[BEST_FOUND]),
        interval(place.top_js),
    )


def note(setup: AtlasSetup, all_columns: bool) -> str:
    """Return what has to be known to read the table."""
    return NOTE.format(prefixes=PREFIXES if setup.heads == "each" else "", columns=FURTHER if all_columns else "")


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
    out = [place.advantage.value or 0.0 for place in standing_out(summary)]
    sooner, later = sum(each > 0 for each in out), sum(each < 0 for each in out)
    return (
        "Decisions flip with fewer removals along attention than in random orders at "
        f"{sooner or 'none'} of {len(places)} places ({counted_places(setup)}), and with more at {later or 'none'}."
    )


def _largest_effects(places: Sequence[PlaceSummary]) -> str | None:
    """Return where erasing all attention flips most decisions; None where nothing was analysed."""
    if not any(place.whole_flips.count for place in places):
        return None
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
