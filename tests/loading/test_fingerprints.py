"""The fingerprint of a folder's files is that of the model loaded from them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
)

from eraserhead.loading.fingerprints import stored_fingerprint, weights_fingerprint
from finetuned import tiny_config
from tiny import saved_classifier


def loaded(folder: Path, dtype: str) -> str:
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=getattr(torch, dtype))
    return weights_fingerprint(model)


@pytest.fixture
def bert(tmp_path):
    BertForSequenceClassification(tiny_config()).save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_files_have_the_fingerprint_of_the_loaded_model_in_every_precision(tmp_path, bert, dtype):
    ours = Path(saved_classifier(tmp_path))
    for folder in (bert, ours):
        assert stored_fingerprint(folder, dtype) == loaded(folder, dtype)


def test_several_files_and_one_have_the_same_fingerprint(tmp_path, bert):
    model = BertForSequenceClassification.from_pretrained(bert)
    model.save_pretrained(tmp_path / "sharded", max_shard_size="20KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 2
    assert stored_fingerprint(tmp_path / "sharded", "float32") == stored_fingerprint(bert, "float32")
    assert stored_fingerprint(tmp_path / "sharded", "float32") == loaded(tmp_path / "sharded", "float32")


def test_tied_weights_are_found_under_the_other_name(tmp_path):
    """Of two weights that are one, the file holds one; the loaded model names both."""
    config = GPT2Config(vocab_size=53, n_positions=17, n_embd=12, n_layer=2, n_head=2, pad_token_id=0)
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path / "plain")
    assert stored_fingerprint(tmp_path / "plain", "float32") == loaded(tmp_path / "plain", "float32")


def test_one_changed_number_changes_the_fingerprint(bert):
    before = stored_fingerprint(bert, "float32")
    weights = load_file(bert / "model.safetensors")
    weights["classifier.bias"][1] += 2**-20
    save_file(weights, bert / "model.safetensors", metadata={"format": "pt"})
    assert stored_fingerprint(bert, "float32") != before


def test_files_that_lack_a_weight_do_not_tell(bert):
    weights = load_file(bert / "model.safetensors")
    weights["classifier.old"] = weights.pop("classifier.bias")
    save_file(weights, bert / "model.safetensors", metadata={"format": "pt"})
    assert stored_fingerprint(bert, "float32") is None
