"""How much of a classifier runs at a time."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from eraserhead.patch.interface import erasable
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import parse_inside
from families import HEADS, LAYERS, batch_of, documents, in_float64, new_model, tiny
from inside_sites import SIGNALS, dealt, keep_without, passes_of, site_of
from readings import evaluated, numbers


@dealt(shift=1)
def test_one_row_runs_at_a_time_where_memory_is_short(name, place):
    model, texts = tiny(name), documents((5, 3))
    sets = [[{0}, {1, 2}], [{2}, {0}]]
    wide, narrow = site_of(name, place), site_of(name, place, memory=1.0)
    with in_float64(), passes_of(model) as passes:
        plenty = wide.read(batch_of(model, texts), SIGNALS)
        passes.clear()
        expected = evaluated(plenty, keep_without(plenty, sets))
        # At `all`, rows that lose the position that is read take a mask of their own, and run apart.
        assert {rows for rows, _ in passes} in ({4}, {1, 3} if place == "all" else {4})
        passes.clear()
        short = narrow.read(batch_of(model, texts), SIGNALS)
        found = evaluated(short, keep_without(short, sets))
    read = 1 + wide.runner.reads_one_row  # the batch is read as it comes, and then the last layer's rows
    assert passes[:read] == [(2, 5), (2, 1)][:read]
    others = passes[read:]
    assert {rows for rows, _ in others} == {1}
    assert_close(found, expected, rtol=0, atol=1e-10)
    exact = numbers(plenty)
    for number, values in numbers(short).items():
        assert_close(values, exact[number], rtol=0, atol=1e-10)


@pytest.mark.parametrize(("layers", "keys", "row"), [(1, None, 1730), (3, None, 3 * 1730), (1, 7, 1890)])
def test_rows_at_a_time_follow_from_memory(layers, keys, row):
    """A row of 5 tokens: 8 hidden vectors of 24 and 2 of 37 a token, and 4 times 4 heads of 5 by 5 (or 7) weights.

    5 * (8 * 24 + 2 * 37) + 4 * 5 * 4 * 5 = 1,730 numbers of 8 bytes; one row in any case.
    """
    runner = site_of("bert", "layer:0").runner
    for memory, expected in ((3 * 8 * row, 3), (3 * 8 * row - 1, 2), (1, 1)):
        short = replace(runner, budget=replace(runner.budget, memory=float(memory)))
        assert short.rows(5, layers, keys) == expected


@pytest.mark.parametrize(
    ("place", "calls"),
    [("encoder:1", 5), ("decoder:0", 4), ("decoder:1:all", 2), ("cross:0", 3), ("cross:1", 1), ("all", 6)],
)
def test_gradients_need_memory_for_every_attention_from_the_site_upwards(place, calls):
    """Six of two layers of an encoder and two of a decoder; rows of 1,730 numbers as above, two of them at a time."""
    model, texts = tiny("t5"), documents((5,) * 5)
    site = site_of("t5", place, memory=2.0 * 8 * 1730 * calls)
    with passes_of(model) as passes:
        site.read(batch_of(model, texts), SIGNALS)
    assert passes[-3:] == [(2, 5), (2, 5), (1, 5)]


def beside(module: nn.Module, args: object, output: Tensor) -> Tensor:
    """Every position also gets what the first two have."""
    return output + output[:, :2].mean(1, keepdim=True)


def several(module: nn.Module, args: object, output: Tensor) -> Tensor:
    """Documents of one token are refused."""
    return output[:, [*range(output.shape[1]), 1]][:, :-1]


@pytest.mark.parametrize("mixed", [beside, several])
def test_a_last_layer_that_needs_other_positions_runs_whole(mixed):
    """Behind the attention; what is found by a run of the opened model, whatever its family does."""
    model, texts = new_model("bert"), documents((7, 5))
    keep = torch.ones(2, 3, 7, dtype=torch.bool).tril(2)
    for changed in (False, True):
        if changed:
            model.bert.encoder.layer[-1].output.register_forward_hook(mixed)
        site = SelfAttentionSite(model, parse_inside("all"))
        assert site.runner.reads_one_row is not changed
        reading = site.read(batch_of(model, texts), ())
        masks = dict.fromkeys(range(LAYERS), keep.view(2, 3, 1, 1, 7))
        repeated = {name: values.repeat_interleave(3, 0) for name, values in batch_of(model, texts).items()}
        with erasable(model), torch.no_grad():
            expected = model(**repeated, attention_keep=masks).logits.unflatten(0, (2, 3))
        assert_close(evaluated(reading, keep), expected, rtol=0, atol=1e-10)


def test_no_more_rows_run_than_suit_the_device():
    """11 tokens at a time: two rows of 5, and one of 12."""
    runner = site_of("bert", "layer:0").runner
    short = replace(runner, budget=replace(runner.budget, replayed_tokens=11))
    assert [short.rows(tokens) for tokens in (1, 5, 6, 12)] == [11, 2, 1, 1]


def test_masks_reach_the_heads_that_are_erased():
    keep = torch.tensor([[True, False, True]]).view(1, 1, 1, 1, 3)
    assert torch.equal(site_of("bert", "layer:0").runner.in_heads(keep), keep)
    some = site_of("bert", "layer:0", (1, 3)).runner.in_heads(keep)
    assert some[0, 0, :, 0, 1].tolist() == [True, False, True, False]
    assert some[..., [0, 2]].all()
    assert some.shape[2] == HEADS
