"""Compare the paper's findings with a study's numbers: which hold, which do not, and which are undecided.

A finding is a claim about every cell, or about pairs of models on the same documents. The 95 % intervals decide, and
only if enough documents count. Cells from which nothing follows by the rule for every verdict have no part in them.
A model that was trained with several seeds is one cell, and each document's values are averaged over its seeds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from eraserhead.erasure.flip_values import averager
from eraserhead.erasure.plotted import read_points
from eraserhead.erasure.verdict import FEWEST_DOCUMENTS
from eraserhead.method.intervals import difference_of, difference_of_shares, mean_of
from eraserhead.method.names import ATTENTION, GRADIENT, MINIMUM, PRODUCT, RANDOM
from eraserhead.method.statistics import Estimate, compare
from eraserhead.models.architecture import CONTEXTS
from eraserhead.study.cell_tables import Fractions, common_rows, read_fractions
from eraserhead.study.cells import ARCHITECTURES, CellResults, PaperModel, known
from eraserhead.study.comparisons import Comparison, Finding, bound

COMPARED_RANKINGS = (GRADIENT, PRODUCT)  # with attention, in flat and in hierarchical models
LATER = "context-later"
PAIRS = "pairs of models"
LARGE_SHARE, SMALL_SHARE = 0.5, 0.1  # of a document's components


def findings(cells: Sequence[CellResults]) -> list[Finding]:
    """Return every finding with its comparisons; two models are compared on the same documents."""
    heard = [cell for cell in cells if cell.silent is None]
    paired = [keyed for dataset in _by_dataset(heard) for keyed in _between_models(dataset)]
    return [*_findings_within(heard), *_findings_between(paired)]


@dataclass(frozen=True)
class _Claim:
    """A claim about single cells."""

    key: str
    claim: str
    measure: str
    compare: Callable[[CellResults], Comparison | None]
    of_paper: bool = True


def _findings_within(cells: Sequence[CellResults]) -> Iterator[Finding]:
    for claim in WITHIN_CELLS:
        comparisons = [claim.compare(cell) for cell in cells]
        yield Finding(
            claim.key, claim.claim, claim.measure, tuple(found for found in comparisons if found), claim.of_paper
        )


def _fewer(first: str, second: str) -> Callable[[CellResults], Comparison | None]:
    """Compare the share of documents on which `first` needs strictly fewer removals with that of the reverse."""

    def compared(cell: CellResults) -> Comparison | None:
        pair = cell.summary.pair(first, second)
        return pair and _shares(cell, pair.fewer, pair.more)

    return compared


def _beyond_shuffled(cell: CellResults) -> Comparison | None:
    shuffled = cell.summary.shuffled
    difference = shuffled and known(shuffled.difference)
    return difference and Comparison(cell.name, difference, bound(0.0), difference.count)


def _top_flips(cell: CellResults) -> Comparison | None:
    test = cell.test(ATTENTION)
    return test and _shares(cell, test.exact.top_alone_flips, test.exact.other_alone_flips)


def _top_moves(cell: CellResults) -> Comparison | None:
    test = cell.test(ATTENTION)
    expected = test and known(test.expected_delta_js)
    return expected and Comparison(cell.name, expected, bound(0.0), expected.count)


def _negative_is_close(cell: CellResults) -> Comparison | None:
    """Compare the mean difference of the weights on documents with dJS < 0 with that on all others."""
    points = read_points(cell.tables)
    negative = points.negative
    if not negative.any() or negative.all():
        return None
    ids = points.ids.to_numpy(zero_copy_only=False)
    elsewhere, where_negative = (
        mean_of(averager(ids[negative == which])(points.delta_attention[negative == which])) for which in (False, True)
    )
    return Comparison(cell.name, elsewhere, where_negative, min(elsewhere.count, where_negative.count))


def _large_share(cell: CellResults) -> Comparison | None:
    median = _median_fraction(cell, ATTENTION)
    return median and Comparison(cell.name, median, bound(LARGE_SHARE), median.count)


def _few_suffice(cell: CellResults) -> Comparison | None:
    median = _median_fraction(cell, MINIMUM)
    return median and Comparison(cell.name, bound(SMALL_SHARE), median, median.count)


def _median_fraction(cell: CellResults, ranking: str) -> Estimate | None:
    found = cell.ranking(ranking)
    return found and known(found.fraction.median)


WITHIN_CELLS = (
    _Claim(
        "attention-random",
        "attention needs fewer removals than random",
        "documents on which attention needs strictly fewer removals, against those on which random does",
        _fewer(ATTENTION, RANDOM),
    ),
    _Claim(
        "gradient-attention",
        "gradient needs fewer removals than attention",
        "documents on which gradient needs strictly fewer removals, against those on which attention does",
        _fewer(GRADIENT, ATTENTION),
    ),
    _Claim(
        "product-attention",
        "product needs fewer removals than attention, as it does almost by construction at an affine head",
        "documents on which product needs strictly fewer removals, against those on which attention does",
        _fewer(PRODUCT, ATTENTION),
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
        "documents on which only the top flips, against those on which only the other does, exact over all others",
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
        "attention-shuffled",
        "attention has more of an advantage over random orders than shuffled weights have",
        "share of documents with fewer removals than at random less that with more, of the model's own weights minus "
        "that of shuffled ones, against 0",
        _beyond_shuffled,
        of_paper=False,
    ),
    _Claim(
        "few-suffice",
        f"erasing less than {SMALL_SHARE:.0%} of the components would do in the median document, if one knew which",
        f"{SMALL_SHARE:g}, against the median fraction of the exact minimum",
        _few_suffice,
        of_paper=False,
    ),
)


@dataclass(frozen=True)
class _Keyed:
    """A comparison of two models, with the key of its finding."""

    key: str
    comparison: Comparison


def _findings_between(paired: Iterable[_Keyed]) -> Iterator[Finding]:
    comparisons: dict[str, list[Comparison]] = {}
    for keyed in paired:
        comparisons.setdefault(keyed.key, []).append(keyed.comparison)
    for ranking in COMPARED_RANKINGS:
        yield Finding(
            f"{ranking}-flat",
            f"{ranking} beats attention on more documents in flat models than in hierarchical ones, where the encoder "
            "mixes context",
            f"share of documents on which {ranking} needs strictly fewer removals than attention, among those that are "
            "no ties, in FLAN minus in HAN with the same context, of the same documents, against 0",
            tuple(comparisons.get(f"{ranking}-flat", ())),
            unit=PAIRS,
        )
    yield Finding(
        LATER,
        "the wider the encoder's context, the later the flips along attention",
        "share of documents that flip at a larger fraction with the next wider context, minus the share that flip at a "
        "smaller, against 0",
        tuple(comparisons.get(LATER, ())),
        unit=PAIRS,
    )


def _by_dataset(cells: Sequence[CellResults]) -> list[dict[PaperModel, CellResults]]:
    datasets: dict[str, dict[PaperModel, CellResults]] = {}
    for cell in cells:
        if cell.cell.paper_model is not None and cell.summary.documents.analysed:
            datasets.setdefault(cell.cell.dataset, {})[cell.cell.paper_model] = cell
    return list(datasets.values())


def _between_models(cells: dict[PaperModel, CellResults]) -> Iterator[_Keyed]:
    """Compare the models of one data set; only its documents are in memory."""
    fractions = {model: read_fractions(results) for model, results in cells.items()}
    dataset = next(iter(cells.values())).cell.dataset
    for context in CONTEXTS[1:]:
        flat, hierarchical = (PaperModel(architecture, context) for architecture in ARCHITECTURES)
        if flat in fractions and hierarchical in fractions:
            where = f"{dataset}: {flat.name} and {hierarchical.name}"
            for ranking in COMPARED_RANKINGS:
                comparisons = _more_often(where, ranking, fractions[flat], fractions[hierarchical])
                yield from (_Keyed(f"{ranking}-flat", found) for found in comparisons)
    for architecture in ARCHITECTURES:
        along = [model for context in CONTEXTS if (model := PaperModel(architecture, context)) in fractions]
        for narrower, wider in pairwise(along):
            where = f"{dataset}: {narrower.name} to {wider.name}"
            comparisons = _later(where, fractions[narrower], fractions[wider])
            yield from (_Keyed(LATER, found) for found in comparisons)


def _more_often(where: str, ranking: str, flat: Fractions, hierarchical: Fractions) -> Iterator[Comparison]:
    """Share of untied documents on which a ranking beats attention, in the flat model minus the hierarchical one."""
    shares = [
        compare(model.removed[ranking][rows], model.removed[ATTENTION][rows])
        for model, rows in zip((flat, hierarchical), common_rows(flat.ids, hierarchical.ids), strict=True)
    ]
    untied = [float((1 - found[:, 1]).sum()) for found in shares]
    if len(shares[0]) >= FEWEST_DOCUMENTS and min(untied):
        yield Comparison(where, difference_of_shares(*map(_among_untied, shares)), bound(0.0), min(untied))


def _among_untied(shares: Float[np.ndarray, "documents 3"]) -> Float[np.ndarray, " documents"]:
    """Return how often each document has fewer among its seeds without a tie; NaN where all are ties."""
    untied = shares[:, 0] + shares[:, 2]
    return np.where(untied > 0, shares[:, 0] / np.where(untied > 0, untied, 1.0), np.nan)


def _later(where: str, narrower: Fractions, wider: Fractions) -> Iterator[Comparison]:
    """Share of documents that flip later in the wider model, minus those that flip earlier; never is latest.

    Each seed of the one is compared with each of the other.
    """
    rows = common_rows(narrower.ids, wider.ids)
    first, second = (model.removed[ATTENTION][own] for model, own in zip((narrower, wider), rows, strict=True))
    shares = compare(first.repeat(second.shape[1], axis=1), np.tile(second, first.shape[1]))
    yield from _difference(where, shares[:, 0] - shares[:, 2])


def _difference(where: str, differences: Float[np.ndarray, " documents"]) -> Iterator[Comparison]:
    """Compare the mean of paired differences with 0; nothing if the two have too few common documents."""
    if len(differences) >= FEWEST_DOCUMENTS:
        estimate = difference_of(differences)
        yield Comparison(where, estimate, bound(0.0), int(np.count_nonzero(differences)))


def _shares(cell: CellResults, larger: Estimate, smaller: Estimate) -> Comparison | None:
    """Compare two shares of the same documents; the documents on which they differ decide."""
    if larger.value is None or smaller.value is None:
        return None
    return Comparison(cell.name, larger, smaller, larger.count * (larger.value + smaller.value))
