"""Every layer and head from one reading, against a site that is opened and read for each by itself."""

import pytest
import torch
from torch.testing import assert_close

from eraserhead.errors import UserError
from eraserhead.sites.inside.every_layer import EveryLayer
from families import HEADS, LAYERS, VARIANTS, batch_of, documents, in_float64, slow, tiny
from inside_sites import keep_without, passes_of, random_sets, reading_of, site_of
from readings import evaluated

GIVEN = ("margin_gradient", "margin_product", "gradient", "product")


def every_layer(name: str, left_out: tuple[int, ...] = (), layers=None) -> EveryLayer:
    return EveryLayer(site_of(name, "layer:0", left_out=left_out), layers)


@pytest.mark.parametrize("name", VARIANTS)
def test_each_place_is_read_and_erased_as_a_site_of_its_own(name):
    """All heads, and one head of each layer, another in each; nothing erased gives the model's own logits."""
    texts = documents()
    with in_float64():
        found = every_layer(name).read(batch_of(tiny(name), texts))
        own = tiny(name)(**batch_of(tiny(name), texts)).logits
    assert [each.layer for each in found] == list(range(LAYERS))
    for layer, read in enumerate(found):
        for head in (None, (layer + 1) % HEADS):
            expected = reading_of(name, f"layer:{layer}", None if head is None else (head,))
            reading = read.reading(head)
            sets = keep_without(reading, random_sets(texts, 2, slow(name)))
            with in_float64():
                erased, as_site = evaluated(reading, sets), evaluated(expected, sets)
            assert_close(erased, as_site, rtol=0, atol=1e-10)
            assert_close(erased[:, 0], own, rtol=0, atol=1e-10)
            assert_close(reading.unerased.logits, own, rtol=0, atol=1e-10)
            assert (erased[:, 1] - erased[:, 0]).abs().max() > 1e-5
            assert_close(reading.weights, expected.weights, rtol=0, atol=1e-12)
            assert torch.equal(reading.model_decision, expected.model_decision)
            for signal in GIVEN:
                assert_close(reading.signals[signal], expected.signals[signal], rtol=1e-9, atol=1e-12)


def test_what_is_no_component_is_never_erased_at_any_place():
    texts, left_out = documents(), (2, 3)
    with in_float64():
        read = every_layer("bert", left_out, layers=[1]).read(batch_of(tiny("bert"), texts))[0]
        expected = reading_of("bert", "layer:1", (2,), left_out)
        reading = read.reading(2)
        keep = torch.zeros(len(texts), 1, reading.mask.shape[1], dtype=torch.bool)
        assert_close(evaluated(reading, keep), evaluated(expected, keep), rtol=0, atol=1e-10)
    assert reading.lengths.tolist() == [len(text) - 2 for text in texts]
    assert_close(reading.outside, expected.outside, rtol=0, atol=1e-12)


def test_the_model_is_run_once_whatever_the_number_of_layers():
    """Each layer's gradients and its own decision run from the layer upwards; no pass but the first is below it."""
    model, first_runs = tiny("bert"), []
    layers = model.base_model.encoder.layer
    site = every_layer("bert")
    hook = layers[0].intermediate.dense.register_forward_pre_hook(lambda module, args: first_runs.append(args[0].shape))
    with passes_of(model, single=False):
        site.read(batch_of(model, documents()))
    hook.remove()
    # The reading; of layer 0 its own undisturbed decision, and its gradients: single positions each.
    whole = [shape for shape in first_runs if shape[1] > 1]
    assert len(whole) == 1


def test_a_batch_stays_within_the_memory_budget():
    """Three layers, 24 wide in float64, hold four vectors of each token: 2,304 bytes a token."""
    site = every_layer("bert")
    assert site.tokens_at_once == site.runner.budget.tokens
    small = EveryLayer(site_of("bert", "layer:0", memory=1e6))
    assert small.tokens_at_once == 1_000_000 // (3 * 4 * 24 * 8)


@pytest.mark.parametrize("layers", [[3], [-4], [0, 7], []])
def test_layers_that_do_not_exist_are_refused(layers):
    with pytest.raises(UserError, match="the model has 3 layers, numbered from 0 to 2"):
        every_layer("bert", layers=layers)


def test_layers_count_from_the_last_too():
    assert every_layer("bert", layers=[-1, 0, 2]).layers == (0, 2)
