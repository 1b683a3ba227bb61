"""Pairs of texts, from training to the pushed model: the second text is seen, and told apart from the first."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import processors
from torch.testing import assert_close
from transformers import PreTrainedTokenizerFast, pipeline

import eraserhead
from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain as explain_config
from eraserhead.explanation.view import shaded
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.showing.shading import BARS, Shading
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.training import train
from tiny import random_texts, saved_classifier, saved_hierarchical, tiny_encoder, tiny_tokenizer

pytestmark = pytest.mark.slow


def pair_tokenizer(typed: bool = True) -> PreTrainedTokenizerFast:
    """BERT's frame for one text and for two, with token types or without."""
    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = ["input_ids", *(["token_type_ids"] if typed else []), "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        model_input_names=names,
        model_max_length=64,
        **tokenizer.special_tokens_map,
    )


def pairs_file(path: Path, count: int) -> str:
    """Pairs of two words; the label says whether they are the same: no half of a pair tells."""
    words = [text.split()[0] for text in random_texts(2 * count, seed=3)]
    rows = []
    for number in range(count):
        first, other = words[2 * number], words[2 * number + 1]
        second = first if number % 2 else other
        rows.append({"text": first, "then": f"{second} film", "label": "same" if first == second else "other"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def encoder_for_pairs(folder: Path) -> str:
    tiny_encoder(folder)
    pair_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture
def run(tmp_path, monkeypatch) -> TrainConfig:
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    data = DataConfig(
        path=pairs_file(tmp_path / "pairs.jsonl", 60), pair_column="then", validation_size=12, max_length=16
    )
    return TrainConfig(
        output_dir=str(tmp_path / "run"),
        data=data,
        model=ModelConfig(encoder=encoder_for_pairs(tmp_path / "encoder"), dropout=0.0),
        training=TrainingConfig(epochs=2, patience=2),
        cpu=True,
    )


def losses(config: TrainConfig) -> list[float]:
    metrics = train(config).metrics()
    assert metrics is not None
    return [epoch.loss for epoch in metrics.epochs]


def test_kept_vectors_are_those_of_pairs(run, tmp_path):
    """With kept token vectors and with vectors computed in each epoch, which know the types otherwise."""
    kept = losses(run)
    again = losses(replace(run, output_dir=str(tmp_path / "again"), cache_limit=0.0))
    assert kept == pytest.approx(again, rel=1e-5)


def test_types_of_tokens_change_the_vectors_that_are_kept(run, tmp_path):
    """The same tokens without types are other documents: they are not found in the cache of the first."""
    typed = losses(run)
    pair_tokenizer(typed=False).save_pretrained(tmp_path / "encoder")
    untyped = losses(replace(run, output_dir=str(tmp_path / "untyped")))
    assert typed != pytest.approx(untyped, rel=1e-4)


def test_explain_erase_and_the_pipeline_see_the_same_pair(run, tmp_path):
    folder = str(train(run).path)
    first, second = "a fine cast", "the film was never good"
    model = load_checkpoint(folder).model
    inputs = pair_tokenizer()(first, second, return_tensors="pt")
    assert inputs["token_type_ids"].sum() == 6
    with torch.no_grad():
        expected = model(**inputs).logits.softmax(-1)[0]
        without_types = model(inputs["input_ids"], inputs["attention_mask"]).logits.softmax(-1)[0]
    assert (expected - without_types).abs().max() > 1e-4
    explained = eraserhead.explain(folder, (first, second), draws=2, cpu=True)
    assert_close(torch.tensor(list(explained.probabilities.values())), expected, rtol=0, atol=1e-6)
    assert explained.second == len(first) + 1
    assert [word.name for word in explained.words] == [*first.split(), *second.split()]
    by_command = explain_config(ExplainConfig(model=folder, text=first, pair=second, draws=2, cpu=True))
    assert by_command == explained
    answer = pipeline("text-classification", model=folder, top_k=None)({"text": first, "text_pair": second})
    assert {each["label"]: each["score"] for each in answer} == pytest.approx(explained.probabilities, abs=1e-6)
    erased = eraserhead.erase(folder, [(first, second)], draws=2, cpu=True)
    assert erased.documents.text[0] == f"{first}\n{second}"
    flips = erased.flips.set_index("ranking").removed
    assert all(flips[each.ranking] == each.removed for each in explained.rankings if each.ranking == "attention")


def test_the_pushed_model_shows_and_reads_a_pair_without_the_package(run, tmp_path):
    folder = train(run).path
    pushed = Path(eraserhead.push(folder, "user/pairs", dry_run=True).address)
    assert (
        'classify({"text": "The cast is fine.", "text_pair": "The film is good."})'
        in (pushed / "README.md").read_text()
    )
    pair = {"text": "a cast", "text_pair": "the film"}
    first, other = (
        pipeline("text-classification", model=str(where), trust_remote_code=True)(pair) for where in (folder, pushed)
    )
    assert first == other


def test_hierarchical_models_refuse_pairs_in_one_line(run, tmp_path, capsys):
    hierarchical = replace(run, model=replace(run.model, hierarchical=True))
    with pytest.raises(UserError, match=r"data\.pair_column='then': a hierarchical model reads one text"):
        train(hierarchical)
    assert not (tmp_path / "run").exists()
    folder = saved_hierarchical(tmp_path)
    with pytest.raises(UserError, match="the documents are pairs, and a hierarchical model reads one text"):
        eraserhead.erase(folder, [("good", "bad")], cpu=True)
    assert main(["explain", folder, "good.", "--pair", "bad.", "--cpu"]) == 2
    assert "a hierarchical model reads one text, sentence by sentence: join the two into one" in capsys.readouterr().err


def test_a_pair_belongs_to_a_text_and_not_to_a_document_of_the_data(tmp_path):
    config = ExplainConfig(model="x", id="test/0", pair="bad", cpu=True)
    with pytest.raises(UserError, match=r"pair='bad': a document of the data brings its own"):
        explain_config(config)


def test_one_text_given_to_a_model_of_pairs_is_pointed_out(run, caplog):
    folder = str(train(run).path)
    with caplog.at_level("INFO", "eraserhead"):
        explain_config(ExplainConfig(model=folder, text="good", data=run.data, cpu=True))
    assert "trained on pairs of texts, and this is one text" in caplog.text


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ("a fine cast", "the film", "a fine cast\nthe film"),
        ("a fine cast was good", "bad", "a fine✂ cast was good\nbad"),
        ("bad", "the film was good", "bad\nthe film✂ was good"),
    ],
)
def test_each_text_of_a_pair_is_shown_with_its_own_cut(tmp_path, first, second, shown):
    """Six tokens: three frame the pair, and the longer text is cut."""
    folder = saved_classifier(tmp_path)
    pair_tokenizer().save_pretrained(folder)
    length = 6 if "✂" in shown else 64
    explained = eraserhead.explain(folder, (first, second), max_length=length, draws=2, cpu=True)
    assert re.sub(f"[⟦⟧{BARS}]", "", shaded(explained, Shading()).plain) == shown


def test_pairs_that_are_split_elsewhere_are_other_documents(tmp_path):
    folder = saved_classifier(tmp_path)
    pair_tokenizer().save_pretrained(folder)
    one, two = (
        eraserhead.erase(folder, [pair], draws=2, cpu=True).summary.setup.data
        for pair in (("good\nbad", "film"), ("good", "bad\nfilm"))
    )
    assert one.fingerprint != two.fingerprint
