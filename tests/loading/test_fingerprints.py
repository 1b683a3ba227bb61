"""The fingerprint of a folder's files is that of the model loaded from them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    T5Config,
    T5ForSequenceClassification,
)

from eraserhead.loading.fingerprints import stored_fingerprint, weights_fingerprint
from tiny import saved_classifier

SIZES = {"vocab_size": 53, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 17}


def loaded(folder: Path, dtype: str) -> str:
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=getattr(torch, dtype))
    return weights_fingerprint(model)


@pytest.fixture
def bert(tmp_path):
    BertForSequenceClassification(BertConfig(**SIZES)).save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_files_have_the_fingerprint_of_the_loaded_model_in_every_precision(tmp_path, bert, dtype):
    ours = Path(saved_classifier(tmp_path))
    for folder in (bert, ours):
        assert stored_fingerprint(folder, dtype) == loaded(folder, dtype)


def test_several_files_and_one_have_the_same_fingerprint(tmp_path, bert):
    model = BertForSequenceClassification.from_pretrained(bert)
    model.save_pretrained(tmp_path / "sharded", max_shard_size="2KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 2
    assert stored_fingerprint(tmp_path / "sharded", "float32") == stored_fingerprint(bert, "float32")
    assert stored_fingerprint(tmp_path / "sharded", "float32") == loaded(tmp_path / "sharded", "float32")


def test_tied_weights_are_found_under_the_other_name(tmp_path):
    """Encoder and decoder share their embeddings: the file holds them once, the loaded model names them three times."""
    config = T5Config(vocab_size=53, d_model=12, d_kv=4, d_ff=17, num_layers=2, num_heads=3, decoder_start_token_id=0)
    T5ForSequenceClassification(config).save_pretrained(tmp_path / "tied")
    stored = load_file(tmp_path / "tied" / "model.safetensors")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "tied")
    assert len(stored) < len(model.state_dict())
    assert stored_fingerprint(tmp_path / "tied", "float32") == weights_fingerprint(model)


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
