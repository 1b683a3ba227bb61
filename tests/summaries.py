"""Made-up setups and summaries, whose numbers the tests of views know."""

from dataclasses import replace

from eraserhead.data.provenance import LabelsRead, Provenance, Truncation
from eraserhead.erasure.advantages import RandomOrders, ShuffledWeights
from eraserhead.erasure.ranking_summaries import Distribution, Pair, RankingSummary, SingleErasureTable, TestSummary
from eraserhead.erasure.setup import ErasureRun, Setup
from eraserhead.erasure.summary import Aggregates, Counts, Summary
from eraserhead.loading.setup import ModelSetup, SiteSetup
from eraserhead.method.statistics import Estimate
from eraserhead.models.architecture import Limits

SITE = SiteSetup(site="pooling", special_tokens=False, dtype="float32")
DATA = Provenance("imdb", None, None, None, "test", ["text"], None, "label", True, 41, 50, 0, "f" * 64)
SETUP = Setup(
    model=ModelSetup("runs/[red]x", None, "x", ("neg", "pos")),
    site=SITE,
    data=DATA,
    labels=LabelsRead("training"),
    label_map=None,
    limits=Limits(tokens=64),
    rankings=("attention", "gradient", "product"),
    ranking_sources={},
    draws=10,
    seed=0,
    random_other="uniform",
    count_never_as="beyond_all",
    curves="all",
    shard_size=200,
)
RUN_RECORD = ErasureRun(python="3", platform="x", versions={"torch": "2"}, seconds=1.0, devices="cpu", files={})


def estimate(value, low=None, high=None, count=40):
    return Estimate(value, value if low is None else low, value if high is None else high, count)


def pair(fewer, more, first="attention", second="random"):
    return [Pair(first, second, fewer, estimate(0.1), more, estimate(0.55, count=9))]


def against_shuffled(difference):
    """Permuted weights with fewer removals on half of the documents."""
    shares = map(estimate, (0.5, 0.1, 0.4, 0.1, 0.3))
    return ShuffledWeights(3, *shares, difference)


def full_ranking():
    return RankingSummary(
        outcomes={"flip": estimate(0.7), "bias_only": estimate(0.2), "never": estimate(0.1)},
        fraction=Distribution(
            estimate(0.1), Estimate(0.5, 0.4, None, 40), estimate(None), estimate(0.35), estimate(0.3, count=9)
        ),
        removed=Distribution(*map(estimate, (1.0, 2.0, 3.0, 2.5, 2.4))),
        mass=Distribution(*map(estimate, (0.1, 0.4, 0.5, 0.3, 0.2))),
        excess=estimate(1.5),
        optimal=estimate(0.25),
        spread=None,
    )


def full_summary(**changes) -> Summary:
    test = TestSummary(
        exact=SingleErasureTable(*map(estimate, (0.1, 0.2, 0.3, 0.4))),
        drawn=SingleErasureTable(*map(estimate, (0.1, 0.2, 0.3, 0.4))),
        expected_delta_js=estimate(0.01),
        share_negative=estimate(0.05),
        share_zero=estimate(0.0),
        delta_js=estimate(0.01),
        delta_attention=estimate(0.2),
    )
    summary = Summary(
        documents=Counts(12, 10, 1, 1, 0, 0),
        truncation=Truncation(12, 3, 90, 10),
        accuracy=estimate(0.8, 0.7, 0.9),
        yardstick="minimum",
        rankings={"attention": full_ranking()},
        beyond_rankings=None,
        random_orders=RandomOrders(3, 0.0417),
        pairs=pair(estimate(0.6), estimate(0.3)),
        shuffled=against_shuffled(estimate(0.2, 0.05, 0.35)),
        largest_class=estimate(0.55),
        tests={"attention": test},
        setup=SETUP,
        run=RUN_RECORD,
    )
    return replace(summary, **changes)


def with_setup(aggregates: Aggregates, **changes) -> Summary:
    """Add a setup to aggregates."""
    return Summary(**vars(aggregates), setup=replace(SETUP, **changes), run=RUN_RECORD)
