"""Windows against a plain loop over them, and against models that cut; pipelines against our own reading."""

import itertools
import json

import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import nn
from torch.testing import assert_close
from transformers import AutoModelForSequenceClassification, pipeline

import eraserhead
from eraserhead.models import long_documents
from eraserhead.models.architecture import Architecture
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.long_documents import Windows, head_and_tail
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.special_tokens import framing
from eraserhead.training.vectors import vector_store
from interpreters import fresh_interpreter
from tiny import random_texts, tiny_classifier, tiny_encoder, tiny_tokenizer

CLS, SEP = 2, 3
TEXTS = [*random_texts(6, seed=5, longest=50), "", "good", "a fine cast never wakes up"]
SIZES = [(11, 3), (7, 0), (7, 4), (5, 1), (3, 0), (19, 13)]  # tokens of a window, and those that two share


def inputs(texts=TEXTS):
    return dict(tiny_tokenizer()(texts, return_tensors="pt", padding=True, return_token_type_ids=False))


def with_windows(model, tokens, overlap, windows=None):
    model.config.limits.update(tokens=tokens, long_documents="windows", window_overlap=overlap, windows=windows)
    return model


def tiny_windows(folder, tokens=11, overlap=3, **architecture):
    """A random model in float64, whose attention is far from uniform."""
    torch.manual_seed(1)
    model = AttentionPoolingForSequenceClassification.from_encoder(
        tiny_encoder(folder), ("a", "b", "c"), Architecture(**architecture)
    )
    with torch.no_grad():
        model.head.last.pooling.context.weight.mul_(5)
        model.head.classifier.bias.add_(torch.randn(3))
    return with_windows(model.eval().double().requires_grad_(False), tokens, overlap)


def starts_of(text_tokens, room, stride):
    """Where windows begin: every `stride` tokens until one reaches the end; the last is moved to end there."""
    starts = [0]
    while starts[-1] + room < text_tokens:
        starts.append(starts[-1] + stride)
    starts[-1] = min(starts[-1], max(text_tokens - room, 0))
    return starts


def owner_of(token, starts, room):
    """The first window among those in which the token has most context on its shorter side."""
    context = {
        number: min(token - start, start + room - 1 - token)
        for number, start in enumerate(starts)
        if start <= token < start + room
    }
    return max(context, key=lambda number: (context[number], -number))


def plain_vectors(model, ids, tokens, overlap):
    """One vector for each token of a document, one window after the other."""
    if len(ids) <= tokens:
        return model.encoder(torch.tensor([ids]))[0][0]
    inside, room = ids[1:-1], tokens - 2
    starts = starts_of(len(inside), room, room - overlap)
    read = [model.encoder(torch.tensor([[CLS, *inside[at : at + room], SEP]]))[0][0] for at in starts]
    found = [read[0][0]]
    for token in range(len(inside)):
        own = owner_of(token, starts, room)
        found.append(read[own][1 + token - starts[own]])
    return torch.stack([*found, read[-1][-1]])


def plain_logits(model, vectors, keep):
    """Additive attention over all tokens of a document, some of them erased, and the affine head, by hand."""
    level = model.head.words
    encoded = level.context(vectors.unsqueeze(0), torch.ones(1, len(vectors), dtype=torch.bool))[0]
    projection = level.pooling.projection
    scores = torch.tanh(encoded @ projection.weight.T + projection.bias) @ level.pooling.context.weight[0]
    weights = scores.softmax(0) * torch.tensor(keep)
    weights = weights / weights.sum() if any(keep) else weights
    return model.head.classifier.weight @ (weights @ encoded) + model.head.classifier.bias


def documents(texts=TEXTS):
    return tiny_tokenizer()(texts)["input_ids"]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_batch_equals_a_loop_over_windows(tmp_path, size):
    model = tiny_windows(tmp_path, *size)
    found = model(**inputs())
    for row, ids in enumerate(documents()):
        vectors = plain_vectors(model, ids, *size)[1:-1]
        expected = plain_logits(model, vectors, [True] * len(vectors)) if len(vectors) else model.head.classifier.bias
        assert_close(found.logits[row], expected, rtol=0, atol=1e-12)
        assert (found.pooling_weights[row] > 0).sum() == len(vectors)  # every token of the text, once
    assert found.logits.std(0).min() > 1e-3


@pytest.mark.parametrize(
    "architecture", [{"context": "rnn"}, {"context": "conv"}, {"pool_special_tokens": True}], ids=str
)
def test_the_layers_behind_the_encoder_see_the_whole_document(tmp_path, architecture):
    """Special tokens, where they are components, are one in front and one behind, of the first and last window."""
    model = tiny_windows(tmp_path, filter_dropout=0.0, **architecture)
    found = model(**inputs()).logits
    for row, ids in enumerate(documents()[:6]):
        vectors = plain_vectors(model, ids, 11, 3)
        vectors = vectors if architecture.get("pool_special_tokens") else vectors[1:-1]
        assert_close(found[row], plain_logits(model, vectors, [True] * len(vectors)), rtol=0, atol=1e-12)


def test_erasing_tokens_of_several_windows_equals_a_loop_with_renormalised_weights(tmp_path):
    model, batch = tiny_windows(tmp_path), inputs()
    generator = torch.Generator().manual_seed(3)
    keep = torch.rand(batch["input_ids"].shape, generator=generator) < 0.4
    found, whole = model(**batch, keep=keep).logits, model(**batch).logits
    assert (found - whole)[:6].abs().amax(-1).min() > 1e-3
    for row, ids in enumerate(documents()[:6]):
        vectors = plain_vectors(model, ids, 11, 3)[1:-1]
        assert len(vectors) == 0 or any(keep[row, 1 : len(ids) - 1])
        expected = plain_logits(model, vectors, keep[row, 1 : len(ids) - 1].tolist())
        assert_close(found[row], expected, rtol=0, atol=1e-12)


def test_documents_within_one_window_are_read_as_by_a_model_that_cuts_bit_for_bit(tmp_path):
    model, batch = tiny_windows(tmp_path, tokens=64, overlap=5).float(), inputs()
    assert batch["input_ids"].shape[1] <= 64
    in_windows = model(**batch)
    model.config.limits.update(long_documents="cut", window_overlap=None)
    assert torch.equal(in_windows.logits, model(**batch).logits)
    with_windows(model, 11, 3)
    assert not torch.equal(in_windows.logits, model(**batch).logits)


def test_documents_alone_in_another_order_and_padded_on_the_left(tmp_path):
    model, batch = tiny_windows(tmp_path), inputs()
    together = model(**batch).logits
    for row, text in enumerate(TEXTS):
        assert_close(model(**inputs([text])).logits[0], together[row], rtol=0, atol=1e-12)
    assert_close(model(**inputs(TEXTS[::-1])).logits.flip(0), together, rtol=0, atol=1e-12)
    tokenizer = tiny_tokenizer()
    tokenizer.padding_side = "left"
    left = tokenizer(TEXTS, return_tensors="pt", padding=True, return_token_type_ids=False)
    moved = model(**left)
    assert_close(moved.logits, together, rtol=0, atol=1e-12)
    assert torch.equal(moved.pooling_weights > 0, left["input_ids"] > SEP)


def test_embeddings_and_token_types_go_into_windows_too(tmp_path):
    model, batch = tiny_windows(tmp_path), inputs()
    types = (torch.arange(batch["input_ids"].shape[1]) % 2).expand_as(batch["input_ids"])
    typed = model(**batch, token_type_ids=types).logits
    assert (typed - model(**batch).logits).abs().max() > 1e-3
    embedded = model.get_input_embeddings()(batch["input_ids"])
    assert_close(model(**batch, token_type_ids=types, inputs_embeds=embedded).logits, typed, rtol=0, atol=1e-12)


@pytest.mark.parametrize("gradients", [False, True])
def test_a_batch_without_any_token_is_decided_by_the_bias(tmp_path, gradients):
    model = tiny_windows(tmp_path)
    nothing = torch.zeros(2, 30, dtype=torch.long)
    with torch.set_grad_enabled(gradients):
        found = model(input_ids=nothing, attention_mask=nothing).logits
    assert_close(found, model.head.classifier.bias.expand(2, -1))


def test_without_gradients_a_few_windows_run_at_a_time(tmp_path, monkeypatch):
    model, batch = tiny_windows(tmp_path), inputs()
    runs = []
    model.encoder.register_forward_pre_hook(
        lambda _, args, given: runs.append(len(given["input_ids"])), with_kwargs=True
    )
    expected = model(**batch).logits
    monkeypatch.setattr(long_documents, "AT_ONCE", 3 * 11)
    with torch.no_grad():
        assert_close(model(**batch).logits, expected, rtol=0, atol=1e-12)
    assert runs[1:] == [3] * (runs[0] // 3) + [runs[0] % 3] * (runs[0] % 3 > 0)


def test_kept_vectors_are_those_of_the_models_own_windows(tmp_path, monkeypatch):
    """Two overlaps, one cache: the same ids in other windows have other vectors."""
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    model, rows = tiny_windows(tmp_path).float(), Dataset.from_dict({"input_ids": documents()})
    rows = rows.add_column("tokens", list(map(len, documents())))
    for overlap in (3, 1):
        with_windows(model, 11, overlap)
        store = vector_store(model, rows, Accelerator(cpu=True), budget=50, limit=1.0)
        logits, _ = model.head(**store.batch(range(len(TEXTS))))
        assert_close(logits, model(**inputs()).logits, rtol=0, atol=1e-5)
    assert len(list((tmp_path / "cache" / "vectors").iterdir())) == 2


@pytest.mark.slow
def test_an_exported_graph_reads_other_batches_in_windows(tmp_path):
    """Rows, tokens and masks may differ from those that it was exported with."""
    model, batch = tiny_windows(tmp_path, attention_size=7).float(), inputs()
    dynamic = {name: {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens", min=4, max=90)} for name in batch}

    class Logits(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    exported = torch.export.export(Logits(), (), batch, dynamic_shapes=dynamic).module()
    for texts in (TEXTS, random_texts(4, seed=9, longest=70), ["good", "a fine cast"]):
        assert_close(exported(**inputs(texts)), model(**inputs(texts)).logits, rtol=0, atol=1e-5)


def test_how_many_windows_there_are_and_which_a_token_belongs_to():
    """Every length up to 40 under every size up to 9, with one special token in front and two behind."""
    for room, overlap in itertools.product(range(1, 7), range(6)):
        if overlap >= room:
            continue
        windows = Windows(room + 3, overlap, 1, 2)
        assert windows.stride == room - overlap
        for length in range(3, 40):
            starts = starts_of(length - 3, room, windows.stride)
            assert windows.count(length) == len(starts)
            assert windows.count(torch.tensor([length])).tolist() == [len(starts)]
            assert windows.encoded(length) == (length if len(starts) == 1 else len(starts) * (room + 3))
            assert windows.longest(len(starts)) >= length
            assert len(starts) == 1 or windows.longest(len(starts) - 1) < length
            laid = windows.laid_over(torch.ones(1, length, dtype=torch.bool))
            found = (laid.sources[0] // (room + 3)).tolist()
            assert found == [0, *(owner_of(token, starts, room) for token in range(length - 3)), *[len(starts) - 1] * 2]
            assert torch.equal(laid.places.flatten()[laid.sources[0]], torch.arange(length))
            assert laid.present.all() or len(starts) == 1


def test_of_a_long_document_the_beginning_gets_128_of_510():
    """Of 512 tokens 510 are of the text: 128 and 382, as in Sun et al. 2019; of 256, 63 and 191."""
    for length, limit, head in ((1000, 512, 129), (1000, 256, 64), (600, 16, 4), (9, 4, 1)):
        kept = head_and_tail(length, limit, (1, 1))
        assert kept == [*range(head), *range(length - (limit - head), length)]
        assert len(kept) == limit
    assert head_and_tail(4, 4, (1, 1)) == [0, 1, 2, 3]
    assert head_and_tail(9, 4, (0, 2)) == [5, 6, 7, 8]


def test_framing_is_what_the_tokenizer_puts_around_a_text(tmp_path):
    assert framing(tiny_tokenizer()) == (1, 1)
    assert tiny_classifier(tmp_path).config.framing == [1, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"long_documents": "window"}, "long_documents is 'window', and must be one of cut, head_tail, windows"),
        ({"window_overlap": -1}, "window_overlap is -1, and must be a whole number from 0"),
        ({"window_overlap": 9}, "windows of 11 tokens, of which 2 are special, cannot share 9"),
        ({"tokens": None}, "windows need `tokens`, and the config's `framing`"),
        ({"windows": 0}, "windows is 0, and must be a whole number from 1"),
    ],
    ids=str,
)
def test_limits_that_make_no_sense_are_refused(changes, message):
    limits = {"tokens": 11, "long_documents": "windows", "window_overlap": 8, **changes}
    with pytest.raises(ValueError, match=message):
        AttentionPoolingConfig(limits=limits, framing=[1, 1])
    for kind in ({"hierarchical": True}, {"encoder_layers": 0}):
        with pytest.raises(ValueError, match="whose encoder reads a document as a whole"):
            AttentionPoolingConfig(limits={"tokens": 11, "long_documents": "windows"}, framing=[1, 1], **kind)


def saved(folder, **limits):
    """A classifier in a folder, which reads long documents in another way than by cutting them."""
    model = tiny_classifier(folder, ("a", "b", "c"))
    model.config.limits.update(limits)
    model.save_pretrained(folder / "model")
    tiny_tokenizer().save_pretrained(folder / "model")
    return str(folder / "model")


LONG = [*TEXTS, "no sentence end " * 40, "word " * 500, "[SEP] good [CLS]", " \n "]
WAYS = [
    {"tokens": 11, "long_documents": "windows", "window_overlap": 3},
    {"tokens": 11, "long_documents": "windows", "window_overlap": 2, "windows": 3},
    {"tokens": 9, "long_documents": "head_tail"},
]


@pytest.mark.slow
@pytest.mark.parametrize("limits", WAYS, ids=str)
def test_pipelines_read_long_documents_as_erase_does(tmp_path, limits):
    folder = saved(tmp_path, **limits)
    classify = pipeline("text-classification", model=folder, top_k=None, device="cpu")
    own = eraserhead.erase(folder, LONG, draws=1, cpu=True).documents
    expected = torch.tensor([list(each) for each in own.probabilities])
    assert expected.std(0).max() > 0.01
    assert bool((own.truncated_tokens > 0).any()) == (limits.get("windows") is not None or limits["tokens"] == 9)
    names = list(classify.model.config.id2label.values())
    for answers in (classify(LONG), classify(LONG, batch_size=4)):
        scores = [{answer["label"]: answer["score"] for answer in each} for each in answers]
        found = torch.tensor([[each[name] for name in names] for each in scores], dtype=torch.float64)
        assert_close(found, expected, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="reads one text, in parts where it is long"):
        classify({"text": "good", "text_pair": "bad"})


@pytest.mark.slow
def test_a_saved_model_gives_the_same_bits_in_a_fresh_process(tmp_path):
    folder = saved(tmp_path, **WAYS[0])
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = model(**inputs()).logits
    code = f"""
import json, eraserhead
from transformers import AutoModelForSequenceClassification, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained({folder!r})
given = tokenizer({TEXTS!r}, return_tensors="pt", padding=True, return_token_type_ids=False)
model = AutoModelForSequenceClassification.from_pretrained({folder!r}).eval()
print(json.dumps(model(**given).logits.tolist()))
"""
    done = fresh_interpreter(code)
    assert done.returncode == 0, done.stderr
    assert torch.equal(torch.tensor(json.loads(done.stdout)), expected)
