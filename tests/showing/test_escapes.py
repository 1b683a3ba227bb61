"""Text of others is harmless wherever it is shown: on terminals, in logs, on Markdown pages, in figures."""

import csv
import io
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from matplotlib.text import Text as FigureText
from rich.console import Console

from eraserhead.cli.main import main
from eraserhead.erasure.view import summary_view
from eraserhead.explanation.explained import Explanation, RankingExplained, Word
from eraserhead.explanation.view import explanation_view, shaded
from eraserhead.loading.run_options import write_options
from eraserhead.showing.escapes import markdown, visible
from eraserhead.showing.figures import Plate
from eraserhead.showing.shading import Shading
from eraserhead.showing.terminal import console
from eraserhead.study import reproduction
from eraserhead.study.cell_figures import draw_histogram
from eraserhead.study.cells import DatasetStatistics, SplitStatistics, read_cells
from eraserhead.study.context_figure import draw_context
from eraserhead.study.layout import STUDY
from eraserhead.study.paper import write_paper
from eraserhead.training.config import ModelConfig, TrainConfig
from eraserhead.training.records import Epoch, Metrics
from eraserhead.training.view import metrics_view
from studies import Document, made_up
from summaries import SITE, estimate, full_summary, pair
from tiny import random_texts, saved_classifier

pytestmark = pytest.mark.slow

COLOURED = Shading((0, 0, 0))  # which adds nothing to the text

COLOUR, LINK, CLIPBOARD = (
    "\x1b[31mred",
    "\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "\x1b]52;c;ZXZpbA==\x07",
)
CONTROLS = (
    COLOUR, LINK, CLIPBOARD, "over\rwritten", "ba\bck", "\x9b2J", "\x9d0;title\x9c", "two\nlines", "ta\tb", "de\x7fl",
    "\u202egnp.exe", "\u2066in\u2069", "\u200fmark", "para\u2029graph", "lone\ud800",
)  # fmt: skip
MARKUP = ("[bold]x[/bold]", "[/]", "[link=https://evil.example]x[/link]", ":smile:", "\\[bold]")
MARKDOWN = (
    "a | b", "a \\| b", "a\\", "`code`", "``", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!-- x",
    "[x](javascript:alert(1))", "![x](https://evil.example/x.png)", "](x) [y", "[x]: https://evil.example", "[^1]",
    "<https://evil.example>", "&lt;b&gt;", "&#60;", "*b* _i_ __s__ ~~d~~", "_", "a__b", "# heading", "#", "> quoted",
    "- item", "-", "+ item", "1. one", "2) two", "---", "===", "~~~", "```", "    indented", "<div>\n\n<b>", "C:\\[x]",
)  # fmt: skip
ORDINARY = (
    "1 star", "Society & Culture", "U.S.", "flan-rnn", "snake_case", "--batch_tokens 3, or more", "0.5 (n = 3)", "AT&T",
    "don't \"quote\"", "a/b.json: gone!", "1.5 stars", "étoile", "日本語", "\u0645\u0631\u062d", "👩\u200d🔬", "",
)  # fmt: skip
OVERRIDES = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
STYLED = re.compile(r"\x1b\[[\d;]*m")  # what rich itself writes


def obeyed(character: str) -> bool:
    """Whether a terminal or a renderer of text does something with a character other than showing it."""
    marks = character in "\u200e\u200f\u061c" or unicodedata.bidirectional(character) in OVERRIDES
    return marks or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def check_harmless(text: str, *shown: str) -> None:
    """Check that only line ends are obeyed, and that every text is shown, with control characters as escapes."""
    assert not {character for character in text if obeyed(character)} - {"\n"}
    for each in shown:
        assert visible(each) in text, each


def printed(renderable) -> str:
    """Return what is printed on a terminal, without rich's own styles; a file gets the same."""
    written = []
    for colours in (None, "truecolor"):
        stream = io.StringIO()
        Console(file=stream, width=5000, force_terminal=True, color_system=colours).print(renderable)
        written.append(stream.getvalue())
    assert written[1] != written[0] == STYLED.sub("", written[1])
    return written[0]


def test_every_character_that_is_obeyed_is_escaped_and_no_other():
    deprecated = {chr(code) for code in range(0x206A, 0x2070)}
    for character in map(chr, range(sys.maxunicode + 1)):
        if obeyed(character) or character in deprecated:
            assert visible(character) == repr(character)[1:-1]
        elif character in visible(character):
            continue
        else:
            raise AssertionError(hex(ord(character)))


def test_what_is_visible_stays_so_and_lines_are_kept_where_they_may_be():
    assert visible("a\x1b[31m\u202eb") == r"a\x1b[31m\u202eb"
    assert visible("a\nb\tc\rd", keep="\n\t") == "a\nb\tc\\rd"
    for text in (*CONTROLS, *ORDINARY):
        assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_as_it_was(text):
    assert markdown(text) == visible(text) == text


def texts_of(token) -> str:
    """The text of an inline token that holds nothing but text."""
    assert {child.type for child in token.children} <= {"text"}, [child.type for child in token.children]
    return "".join(child.content for child in token.children)


def check_shown(text: str) -> None:
    """As Markdown a text shows itself, wherever it stands; nothing in it is anything but text."""
    escaped, expected = markdown(text), visible(" ".join(text.split()))
    check_harmless(escaped)
    assert "\n" not in escaped
    table = PARSER.parse(f"| a | b |\n|---|---|\n| {escaped} | {escaped} |\n| x | y |\n")
    kinds = [token.type for token in table]
    assert kinds.count("td_open") == 4
    assert kinds[-1] == "table_close"
    cells = [texts_of(token) for token in table if token.type == "inline"]
    assert cells == ["a", "b", expected, expected, "x", "y"]
    if not expected:
        return
    for before, kind in (("", "paragraph_open"), ("### ", "heading_open"), ("- ", "bullet_list_open")):
        tokens = PARSER.parse(f"{before}{escaped}\n\nbehind\n")
        assert tokens[0].type == kind
        assert [texts_of(token) for token in tokens if token.type == "inline"] == [expected, "behind"]
    (paragraph,) = (token for token in PARSER.parse(f"![{escaped}](a.png)\n") if token.type == "inline")
    (image,) = paragraph.children
    assert (image.type, image.attrs["src"]) == ("image", "a.png")
    assert texts_of(image) == expected


@pytest.mark.parametrize("text", [*MARKDOWN, *MARKUP, *CONTROLS, *(text for text in ORDINARY if text)])
def test_as_markdown_a_text_shows_itself(text):
    check_shown(text)


def test_as_markdown_any_mixture_of_marks_shows_itself():
    generator = np.random.default_rng(0)
    alphabet = [
        "\\",
        "`",
        "*",
        "_",
        "[",
        "]",
        "(",
        ")",
        "|",
        "<",
        ">",
        "&",
        "amp;",
        "#60;",
        "#",
        "~",
        "!",
        "-",
        "+",
        "=",
    ]
    alphabet += ["1.", "2)", " ", "\n", "\t", "a", "b", "x:y", "http:", "//", "\x1b", "\u202e", "é", "😀", '"', "b/"]
    for _ in range(1500):
        check_shown("".join(generator.choice(alphabet, generator.integers(1, 13))))


@pytest.mark.parametrize(("first", "second"), [("_", "_"), ("*", "*"), ("~~", "~~"), ("[", "](x)")])
def test_no_mark_pairs_with_one_that_stands_beside_the_text(first, second):
    for page in (f"{markdown(first + 'b')} b{second}", f"{first}b {markdown('b' + second)}"):
        assert texts_of(PARSER.parse(page)[1]) == f"{first}b b{second}"
    assert [kind.type for kind in PARSER.parse(f"{first}b b{second}")[1].children] != ["text"]  # without the escapes


def test_addresses_are_no_links_where_bare_ones_are():
    assert markdown("https://a.example or www.a.example") == r"https\://a.example or www\.a.example"


def test_formulas_are_none_where_dollars_make_them():
    assert markdown("$x$") == r"\$x\$"


@pytest.fixture(scope="module")
def hostile_summary():
    """A summary all of whose texts are hostile; those without which it has no meaning are there too."""
    summary, numbers = full_summary(), iter(range(1000))
    texts = [*CONTROLS, *MARKUP]

    def another() -> str:
        return texts[next(numbers) % len(texts)]

    names = dict.fromkeys(texts)
    return replace(
        summary,
        rankings=summary.rankings | dict.fromkeys(names, summary.rankings["attention"]),
        tests=summary.tests | dict.fromkeys(names, summary.tests["attention"]),
        pairs=summary.pairs
        + [found for text in texts for found in pair(estimate(0.1), estimate(0.7), text, f"to {text}")],
        setup=replace(
            summary.setup,
            data=replace(summary.setup.data, name="".join(texts), path=CLIPBOARD, split=another()),
            model=replace(summary.setup.model, name="".join(texts)),
            site=replace(summary.setup.site, site=CLIPBOARD, dtype=CLIPBOARD, search=CLIPBOARD),
            limits=replace(summary.setup.limits, tokens=CLIPBOARD),
        ),
        run=replace(summary.run, search_seconds=1.0),
        beyond_rankings=estimate(0.1),
    )


def test_summaries_are_printed_as_they_are(hostile_summary):
    text = printed(summary_view(hostile_summary))
    check_harmless(text, *CONTROLS, *MARKUP)
    rows = [line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│")]
    for each in (*CONTROLS, *MARKUP):
        assert rows.count(visible(each)) == 5  # fractions, outcomes, yardstick, pairs, tests


def test_metrics_are_printed_as_they_are():
    names = dict.fromkeys((*CONTROLS, *MARKUP), 0.5)
    metrics = Metrics(1, [Epoch(1, 0.5, names, 1.0)], None, CLIPBOARD)
    check_harmless(printed(metrics_view(metrics)), *CONTROLS, *MARKUP)


@pytest.fixture
def hostile_explanation():
    """A word for each hostile text, one blank between them, one line's end of Windows, and an unread end."""
    parts = [part for text in (*CONTROLS, *MARKUP) for part in text.split()]
    whole = " ".join(parts) + " one\r\nmore\x1b]2;x\x07 end" + CLIPBOARD
    words, position = [], 0
    for number, part in enumerate(parts):
        words.append(Word(part, position, position + len(part), 0.1 + number / 100, 0.0, number % 2 == 0))
        position += len(part) + 1
    words.append(Word(f"[{CLIPBOARD}]", 0, 0, 0.9, 0.0, True))
    names = {f"{text}!": 0.01 for text in (*CONTROLS, *MARKUP)}
    rankings = [RankingExplained(COLOUR, 2, 0.5, "flip", text) for text in (*CONTROLS, *MARKUP)]
    site = replace(SITE, site=CLIPBOARD)
    return Explanation(whole, "".join(MARKUP), CLIPBOARD, names, words, rankings, 3, 2, site)


def test_explanations_are_printed_as_they_are(hostile_explanation):
    text = printed(explanation_view(hostile_explanation, verbose_words=100))
    check_harmless(text, *(f"{each}! 0.010" for each in (*CONTROLS, *MARKUP)))
    rows = [line.split("│") for line in text.splitlines()]  # six lines of one table, and beside them five of another
    becomes = [row[5].strip() for row in rows if len(row) in (7, 12)]
    assert becomes[-len(CONTROLS + MARKUP) :] == [visible(each) for each in (*CONTROLS, *MARKUP)]
    named = [row[{12: 7, 6: 1}[len(row)]].strip() for row in rows if len(row) in (6, 12)]
    assert sorted(named) == sorted(visible(word.name) for word in hostile_explanation.words)


def test_the_shaded_text_keeps_its_lines_and_tabs_alone(hostile_explanation):
    assert "one\nmore\\x1b]2;x\\x07 end" in shaded(hostile_explanation, COLOURED).plain
    tabbed = Explanation("a\tb\nc\rd", None, "x", {}, [Word("a", 0, 1, 1.0, 0.0, False)], [], 1, 0, SITE)
    assert shaded(tabbed, COLOURED).plain == "a\tb\nc\\rd"
    assert printed(explanation_view(tabbed, COLOURED)).count("a       b\n") == 1


def test_the_text_of_sentences_is_printed_as_it_is(hostile_explanation):
    """The whole text as one sentence, with its words in it."""
    whole, words = hostile_explanation.text, hostile_explanation.words[:-1]
    sentence = [Word(whole, 0, len(whole), 1.0, 0.0, True)]
    explanation = replace(hostile_explanation, words=sentence, inside=[words])
    check_harmless(printed(explanation_view(explanation)), CLIPBOARD)
    assert shaded(explanation, COLOURED).plain.count("\n") == 1
    assert visible(CLIPBOARD) in shaded(explanation, COLOURED).plain


def test_strings_have_no_markup_on_our_console(capsys):
    """[/] without an opening would be an error."""
    console().print("[bold]runs[/bold]/[/]:smile:")
    assert capsys.readouterr().out == "[bold]runs[/bold]/[/]:smile:\n"


@pytest.mark.parametrize("text", CONTROLS)
def test_an_error_is_one_harmless_line(capfd, text):
    assert main(["show", f"{text} results"]) == 2
    said = capfd.readouterr().err
    check_harmless(said, str(Path(text)))
    assert said.count("\n") == 1


def test_column_and_class_names_of_data_are_harmless_in_errors_and_logs(tmp_path, capfd, caplog):
    folder, file = saved_classifier(tmp_path, (CLIPBOARD, "[/]\u202e")), tmp_path / "data.csv"
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["text", "label", "\u202e\x9b"])
        rows.writerows([text, (COLOUR, "two\nlines")[number % 2], "x"] for number, text in enumerate(random_texts(6)))
    options = [
        "--data.path",
        str(file),
        "--data.max_length",
        "32",
        "--cpu",
        "--output_dir",
        str(tmp_path / "[/]\u202e"),
    ]
    assert main(["erase", folder, *options, "--data.label_column", "none"]) == 2
    refused = capfd.readouterr().err.splitlines()[-1]
    check_harmless(refused, "\u202e\x9b")
    caplog.clear()
    assert main(["erase", folder, *options, "--data.label_column", "label"]) == 0
    check_harmless(capfd.readouterr().out, f"results in {tmp_path}/[/]\u202e")
    logged = [record.getMessage() for record in caplog.records]
    (mismatch,) = (message for message in logged if "no accuracy is reported" in message)
    check_harmless(mismatch, COLOUR, "two\nlines", CLIPBOARD, "[/]\u202e")
    assert "\n" not in mismatch


def test_class_names_of_models_and_texts_are_harmless_on_the_terminal(tmp_path, capfd):
    folder = saved_classifier(tmp_path, (CLIPBOARD, "[/]\u202e"))
    assert main(["explain", folder, " ".join(["good", *CONTROLS[:-1], *MARKUP, "bad"]), "--cpu"]) == 0
    shown = capfd.readouterr().out
    check_harmless(shown, CLIPBOARD, "[/]\u202e")


SCRIPT = """
import logging, sys, warnings
from eraserhead.cli import main as cli

def dispatch(arguments):
    other = logging.getLogger("other.library")
    other.propagate = False
    other.addHandler(logging.StreamHandler())
    logging.getLogger("eraserhead").info("classes: %s", HOSTILE)
    other.error(HOSTILE + "\\neraserhead: error: forged")
    warnings.warn(HOSTILE)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        other.exception("here")
    raise ValueError(HOSTILE)

cli._dispatch = dispatch
cli.main([])
"""


def test_every_log_and_warning_and_traceback_of_a_process_is_harmless():
    """Five times: our log, another library's with its own handler, a warning, a traceback in a log, and a crash."""
    hostile = "".join(text for text in CONTROLS if "\n" not in text)
    code = f"HOSTILE = {hostile!r}\n{SCRIPT}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    said = done.stderr.decode()
    check_harmless(said)
    assert said.count(visible(hostile)) == 5
    assert f"classes: {visible(hostile)}" in said.splitlines()
    assert f"{visible(hostile)}\\neraserhead: error: forged" in said.splitlines()
    assert said.splitlines()[-1] == f"ValueError: {visible(hostile)}"
    assert done.returncode == 1


def test_the_traceback_that_a_study_keeps_is_harmless(tmp_path):
    path = tmp_path / STUDY.failure("cell")
    try:
        raise ValueError(f"{CLIPBOARD}\nwith é of \u202e")
    except ValueError:
        reproduction._write_traceback(path)
    check_harmless(path.read_text(), f"ValueError: {CLIPBOARD}", "with é of \u202e")
    assert path.read_text().startswith("Traceback (most recent call last):\n  File ")


NAMES = ("$\\frac{$", "\x1b]52;c;x\x07\u202e\n--> $_$", "a | <script> [x](y)")


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Cells of three models, two of them with places along the context, on one data set; attention is always last."""
    folder = tmp_path_factory.mktemp(STUDY.cells)
    documents = {f"d{number}": Document({"attention": 19}) for number in range(11)}
    return [made_up(folder, "data", model, documents) for model in ("flan-none", "flan-rnn", "m")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("draw", [draw_histogram, draw_context])
def test_names_in_figures_are_no_formulas_and_harmless(draw, name, cells, tmp_path, monkeypatch):
    """The names are a model's above its panel and a data set's above its column; the SVG is still XML."""
    renamed = [replace(cells[0], dataset=name), replace(cells[1], dataset=name, model=name)]
    plate, titles = Plate(tmp_path, "plate"), []
    save = Plate.save

    def saved(plate, figure):
        titles.extend(text.get_text() for text in figure.findobj(FigureText))
        save(plate, figure)

    monkeypatch.setattr(Plate, "save", saved)
    draw(read_cells(renamed if draw is draw_histogram else renamed[:1]), plate)
    shown = "".join("".join(titles).split())  # long names take several lines
    assert "".join(visible(name).split()) in shown
    drawn = (tmp_path / plate.svg).read_text()
    check_harmless(drawn)
    ET.fromstring(drawn)


def structure(text: str) -> list[str]:
    """Return the kinds of elements in a page, without their texts."""
    return [kind.type for token in PARSER.parse(text) for kind in (token, *(token.children or ()))]


def addresses(text: str) -> list[str]:
    """Where its links and images lead."""
    inside = [kind for token in PARSER.parse(text) for kind in token.children or ()]
    return [str(kind.attrs[name]) for kind in inside for name in ("href", "src") if name in kind.attrs]


def study(folder: Path, cells, names: tuple[str, str, str], other: str, reason: str) -> str:
    """The paper of a data set and two models of these names, of which the second has failed; `other` is the rest."""
    dataset, model, failed = names
    renamed = [replace(cell, dataset=dataset) for cell in cells[:2]]
    renamed.append(replace(cells[2], dataset=dataset, model=model))
    for cell in renamed:
        training = TrainConfig(model=ModelConfig(encoder=other))
        write_options(cell.folder, training)
        summary = cell.results.summary()
        setup = replace(summary.setup, random_other="position", count_never_as="all", draws=7)
        # No better than the largest class.
        cell.results.finish(replace(summary, accuracy=estimate(0.5), setup=setup))
    statistics = {dataset: DatasetStatistics(2, {"test": SplitStatistics(41, 12.5, 3.5)})}
    return write_paper(folder, renamed, statistics, {f"{dataset}-{failed}": reason}).read_text()


@pytest.mark.thorough
def test_a_page_says_what_names_and_reasons_are_and_is_built_as_with_any_others(cells, tmp_path):
    """Each of three names once as data set's, model's and failed model's; the harmless page is the yardstick."""
    plain = study(tmp_path / "plain", cells, ("data", "m", "n"), "x", "gone")
    for said in ("contrary in 3", "Analysed by the authors", "3 of 3 cells are not better", "tries 7 random orders"):
        assert said in plain
    control, html = f"{COLOUR}\u202e\x9b|\n\n| a |", "<script>alert(1)</script> &lt; <!--"
    link = "![x](https://evil.example/x.png)] [x](javascript:alert(1)) `a` **b** | # c"
    reason = "".join([*CONTROLS[:-1], *MARKUP, *(text for text in MARKDOWN if "/" not in text)])
    for number, names in enumerate([(control, html, link), (html, link, control), (link, control, html)]):
        text = study(tmp_path / str(number), cells, names, names[1], f"{names[2]} {reason}")
        check_harmless(text)
        assert structure(text) == structure(plain)
        assert all(address.startswith(f"{STUDY.figures}/") for address in addresses(text))
        cells_shown = [token.content.replace("\\|", "|") for token in PARSER.parse(text) if token.type == "inline"]
        for name in names:
            assert markdown(name).replace("\\|", "|") in cells_shown
