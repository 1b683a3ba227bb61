"""Populations of documents whose means, shares and quantiles are known, to count how often intervals contain them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from eraserhead.erasure.label_scores import f1, f1_estimates
from eraserhead.method.intervals import difference_of, mean_of, share_of
from eraserhead.method.quantiles import quantiles_of
from eraserhead.method.statistics import Estimate

QUARTILES = (0.25, 0.5, 0.75)
LABELS, WRONG = np.array([0.5, 0.3, 0.2, 0.1, 0.4]), 0.15  # how often labels are on, and are decided wrongly

Sample = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True)
class Population:
    """Documents to draw.

    Attributes:
        draw: Draws the values of so many documents.
        truth: What is estimated, in the population.
    """

    draw: Sample
    truth: tuple[float, ...]


@dataclass(frozen=True)
class Coverage:
    """How often intervals hold.

    Attributes:
        held: Share of the intervals that contain the truth; NaN where none was given.
        given: Share of the samples that had an interval.
    """

    held: float
    given: float


def mean_known(draw: Sample, truth: float) -> Population:
    return Population(draw, (truth,))


def partly(draw: Sample, share: float) -> Sample:
    """Leave only this share of the documents with a number."""
    return lambda rng, n: np.where(rng.random(n) < share, draw(rng, n), np.nan)


def often_zero(zeros: float) -> Population:
    """Values of 0, and exponential ones."""
    return mean_known(lambda rng, n: rng.exponential(size=n) * (rng.random(n) >= zeros), 1 - zeros)


def coin(share: float) -> Population:
    return mean_known(lambda rng, n: (rng.random(n) < share).astype(float), share)


def averaged(draws: int, share: float, alike: float) -> Population:
    """Averages of a document's draws, whose chance differs from document to document the more, the less alike."""
    return mean_known(
        lambda rng, n: rng.binomial(draws, rng.beta(alike * share, alike * (1 - share), n)) / draws, share
    )


def signs(less: float, equal: float) -> Population:
    """Paired differences of which each is -1, 0 or 1."""
    more = 1 - less - equal
    return mean_known(lambda rng, n: rng.choice([-1.0, 0.0, 1.0], p=[less, equal, more], size=n), more - less)


def _draws_that_differ(rng: np.random.Generator, n: int) -> np.ndarray:
    chance = rng.beta(2, 1, n)
    return (rng.binomial(10, chance) - rng.binomial(10, 1 - chance)) / 10


def _never_with_own_chance(rng: np.random.Generator, n: int) -> np.ndarray:
    """Ten draws of documents that have each their own chance to flip never, .3 on average."""
    return np.where(rng.random((n, 10)) < rng.beta(0.3, 0.7, (n, 1)), np.inf, rng.random((n, 10)))


def _gold_and_found(rng: np.random.Generator, n: int) -> np.ndarray:
    """Labels that documents have and that are decided for; some documents are harder than others."""
    gold = rng.random((n, len(LABELS))) < LABELS
    return np.stack([gold, gold ^ (rng.random(gold.shape) < WRONG * 2 * rng.random((n, 1)))])


def _sums() -> np.ndarray:
    """The sums of hits, misses and false alarms over many documents."""
    return 1e6 * np.concatenate([LABELS * (1 - WRONG), LABELS * WRONG, (1 - LABELS) * WRONG])[None]


MEANS = {
    "uniform": mean_known(lambda rng, n: rng.random(n), 0.5),
    "exponential": mean_known(lambda rng, n: rng.exponential(size=n), 1.0),
    "geometric": mean_known(lambda rng, n: rng.geometric(0.2, n).astype(float), 5.0),
    "gamma of shape 1/2": mean_known(lambda rng, n: rng.gamma(0.5, size=n), 0.5),
    "beta (.3, 3)": mean_known(lambda rng, n: rng.beta(0.3, 3, n), 1 / 11),
    "log-normal, sigma 3/4": mean_known(lambda rng, n: rng.lognormal(0, 0.75, n), np.exp(0.75**2 / 2)),
    "log-normal, sigma 1": mean_known(lambda rng, n: rng.lognormal(0, 1, n), np.exp(0.5)),
    "half zeros": often_zero(0.5),
    "70 % zeros": often_zero(0.7),
    "half without a number": mean_known(partly(lambda rng, n: rng.exponential(size=n), 0.5), 1.0),
    "80 % without a number": mean_known(partly(lambda rng, n: rng.exponential(size=n), 0.2), 1.0),
}
SHARES = {
    **{f"share {share:g}": coin(share) for share in (0.5, 0.8, 0.9, 0.95, 0.98)},
    "share .9 of the half with a number": mean_known(partly(coin(0.9).draw, 0.5), 0.9),
    **{
        f"{draws} draws, share {share:g}, {'alike' if alike > 1 else 'not alike'}": averaged(draws, share, alike)
        for draws in (3, 10)
        for share in (0.5, 0.8, 0.95)
        for alike in (0.5, 4.0)
    },
    "average of many labels": mean_known(lambda rng, n: rng.beta(3, 0.3, n), 10 / 11),
}
DIFFERENCES = {
    "15 % less, 65 % more": signs(0.15, 0.2),
    "90 % more": signs(0.0, 0.1),
    "5 % more": signs(0.0, 0.95),
    "2 % less, 2 % more": signs(0.02, 0.96),
    "45 % less, 45 % more": signs(0.45, 0.1),
    "10 draws": mean_known(_draws_that_differ, 1 / 3),
}
QUANTILES = {
    "uniform": Population(lambda rng, n: rng.random(n), QUARTILES),
    "in tenths": Population(lambda rng, n: np.ceil(10 * rng.random(n)) / 10, (0.3, 0.5, 0.8)),
    "30 % never": Population(
        lambda rng, n: np.where(rng.random(n) < 0.3, np.inf, rng.random(n)), (0.25 / 0.7, 0.5 / 0.7, np.inf)
    ),
    "10 draws, documents alike": Population(lambda rng, n: rng.random((n, 10)), QUARTILES),
    "3 draws, documents differ": Population(
        lambda rng, n: rng.random((n, 1)) + rng.random((n, 3)), (np.sqrt(0.5), 1.0, 2 - np.sqrt(0.5))
    ),
    "10 draws, documents differ": Population(
        lambda rng, n: rng.random((n, 1)) + rng.random((n, 10)), (np.sqrt(0.5), 1.0, 2 - np.sqrt(0.5))
    ),
    "10 draws, some never": Population(_never_with_own_chance, (0.25 / 0.7, 0.5 / 0.7, np.inf)),
    "10 draws, two groups": Population(
        lambda rng, n: 5.0 * (rng.random((n, 1)) < 0.3) + rng.random((n, 10)), (0.25 / 0.7, 0.5 / 0.7, 5 + 0.05 / 0.3)
    ),
}
SCORES = {"five labels": Population(_gold_and_found, tuple(f1(_sums())[0]))}
KINDS: Mapping[str, tuple[Callable[[np.ndarray], list[Estimate]], Mapping[str, Population]]] = {
    "mean": (lambda values: [mean_of(values)], MEANS),
    "share": (lambda values: [share_of(values)], SHARES),
    "difference": (lambda values: [difference_of(values)], DIFFERENCES),
    "quartile": (lambda values: quantiles_of(values, QUARTILES), QUANTILES),
    "F1": (lambda states: list(f1_estimates(*states)), SCORES),
}


def coverage(kind: str, population: str, documents: int, samples: int, seed: int = 0) -> list[Coverage]:
    """Return how often the intervals of a kind contain the truth, for each number that it gives."""
    (estimated, populations), rng = KINDS[kind], np.random.default_rng(seed)
    drawn, truth = populations[population].draw, populations[population].truth
    found = [estimated(drawn(rng, documents)) for _ in range(samples)]
    return [_coverage([each[place] for each in found], value) for place, value in enumerate(truth)]


def _coverage(found: list[Estimate], truth: float) -> Coverage:
    given = [estimate for estimate in found if estimate.has_interval]
    held = [_end(estimate.low) <= truth + 1e-12 and truth - 1e-12 <= _end(estimate.high) for estimate in given]
    return Coverage(float(np.mean(held)) if given else np.nan, len(given) / len(found))


def _end(value: float | None) -> float:
    return np.inf if value is None else value
