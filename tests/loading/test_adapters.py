"""Adapters of PEFT, merged into their base model."""

import json
import shutil
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from eraserhead.cli.main import main
from eraserhead.erasure.api import erase
from eraserhead.errors import UserError
from eraserhead.loading import adapters
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.loading.setup import BaseSetup
from eraserhead.publishing.api import push
from tiny import random_texts, tiny_encoder, tiny_tokenizer, with_own_code

pytestmark = pytest.mark.slow

TEXTS = random_texts(7)


def adapted(folder: Path, base: PreTrainedModel, **options) -> peft.PeftModel:
    """A LoRA whose numbers matter, with its head, in folder/adapter."""
    torch.manual_seed(5)
    config = peft.LoraConfig(
        task_type="SEQ_CLS", r=3, lora_alpha=7, target_modules=["query", "value"], init_lora_weights=False, **options
    )
    model = peft.get_peft_model(base, config).eval()
    model.save_pretrained(folder / "adapter")
    return model


def on_encoder(folder: Path, classes: int = 3, **options) -> peft.PeftModel:
    encoder = tiny_encoder(folder / "base")
    torch.manual_seed(11)
    base = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=classes, initializer_range=0.7)
    return adapted(folder, base, **options)


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(**tiny_tokenizer()(TEXTS, return_tensors="pt", padding=True)).logits


@pytest.mark.parametrize("kept_as", ["safetensors", "pickled"])
def test_logits_are_those_of_peft(tmp_path, kept_as):
    theirs = on_encoder(tmp_path)
    if kept_as == "pickled":
        theirs.save_pretrained(tmp_path / "adapter", safe_serialization=False)
        (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    expected = logits(theirs)
    with theirs.disable_adapter():
        assert (logits(theirs) - expected).abs().max() > 1e-2  # the adapter matters
    found = load_checkpoint(str(tmp_path / "adapter"))
    assert_close(logits(found.model), expected, rtol=0, atol=1e-6)
    assert found.base == BaseSetup(str(tmp_path / "base"), None, "LORA")
    assert found.class_names == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert not any("lora" in name for name in found.model.state_dict())


def test_erasing_is_the_same_as_of_the_merged_model_on_disk(tmp_path):
    merged = on_encoder(tmp_path).merge_and_unload(safe_merge=True)
    merged.save_pretrained(tmp_path / "merged")
    tiny_tokenizer().save_pretrained(tmp_path / "merged")
    from_adapter, from_disk = (
        erase(tmp_path / name, TEXTS, draws=2, cpu=True, site="layer:-1") for name in ("adapter", "merged")
    )
    for name in ("documents", "flips", "signals", "singles"):
        assert from_adapter.tables[name].equals(from_disk.tables[name])
    setups = [results.summary.setup.model for results in (from_adapter, from_disk)]
    assert setups[0].weights == setups[1].weights
    assert [setup.base is None for setup in setups] == [False, True]


def test_a_head_of_the_base_model_gives_way_to_the_adapters(tmp_path):
    """The base model decides between two classes, the adapter between three; its own config.json names them."""
    encoder = tiny_encoder(tmp_path / "encoder")
    AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=2).save_pretrained(tmp_path / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    base = AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "base", num_labels=3, ignore_mismatched_sizes=True
    )
    theirs = adapted(tmp_path, base)
    names = {"0": "bad", "1": "fair", "2": "good"}
    (tmp_path / "adapter" / "config.json").write_text(json.dumps({"model_type": "bert", "id2label": names}))
    found = load_checkpoint(str(tmp_path / "adapter"))
    assert_close(logits(found.model), logits(theirs), rtol=0, atol=1e-6)
    assert found.class_names == ("bad", "fair", "good")
    (tmp_path / "adapter" / "config.json").write_text(json.dumps({"model_type": "bert", "id2label": {"0": "bad"}}))
    with pytest.raises(UserError, match="id2label must name the classes 0 to 2"):
        load_checkpoint(str(tmp_path / "adapter"))


def test_the_base_model_may_be_code_of_its_repository(tmp_path):
    base = with_own_code(Path(tiny_encoder(tmp_path / "base")))
    own = AutoModelForSequenceClassification.from_pretrained(base, trust_remote_code=True)
    theirs = adapted(tmp_path, own, modules_to_save=["decider"])
    found = load_checkpoint(str(tmp_path / "adapter"), trust_remote_code=True)
    assert_close(logits(found.model), logits(theirs), rtol=0, atol=1e-6)
    assert found.runs_own_code


def test_the_tokenizer_beside_the_adapter_comes_first(tmp_path):
    on_encoder(tmp_path)
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = 13
    tokenizer.save_pretrained(tmp_path / "adapter")
    assert load_checkpoint(str(tmp_path / "adapter")).tokenizer.model_max_length == 13


def test_an_adapter_of_an_adapter_is_refused(tmp_path):
    """Or of itself, or of one whose base it is."""
    on_encoder(tmp_path)
    shutil.copytree(tmp_path / "adapter", tmp_path / "other")
    for base, what in (("adapter", "the adapter itself"), ("other", "an adapter too")):
        changed(tmp_path, base_model_name_or_path=str(tmp_path / base))
        with pytest.raises(
            UserError, match=rf"its base model, by .* is {what} \(.*: write there the model that it was"
        ):
            load_checkpoint(str(tmp_path / "adapter"))


def changed(folder: Path, **content) -> None:
    file = folder / "adapter" / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **content}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"base_model_name_or_path": None}, "names no base model"),
        ({"base_model_name_or_path": "/nowhere/at all"},
         r"adapter: its base model, by base_model_name_or_path in adapter_config\.json: /nowhere/at all: neither"),
        ({"peft_type": "MAGIC"}, "no kind of adapter in peft_type \\('MAGIC'\\)"),
        ({"peft_type": "PREFIX_TUNING"}, "PREFIX_TUNING adapter puts vectors in front .* cannot be merged"),
        ({"megatron_config": {"a": 1}, "megatron_core": "antigravity"}, "megatron_config would import code"),
        ({"r": "2"}, r"adapter_config\.json: r is '2', and must be a number"),
        ({"r": 0}, r"adapter_config\.json cannot be loaded .*positive integer value"),
        ({"r": 5}, r"config\.json describes '.*lora_A\.default\.weight' of size 5 x 16, and the stored one has 3 x 16"),
        ({"task_type": "CAUSAL_LM"}, r"adapter_config\.json: task_type is 'CAUSAL_LM'"),
        ({"modules_to_save": ["classifier", "pooler"]}, r"weights lack 'bert\.pooler\.dense\.weight', and"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_what_is_wrong_with_an_adapter_is_said_in_one_line(tmp_path, content, said):
    on_encoder(tmp_path)
    changed(tmp_path, **content)
    with pytest.raises(UserError, match=said) as raised:
        load_checkpoint(str(tmp_path / "adapter"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("change", ["lack", "hold"])
def test_weights_that_the_adapters_configuration_does_not_describe_are_refused_by_name(tmp_path, change):
    on_encoder(tmp_path)
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    stored = load_file(file)
    layer = "encoder.layer.1.attention.self"
    if change == "lack":
        stored = {name: tensor for name, tensor in stored.items() if f"{layer}.query" not in name}
    else:
        stored[f"base_model.model.bert.{layer}.key.lora_A.weight"] = torch.zeros(3, 16)
    save_file(stored, file)
    with pytest.raises(UserError, match=rf"weights {change} 'bert\.{layer}\.(query|key)\.lora_A\.weight'"):
        load_checkpoint(str(tmp_path / "adapter"))


def test_damaged_weights_of_an_adapter_are_named(tmp_path):
    on_encoder(tmp_path)
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"adapter: adapter_model\.safetensors cannot be loaded"):
        load_checkpoint(str(tmp_path / "adapter"))


def test_an_adapter_without_its_head_is_refused(tmp_path):
    on_encoder(tmp_path)
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    save_file({name: tensor for name, tensor in load_file(file).items() if "classifier" not in name}, file)
    with pytest.raises(UserError, match=r"no classification head \('classifier\.weight.*modules_to_save"):
        load_checkpoint(str(tmp_path / "adapter"))
    changed(tmp_path, task_type=None)  # nor does the base model have one
    with pytest.raises(UserError, match=r"no classification head \('classifier\.bias'"):
        load_checkpoint(str(tmp_path / "adapter"))


def test_an_adapter_without_weights_or_peft_is_refused(tmp_path, monkeypatch):
    on_encoder(tmp_path)
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has no adapter_model\.safetensors or adapter_model\.bin"):
        load_checkpoint(str(tmp_path / "adapter"))
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'eraserhead\[adapters\]'"):
        load_checkpoint(str(tmp_path / "adapter"))


def test_an_adapted_model_in_memory_is_to_be_merged_first(tmp_path):
    with pytest.raises(UserError, match=r"give model\.merge_and_unload\(\)"):
        erase(on_encoder(tmp_path), TEXTS, tokenizer=tiny_tokenizer())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_pushed_is_the_merged_model_with_the_adapters_results(tmp_path, dtype):
    theirs = on_encoder(tmp_path)
    folder = tmp_path / "adapter"
    erase(folder, TEXTS, draws=2, cpu=True, dtype=dtype, output_dir=folder / "erasure")
    pushed = push(folder, "user/adapted", dry_run=True)
    published = Path(pushed.address)
    assert_close(
        logits(AutoModelForSequenceClassification.from_pretrained(published)), logits(theirs), rtol=0, atol=1e-6
    )
    model = json.loads((published / "summary.json").read_text())["setup"]["model"]
    assert model["name"] == "user/adapted"
    assert model["base"] == {"name": "base", "revision": None, "adapter": "LORA"}
    assert not list(published.glob("adapter*"))
    assert str(tmp_path) not in "".join(file.read_text() for file in published.glob("*.json"))


def test_results_of_another_adapter_are_not_pushed(tmp_path):
    on_encoder(tmp_path)
    folder = tmp_path / "adapter"
    erase(folder, TEXTS, draws=2, cpu=True, output_dir=folder / "erasure")
    changed(tmp_path, lora_alpha=9)
    with pytest.raises(UserError, match=r"erasure results of another model than .*adapter"):
        push(folder, "user/adapted", dry_run=True)


def test_the_terminal_names_the_base_model(tmp_path, capsys):
    on_encoder(tmp_path)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    data = ["--data.path", str(tmp_path / "rows.jsonl"), "--output_dir", str(tmp_path / "out")]
    assert main(["erase", str(tmp_path / "adapter"), *data, "--draws", "2", "--cpu"]) == 0
    shown = "".join(capsys.readouterr().out.split())
    assert f"adapter,aLORAadaptermergedinto{tmp_path}/base(" in shown
