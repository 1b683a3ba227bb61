"""Models with an encoder and a decoder: what sites read and erase, against edited softmaxes of single documents."""

import copy
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from transformers import PreTrainedModel

from eraserhead.errors import UserError
from eraserhead.patch.dry_run import find_layers
from eraserhead.patch.families import FAMILIES, ReadOut
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import InsideName, parse_inside
from families import (
    CLOSES,
    ENCODER_DECODERS,
    EQUAL_LENGTHS,
    HEADS,
    OPENS,
    VARIANTS,
    batch_of,
    documents,
    in_float64,
    tiny,
)
from inside_sites import SIGNALS, keep_without
from readings import evaluated, numbers

pytestmark = pytest.mark.slow

# Two layers of the encoder, then the decoder's: twice its own attention, and that to the encoder.
KINDS = ("encoder", "encoder", "decoder", "cross", "decoder", "cross")
# Calls of attention, and whether weights are erased from every query or from the end of the text alone.
SITES: dict[str, tuple[tuple[int, ...], bool]] = {
    "encoder:0": ((0,), True), "encoder:-1": ((1,), True), "decoder:0": ((2,), False), "decoder:1:all": ((4,), True),
    "cross:-1": ((5,), False), "cross:0": ((3,), False), "cross:0:all": ((3,), True), "all": (tuple(range(6)), True),
}  # fmt: skip
LENGTHS = (7, 5, 3)
Edit = Callable[[int, Tensor], Tensor]


@contextmanager
def softmax_edited(edit: Edit) -> Iterator[None]:
    softmax, calls = torch.nn.functional.softmax, iter(range(len(KINDS)))

    def edited(scores: Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        weights = softmax(scores, dim=dim, dtype=dtype)
        return edit(next(calls), weights) if weights.dim() == 4 else weights

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "softmax", edited)
        yield
    assert next(calls, None) is None


@cache
def eager(name: str) -> PreTrainedModel:
    model = copy.deepcopy(tiny(name))
    model.set_attn_implementation("eager")
    return model


@torch.no_grad()
def logits(name: str, ids: Sequence[int], edit: Edit, rows: int = 1) -> Tensor:
    with in_float64(), softmax_edited(edit):
        return eager(name)(input_ids=torch.tensor([list(ids)] * rows)).logits


def entries(name: str, place: str, ids: Sequence[int], heads: Sequence[int] | None):
    """Call, head, query, key and the token of the key, of every entry of a site.

    A decoder reads the start of every document, and then the document without its end; mBART's reads the end first.
    """
    calls, every_query = SITES[place]
    length, wraps = len(ids), FAMILIES[name].wraps
    end = max(position for position, token in enumerate(ids) if token == CLOSES)
    queries = range(length) if every_query else (end,)
    return [
        (call, head, query, (token + 1) % length if KINDS[call] == "decoder" else token, token)
        for call, head, query, token in itertools.product(calls, heads or range(HEADS), queries, range(length))
        if KINDS[call] != "decoder" or token < length - 1 or wraps
    ]


def erased_logits(name: str, ids: Sequence[int], place: str, tokens: Collection[int], heads: Sequence[int] | None):
    gone = torch.zeros(len(KINDS), HEADS, len(ids), len(ids), dtype=torch.bool)
    for call, head, query, key, token in entries(name, place, ids, heads):
        gone[call, head, query, key] = token in tokens

    def erase(call: int, weights: Tensor) -> Tensor:
        kept = weights.masked_fill(gone[call], 0.0)
        mass = kept.sum(-1, keepdim=True)
        left = torch.where(mass > 0, kept / mass, torch.zeros_like(kept))
        return torch.where(gone[call].any(-1, keepdim=True), left, weights)

    return logits(name, ids, erase)[0]


def signals_of_tokens(name: str, ids: Sequence[int], place: str, heads: Sequence[int] | None) -> dict[str, Tensor]:
    """Means of weights, and sums of central differences and of weights times differences, over a token's entries."""
    found = entries(name, place, ids, heads)
    places = torch.tensor(found)
    seen: list[Tensor] = []

    def keep(call: int, weights: Tensor) -> Tensor:
        seen.append(weights[0])
        return weights

    decision, step = logits(name, ids, keep)[0].argmax(), 1e-5
    weights = torch.stack(seen)[tuple(places[:, :4].T)]

    def perturb(call: int, weights: Tensor) -> Tensor:
        weights = weights.clone()
        for sign, first in ((1, 0), (-1, len(found))):
            rows = (places[:, 0] == call).nonzero().squeeze(1)
            weights[(first + rows, *places[rows, 1:4].T)] += sign * step
        return weights

    above, below = logits(name, ids, perturb, 2 * len(found)).softmax(-1)[:, decision].chunk(2)
    slopes = (above - below) / (2 * step)
    allowed = weights > 0

    def over(values: Tensor) -> Tensor:
        return torch.zeros(len(ids)).double().index_add(0, places[:, 4], values)

    means = over(weights) / over(allowed.double()).clamp(min=1)
    return {
        "weights": means / means.sum(),
        "gradient": over(slopes * allowed),
        "product": over(weights * slopes),
    }


every_site = pytest.mark.parametrize(
    ("name", "place", "heads"),
    [
        (name, place, (0, 3) if (row + column) % 3 == 0 else None)
        for row, name in enumerate(ENCODER_DECODERS)
        for column, place in enumerate(SITES)
    ],
)


def test_every_family_of_the_table_is_in_one_oracle_or_the_other():
    families = {family for family, _ in VARIANTS.values()}
    equal = {family for family, _ in EQUAL_LENGTHS.values()}
    assert families | equal | set(ENCODER_DECODERS) == set(FAMILIES)
    assert not (families | equal) & set(ENCODER_DECODERS)


@every_site
def test_erasing_equals_an_edited_softmax_of_one_document_at_a_time(name, place, heads):
    """In a padded batch; the first tokens, the last, several, everything, nothing; another token is told from it."""
    texts = documents(LENGTHS)
    sets = [[{0}, {len(ids) - 1}, {0, len(ids) // 2}, set(range(len(ids))), set()] for ids in texts]
    with in_float64():
        site = SelfAttentionSite(tiny(name), parse_inside(place), heads)
        reading = site.read(batch_of(tiny(name), texts), SIGNALS)
        found = evaluated(reading, keep_without(reading, sets))
        own = tiny(name)(**batch_of(tiny(name), texts)).logits
    assert_close(reading.unerased.logits, own, rtol=0, atol=1e-10)
    for row, ids in enumerate(texts):
        expected = torch.stack([erased_logits(name, ids, place, each, heads) for each in sets[row]])
        assert_close(found[row], expected, rtol=0, atol=1e-10)
    assert (found[:, 3] - found[:, 4]).abs().max() > 1e-3
    assert (found[:, 0] - found[:, 2]).abs().max() > 1e-5


@pytest.mark.parametrize(("name", "place"), [("bart", "decoder:0"), ("mbart", "cross:0:all"), ("t5", "all")])
def test_the_classifier_sees_the_decoders_state_at_the_end_of_the_text(name, place):
    texts, states = documents(LENGTHS), []
    sets = [[{0}, {0, len(ids) // 2}, set()] for ids in texts]
    with in_float64():
        reading = SelfAttentionSite(tiny(name), parse_inside(place)).read(batch_of(tiny(name), texts), ())
        found = reading.seen(torch.arange(len(texts)), keep_without(reading, sets))
    assert found is not None
    hook = eager(name).base_model.register_forward_hook(lambda module, args, output: states.append(output[0]))
    for row, ids in enumerate(texts):
        for number, erased in enumerate(sets[row]):
            erased_logits(name, ids, place, erased, None)
            assert_close(found[row, number], states.pop()[0, len(ids) - 1], rtol=0, atol=1e-9)
    hook.remove()
    assert (found[:, 0] - found[:, 2]).abs().max() > 1e-5


@pytest.mark.parametrize("place", ["decoder:0", "cross:-1", "decoder:1:all", "all"])
@pytest.mark.parametrize("name", ["bart", "mbart", "t5"])
def test_the_last_of_several_ends_is_read_also_where_a_language_follows(name, place):
    """mBART's texts are ``words </s> language``; a text that holds the end itself has two of them."""
    long, short = documents((7, 5))
    texts = [[*long[:3], CLOSES, *long[4:], 11], [short[0], CLOSES, *short[2:], 13]]
    sets = [[{0}, {len(ids) - 1}, {1, len(ids) // 2}, set()] for ids in texts]
    with in_float64():
        reading = SelfAttentionSite(tiny(name), parse_inside(place)).read(batch_of(tiny(name), texts), SIGNALS)
        found, read = evaluated(reading, keep_without(reading, sets)), numbers(reading)
    for row, ids in enumerate(texts):
        expected = torch.stack([erased_logits(name, ids, place, each, None) for each in sets[row]])
        assert_close(found[row], expected, rtol=0, atol=1e-10)
        for signal, values in signals_of_tokens(name, ids, place, None).items():
            assert_close(read[signal][row, : len(ids)], values, rtol=1e-6, atol=1e-8)
    assert (found[:, 0] - found[:, 2]).abs().max() > 1e-5


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_documents_with_as_many_ends_are_read_together(name):
    """As the model's own classifier demands; the family's message is the control."""
    ids = documents((7,))[0]
    two = [*ids[:3], CLOSES, *ids[4:]]
    site = SelfAttentionSite(tiny(name))
    assert [site.kind_of(each) for each in (ids, two)] == [(0, 1), (0, 2)]
    with pytest.raises(Exception, match="same number of <eos> tokens"), torch.no_grad():
        tiny(name)(**batch_of(tiny(name), [ids, two]))


def test_documents_of_one_length_have_as_many_ends_too_where_padding_is_seen():
    """Every embedding of the encoder gets the mean of all; the dry run's documents each have their end."""
    model = copy.deepcopy(tiny("bart"))
    spread = model.model.encoder.layernorm_embedding
    spread.register_forward_hook(lambda module, args, vectors: vectors + vectors.mean(1, keepdim=True))
    site = SelfAttentionSite(model)
    assert site.runner.layers.sees_padding
    long, short = documents((7, 5))
    assert [site.kind_of(each) for each in (long, [*long[:3], CLOSES, *long[4:]], short)] == [(7, 1), (7, 2), (5, 1)]


@every_site
def test_weights_gradients_and_products_are_sums_over_the_entries(name, place, heads):
    texts = documents(LENGTHS)
    with in_float64():
        reading = SelfAttentionSite(tiny(name), parse_inside(place), heads).read(batch_of(tiny(name), texts), SIGNALS)
        found = numbers(reading)
    ids = texts[1]
    for signal, expected in signals_of_tokens(name, ids, place, heads).items():
        assert_close(found[signal][1, : len(ids)], expected, rtol=1e-6, atol=1e-8)
        assert expected.abs().max() > 1e-5
        assert not found[signal][1, len(ids) :].any()


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_a_document_gives_the_same_alone_and_beside_longer_ones(name):
    texts = documents(LENGTHS)
    with in_float64():
        site = SelfAttentionSite(tiny(name), parse_inside("all"), left_out=(OPENS, CLOSES))
        together = site.read(batch_of(tiny(name), texts), SIGNALS)
        alone = site.read(batch_of(tiny(name), texts[1:2]), SIGNALS)
    assert alone.lengths.tolist() == [LENGTHS[1] - 2]
    for signal, values in numbers(alone).items():
        assert_close(values[0], numbers(together)[signal][1, : values.shape[1]], rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_the_decision_is_read_from_the_end_of_the_text(name):
    layers = find_layers(tiny(name))
    assert (len(layers), layers.encoder, layers.attentions, layers.read_out) == (4, 2, 6, ReadOut.LAST)


def test_the_default_is_the_last_cross_attention():
    assert str(SelfAttentionSite(tiny("bart")).name) == "cross:1"


@pytest.mark.parametrize(
    ("name", "place", "match"),
    [
        (
            "bart",
            "layer:0",
            r"'BART' model has an encoder and a decoder; choose encoder:L, decoder:L, cross:L or all",
        ),
        ("bert", "cross:0", r"site='cross:0': a 'BERT' model has layers of one kind; choose layer:L or all"),
        ("bart", "encoder:2", "its encoder has 2 layers, numbered from 0 to 1"),
        ("t5", "cross:-3", "its decoder has 2 layers, numbered from 0 to 1"),
    ],
)
def test_sites_of_the_other_kind_of_model_are_refused(name, place, match):
    with pytest.raises(UserError, match=match):
        SelfAttentionSite(tiny(name), parse_inside(place))


@pytest.mark.parametrize("place", [*SITES, "layer:2", "layer:2:all"])
def test_names_are_written_as_they_are_read(place):
    assert str(parse_inside(place)) == place


@pytest.mark.parametrize(
    ("given", "settled"),
    [
        (InsideName(0, False, "encoder"), InsideName(0, True, "encoder")),
        (parse_inside("encoder:0:all"), InsideName(0, True, "encoder")),
        (InsideName(None, False), InsideName(None, True)),
        (InsideName(-1, False, "cross"), InsideName(1, False, "cross")),
    ],
)
def test_every_query_is_erased_from_where_no_position_is_read_alone(given, settled):
    """However the name came about."""
    assert SelfAttentionSite(tiny("bart"), given).name == settled
