"""`pipeline("text-classification")` for our models, which cut texts as they were trained to."""

from pathlib import Path

import pytest
import torch
from tokenizers import processors
from torch.testing import assert_close
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, pipeline

import eraserhead
from eraserhead.models.pipeline_attention_pooling import AttentionPoolingPipeline
from interpreters import label_by_pipeline
from tiny import saved_classifier, saved_hierarchical, saved_limited, tiny_tokenizer

pytestmark = pytest.mark.slow

HOSTILE = [
    "A fine cast. It was not bad! Never, but never wakes up?",
    "",
    " \n\t ",
    "good",
    "no sentence end " * 200,
    "word " * 10_000,
    "😀😀😀",
    "日本語です。次の文です。",
    "bad\x00 film\x07. the\x1b cast",
    "One. Two. Three.\n\n  Four...  Five?!",
    "[SEP]",
]


def probabilities(answers, names) -> torch.Tensor:
    scores = [{answer["label"]: answer["score"] for answer in each} for each in answers]
    return torch.tensor([[each[name] for name in names] for each in scores], dtype=torch.float64)


@pytest.mark.parametrize("context", ["none", "rnn"])
def test_a_hierarchical_models_scores_are_those_of_our_own_prediction(tmp_path, context):
    folder = saved_hierarchical(tmp_path, context)
    classify = pipeline("text-classification", model=folder, top_k=None, device="cpu")
    assert isinstance(classify, AttentionPoolingPipeline)
    own = eraserhead.erase(folder, HOSTILE, draws=1, cpu=True).documents
    expected = torch.tensor([list(each) for each in own.probabilities])
    assert expected.std(0).max() > 0.01  # they differ, so that mixing them up would be seen
    assert own.truncated_tokens.max() > 0
    names = classify.model.config.id2label.values()
    assert_close(probabilities(classify(HOSTILE), names), expected, rtol=0, atol=1e-5)
    assert_close(probabilities(classify(HOSTILE, batch_size=4), names), expected, rtol=0, atol=1e-5)


def test_limits_of_sentences_and_their_tokens_hold(tmp_path):
    folder = saved_hierarchical(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    model.config.limits.update(sentences=2, sentence_tokens=4)
    classify = pipeline("text-classification", model=model, tokenizer=tiny_tokenizer(), top_k=None)
    assert classify("a fine cast. bad. good. good.") == classify("a fine. bad.")
    assert classify("a fine. bad.") != classify("a fine. good.")


def test_a_flat_model_reads_as_much_as_in_training(tmp_path):
    folder = saved_classifier(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    model.config.limits["tokens"] = 5
    classify = pipeline("text-classification", model=model, tokenizer=tiny_tokenizer(), top_k=None)
    assert classify("a fine cast never wakes up") == classify("a fine cast")
    assert classify("a fine cast never wakes up", truncation=True, max_length=8) != classify("a fine cast")
    assert classify("good " * 500)  # beyond the encoder's window


@pytest.mark.parametrize(
    "limits",
    [{}, {"tokens": 5, "long_documents": "windows", "window_overlap": 1}, {"tokens": 5, "long_documents": "head_tail"}],
    ids=str,
)
def test_a_text_without_any_token_is_decided_as_by_erase(tmp_path, limits):
    folder = Path(saved_limited(tmp_path, **limits))
    unframed = tiny_tokenizer()
    unframed.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    unframed.save_pretrained(folder)
    classify = pipeline("text-classification", model=str(folder), top_k=None)
    own = eraserhead.erase(str(folder), ["", "good"], draws=1, cpu=True).documents
    for given in ([""], ["", "good"]):
        [*found] = classify(given, batch_size=2)
        assert max(each["score"] for each in found[0]) == pytest.approx(max(own.probabilities[0]), abs=1e-6)


def test_a_flat_models_scores_are_the_softmax_of_its_logits_in_any_batch(tmp_path):
    """Every class with `top_k=None`, highest first; one answer without it; truncation as usual."""
    folder = saved_classifier(tmp_path, ("a", "b", "c"))
    texts = ["a fine cast", "bad", "it was not dull but very good and the script wakes up", "good"]
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = torch.cat([model(**tiny_tokenizer()(text, return_tensors="pt")).logits for text in texts])
    expected = logits.double().softmax(-1)
    classify = pipeline("text-classification", model=folder, device="cpu")
    for size in (1, 3):
        answers = classify(texts, top_k=None, batch_size=size)
        assert [len(each) for each in answers] == [3] * 4
        assert all(each == sorted(each, key=lambda answer: -answer["score"]) for each in answers)
        assert_close(probabilities(answers, ("a", "b", "c")), expected, rtol=0, atol=1e-6)
    best = classify(texts, batch_size=2)
    assert [answer["label"] for answer in best] == ["abc"[index] for index in expected.argmax(-1)]
    cut = classify(texts[2], truncation=True, max_length=5, top_k=None)
    assert cut == classify("it was not", top_k=None)
    assert cut != classify(texts[2], top_k=None)


def test_pairs_are_refused_by_models_that_read_one_text(tmp_path):
    classify = pipeline("text-classification", model=saved_hierarchical(tmp_path))
    assert classify([{"text": "good"}]) == classify(["good"])
    with pytest.raises(ValueError, match="one text"):
        classify({"text": "good", "text_pair": "bad"})


def test_other_models_are_served_as_before(tmp_path):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=27, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=29,
        max_position_embeddings=64,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config).eval()
    tokenizer = tiny_tokenizer()
    expected = model(**tokenizer("a fine cast", "never", return_tensors="pt")).logits.softmax(-1)[0].max().item()
    answer = pipeline("text-classification", model=model, tokenizer=tokenizer)(
        {"text": "a fine cast", "text_pair": "never"}
    )
    assert answer["score"] == pytest.approx(expected, abs=1e-6)
    saved = pipeline("text-classification", model=model, tokenizer=tokenizer)
    saved.save_pretrained(tmp_path / "saved")
    assert not list((tmp_path / "saved").glob("*.py"))
    assert "custom_pipelines" not in (tmp_path / "saved/config.json").read_text()
    assert AutoTokenizer.from_pretrained(tmp_path / "saved").vocab_size == tokenizer.vocab_size


@pytest.mark.slow
@pytest.mark.parametrize("first", ["transformers", "eraserhead"])
def test_the_pipeline_is_registered_whichever_is_imported_first(tmp_path, first):
    done = label_by_pipeline(saved_hierarchical(tmp_path), "good. bad.", first)
    assert done.stdout.strip() in ("a", "b", "c"), done.stderr
    assert "already registered" not in done.stderr
