"""Erasure over documents of several windows: exact minima, gradients, words, results, runs and explanations."""

import io
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch.testing import assert_close

import eraserhead
from eraserhead.cli.main import main
from eraserhead.data.batching import pad
from eraserhead.data.config import DataConfig
from eraserhead.erasure.header import header
from eraserhead.erasure.results import ResultsFolder
from eraserhead.errors import UserError
from eraserhead.explanation.view import explanation_view
from eraserhead.method.names import Outcome
from eraserhead.models.architecture import Limits
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.sites.pooling import PoolingSite
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.training import train
from eraserhead.training.vectors import cache_root
from references import exhaustive_minimum
from tiny import (
    labelled_file,
    random_texts,
    saved_limited,
    tiny_bert_config,
    tiny_classifier,
    tiny_encoder,
    tiny_tokenizer,
)
from tokenizers_of_kinds import wordpiece

WINDOWS = {"tokens": 6, "long_documents": "windows", "window_overlap": 1}
TEXTS = ["good " * 3 + "the cast was bad and dull", "a fine cast never wakes up", "bad", "it is not very good but fine"]


def windowed(folder, labels=("a", "b"), **limits):
    model = tiny_classifier(folder, labels).requires_grad_(False)
    model.config.limits.update(WINDOWS | limits)
    return model


def batch(texts=TEXTS):
    return pad(tiny_tokenizer()(texts)["input_ids"], 0)


@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "c")], ids=str)
def test_the_minimum_over_several_windows_is_the_smallest_of_all_subsets(tmp_path, labels):
    """Nine tokens are 512 sets, of tokens of three windows."""
    reading = PoolingSite(windowed(tmp_path, labels).double()).read(batch())
    assert reading.lengths.tolist() == [9, 6, 1, 7]
    found, removed = reading.minimum().flips, []
    for row, n in enumerate(reading.lengths.tolist()):
        expected = exhaustive_minimum(reading.weights[row, :n], reading.component_logits[row, :n], reading.bias)
        outcome = Outcome(int(found.outcome[row]))
        assert outcome.label == expected.outcome
        if expected.removed is not None:
            assert found.removed[row] == expected.removed
            removed.append(expected.removed)
    assert len(removed) >= 2
    assert max(removed) > 1


def test_gradients_reach_each_token_through_all_windows_that_hold_it(tmp_path):
    """One embedding for each token of the document; windows that share it add up."""
    pytest.importorskip("captum")
    model = windowed(tmp_path, window_overlap=2).double()
    inputs = batch()
    reading = PoolingSite(model).read(inputs, {"input_x_gradient", "saliency", "integrated_gradients"})
    embedded = model.get_input_embeddings()(inputs["input_ids"]).requires_grad_()
    logits = model(**inputs, inputs_embeds=embedded).logits
    decided = logits.argmax(-1, keepdim=True)
    margins = (logits.gather(1, decided) - logits.gather(1, 1 - decided)).sum()
    (gradient,) = torch.autograd.grad(margins, embedded)
    products = (gradient * embedded).sum(-1).gather(1, reading.positions) * reading.mask
    lengths = gradient.norm(dim=-1).gather(1, reading.positions) * reading.mask
    assert_close(reading.signals["input_x_gradient"], products.detach(), rtol=0, atol=1e-9)
    assert_close(reading.signals["saliency"], lengths, rtol=0, atol=1e-9)
    assert reading.signals["integrated_gradients"].isfinite().all()


@pytest.mark.slow
def test_results_hold_over_whole_documents_and_count_what_is_cut(tmp_path):
    """The same weights, read in each way: which words are components, where they are, and how many tokens are cut."""
    model, texts = tiny_classifier(tmp_path), random_texts(12, seed=7, longest=40)
    ways = {
        "cut": {"tokens": 9},  # 7 of the text
        "head_tail": {"tokens": 9, "long_documents": "head_tail"},  # 1 from the beginning, as 7 * 128 // 510 is 1
        "windows": WINDOWS,
        "few": WINDOWS | {"windows": 4},  # 4 of the text, and 3 more in each further one
    }
    sizes = [len(text.split()) for text in texts]
    cut, few = (f"cut off    {sum(max(size - most, 0) for size in sizes)} tokens (" for most in (7, 13))
    told = {
        "cut": [cut, "beyond the limit of 9"],
        "head_tail": [
            cut,
            "read       at most 9 tokens of a document, from its beginning and its end",
            "from the middle",
        ],
        "windows": ["read       documents in windows of 6 tokens, of which neighbours share 1"],
        "few": [few, "read       documents in at most 4 windows of 6 tokens", "beyond the limit of 4 windows"],
    }
    read = {
        "cut": lambda words: words[:7],
        "head_tail": lambda words: words if len(words) <= 7 else words[:1] + words[-6:],
        "windows": lambda words: words,
        "few": lambda words: words[:13],
    }
    for way, limits in ways.items():
        model.config.limits = asdict(Limits(**limits))
        results = eraserhead.erase(model, texts, tokenizer=tiny_tokenizer(), draws=1, cpu=True)
        assert results.summary.setup.limits == Limits(**limits)
        for text, document in zip(texts, results.documents.to_dict("records"), strict=True):
            seen = read[way](text.split())
            assert list(document["components"]) == seen
            spans = zip(document["starts"], document["ends"], strict=True)
            assert [text[start:end] for start, end in spans] == seen
            assert document["truncated_tokens"] == len(text.split()) - len(seen)
        lines = "\n".join(line for line in header(results.summary) if line.startswith(("read", "cut off")))
        assert all(said in lines for said in told[way])
        assert ("cut off" in lines, "read " in lines) == (way != "windows", way != "cut")


@pytest.mark.slow
def test_a_model_in_memory_is_erased_in_windows_and_stays_as_it_is(tmp_path):
    """Trained to cut; asked for windows, it gives what the same weights give that were saved with windows."""
    model, texts = tiny_classifier(tmp_path).eval(), random_texts(9, seed=7, longest=40)
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    data = DataConfig(path=str(file), max_length=6, long_documents="windows", window_overlap=1)
    asked = eraserhead.erase(model, data, tokenizer=tiny_tokenizer(), draws=1, cpu=True)
    assert model.config.reads == Limits()
    model.config.limits = asdict(Limits(**WINDOWS))
    own = eraserhead.erase(model, texts, tokenizer=tiny_tokenizer(), draws=1, cpu=True)
    for name in ("probabilities", "single_js"):
        assert all(map(np.array_equal, asked.documents[name], own.documents[name]))
    assert asked.documents.n.tolist() == [len(text.split()) for text in texts]
    with pytest.raises(UserError, match="a pair of texts is read at once"):
        eraserhead.erase(model, [("good", "bad")], tokenizer=tiny_tokenizer(), cpu=True)


@pytest.mark.slow
def test_words_of_several_windows_are_erased_as_one(tmp_path):
    """Each word's weight is its pieces' sum, also where windows meet between them."""
    torch.manual_seed(0)
    tokenizer = wordpiece()
    config = tiny_bert_config(("a", "b"), vocab_size=len(tokenizer))
    model = AttentionPoolingForSequenceClassification(
        AttentionPoolingConfig(
            encoder_config=config,
            special_token_ids=[tokenizer.cls_token_id, tokenizer.sep_token_id],
            framing=[1, 1],
            limits={"tokens": 5, "long_documents": "windows", "window_overlap": 1},
        )
    ).eval()
    text = "the wakes up. wakes wakes the wakes"
    words, tokens = (
        eraserhead.explain(model, text, tokenizer=tokenizer, components=unit, cpu=True) for unit in ("words", "tokens")
    )
    assert [word.name for word in words.words] == ["the", "wakes", "up", ".", "wakes", "wakes", "the", "wakes"]
    assert [text[word.start : word.end] for word in words.words] == [word.name for word in words.words]
    for word in words.words:
        inside = [token for token in tokens.words if word.start <= token.start < token.end <= word.end]
        assert word.attention == pytest.approx(sum(token.attention for token in inside))
    assert sum(word.attention for word in words.words) == pytest.approx(1)


@pytest.mark.slow
def test_the_middle_that_was_not_seen_stands_between_two_marks(tmp_path):
    text = "a fine cast never wakes up but the script is dull"
    model = saved_limited(tmp_path, tokens=9, long_documents="head_tail")
    explained = eraserhead.explain(model, text, cpu=True)
    assert [word.name for word in explained.words] == ["a", "up", "but", "the", "script", "is", "dull"]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(explanation_view(explained))
    shown = " ".join(console.export_text().split())
    assert "✂ fine cast never wakes ✂" in shown
    assert shown.count("✂") == 4  # twice in the text, and in what the marks mean
    assert "did not see the text between the two" in shown
    assert "4 tokens cut off" in shown
    explained = eraserhead.explain(model, text, components="sentences", cpu=True)  # the one sentence is around the gap
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(explanation_view(explained))
    shown = " ".join(console.export_text().split())
    assert "✂" not in shown
    assert "did not see 4 tokens in the middle of one of them" in shown


@pytest.mark.slow
def test_a_run_is_trained_erased_and_explained_in_windows(tmp_path, monkeypatch, capsys):
    """Kept vectors train as computed ones do; `erase` and `explain` read as the run did, or as they are asked."""
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    path, encoder = labelled_file(tmp_path / "train.jsonl", 60), tiny_encoder(tmp_path / "encoder")
    data = DataConfig(
        path=path, max_length=7, long_documents="windows", window_overlap=2, validation_size=15, test_split="train"
    )
    config = TrainConfig(
        data=data,
        model=ModelConfig(encoder=encoder, dropout=0.0),
        training=TrainingConfig(epochs=2, batch_size=16, learning_rate=2e-2),
        output_dir=str(tmp_path / "run"),
        cpu=True,
    )
    train(config)
    assert list((cache_root() / "vectors").glob("*/digests.json"))
    train(replace(config, output_dir=str(tmp_path / "computed"), cache_limit=0.0))
    kept, computed = (load_file(tmp_path / name / "model.safetensors") for name in ("run", "computed"))
    assert all((kept[key] - computed[key]).abs().max() < 1e-3 for key in kept)
    train(replace(config, training=replace(config.training, freeze_encoder=False), output_dir=str(tmp_path / "tuned")))
    tuned = load_file(tmp_path / "tuned" / "model.safetensors")
    assert any(not torch.equal(kept[key], tuned[key]) for key in kept if key.startswith("encoder."))

    run = str(tmp_path / "run")
    assert main(["erase", run, "--output_dir", str(tmp_path / "own"), "--cpu"]) == 0
    limits = Limits(7, long_documents="windows", window_overlap=2)
    assert ResultsFolder(tmp_path / "own").summary().setup.limits == limits
    asked = ["--data.long_documents", "cut", "--output_dir", str(tmp_path / "cut"), "--cpu"]
    assert main(["erase", run, *asked]) == 0
    assert ResultsFolder(tmp_path / "cut").summary().setup.limits == Limits(7)
    assert main(["explain", run, "good " * 20, "--cpu"]) == 0
    assert "20 words" in capsys.readouterr().out
    assert main(["explain", run, "good", "--pair", "bad", "--cpu"]) == 2
    assert "a pair of texts is read at once" in capsys.readouterr().err
