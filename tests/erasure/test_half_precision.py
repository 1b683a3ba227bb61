"""Models in half precision: what they decide otherwise than in float32, on a sample of the documents."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import eraserhead
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.summary import HalfPrecision
from eraserhead.erasure.view import summary_view
from eraserhead.showing.terminal import console
from tiny import random_texts, saved_classifier, tiny_bert_config, tiny_tokenizer

pytestmark = pytest.mark.slow

TEXTS = random_texts(71, seed=3, longest=11)  # of which 64 are checked
LABELS = ("a", "b", "c")


def decisions(folder, dtype, texts) -> list[int]:
    """The class of each text, one by one."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        return [int(model(**tokenizer(text, return_tensors="pt")).logits.argmax()) for text in texts]


def near_ties(tmp_path, kind) -> str:
    """A model whose logits are near a large bias, so that half precision rounds many of them to ties."""
    torch.manual_seed(0)
    if kind == "pooling":
        saved_classifier(tmp_path, LABELS)
        model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
        bias = model.head.classifier.bias
    else:
        model = AutoModelForSequenceClassification.from_config(tiny_bert_config(LABELS))
        bias = model.classifier.bias
        tiny_tokenizer().save_pretrained(tmp_path / "model")
    with torch.no_grad():
        bias.add_(1e3)
    model.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("pooling", "bfloat16"),
        ("inside", "bfloat16"),
        pytest.param("inside", "float16", marks=pytest.mark.thorough),
    ],
)
def test_decisions_in_half_precision_are_compared_with_those_in_float32(tmp_path, caplog, kind, dtype):
    model = near_ties(tmp_path, kind)
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    data = DataConfig(path=str(tmp_path / "texts.jsonl"), max_length=64)
    config = EraseConfig(
        model=model, data=data, dtype=dtype, draws=1, batch_tokens=1, cpu=True, output_dir=str(tmp_path / "half")
    )
    with caplog.at_level("INFO", "eraserhead"):
        found = erase_to_folder(config).summary()
    chosen = np.random.default_rng(0).choice(71, 64, replace=False)
    texts = [TEXTS[row] for row in sorted(chosen)]
    half, whole = (decisions(model, each, texts) for each in (getattr(torch, dtype), torch.float32))
    otherwise = sum(a != b for a, b in zip(half, whole, strict=True))
    assert otherwise > 1
    assert found.half_precision == HalfPrecision(64, otherwise)
    line = f"{dtype} decides {otherwise} of 64 sampled documents otherwise than float32"
    assert line in caplog.text
    screen = console()
    with screen.capture() as captured:
        screen.print(summary_view(found))
    assert line in captured.get()
    whole_run = replace(config, dtype="float32", output_dir=str(tmp_path / "whole"))
    assert erase_to_folder(whole_run).summary().half_precision is None


def test_a_model_in_memory_is_widened_and_stays_as_it_is(tmp_path):
    """Its weights in float32 are those that it has: only what is computed with them is more exact."""
    folder = near_ties(tmp_path, "inside")
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.bfloat16).eval()
    texts = TEXTS[:30]
    found = eraserhead.erase(
        model, texts, tokenizer=tiny_tokenizer(), draws=1, batch_tokens=1, cpu=True
    ).summary.half_precision
    assert model.dtype == torch.bfloat16
    half = decisions(folder, torch.bfloat16, texts)
    model.float().save_pretrained(folder)
    whole = decisions(folder, torch.float32, texts)
    assert found == HalfPrecision(30, sum(a != b for a, b in zip(half, whole, strict=True)))
    assert found.otherwise > 1
