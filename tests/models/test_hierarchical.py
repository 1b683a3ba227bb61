"""Hierarchical models against a plain loop over their sentences, and against themselves laid out in other ways."""

import copy
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset
from safetensors.torch import load_file
from torch import nn
from torch.testing import assert_close
from transformers import AutoModelForSequenceClassification

from eraserhead.data.batching import pad_sentences
from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.models import heads
from eraserhead.models.architecture import Architecture, Limits
from eraserhead.models.heads import length_groups, packed_groups
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.loop import Loop
from eraserhead.training.training import train
from eraserhead.training.vectors import cache_root, encode, vector_store
from tiny import (
    HIERARCHICAL,
    labelled_sentences,
    saved_hierarchical,
    sentence_ids,
    sentence_texts,
    tiny_classifier,
    tiny_encoder,
    tiny_hierarchical,
)

pytestmark = pytest.mark.slow

SPECIAL = (0, 2, 3)
# Two documents of several sentences; sentences that are only their frame, also in front and behind; nothing at all;
# nothing but a frame; one word; and another empty document at the end.
DOCUMENTS = [
    *sentence_ids(sentence_texts(2, seed=11, most=5)),
    [[2, 3], [2, 8, 9, 3], [2, 3], [2, 3, 11, 3], [2, 3]],
    [],
    [[2, 3]],
    [[2, 8, 3]],
    [],
]
KINDS = [
    ("none", None, 0),
    ("conv", None, 0),
    ("rnn", None, 0),
    ("transformer", None, 0),
    ("none", "rnn", 0),
    ("conv", "transformer", 1),
    ("rnn", "none", 2),
]


def attended(level, vectors, keep):
    """Additive attention over vectors `[n, hidden]`, erased and renormalised: the average and its weights."""
    encoded = level.context(vectors.unsqueeze(0), torch.ones(1, len(vectors), dtype=torch.bool))[0]
    projection = level.pooling.projection
    scores = torch.tanh(encoded @ projection.weight.T + projection.bias) @ level.pooling.context.weight[0]
    weights = scores.exp() * torch.tensor(keep)
    weights = weights / weights.sum() if any(keep) else weights
    return sum(weight * vector for weight, vector in zip(weights, encoded, strict=True)), weights.tolist()


def plain(model, document, keep=None, keep_words=None):
    """Logits, sentence weights and word weights of one document, one sentence after the other."""
    head, pooled, places = model.head, [], []
    inside = [[0.0] * len(sentence) for sentence in document]
    for number, sentence in enumerate(document):
        own = [place for place, token in enumerate(sentence) if token not in SPECIAL]
        if not own:
            continue
        ids = torch.tensor([sentence])
        vectors = model.encoder(ids) if isinstance(model.encoder, nn.Embedding) else model.encoder(ids)[0]
        kept = [True] * len(own) if keep_words is None else [keep_words[number][place] for place in own]
        average, weights = attended(head.words, vectors[0, own], kept)
        for place, weight in zip(own, weights, strict=True):
            inside[number][place] = weight
        pooled.append(average)
        places.append(number)
    outside = [0.0] * len(document)
    if not pooled:
        return head.classifier.bias, outside, inside
    kept = [True] * len(places) if keep is None else [keep[place] for place in places]
    average, weights = attended(head.sentences, torch.stack(pooled), kept)
    for place, weight in zip(places, weights, strict=True):
        outside[place] = weight
    return head.classifier.weight @ average + head.classifier.bias, outside, inside


def check(model, output, documents, keep=None, keep_words=None):
    """Compare a batch with the plain loop, document by document."""
    for row, document in enumerate(documents):
        own = None if keep is None else keep[row]
        own_words = None if keep_words is None else keep_words[row]
        logits, outside, inside = plain(model, document, own, own_words)
        assert_close(output.logits[row], logits, rtol=0, atol=1e-12)
        expected, words = torch.zeros_like(output.pooling_weights[row]), torch.zeros_like(output.word_weights[row])
        for number, sentence in enumerate(document):
            expected[number] = outside[number]
            words[number, : len(sentence)] = torch.tensor(inside[number], dtype=torch.float64)
        assert_close(output.pooling_weights[row], expected, rtol=0, atol=1e-12)
        assert_close(output.word_weights[row], words, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_batch_equals_a_loop_over_its_sentences(model_of, kind):
    model = model_of(*kind)
    output = model(**pad_sentences(DOCUMENTS, 0))
    check(model, output, DOCUMENTS)
    assert_close(output.pooling_weights.sum(-1), torch.tensor([1.0, 1, 1, 0, 0, 1, 0]).double())
    assert len({tuple(row) for row in output.logits.tolist()}) == 5  # the bias thrice
    assert_close(output.logits[[3, 4, 6]], model.head.classifier.bias.expand(3, -1), rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS[-3:], ids=str)
def test_documents_alone_and_between_padding_sentences_and_tokens(model_of, kind):
    """Sentence s of the batch moves to place 2 s + 1 of twice as many and three, tokens get five of padding."""
    model, inputs = model_of(*kind), pad_sentences(DOCUMENTS, 0)
    together = model(**inputs)
    batch, sentences, tokens = inputs["input_ids"].shape
    spread = {name: torch.zeros(batch, 2 * sentences + 3, tokens + 5, dtype=torch.long) for name in inputs}
    for name, tensor in inputs.items():
        spread[name][:, 1 : 2 * sentences : 2, :tokens] = tensor
    spread["input_ids"][spread["attention_mask"] == 0] = 7  # a word, which the mask hides
    moved = model(**spread)
    assert_close(moved.logits, together.logits, rtol=0, atol=1e-12)
    assert_close(moved.pooling_weights[:, 1 : 2 * sentences : 2], together.pooling_weights, rtol=0, atol=1e-12)
    assert_close(moved.word_weights[:, 1 : 2 * sentences : 2, :tokens], together.word_weights, rtol=0, atol=1e-12)
    assert moved.pooling_weights[:, ::2].abs().max() == 0
    assert moved.word_weights[..., tokens:].abs().max() == 0
    for row, document in enumerate(DOCUMENTS):
        alone = model(**pad_sentences([document], 0))
        assert_close(alone.logits[0], together.logits[row], rtol=0, atol=1e-12)


def test_a_mask_may_hide_words_anywhere_where_there_is_no_encoder(model_of):
    """Of [CLS] good bad dull [SEP] the middle word hidden: as if it were not there, and weights stay in place."""
    model = model_of("rnn", None, 0)
    hidden = model(torch.tensor([[[2, 8, 9, 10, 3]]]), torch.tensor([[[1, 1, 0, 1, 1]]]))
    without = model(torch.tensor([[[2, 8, 10, 3]]]))
    assert_close(hidden.logits, without.logits, rtol=0, atol=1e-12)
    assert_close(hidden.word_weights[0, 0, [0, 1, 3, 4]], without.word_weights[0, 0], rtol=0, atol=1e-12)
    assert hidden.word_weights[0, 0, 2] == 0


@pytest.mark.parametrize(("groups", "shortest", "expected"), [(0.001, 0.0, 1), (8, 0.75, 2), (10**6, 1.0, 4)])
@pytest.mark.parametrize("kind", [KINDS[2], KINDS[5]], ids=str)
def test_grouping_by_length_changes_nothing(model_of, monkeypatch, kind, groups, shortest, expected):
    """All sentences in one group, in a few, and one group a length."""
    documents = [[[2, *[8] * length, 3] for length in (1, 11, 2, 1, 7, 11)], DOCUMENTS[1]]
    monkeypatch.setattr(heads, "GROUPS", groups)
    monkeypatch.setattr(heads, "SHORTEST", shortest)
    assert len(length_groups(torch.tensor([1, 11, 2, 1, 7, 11]))) >= expected
    model = model_of(*kind)
    check(model, model(**pad_sentences(documents, 0)), documents)


def test_length_groups_by_hand():
    """Lengths 4 0 12 9 8 3 12, 48 in all: an eighth is 6.

    12, 12, 9 (not below 0.75 x 12) go together; 8 is, and the group is large enough: it begins another. 4 < 6, and
    8 x 1 is enough: another. 3, not below 0.75 x 4, joins it. The empty sequence is in none.
    """
    groups = length_groups(torch.tensor([4, 0, 12, 9, 8, 3, 12]))
    assert [group.tolist() for group in groups] == [[2, 6, 3], [4], [0, 5]]
    # A hundred ones and a two, 102 / 8 = 12.75: ones join the two until their padded group has 2 x 7 tokens.
    assert [len(group) for group in length_groups(torch.tensor([1] * 100 + [2]))] == [7, 94]
    assert length_groups(torch.tensor([0, 0])) == length_groups(torch.zeros(0, dtype=torch.long)) == []


@pytest.mark.parametrize("counts", [[3, 0, 7, 1, 1, 11, 0, 2], [5], [0, 0], []], ids=str)
def test_packed_groups_hold_every_sequence_once(counts):
    vectors = torch.randn(sum(counts), 3)
    found = {}
    for group in packed_groups(vectors, torch.tensor(counts, dtype=torch.long)):
        for row, own, mask in zip(group.rows.tolist(), group.vectors, group.mask, strict=True):
            assert mask.tolist() == sorted(mask.tolist(), reverse=True)
            assert row not in found
            found[row] = own[mask]
    sentences = vectors.split(counts) if counts else []
    assert sorted(found) == [row for row, count in enumerate(counts) if count]
    assert all(torch.equal(found[row], sentences[row]) for row in found)


@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("context", ["none", "conv", "rnn", "transformer"])
def test_one_sentence_is_the_flat_model_with_the_same_weights(model_of, context, layers):
    """The only sentence weighs 1, and nothing stands between its vector and the affine map."""
    model = model_of(context, "none", layers)
    config = copy.deepcopy(model.config)
    config.hierarchical = False
    flat = AttentionPoolingForSequenceClassification(config).double().eval()
    flat.encoder.load_state_dict(model.encoder.state_dict())
    flat.head.words.load_state_dict(model.head.words.state_dict())
    flat.head.classifier.load_state_dict(model.head.classifier.state_dict())
    ids = torch.tensor([[2, 8, 9, 26, 11, 12, 3], [2, 3, 5, 3, 0, 0, 0], [2, 3, 0, 0, 0, 0, 0]])
    mask = (ids > 0).long()
    whole, by_sentence = flat(ids, mask), model(ids.unsqueeze(1), mask.unsqueeze(1))
    assert_close(by_sentence.logits, whole.logits, rtol=0, atol=1e-12)
    assert_close(by_sentence.word_weights[:, 0], whole.pooling_weights, rtol=0, atol=1e-12)
    assert_close(by_sentence.pooling_weights, torch.tensor([[1.0], [1.0], [0.0]]).double())
    keep = torch.tensor([[True, False, True, True, False, True, True]] * 3)
    erased = model(ids.unsqueeze(1), mask.unsqueeze(1), keep_words=keep.unsqueeze(1))
    assert_close(erased.logits, flat(ids, mask, keep=keep).logits, rtol=0, atol=1e-12)
    assert (erased.logits - whole.logits)[0].abs().max() > 1e-3


@pytest.mark.parametrize(("kind", "same"), [(("rnn", "none", 2), True), (("none", "rnn", 0), False)], ids=str)
def test_without_context_erasing_a_sentence_is_leaving_it_out(model_of, kind, same):
    """Every way to keep some of five sentences; where sentences have a context, it is not the same."""
    model, document = model_of(*kind), sentence_ids(["good film. bad. the cast was fine. dull but good. it is."])[0]
    differences = []
    for keep in list(product([True, False], repeat=5))[:-1]:
        erased = model(**pad_sentences([document], 0), keep=torch.tensor([keep]))
        left = [sentence for sentence, kept in zip(document, keep, strict=True) if kept]
        without = model(**pad_sentences([left], 0))
        differences.append((erased.logits - without.logits).abs().max().item())
        if same:
            weights = erased.pooling_weights[0, torch.tensor(keep)]
            assert_close(weights, without.pooling_weights[0], rtol=0, atol=1e-12)
    assert (max(differences) < 1e-12) == same
    assert same or sorted(differences)[1] > 1e-3  # all are the same only where nothing is left out


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_kept_sentences_are_renormalised_over_the_same_vectors(model_of, kind):
    model, inputs = model_of(*kind), pad_sentences(DOCUMENTS[:2], 0)
    seen = []
    hook = model.head.sentences.context.register_forward_hook(lambda *call: seen.append(call[2]))
    whole = model(**inputs)
    hook.remove()
    keep = torch.arange(inputs["input_ids"].shape[1]) % 2 == 0
    weights = whole.pooling_weights * keep
    weights = weights / weights.sum(-1, keepdim=True)
    pooled = torch.einsum("bs,bsh->bh", weights, seen[0])
    erased = model(**inputs, keep=keep.expand(2, -1))
    assert_close(erased.pooling_weights, weights, rtol=0, atol=1e-12)
    assert_close(erased.logits, model.head.classifier(pooled), rtol=0, atol=1e-12)
    assert_close(erased.word_weights, whole.word_weights, rtol=0, atol=0)
    assert (erased.logits - whole.logits).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_erased_words_and_sentences_equal_the_loop(model_of, kind, seed):
    """Half of all words; some sentences keep nothing. Then also half of all sentences."""
    model, inputs = model_of(*kind), pad_sentences(DOCUMENTS, 0)
    generator = torch.Generator().manual_seed(seed)
    keep_words = torch.rand(inputs["input_ids"].shape, generator=generator) < 0.4
    keep_words[0, 0] = False
    keep = torch.rand(inputs["input_ids"].shape[:2], generator=generator) < 0.5
    check(model, model(**inputs, keep_words=keep_words), DOCUMENTS, None, keep_words)
    both = model(**inputs, keep_words=keep_words.long(), keep=keep.long())
    check(model, both, DOCUMENTS, keep, keep_words)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_where_nothing_is_kept_the_bias_is_left(model_of, kind):
    """Without its words a sentence is a zero vector, which only a context of the sentences makes into something."""
    model, inputs = model_of(*kind), pad_sentences(DOCUMENTS, 0)
    nothing = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    bias = model.head.classifier.bias.expand(len(DOCUMENTS), -1)
    assert_close(model(**inputs, keep=nothing[..., 0]).logits, bias, rtol=0, atol=0)
    assert_close(model(**inputs, keep=nothing[..., 0], keep_words=nothing).logits, bias, rtol=0, atol=0)
    without_words = model(**inputs, keep_words=nothing)
    assert without_words.word_weights.abs().max() == 0
    assert_close(without_words.pooling_weights.sum(-1), torch.tensor([1.0, 1, 1, 0, 0, 1, 0]).double())
    only_bias = (without_words.logits - bias).abs().max() < 1e-12
    assert only_bias == ((kind[1] or kind[0]) == "none")


def test_special_tokens_are_words_where_they_are_pooled(tmp_path):
    """A sentence of its frame alone is then one of two words."""
    model = tiny_hierarchical(tmp_path, "none", pool_special_tokens=True)
    output = model(**pad_sentences([[[2, 3], [2, 8, 3]], []], 0))
    assert (output.word_weights[0, 0, :2] > 0).all()
    assert output.word_weights[0, 0, 2] == 0
    assert (output.pooling_weights[0] > 0).all()
    assert_close(output.word_weights[0].sum(-1), torch.ones(2).double())
    assert output.pooling_weights[1].tolist() == [0.0, 0.0]


def test_save_and_load_are_exact(tmp_path):
    folder, inputs = saved_hierarchical(tmp_path, "conv", "transformer", 2), pad_sentences(DOCUMENTS, 0)
    expected = tiny_hierarchical(tmp_path, "conv", "transformer", 2).float()
    again = AttentionPoolingForSequenceClassification.from_pretrained(folder)
    assert again.config.architecture == expected.config.architecture
    assert again.config.architecture == Architecture(
        **HIERARCHICAL, context="conv", sentence_context="transformer", encoder_layers=2
    )
    assert again.config.reads == Limits()
    for loaded in (again, AutoModelForSequenceClassification.from_pretrained(folder)):
        for name in ("logits", "pooling_weights", "word_weights"):
            assert torch.equal(loaded(**inputs)[name], expected(**inputs)[name])


def test_two_fresh_models_of_a_seed_are_the_same_and_finite(tmp_path):
    """Every parameter is drawn: none is left as whatever stood in memory."""
    folder = tiny_encoder(tmp_path)
    made = []
    for _ in range(2):
        torch.manual_seed(0)
        architecture = Architecture(**HIERARCHICAL, context="rnn", sentence_context="transformer")
        made.append(AttentionPoolingForSequenceClassification.from_encoder(folder, ("a", "b"), architecture))
    for (name, one), other in zip(made[0].head.named_parameters(), made[1].head.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.isfinite().all()
        assert one.abs().max() <= 2
        assert name.endswith("bias") or one.std() > 0 or "norm" in name


@pytest.mark.parametrize("layers", [0, 1])
def test_token_types_reach_the_encoder_of_each_sentence(tmp_path, layers):
    """As its own forward pass has them; a table of word embeddings knows no types."""
    model = tiny_hierarchical(tmp_path, encoder_layers=layers)
    ids = pad_sentences(sentence_ids(["good. a fine cast.", "never bad."]), 0)
    ones = torch.ones_like(ids["input_ids"])
    with torch.no_grad():
        logits = model(**ids).logits
        assert_close(model(**ids, token_type_ids=0 * ones).logits, logits, rtol=0, atol=1e-12)
        typed = model(**ids, token_type_ids=ones).logits
        if layers:
            table = model.encoder.embeddings.token_type_embeddings.weight
            table.copy_(table.flip(0))  # type 0 is now what type 1 was
            assert (typed - logits).abs().max() > 1e-4
            assert_close(model(**ids).logits, typed, rtol=0, atol=1e-12)
        else:
            assert torch.equal(typed, logits)


@pytest.mark.parametrize("name", ["token_type_ids", "attention_mask"])
def test_types_and_masks_of_another_shape_are_refused(model_of, tmp_path, name):
    deep, flat = pad_sentences(sentence_ids(["good. bad."]), 0)["input_ids"], torch.tensor([[2, 5, 3]])
    for model, ids in ((model_of("none"), deep), (tiny_classifier(tmp_path), flat)):
        for wrong in (ids[..., :-1], ids[0], torch.cat([ids, ids])):
            with pytest.raises(ValueError, match=rf"^{name} is .*, and must be .* like the input_ids"):
                model(input_ids=ids, **{name: torch.zeros_like(wrong)})


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 2, 2, 3)], ids=str)
def test_ids_of_another_shape_are_refused(model_of, shape):
    with pytest.raises(ValueError, match=r"\[batch, sentences, tokens\]"):
        model_of("none", None, 0)(torch.full(shape, 8))


def test_a_flat_model_knows_no_sentences(tmp_path):
    model, ids = tiny_classifier(tmp_path), torch.full((1, 2, 3), 8)
    with pytest.raises(ValueError, match=r"\[batch, tokens\]"):
        model(ids)
    with pytest.raises(ValueError, match="no keep_words"):
        model(ids[0], keep_words=ids[0])


def rows_of(documents):
    return Dataset.from_dict(
        {
            "input_ids": documents,
            "sentences": [len(document) for document in documents],
            "tokens": [sum(map(len, document)) for document in documents],
        }
    )


def kept_store(model, documents, tmp_path, monkeypatch):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    return vector_store(model, rows_of(documents), Accelerator(cpu=True), budget=17, limit=1.0)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_head_on_packed_vectors_gives_the_models_logits(model_of, kind):
    model = model_of(*kind)
    whole = model(**pad_sentences(DOCUMENTS, 0))
    logits, weights = model.head(**encode(model, pad_sentences(DOCUMENTS, 0)))
    assert_close(logits, whole.logits, rtol=0, atol=1e-12)
    assert_close(weights[0], whole.pooling_weights[0, : weights.shape[1]], rtol=0, atol=1e-12)
    for document in DOCUMENTS:
        alone, _ = model.head(**encode(model, pad_sentences([document], 0)))
        assert_close(alone, model(**pad_sentences([document], 0)).logits, rtol=0, atol=1e-12)


@pytest.mark.parametrize("documents", [[0, 1, 2, 5], [5, 2, 0], [3, 0], [3, 4], [4], [3], [0, 3, 1, 4, 2]], ids=str)
@pytest.mark.parametrize("layers", [0, 2])
def test_kept_vectors_give_the_models_logits(model_of, tmp_path, monkeypatch, documents, layers):
    """Documents of the store in any order and company; float32 on disk."""
    model = copy.deepcopy(model_of("rnn", "none", layers)).float()
    store = kept_store(model, DOCUMENTS[:-1], tmp_path, monkeypatch)
    logits, _ = model.head(**store.batch(documents))
    expected = model(**pad_sentences([DOCUMENTS[document] for document in documents], 0)).logits
    assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    found = kept_store(model, DOCUMENTS[:-1], tmp_path, monkeypatch)  # now from the cache
    assert all(torch.equal(found.batch(documents)[name], value) for name, value in store.batch(documents).items())


def test_kept_vectors_of_a_last_document_without_sentences(model_of, tmp_path, monkeypatch):
    model = copy.deepcopy(model_of("none", None, 0)).float()
    store = kept_store(model, DOCUMENTS, tmp_path, monkeypatch)
    assert DOCUMENTS[-1] == []
    for documents in ([6], [0, 6], [6, 5]):
        logits, _ = model.head(**store.batch(documents))
        expected = model(**pad_sentences([DOCUMENTS[document] for document in documents], 0)).logits
        assert_close(logits, expected, rtol=1e-4, atol=1e-5)


def test_kept_vectors_of_documents_without_any_sentence(model_of, tmp_path, monkeypatch):
    model = copy.deepcopy(model_of("none", None, 0)).float()
    store = kept_store(model, [[], []], tmp_path, monkeypatch)
    assert_close(model.head(**store.batch([0, 1]))[0], model.head.classifier.bias.expand(2, -1))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_gradients_of_the_packed_path_are_those_of_the_padded_path(model_of, kind):
    model = copy.deepcopy(model_of(*kind)).requires_grad_()
    labels, found = torch.tensor([0, 1, 2, 0, 1, 2, 0]), []
    for logits in (
        lambda: model(**pad_sentences(DOCUMENTS, 0)).logits,
        lambda: model.head(**encode(model, pad_sentences(DOCUMENTS, 0)))[0],
        lambda: torch.stack([plain(model, document)[0] for document in DOCUMENTS]),
    ):
        model.zero_grad()
        nn.functional.cross_entropy(logits(), labels).backward()
        found.append({name: parameter.grad for name, parameter in model.head.named_parameters()})
    assert sum(gradient.abs().max() > 1e-9 for gradient in found[0].values()) > len(found[0]) / 2
    for name, gradient in found[0].items():
        assert_close(found[1][name], gradient, rtol=0, atol=1e-12)
        assert_close(found[2][name], gradient, rtol=0, atol=1e-12)


def test_gradients_are_finite_where_no_document_has_a_sentence(model_of):
    model = copy.deepcopy(model_of("transformer", None, 0)).requires_grad_()
    model(**pad_sentences([[], [[2, 3]]], 0), labels=torch.tensor([0, 1])).loss.backward()
    assert model.head.classifier.bias.grad.abs().max() > 0
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Configurations of a training run on 80 documents of some sentences; changed by the fields' names."""
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    encoder = tiny_encoder(tmp_path / "encoder")
    path = labelled_sentences(tmp_path / "train.jsonl", 80)

    def configured(output="run", *, model=None, **changes):
        settings = {"epochs": 3, "batch_size": 16, "learning_rate": 2e-2, "encoder_learning_rate": 1e-3, "patience": 9}
        return TrainConfig(
            output_dir=str(tmp_path / output),
            data=DataConfig(path=path, max_sentences=5, max_sentence_length=13, validation_size=20),
            model=ModelConfig(encoder=encoder, **(HIERARCHICAL | {"encoder_layers": 0} | (model or {}))),
            training=TrainingConfig(**(settings | changes)),
            cpu=True,
        )

    return configured


def history(config):
    epochs = json.loads((Path(config.output_dir) / "metrics.json").read_text())["epochs"]
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in epochs]


def weights(config):
    return load_file(Path(config.output_dir) / "model.safetensors")


@pytest.mark.parametrize(
    ("context", "layers", "frozen"),
    [("none", 1, False), ("conv", 0, True), ("rnn", 0, False), ("transformer", 1, True)],
    ids=str,
)
def test_loss_falls_and_the_encoder_moves_only_when_it_may(run, context, layers, frozen):
    config = run(
        model={"context": context, "encoder_layers": layers}, freeze_encoder=frozen, epochs=7, learning_rate=5e-2
    )
    train(config)
    losses = [epoch["loss"] for epoch in history(config)]
    assert losses[-1] < 0.9 * losses[0]
    start = load_file(Path(config.model.encoder) / "model.safetensors")
    key = "embeddings.word_embeddings.weight"
    found = weights(config)["encoder.weight" if layers == 0 else f"encoder.{key}"]
    assert torch.equal(found, start[key]) == frozen
    saved = AttentionPoolingForSequenceClassification.from_pretrained(config.output_dir).config
    assert saved.architecture == config.model.architecture
    assert saved.reads == Limits(tokens=None, sentences=5, sentence_tokens=13, language="en")


def test_kept_vectors_train_the_same_as_computed_ones(run):
    kept = run("kept", model={"context": "rnn", "encoder_layers": 2})
    train(kept)
    assert list((cache_root() / "vectors").glob("*/digests.json"))
    computed = replace(kept, output_dir=kept.output_dir + "-computed", cache_limit=0.0)
    train(computed)
    for one, other in zip(history(kept), history(computed), strict=True):
        assert one["scores"] == other["scores"]
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-4)  # groups differ, and so does float32 rounding
    first, second = weights(kept), weights(computed)
    assert all((first[key] - second[key]).abs().max() < 1e-3 for key in first)


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "unfrozen"])
def test_resumed_training_ends_where_uninterrupted_training_does(run, monkeypatch, frozen):
    """With every dropout on, and learning rates that are halved whenever validation stalls, as it does here."""
    dropouts = {"dropout": 0.3, "sentence_dropout": 0.2, "logit_dropout": 0.1, "filter_dropout": 0.2}
    whole = run(
        "whole", model={"context": "conv", "sentence_context": "rnn", **dropouts}, freeze_encoder=frozen, epochs=7,
        schedule="plateau", learning_rate=1e-1,
    )  # fmt: skip
    rates, epoch = [], Loop.epoch

    def noted(self, number):
        rates.append((number, self.optimizer.param_groups[0]["lr"]))
        if interrupt_at == number:
            raise KeyboardInterrupt
        return epoch(self, number)

    monkeypatch.setattr(Loop, "epoch", noted)
    interrupt_at = None
    train(whole)
    uninterrupted = dict(rates)
    best, expected = -1.0, 0.1
    for number, metrics in enumerate(history(whole)):
        assert uninterrupted[number] == expected
        expected = expected if metrics["scores"]["accuracy"] > best else expected / 2
        best = max(best, metrics["scores"]["accuracy"])
    # The first epoch after the interruption stalls, so that the best one before it must be remembered.
    interrupt_at = next(number for number in range(1, 6) if uninterrupted[number + 1] < uninterrupted[number])
    cut = replace(whole, output_dir=whole.output_dir + "-cut")
    with pytest.raises(KeyboardInterrupt):
        train(cut)
    cut_at, interrupt_at, rates[:] = interrupt_at, None, []
    with pytest.raises(UserError, match="resume=True"):
        train(cut)
    train(replace(cut, resume=True))
    assert dict(rates) == {number: rate for number, rate in uninterrupted.items() if number >= rates[0][0]}
    assert rates[0][0] == cut_at
    assert history(cut) == history(whole)
    first, second = weights(whole), weights(cut)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_heads_that_do_not_divide_the_vectors_are_refused(run):
    with pytest.raises(UserError, match="transformer_heads 3 must divide 16"):
        train(run(model={"context": "transformer", "transformer_heads": 3}))
    assert not Path(run().output_dir).exists()
