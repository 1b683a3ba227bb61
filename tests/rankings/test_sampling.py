"""Linear models over random sets of components, against captum on one document at a time and closed forms."""

from dataclasses import replace

import captum.attr
import pytest
import torch
from captum._utils.models.linear_model import SkLearnRidge
from torch import Tensor
from torch.nn.functional import pad
from torch.testing import assert_close

from eraserhead.method.cases import Targets
from eraserhead.rankings.sampling import SAMPLES, SAMPLING, SEED, design
from eraserhead.sites.pooling import pooled_cases
from heads import random_head
from readings import Toy, affine

LIME, KERNEL_SHAP = SAMPLING
each = pytest.mark.parametrize("ranking", SAMPLING, ids=lambda ranking: ranking.name)


def by_captum(reading, row: int, ranking) -> Tensor:
    """What captum makes of one document, whose forward pass is one erasure after the other."""
    n, c = int(reading.lengths[row]), int(reading.unerased.decision[row])

    def margin(kept: Tensor) -> Tensor:
        keep = pad(kept.bool(), (0, reading.mask.shape[1] - n)).unsqueeze(0)
        logits = reading.evaluate(torch.tensor([row]), keep).logits[0]
        return logits[:, c] - torch.cat([logits[:, :c], logits[:, c + 1 :]], 1).exp().sum(1).log()

    if ranking is LIME:
        explainer = captum.attr.Lime(margin, interpretable_model=SkLearnRidge(alpha=1.0))
    else:
        explainer = captum.attr.KernelShap(margin)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return explainer.attribute(torch.ones(1, n), n_samples=SAMPLES, perturbations_per_eval=SAMPLES)[0].double()


@each
def test_scores_are_captums(ranking):
    """Of documents of several lengths, two of them the same; captum fits in float32."""
    reading = affine(random_head(0, [5, 2, 5, 3]))
    found = ranking.score(reading)
    for row, n in enumerate(reading.lengths.tolist()):
        assert_close(found[row, :n], by_captum(reading, row, ranking), rtol=0, atol=1e-4)
        assert not found[row, n:].any()
        assert found[row, :n].abs().max() > 0.1


def test_the_scores_of_a_sum_are_its_parts():
    """Where a margin is a sum over what is kept, least squares finds the parts, whichever sets are drawn.

    Two classes with the same logit are above neither by ln 2 less, which is no component's part.
    """
    toy = Toy.draw(3, [7, 4, 1], lean=3.0)
    own = toy.own[..., [0, 1, 1]]
    reading = replace(toy, own=own, pairs=torch.zeros_like(toy.pairs)).reading()
    assert not reading.unerased.decision.any()
    parts = (own[..., 0] - own[..., 1]) * reading.mask
    assert_close(KERNEL_SHAP.score(reading), parts, rtol=0, atol=1e-6)


@each
def test_other_documents_of_the_batch_change_nothing(ranking):
    head = random_head(1, [6, 4, 6])
    together = ranking.score(affine(head))
    for row, n in ((0, 6), (1, 4), (2, 6)):
        alone = random_head(1, [6, 4, 6])
        rows = [getattr(alone, name)[row : row + 1, :n] for name in ("scores", "weights", "vectors", "mask")]
        alone = alone._replace(**dict(zip(("scores", "weights", "vectors", "mask"), rows, strict=True)))
        assert_close(ranking.score(affine(alone))[0], together[row, :n], rtol=0, atol=1e-10)


@each
def test_drawing_leaves_the_random_state_alone(ranking):
    design.cache_clear()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    ranking.score(affine(random_head(0, [4])))
    assert torch.equal(torch.rand(3), expected)


@each
def test_cases_of_one_document_have_scores_of_their_own(ranking):
    head = random_head(2, [5, 3])
    positions = torch.arange(5).expand(2, 5)
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0)).double()
    targets = Targets(cut=0.1, labels=(0, 1))
    reading = pooled_cases(head.scores, head.component_logits, head.bias, head.mask, positions, logits, targets)
    found = ranking.score(reading)
    for row, n in enumerate(reading.lengths.tolist()):
        assert_close(found[row, :n], by_captum(reading, row, ranking), rtol=0, atol=1e-4)
    assert (found[0] - found[1]).abs().max() > 0.1


def test_a_document_without_components_has_none():
    head = random_head(0, [3, 1])
    empty = affine(
        head._replace(mask=torch.tensor([[True] * 3, [False] * 3])), head.weights * torch.tensor([[1.0], [0.0]])
    )
    for ranking in SAMPLING:
        assert not ranking.score(empty)[1].any()
