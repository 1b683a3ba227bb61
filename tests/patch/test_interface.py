"""The patch itself: what it refuses, threads, gradients, extremes of precision, and models that it does not know."""

import copy
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
)
from transformers.models.bert import modeling_bert

from eraserhead.errors import UserError
from eraserhead.patch.dropout_hook import _are_weights, renormalised
from eraserhead.patch.dry_run import dry_inputs, find_layers
from eraserhead.patch.families import FAMILIES, REFUSED, ReadOut, Route, UnknownFamilyError, family_of
from eraserhead.patch.interface import AttentionRecord, erasable
from eraserhead.patch.passes import ErasurePass
from eraserhead.patch.read_out_probe import read_positions
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import parse_inside
from families import HEADS, LAYERS, LENGTHS, VARIANTS, Slow, batch_of, documents, in_float64, new_model, slow, tiny

BOTH_ROUTES = pytest.mark.parametrize("name", ["bert", "llama", "mpnet"])
ROWS, WIDTH = len(LENGTHS), max(LENGTHS)


def mask(*shape: int, dtype: torch.dtype = torch.bool) -> Tensor:
    return torch.ones(*shape, dtype=dtype)


def call(model: PreTrainedModel, **asked: object) -> Tensor:
    with torch.no_grad(), erasable(model):
        return model(**batch_of(model, documents()), **asked).logits


def test_what_is_no_model_is_refused_by_its_type():
    for given, name in ((5, "int"), (torch.nn.Linear(2, 2), "Linear")):
        with pytest.raises(UserError, match=f"model is a {name}"), erasable(given):  # pyright: ignore[reportArgumentType]
            pass


WRONG = {
    "no erasures": mask(ROWS, 1, 1, WIDTH),
    "numbers": mask(ROWS, 1, 1, 1, WIDTH, dtype=torch.float64),
    "whole numbers": mask(ROWS, 1, 1, 1, WIDTH, dtype=torch.long),
    "too few rows": mask(1, 1, 1, 1, WIDTH),
    "too many rows": mask(ROWS, 2, 1, 1, WIDTH),
    "too many keys": mask(ROWS, 1, 1, 1, WIDTH + 1),
    "too few keys": mask(ROWS, 1, 1, 1, WIDTH - 1),
    "one key": mask(ROWS, 1, 1, 1, 1),
    "too few heads": mask(ROWS, 1, HEADS - 1, 1, WIDTH),
    "too few queries": mask(ROWS, 1, 1, WIDTH - 1, WIDTH),
}


@BOTH_ROUTES
@pytest.mark.parametrize("wrong", WRONG)
def test_masks_of_another_shape_or_type_are_refused(name, wrong):
    with pytest.raises(ValueError, match=r"attention_keep\[1\]"):
        call(tiny(name), attention_keep={1: WRONG[wrong]})


@BOTH_ROUTES
def test_masks_of_each_size_that_may_be_one_are_taken(name):
    """The same erasure, written with and without repetition."""
    short = mask(ROWS, 1, 1, 1, WIDTH)
    short[:, :, :, :, 1] = False
    logits = call(tiny(name), attention_keep={1: short})
    for sizes in ((ROWS, 1, HEADS, 1, WIDTH), (ROWS, 1, 1, WIDTH, WIDTH), (ROWS, 1, HEADS, WIDTH, WIDTH)):
        assert_close(call(tiny(name), attention_keep={1: short.expand(sizes)}), logits, rtol=0, atol=1e-12)
    assert_close(call(tiny(name), attention_keep={1: short.transpose(0, 1)}), logits, rtol=0, atol=1e-12)
    assert (call(tiny(name)) - logits).abs().max() > 1e-2


@BOTH_ROUTES
@pytest.mark.parametrize("layer", [LAYERS, -1])
def test_layers_that_do_not_exist_are_refused(name, layer):
    for asked in (
        {"attention_keep": {0: mask(ROWS, 1, 1, 1, WIDTH), layer: mask(ROWS, 1, 1, 1, WIDTH)}},
        {"attention_record": AttentionRecord(layers=[layer])},
    ):
        with pytest.raises(ValueError, match=rf"layers .*{layer}.* 3 attention calls"):
            call(tiny(name), **asked)


def test_a_model_that_does_not_dispatch_is_refused_and_not_left_unerased():
    """XLM computes its attention itself and is not in the table; nothing but the count of calls would tell."""
    config = AutoConfig.for_model("xlm", vocab_size=53, emb_dim=24, n_layers=3, n_heads=4, n_langs=1, num_labels=7)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    ids = torch.tensor(documents((7, 7)))
    with pytest.raises(ValueError, match="0 attention calls"), erasable(model):
        model(input_ids=ids, attention_keep={0: mask(2, 1, 1, 1, 7)})


@BOTH_ROUTES
def test_contexts_nest(name):
    """Erasure works inside the inner one, after it, and not after the outer one."""
    model, keep = copy.deepcopy(tiny(name)), mask(ROWS, 1, 1, 1, WIDTH)
    keep[..., 2] = False
    plain, expected = call(model), call(model, attention_keep={1: keep})
    with erasable(model):
        assert torch.equal(call(model, attention_keep={1: keep}), expected)
        with torch.no_grad():
            batch = batch_of(model, documents())
            assert torch.equal(model(**batch, attention_keep={1: keep}).logits, expected)
            assert torch.equal(model(**batch).logits, plain)
            record = AttentionRecord(layers=(1,))
            assert_close(model(**batch, attention_record=record, attention_keep={1: keep}).logits, expected)
    assert len(record.modules) == LAYERS
    assert not record.weights[1][..., 2].any()
    with torch.no_grad():
        assert torch.equal(model(**batch_of(model, documents())).logits, plain)
    assert not torch.equal(expected, plain)


@pytest.mark.parametrize("name", ["bert", "albert", "gpt2", "llama", "modernbert", "deberta-v2", "mpnet"])
def test_recorded_weights_lead_to_the_logits(name):
    """Automatic gradients of a probability against central differences of every weight in the slow way."""
    model, ids = tiny(name), documents((5,))[0]
    record = AttentionRecord(layers=range(LAYERS))
    with in_float64(), erasable(model):
        logits = model(**batch_of(model, [ids]), attention_record=record).logits[0]
        gradients = torch.autograd.grad(logits.softmax(-1).max(), [record.weights[layer] for layer in range(LAYERS)])
    assert_close(torch.cat(gradients), slow(name).slopes(ids, "all"), rtol=1e-6, atol=1e-8)
    assert torch.cat(gradients).abs().max() > 1e-3


@BOTH_ROUTES
def test_recorded_weights_are_those_after_erasure(name):
    """By hand: zeroed, and each row divided by the sum of what it keeps; zeros where it keeps nothing."""
    model, ids = tiny(name), documents((5,))[0]
    keep = torch.rand(1, 1, HEADS, 5, 5, generator=torch.Generator().manual_seed(0)) < 0.6
    keep[..., 3, :] = False
    record = AttentionRecord(layers=(0,))
    with torch.no_grad(), in_float64(), erasable(model):
        model(**batch_of(model, [ids]), attention_keep={0: keep}, attention_record=record)
    kept = slow(name).weights(ids)[0] * keep[0, 0]
    mass = kept.sum(-1, keepdim=True)
    expected = torch.where(mass > 0, kept / mass, torch.zeros_like(kept))
    assert_close(record.weights[0][0], expected, rtol=0, atol=1e-12)
    assert not record.weights[0][..., 3, :].any()
    assert (record.weights[0].sum(-1) > 0.99).double().mean() > 0.5


@BOTH_ROUTES
def test_gradients_are_finite_where_a_query_keeps_nothing(name):
    model = copy.deepcopy(tiny(name)).float()
    nothing, some = torch.zeros(ROWS, 1, 1, 1, WIDTH, dtype=torch.bool), mask(ROWS, 1, HEADS, WIDTH, WIDTH)
    some[:, :, 1] = False
    for asked in ({}, {"attention_record": AttentionRecord(layers=range(LAYERS))}):
        model.zero_grad()
        with erasable(model):
            logits = model(**batch_of(model, documents()), attention_keep={0: nothing, 1: some}, **asked).logits
        logits.square().sum().backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert logits.isfinite().all()
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert max(gradient.abs().max() for gradient in gradients) > 1e-3


def parameter_gradients(model: PreTrainedModel, reentrant: bool | None) -> dict[str, Tensor]:
    """Gradients in training mode with some of two layers erased; without checkpointing if null."""
    keep = torch.rand(ROWS, 1, 1, WIDTH, WIDTH, generator=torch.Generator().manual_seed(0)) < 0.6
    model.zero_grad()
    model.train()
    if reentrant is not None:
        model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        assert model.is_gradient_checkpointing
    with erasable(model):
        logits = model(**batch_of(model, documents()), attention_keep={0: keep, 2: keep}).logits
        logits.square().sum().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


CHECKPOINTING = [family for family in FAMILIES if family in VARIANTS and tiny(family).supports_gradient_checkpointing]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("reentrant", [False, True], ids=["not reentrant", "reentrant"])
@pytest.mark.parametrize("name", CHECKPOINTING)
def test_gradients_under_checkpointing_are_those_without(name, reentrant):
    """Attention is called again in the backward pass, and is erased again; a dropout's hook would not know of it."""
    model = copy.deepcopy(tiny(name))
    if FAMILIES[name].route is Route.DROPOUT:
        with pytest.raises(ValueError, match="gradient checkpointing"):
            parameter_gradients(model, reentrant)
        return
    found, expected = parameter_gradients(model, reentrant), parameter_gradients(copy.deepcopy(tiny(name)), None)
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        assert_close(found[key], gradient, rtol=0, atol=1e-10)
    assert max(gradient.abs().max() for gradient in expected.values()) > 1


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_checkpointing_is_refused_where_one_module_serves_all_layers():
    """ALBERT's own classes do not support it; whoever checkpoints its layer by hand gets no wrong gradient."""
    model = copy.deepcopy(tiny("albert"))
    group, keep = model.albert.encoder.albert_layer_groups[0], torch.zeros(ROWS, 1, 1, 1, WIDTH, dtype=torch.bool)
    once = group.forward
    group.forward = lambda *args, **more: checkpoint(once, *args, use_reentrant=False, **more)
    with erasable(model):
        loss = model(**batch_of(model, documents()), attention_keep={0: keep}).logits.sum()
        with pytest.raises(RuntimeError, match="one module serves several layers"):
            loss.backward()


def test_a_pass_that_begins_at_an_upper_layer_numbers_its_layers_from_there():
    """In their order while it runs, and by their modules after it, when checkpointing calls them again."""
    lower, upper = torch.nn.Identity(), torch.nn.Identity()
    current = ErasurePass({2: mask(1, 1, 1, 1, 3)}, AttentionRecord(), {}, first=2)
    assert [current.layer(lower), current.layer(upper)] == [2, 3]
    current.end()
    assert [current.layer(upper), current.layer(lower)] == [3, 2]
    below = ErasurePass({0: mask(1, 1, 1, 1, 3)}, AttentionRecord(), {}, first=2)
    below.layer(lower)
    with pytest.raises(ValueError, match=r"layers \[0\] .*1 attention calls"):
        below.end()


def test_threads_use_two_models_at_the_same_time():
    """Both are inside their contexts before either goes on, and both before either leaves."""
    names, barrier = ("bert", "mpnet"), threading.Barrier(2, timeout=60)
    keep = mask(ROWS, 1, 1, 1, WIDTH)
    keep[..., 1] = False
    expected = [call(tiny(name), attention_keep={1: keep}) for name in names]

    def work(name: str) -> Tensor:
        model = tiny(name)
        with torch.no_grad(), erasable(model):
            barrier.wait()
            logits = model(**batch_of(model, documents()), attention_keep={1: keep}).logits
            barrier.wait()
        return logits

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(work, names))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@BOTH_ROUTES
@pytest.mark.parametrize("entering", [call, find_layers], ids=["a pass", "a dry run"])
def test_a_second_thread_waits_for_the_model(name, entering):
    """Or for one that shares its config, by which attention is dispatched."""
    model = tiny(name)
    held_by_another_thread(model, model, entering)
    held_by_another_thread(model, type(model)(model.config).double().eval(), entering)


def held_by_another_thread(
    held: PreTrainedModel, wanted: PreTrainedModel, entering: Callable[[PreTrainedModel], object]
) -> None:
    """Let a thread want a model while this one holds one: it goes on after this one has left, and not before."""
    entered, order = threading.Event(), []

    def second() -> None:
        entering(wanted)
        order.append("second")
        entered.set()

    nothing = torch.zeros(ROWS, 1, 1, 1, WIDTH, dtype=torch.bool)
    with erasable(held):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.1)
        logits = call(held, attention_keep={0: nothing})
        order.append("first")
    assert entered.wait(60)
    thread.join(60)
    assert order == ["first", "second"]
    assert not torch.equal(logits, call(held))


def test_no_pass_runs_while_a_dry_run_has_switched_the_model_to_eager():
    """The dry run is held in its eager pass, which takes no masks; another thread's pass comes after it."""
    model = copy.deepcopy(tiny("bert"))
    switched, go, entered = threading.Event(), threading.Event(), threading.Event()

    def hold(module: torch.nn.Module, args: object) -> None:
        if module.config._attn_implementation == "eager":
            switched.set()
            go.wait(60)

    def second() -> Tensor:
        with erasable(model):
            entered.set()
            return call(model, attention_keep={0: torch.zeros(ROWS, 1, 1, 1, WIDTH, dtype=torch.bool)})

    hook = model.register_forward_pre_hook(hold)
    with ThreadPoolExecutor(2) as pool:
        layers = pool.submit(find_layers, model)
        assert switched.wait(60)
        logits = pool.submit(second)
        early = entered.wait(0.1)
        go.set()
        assert not early
        assert len(layers.result(60)) == LAYERS
        erased = logits.result(60)
    hook.remove()
    assert torch.equal(erased, call(model, attention_keep={0: torch.zeros(ROWS, 1, 1, 1, WIDTH, dtype=torch.bool)}))
    assert not torch.equal(erased, call(model))


def steep(name: str, layer: Callable[[PreTrainedModel], torch.nn.Linear]) -> PreTrainedModel:
    """A model whose first layer gives one key of each query all the weight that float32 can tell."""
    model = copy.deepcopy(tiny(name))
    with torch.no_grad():
        layer(model).weight.mul_(200)
    return model


def best_erased(weights: Tensor) -> Tensor:
    """Keep masks [documents, 1, heads, queries, keys] without each query's best key."""
    return ~torch.nn.functional.one_hot(weights.argmax(-1), weights.shape[-1]).bool().unsqueeze(1)


def test_what_is_left_beside_an_overwhelming_key_is_exact_in_float32():
    """Score gaps above 120 leave exact zeros after a softmax in float32; the survivors' own softmax does not care."""
    model = steep("bert", lambda model: model.bert.encoder.layer[0].attention.self.query)
    oracle, ids = Slow(model), documents((7,))[0]
    weights = oracle.weights(ids)[0]
    keep = best_erased(weights.unsqueeze(0))
    second = weights.topk(2, -1).values[..., 1]
    assert (second < math.exp(-120)).double().mean() > 0.4
    assert (second.float() == 0).double().mean() > 0.4

    def without_best(layer: int, weights: Tensor) -> Tensor:
        kept = weights * keep[0] if layer == 0 else weights
        return kept / kept.sum(-1, keepdim=True)

    expected = oracle.logits(ids, without_best)
    single = model.float()
    record = AttentionRecord(layers=(0,))
    with torch.no_grad(), erasable(single):
        for asked in ({}, {"attention_record": record}):
            found = single(input_ids=torch.tensor([ids]), attention_keep={0: keep}, **asked).logits
            assert_close(found.double(), expected, rtol=0, atol=1e-3)  # scores of hundreds, rounded in float32
    assert_close(record.weights[0].sum(-1), torch.ones(1, HEADS, 7))
    site = SelfAttentionSite(single, parse_inside("layer:0"))
    reading = site.read(batch_of(single, [ids]), ())
    singles = ~torch.eye(7, dtype=torch.bool).unsqueeze(0)
    slow_singles = torch.stack([oracle.erased(ids, "layer:0", {key}) for key in range(7)])
    assert_close(reading.evaluate(torch.arange(1), singles).logits[0], slow_singles, rtol=0, atol=1e-3)


def test_a_dropout_hook_gives_zeros_where_float32_has_nothing_left():
    """The scores are not seen there: a key that held all the weight leaves nothing, but no NaN either."""
    model = steep("mpnet", lambda model: model.mpnet.encoder.layer[0].attention.attn.q).float()
    batch, probe = batch_of(model, documents((7,))), AttentionRecord(layers=(0,))
    with torch.no_grad(), erasable(model):
        model(**batch, attention_record=probe)
        record, keep = AttentionRecord(layers=(0,)), best_erased(probe.weights[0])
        logits = model(**batch, attention_keep={0: keep}, attention_record=record).logits
    nothing = probe.weights[0].amax(-1) == 1
    assert nothing.double().mean() > 0.1
    assert logits.isfinite().all()
    sums = record.weights[0].sum(-1)
    assert not sums[nothing & (probe.weights[0].topk(2, -1).values[..., 1] == 0)].any()
    assert_close(sums[~nothing], torch.ones_like(sums[~nothing]))


def test_a_mass_below_the_smallest_normal_number_is_still_one():
    """1e-42 and 3e-42 are left beside an erased 1: a quarter and three, to the precision of such numbers."""
    weights = torch.tensor([1.0, 1e-42, 3e-42]).view(1, 1, 1, 3)
    keep = torch.tensor([False, True, True]).view(1, 1, 1, 3)
    assert_close(renormalised(weights, keep).flatten(), torch.tensor([0.0, 0.25, 0.75]), rtol=0, atol=1e-3)
    assert renormalised(weights, torch.zeros_like(keep)).flatten().tolist() == [0.0, 0.0, 0.0]


def test_weights_are_told_by_rows_that_sum_to_one_or_are_padding():
    """The second row is a query that attends to nothing, as a family may leave padding; a half is no weight's sum."""
    weights = torch.tensor([[0.25, 0.75], [0.0, 0.0]]).view(1, 1, 2, 2)
    assert _are_weights(weights)
    assert not _are_weights(weights / 2)
    assert not _are_weights(weights[0])


TINY = {"vocab_size": 53, "num_labels": 7, "pad_token_id": 0}


@pytest.mark.parametrize("length", [2, 3])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_documents_of_two_and_three_tokens_are_attended_causally(name, length):
    """Without padding a decoder gets no mask: that no token sees a later one is then ours to say."""
    model = tiny(name)
    batch = batch_of(model, documents((length,)))
    record = AttentionRecord(layers=range(LAYERS))
    with torch.no_grad():
        own = model(**batch).logits
        with erasable(model):
            logits = model(**batch, attention_record=record).logits
    assert_close(logits, own, rtol=0, atol=1e-10)
    for weights in record.weights.values():
        assert not weights.triu(1).any()


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_token_that_follows_cached_ones_sees_them_all(name):
    """The last of five tokens alone, without its second key, against all five in one pass."""
    model, ids = tiny(name), torch.tensor(documents((5,)))
    keep = mask(1, 1, 1, 5, 5)
    keep[..., 4, 1] = False
    with torch.no_grad(), erasable(model):
        expected = model(input_ids=ids, attention_keep={0: keep}).logits
        cache = model(input_ids=ids[:, :4], use_cache=True).past_key_values
        found = model(input_ids=ids[:, 4:], past_key_values=cache, attention_keep={0: keep[..., 4:, :]}).logits
        assert (expected - model(input_ids=ids).logits).abs().max() > 1e-3
    assert_close(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("model_type", REFUSED)
def test_families_that_cannot_be_erased_are_refused_with_the_reason(model_type):
    """By their config alone."""
    config = AutoConfig.for_model(model_type)
    with pytest.raises(UnknownFamilyError, match=f"cannot be erased: {REFUSED[model_type].reason}"):
        family_of(config)
    assert model_type not in FAMILIES


def test_attention_that_does_not_pass_the_interface_is_refused_with_the_families_that_are_known():
    """Of a family that is not in the table: Falcon calls softmax itself."""
    common = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model("falcon", **TINY, **common)).eval()
    with pytest.raises(
        UnknownFamilyError, match="'falcon' model cannot be erased: it is not called through"
    ) as refusal:
        find_layers(model)
    assert str(refusal.value).rsplit("known to work are ", 1)[1].split(", ") == sorted(FAMILIES)


def test_a_dry_run_that_fails_is_refused_in_one_line():
    """Of a family that is not in the table; without an id of padding a decoder takes one document at a time."""
    model = unlisted("olmo")
    model.config.pad_token_id = None
    with pytest.raises(UnknownFamilyError, match=r"'olmo' model .* its dry run failed .*no padding token is defined"):
        find_layers(model)


def unlisted(model_type: str) -> PreTrainedModel:
    """A classifier of a family that is not in the table."""
    common = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37}
    assert model_type not in FAMILIES
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(AutoConfig.for_model(model_type, **TINY, **common)).eval()


@pytest.mark.parametrize(("model_type", "expected"), [("olmo", ReadOut.LAST), ("roc_bert", ReadOut.FIRST)])
def test_a_family_that_is_not_in_the_table_is_proved_by_probes(model_type, expected):
    layers = find_layers(unlisted(model_type))
    assert (layers.read_out, len(layers), layers.family.listed) == (expected, 2, False)
    assert SelfAttentionSite(unlisted(model_type)).unlisted == model_type
    assert SelfAttentionSite(tiny("bert")).unlisted is None


@pytest.mark.parametrize("name", VARIANTS)
def test_the_read_out_is_probed_by_changing_one_token_vector_at_a_time(name):
    """Those that the gradient reaches, of a document alone; beside padding, never the padding."""
    model = tiny(name)
    layers, inputs = find_layers(model), dry_inputs(model)
    read = read_positions(model, layers, inputs)
    for row, length in zip(read, inputs["attention_mask"].sum(-1).tolist(), strict=True):
        by_gradient = slow(name).read_from(length) if "end of text" not in name else (length - 1,)  # no end in it
        assert tuple(row.nonzero().flatten().tolist()) == by_gradient
    assert layers.read_out is layers.family.read_out_of(model.config)


def test_a_decision_read_from_two_tokens_is_refused():
    """Of seven token vectors the first two are averaged."""

    class Two(torch.nn.Module):
        def forward(self, vectors: Tensor) -> Tensor:
            return vectors[:, :2].mean(1)

    model = copy.deepcopy(tiny("bert"))
    model.bert.pooler = Two()
    with pytest.raises(
        UnknownFamilyError, match=r"from token vectors \[0, 1\] of 7, and from \[0, 1\] of 4.*first token"
    ):
        find_layers(model)


def test_a_model_whose_decisions_depend_on_the_documents_beside_is_refused():
    """Its pooler centres the batch; the documents are of one length, since padding would be seen too."""

    class Centred(torch.nn.Module):
        def forward(self, vectors: Tensor) -> Tensor:
            return vectors[:, 0] - vectors[:, 0].mean(0)

    model = copy.deepcopy(tiny("bert"))
    model.bert.pooler = Centred()
    with pytest.raises(UnknownFamilyError, match=r"depend on the batch: .* another one of the same length differ by"):
        find_layers(model)


def test_dry_inputs_do_not_walk_the_vocabulary():
    """Nor would they end, of as many ids; special ones are left out."""
    model = copy.deepcopy(tiny("bert"))
    model.config.vocab_size = 10**15
    ids = dry_inputs(model)["input_ids"]
    assert ids.tolist() == [[1, 4, 5, 6, 7, 8, 9], [10, 11, 12, 13, 0, 0, 0]]


def test_sparse_bigbird_is_refused_with_what_to_set():
    model = new_model("big_bird", attention_type="block_sparse")
    with pytest.raises(UnknownFamilyError, match=r"attention_type = 'block_sparse'.*'original_full'"):
        find_layers(model)


def test_an_unknown_pooling_is_refused_with_those_that_are_known():
    """Of EuroBERT; ModernBERT's config refuses it itself."""
    model = new_model("eurobert")
    model.config.classifier_pooling = "max"
    with pytest.raises(UnknownFamilyError, match=r"classifier_pooling = 'max'.*cls, bos, mean, late"):
        find_layers(model)


def test_several_attentions_a_layer_are_refused():
    """ALBERT may repeat a group of layers; its groups are then called less often than their attention."""
    with pytest.raises(UnknownFamilyError, match="called its attention 6 times in 3 layers"):
        find_layers(new_model("albert", inner_group_num=2))


@pytest.mark.parametrize(("cap", "refused"), [(1.0, True), (1e9, False)])
def test_attention_that_does_something_else_is_refused(monkeypatch, cap, refused):
    """A BERT whose own attention caps its scores, as Gemma 2 does; a cap that no score comes near is none."""

    def capped(
        module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **more
    ) -> tuple:
        scores = cap * torch.tanh(query @ key.transpose(-1, -2) * more["scaling"] / cap)
        weights = (scores if mask is None else scores + mask).softmax(-1)
        return (weights @ value).transpose(1, 2).contiguous(), weights

    monkeypatch.setattr(modeling_bert, "eager_attention_forward", capped)
    model = new_model("bert")
    if not refused:
        assert len(find_layers(model)) == LAYERS
        return
    with pytest.raises(UnknownFamilyError, match="not what the patch computes: logits differ by"):
        find_layers(model)
    assert model.config._attn_implementation == "sdpa"


def test_a_layer_that_attends_twice_is_refused():
    """Its second call would be taken for the next layer's."""
    model = new_model("bert")
    layer = model.bert.encoder.layer[1]
    once = layer.attention.self.forward
    layer.attention.self.forward = lambda *args, **kwargs: once(*args, **kwargs) and once(*args, **kwargs)
    with pytest.raises(UnknownFamilyError, match="called its attention 4 times in 3 layers"):
        find_layers(model)


def test_a_model_whose_own_attention_fails_is_refused(monkeypatch):
    def broken(*args: object, **more: object) -> tuple:
        raise ValueError("cannot do this")

    monkeypatch.setattr(modeling_bert, "eager_attention_forward", broken)
    with pytest.raises(UnknownFamilyError, match="cannot do this"):
        find_layers(new_model("bert"))


def test_a_model_without_a_decision_is_refused():
    config = tiny("bert").config
    for without_decision in (AutoModel, AutoModelForTokenClassification):
        with pytest.raises(UnknownFamilyError, match="no sequence classifier"):
            find_layers(without_decision.from_config(config).eval())


def test_a_model_that_reads_its_decision_from_elsewhere_is_refused():
    """A BERT that averages its token vectors, where its family's classifiers read the first."""

    class Mean(torch.nn.Module):
        def forward(self, vectors: Tensor) -> Tensor:
            return vectors.mean(1)

    model = copy.deepcopy(tiny("bert"))
    model.bert.pooler = Mean()
    with pytest.raises(UserError, match=r"from the mean over tokens, and 'bert' models read it from the first token"):
        SelfAttentionSite(model)
