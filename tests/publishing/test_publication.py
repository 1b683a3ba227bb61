"""What is published of a model, what is not, and what its card says; without a hub."""

import dataclasses
import json
import re
import threading
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from markdown_it import MarkdownIt
from safetensors.numpy import save_file

from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.data.labels import LabelTable
from eraserhead.erasure.ranking_summaries import CurveSummary
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.summary import Agreement, People
from eraserhead.errors import Setting, UserError
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.loading.fingerprints import weights_fingerprint
from eraserhead.loading.run_layout import RUN
from eraserhead.loading.run_options import write_options
from eraserhead.loading.setup import LabelSetup, ModelSetup
from eraserhead.loading.training_data import TrainingData, write_training_data
from eraserhead.method.names import Outcome
from eraserhead.method.statistics import Estimate
from eraserhead.models.architecture import Limits
from eraserhead.publishing import leaks as leaks_module
from eraserhead.publishing import model_folder, results_files
from eraserhead.publishing import publisher as publisher_module
from eraserhead.publishing.card import _options, model_card
from eraserhead.publishing.facts import Facts, Options, PublicConfig, Training, gather_facts
from eraserhead.publishing.layout import OWN_FILES
from eraserhead.publishing.leaks import Private, leaks, private
from eraserhead.publishing.licenses import License, given_license
from eraserhead.publishing.model_folder import Results, check_source, find_results, read_source
from eraserhead.publishing.own_section import BEGIN, END
from eraserhead.publishing.public_names import is_local, publishable
from eraserhead.publishing.publication import write_publication
from eraserhead.publishing.publisher import Publisher
from eraserhead.publishing.results_metadata import eval_files
from eraserhead.publishing.target import Pushed, check_reference
from eraserhead.records import write_record
from eraserhead.remote.downloads import MODEL_FILES
from eraserhead.settings import unused
from eraserhead.study.layout import STUDY
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.folder import RunFolder
from eraserhead.training.records import EncoderSource, Epoch, Metrics, TrainingEnvironment
from studies import Document, made_up, random_documents
from summaries import DATA, estimate
from tiny import saved_classifier

pytestmark = pytest.mark.slow

TOKEN = "hf_" + "aB3" * 11 + "x"
NAMES_TABLE = re.compile(r"VOCAB_FILES_NAMES = \{(.*?)\}", re.DOTALL)
NOTHING = Private((), (), (), ())


def found_in(tmp_path: Path, content: str, name: str = "README.md", kept: Private = NOTHING) -> list[str]:
    (tmp_path / name).write_text(content)
    return leaks(tmp_path, kept)


@pytest.mark.parametrize(
    "content",
    [
        '{"path": "/home/anna/data"}',
        '{"path": "/work/exp/run"}',
        '{"path": "C:\\\\Users\\\\anna"}',
        '{"path": "D:/data"}',
        '{"path": "\\\\\\\\server\\\\share"}',
        '{"path": "../shared/data"}',
        '{"path": "~/data"}',
        '{"path": "~anna/data"}',
        "see file:///etc/passwd",
        "in (/mnt/big disk/x)",
        f"token {TOKEN}",
        f'{{"url": "https://user:{TOKEN}@hub"}}',
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1" * 18,
        "sk-" + "a1" * 18,
    ],
)
def test_planted_paths_and_secrets_are_found(tmp_path, content):
    name = "summary.json" if content.startswith("{") else "README.md"
    assert len(found_in(tmp_path, content, name)) == 1


@pytest.mark.parametrize(
    "content",
    [
        "https://arxiv.org/abs/1906.03731 and https://huggingface.co/user/model/tree/main",
        "and/or, 1/2, w/o, user/imdb-attention-pooling, train/17, </s>, <br />, n/a",
        "![a figure](erasure.png) [paper](https://a.b/c/d/e)",
        '{"eos_token": "</s>", "pattern": "\\\\d+", "revision": "0123456789abcdef0123456789abcdef01234567"}',
        "ratio: 3:1, at 10:30, a: b, C: the class",
        "`model(**inputs, keep=mask)`; 2931--2951; 5 %/10 %",
    ],
)
def test_ordinary_text_is_none(tmp_path, content):
    assert found_in(tmp_path, content) == []


def test_secrets_of_this_environment_are_found_wherever_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "unusual-token-of-mine")
    monkeypatch.setenv("SOME_PASSWORD", "correct horse battery")
    for name in ("tokenizer.json", "heads.py", "README.md"):
        assert len(found_in(tmp_path, "x unusual-token-of-mine x", name)) == 1
        assert len(found_in(tmp_path, "x correct horse battery x", name)) == 1
        (tmp_path / name).unlink()
    save_file({"a": np.ones(3)}, tmp_path / "model.safetensors", metadata={"note": "unusual-token-of-mine"})
    assert [line.split(":")[0] for line in leaks(tmp_path, NOTHING)] == ["model.safetensors"]
    (tmp_path / "model.safetensors").unlink()
    pq.write_table(pa.table({"id": ["correct horse battery"]}), tmp_path / "flips.parquet")
    assert [line.split(":")[0] for line in leaks(tmp_path, NOTHING)] == ["flips.parquet"]
    (tmp_path / "flips.parquet").unlink()
    pq.write_table(pa.table({"n": [1]}).replace_schema_metadata({"from": "/home/anna/x"}), tmp_path / "flips.parquet")
    assert len(leaks(tmp_path, NOTHING)) == 1


def test_names_on_the_hub_are_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENIZER_NAME", "attention-pooling")
    name = "user/sk-sentiment-attention-pooling-v1"
    kept = dataclasses.replace(NOTHING, public=[name])
    assert (
        found_in(
            tmp_path, f"{name} has attention-pooling, and so has user/imdb-sk-attention-pooling-classifier", kept=kept
        )
        == []
    )
    monkeypatch.setenv("MY_TOKEN", "attention-pooling")
    assert len(found_in(tmp_path, "attention-pooling")) == 1


def test_paths_of_this_machine_are_found_in_vocabularies_too(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    kept = private([str(tmp_path / "run")], [], [])
    vocabulary = {"vocab": {"/usr/bin": 1, "##/home": 2}}
    assert found_in(folder, json.dumps(vocabulary), "tokenizer.json", kept) == []
    vocabulary["from"] = str(tmp_path / "run" / "tokenizer.json")
    assert len(found_in(folder, json.dumps(vocabulary), "tokenizer.json", kept)) >= 1


def test_names_of_users_and_machines_are_told_from_words(tmp_path, monkeypatch):
    kept = dataclasses.replace(NOTHING, names=["annabel"], public=["annabel/model"])
    assert found_in(tmp_path, "made by annabel", kept=kept)
    assert found_in(tmp_path, '{"by": "annabel@machine"}', "training.json", kept)
    (tmp_path / "training.json").unlink()
    assert found_in(tmp_path, "see annabel/model and annabell", kept=kept) == []
    ordinary = ["data", "test", "torch", "linear", "imdb", "Linux", "accuracy", "encoder", "metrics", "seed"]
    assert found_in(tmp_path, ", ".join(ordinary), kept=dataclasses.replace(NOTHING, names=ordinary)) == []
    assert found_in(tmp_path, "in /srv/data/x", kept=dataclasses.replace(NOTHING, names=["data"]))
    monkeypatch.setattr(leaks_module.getpass, "getuser", lambda: "annabel")
    assert "annabel" in private([], [], []).names


def test_texts_of_documents_are_found_whatever_their_white_space(tmp_path):
    text = "A fine cast, wasted on  a script\nthat never wakes up."
    kept = private([], [text, "short"], [])
    assert len(found_in(tmp_path, f"For example: {' '.join(text.split())}", kept=kept)) == 1
    (tmp_path / "README.md").unlink()
    quoted = 'He said "go away",\nand never came back to it.'
    kept = private([], [quoted, "short"], [])
    assert len(found_in(tmp_path, json.dumps({"example": quoted}), "training.json", kept)) == 1
    assert found_in(tmp_path, json.dumps({"example": "short"}), "training.json", kept) == []


def test_a_class_may_look_like_a_path(tmp_path):
    kept = dataclasses.replace(NOTHING, classes=["/r/news", "w/o/x"])
    assert found_in(tmp_path, json.dumps({"0": "/r/news"}), "config.json", kept) == []
    assert len(found_in(tmp_path, json.dumps({"0": "/r/other"}), "config.json", kept)) == 1
    kept = dataclasses.replace(NOTHING, classes=["/", "e"], public=["user/hf", "hf"])
    assert len(found_in(tmp_path, json.dumps({"0": "/home/anna/x", "1": TOKEN}), "config.json", kept)) == 2


def test_a_public_name_hides_no_path(tmp_path):
    kept = dataclasses.replace(NOTHING, public=["anna/imdb"], names=["anna"])
    assert found_in(tmp_path, "anna/imdb", kept=kept) == []
    assert len(found_in(tmp_path, "/home/anna/imdb", kept=kept)) == 1


def test_local_paths_become_public_names_and_all_else_stays():
    names = {"../shared/data/imdb": "stanfordnlp/imdb", "packaged": "a/b"}
    content = {
        "output_dir": "runs/x",
        "path": "../shared/data/imdb",
        "encoder": "packaged",
        "other": "packaged",
        "deep": [{"vocab_file": "/home/anna/thing.json", "n": 3, "none": None, "rate": 0.5}],
        "name": "stanfordnlp/imdb",
        "id2label": {"0": "/r/news", "1": "~", "2": ".."},
    }
    assert publishable(content, names) == {
        "path": "stanfordnlp/imdb",
        "encoder": "a/b",
        "other": "packaged",
        "deep": [{"vocab_file": "thing.json", "n": 3, "none": None, "rate": 0.5}],
        "name": "stanfordnlp/imdb",
        "id2label": {"0": "/r/news", "1": "~", "2": ".."},
    }


def test_what_a_local_path_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "imdb").mkdir(parents=True)
    assert all(map(is_local, ("/a", "~/a", "./a", "../a", "..", "C:\\a", "C:/a", "\\\\server\\a")))
    assert not any(map(is_local, ("", "user/model", "and/or", "a text\n/with lines", "http://a/b", "runs/imdb")))


@pytest.fixture
def study(tmp_path):
    """A classifier with results whose every number can be worked out."""
    folder = Path(saved_classifier(tmp_path, ("neg", "pos")))
    cell = made_up(tmp_path / STUDY.cells, "imdb", "flan-none", random_documents(40, 0))
    return folder, cell.results


def with_setup(results: ResultsFolder, folder: Path, devices: str = "cpu") -> tuple[Results, ...]:
    """Results that name a model and its data."""
    summary = results.summary()
    setup = dataclasses.replace(
        summary.setup,
        model=ModelSetup(str(folder), None, "x", ("neg", "pos")),
        data=dataclasses.replace(DATA, name=None, path=str(folder)),
    )
    results.finish(dataclasses.replace(summary, setup=setup, run=dataclasses.replace(summary.run, devices=devices)))
    return (Results(results, results.summary()),)


def write_run(folder: Path, encoder: EncoderSource, devices: str = "cpu", epochs: int = 1) -> None:
    """Write what a run's folder says beside its model."""
    config = TrainConfig(
        output_dir="clients/acme/run",
        data=DataConfig(path="clients/acme/data.csv"),
        model=ModelConfig(encoder=encoder.name),
    )
    write_options(folder, config)
    where = TrainingEnvironment(python="3", platform="x", versions={}, encoder=encoder)
    write_record(folder / RUN.environment, where)
    documents = dataclasses.replace(DATA, name=None, path="clients/acme/data.csv", fingerprint="0123456789abcdef" * 4)
    labels = LabelTable(("0", "1"), {"0": 0, "1": 1})
    write_training_data(folder, TrainingData(labels, {"train": documents}, {}))
    write_metrics(folder, epochs, devices)


def write_metrics(folder: Path, best: int, devices: str = "cpu") -> None:
    epochs = [Epoch(number, 0.5, {"accuracy": 0.5}, 1.0) for number in range(1, best + 1)]
    write_record(folder / RUN.metrics, Metrics(best, epochs, None, devices))


def test_relative_paths_of_a_run_are_not_published_wherever_the_command_is_run(tmp_path, monkeypatch):
    folder = Path(saved_classifier(tmp_path))
    write_run(folder, EncoderSource("clients/acme/encoder", None))
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "acme" / "reviews").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    write_publication(read_source(folder), tmp_path / "published", Options("user/x"))
    training = json.loads((tmp_path / "published" / "training.json").read_text())["config"]
    assert training["model"]["encoder"] == "encoder"
    assert training["data"]["path"] == "data.csv (sha256 0123456789abcdef)"
    assert "acme" not in "".join(
        file.read_text(errors="replace") for file in (tmp_path / "published").iterdir() if file.suffix != ".safetensors"
    )
    write_run(folder, EncoderSource("acme/reviews", "0" * 40))  # on the hub, whatever lies in this folder
    write_publication(read_source(folder), tmp_path / "published", Options("user/x"))
    assert "base_model: acme/reviews" in (tmp_path / "published" / "README.md").read_text()
    write_run(folder, EncoderSource("acme/reviews", "0" * 40), devices="see clients/acme/run")
    with pytest.raises(UserError, match=r"training\.json: the local path clients/acme/run"):
        write_publication(read_source(folder), tmp_path / "published", Options("user/x"))


def test_vocabularies_of_every_tokenizer_are_downloaded_and_replaced():
    """All files that transformers' tokenizers are read from, as their source names them."""
    import transformers

    sources = Path(transformers.__file__).parent.glob("models/*/tokenization_*.py")
    tables = [found[1] for file in sources for found in NAMES_TABLE.finditer(file.read_text(encoding="utf-8"))]
    names = {name for table in tables for name in re.findall(r':\s*"([\w.-]+)"', table)}
    assert {"vocab.txt", "bpe.codes", "sentencepiece.bpe.model", "tokenizer.json"} <= names
    wanted = [name for name in names if not name.endswith((".pt", ".zip", ".pkl", ".bin"))]
    assert [name for name in wanted if not any(fnmatch(name, pattern) for pattern in MODEL_FILES)] == []
    for name in (
        "added_tokens.json",
        "special_tokens_map.json",
        "vocab.txt",
        "merges.txt",
        "spiece.model",
        "bpe.codes",
    ):
        assert OWN_FILES.fullmatch(name)
    for name in ("handler.py", "notes.txt", "onnx/model.onnx", "data.json", ".gitattributes"):
        assert not OWN_FILES.fullmatch(name)


def test_a_folder_that_would_leak_is_not_written(study, tmp_path):
    folder, results = study
    leaking = with_setup(results, folder, devices="on /home/anna/machine")
    published = tmp_path / "published"
    with pytest.raises(UserError, match=r"summary.json: a local path \('/home/anna/machine'\)"):
        write_publication(read_source(folder, leaking), published, Options("user/x"))
    assert not published.exists()
    assert list(tmp_path.glob("*.unfinished")) == []
    write_publication(read_source(folder, with_setup(results, folder)), published, Options("u/x"))
    assert (published / "README.md").is_file()


def test_ids_that_are_not_rows_of_a_split_are_numbered(tmp_path):
    folder = Path(saved_classifier(tmp_path, ("neg", "pos")))
    documents = {f"Anna's review {row}": Document({}) for row in range(7)}
    cell = made_up(tmp_path / STUDY.cells, "imdb", "flan-none", documents)
    write_publication(read_source(folder, with_setup(cell.results, folder)), tmp_path / "published", Options("user/x"))
    there = pq.read_table(tmp_path / "published" / "flips.parquet")
    here = cell.results.table("flips")
    assert there.column("id").unique().to_pylist() == [f"document/{row}" for row in range(7)]
    assert there.drop(["id"]).equals(here.drop(["id"]))


def test_results_are_found_where_they_belong_or_where_they_are_said_to_be(study):
    folder, results = study
    assert find_results(folder) == ()
    assert find_results(folder, [str(results.path)]) == (Results(results, results.summary()),)
    with pytest.raises(UserError, match="no erasure results"):
        find_results(folder, [str(folder)])
    with pytest.raises(UserError, match="another model"):
        check_source(read_source(folder, with_setup(results, folder)))


def facts(study, **changes) -> Facts:
    folder, results = study
    source = read_source(folder, with_setup(results, folder))
    summary = source.results[0].summary
    setup = dataclasses.replace(summary.setup, data=DATA)
    found = gather_facts(source, Options("user/model", License("mit"), ("en",)))
    given = {"base_model": "base/encoder", "datasets": ("stanfordnlp/imdb",)}
    given |= {"summary": dataclasses.replace(summary, setup=setup)}
    return dataclasses.replace(found, **(given | changes))


def trained(model: ModelConfig | None = None, training: TrainingConfig | None = None) -> Training:
    """What a card knows of a training with these options, and of nothing else."""
    config = PublicConfig(DataConfig(), model or ModelConfig(), training or TrainingConfig())
    return Training(config=config, data=None, metrics=None, environment=None)


def test_the_card_holds_the_numbers_of_the_summary(study):
    given = facts(study)
    text = model_card(given)
    card = ModelCard(text)
    assert card.data.base_model == "base/encoder"
    assert given.summary is not None
    metrics = {result.metric_type: result for result in card.data.eval_results}
    accuracy = metrics["accuracy"]
    assert (accuracy.dataset_type, accuracy.dataset_name, accuracy.dataset_split) == (
        "stanfordnlp/imdb", "imdb (stanfordnlp/imdb), 41 of 50 rows", "test",
    )  # fmt: skip
    assert accuracy.metric_value == round(given.summary.accuracy.value, 3)
    for name, ranking in given.summary.rankings.items():
        never = ranking.share(Outcome.NEVER)
        assert f"| {100 * never.value:.1f} [{100 * never.low:.1f}, {100 * never.high:.1f}] |" in text
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} | "))
        assert row.endswith(f"| {ranking.fraction.mean_of_flips.count} |")


def test_accuracy_on_documents_that_training_saw_is_not_in_the_metadata(study):
    """Of no document, of some or of all: what is published is the accuracy over the others, with a sentence."""
    summary = facts(study).summary
    counts = dataclasses.replace(summary.documents, trained_on=2, validated_on=1)
    some = dataclasses.replace(summary, documents=counts, accuracy_unseen=estimate(0.25, 0.125, 0.5, count=4))
    text = model_card(facts(study, summary=some))
    accuracy = next(each for each in ModelCard(text).data.eval_results if each.metric_type == "accuracy")
    assert accuracy.metric_value == 0.25
    assert accuracy.metric_name == "Accuracy, over the documents that training did not see"
    assert "(accuracy 0.250† [0.125, 0.500] over the 4 that training did not see)" in text
    assert f"trained on 2 of the {counts.analysed} documents analysed, and its best epoch was chosen with 1.**" in text
    fraction = next(each for each in ModelCard(text).data.eval_results if each.metric_type == "erased_fraction_random")
    assert fraction.metric_name.endswith(f"flips (random; 2 of {counts.analysed} trained on)")
    text = model_card(facts(study, summary=dataclasses.replace(some, accuracy_unseen=estimate(None, count=0))))
    assert "accuracy" not in [each.metric_type for each in ModelCard(text).data.eval_results]
    assert "accuracy" not in text.split("## How to load it")[0].split("# model")[1]
    unknown = model_card(facts(study))
    assert "It is not recorded which documents it was trained on" in unknown
    assert "It is not recorded which documents it was trained on" not in text


def test_test_metrics_are_published_over_unseen_documents_alone(study):
    metrics = Metrics(1, [Epoch(1, 0.5, {"accuracy": 0.5}, 1.0)], {"accuracy": 0.75}, "cpu", {"accuracy": 0.625})
    data = TrainingData(LabelTable(("a", "b"), {"a": 0, "b": 1}), {"train": DATA, "test": DATA}, {}, {"test": 7})
    text = model_card(facts(study, training=Training(data=data, metrics=metrics), summary=None))
    assert [each.metric_value for each in ModelCard(text).data.eval_results] == [0.625]
    assert "| test (41) | 0.750 |\n| test, not seen in training | 0.625 |" in text
    assert "- 7 of the 41 test documents were trained on." in text
    every = dataclasses.replace(metrics, test_unseen=None)
    text = model_card(facts(study, training=Training(data=data, metrics=every), summary=None))
    assert ModelCard(text).data.eval_results is None


PLACE = {"name": None, "path": "reviews.csv (sha256 0123456789abcdef)"}


@pytest.mark.parametrize(
    ("changes", "expected", "note"),
    [
        ({"documents": 50}, "--data.name imdb", None),
        ({}, "--data.name imdb --data.test_size 41", None),
        ({"seed": 3, "split": "train"},
         "--data.name imdb --data.test_split train --data.test_size 41 --data.seed 3", None),
        ({"path": "imdb-copy", "documents": 50, "cleaned": False}, "--data.name imdb --data.clean false", None),
        ({"name": "user/set", "subset": "ar", "text_columns": ["a", "b c"], "label_column": "y", "documents": 50},
         """--data.name user/set --data.subset ar --data.text_columns '["a", "b c"]' --data.label_column y""", None),
        ({"name": "glue", "subset": "mrpc", "text_columns": ["one"], "pair_column": "two", "documents": 50},
         "--data.name glue --data.subset mrpc --data.text_columns one --data.pair_column two", None),
        (PLACE, "--data.path DATA.csv", "in the place of `DATA.csv`"),
        ({"name": "mine", "path": "copy.csv"}, "--data.path DATA.csv", "in the place of `DATA.csv`"),
        ({"name": "user/set", "path": "copy", "documents": 50}, "--data.name user/set", None),
        (PLACE | {"path": "corpus", "label_column": None}, "--data.path DATA", "in the place of `DATA`"),
        ({"name": None, "split": "texts"}, "--data.path DATA.csv", "in the place of `DATA.csv`"),
        (PLACE | {"label_column": "`x`"}, "--data.path DATA.csv --data.label_column ...", "your own documents"),
        (PLACE | {"label_column": "joy, b c"}, """--data.path DATA.csv --data.label_columns '["joy", "b c"]'""",
         "your own documents"),
        (PLACE | {"label_column": "a;rm x"}, "--data.path DATA.csv --data.label_column 'a;rm x'", "your own documents"),
        ({"name": "planted", "documents": 50, "seed": 5},
         "--data.name planted --data.classes 3 --data.test_size 50 --data.seed 5",
         "`planted` is a corpus that eraserhead generates"),
    ],
)  # fmt: skip
def test_the_example_names_the_data_that_was_measured_on(study, changes, expected, note):
    """Whatever the training data are called, the model has three classes here."""
    summary = facts(study).summary
    setup = dataclasses.replace(summary.setup, data=dataclasses.replace(DATA, **changes))
    text = model_card(facts(study, summary=dataclasses.replace(summary, setup=setup), classes=["a", "b", "c"]))
    assert f"\neraserhead erase user/model {expected} --output_dir erasure\n```\n" in text
    assert (note is None) == ("Put the path" not in text and "corpus that eraserhead" not in text)
    assert note is None or note in text


@pytest.mark.parametrize(
    ("site", "unit", "limits", "options"),
    [
        ("pooling", "words", Limits(tokens=64), " --components words"),
        ("pooling", "sentences", Limits(tokens=64), " --components sentences"),
        ("pooling", "sentences", Limits(), ""),  # a hierarchical model attends over them
        ("layer:2", "words", Limits(tokens=64), " --site layer:2 --components words"),
        ("words", "tokens", Limits(), " --site words"),
    ],
)
def test_the_example_erases_the_same_components_and_the_card_counts_them(study, site, unit, limits, options):
    summary = facts(study).summary
    at = dataclasses.replace(summary.setup.site, site=site, components=unit)
    setup = dataclasses.replace(summary.setup, site=at, limits=limits, data=dataclasses.replace(DATA, documents=50))
    text = model_card(facts(study, summary=dataclasses.replace(summary, setup=setup)))
    assert f"\neraserhead erase user/model --data.name imdb{options} --output_dir erasure\n```\n" in text
    assert f"Fraction of the {'tokens (word pieces)' if unit == 'tokens' else unit} that had to be erased" in text


def test_the_example_has_the_site_and_is_a_placeholder_where_nothing_is_known(study):
    summary = facts(study).summary
    site = dataclasses.replace(summary.setup.site, site="layer:2")
    setup = dataclasses.replace(summary.setup, site=site)
    assert "--data.test_size 41 --site layer:2 --output" in model_card(
        facts(study, summary=dataclasses.replace(summary, setup=setup))
    )
    text = model_card(facts(study, summary=None))
    assert "`eraserhead erase user/model --data.path DATA.csv` measures it" in text
    assert "imdb" not in text.split("---\n", 2)[2]


@pytest.mark.parametrize(
    ("classes", "targets", "options"),
    [
        (["a", "b", "c"], LabelSetup(("predicted",), 0.5, "probability"), ""),
        (
            ["a", "b", "c"],
            LabelSetup(("a", "b c"), 0.25, "probability"),
            """ --target '["a", "b c"]' --threshold 0.25""",
        ),
        (["score"], LabelSetup(("predicted",), 0.5, "probability"), " --threshold 0.5"),
        (["score"], LabelSetup(("predicted",), -1.5, "logit"), " --threshold -1.5 --threshold_on logit"),
    ],
)
def test_the_example_decides_as_the_measurement_did(study, classes, targets, options):
    summary = facts(study).summary
    setup = dataclasses.replace(summary.setup, site=dataclasses.replace(summary.setup.site, targets=targets))
    text = model_card(facts(study, summary=dataclasses.replace(summary, setup=setup), classes=classes))
    assert f" --data.name imdb --data.test_size 41{options} --output_dir erasure\n" in text


def test_the_example_of_an_unmeasured_model_with_one_output_asks_for_a_threshold(study):
    text = model_card(facts(study, summary=None, classes=["score"]))
    assert "`eraserhead erase user/model --data.path DATA.csv --threshold THRESHOLD` measures it" in text


def test_the_data_set_of_a_metric_is_the_one_it_was_measured_on(study):
    summary = facts(study).summary
    for changes, kind in (
        (PLACE, "reviews.csv"), ({}, "stanfordnlp/imdb"), ({"name": "planted"}, "planted"), ({"name": "u/s"}, "u/s"),
    ):  # fmt: skip
        setup = dataclasses.replace(summary.setup, data=dataclasses.replace(DATA, **changes))
        card = ModelCard(model_card(facts(study, summary=dataclasses.replace(summary, setup=setup))))
        assert {each.dataset_type for each in card.data.eval_results} == {kind}


def test_scores_in_the_files_that_the_hub_reads(study):
    """Accuracy and fractions of imdb, which is on the hub, in files of their own; nothing of a data set that is not."""
    given = facts(study, repository="user/model")
    assert given.summary is not None
    files = eval_files(given)
    entries = {path: parse_eval_result_entries(yaml.safe_load(text)) for path, text in files.items()}
    (accuracy,) = entries[".eval_results/accuracy.yaml"]
    assert (accuracy.dataset_id, accuracy.task_id) == ("stanfordnlp/imdb", "default")
    assert accuracy.value == round(given.summary.accuracy.value, 3)
    assert accuracy.source_url is not None
    assert accuracy.source_url.endswith("/user/model")
    assert accuracy.notes == "test, 41 of 50 rows"
    fractions = {each.task_id: each.value for each in entries[".eval_results/erased_fraction.yaml"]}
    medians = {name: ranking.fraction.median.value for name, ranking in given.summary.rankings.items()}
    expected = {f"erased_fraction_{name}": round(value, 3) for name, value in medians.items() if value is not None}
    assert fractions == expected
    assert expected
    assert {*eval_files(given, accuracy=False)} == {".eval_results/erased_fraction.yaml"}

    metrics = Metrics(1, [Epoch(1, 0.5, {"accuracy": 0.5}, 1.0)], {"accuracy": 0.75}, "cpu", {"accuracy": 0.625})
    data = TrainingData(LabelTable(("a", "b"), {"a": 0, "b": 1}), {"train": DATA, "test": DATA}, {}, {"test": 7})
    text = eval_files(facts(study, training=Training(data=data, metrics=metrics), summary=None))
    (accuracy,) = yaml.safe_load(text[".eval_results/accuracy.yaml"])
    assert accuracy["value"] == 0.625
    assert accuracy["notes"] == "test, 41 of 50 rows, over the documents that training did not see"

    setup = dataclasses.replace(given.summary.setup, data=dataclasses.replace(DATA, **PLACE))
    assert eval_files(facts(study, summary=dataclasses.replace(given.summary, setup=setup))) == {}


def test_the_metadata_say_how_the_model_relates_to_its_base(study):
    assert ModelCard(model_card(facts(study))).data.to_dict()["base_model_relation"] == "finetune"
    without = ModelCard(model_card(facts(study, base_model=None))).data.to_dict()
    assert not {"base_model", "base_model_relation"} & without.keys()


def test_a_licence_of_its_own_name_is_kept_on_the_next_push(study):
    text = model_card(facts(study, license=License("other", "house-rules-1.0", "LICENSE")))
    card = ModelCard(text).data.to_dict()
    assert (card["license"], card["license_name"], card["license_link"]) == ("other", "house-rules-1.0", "LICENSE")
    assert Options("user/x").or_as_in(card).license == License("other", "house-rules-1.0", "LICENSE")
    assert Options("user/x", License("mit")).or_as_in(card).license == License("mit")
    assert Options("user/x").or_as_in({"license": ["mit"]}).license == License("mit")


@pytest.mark.parametrize(
    ("given", "suggested"),
    [("MIT", "'mit'"), ("apache2", "'apache-2.0'"), ("gpl-v3", "'gpl-3.0'"), ("cc-by", "'odc-by' or 'cc-by-4.0'")],
)
def test_unknown_licences_are_refused_with_the_nearest_ones(given, suggested):
    with pytest.raises(UserError, match=re.escape(f"did you mean {suggested}")):
        given_license(given, None, None)
    with pytest.raises(UserError, match="the hub has no licence of this identifier; for one that is not in its list"):
        given_license("zzzz", None, None)


def test_without_results_the_card_claims_nothing(study):
    text = model_card(facts(study, summary=None))
    assert "do not read its attention weights as an" in " ".join(text.split("\n"))
    assert "erasure.png" not in text
    assert "erased_fraction" not in text


@pytest.mark.parametrize(
    ("part", "options", "idle"),
    [
        ("model", {"context": "none"}, {"recurrent_size", "filters", "filter_widths", "filter_dropout"}),
        ("model", {"context": "rnn"}, {"transformer_heads", "transformer_dropout", "filters"}),
        ("model", {"context": "transformer"}, {"recurrent_size", "filters"}),
        ("training", {"freeze_encoder": True}, {"encoder_learning_rate"}),
        ("training", {"schedule": "linear"}, {"plateau_patience"}),
        ("training", {"schedule": "plateau"}, {"warmup"}),
    ],
)
def test_the_card_leaves_out_options_without_an_effect(study, part, options, idle):
    used = {"model": {"dropout"}, "training": {"learning_rate"}}[part]
    kind = {"model": ModelConfig, "training": TrainingConfig}[part]
    text = model_card(facts(study, training=trained(**{part: kind(**options)})))
    every = {name for name in dataclasses.asdict(kind()) if re.search(rf"\b{name} [\d.e-]", text)}
    assert used <= every
    assert not idle & every
    assert not unused(kind(**options)) & every


def test_the_card_states_options_that_have_an_effect(study):
    model = ModelConfig(hierarchical=True, context="rnn", sentence_context="transformer", sentence_dropout=0.25)
    training = TrainingConfig(freeze_encoder=False, schedule="plateau")
    text = " ".join(model_card(facts(study, training=trained(model, training))).split())
    for said in (
        "recurrent_size 50", "transformer_heads 8", "transformer_dropout 0.1", "sentence_dropout 0.25",
        "encoder_learning_rate 3e-05", "plateau_patience 1",
    ):  # fmt: skip
        assert said in text


def test_hostile_names_are_shown_and_do_nothing(study):
    hostile = ["<script>alert(1)</script>", "a|b\n# heading", "[x](javascript:alert(1))", "![](http://evil/x.png)"]
    text = model_card(facts(study, classes=hostile, encoder_family="`bert`<img src=x>", base_model=None))
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text.split("---\n", 2)[2])
    inline = [child for token in tokens for child in (token.children or [])]
    blocks = [token.content for token in tokens if token.type == "html_block"]
    assert [block.startswith(marker) for block, marker in zip(blocks, (BEGIN, END), strict=True)] == [True, True]
    assert not [child for child in inline if child.type == "html_inline"]
    images = [child.attrs["src"] for child in inline if child.type == "image"]
    assert images == ["erasure.png"]
    assert not [child for child in inline if child.type == "link_open"]
    headings = [tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings == [
        "model", "What its attention is worth", "How to load it", "How it was made", "Limits", "Citation",
    ]  # fmt: skip


def test_the_card_leaves_out_options_without_effect():
    """A model without context encoder has no options of one; a frozen encoder has no learning rate."""
    plain = _options(ModelConfig(transformer_dropout=0.3))
    assert "transformer_dropout" not in plain
    assert "transformer_dropout 0.3" in _options(ModelConfig(context="transformer", transformer_dropout=0.3))
    frozen = _options(TrainingConfig(freeze_encoder=True))
    assert "encoder_learning_rate" not in frozen
    assert "plateau_patience" not in frozen
    thawed = _options(TrainingConfig(freeze_encoder=False, schedule="plateau"))
    assert "encoder_learning_rate 3e-05" in thawed
    assert "plateau_patience 1" in thawed
    assert "warmup" not in thawed


def test_results_of_the_folders_own_weights_are_published_without_loading_the_model(study, monkeypatch):
    """A fingerprint from the files is enough; a wrong one is confirmed by loading before it is refused."""
    folder, results = study
    own = weights_fingerprint(load_checkpoint(str(folder)).model)
    loaded = []
    load = model_folder.load_checkpoint
    monkeypatch.setattr(model_folder, "load_checkpoint", lambda *a, **k: loaded.append(a) or load(*a, **k))
    found = with_setup(results, folder)[0]
    setup = found.summary.setup
    right = dataclasses.replace(setup, model=dataclasses.replace(setup.model, weights=own))
    check_source(read_source(folder, [Results(results, dataclasses.replace(found.summary, setup=right))]))
    assert loaded == []
    with pytest.raises(UserError, match="another model"):
        check_source(read_source(folder, [found]))
    assert len(loaded) == 1


def test_the_picture_says_the_public_names_alone_and_is_the_same_every_time(study, tmp_path, monkeypatch):
    """The pixels are no text that is searched for leaks, so what is drawn is looked at."""
    drawn = []
    real = results_files.draw_flips
    monkeypatch.setattr(results_files, "draw_flips", lambda results: drawn.append(real(results)) or drawn[-1])
    source = read_source(study[0], with_setup(study[1], study[0]))
    for name in ("a", "b"):
        write_publication(source, tmp_path / name, Options("user/name"))
    caption = " ".join(drawn[0].figure.get_supxlabel().split())
    published = json.loads((tmp_path / "a" / "summary.json").read_text(encoding="utf-8"))
    assert caption.startswith(f"{published['setup']['model']['name']}, site pooling; ")
    assert str(tmp_path) not in caption
    assert (tmp_path / "a" / "erasure.png").read_bytes() == (tmp_path / "b" / "erasure.png").read_bytes()


class SlowHub:
    """A hub whose pushes wait for a sign."""

    def __init__(self) -> None:
        self.sign, self.begun, self.epochs = threading.Event(), threading.Event(), []
        self.broken: list[Exception] = []

    def push(self, folder: Path) -> Pushed:
        self.begun.set()
        if self.broken:
            raise self.broken.pop()
        assert self.sign.wait(60)
        self.epochs.append(json.loads((folder / "training.json").read_text())["metrics"]["best_epoch"])
        return Pushed(f"{len(self.epochs)}", True, "there")


def test_training_does_not_wait_for_the_hub_and_only_the_newest_waits(tmp_path):
    folder = Path(saved_classifier(tmp_path))
    hub = SlowHub()
    publisher = Publisher(hub, Options("user/x"))

    def best(epoch: int) -> None:
        write_metrics(folder, epoch)
        publisher.push_best(RunFolder(folder))

    best(1)
    assert hub.begun.wait(60)
    best(2)
    best(3)
    assert hub.epochs == []  # three times it came back, and nothing had been pushed
    hub.sign.set()
    deadline = threading.Event()
    while hub.epochs != [1, 3] and not deadline.wait(0.05):
        assert len(hub.epochs) < 3
    best(4)
    write_metrics(folder, 5)
    assert publisher.push_finished(RunFolder(folder)).address == "there"
    assert hub.epochs[-1] == 5
    assert hub.epochs in ([1, 3, 5], [1, 3, 4, 5])


def test_nothing_that_goes_wrong_with_a_push_ends_training(tmp_path, monkeypatch, caplog):
    folder = RunFolder(Path(saved_classifier(tmp_path)))
    write_metrics(folder.path, 1)
    hub = SlowHub()
    hub.sign.set()
    hub.broken.append(KeyError("a bug"))
    publisher = Publisher(hub, Options("user/x"))
    publisher.push_best(folder)
    deadline = threading.Event()
    while hub.broken:
        deadline.wait(0.05)
    publisher.push_best(folder)  # the thread that failed is replaced, or goes on
    while hub.epochs != [1]:
        deadline.wait(0.05)
    monkeypatch.setattr(publisher_module, "write_publication", full_disk)
    publisher.push_best(folder)
    assert "training goes on" in caplog.text


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("name", ["a b", "x..y", "-x", "x/", "x.lock", "x~1", "x^", "a//b", "ü"])
def test_names_that_no_tag_can_have_are_refused(name):
    check_reference(Setting("tag", "v1.0/rc-2_b"))
    check_reference(Setting("tag", None))
    with pytest.raises(UserError, match=r"^tag="):
        check_reference(Setting("tag", name))


def test_languages_are_codes(tmp_path, capfd):
    folder = saved_classifier(tmp_path)
    assert main(["push", folder, "user/x", "--language", "english,de", "--dry_run"]) == 2
    assert "--language english: give ISO 639 codes" in capfd.readouterr().err


def test_a_file_in_place_of_the_folder_of_a_dry_run_is_named(tmp_path, capsys):
    folder = saved_classifier(tmp_path)
    (Path(folder) / "hub").write_text("mine")
    assert main(["push", folder, "user/x", "--dry_run"]) == 2
    assert "hub: is a file, and a dry run writes a folder there; move it" in capsys.readouterr().err
    assert (Path(folder) / "hub").read_text() == "mine"


def test_the_card_names_further_rankings_and_where_their_scores_come_from(study):
    summary = facts(study).summary
    setup = dataclasses.replace(
        summary.setup, rankings=("attention", "lime", "mine"), ranking_sources={"mine": "my_package:score"}
    )
    text = model_card(facts(study, summary=dataclasses.replace(summary, setup=setup)))
    assert "Further orders are those of `lime`, `mine` (scores from my_package:score)." in " ".join(text.split())
    assert "--rankings attention,lime " in text
    plain = model_card(facts(study))
    assert "Further orders" not in plain
    assert "--rankings" not in plain
    assert "weights.\n\n**" in plain


def test_the_card_has_what_is_read_off_the_curves_and_what_people_marked(study):
    """Rows of .250, .125 and so on; NAOPC has no column where no ranking has one, and no people no table."""
    summary = facts(study).summary
    naopc, none = estimate(0.875), Estimate(None, None, None, 0)
    lost = CurveSummary(estimate(0.25), estimate(0.125), estimate(0.375), naopc, estimate(0.0), {}, {})
    rankings = {"attention": dataclasses.replace(summary.rankings["attention"], curves=lost)}
    agreement = Agreement(estimate(0.5), estimate(0.75), estimate(0.625))
    people = People(documents=31, annotators=2.0, rankings={"attention": agreement}, ceiling=agreement)
    text = model_card(facts(study, summary=dataclasses.replace(summary, rankings=rankings, people=people)))
    assert "| order of erasure | lost by erasing | lost by keeping alone | AOPC | NAOPC |" in text
    assert "| attention | 0.250 | 0.125 | 0.375 | 0.875 |" in text
    assert "(31 documents, 2 annotators of each on average)" in text
    assert "| attention | 0.500 | 0.750 | 0.625 |" in text
    assert "| annotators with each other | 0.500 | 0.750 | 0.625 |" in text

    rankings = {"attention": dataclasses.replace(rankings["attention"], curves=dataclasses.replace(lost, naopc=none))}
    text = model_card(facts(study, summary=dataclasses.replace(summary, rankings=rankings)))
    assert "| order of erasure | lost by erasing | lost by keeping alone | AOPC |\n" in text
    assert "people marked" not in text
