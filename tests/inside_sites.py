"""Sites inside the tiny classifiers of every family, what they read, and which of them a test looks at."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.method.reading import Reading
from eraserhead.method.replayed import ReplayedReading
from eraserhead.patch.dry_run import find_layers
from eraserhead.patch.families import FAMILIES, Route
from eraserhead.patch.passes import PASS
from eraserhead.rankings.registry import registered, signals_of
from eraserhead.sites.budget import budget_for
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import parse_inside
from families import LAYERS, PLACES, VARIANTS, Slow, batch_of, documents, in_float64, tiny

SIGNALS = signals_of(registered())
FROM_THE_READ_OUT = ("layer:-1", "layer:0", "layer:1")


def dealt(places: Sequence[str] = tuple(PLACES), shift: int = 0, names: Sequence[str] = tuple(VARIANTS)):
    """Parametrise by every variant and every place, each variant at one of the places.

    For what a family and a place can each break, but not both together; tests that differ in `shift` look at different
    pairs, so that all tests together come close to the full product.
    """
    pairs = [(name, places[(number + shift) % len(places)]) for number, name in enumerate(names)]
    assert {place for _, place in pairs} == set(places)
    return pytest.mark.parametrize(("name", "place"), pairs)


def ways_of(number: int, name: str) -> list[str]:
    """One place for each way in which a variant is replayed.

    From the read-out position in the last layer and in a lower one (by another class, where attention is reached by the
    interface), from every query of a layer (of the last one on single positions), and in all layers.
    """
    if FAMILIES[VARIANTS[name][0]].route is Route.INTERFACE:
        return ["layer:-1", FROM_THE_READ_OUT[1 + number % 2], ("layer:1:all", "layer:-1:all")[number // 2 % 2], "all"]
    return [FROM_THE_READ_OUT[number % 3], "layer:1:all", "all"]


# Every variant in every way in which it is replayed, of which every other erases all heads, the others two of them.
every_way = pytest.mark.parametrize(
    ("name", "place", "heads"),
    [
        (name, place, None if (number + way) % 2 else (0, 3))
        for number, name in enumerate(VARIANTS)
        for way, place in enumerate(ways_of(number, name))
    ],
)


layers_of = cache(find_layers)  # a dozen passes; tested for itself


@cache
def site_of(
    name: str,
    place: str,
    heads: tuple[int, ...] | None = None,
    left_out: tuple[int, ...] = (),
    memory: float = 1e9,
    shorten: bool = True,
) -> SelfAttentionSite:
    """The one site that tests share; all sites of a model share its layers."""
    budget = replace(budget_for(torch.device("cpu")), memory=memory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eraserhead.sites.inside.site.find_layers", layers_of)
        return SelfAttentionSite(tiny(name), parse_inside(place), heads, left_out, budget, shorten)


@cache
def reading_of(
    name: str, place: str, heads: tuple[int, ...] | None = None, left_out: tuple[int, ...] = ()
) -> ReplayedReading:
    """What a site reads of `documents()`."""
    with in_float64():
        return site_of(name, place, heads, left_out).read(batch_of(tiny(name), documents()), SIGNALS)


def keep_without(
    reading: Reading, erased: Sequence[Sequence[Collection[int]]], rows: Sequence[int] | None = None
) -> Tensor:
    """Keep masks [documents, erasures, components] from the positions erased of each document.

    What is said about padding must not matter: half of it is kept, half erased.
    """
    keep = torch.ones(len(erased), len(erased[0]), reading.mask.shape[1], dtype=torch.bool)
    for at, (row, sets) in enumerate(zip(range(len(erased)) if rows is None else rows, erased, strict=True)):
        for number, positions in enumerate(sets):
            for component, position in enumerate(reading.positions[row].tolist()):
                padding = not reading.mask[row, component]
                keep[at, number, component] = component % 2 == 0 if padding else position not in positions
    return keep


@contextmanager
def passes_of(model: PreTrainedModel, single: bool = True) -> Iterator[list[tuple[int, int]]]:
    """Rows and tokens of each forward pass; with or without those in which a layer runs on single positions."""
    shapes: list[tuple[int, int]] = []

    def note(module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        if single or PASS not in kwargs or not kwargs[PASS].outputs:
            shapes.append(tuple(kwargs["input_ids"].shape))

    hook = model.register_forward_pre_hook(note, with_kwargs=True)
    yield shapes
    hook.remove()


def random_sets(texts: Sequence[Sequence[int]], count: int, oracle: Slow) -> list[list[set[int]]]:
    """Positions of each document: none, all, the one that is read (or the first that is), and random ones."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for ids in texts:
        drawn = torch.rand((count, len(ids)), generator=generator) < 0.4
        several = [set(row.nonzero().squeeze(1).tolist()) for row in drawn]
        found.append([set(), set(range(len(ids))), {oracle.read_from(len(ids))[0]}, *several])
    return found


def entries_of(oracle: Slow, ids: list[int], place: str, heads: Sequence[int] | None) -> tuple[Tensor, Tensor]:
    """Weights and slopes of a site, [layers, heads, queries, keys]; 0 both where the model's own mask forbids one."""
    layers, chosen, queries = (torch.tensor([*axis]) for axis in oracle.entries(ids, place, heads))
    weights = oracle.weights(ids)[layers[:, None, None], chosen[:, None], queries]
    return weights, oracle.slopes(ids, place, heads).masked_fill(weights == 0, 0.0)


def means_over(weights: Tensor) -> Tensor:
    """Mean of each key's weights over what the model's own mask allows, as shares of their sum."""
    means = weights.sum((0, 1, 2)) / (weights > 0).sum((0, 1, 2)).clamp(min=1)
    return means / means.sum()


def positions_run(name: str, place: str) -> list[int]:
    """Positions that pass through each layer's feed-forward part in a replay of 3 erasures of 2 documents each."""
    model, counts = tiny(name), [0] * LAYERS
    reading = site_of(name, place).read(batch_of(model, documents((7, 5))), ())

    def count(layer: int, module: torch.nn.Module, args: tuple[Tensor]) -> None:
        counts[layer] += args[0].shape[:-1].numel()

    hooks = [
        layer.intermediate.dense.register_forward_pre_hook(partial(count, number))
        for number, layer in enumerate(model.base_model.encoder.layer)
    ]
    reading.evaluate(torch.arange(2), keep_without(reading, [[{0}, {1}, {2}]] * 2))
    for hook in hooks:
        hook.remove()
    return counts
