"""Models that see padding: documents of one length are read together, against edited softmaxes of single documents."""

import copy

import pytest
import torch
from torch.testing import assert_close

from eraserhead.patch.dry_run import find_layers
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import parse_inside
from families import EQUAL_LENGTHS, LAYERS, PLACES, Slow, batch_of, documents, in_float64, slow, tiny
from inside_sites import SIGNALS, entries_of, keep_without, means_over, random_sets
from readings import evaluated, numbers

pytestmark = pytest.mark.slow

LENGTHS = (7, 7, 7)

every_site = pytest.mark.parametrize(
    ("name", "place", "heads"),
    [
        (name, place, (0, 3) if (row + column) % 2 else None)
        for row, name in enumerate(EQUAL_LENGTHS)
        for column, place in enumerate(PLACES)
    ],
)


@every_site
def test_erasing_equals_an_edited_softmax_of_one_document_at_a_time(name, place, heads):
    texts, oracle = documents(LENGTHS), slow(name)
    sets = random_sets(texts, 2, oracle)
    with in_float64():
        reading = SelfAttentionSite(tiny(name), parse_inside(place), heads).read(batch_of(tiny(name), texts), SIGNALS)
        found = evaluated(reading, keep_without(reading, sets))
        own = tiny(name)(**batch_of(tiny(name), texts)).logits
    assert_close(reading.unerased.logits, own, rtol=0, atol=1e-10)
    for row, ids in enumerate(texts):
        expected = torch.stack([oracle.erased(ids, place, each, heads) for each in sets[row]])
        assert_close(found[row], expected, rtol=0, atol=1e-10)
    assert (found[:, 1] - found[:, 0]).abs().max() > 1e-3
    assert (found[:, 3:] - found[:, :1]).abs().max() > 1e-3


@every_site
def test_weights_gradients_and_products_are_sums_over_the_entries(name, place, heads):
    texts = documents(LENGTHS)
    with in_float64():
        found = numbers(
            SelfAttentionSite(tiny(name), parse_inside(place), heads).read(batch_of(tiny(name), texts), SIGNALS)
        )
    weights, slopes = entries_of(slow(name), texts[1], place, heads)
    assert_close(found["weights"][1], means_over(weights), rtol=0, atol=1e-10)
    assert_close(found["gradient"][1], slopes.sum((0, 1, 2)), rtol=1e-6, atol=1e-8)
    assert_close(found["product"][1], (weights * slopes).sum((0, 1, 2)), rtol=1e-6, atol=1e-8)
    assert slopes.abs().max() > 1e-5


@pytest.mark.parametrize("name", EQUAL_LENGTHS)
def test_padding_is_seen_and_then_refused(name):
    """Positive control: beside a longer document the model's own logits are others than alone."""
    model = tiny(name)
    assert find_layers(model).sees_padding
    assert len(find_layers(model)) == LAYERS
    long, short = texts = documents((7, 5))
    with torch.no_grad():
        alone = model(**batch_of(model, [short])).logits
        beside = model(**batch_of(model, texts)).logits[1:]
    assert (alone - beside).abs().max() > 1e-3
    site = SelfAttentionSite(model)
    assert (site.kind_of(long), site.kind_of(short)) == ((7, 0), (5, 0))
    with pytest.raises(ValueError, match="padding would change this model's decisions"):
        site.read(batch_of(model, texts), SIGNALS)


def test_documents_are_read_in_any_batch_where_padding_is_not_seen():
    site = SelfAttentionSite(tiny("bert"))
    assert not site.runner.layers.sees_padding
    assert [site.kind_of(ids) for ids in documents((7, 5))] == [(0, 0)] * 2


def test_rows_are_not_shortened_where_padding_is_seen():
    """Every embedding gets the mean of all: tokens that no attention sees still count."""
    model, texts = copy.deepcopy(tiny("bert")), documents((7, 7))
    model.bert.embeddings.register_forward_hook(lambda module, args, vectors: vectors + vectors.mean(1, keepdim=True))
    oracle = Slow(model)
    sets = random_sets(texts, 2, oracle)
    site = SelfAttentionSite(model, parse_inside("all"))
    assert site.runner.layers.sees_padding
    reading = site.read(batch_of(model, texts), ())
    found = evaluated(reading, keep_without(reading, sets))
    for row, ids in enumerate(texts):
        expected = torch.stack([oracle.erased(ids, "all", each) for each in sets[row]])
        assert_close(found[row], expected, rtol=0, atol=1e-10)
