"""What the classifier of a hub model sees, against the hidden states of single documents with edited softmaxes."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from eraserhead.sites.inside.head_input import encoder_of
from families import batch_of, documents, in_float64, new_model, slow, tiny
from inside_sites import dealt, keep_without, random_sets, reading_of, site_of

pytestmark = pytest.mark.slow


def seen_slowly(name: str, ids: list[int], place: str, erased: set[int]) -> Tensor:
    """The mean of the hidden states that the classifier reads, of a document by itself."""
    oracle, states = slow(name), []
    positions = list(oracle.read_from(len(ids)))
    hook = oracle.model.base_model.register_forward_hook(lambda module, args, output: states.append(output[0]))
    oracle.erased(ids, place, erased)
    hook.remove()
    return states[0][0, positions].mean(0)


FEW = ("bert", "gpt2", "mpnet", "eurobert", "modernbert, mean")  # one for each kind of read-out and of replay


@dealt(names=FEW)
def test_the_classifier_sees_the_hidden_state_that_is_left(name, place):
    """Erased at random, all of it, nothing of it, and the token that is read."""
    texts, reading = documents(), reading_of(name, place)
    sets = random_sets(texts, 2, slow(name))
    with in_float64():
        found = reading.seen(torch.arange(len(texts)), keep_without(reading, sets))
    assert found is not None
    for row, ids in enumerate(texts):
        for number, erased in enumerate(sets[row]):
            expected = seen_slowly(name, ids, place, erased)
            assert_close(found[row, number], expected, rtol=0, atol=1e-9)
    assert (found[:, 1] - found[:, 0]).abs().max() > 1e-2


@pytest.mark.thorough
@dealt(shift=2)
def test_every_family_shows_what_its_classifier_sees(name, place):
    test_the_classifier_sees_the_hidden_state_that_is_left(name, place)


def test_a_set_that_repeats_is_replayed_once():
    """Of 2 documents 3 sets of different components, given five times each and for one document more than once."""
    reading, given = reading_of("bert", "layer:0"), []
    assert reading.vectors is not None
    replay = reading.vectors

    def noted(rows: Tensor, keep: Tensor) -> Tensor:
        given.extend(zip(rows.tolist(), map(tuple, keep[:, 0].tolist()), strict=True))
        return replay(rows, keep)

    object.__setattr__(reading, "vectors", noted)
    try:
        keep = keep_without(reading, [[{1}, {2}, {1}, {1}, set()]] * 3, rows=[0, 1, 0])
        reading.seen(torch.tensor([0, 1, 0]), keep)
    finally:
        object.__setattr__(reading, "vectors", replay)
    assert len(given) == len(set(given)) == 6


def test_a_model_without_an_encoder_of_its_own_shows_nothing():
    assert encoder_of(new_model("bert").base_model) is None  # pyright: ignore[reportArgumentType]
    assert encoder_of(new_model("bert")) is not None


def test_decisions_are_as_before_once_it_was_looked_at():
    site, batch = site_of("bert", "layer:1"), batch_of(tiny("bert"), documents())
    reading = site.read(batch, ())
    keep = reading.mask.unsqueeze(1)
    before = reading.evaluate(torch.arange(len(keep)), keep).logits
    seen = reading.seen(torch.arange(len(keep)), keep)
    assert seen is not None
    assert seen.shape[-1] == tiny("bert").config.hidden_size
    assert torch.equal(reading.evaluate(torch.arange(len(keep)), keep).logits, before)
