"""The paper's findings, held against a study's numbers: which hold, which do not, which are undecided.

A finding is a claim about every cell, or about pairs of models on the same documents. For each the numbers decide by
their 95 % intervals, and only where enough documents have a say.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from eraserhead.method.names import MINIMUM, RANDOM
from eraserhead.method.statistics import Estimate, bootstrap_means, compare
from eraserhead.models.architecture import CONTEXTS
from eraserhead.study.cell_tables import Fractions, common_rows, read_fractions, read_points
from eraserhead.study.cells import FAMILIES, CellResults, Place
from eraserhead.study.comparisons import Evidence, Finding, bound

COMPARED_RANKINGS = ("gradient", "product")  # with attention, in flat and in hierarchical models
LATER = "context-later"
PAIRS = "pairs of models"
LARGE_SHARE, SMALL_SHARE = 0.5, 0.1  # of a document's components


def findings(cells: Sequence[CellResults], seed: int) -> list[Finding]:
    """Return every finding with its evidence; documents are compared in pairs where two models are."""
    paired = [comparison for dataset in _by_dataset(cells) for comparison in _between_models(dataset, seed)]
    return [*_findings_within(cells, seed), *_findings_between(paired)]


@dataclass(frozen=True)
class _Claim:
    """A claim about each cell for itself."""

    key: str
    claim: str
    measure: str
    evidence: Callable[[CellResults, int], Evidence | None]
    of_paper: bool = True


def _findings_within(cells: Sequence[CellResults], seed: int) -> Iterator[Finding]:
    for claim in WITHIN_CELLS:
        evidence = [claim.evidence(cell, seed) for cell in cells]
        yield Finding(
            claim.key, claim.claim, claim.measure, tuple(found for found in evidence if found), claim.of_paper
        )


def _fewer(first: str, second: str) -> Callable[[CellResults, int], Evidence | None]:
    """The share of documents on which `first` needs strictly fewer removals, against that of the reverse."""

    def evidence(cell: CellResults, seed: int) -> Evidence | None:
        path = ("pairs", first, second)
        return _shares(cell, cell.estimate(*path, "fewer"), cell.estimate(*path, "more"))

    return evidence


def _top_flips(cell: CellResults, seed: int) -> Evidence | None:
    path = ("tests", "attention", "exact")
    return _shares(cell, cell.estimate(*path, "top_alone_flips"), cell.estimate(*path, "other_alone_flips"))


def _top_moves(cell: CellResults, seed: int) -> Evidence | None:
    expected = cell.estimate("tests", "attention", "expected_delta_js")
    return Evidence(cell.cell.name, expected, bound(0.0), expected.count) if expected else None


def _negative_is_close(cell: CellResults, seed: int) -> Evidence | None:
    """Compare the weights' difference where dJS < 0 with that on all other documents."""
    points = read_points(cell)
    negative = points.negative
    if not negative.any() or negative.all():
        return None
    columns = [np.where(chosen, points.delta_attention, np.nan) for chosen in (~negative, negative)]
    elsewhere, where_negative = bootstrap_means(np.stack(columns, axis=1), seed)
    return Evidence(cell.cell.name, elsewhere, where_negative, min(elsewhere.count, where_negative.count))


def _large_share(cell: CellResults, seed: int) -> Evidence | None:
    median = cell.estimate("rankings", "attention", "fraction", "median")
    return Evidence(cell.cell.name, median, bound(LARGE_SHARE), median.count) if median else None


def _few_suffice(cell: CellResults, seed: int) -> Evidence | None:
    median = cell.estimate("rankings", MINIMUM, "fraction", "median")
    return Evidence(cell.cell.name, bound(SMALL_SHARE), median, median.count) if median else None


WITHIN_CELLS = (
    _Claim(
        "attention-random",
        "attention needs fewer removals than random",
        "documents on which attention needs strictly fewer removals, against those on which random does",
        _fewer("attention", RANDOM),
    ),
    _Claim(
        "gradient-attention",
        "gradient needs fewer removals than attention",
        "documents on which gradient needs strictly fewer removals, against those on which attention does",
        _fewer("gradient", "attention"),
    ),
    _Claim(
        "product-attention",
        "product needs fewer removals than attention",
        "documents on which product needs strictly fewer removals, against those on which attention does",
        _fewer("product", "attention"),
    ),
    _Claim(
        "top-moves",
        "erasing the component of the highest attention moves the distribution further than erasing another",
        "mean over documents of E[dJS], in nats, against 0",
        _top_moves,
    ),
    _Claim(
        "top-flips",
        "erasing the component of the highest attention flips the decision more often than erasing another",
        "documents on which the top alone flips, against those on which the other alone does, exactly over all others",
        _top_flips,
    ),
    _Claim(
        "negative-close",
        "where erasing another component moves the distribution further, the two weights differ less than elsewhere",
        "mean da on the documents with dJS >= 0, against that on those with dJS < 0",
        _negative_is_close,
    ),
    _Claim(
        "large-share",
        f"along attention, more than {LARGE_SHARE:.0%} of the components have to be erased in the median document",
        f"median fraction removed along attention, against {LARGE_SHARE:g}",
        _large_share,
    ),
    _Claim(
        "few-suffice",
        f"erasing less than {SMALL_SHARE:.0%} of the components would do in the median document, were they known",
        f"{SMALL_SHARE:g}, against the median fraction of the exact minimum",
        _few_suffice,
        of_paper=False,
    ),
)


@dataclass(frozen=True)
class _Comparison:
    """Evidence from two models, and the finding that it bears on."""

    key: str
    evidence: Evidence


def _findings_between(comparisons: Iterable[_Comparison]) -> Iterator[Finding]:
    evidence: dict[str, list[Evidence]] = {}
    for comparison in comparisons:
        evidence.setdefault(comparison.key, []).append(comparison.evidence)
    for ranking in COMPARED_RANKINGS:
        yield Finding(
            f"{ranking}-flat",
            f"{ranking} beats attention on more documents in flat models than in hierarchical ones, where the encoder "
            "mixes context",
            f"share of documents on which {ranking} needs strictly fewer removals than attention, in FLAN minus in HAN "
            "with the same context, on the same documents, against 0",
            tuple(evidence.get(f"{ranking}-flat", ())),
            unit=PAIRS,
        )
    yield Finding(
        LATER,
        "the wider the encoder's context, the later the flips along attention",
        "share of documents that flip at a larger fraction with the next wider context, minus the share that flip at a "
        "smaller, against 0",
        tuple(evidence.get(LATER, ())),
        unit=PAIRS,
    )


def _by_dataset(cells: Sequence[CellResults]) -> list[dict[Place, CellResults]]:
    datasets: dict[str, dict[Place, CellResults]] = {}
    for cell in cells:
        if cell.cell.place is not None and cell.summary["documents"]["analysed"]:
            datasets.setdefault(cell.cell.dataset, {})[cell.cell.place] = cell
    return list(datasets.values())


def _between_models(cells: dict[Place, CellResults], seed: int) -> Iterator[_Comparison]:
    """Compare the models of one data set; the documents of one data set are held at a time."""
    fractions = {place: read_fractions(results) for place, results in cells.items()}
    dataset = next(iter(cells.values())).cell.dataset
    for context in CONTEXTS[1:]:
        flat, hierarchical = (Place(family, context) for family in FAMILIES)
        if flat in fractions and hierarchical in fractions:
            where = f"{dataset}: {flat.model} and {hierarchical.model}"
            for ranking in COMPARED_RANKINGS:
                evidence = _more_often(where, ranking, fractions[flat], fractions[hierarchical], seed)
                yield from (_Comparison(f"{ranking}-flat", found) for found in evidence)
    for family in FAMILIES:
        along = [place for context in CONTEXTS if (place := Place(family, context)) in fractions]
        for narrower, wider in pairwise(along):
            where = f"{dataset}: {narrower.model} to {wider.model}"
            evidence = _later(where, fractions[narrower], fractions[wider], seed)
            yield from (_Comparison(LATER, found) for found in evidence)


def _more_often(where: str, ranking: str, flat: Fractions, hierarchical: Fractions, seed: int) -> Iterator[Evidence]:
    """On how many more documents a ranking beats attention in the flat model than in the hierarchical one."""
    fewer = [
        (model.removed[ranking] < model.removed["attention"])[rows].astype(np.float64)
        for model, rows in zip((flat, hierarchical), common_rows(flat.ids, hierarchical.ids), strict=True)
    ]
    yield from _difference(where, fewer[0] - fewer[1], seed)


def _later(where: str, narrower: Fractions, wider: Fractions, seed: int) -> Iterator[Evidence]:
    """On how many more documents the flip comes later than earlier; a flip comes before never."""
    first, second = common_rows(narrower.ids, wider.ids)
    shares = compare(narrower.removed["attention"][first, None], wider.removed["attention"][second, None])
    yield from _difference(where, shares[:, 0] - shares[:, 2], seed)


def _difference(where: str, differences: Float[np.ndarray, " documents"], seed: int) -> Iterator[Evidence]:
    """The mean of paired differences against 0; nothing where no document is common."""
    if len(differences):
        (estimate,) = bootstrap_means(differences[:, None], seed)
        yield Evidence(where, estimate, bound(0.0), int(np.count_nonzero(differences)))


def _shares(cell: CellResults, larger: Estimate | None, smaller: Estimate | None) -> Evidence | None:
    """Compare two shares of the same documents, on which these two differ."""
    if larger is None or smaller is None or larger.value is None or smaller.value is None:
        return None
    return Evidence(cell.cell.name, larger, smaller, larger.count * (larger.value + smaller.value))
