"""Hundreds of wrong command lines: each gets one line in our words, and never those of a library."""

import random
import re

import pytest

from eraserhead.cli import main as cli
from eraserhead.cli.arguments import option_types
from eraserhead.cli.commands import COMMANDS
from eraserhead.errors import UserError

LINES = 400
PLACES = {
    "train": [], "erase": ["m"], "show": ["r"], "explain": ["m", "t"], "push": ["m", "r"],
    "reproduce": ["--output_dir", "x"], "families": [], "merge": ["p", "--output_dir", "x"], "compare": ["r", "s"],
}  # fmt: skip
VALUES = [
    "5", "-5", "", "null", "[1,2]", "[a", "{a: 1}", "{", "a,b", "true", "maybe", "1e9", "nan", "inf", "numbers.yaml",
    "list.yaml", "x y", "--", "-", "~", "!!int", "&a", "*a", "1_000", '"', "'", ": :", "2020-13-45", "é", "%", "`",
    "!!python/object:os.system", "[[1]]", "class_path: x", '{"class_path": "x"}', "@", "\x1b[31m",
]  # fmt: skip
ENDINGS = ["x", "+", ".help", ".init_args.x", ".a.b", ".", ""]
LIBRARIES = re.compile(
    r"Parser key|jsonargparse|namespace|subcommand|typing|<class|Union|Optional|Literal|NoneType|Unable to load|"
    r"unrecognized|argument -|invalid choice|ignored explicit|expected (one|at)|Traceback|index out of|loader",
    re.IGNORECASE,
)


def wrong_line(chance: random.Random) -> list[str]:
    name = chance.choice(list(COMMANDS))
    options = [*option_types(COMMANDS[name].config), "config", "print_config"]
    line = [name, *PLACES.get(name, [])]
    for _ in range(chance.randint(1, 3)):
        option, value = f"--{chance.choice(options)}", chance.choice(VALUES)
        if chance.random() < 0.3:
            option = chance.choice([option + chance.choice(ENDINGS), option[:-1], f"-{option[2]}"])
        line += chance.choice([[option, value], [f"{option}={value}"], [option], [value]])
    if chance.random() < 0.2:
        chance.shuffle(line)
    return line


class Done:
    """In place of a command's module."""

    @staticmethod
    def run(config) -> None:
        raise UserError("it would run")


@pytest.mark.parametrize("seed", range(3))
def test_wrong_lines_get_our_words(seed, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numbers.yaml").write_text("data: {name: 5}\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    load = cli.import_module
    runs = {command.module for command in COMMANDS.values()}
    monkeypatch.setattr(cli, "import_module", lambda name: Done if name in runs else load(name))
    chance, refused = random.Random(seed), 0
    for _ in range(LINES // 3):
        line = wrong_line(chance)
        try:
            code = cli.main(line)
        except SystemExit as ended:  # after --print_config
            code = ended.code
        said = capfd.readouterr().err
        assert code in (0, 2), line
        assert not LIBRARIES.search(said), (line, said)
        errors = [each for each in said.splitlines() if each.startswith("eraserhead: error: ")]
        assert len(errors) == (code == 2), (line, said)
        refused += code == 2 and "it would run" not in said
    assert refused > LINES // 5  # most of them are wrong


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["train", "--epochs", "3"], "train: unknown option --epochs; did you mean '--training.epochs'?"),
        (["train", "--seed", "3"], "train: unknown option --seed; did you mean '--data.seed' or '--training.seed'?"),
        (["erase", "m", "--max_length=3"], "erase: unknown option --max_length; did you mean '--data.max_length'?"),
        (["erase", "m", "--hlep"], "erase: unknown option --hlep; did you mean '--help'?"),
        (["erase", "m", ""], "unexpected argument ''; MODEL alone stands without a name"),
        (["show", "r", "--print_config=all"], "--print_config=all: takes no value, or skip_default or skip_unset"),
        (["erase", "m", "--cpu=!!int"], "--cpu !!int: cannot be read (line 1: a value of no such kind)"),
        (["trian"], "no command 'trian'; did you mean 'train'?"),
        (["compleet"], "no command 'compleet'; did you mean 'completion'?"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_what_was_meant(line, said, capfd):
    assert cli.main(line) == 2
    assert capfd.readouterr().err == f"eraserhead: error: {said}\n"


@pytest.mark.parametrize(
    ("given", "meant"),
    [("layer3", "layer:3"), ("layer-1", "layer:-1"), ("3", "layer:3"), ("cross 2 all", "cross:2:all")],
)
def test_a_site_without_its_colons_is_suggested_with_them(tmp_path, capfd, given, meant):
    line = ["erase", "m", "--site", given, "--data.name", "planted", "--output_dir", str(tmp_path / "out"), "--cpu"]
    assert cli.main(line) == 2
    assert f"--site {given}: not a site; did you mean '{meant}'?" in capfd.readouterr().err
