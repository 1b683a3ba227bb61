"""The blocks of README.md and the pages, and what the tests put in the place of what takes long."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = {page.stem: page for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]}
FENCE = re.compile(
    r"(?:<!-- (?P<mark>not run|slow): (?P<reason>[^>]+) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
# What is appended to a command, so that a page takes less than a minute: a later flag wins over an earlier one.
SMALLER = {
    "train": "--data.train_size 16 --data.validation_size 6 --data.test_size 6 --training.epochs 1 --cpu",
    "erase": "--data.test_size 6 --draws 2 --cpu",
    "atlas": "--data.test_size 12 --draws 1 --cpu",
    "explain": "--cpu",
    "explore": "--cpu",
    "reproduce": "--datasets imdb --models flan-none,han-none --train_size 16 --validation_size 6 --test_size 6"
    " --draws 2 --cpu",
    "examples/finetune.py": "--data.train_size 16 --data.validation_size 6 --epochs 1",
}
# What is replaced in every block, commands and Python alike.
REPLACED = {
    "configs/demo.yaml": "configs/data/planted.yaml",  # its sizes and epochs are those of a demonstration
    "path/to/checkpoint": "distilbert/distilbert-base-uncased-finetuned-sst-2-english",
    "path/to/reviews": "reviews",
}


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: Stem of the page.
        line: Number of its first line.
        language: What stands behind the fence.
        code: Its text.
        mark: ``not run`` or ``slow``, where a comment in front says so.
        reason: Why.
    """

    page: str
    line: int
    language: str
    code: str
    mark: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Step:
    """One thing to run: arguments of the command line, Python code, or a line for the shell."""

    where: str
    kind: str
    content: str | list[str]


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = PAGES[page].read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start("code")),
            match["language"],
            match["code"],
            match["mark"],
            match["reason"],
        )
        for match in FENCE.finditer(text)
    ]


def steps_of(block: Block) -> list[Step]:
    """Return what a block asks to run, made smaller; nothing for blocks of other languages."""
    where, code = f"{block.page}:{block.line}", block.code
    for old, new in REPLACED.items():
        code = code.replace(old, new)
    if block.language == "python":
        return [Step(where, "python", code)]
    if block.language != "bash":
        return []
    lines = [line.strip() for line in code.replace("\\\n", " ").splitlines()]
    return [_command(where, line) for line in lines if line and not line.startswith("#")]


def _command(where: str, line: str) -> Step:
    words = shlex.split(line, comments=True)
    if words[0] == "eraserhead":
        return Step(where, "eraserhead", [*words[1:], *shlex.split(SMALLER.get(words[1], ""))])
    if words[0] == "python" and words[1] in SMALLER:
        return Step(where, "script", [*words[1:], *shlex.split(SMALLER[words[1]])])
    if "eraserhead" in words:  # behind a launcher
        command = words[words.index("eraserhead") + 1]
        return Step(where, "shell", f"{shlex.join(words)} {SMALLER.get(command, '')}")
    return Step(where, "script" if words[0] == "python" else "shell", words[1:] if words[0] == "python" else line)
