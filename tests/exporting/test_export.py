"""The graph computes what the model does, for every shape; and what is refused leaves nothing behind."""

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.testing import assert_close
from transformers import AutoTokenizer

import eraserhead
from eraserhead import files
from eraserhead.cli import export as command
from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.exporting import exporting, onnx_graph
from eraserhead.exporting.config import ExportConfig
from eraserhead.exporting.folder import GRAPH, ExportFolder, ExportRecord
from eraserhead.exporting.graph import Graph, SentenceGraph
from eraserhead.exporting.onnx_graph import PACKAGES
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.loading.reader import reader_for
from eraserhead.locks import LockedError, locked
from eraserhead.models.architecture import Architecture
from eraserhead.models.context import RecurrentContext
from eraserhead.models.long_documents import head_and_tail
from families import new_model
from test_disk import smaller_than
from tiny import (
    AttentionPoolingForSequenceClassification,
    saved_classifier,
    saved_hierarchical,
    saved_limited,
    tiny_encoder,
    tiny_hierarchical,
    tiny_tokenizer,
)

MISSING = [name for name in PACKAGES if find_spec(name) is None]
needs_onnx = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (eraserhead[onnx])")
LIMIT = 7  # tokens that the exported model reads; shorter than the longest of the texts
TEXTS = ["a fine cast wasted on a script that never wakes up", "good", "it was not bad but dull"]


def run(folder: Path, inputs: dict) -> dict[str, torch.Tensor]:
    """Run the graph on tensors, all outputs by name."""
    from onnxruntime import InferenceSession

    session = InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    return {out.name: torch.from_numpy(value) for out, value in zip(session.get_outputs(), found, strict=True)}


@pytest.mark.parametrize("layers", [0, 2])
def test_a_grid_of_sentences_gives_what_groups_of_them_give(tmp_path, layers):
    """Also where a document is shorter than another, and where a sentence between others has no components."""
    model = tiny_hierarchical(tmp_path, "rnn", encoder_layers=layers)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 27, (3, 5, 7), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, 2] = 0  # between others
    mask[1, 3:] = 0
    mask[2, :, 4:] = 0
    ids[2, 1, :4] = torch.tensor([2, 3, 2, 3])  # special tokens alone
    with torch.no_grad():
        logits, weights, inside = SentenceGraph(model)(ids, mask)
        expected = model(input_ids=ids, attention_mask=mask)
    assert_close(logits, expected.logits)
    assert_close(weights, expected.pooling_weights)
    assert_close(inside, expected.word_weights)
    assert weights[0, 2] == weights[2, 1] == 0
    assert inside[0, 1].sum() > 0.99


def test_padded_rows_give_the_states_that_packed_ones_give():
    torch.manual_seed(2)
    context = RecurrentContext(3, Architecture(recurrent_size=5)).double()
    lengths = torch.tensor([[7], [2], [0], [5]])
    mask = torch.arange(7) < lengths
    vectors = torch.randn(4, 7, 3, dtype=torch.float64) * mask.unsqueeze(-1)
    padded = context._padded(vectors, lengths) * mask.unsqueeze(-1)
    assert_close(padded, context(vectors, mask))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A flat model with a recurrent context, exported by the command line with its weights."""
    folder = tmp_path_factory.mktemp("flat")
    architecture = Architecture(context="rnn", recurrent_size=5)
    encoder = tiny_encoder(folder / "encoder", layers=2)
    torch.manual_seed(3)
    model = AttentionPoolingForSequenceClassification.from_encoder(encoder, ("neg", "pos"), architecture).eval()
    model.config.limits["tokens"] = LIMIT
    model.save_pretrained(folder / "model")
    tiny_tokenizer().save_pretrained(folder / "model")
    assert main(["export", str(folder / "model"), "--weights"]) == 0
    return model, folder / "model" / "onnx"


@needs_onnx
@pytest.mark.slow
def test_a_program_without_torch_reads_the_same_decisions(exported):
    model, folder = exported
    assert {"model.onnx", "config.json", "tokenizer.json"} <= {file.name for file in folder.iterdir()}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for texts in (TEXTS, TEXTS[1:2], [" ".join(TEXTS)] * 5):
        inputs = tokenizer(texts, return_tensors="pt", padding=True, truncation=True)
        inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            expected = model(**inputs)
        found = run(folder, inputs)
        assert list(found) == ["logits", "pooling_weights"]
        assert_close(found["logits"], expected.logits, atol=1e-5, rtol=0)
        assert_close(found["pooling_weights"], expected.pooling_weights, atol=1e-5, rtol=0)
        for own, text in zip(found["logits"].softmax(-1), dict.fromkeys(texts), strict=False):
            read = tuple(eraserhead.explain(folder.parent, text).probabilities.values())
            assert own.tolist() == pytest.approx(read, abs=1e-5)


@pytest.mark.parametrize("tokens", [7, None])
@pytest.mark.parametrize("long_documents", ["cut", "head_tail"])
def test_the_tokenizer_cuts_where_the_model_does(tmp_path, tokens, long_documents):
    """With transformers and without it; where the middle is cut out, or nothing is, none does so unasked."""
    name = saved_limited(tmp_path, tokens=tokens, long_documents=long_documents)
    checkpoint = load_checkpoint(name, None)
    reader = reader_for(checkpoint.model, checkpoint.tokenizer, DataConfig(), cut_to_window=True)
    checkpoint.tokenizer("good", truncation=True, max_length=3)
    exporting._save_tokenizer(checkpoint.model, checkpoint.tokenizer, reader, tmp_path / "saved")
    longest, words = tokens or 64, "good " * 70
    assert len(AutoTokenizer.from_pretrained(tmp_path / "saved")(words, truncation=True)["input_ids"]) == longest
    alone = Tokenizer.from_file(str(tmp_path / "saved" / "tokenizer.json")).encode(words)
    assert len(alone.ids) == (longest if long_documents == "cut" else 72)


def test_what_a_model_reads_of_long_texts_is_said_where_the_tokenizer_cannot_cut_them(tmp_path, caplog):
    checkpoint = load_checkpoint(saved_limited(tmp_path, tokens=17, long_documents="head_tail"), None)
    reader = reader_for(checkpoint.model, checkpoint.tokenizer, DataConfig(), cut_to_window=True)
    exporting._tell_parts("model", reader)
    kept = head_and_tail(31, 17, (1, 1))
    assert kept == [*range(4), *range(31 - 13, 31)]
    assert "of a text of more than 17 tokens, give the graph the first 4 and the last 13" in caplog.text


@needs_onnx
@pytest.mark.slow
def test_an_earlier_export_is_replaced_only_where_asked_for(exported, capsys):
    _, folder = exported
    before = (folder / "model.onnx").stat().st_mtime_ns
    assert main(["export", str(folder.parent)]) == 2
    assert f"{folder}: holds an exported model" in capsys.readouterr().err
    assert main(["export", str(folder.parent), "--output_dir", str(folder.parent)]) == 2
    assert "holds files that are not an exported model" in capsys.readouterr().err
    assert (folder / "model.onnx").stat().st_mtime_ns == before


def write_export(folder: ExportFolder, content: str, *others: str) -> None:
    """Write what an export writes, of this content."""
    with folder.replacing() as unfinished:
        for name in ("config.json", GRAPH, "tokenizer.json", *others):
            (unfinished / name).write_text(content)


def content(folder: ExportFolder) -> dict[str, str]:
    """What the files of a folder hold, but for the record of them."""
    return {
        path.name: path.read_text() for path in folder.path.glob("*") if path.is_file() and path.name != folder.MARK
    }


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moves", range(5))
def test_an_export_that_is_killed_leaves_no_graph_beside_files_of_another(tmp_path, monkeypatch, moves):
    """Wherever it ends between the moves of its files, and even where it leaves the unmoved ones behind."""
    folder, replace_file = ExportFolder(tmp_path), os.replace
    write_export(folder, "old", "vocab.txt")
    left = iter(range(moves))

    def killed_after_some(first, second):
        if next(left, None) is None:
            raise KilledError
        replace_file(first, second)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed_after_some)
        patched.setattr(files, "remove", lambda path: None)
        if moves < 4:  # the record's, and those of two files and the graph
            with pytest.raises(KilledError):
                write_export(folder, "new")
            assert not (tmp_path / GRAPH).exists()
        else:
            write_export(folder, "new")
    if moves < 4:
        folder.check(overwrite=False)
        write_export(folder, "new")
    assert content(folder) == dict.fromkeys(("config.json", GRAPH, "tokenizer.json"), "new")
    with pytest.raises(UserError, match="holds an exported model"):
        folder.check(overwrite=False)


def test_files_of_others_stay_and_are_not_exported_over(tmp_path):
    folder = ExportFolder(tmp_path)
    (tmp_path / GRAPH).write_text("mine")
    with pytest.raises(UserError, match=r"holds model\.onnx, and no export\.json that says what belongs to it"):
        folder.check(overwrite=True)
    (tmp_path / GRAPH).unlink()
    for name in ("", "..", "../mine", "/etc/hosts"):
        folder.write(folder.MARK, ExportRecord([GRAPH, name]))
        with pytest.raises(UserError, match="which no export writes; delete the folder"):
            folder.check(overwrite=True)
    (tmp_path / folder.MARK).unlink()
    write_export(folder, "old")
    (tmp_path / "notes").write_text("mine")
    folder.check(overwrite=True)
    write_export(folder, "new")
    assert content(folder)["notes"] == "mine"


@needs_onnx
def test_a_folder_in_which_another_export_is_at_work_is_refused(tmp_path):
    with locked(tmp_path / "onnx"), pytest.raises(LockedError, match="another process is writing here"):
        eraserhead.export(tmp_path / "model", tmp_path / "onnx")


@needs_onnx
@pytest.mark.slow
def test_a_hierarchical_model_is_exported_with_both_levels(tmp_path):
    name = saved_hierarchical(tmp_path)
    done = eraserhead.export(name, tmp_path / "graph", weights=True)
    assert done.outputs == ("logits", "pooling_weights", "word_weights")
    assert done.difference < 1e-5
    ids = tiny_tokenizer()(TEXTS, return_tensors="pt", padding=True)["input_ids"].unsqueeze(0)
    inputs = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    with torch.no_grad():
        expected = AttentionPoolingForSequenceClassification.from_pretrained(name).eval()(**inputs)
    found = run(tmp_path / "graph", inputs)
    for output in done.outputs:
        assert_close(found[output], expected[output], atol=1e-5, rtol=0)


class Scaled(nn.Module):
    """Little for the exporter to follow; its weights are larger than what a file may have below."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(1000.0))

    def forward(self, *inputs):
        return (inputs[0].sum() * self.weight,)


@needs_onnx
@pytest.mark.slow
def test_a_full_disk_is_no_fault_of_the_exporter(tmp_path):
    graph = Graph(Scaled(), ("input_ids",), ("logits",), ("batch", "tokens"))
    example = {"input_ids": torch.ones(3, 5)}
    with smaller_than(1000), pytest.raises(OSError, match="File too large"):
        onnx_graph.write_graph(graph, example, tmp_path / GRAPH, "model")


@pytest.mark.parametrize(("outputs", "compared"), [(("logits",), "(logits, 5"), (("logits", "w"), "(logits and wei")])
def test_the_command_says_what_it_compared(monkeypatch, capsys, outputs, compared):
    done = exporting.Exported(Path("onnx"), ("input_ids",), outputs, 1e-7, 5)
    monkeypatch.setattr(command, "export_model", lambda config: done)
    command.run(ExportConfig("model"))
    assert f"largest difference from the model: 1.0e-07 {compared}" in capsys.readouterr().out


class Shifted(nn.Module):
    """Another module's first output, and a little more."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        return (self.module(*inputs)[0] + 3e-4,)


@needs_onnx
@pytest.mark.slow
def test_a_graph_that_computes_something_else_is_not_kept(tmp_path, monkeypatch):
    name = saved_hierarchical(tmp_path)
    graph_of = exporting.graph_of
    monkeypatch.setattr(
        exporting, "graph_of", lambda *given: replace(found := graph_of(*given), module=Shifted(found.module))
    )
    with pytest.raises(UserError, match=r"the exported graph differs from the model by 3\.0e-04, and 1e-04 is allowed"):
        eraserhead.export(name, tmp_path / "graph")
    assert not (tmp_path / "graph").exists()


@needs_onnx
@pytest.mark.slow
def test_what_the_exporter_cannot_follow_is_one_line(tmp_path, monkeypatch):
    name = saved_classifier(tmp_path)

    def depends_on_values(self, scores):
        return torch.ones(scores.shape[0], int(scores.sum()))

    monkeypatch.setattr(AttentionPoolingForSequenceClassification, "_classify_tokens", depends_on_values)
    with pytest.raises(UserError, match="model: torch's exporter cannot follow this encoder, so no ONNX") as caught:
        eraserhead.export(name)
    assert "\n" not in str(caught.value)
    assert not (Path(name) / "onnx").exists()


@needs_onnx
def test_a_model_without_an_attention_pooling_head_is_refused(tmp_path):
    new_model("bert").float().save_pretrained(tmp_path / "bert")
    tiny_tokenizer().save_pretrained(tmp_path / "bert")
    with pytest.raises(UserError, match=r"has no attention-pooling head.*`optimum-cli export onnx`"):
        eraserhead.export(tmp_path / "bert")
    assert not (tmp_path / "bert" / "onnx").exists()


def test_a_missing_library_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(UserError, match=r"onnxscript is not installed; `pip install 'eraserhead\[onnx\]'`"):
        eraserhead.export(tmp_path)


@needs_onnx
def test_a_model_that_reads_in_windows_is_refused(tmp_path, capsys):
    folder = saved_limited(tmp_path, tokens=6, long_documents="windows", window_overlap=1)
    assert main(["export", folder, "--output_dir", str(tmp_path / "onnx")]) == 2
    assert "reads long documents in windows" in capsys.readouterr().err
    assert not (tmp_path / "onnx").exists()
