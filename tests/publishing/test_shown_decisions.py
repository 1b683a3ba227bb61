"""What a push shows of single decisions: widget, explained decision, picture, page; of several results; own code."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from transformers import AutoModelForSequenceClassification

import eraserhead
from eraserhead.cli.main import main
from eraserhead.errors import UserError
from eraserhead.explanation.picture import draw_explanation
from eraserhead.explanation.several import explain_texts
from eraserhead.publishing.facts import Options
from eraserhead.publishing.model_folder import read_source
from eraserhead.publishing.pushing import _check_shown
from eraserhead.showing.figures import save_png
from explored import unpacked
from tiny import saved_classifier, saved_hierarchical, tiny_encoder, tiny_tokenizer, with_own_code

pytestmark = pytest.mark.slow

EXAMPLES = ["The cast was fine but the script was never good.", "A dull film: very bad, and wasted."]


@pytest.fixture(scope="module")
def model(run, tmp_path_factory) -> Path:
    """The run, in a folder of its own, with further results over words."""
    folder = tmp_path_factory.mktemp("shown") / "run"
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("hub"))
    words = ["--components", "words", "--draws", "2", "--cpu", "--output_dir", str(folder / "words")]
    assert main(["erase", str(folder), *words]) == 0
    return folder


@pytest.fixture(scope="module")
def pushed(model) -> Path:
    erasure = f"{model / 'erasure'},{model / 'words'}"
    options = ["--erasure", erasure, "--examples", json.dumps(EXAMPLES), "--page"]
    assert main(["push", str(model), "user/shown", "--dry_run", *options]) == 0
    return model / "hub"


def texts_in(page: Path) -> list[str]:
    return [each.text for each in unpacked(page)[2]]


def documents_of(results: Path) -> list[str]:
    return pq.read_table(results / "documents.parquet", columns=["text"]).column("text").to_pylist()


def metadata(folder: Path) -> dict:
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def test_examples_are_widget_explained_decision_picture_and_page(pushed, model):
    card = (pushed / "README.md").read_text()
    assert metadata(pushed)["widget"] == [{"text": text} for text in EXAMPLES]
    explained = eraserhead.explain(model, EXAMPLES[0], cpu=True)
    section = card.split("### One decision\n\n")[1].split("\n## ")[0]
    quoted = section.split("\n")[0].removeprefix("> ")
    assert re.sub("[⟦⟧]", "", quoted) == EXAMPLES[0]
    assert re.findall("⟦(.*?)⟧", quoted) == [word.name for word in explained.words if word.erased]
    probability = explained.probabilities[explained.decision]
    assert f"It decides **{explained.decision}** (probability {probability:.2f})" in section
    least = next(each for each in explained.rankings if each.ranking == "minimum")
    assert f"({least.removed} of {explained.components} words)" in section
    assert f"| minimum | {least.removed} |" in section
    assert "](decision.png)" in section
    assert "[page.html](page.html) shows such decisions" in section
    assert texts_in(pushed / "page.html") == EXAMPLES
    assert dict(unpacked(pushed / "page.html")[0]["facts"])["model"] == "user/shown"


def test_several_results_stand_beside_each_other_and_in_folders(pushed):
    assert {path.relative_to(pushed).as_posix() for path in (pushed / "erasure").rglob("*") if path.is_file()} == {
        f"erasure/pooling-words/{name}" for name in ("summary.json", "flips.parquet", "erasure.png")
    }
    first, second = (
        json.loads((pushed / place / "summary.json").read_text()) for place in ("", "erasure/pooling-words")
    )
    assert (first["setup"]["site"]["components"], second["setup"]["site"]["components"]) == ("tokens", "words")
    card = (pushed / "README.md").read_text()
    for summary, row in zip((first, second), re.findall(r"^\| pooling, data .*$", card, re.MULTILINE), strict=True):
        assert f"| {summary['rankings']['product']['fraction']['median']['value']:.3f}" in row
    metrics = metadata(pushed)["model-index"][0]["results"][0]["metrics"]
    names = {each["name"]: each["value"] for each in metrics if each["type"] == "erased_fraction_product"}
    assert names == {
        f"Median fraction erased before the decision flips{at} (product)": round(
            summary["rankings"]["product"]["fraction"]["median"]["value"], 3
        )
        for at, summary in (("", first), (" at pooling over words", second))
    }


def test_nothing_is_shown_unasked_and_no_document_by_mistake(model, capfd):
    assert main(["push", str(model), "user/shown", "--dry_run"]) == 0
    assert not {"decision.png", "page.html"} & {path.name for path in (model / "hub").iterdir()}
    assert "widget" not in metadata(model / "hub")
    document = documents_of(model / "erasure")[0]
    capfd.readouterr()
    assert main(["push", str(model), "user/shown", "--dry_run", "--examples", json.dumps([document])]) == 2
    assert "is a document of the data; give a text of your own" in capfd.readouterr().err


def test_the_page_has_documents_where_their_texts_are_published(model):
    options = ["--dry_run", "--include_texts", "--page"]
    assert main(["push", str(model), "user/shown", *options]) == 0
    page = (model / "hub" / "page.html").read_text()
    assert sorted(set(texts_in(model / "hub" / "page.html"))) == sorted(set(documents_of(model / "erasure")))
    assert str(model) not in page
    assert "user/shown" in page


def test_the_picture_marks_the_smallest_set_and_takes_the_lines_that_it_needs(tmp_path):
    """Outlines are black and 1.1 points wide; twice as many words take more lines of the same height."""
    folder = saved_classifier(tmp_path)
    short, long = explain_texts(folder, ["a fine cast but dull", "a fine cast but dull " * 9], None)
    heights, blacks = [], []
    for number, each in enumerate((short, long)):
        figure = draw_explanation(each)
        assert figure is not None
        save_png(figure, tmp_path / f"{number}.png")
        heights.append(figure.get_figheight())
        boxes = [text.get_bbox_patch() for text in figure.texts]
        blacks.append(sum(box is not None and box.get_edgecolor() == (0, 0, 0, 1) for box in boxes))
    assert blacks == [sum(word.erased for word in each.words) for each in (short, long)]
    assert heights[1] == pytest.approx(heights[0] + 0.25 * round((heights[1] - heights[0]) / 0.25))
    assert heights[1] > heights[0]
    pixels = matplotlib.image.imread(tmp_path / "0.png")
    assert np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0).shape[0] > 2


def test_a_text_that_the_font_cannot_draw_has_no_picture_and_sentences_are_wrapped(tmp_path):
    folder = saved_classifier(tmp_path / "flat")
    assert draw_explanation(explain_texts(folder, ["a fine 漢字 film"], None)[0]) is None
    deep = saved_hierarchical(tmp_path / "deep")
    (explained,) = explain_texts(deep, ["The cast is fine and the film is very good. " * 3], None)
    figure = draw_explanation(explained)
    assert figure is not None
    assert explained.site.components == "sentences"
    assert max(len(text.get_text().split()) for text in figure.texts[1:]) == 1


def own_code(tmp_path: Path) -> str:
    folder = tmp_path / "own"
    tiny_encoder(folder)
    with_own_code(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def test_a_model_of_own_code_is_refused_or_pushed_with_its_code(tmp_path, capfd):
    folder = own_code(tmp_path)
    assert main(["push", folder, "user/own", "--dry_run"]) == 2
    assert "allow it with --trust_remote_code" in capfd.readouterr().err
    assert not (Path(folder) / "hub").exists()
    assert main(["push", folder, "user/own", "--dry_run", "--trust_remote_code"]) == 0
    hub = Path(folder) / "hub"
    assert (hub / "modeling_own.py").read_bytes() == (Path(folder) / "modeling_own.py").read_bytes()
    assert "AutoModelForSequenceClassification" in json.loads((hub / "config.json").read_text())["auto_map"]
    card = (hub / "README.md").read_text()
    assert card.count("trust_remote_code=True") == 1
    assert "It is Python code of its repository" in card
    inputs = tiny_tokenizer()("a fine cast", return_tensors="pt")
    logits = [
        AutoModelForSequenceClassification.from_pretrained(place, trust_remote_code=True).eval()(**inputs).logits
        for place in (folder, hub)
    ]
    assert torch.equal(*logits)
    (Path(folder) / "a\n\x1b[31m.py").write_text("")
    capfd.readouterr()
    assert main(["push", folder, "user/own", "--dry_run", "--trust_remote_code"]) == 2
    assert r"'a\n\x1b[31m.py' is no name of a Python module; rename the file" in capfd.readouterr().err


def test_examples_of_a_model_of_pairs_are_refused(model):
    source = read_source(model)
    assert source.run is not None
    pairs = replace(source, run=replace(source.run, data=replace(source.run.data, pair_column="hypothesis")))
    _check_shown(source, Options("user/x", examples=("a fine cast",)))
    with pytest.raises(UserError, match="the model reads pairs of texts"):
        _check_shown(pairs, Options("user/x", examples=("a fine cast",)))


def test_from_python_a_folder_needs_a_repository(model):
    with pytest.raises(UserError, match="give the name of a repository too, such as user/name"):
        eraserhead.push(model)
    pushed = eraserhead.push(model, "user/x", erasure=model / "words", examples="a fine cast", dry_run=True)
    assert pushed.address == str(model / "hub")
    assert metadata(model / "hub")["widget"] == [{"text": "a fine cast"}]
    assert json.loads((model / "hub" / "summary.json").read_text())["setup"]["site"]["components"] == "words"
