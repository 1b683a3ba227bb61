"""Every command and snippet of README.md and the pages runs, in order, one folder a page, with a hub on loopback."""

import json
import os
import re
import sys
from dataclasses import astuple
from pathlib import Path

import datasets
import pytest
import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from eraserhead.data.named_sets import NAMED
from eraserhead.data.planted import label_names, planted_reviews
from hub_server import Hub
from interpreters import WarmInterpreter
from pages import PAGES, ROOT, blocks_of, steps_of
from tiny import tiny_tokenizer

CHECKPOINT = "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
ROWS = {"train": 60, "test": 30}
MARKED = 10  # blocks, of all pages together, that cannot be run
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")
LOCAL = re.compile(r"shared/data|/work/|/home/|/tmp/|\.venv/bin/(?!activate)")


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    """Folders of small stand-ins for what the pages name: the paper's four data sets and one checkpoint."""
    folder = tmp_path_factory.mktemp("hub")
    write_checkpoint(folder / CHECKPOINT)
    for name in NAMED:
        write_dataset(folder / name, name)
    return folder


@pytest.fixture
def hub(stand_ins):
    """A hub for one page alone, that has them under the names that the pages use."""
    with Hub() as hub:
        hub.add(CHECKPOINT, stand_ins / CHECKPOINT)
        for name, named in NAMED.items():
            hub.add(str(named.hub), stand_ins / name, "dataset", subset=named.subset or "default")
        yield hub


def write_dataset(folder: Path, name: str) -> None:
    """Write planted reviews with the columns and classes of a named data set."""
    named, sizes = NAMED[name], ROWS
    names = list(named.class_names)
    for split, size in sizes.items():
        reviews = planted_reviews(split, size=size)
        columns = {column: [review.text for review in reviews] for column in named.text_columns}
        labels = [number % len(names) for number, _ in enumerate(reviews)]
        if len(names) == len(label_names(2)):
            labels = [review.label for review in reviews]
        content = datasets.Dataset.from_dict({**columns, named.label_column: labels})
        folder.mkdir(exist_ok=True)
        content.cast_column(named.label_column, datasets.ClassLabel(names=names)).to_parquet(
            folder / f"{split}.parquet"
        )


def write_checkpoint(folder: Path) -> None:
    """Write a random DistilBERT with the class names of the checkpoint that it stands for."""
    labels = {0: "NEGATIVE", 1: "POSITIVE"}
    config = DistilBertConfig(
        vocab_size=len(tiny_tokenizer()), dim=16, hidden_dim=29, n_layers=6, n_heads=2, max_position_embeddings=64,
        initializer_range=0.3, id2label=labels, label2id={name: number for number, name in labels.items()},
    )  # fmt: skip
    torch.manual_seed(0)
    DistilBertForSequenceClassification(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)


def working_folder(folder: Path) -> Path:
    """Make a folder with what a checkout has beside the package, and somebody's own reviews."""
    for name in ("configs", "examples", "docs"):
        if (ROOT / name).is_dir():
            (folder / name).symlink_to(ROOT / name)
    for split, size in ROWS.items():
        rows = [
            {"title": "A review", "content": it.text, "stars": it.label + 1} for it in planted_reviews(split, size=size)
        ]
        (folder / "reviews").mkdir(exist_ok=True)
        (folder / "reviews" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm")
    with Hub() as nobody, WarmInterpreter(environment_of(nobody, folder / "home"), folder) as warm:
        yield warm


def environment_of(hub: Hub, home: Path, token: str | None = None) -> dict[str, str]:
    environment = hub.environment(home, token)
    scripts = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    return environment | {"PATH": scripts, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}


def run_page(page: str, hub: Hub, folder: Path, warm: WarmInterpreter, *, slow: bool) -> None:
    """Run the blocks of a page; those marked slow too, or not."""
    blocks = [block for block in blocks_of(page) if block.mark is None or (slow and block.mark == "slow")]
    steps = [astuple(step) for block in blocks for step in steps_of(block)]
    done = warm.run(
        Path(__file__).with_name("driver.py").read_text(encoding="utf-8"),
        json.dumps(steps),
        environment=environment_of(hub, folder / "home", hub.write_token),
        folder=working_folder(folder),
    )
    assert done.returncode == 0, done.stderr[-4000:]


def has(page: str, *marks: str | None) -> bool:
    return any(block.mark in marks and steps_of(block) for block in blocks_of(page))


@pytest.mark.hub
@pytest.mark.parametrize("page", [page for page in PAGES if has(page, None)])
def test_the_commands_and_snippets_of_a_page_run(page, hub, tmp_path, warm, encoder_folder):
    run_page(page, hub, tmp_path, warm, slow=False)


@pytest.mark.hub
@pytest.mark.thorough
@pytest.mark.parametrize("page", [page for page in PAGES if has(page, "slow")])
def test_the_long_ones_run_too(page, hub, tmp_path, warm, encoder_folder):
    run_page(page, hub, tmp_path, warm, slow=True)


def test_few_blocks_are_not_run_and_each_says_why():
    marked = [block for page in PAGES for block in blocks_of(page) if block.mark == "not run"]
    assert all(block.reason and len(block.reason.split()) > 2 for block in marked)
    assert len(marked) <= MARKED


@pytest.mark.parametrize("page", PAGES)
def test_a_block_says_what_it_is(page):
    languages = {block.language for block in blocks_of(page)}
    assert languages <= {"bash", "python", "text", "yaml"}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_no_folder_of_ours_and_its_links_lead_somewhere(page):
    text = PAGES[page].read_text(encoding="utf-8")
    assert LOCAL.findall(text) == []
    targets = [PAGES[page].parent / target for target, _ in LINK.findall(text) if target]
    assert [target for target in targets if not target.exists()] == []


def anchors_of(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as the hub of the code makes them."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_a_link_to_a_section_leads_to_one(page):
    links = LINK.findall(PAGES[page].read_text(encoding="utf-8"))
    links = [(PAGES[page].parent / target if target else PAGES[page], anchor) for target, anchor in links if anchor]
    assert [(path, anchor) for path, anchor in links if anchor not in anchors_of(path)] == []


def test_the_readme_is_short():
    text = re.sub(r"<!--.*?-->", "", PAGES["README"].read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(text.split()) <= 1000


def test_the_readme_repeats_numbers_of_the_page_of_results():
    rows = re.findall(r"^\|.*\d.*\|$", PAGES["README"].read_text(encoding="utf-8"), re.MULTILINE)
    results = PAGES["results-and-speed"].read_text(encoding="utf-8")
    numbers = [number for row in rows for number in re.findall(r"\d*\.\d+", row)]
    assert len(numbers) >= 20
    assert [number for number in numbers if number not in results] == []
