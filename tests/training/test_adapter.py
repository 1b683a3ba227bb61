"""Adapters on the encoder: what is trained, merged, saved and resumed; the head is never lost."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel

import eraserhead
from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.training.config import METHODS, AdapterConfig, ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.training import train
from interruptions import interrupt_training
from tiny import labelled_file, tiny_encoder, tiny_tokenizer

TEXTS = ["a good film", "the cast was dull and bad", "never fine"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    tiny_encoder(folder / "encoder")
    labelled_file(folder / "train.jsonl", 80)
    return folder


def config(sources: Path, output: Path, method="lora", adapter=None, **changes) -> TrainConfig:
    settings = {"epochs": 2, "batch_size": 16, "learning_rate": 2e-2, "adapter": method, **changes}
    return TrainConfig(
        output_dir=str(output),
        data=DataConfig(path=str(sources / "train.jsonl"), max_length=32, validation_size=20),
        model=ModelConfig(encoder=str(sources / "encoder"), dropout=0.0),
        training=TrainingConfig(**settings),
        adapter=adapter or AdapterConfig(r=3, learning_rate=2e-2),
        cpu=True,
    )


def logits(model) -> torch.Tensor:
    inputs = tiny_tokenizer()(TEXTS, return_tensors="pt", padding=True, return_token_type_ids=False)
    with torch.no_grad():
        return model.eval()(**inputs).logits


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_head_and_the_merged_encoder_are_saved_and_the_adapter_beside_them(sources, tmp_path, method):
    """The model, reloaded, is the plain encoder with the saved adapter and the saved head, whatever the method."""
    adapter = AdapterConfig(learning_rate=2e-2, keep=True)
    folder = train(config(sources, tmp_path / "run", method, adapter)).path
    model = AttentionPoolingForSequenceClassification.from_pretrained(folder)
    assert not any("lora" in name or "base_layer" in name for name in model.state_dict())

    parts = AttentionPoolingForSequenceClassification.from_pretrained(folder)
    encoder = AutoModel.from_pretrained(sources / "encoder")
    parts.encoder = PeftModel.from_pretrained(encoder, folder / "adapter").merge_and_unload()
    head = load_file(folder / "adapter" / "head.safetensors")
    for weight in parts.head.parameters():
        torch.nn.init.zeros_(weight)
    parts.head.load_state_dict(head)
    torch.testing.assert_close(logits(parts), logits(model), rtol=0, atol=1e-5)

    start = load_file(sources / "encoder" / "model.safetensors")
    moved = {name for name, weight in model.encoder.state_dict().items() if not torch.equal(weight, start[name])}
    assert moved, "nothing of the encoder was trained"
    assert not any("embeddings" in name or "LayerNorm" in name for name in moved)
    alone = torch.tensor([float(weight.abs().sum()) for weight in head.values()])
    assert (alone > 0).all()


@pytest.mark.slow
def test_a_fresh_process_gives_the_same_logits_bit_for_bit(sources, tmp_path):
    """What was trained in one process is what `from_pretrained` gives in another, and what `erase` decides by."""
    folder = train(config(sources, tmp_path / "run")).path
    here = logits(AttentionPoolingForSequenceClassification.from_pretrained(folder))
    script = (
        "import json, sys, eraserhead; from transformers import AutoModelForSequenceClassification, AutoTokenizer\n"
        "import torch; folder, texts = sys.argv[1], json.loads(sys.argv[2])\n"
        "model = AutoModelForSequenceClassification.from_pretrained(folder).eval()\n"
        "inputs = AutoTokenizer.from_pretrained(folder)(texts, return_tensors='pt', padding=True)\n"
        "inputs.pop('token_type_ids', None)\n"
        "with torch.no_grad(): print(json.dumps(model(**inputs).logits.tolist()))"
    )
    command = [sys.executable, "-c", script, str(folder), json.dumps(TEXTS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert torch.equal(torch.tensor(json.loads(done.stdout.splitlines()[-1])), here)
    found = eraserhead.erase(folder, TEXTS, draws=2, cpu=True)
    decided = found.tables["documents"].column("model_prediction").to_pylist()
    assert decided == here.argmax(-1).tolist()


@pytest.mark.slow
def test_an_interrupted_run_resumes_with_its_adapter(sources, tmp_path):
    adapter = AdapterConfig(r=3, dropout=0.3, learning_rate=2e-2)
    whole = config(sources, tmp_path / "whole", adapter=adapter, epochs=3, patience=9)
    train(whole)
    cut = replace(whole, output_dir=str(tmp_path / "cut"))
    interrupt_training(cut, epochs=1)
    train(replace(cut, resume=True))
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_weights_that_are_trained_are_counted(sources, tmp_path, caplog):
    """Rank 3 on query and value of three layers of width 16: 3 x 2 x (3 x 16 + 16 x 3) weights."""
    with caplog.at_level("INFO", "eraserhead"):
        train(config(sources, tmp_path / "run", epochs=1))
    assert "adapter: 576 weights beside " in caplog.text


@pytest.mark.slow
def test_layers_that_are_named_are_adapted(sources, tmp_path):
    named = AdapterConfig(r=2, target_modules=["dense"], learning_rate=2e-2)
    folder = train(config(sources, tmp_path / "run", adapter=named)).path
    start = load_file(sources / "encoder" / "model.safetensors")
    after = AttentionPoolingForSequenceClassification.from_pretrained(folder).encoder.state_dict()
    moved = {name for name, weight in after.items() if not torch.equal(weight, start[name])}
    assert moved
    assert all("dense.weight" in name for name in moved)


@pytest.mark.parametrize(
    ("method", "adapter", "changes", "said"),
    [
        ("lora", AdapterConfig(target_modules=["querry"]), {}, "its linear layers are dense, key, query, value"),
        (
            "lora",
            AdapterConfig(target_modules=["query", "valeu"]),
            {},
            "adapter.target_modules=['valeu']: the encoder has",
        ),
        ("ia3", AdapterConfig(r=4), {}, "adapter.r=4: has no effect with training.adapter='ia3'"),
        (None, AdapterConfig(alpha=4.0), {}, "adapter.alpha=4.0: has no effect without training.adapter='lora'"),
        ("lora", None, {"freeze_encoder": False}, "leaves the encoder's own weights as they are"),
    ],
)
def test_what_cannot_be_adapted_is_refused(sources, tmp_path, method, adapter, changes, said):
    with pytest.raises(UserError, match=re.escape(said)):
        train(config(sources, tmp_path / "run", method, adapter, **changes))
    assert not (tmp_path / "run" / "run.yaml").exists()


def test_embeddings_alone_have_no_layer_to_adapt(sources, tmp_path):
    run = config(sources, tmp_path / "run")
    with pytest.raises(UserError, match="the model has no layer of the encoder"):
        train(replace(run, model=replace(run.model, encoder_layers=0)))


def test_vectors_that_an_adapter_changes_are_not_cached(sources, tmp_path):
    with pytest.raises(UserError, match="an adapter changes vectors"):
        train(replace(config(sources, tmp_path / "run"), cache_limit=1.0))


def test_the_library_that_is_missing_is_named(sources, tmp_path, monkeypatch):
    monkeypatch.setattr("eraserhead.training.adapter.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'eraserhead\[adapters\]'"):
        train(config(sources, tmp_path / "run"))


@pytest.mark.slow
def test_gradient_checkpointing_changes_no_weight(sources, tmp_path):
    plain, pointed = (
        load_file(train(config(sources, tmp_path / str(on), gradient_checkpointing=on)).path / "model.safetensors")
        for on in (False, True)
    )
    for name, weight in plain.items():
        torch.testing.assert_close(pointed[name], weight, rtol=0, atol=1e-5)
