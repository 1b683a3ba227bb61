"""Scores by the attention of all layers, against loops over an eager copy of the model, one document at a time."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from eraserhead.method.cases import Targets
from eraserhead.method.rollout import mixed_with_residual, roll_out, shares_of_rows
from eraserhead.method.signals import OF_ALL_LAYERS
from eraserhead.rankings.attention_maps import ATTENTION_MAPS
from eraserhead.sites.inside.site import SelfAttentionSite
from families import LAYERS, Slow, batch_of, documents, in_float64, slow, tiny
from inside_sites import site_of

ROLLOUT, GRADIENT_ROLLOUT, VALUE_ZEROING = ATTENTION_MAPS
# A classification token, grouped keys behind a causal mask, windows and a mean, and attention of the family's own.
NAMES = pytest.mark.parametrize(
    ("name", "place"),
    [("bert", "layer:-1"), ("llama", "layer:0"), ("modernbert, mean", "all"), ("mpnet", "layer:1:all")],
)
BLOCKS = {
    "bert": "bert.encoder.layer",
    "llama": "model.layers",
    "modernbert, mean": "model.layers",
    "mpnet": "mpnet.encoder.layer",
}


def read_out(name: str, length: int) -> np.ndarray:
    positions = list(slow(name).read_from(length))
    row = np.zeros(length)
    row[positions] = 1 / len(positions)
    return row


def attentions(name: str, ids: Sequence[int]) -> tuple[Tensor, tuple[Tensor, ...]]:
    output = slow(name).model(input_ids=torch.tensor([list(ids)]), output_attentions=True)
    return output.logits[0].double(), output.attentions


def slow_rollout(name: str, ids: Sequence[int]) -> np.ndarray:
    """The product from the first layer up, and then the rows that are read."""
    product = np.eye(len(ids))
    for weights in attentions(name, ids)[1]:
        mixed = weights[0].detach().numpy().mean(0) + np.eye(len(ids))
        product = (mixed / mixed.sum(1, keepdims=True)) @ product
    return read_out(name, len(ids)) @ product


def slow_relevance(name: str, ids: Sequence[int], case: int | None = None) -> np.ndarray:
    """``R <- R + mean_h (A * dm/dA)+ R`` from the first layer up."""
    logits, layers = attentions(name, ids)
    c = int(logits.argmax())
    margin = logits[c] - torch.cat([logits[:c], logits[c + 1 :]]).logsumexp(0)
    if case is not None:
        margin = (logits[case] - LABELS.cut) * (1 if logits[case] > LABELS.cut else -1)
    relevance = np.eye(len(ids))
    for weights, slope in zip(layers, torch.autograd.grad(margin, layers), strict=True):
        step = (weights * slope)[0].detach().clamp(min=0).mean(0).numpy()
        relevance = relevance + step @ relevance
    return read_out(name, len(ids)) @ relevance


def slow_value_zeroing(name: str, ids: Sequence[int]) -> np.ndarray:
    """One edited softmax a layer and token: a value that counts as 0 is a column of weights that is 0."""
    n, product = len(ids), np.eye(len(ids))
    for layer in range(LAYERS):
        outputs = [_layer_outputs(slow(name), name, ids, layer, key) for key in (None, *range(n))]
        before, distances = outputs[0], np.zeros((n, n))
        for key, without in enumerate(outputs[1:]):
            for query in range(n):
                lengths = np.linalg.norm(before[query]) * np.linalg.norm(without[query])
                distances[query, key] = 1 - before[query] @ without[query] / lengths
        product = (distances / distances.sum(1, keepdims=True)) @ product
    return read_out(name, n) @ product


def _layer_outputs(oracle: Slow, name: str, ids: Sequence[int], layer: int, key: int | None) -> np.ndarray:
    found: list[Tensor] = []

    def zero(number: int, weights: Tensor) -> Tensor:
        if number != layer or key is None:
            return weights
        return weights.index_fill(3, torch.tensor([key]), 0.0)

    def note(module: torch.nn.Module, args: tuple, output: Tensor | tuple[Tensor, ...]) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    hook = oracle.model.get_submodule(BLOCKS[name])[layer].register_forward_hook(note)
    oracle.logits(ids, zero)
    hook.remove()
    return found[0][0].numpy()


LABELS = Targets(cut=0.3, labels=(1, 4))


@NAMES
def test_they_equal_loops_over_an_eager_copy(name, place):
    """Without the first special token, which is no component here; what the site erases makes no difference."""
    model, texts = tiny(name), documents((7, 5))
    with in_float64():
        reading = site_of(name, place, (0, 3), left_out=(2,)).read(batch_of(model, texts), OF_ALL_LAYERS)
        for ranking, oracle in zip(ATTENTION_MAPS, (slow_rollout, slow_relevance, slow_value_zeroing), strict=True):
            found = ranking.score(reading)
            for row, ids in enumerate(texts):
                n = len(ids) - 1
                assert_close(found[row, :n], torch.from_numpy(oracle(name, ids)[1:]), rtol=0, atol=1e-10)
                assert not found[row, n:].any()
                assert found[row, :n].unique().numel() > 1


def test_each_label_has_a_gradient_rollout_of_its_own():
    model, texts = tiny("bert"), documents((5, 4))
    with in_float64():
        reading = SelfAttentionSite(model, targets=LABELS).read(batch_of(model, texts), OF_ALL_LAYERS)
        relevance, rollout = GRADIENT_ROLLOUT.score(reading), ROLLOUT.score(reading)
        assert reading.cases is not None
        for row, (document, label) in enumerate(zip(reading.cases.documents, reading.cases.labels, strict=True)):
            ids = texts[int(document)]
            expected = torch.from_numpy(slow_relevance("bert", ids, int(label)))
            assert_close(relevance[row, : len(ids)], expected, rtol=0, atol=1e-10)
            assert_close(rollout[row, : len(ids)], torch.from_numpy(slow_rollout("bert", ids)), rtol=0, atol=1e-10)
        assert (relevance[0] - relevance[1]).abs().max() > 1e-3  # labels of one document


def test_rollout_is_the_same_with_and_without_gradients():
    """With gradient rollout beside it, both come of one pass."""
    with in_float64():
        site, batch = site_of("bert", "layer:-1"), batch_of(tiny("bert"), documents((7, 5)))
        alone, beside = (ROLLOUT.score(site.read(batch, asked)) for asked in (ROLLOUT.needs, OF_ALL_LAYERS))
    assert_close(alone, beside, rtol=0, atol=1e-12)


def test_documents_that_do_not_fit_at_once_have_the_same_scores():
    model, texts = tiny("llama"), documents((7, 5, 3))
    with in_float64():
        readings = [site_of("llama", "layer:-1", memory=memory).read(batch_of(model, texts), OF_ALL_LAYERS)
                    for memory in (1e9, 1.0)]  # fmt: skip
        for ranking in ATTENTION_MAPS:
            whole, apart = (ranking.score(reading) for reading in readings)
            assert_close(whole, apart, rtol=0, atol=1e-12)


def test_rollout_by_hand():
    """One head and two layers of two tokens.

    Layer 0 mixes (1/2, 1/2) and (0, 1) with the residual: rows (3/4, 1/4) and (0, 1). Layer 1 mixes (0, 1) and (1, 0):
    rows (1/2, 1/2) twice. The first row of their product is 1/2 (3/4, 1/4) + 1/2 (0, 1) = (3/8, 5/8).
    """
    layers = [torch.tensor([[[[0.5, 0.5], [0.0, 1.0]]]]), torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])]
    mixed = [mixed_with_residual(weights) for weights in layers]
    first = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert roll_out(first, mixed).tolist() == [[0.375, 0.625]]


def test_a_row_of_zeros_stays_one():
    shares = shares_of_rows(torch.tensor([[[1.0, 3.0], [0.0, 0.0]]], dtype=torch.float64))
    assert shares.tolist() == [[[0.25, 0.75], [0.0, 0.0]]]
