"""Help: short, examples first, every option and argument explained, and the rare ones under ``--help_all``."""

import re
import shlex

import pytest

from eraserhead.cli.arguments import check, normalise, option_types
from eraserhead.cli.commands import COMMANDS
from eraserhead.cli.config_files import with_found_configs
from eraserhead.cli.help_pages import attribute_texts, command_page, described, main_page, plain
from eraserhead.cli.main import main
from eraserhead.cli.parsing import command_parser, parse
from eraserhead.erasure.config import EraseConfig


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_is_short_and_begins_with_examples(name):
    lines = command_page(name, width=80).splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"eraserhead {name}: ")
    page = "\n".join(lines)
    assert page.index("Examples:") < page.index("Usage: ") < page.index("--quiet")
    assert page.count("  eraserhead ") == len(COMMANDS[name].examples) >= 1


@pytest.mark.parametrize("name", COMMANDS)
def test_everything_is_explained_under_help_all_and_what_is_left_out_is_counted(name):
    command = COMMANDS[name]
    whole, short = command_page(name, everything=True, width=80), command_page(name, width=80)
    options = [each for each in described(command) if each.name not in command.positional]
    for each in options:
        assert re.search(rf"^  --{re.escape(each.name)}( |$)", whole, re.MULTILINE), each.name
        assert len(each.text) > 10, each.name
    for each in command.positional:
        assert re.search(rf"^  \[?{each.upper()}.*   \w", short, re.MULTILINE), each
    if command.common:
        assert set(command.common) < {each.name for each in options}
        assert f"All {len(options)} options: eraserhead {name} --help_all" in short
    assert not re.search(r"``|\btype:|<class|Optional\[|Literal\[|null\)", whole)


@pytest.mark.parametrize(("name", "example"), [(name, each) for name, it in COMMANDS.items() for each in it.examples])
def test_examples_are_understood(name, example):
    first, *arguments = shlex.split(example)
    assert first == name
    command = COMMANDS[name]
    arguments = with_found_configs(normalise(arguments, command.config))
    check(arguments, name, command.config, command.positional)
    parse(command_parser(command), arguments, command)


def test_what_the_help_says_of_an_option_is_its_docstring_with_its_default():
    found = {each.name: each for each in described(COMMANDS["erase"])}
    assert found["random_other"].flag == "--random_other uniform|position"
    assert found["random_other"].text.endswith("released code. Default: uniform.")
    assert found["memory_budget"].text.endswith("is always run. Default: 1.0.")
    assert "Default:" not in found["overwrite"].text
    assert found["overwrite"].flag == "--overwrite"
    assert found["heads"].flag == "--heads N,..."
    assert found["data.header"].flag == "--data.header true|false"
    assert set(found) == {name for name, kind in option_types(EraseConfig).items() if name != "data"}
    assert plain("``a`` or\n  `b`, \\n") == "a or b, \\n"
    assert "hub id" in attribute_texts(EraseConfig)["model"]
    assert "trust" not in attribute_texts(EraseConfig)["cpu"]


def test_help_is_reached_by_every_way_to_ask_for_it(capsys):
    def said(*arguments):
        assert main(list(arguments)) == 0
        return capsys.readouterr().out

    everything = main_page()
    assert all(f"\n  {name} " in everything for name in COMMANDS)
    for arguments in ([], ["--help"], ["-h"], ["help"], ["help", "help"], ["-q"]):
        assert said(*arguments) == everything
    page = command_page("show")
    for arguments in (["show", "--help"], ["help", "show"], ["show", "x", "-h"], ["--help", "show"]):
        assert said(*arguments) == page
    assert said("erase", "--help_all") == command_page("erase", everything=True) == said("help", "erase", "--help_all")
    assert said("erase", "--help") != said("erase", "--help_all")
    assert re.fullmatch(r"eraserhead \d[\w.+]*\n", said("--version"))


def test_help_about_what_is_no_command_is_refused(capsys):
    assert main(["help", "trian"]) == 2
    assert capsys.readouterr().err == "eraserhead: error: no command 'trian'; did you mean 'train'?\n"
