"""Write the generated parts of README.md and of the pages in this folder, from the code and from a real run.

A generated part stands between the comments ``<!-- generated: NAME -->`` and ``<!-- end -->``; `PARTS` has all names.

python docs/generate.py           # writes them all; trains and erases for about a minute
python docs/generate.py --check   # writes nothing, and fails if a page is not what it would write
"""

import argparse
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

import eraserhead
from eraserhead.cli.commands import COMMANDS
from eraserhead.cli.help_pages import command_page
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.patch.families import FAMILIES, REFUSED
from eraserhead.rankings.registry import BUILT_IN
from eraserhead.sites.given_signals import given_at

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PICTURE = ROOT / "docs" / "picture.png"
DESCRIPTIONS = ROOT / "docs" / "results-format.yaml"
REGION = re.compile(r"(?P<open><!-- generated: (?P<name>.+?) -->\n).*?(?P<close><!-- end -->)", re.DOTALL)
ROW = "a row"  # key under which a table's rows are described
HELP_WIDTH, TABLE_WIDTH = 100, 120  # characters of a terminal

# --- the demonstration -----------------------------------------------------------------------------------------------

RUN = "runs/demo"
DEMO = {
    "train": ["train", "--config", "configs/demo.yaml", "--output_dir", RUN, "--cpu"],
    "erase": ["erase", RUN, "--cpu"],
    "explain": ["explain", RUN, "--id", "test/0", "--cpu"],
}


@cache
def demo_folder() -> Path:
    """Run the demonstration once; return the folder in which it ran, with the output of each command."""
    folder = Path(tempfile.mkdtemp(prefix="eraserhead-docs-"))
    if (ROOT / "configs").is_dir():
        (folder / "configs").symlink_to(ROOT / "configs")
    for name, arguments in DEMO.items():
        (folder / f"{name}.txt").write_text(printed(arguments, TABLE_WIDTH, folder), encoding="utf-8")
    return folder


def demo(command: str) -> str:
    """Return what a command of the demonstration prints."""
    return fenced((demo_folder() / f"{command}.txt").read_text(encoding="utf-8"))


def draw_picture(path: Path) -> None:
    """Draw the picture of README.md from the demonstration's run."""
    script = ROOT / "examples" / "picture.py"
    run = demo_folder() / RUN
    subprocess.run([sys.executable, script, str(run), "--id", "test/0", "--output", str(path)], check=True)


# --- parts -----------------------------------------------------------------------------------------------------------


def commands() -> str:
    """Return the table of commands."""
    return table(("command", "what it does"), [(f"`eraserhead {name}`", it.help) for name, it in COMMANDS.items()])


def command_help() -> str:
    """Return the help of every command, with all options."""
    pages = {name: command_page(name, everything=True, width=HELP_WIDTH) for name in COMMANDS}
    return "\n\n".join(f"## {name}\n\n{fenced(page)}" for name, page in pages.items())


def families() -> str:
    """Return the table of model families."""
    rows = []
    for kind, family in sorted(FAMILIES.items(), key=lambda item: (item[1].route.value, item[1].name.lower())):
        rows.append((family.name, f"`{kind}`", family.reads, family.route.value))
    return table(("family", "`model_type`", "decision read from", "erased through"), rows)


def refused_families() -> str:
    """Return the table of families that are refused, and why."""
    rows = [(f"`{kind}`", refusal.reason, "yes" if refusal.head else "no") for kind, refusal in REFUSED.items()]
    return table(("`model_type`", "why not", "a head on its encoder"), rows)


def rankings() -> str:
    """Return the table of built-in rankings."""
    rows = [
        (f"`{ranking.name}`", ", ".join(f"`{site}`" for site in given_at(ranking.needs)))
        for ranking in BUILT_IN.values()
    ]
    return table(("ranking", "defined at"), rows)


def tables() -> str:
    """Return the columns of the tables of results.

    Raises:
        KeyError: A column is not described, or a described column does not exist.
    """
    return "\n\n".join(schema(name, descriptions()["tables"][name]) for name in SCHEMAS)


def schema(name: str, described: dict[str, str]) -> str:
    """Return the columns of one table; its description says what a row is."""
    check_described([ROW, *SCHEMAS[name].names], described, f"{name}.parquet")
    rows = [(f"`{field.name}`", f"`{field.type}`", described[field.name]) for field in SCHEMAS[name]]
    heading = f"## {name}.parquet\n\nA row is {described[ROW]}."
    return f"{heading}\n\n{table(('column', 'type', 'what it is'), rows)}"


def summary() -> str:
    """Return the fields of the summary, as the demonstration wrote it.

    Raises:
        KeyError: A field is not described, or a described field does not exist.
    """
    described = descriptions()["summary"]
    written = json.loads((demo_folder() / RUN / "erasure" / "summary.json").read_text(encoding="utf-8"))
    paths = list(dict.fromkeys(fields(written, described)))
    check_described(paths, described, "summary.json")
    return table(("field", "what it is"), [(f"`{path}`", described[path]) for path in paths])


def medians() -> str:
    """Return the caption of the picture in README.md, with the demonstration's medians."""
    found = ResultsFolder(demo_folder() / RUN / "erasure").summary()
    said = []
    for name, ranking in found.rankings.items():
        median = ranking.fraction.median.value
        said.append(f"{name} {'more than all' if median is None else f'{median:.0%}'.replace('%', ' %')}")
    return (
        f"Above: one review of the built-in corpus. Below: all {found.documents.analysed} test reviews. The share "
        f"of tokens to erase until half of the decisions have flipped: {', '.join(said)}."
    )


def fields(value: Any, described: dict[str, str], path: str = "") -> Iterator[str]:
    """Yield the paths of a JSON value, down to those that are described; ``*`` stands for a step that varies."""
    if path in described or not isinstance(value, dict | list):
        yield path
        return
    for name, entry in value.items() if isinstance(value, dict) else enumerate(value):
        steps = [f"{path}.{step}".lstrip(".") for step in (name, "*")]
        known = (step for step in steps if any(f"{key}.".startswith(f"{step}.") for key in described))
        yield from fields(entry, described, next(known, steps[0]))


def api() -> str:
    """Return every public name with its signature and its docstring."""
    return "\n\n".join(api_entry(name, getattr(eraserhead, name)) for name in sorted(eraserhead.__all__))


def api_entry(name: str, thing: Any) -> str:
    """Return the entry of one public name; for a dataclass, with its own public methods."""
    text = f"## {name}\n\n{signature(name, thing)}\n\n{prose(inspect.getdoc(thing) or '')}".rstrip()
    members = []
    for member, value in vars(thing).items() if is_dataclass(thing) else ():
        function = value.fget if isinstance(value, property) else value
        if not member.startswith("_") and inspect.isfunction(function) and function.__doc__:
            call = member if isinstance(value, property) else f"{member}(...)"
            members.append(f"- `{call}`: {prose(inspect.getdoc(function) or '').partition(chr(10))[0]}")
    return "\n".join([f"{text}\n\nMembers:\n", *members]) if members else text


def signature(name: str, thing: Any) -> str:
    """Return a signature; a long one has a line for each parameter."""
    parameters = list(inspect.signature(thing).parameters.values())
    written = [re.sub(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])", "", str(parameter)) for parameter in parameters]
    named = [place for place, parameter in enumerate(parameters) if parameter.kind is parameter.KEYWORD_ONLY]
    if named and not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        written.insert(named[0], "*")
    short = f"{name}({', '.join(written)})"
    long = f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in written) + ")"
    return fenced(short if len(short) <= HELP_WIDTH else long)


def prose(docstring: str) -> str:
    """Return a docstring as Markdown, with its sections as lists."""
    lines: list[str] = []
    for line in docstring.replace("``", "`").splitlines():
        entry = re.fullmatch(r"    (\w+): (.*)", line)
        if entry:
            lines += [""] if lines and lines[-1].endswith(":") else []  # a list begins behind an empty line
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            lines.append(re.sub(r"^ {8}", "  ", line))
    return "\n".join(lines)


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "help": command_help,
    "families": families,
    "rankings": rankings,
    "refused families": refused_families,
    "api": api,
    "tables": tables,
}
FROM_THE_DEMO: dict[str, Callable[[], str]] = {
    "summary": summary,
    "medians": medians,
    **{f"demo {name}": lambda name=name: demo(name) for name in DEMO},
}

# --- Markdown --------------------------------------------------------------------------------------------------------


def table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def fenced(text: str) -> str:
    """Return a text as a code block, without blanks at the ends of its lines."""
    kept = [line.rstrip() for line in text.strip("\n").splitlines()]
    single = [next(lines) if not line else "\n".join(lines) for line, lines in groupby(kept)]  # no double empty lines
    return "```text\n" + "\n".join(single) + "\n```"


def printed(arguments: list[str], width: int, folder: Path = ROOT) -> str:
    """Return what a command prints on a terminal of this width."""
    environment = os.environ | {"COLUMNS": str(width), "PYTHONIOENCODING": "utf-8"}
    environment |= {"OMP_NUM_THREADS": "1", "ERASERHEAD_CACHE": str(folder / "cache")}  # the same numbers everywhere
    command = [sys.executable, "-c", "import sys; from eraserhead.cli.main import main; sys.exit(main(sys.argv[1:]))"]
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"eraserhead {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def descriptions() -> dict[str, Any]:
    """Return the descriptions of the columns of the tables and of the fields of the summary."""
    return yaml.safe_load(DESCRIPTIONS.read_text(encoding="utf-8"))


def check_described(names: list[str], described: dict[str, str], what: str) -> None:
    """Refuse missing descriptions, and descriptions of names that do not exist."""
    missing, unused = set(names) - set(described), set(described) - set(names)
    if missing or unused:
        raise KeyError(f"{DESCRIPTIONS.name}, {what}: not described {sorted(missing)}, not there {sorted(unused)}")


# --- pages -----------------------------------------------------------------------------------------------------------


def part_names(text: str) -> list[str]:
    """Return the names of the generated parts of a page."""
    return [match["name"] for match in REGION.finditer(text)]


def renewed(text: str, parts: dict[str, Callable[[], str]]) -> str:
    """Return a page with its generated parts renewed, as far as `parts` has them."""

    def renew(match: re.Match[str]) -> str:
        name = match["name"]
        return f"{match['open']}{parts[name]()}\n{match['close']}" if name in parts else match[0]

    return REGION.sub(renew, text)


def main() -> int:
    """Write all pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is not up to date")
    check = parser.parse_args().check
    stale = []
    for page in PAGES:
        old = page.read_text(encoding="utf-8")
        new = renewed(old, PARTS | FROM_THE_DEMO)
        if new != old:
            stale.append(page.relative_to(ROOT))
            if not check:
                page.write_text(new, encoding="utf-8")
    if not check:
        draw_picture(PICTURE)
    print("not up to date:" if check else "written:", *(stale or ["nothing"]))
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
