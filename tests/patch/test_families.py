"""Every family of the table: what the patch computes against the model's own eager attention, and what it leaves."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from transformers import PreTrainedConfig, PreTrainedModel

from eraserhead.errors import UserError
from eraserhead.patch.dry_run import find_layers
from eraserhead.patch.families import FAMILIES, ReadOut, read_out_positions, roberta_positions
from eraserhead.patch.interface import AttentionRecord, erasable
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import parse_inside
from families import (
    HEADS,
    LAYERS,
    LENGTHS,
    PLACES,
    VARIANTS,
    batch_of,
    documents,
    erasure_masks,
    in_float64,
    patched_logits,
    slow,
    softmax_edited,
    tiny,
)
from inside_sites import SIGNALS

every_variant = pytest.mark.parametrize("name", VARIANTS)
every_place = pytest.mark.parametrize("place", PLACES)


CHECKED = (1, 2, 4)  # documents that the slow way is asked about, one of them the shortest; the longest is padding's


def erasures_of(length: int) -> list[set[int]]:
    """Positions of a document: the first, the last, several, all but one, everything."""
    everything = set(range(length))
    return [{0}, {length - 1}, set(range(1, length, 2)), everything - {length // 2}, everything]


@every_variant
def test_erasing_nothing_is_the_models_own_eager_attention(name):
    """Weights and logits of a padded batch; the mask that keeps everything is given, so that our code computes them."""
    model, eager = tiny(name), slow(name).model
    batch = batch_of(model, documents())
    everything = torch.ones(len(LENGTHS), 1, 1, 1, max(LENGTHS), dtype=torch.bool)
    own: list[Tensor] = []

    def keep(layer: int, weights: Tensor) -> Tensor:
        own.append(weights)
        return weights

    with torch.no_grad(), in_float64():
        with softmax_edited(keep):
            logits = eager(**batch).logits
        record = AttentionRecord(layers=range(LAYERS))
        with erasable(model):
            masked = model(**batch, attention_keep=dict.fromkeys(range(LAYERS), everything)).logits
            recorded = model(**batch, attention_record=record).logits
    assert_close(masked, logits, rtol=0, atol=1e-12)
    assert_close(recorded, logits, rtol=0, atol=1e-12)
    queries = batch["attention_mask"].bool()[:, None, :, None]  # what padding attends to is nobody's business
    for layer in range(LAYERS):
        assert_close(record.weights[layer] * queries, own[layer] * queries, rtol=0, atol=1e-12)


@every_variant
def test_calls_that_erase_nothing_stay_the_models_own_bit_for_bit(name):
    model = tiny(name)
    padded, longest = batch_of(model, documents()), batch_of(model, documents(LENGTHS[:1]))
    unmasked = {"input_ids": longest["input_ids"]}
    for inputs in (padded, longest, unmasked):
        with torch.no_grad(), in_float64():
            before = model(**inputs).logits
            with erasable(model):
                inside = model(**inputs).logits
            after = model(**inputs).logits
        assert torch.equal(inside, before)
        assert torch.equal(after, before)
    with torch.no_grad(), erasable(model):
        everywhere = torch.zeros(len(LENGTHS), 1, 1, 1, max(LENGTHS), dtype=torch.bool)
        assert not torch.equal(model(**padded, attention_keep={0: everywhere}).logits, model(**padded).logits)


@every_place
@every_variant
def test_erasing_equals_an_edited_softmax_of_one_document_at_a_time(name, place):
    """The patch on a padded batch; a mask one position off has to be told from the right one."""
    model, oracle, texts = tiny(name), slow(name), documents()
    erased = [erasures_of(len(ids)) for ids in texts]
    beside = [[{(key + 1) % len(ids) for key in each} for each in erasures_of(len(ids))] for ids in texts]
    for heads in (None, (1,)):
        found = patched_logits(model, place, texts, erasure_masks(oracle, place, texts, erased, heads))
        expected = torch.stack(
            [torch.stack([oracle.erased(texts[row], place, each, heads) for each in erased[row]]) for row in CHECKED]
        )
        assert_close(found[[*CHECKED]], expected, rtol=0, atol=1e-10)
        shifted = patched_logits(model, place, texts, erasure_masks(oracle, place, texts, beside, heads))
        differences = (shifted[[*CHECKED]] - expected)[:, :-1].abs().amax(2)  # everything stays everything
        assert differences.max() > 1e-2
        assert (differences > 1e-4).double().mean() > 0.5


@every_variant
def test_the_table_says_what_the_classifier_reads(name):
    """By gradients of the logits with respect to the last layer's token vectors."""
    model = tiny(name)
    read_out = FAMILIES[VARIANTS[name][0]].read_out_of(model.config)
    ids = batch_of(model, documents())["input_ids"]
    positions = read_out_positions(read_out, ids, model.config.pad_token_id).tolist()
    for length, position in zip(LENGTHS, positions, strict=True):
        read = slow(name).read_from(length)
        assert read == (tuple(range(length)) if read_out.name == "MEAN" else (position,))


def test_the_last_token_is_the_rightmost_id_that_is_not_padding():
    """Wherever padding stands, as transformers' classifiers have it; without an id of padding it is the last."""
    ids = torch.tensor([[7, 8, 9], [7, 8, 0], [7, 0, 0], [0, 8, 9], [7, 0, 9], [0, 8, 0], [0, 0, 0]])
    assert read_out_positions(ReadOut.LAST, ids, 0).tolist() == [2, 1, 0, 2, 2, 1, 0]
    assert read_out_positions(ReadOut.LAST, ids, None).tolist() == [2] * 7
    assert read_out_positions(ReadOut.FIRST, ids, 0).tolist() == [0] * 7


def test_roberta_counts_tokens_from_behind_its_padding():
    """By hand, padding 1 on either side and within: tokens are 2, 3, ..., padding is 1."""
    ids = torch.tensor([[7, 8, 9, 1], [1, 1, 8, 9], [7, 1, 9, 1]])
    assert roberta_positions(ids, 1).tolist() == [[2, 3, 4, 1], [1, 1, 2, 3], [2, 1, 3, 1]]


def traces(model: PreTrainedModel) -> dict:
    """All that a patch could leave behind."""
    hooks = {
        (name, kind): len(value)
        for name, module in model.named_modules()
        for kind, value in vars(module).items()
        if "hook" in kind and value
    }
    configs = {
        name: module.config._attn_implementation
        for name, module in model.named_modules()
        if isinstance(getattr(module, "config", None), PreTrainedConfig)
    }
    return {
        "config": model.config.to_dict(),
        "implementations": configs,
        "hooks": hooks,
        "attributes": {name: sorted(vars(module)) for name, module in model.named_modules()},
        "forwards": [name for name, module in model.named_modules() if "forward" in vars(module)],
        "trained": [name for name, parameter in model.named_parameters() if parameter.requires_grad],
        "gradients": [name for name, parameter in model.named_parameters() if parameter.grad is not None],
        "mode": [module.training for module in model.modules()],
    }


def use_the_patch(model: PreTrainedModel) -> None:
    with torch.no_grad(), erasable(model):
        batch = batch_of(model, documents())
        model(**batch, attention_keep={1: torch.ones(len(LENGTHS), 1, 1, 1, max(LENGTHS), dtype=torch.bool)})


def use_a_site(place: str) -> Callable[[PreTrainedModel], None]:
    def use(model: PreTrainedModel) -> None:
        site = SelfAttentionSite(model, parse_inside(place))
        reading = site.read(batch_of(model, documents()), SIGNALS)
        reading.evaluate(torch.arange(len(LENGTHS)), torch.zeros(len(LENGTHS), 2, max(LENGTHS), dtype=torch.bool))

    return use


def raise_inside(model: PreTrainedModel) -> None:
    with pytest.raises(KeyError), erasable(model):
        raise KeyError


def fail_in_a_pass(model: PreTrainedModel) -> None:
    wrong = torch.zeros(1, 1, 1, 1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="attention_keep"), erasable(model):
        model(**batch_of(model, documents()), attention_keep={1: wrong})


def fail_in_a_replay(model: PreTrainedModel) -> None:
    site = SelfAttentionSite(model, parse_inside("layer:1"))
    batch = batch_of(model, documents())
    with pytest.raises(IndexError):
        site.read({**batch, "input_ids": batch["input_ids"] + 1000}, SIGNALS)


def be_refused(model: PreTrainedModel) -> None:
    with pytest.raises(UserError):
        SelfAttentionSite(model, parse_inside("layer:17"))


USES = {
    "the patch": use_the_patch,
    "a single query": use_a_site("layer:-1"),
    "every query": use_a_site("layer:0:all"),
    "everywhere": use_a_site("all"),
    "an exception inside": raise_inside,
    "a failing pass": fail_in_a_pass,
    "a failing replay": fail_in_a_replay,
    "a refusal": be_refused,
}


@every_variant
def test_the_model_is_left_as_it_was(name):
    model = copy.deepcopy(tiny(name))
    for number, parameter in enumerate(model.parameters()):
        parameter.requires_grad_(number % 3 > 0)  # someone's frozen parameters stay frozen
    batch = batch_of(model, documents())
    weights, before = copy.deepcopy(model.state_dict()), traces(model)
    with torch.no_grad(), in_float64():
        logits = model(**batch).logits
    for use in USES.values():
        use(model)
        assert traces(model) == before
        assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
        with torch.no_grad(), in_float64():
            assert torch.equal(model(**batch).logits, logits)


def test_a_forward_that_a_module_had_of_its_own_is_put_back():
    """As accelerate's hooks leave one; it is called while layers are watched, and is there afterwards."""
    model = copy.deepcopy(tiny("bert"))
    layer, calls = model.bert.encoder.layer[1], []
    own = layer.forward

    def forward(*args: object, **kwargs: object) -> object:
        calls.append(len(calls))
        return own(*args, **kwargs)

    layer.forward = forward
    use_a_site("layer:1")(model)
    assert layer.forward is forward
    assert calls


@every_variant
def test_layers_are_found_in_the_order_of_their_calls(name):
    model = tiny(name)
    layers = find_layers(model)
    assert (len(layers), layers.heads) == (LAYERS, HEADS)
    shared = name == "albert"
    assert len({id(module) for module in layers.modules}) == (1 if shared else LAYERS)
    order = [id(module) for module in model.modules()]
    assert [order.index(id(module)) for module in layers.modules] == sorted(
        order.index(id(module)) for module in layers.modules
    )
    for module in layers.modules:
        assert isinstance(module, nn.Module)
        assert sum(parameter.numel() for parameter in module.parameters()) > 24 * 24 * 4  # a layer, not a part of one
