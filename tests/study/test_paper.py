"""`paper.md`: whole whatever is missing, the same every time, and with the numbers of the results."""

import re
from pathlib import Path

import pytest

from eraserhead.method.statistics import Estimate
from eraserhead.showing.terminal import interval, percent
from eraserhead.study.cells import Cell, DatasetStatistics, SplitStatistics
from eraserhead.study.comparisons import Comparison, Finding
from eraserhead.study.layout import STUDY
from eraserhead.study.paper import one_line, statements, write_paper
from studies import NEVER, Document, Single, made_up, random_documents

pytestmark = pytest.mark.slow

STATISTICS = {
    role: SplitStatistics(count, 123.46, 9.54) for role, count in (("train", 1700), ("validation", 31), ("test", 41))
}
FAILED = Cell("imdb", "han-rnn", Path("nowhere"))
DATASETS = {"yahoo": DatasetStatistics(10, STATISTICS), "imdb": DatasetStatistics(2, {"test": STATISTICS["test"]})}


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    chosen = [("yahoo", "flan-rnn"), ("yahoo", "han-rnn"), ("yahoo", "mine"), ("imdb", "flan-rnn")]
    return [made_up(folder, *names, random_documents(53, seed)) for seed, names in enumerate(chosen)]


def rows(text: str, *first: str) -> list[list[str]]:
    """The rows of all tables that begin with these cells, without them."""
    found = [[part.strip() for part in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [row[len(first) :] for row in found if row[: len(first)] == list(first)]


def written(folder, cells, datasets=DATASETS, failures=None) -> str:
    return write_paper(folder, cells, datasets, failures or {}).read_text()


@pytest.fixture(scope="module")
def paper(cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    text = written(folder, cells, failures={FAILED: "out of memory;\nlower /home/me/x/batch | tokens"})
    return folder, text


def test_the_tables_hold_the_summarys_numbers(cells, paper):
    for cell in cells:
        summary = cell.results.summary()

        def shown(estimate, scale=100, digits=1):
            return interval(estimate, "never", scale, digits)

        of_dataset = rows(paper[1], cell.dataset, cell.model)
        accuracy, fractions, masses, fewer, excess = of_dataset
        analysed = str(summary.documents.analysed)
        assert accuracy[:5] == [
            "0.750",
            "41",
            shown(summary.accuracy, 1, 3),
            shown(summary.largest_class, 1, 3),
            analysed,
        ]
        assert accuracy[6:] == ["25.0 %", "53 of 53"]
        rankings = summary.rankings
        names = ["random", "attention", "gradient", "product", "minimum"]
        assert fractions[:5] == [shown(rankings[name].fraction.median, 1, 3) for name in names]
        assert masses[:5] == [shown(rankings[name].mass.median, 1, 3) for name in names]
        assert fractions[5] == shown(rankings["attention"].outcomes["never"])
        pairs = {(pair.first, pair.second): shown(pair.fewer) for pair in summary.pairs}
        assert [fewer[0], fewer[2]] == [pairs["gradient", "attention"], pairs["product", "attention"]]
        assert excess[2] == f"{shown(rankings['attention'].excess, 1)} n={rankings['attention'].excess.count}"
        assert excess[3] == shown(rankings["attention"].optimal)


def test_the_decision_flip_tables_are_exact_with_the_one_draw_beside_them(cells, paper):
    names = ("both_flip", "top_alone_flips", "other_alone_flips", "none_flips")
    sections = paper[1].split("\n### ")
    for cell in cells:
        section = next(part for part in sections if part.startswith(f"{cell.dataset}\n"))
        for ranking in ("attention", "gradient", "product"):
            test = cell.results.summary().tests[ranking]
            (row,) = rows(section, cell.model, ranking)
            assert row[:4] == [percent(getattr(test.exact, name)) for name in names]
            assert row[4] == " / ".join(f"{100 * getattr(test.drawn, name).value:.1f}" for name in names)


def test_the_data_sets_are_described(paper):
    assert rows(paper[1], "yahoo", "train") == [["10", "1,700", "123.5", "9.5"]]
    assert rows(paper[1], "imdb", "train") == [["2", "-", "-", "-"]]
    assert "ratings from 1 to 10" in paper[1]


def test_the_authors_constants_stand_beside_ours(paper):
    fewer = paper[1][paper[1].index("## 5.") :]
    assert rows(fewer, "yahoo", "flan-rnn")[0][1] == "65.4 (n = 49,733)"
    assert rows(fewer, "yahoo", "han-rnn")[0][1] == "8.7 (n = 49,733)"
    assert rows(fewer, "imdb", "flan-rnn")[0][1] == "64.5 (n = 13,493)"
    assert rows(fewer, "yahoo", "mine")[0][1] == "-"
    assert "is inferred" in fewer
    for unverified in ("13,548", "122,121", "650,000", "3,000,000"):
        assert unverified not in paper[1]


def test_missing_cells_are_dashes_and_failed_ones_have_their_reasons(paper):
    text = paper[1]
    for row in rows(text, "imdb", "han-rnn"):
        assert set(row) - {"45.5 (n = 13,493)"} == {"-"}
    assert len(rows(text, "imdb", "han-rnn")) == 5
    assert rows(text, "imdb-han-rnn") == [["out of memory; lower batch \\", "tokens"]]
    assert rows(text, "yahoo-han-rnn") == []


def test_every_picture_and_link_is_there_and_nothing_else(paper):
    folder, text = paper
    linked = set(re.findall(rf"\(({STUDY.figures}/[^)]+)\)", text))
    assert linked == {str(path.relative_to(folder)) for path in (folder / STUDY.figures).iterdir()}
    names = {f"{kind}-{data}" for kind in ("scatter", "histogram", "fraction", "mass") for data in ("yahoo", "imdb")}
    stems = {Path(path).stem for path in linked}
    assert stems == {*names, STUDY.findings}  # and no figure along the context, of which the models have one


def test_the_same_results_give_the_same_paper_and_numbers(cells, paper, tmp_path):
    """Another folder, another order of the models: nothing of either may show."""
    again = tmp_path / "deep" / "again"
    again.mkdir(parents=True)
    text = written(again, [*cells[1::-1], *cells[2:]], failures={FAILED: "out of memory; lower /x/batch | tokens"})
    assert text == paper[1]
    for path in again.glob(f"{STUDY.figures}/*"):
        assert path.read_bytes() == (paper[0] / STUDY.figures / path.name).read_bytes(), path.name


def test_the_paper_has_no_paths_no_clumps_of_blank_lines_and_whole_tables(paper, cells):
    text = paper[1]
    assert str(cells[0].folder.parent) not in text
    assert "/home" not in text
    assert "\n\n\n" not in text
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = block.splitlines()
        assert re.fullmatch(r"\|(---:?\|)+", lines[1])
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {lines[1].count("|")}


def test_a_study_of_one_cell_one_document_and_no_flip(tmp_path):
    never = dict.fromkeys(("attention", "gradient", "product", "minimum", "random"), NEVER)
    cell = made_up(tmp_path, "mine", "flan-none", {"d": Document(never, single=Single(0.0, 0.0))})
    text = written(tmp_path / "out", [cell], {})
    assert "1 cell has results" in text
    fractions = rows(text, "mine", "flan-none")[1]
    assert fractions == ["never†"] * 5 + ["100.0† [20.7, 100.0]"]
    assert "these hold here" not in text
    assert "could not be tested, because cells or documents are missing: attention needs fewer removals" in text
    assert "1 of 1 cells have no part in these findings" in text
    assert rows(text, "mine-flan-none") == [["fewer than 10 documents"]]


def test_a_study_without_components_or_without_cells(tmp_path):
    cell = made_up(tmp_path, "imdb", "flan-none", {"d": Document(n=1), "e": Document(n=1)})
    text = written(tmp_path / "out", [cell])
    assert rows(text, "imdb", "flan-none")[1] == ["-"] * 6
    failures = {Cell("yelp", "x", tmp_path / "none"): "no such file"}
    text = written(tmp_path / "nothing", [Cell("imdb", "han-conv", tmp_path / "none")], {}, failures)
    assert rows(text, "imdb-han-conv") == [["no finished erasure results"]]
    assert rows(text, "yelp-x") == [["no such file"]]
    assert "0 cells have results" in text
    assert "could not be tested" in text


def test_cells_by_the_authors_definitions_are_named(tmp_path):
    cell = made_up(tmp_path, "imdb", "flan-none", random_documents(17, 0), never="all")
    text = written(tmp_path / "out", [cell])
    assert "counts as one that flips when everything is erased: imdb-flan-none" in text
    assert "drawn from all positions" not in text
    assert "never" not in "".join(rows(text, "imdb", "flan-none")[1])


def test_the_paragraph_says_no_more_than_the_intervals_allow():
    low, high = Estimate(0.2, 0.1, 0.3, 50), Estimate(0.6, 0.5, 0.7, 50)
    overlapping = Estimate(0.4, 0.2, 0.6, 50)
    speaks_for, against, open_ = (
        Comparison("cell", *pair, 50) for pair in ((high, low), (low, high), (overlapping, low))
    )
    found = [
        Finding("a", "first", "", (speaks_for, speaks_for, open_)),
        Finding("b", "second", "", (against, against)),
        Finding("c", "third", "", (speaks_for, against, open_, open_)),
        Finding("d", "fourth", "", (speaks_for, open_)),
        Finding("e", "fifth", "", ()),
        Finding("f", "sixth", "", (against, open_, open_), unit="pairs of models"),
    ]
    said = {statement.verdict: list(statement.claims) for statement in statements(found)}
    assert said == {
        "hold here": ["first (holds in 2 of 3 cells, undecided in 1)"],
        "do not hold here": ["second (holds in 0 of 2 cells, contrary in 2)"],
        "hold in some cells and are contrary in others": [
            "third (holds in 1 of 4 cells, contrary in 1, undecided in 2)"
        ],
        "are undecided here": [
            "fourth (holds in 1 of 2 cells, undecided in 1)",
            "sixth (holds in 0 of 3 pairs of models, contrary in 1, undecided in 2)",
        ],
        "could not be tested, because cells or documents are missing": ["fifth"],
    }


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("OSError: '/tmp/a/b.json': gone", "OSError: 'b.json': gone"),
        ("lower --batch_tokens, or data.max_length", "lower --batch_tokens, or data.max_length"),
        ("../shared/data/imdb: no\n split", "../shared/data/imdb: no split"),
        ("microsoft/layoutlm-base: a | b", "microsoft/layoutlm-base: a \\| b"),
    ],
)
def test_reasons_are_one_line_without_folders(reason, line):
    assert one_line(reason) == line
