"""How long each key's part of a layer's output is, against sums over heads with the model's own matrices."""

import numpy as np
import pytest
import torch
from transformers.pytorch_utils import Conv1D

from eraserhead.method.signals import VALUE_NORM
from eraserhead.patch.interface import AttentionRecord, erasable
from families import HEADS, VARIANTS, batch_of, documents, in_float64, tiny
from inside_sites import layers_of, site_of

# Families whose layer calls its output matrix by these names, queries that share keys, and matrices that are turned.
PROJECTIONS = {
    "bert": "attention.output.dense",
    "distilbert": "attention.out_lin",
    "gpt2": "attn.c_proj",
    "llama": "self_attn.o_proj",
    "modernbert": "attn.Wo",
}


def expected(name: str, layer: int, heads: tuple[int, ...] | None, batch) -> np.ndarray:
    """The lengths for every token of every document, head by head."""
    model, layers = tiny(name), layers_of(tiny(name))
    record = AttentionRecord(layers=(layer,), state_layers=(layer,))
    with erasable(model), torch.no_grad():
        model(**batch, attention_record=record)
    weights = record.weights[layer].double().numpy()  # [documents, heads, queries, keys]
    values = record.states[layer].value.double().numpy()
    values = np.repeat(values, weights.shape[1] // values.shape[1], axis=1)
    module = layers.modules[layer].get_submodule(PROJECTIONS[name])
    matrix = module.weight.detach().double().numpy()
    matrix = matrix.T if isinstance(module, Conv1D) else matrix  # [out, heads x size]
    blocks = matrix.reshape(len(matrix), weights.shape[1], -1)
    parts = np.zeros((*weights.shape[::2][:1], weights.shape[3], len(matrix)))
    site = site_of(name, f"layer:{layer}")
    read_out = site.runner.batch(batch).read_out.numpy()
    for document, query in enumerate(read_out):
        for head in range(HEADS) if heads is None else heads:
            for key in range(weights.shape[3]):
                weight = weights[document, head, query, key]
                parts[document, key] += weight * blocks[:, head] @ values[document, head, key]
    return np.sqrt((parts**2).sum(-1))


@pytest.mark.parametrize("heads", [None, (0, 3)], ids=["all heads", "two heads"])
@pytest.mark.parametrize("name", PROJECTIONS)
def test_value_norms_are_the_lengths_of_the_summed_parts_of_all_heads(name, heads):
    for layer in (0, 1):
        with in_float64():
            batch = batch_of(tiny(name), documents((5, 9)))
            reading = site_of(name, f"layer:{layer}", heads).read(batch, {VALUE_NORM})
            lengths = expected(name, layer, heads, batch)
        for row in range(2):
            own = reading.mask[row]
            found = reading.signals[VALUE_NORM][row].numpy()
            places = reading.positions[row][own].numpy()
            np.testing.assert_allclose(found[own.numpy()], lengths[row][places], rtol=1e-9, atol=1e-12)
            assert (found[~own.numpy()] == 0).all()
            assert len(np.unique(found)) > 2


@pytest.mark.parametrize("name", VARIANTS)
def test_a_site_gives_value_norms_where_its_attention_goes_through_one_matrix(name):
    """Or says that it does not: where each query is erased, or the family keeps its attention to itself."""
    site = site_of(name, "layer:0")
    assert (VALUE_NORM in site.gives) == (site.projection is not None)
    if VALUE_NORM in site.gives:
        with in_float64():
            reading = site.read(batch_of(tiny(name), documents((5, 9))), {VALUE_NORM})
        assert reading.signals[VALUE_NORM].isfinite().all()
    assert VALUE_NORM not in site_of(name, "layer:0:all").gives
    assert VALUE_NORM not in site_of(name, "layer:-1:all").gives
