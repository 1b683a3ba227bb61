"""What the built-in rankings cost at the last layer of a hub classifier, beside the study along the defaults."""

from collections.abc import Sequence
from statistics import median

import torch
from inside import ANALYSED, TOKENS, classifier, documents
from timing import Result, in_turns, seconds
from torch import Tensor

from eraserhead.erasure.draws import FEW
from eraserhead.method.analysis import Analysis, Draws, analyse
from eraserhead.rankings.ranking import Ranking
from eraserhead.rankings.registry import BUILT_IN, DEFAULTS, signals_of
from eraserhead.sites.inside.site import SelfAttentionSite

# Those that cost one forward and one backward pass at most.
ONE_PASS = ("leave_one_out", "input_x_gradient", "saliency", "rollout", "gradient_rollout")
MANY_PASSES = ("integrated_gradients", "value_zeroing", "lime", "kernel_shap")
FEW_DOCUMENTS = 8  # of those that cost many passes
Batches = Sequence[dict[str, Tensor]]


def costs() -> list[Result]:
    """A study along the defaults and what costs one pass, against one along the defaults; and each score's own cost."""
    site = SelfAttentionSite(classifier())
    batches = documents(TOKENS, ANALYSED)
    few = documents(TOKENS, FEW_DOCUMENTS)
    usual = [BUILT_IN[name] for name in DEFAULTS]
    more = [BUILT_IN[name] for name in (*DEFAULTS, *ONE_PASS)]
    own = {name: _score(site, batches, BUILT_IN[name]) / ANALYSED for name in ONE_PASS}
    own |= {name: _score(site, few, BUILT_IN[name]) / FEW_DOCUMENTS for name in MANY_PASSES}
    pair = in_turns(
        lambda: seconds(lambda: _study(site, batches, more)), lambda: seconds(lambda: _study(site, batches, usual)), 3
    )
    return [
        Result(
            name="rankings",
            what=f"study along {len(more)} rankings at the last layer, one pass each at most / along the defaults",
            measured=pair.ratio,
            wanted=1.5,
            at_least=False,
            spread=pair.spread,
            figures={"along the defaults, ms a document": 1000 * median(pair.second) / ANALYSED}
            | {f"scores of {name}, ms a document": 1000 * cost for name, cost in own.items()},
            notes=f"{ANALYSED} documents of {TOKENS} tokens; of the slow scores {FEW_DOCUMENTS}",
        )
    ]


def _study(
    site: SelfAttentionSite, batches: Sequence[dict[str, Tensor]], rankings: Sequence[Ranking]
) -> list[Analysis]:
    found = []
    for number, batch in enumerate(batches):
        reading = site.read(batch, signals_of(rankings))
        ids = [f"{number}/{row}" for row in range(len(reading.mask))]
        orders = {ranking.name: ranking.order(reading) for ranking in rankings}
        found.append(analyse(reading, orders, Draws(ids, 0, FEW, "uniform"), False))
    return found


def _score(site: SelfAttentionSite, batches: Batches, ranking: Ranking) -> float:
    """Seconds that a ranking's scores take once the batches have been read and test 1 is done."""
    readings = [site.read(batch, ranking.needs) for batch in batches]
    for reading in readings:
        reading.singles()
    with torch.no_grad():
        return seconds(lambda: [ranking.score(reading) for reading in readings])
