"""Folders that would act when they are loaded: each action is shown to work elsewhere, and never happens here.

Pickles that run code, devices in the place of files, indices that lead outside and headers that are too large are in
test_boundary.py.
"""

import json
import pickle
import shutil
from pathlib import Path

import jinja2
import pytest
import yaml
from transformers import AutoTokenizer

from eraserhead.cli.main import main
from eraserhead.errors import UserError
from eraserhead.loading.checkpoints import load_checkpoint, load_tokenizer
from eraserhead.publishing.model_folder import _refuse_links_outside
from tiny import random_texts, saved_classifier, tiny_tokenizer

TOKENIZER_CODE = """from pathlib import Path

from transformers import PreTrainedTokenizerFast

Path({trace!r}).mkdir()


class OwnTokenizer(PreTrainedTokenizerFast):
    pass
"""


@pytest.fixture
def trace(tmp_path) -> Path:
    """A folder that only an action of the hostile folder makes."""
    return tmp_path / "trace"


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(saved_classifier(tmp_path))


def changed(file: Path, **changes) -> None:
    file.write_text(json.dumps((json.loads(file.read_text()) if file.is_file() else {}) | changes))


def use(folder: Path, tmp_path: Path) -> list[int]:
    """Erase, explain, and write the folder to push; return how each command ends."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in random_texts(5)))
    erasing = ["--data.path", str(rows), "--draws", "1", "--output_dir", str(folder / "erasure"), "--cpu"]
    return [
        main(["erase", str(folder), *erasing]),
        main(["explain", str(folder), "a fine cast", "--draws", "1", "--cpu"]),
        main(["push", str(folder), "user/name", "--dry_run"]),
    ]


def with_tokenizer_code(folder: Path, trace: Path) -> None:
    (folder / "tokenization_own.py").write_text(TOKENIZER_CODE.format(trace=str(trace)))
    own = {"tokenizer_class": "OwnTokenizer", "auto_map": {"AutoTokenizer": [None, "tokenization_own.OwnTokenizer"]}}
    changed(folder / "tokenizer_config.json", **own)


@pytest.mark.slow
def test_code_of_a_tokenizer_never_runs_unless_it_may(folder, trace, tmp_path, capsys):
    with_tokenizer_code(folder, trace)
    ends = use(folder, tmp_path)
    assert not trace.exists()
    assert set(ends) <= {0, 2}
    capsys.readouterr()
    AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    assert trace.is_dir()


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self):
        return Path.mkdir, (self.place,)


@pytest.mark.slow
def test_pickles_beside_the_weights_are_never_read(folder, trace, tmp_path):
    pickle.loads(pickle.dumps(Runs(tmp_path / "control")))
    assert (tmp_path / "control").is_dir()
    names = ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "data.pkl")
    for name in names:
        (folder / name).write_bytes(pickle.dumps(Runs(trace)))
    assert use(folder, tmp_path) == [0, 0, 0]
    assert not trace.exists()
    assert not {file.name for file in (folder / "hub").iterdir()}.intersection(names)


def yaml_action(trace: Path) -> str:
    return f"data: !!python/object/apply:os.mkdir ['{trace}']\n"


@pytest.mark.parametrize("kind", ["run.yaml", "--config", "sweep"])
def test_python_tags_of_yaml_are_refused_in_one_line(folder, trace, tmp_path, capsys, kind):
    yaml.unsafe_load(yaml_action(tmp_path / "control"))
    assert (tmp_path / "control").is_dir()
    file = folder / "run.yaml" if kind == "run.yaml" else tmp_path / "own.yaml"
    file.write_text(yaml_action(trace))
    command = {
        "run.yaml": ["erase", str(folder), "--cpu"],
        "--config": ["train", "--config", str(file), "--output_dir", str(tmp_path / "out")],
        "sweep": ["sweep", str(file), "--output_dir", str(tmp_path / "out")],
    }[kind]
    assert main(command) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert file.name in said[-1]
    assert "could not determine a constructor for the tag" in said[-1]
    assert not trace.exists()
    assert not (tmp_path / "out").exists()


def template_action(trace: Path) -> str:
    return f"{{{{ cycler.__init__.__globals__.os.mkdir('{trace}') }}}}"


@pytest.mark.slow
def test_templates_are_never_run(folder, trace, tmp_path):
    """Neither a chat template, nor a name of a class that would be one on the model card."""
    jinja2.Environment().from_string(template_action(tmp_path / "control")).render()
    assert (tmp_path / "control").is_dir()
    action = template_action(trace)
    (folder / "chat_template.jinja").write_text(action)
    changed(folder / "tokenizer_config.json", chat_template=action)
    changed(folder / "config.json", id2label={"0": action, "1": "pos"}, label2id={action: 0, "pos": 1})
    ends = use(folder, tmp_path)
    assert not trace.exists()
    assert ends[:2] == [0, 0]


def other_tokenizer(folder: Path) -> Path:
    """A tokenizer outside of the model's folder, in which every word is unknown."""
    folder.mkdir()
    tokenizer = tiny_tokenizer()
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content["model"]["vocab"] = {token: index for token, index in content["model"]["vocab"].items() if index < 5}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    (folder / "vocab.txt").write_text("\n".join(content["model"]["vocab"]))
    return folder


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize(
    ("field", "name"), [("tokenizer_file", "tokenizer.json"), ("vocab_file", "vocab.txt"), ("name_or_path", "")]
)
def test_a_tokenizers_configuration_leads_to_no_file_outside(folder, tmp_path, field, name, absolute):
    expected = load_tokenizer(str(folder))("a fine cast")["input_ids"]
    outside = other_tokenizer(tmp_path / "outside")
    assert AutoTokenizer.from_pretrained(outside)("a fine cast")["input_ids"] == [2, 1, 1, 1, 3]
    place = str(outside / name) if absolute else f"../outside/{name}"
    changed(folder / "tokenizer_config.json", **{field: place})
    assert load_tokenizer(str(folder))("a fine cast")["input_ids"] == expected != [2, 1, 1, 1, 3]


def test_a_models_configuration_leads_to_no_file_outside(folder, tmp_path):
    """The names that it may have had elsewhere are not followed, and the encoder is part of the model."""
    expected = load_checkpoint(str(folder)).model.state_dict()
    other = Path(saved_classifier(tmp_path / "outside", seed=5))
    content = json.loads((folder / "config.json").read_text())
    inner = content["encoder_config"] | {"_name_or_path": str(other), "name_or_path": str(other)}
    changed(folder / "config.json", _name_or_path=str(other), encoder_config=inner)
    found = load_checkpoint(str(folder)).model.state_dict()
    assert all(bool((found[name] == expected[name]).all()) for name in expected)


@pytest.mark.parametrize("place", ["/etc/hostname", "../outside.safetensors"])
def test_weights_named_by_an_index_lie_in_the_folder(folder, tmp_path, place):
    shutil.move(folder / "model.safetensors", tmp_path / "outside.safetensors")
    index = {"metadata": {"total_size": 1}, "weight_map": {"head.classifier.bias": place}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"index\.json: names '.*', which is (not in|no file of weights)"):
        load_checkpoint(str(folder))


def test_a_push_publishes_no_file_that_a_link_leads_to(folder, tmp_path, capsys):
    secret = tmp_path / "secret.txt"
    secret.write_text("a private key")
    (folder / "chat_template.jinja").symlink_to(secret)
    assert main(["push", str(folder), "user/name", "--dry_run"]) == 2
    assert f"chat_template.jinja is a link to {secret}, outside of the folder" in capsys.readouterr().err
    assert not (folder / "hub").exists()
    snapshot = tmp_path / "models--user--name" / "snapshots" / ("0" * 40)  # as the hub's cache lays files out
    shutil.copytree(folder, snapshot, ignore=lambda *_: ["chat_template.jinja"])
    (snapshot.parents[1] / "blobs").mkdir()
    shutil.move(snapshot / "tokenizer.json", snapshot.parents[1] / "blobs" / "1234")
    (snapshot / "tokenizer.json").symlink_to("../../blobs/1234")
    _refuse_links_outside(snapshot)
