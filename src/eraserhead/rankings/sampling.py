"""Rankings by linear models of the decision over random sets of components (METHOD section 9).

captum draws the sets and weighs them, as its `Lime` and `KernelShap` do for one document at a time. Sets depend on the
number of components and a fixed seed alone, so that all documents of a length share them: one batch of erasures and one
fit serve all, and batches change nothing.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from eraserhead.method.margins import margin
from eraserhead.method.reading import Reading
from eraserhead.rankings.ranking import Ranking
from eraserhead.sites.embeddings import CAPTUM, captum_attr

SAMPLES, SEED = 200, 0
KEPT_DESIGNS = 1024  # lengths whose sets are kept; 200 sets of 512 components take .1 MB
KEEP_ENTRIES = 2**24  # approximate number of keep-mask entries evaluated at a time


@dataclass(frozen=True)
class Design:
    """The sets of components that a linear model is fitted to.

    Attributes:
        keep: What each set keeps.
        importance: How much each set counts in the fit.
    """

    keep: Bool[Tensor, "sets components"]
    importance: Float[Tensor, " sets"]


class _Recorder:
    """Stands in for captum's linear model, and holds the sets that it would be fitted to."""

    design: Design

    def fit(self, data: Any) -> None:
        """Take the sets and their weights from captum's one batch."""
        (kept, _, importance), *_ = data
        self.design = Design(kept.bool(), importance.double())

    def representation(self) -> Float[Tensor, "1 components"]:
        """Return coefficients, which nobody reads."""
        return torch.zeros(1, self.design.keep.shape[1])


@lru_cache(KEPT_DESIGNS)
def design(method: str, components: int) -> Design:
    """Return the sets that captum draws for a document of some components, and how it weighs them.

    Args:
        method: The name of the class in `captum.attr`, ``Lime`` or ``KernelShap``.
        components: How many there are; at least one.
    """
    if components == 1 and method == "KernelShap":
        # There is nothing to draw between all and none, its first two sets.
        return Design(torch.tensor([[True], [False]]), torch.ones(2, dtype=torch.float64))
    recorder = _Recorder()
    explainer = getattr(captum_attr(), method)(lambda kept: kept.new_zeros(len(kept)))
    explainer.interpretable_model = recorder
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        explainer.attribute(torch.ones(1, components), n_samples=SAMPLES, perturbations_per_eval=SAMPLES)
    return recorder.design


@dataclass(frozen=True)
class LinearModel:
    """Scores components by the coefficients of a linear model of the margin over random sets of components.

    Attributes:
        method: Whose sets and weights, see `design`.
        model: The class in `sklearn.linear_model` that is fitted, as it comes.
    """

    method: str
    model: str

    def __call__(self, reading: Reading) -> Float[Tensor, "batch components"]:
        """Fit documents of one length together."""
        from sklearn import linear_model  # noqa: PLC0415 - takes a second

        lengths = reading.lengths
        scores = reading.weights.new_zeros(reading.mask.shape)
        for length in sorted(set(lengths.tolist()) - {0}):
            sets = design(self.method, length)
            model, rows = getattr(linear_model, self.model)(), (lengths == length).nonzero().squeeze(1)
            margins = _margins(reading, rows, sets.keep.to(rows.device))
            model.fit(sets.keep.double().numpy(), margins.T.numpy(force=True), sets.importance.numpy())
            scores[rows, :length] = torch.from_numpy(model.coef_).to(scores)
        return scores


def _margins(
    reading: Reading, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "sets some"]
) -> Float[Tensor, "rows sets"]:
    """Return the margin of each row's decision where each set of its components is kept and no other."""
    everywhere = pad(keep, (0, reading.mask.shape[1] - keep.shape[1]))
    found = []
    for part in rows.split(max(1, KEEP_ENTRIES // everywhere.numel())):
        evaluated = reading.evaluate(part, everywhere.expand(len(part), -1, -1))
        found.append(margin(evaluated.logits, reading.unerased.decision[part]))
    return torch.cat(found)


# Ribeiro et al. 2016 fit a ridge regression with a penalty of 1. captum's Lime defaults to a lasso, which sets most
# coefficients to 0, and that is no order. Lundberg & Lee 2017 fit by least squares, as captum's KernelShap does.
SAMPLING = (
    Ranking("lime", LinearModel("Lime", "Ridge"), package=CAPTUM),
    Ranking("kernel_shap", LinearModel("KernelShap", "LinearRegression"), package=CAPTUM),
)
