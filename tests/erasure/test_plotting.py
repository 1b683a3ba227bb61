"""Figures of results: the numbers in them are those of the tables, and what cannot be drawn is said."""

import hashlib
from dataclasses import replace
from importlib.metadata import version

import matplotlib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import eraserhead
from eraserhead.cli.main import main
from eraserhead.erasure.config import PlotConfig
from eraserhead.erasure.figure_files import plot, plot_folders
from eraserhead.erasure.in_memory import TablesInMemory
from eraserhead.erasure.plotted import (
    KEPT,
    REMOVED,
    SIZES,
    Plotted,
    curve_lines,
    extra_lines,
    flipped_lines,
    read_points,
)
from eraserhead.erasure.plotting import FIGURES, NothingToDrawError, draw
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.errors import UserError
from eraserhead.method.intervals import mean_of, share_of
from eraserhead.showing.panels import looks, shortened
from studies import Document, Single, made_up, random_documents

pytestmark = pytest.mark.slow

PINNED = "3.11.2"  # of matplotlib, as in constraints.txt


def with_a_minimum(documents: dict[str, Document]) -> dict[str, Document]:
    """The same with the fewest removals of any order as the minimum."""
    found = {}
    for name, document in documents.items():
        others = [each for key, each in document.removed.items() if key not in ("random", "minimum")]
        flipping = [each for each in [*others, *document.removed["random"]] if each is not None]
        removed = document.removed | {"minimum": min(flipping, default=None)}
        found[name] = replace(document, removed=removed)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> ResultsFolder:
    documents = with_a_minimum(random_documents(53, 5))
    return made_up(tmp_path_factory.mktemp("plot"), "imdb", "flan-none", documents).results


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> ResultsFolder:
    return made_up(tmp_path_factory.mktemp("other"), "imdb", "flan-conv", random_documents(53, 7)).results


def plotted(folder: ResultsFolder, name: str = "mine") -> Plotted:
    return Plotted(name, folder.checked_summary(), folder)


def rows_of(folder: ResultsFolder, name: str) -> pd.DataFrame:
    rows = pq.read_table(folder.path / f"{name}.parquet").to_pandas()
    return rows[rows.n >= 2]


def test_flipped_lines_count_the_documents_that_have_flipped_by_then(folder):
    """A document's random draws weigh together as one; one that never flips is in the number, and never above it."""
    flips = rows_of(folder, "flips")
    for line in flipped_lines(plotted(folder)):
        own = flips[flips.ranking == line.name]
        for point in (0, 3, 40, 101, 200):
            flipped = own.fraction.fillna(np.inf) <= line.x[point] + 1e-9
            expected = share_of(flipped.groupby(own.id).mean().to_numpy(dtype=float))
            assert line.value[point] == pytest.approx(expected.value)
            assert line.low[point] == pytest.approx(expected.low)
            assert line.high[point] == pytest.approx(expected.high)
            assert line.documents[point] == expected.count == own.id.nunique()


def test_extra_lines_begin_at_the_share_that_matches_the_minimum(folder):
    results = plotted(folder)
    lines = {line.name: line for line in extra_lines(results)}
    assert list(lines) == ["random", "attention", "gradient", "product"]
    flips = rows_of(folder, "flips")
    least = flips[flips.ranking == "minimum"].set_index("id").removed
    for name, line in lines.items():
        optimal = results.summary.rankings[name].optimal
        assert (line.x[0], line.value[0], line.low[0]) == pytest.approx((0, optimal.value, optimal.low))
        own = flips[flips.ranking == name]
        extra = own.removed.fillna(np.inf).to_numpy() - own.id.map(least).to_numpy()
        shares = pd.Series(np.where(own.id.map(least).isna(), np.nan, extra <= 4)).groupby(own.id.to_numpy()).mean()
        assert line.value[list(line.x).index(4)] == pytest.approx(np.nanmean(shares))


def with_curves(folder: ResultsFolder, curves: list[dict], every_k: str = "all") -> Plotted:
    """The results with other curves, which need not fit the rest."""
    summary = folder.summary()
    tables = TablesInMemory({"curves": pa.Table.from_pylist(curves, SCHEMAS["curves"])})
    return Plotted("mine", replace(summary, setup=replace(summary.setup, curves=every_k)), tables)


def test_curves_are_means_at_shares_of_the_components_rounded_up(folder):
    """Probabilities k/10 and 1 - k/10 of documents of ten, and of five: at 25 % those of k = 3 and of k = 2."""
    rows = []
    for number in range(12):
        n = 10 if number % 2 else 5
        kept = [k / 10 for k in range(n + 1)]
        row = {"id": f"test/{number}", "ranking": "attention", "n": n, "probability_kept": kept}
        rows.append(row | {"probability_removed": [1 - each for each in kept]})
    rows.append({"id": "one", "ranking": "attention", "n": 1, "probability_kept": [0.9, 0.9]})
    rows.append({"id": "none", "ranking": "gradient", "n": 7})
    found = curve_lines(with_curves(folder, rows))
    assert [line.name for line in found[KEPT]] == ["attention"]
    kept, removed = found[KEPT][0], found[REMOVED][0]
    at = {round(float(size), 2): place for place, size in enumerate(SIZES)}
    expected = mean_of(np.array([0.2, 0.3] * 6))
    assert kept.value[at[0.25]] == pytest.approx(0.25)
    assert (kept.low[at[0.25]], kept.high[at[0.25]]) == pytest.approx((expected.low, expected.high))
    assert kept.documents[at[0.25]] == 12
    assert removed.value[at[0.25]] == pytest.approx(0.75)
    assert (removed.value[0], kept.value[-1]) == pytest.approx((1.0, 0.75))


def test_curves_at_few_sizes_lie_where_each_was_looked_at(folder):
    """Of seven components 1, 5 and 10 % are one, 20 % are two and 50 % four; of 100 all five differ."""
    rows = [
        {"id": "a", "ranking": "attention", "n": 7, "k": [1, 2, 4], "probability_removed": [0.5, 0.25, 0.125],
         "probability_kept": [0.0, 0.0, 0.0]},
        {"id": "b", "ranking": "attention", "n": 100, "k": [1, 5, 10, 20, 50],
         "probability_removed": [0.5, 0.5, 0.25, 0.25, 0.25], "probability_kept": [0.0] * 5},
    ]  # fmt: skip
    line = curve_lines(with_curves(folder, rows, "fractions"))[REMOVED][0]
    assert line.x.tolist() == [0.01, 0.05, 0.1, 0.2, 0.5]
    assert line.value.tolist() == [0.5, 0.5, 0.375, 0.25, 0.1875]


def test_the_scatter_is_refused_where_it_would_be_a_dot(tmp_path):
    few = made_up(tmp_path, "imdb", "few", random_documents(9, 1, (5,))).results
    same = {f"test/{number}": Document(single=Single(0.25, 0.125)) for number in range(20)}
    alike = made_up(tmp_path, "imdb", "alike", same).results
    with pytest.raises(NothingToDrawError, match="scatter: 9 documents: too few for a scatter"):
        draw("scatter", [plotted(few)])
    with pytest.raises(NothingToDrawError, match=r"scatter: all 20 documents lie at \(0.25, 0.125\)"):
        draw("scatter", [plotted(alike)])
    assert draw(
        "scatter", [plotted(alike, "alike"), plotted(made_up(tmp_path, "imdb", "x", random_documents(31, 1)).results)]
    )


def test_the_scatter_has_every_point_and_says_the_share_below(folder):
    drawing = draw("scatter", [plotted(folder)])
    singles = rows_of(folder, "singles").query("ranking == 'attention'")
    numbers = drawing.numbers.to_pandas()
    assert numbers.id.tolist() == singles.id.tolist()
    assert numbers.delta_js.tolist() == singles.delta_js.tolist()
    negative = singles.delta_js < -1e-7
    share = 100 * negative.mean()
    title = drawing.figure.axes[0].get_title(loc="left").replace("\n", " ")
    assert title.startswith(f"dJS < 0 on {share:.1f} [")
    assert f"({negative.sum()} of {len(singles)}), = 0 on " in title
    assert read_points(folder).share_negative.value == pytest.approx(negative.mean())


def test_figures_say_what_they_show(folder):
    """A title, labels with units, the model, the data, how many documents, and what the bands are."""
    for name in ("flips", "minimum", "scatter"):
        figure = draw(name, [plotted(folder)]).figure
        assert len(figure.get_suptitle()) > 20
        caption = " ".join(figure.get_supxlabel().split())
        summary = folder.summary()
        assert f"runs/[red]x, site pooling; imdb, split test, {summary.documents.analysed} documents" in caption
        assert "95 % intervals over documents" in caption
        assert all(panel.get_xlabel() and panel.get_ylabel() for panel in figure.axes)


def test_several_results_stand_side_by_side_and_ranking_by_ranking(folder, other, tmp_path):
    files = plot([folder.path, other.path], tmp_path)
    assert [path.name for path in files] == [
        f"{name}.{kind}" for name in ("flips", "minimum", "scatter", "rankings") for kind in ("svg", "png", "csv")
    ]
    rows = pd.read_csv(tmp_path / "rankings.csv")
    assert rows.results.nunique() == 2
    assert set(rows.ranking) == {"random", "attention", "gradient", "product", "minimum"}
    pd.testing.assert_frame_equal(
        rows.sort_values([*rows.columns[:4]]).reset_index(drop=True),
        pd.read_csv(tmp_path / "flips.csv").sort_values([*rows.columns[:4]]).reset_index(drop=True),
    )
    drawing = draw("rankings", [plotted(folder, "a"), plotted(other, "b")])
    assert [panel.get_title(loc="left") for panel in drawing.figure.axes if panel.axison] == list(
        dict.fromkeys(rows.ranking)
    )


def test_the_command_lists_what_it_wrote_and_what_it_did_not_draw(folder, other, capsys, tmp_path, monkeypatch):
    assert main(["plot", str(folder.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "not drawn: curves (the results have no curves along rankings)"
    assert lines[1:] == [
        str(folder.path / "figures" / f"{name}.{kind}")
        for name in ("flips", "minimum", "scatter")
        for kind in ("svg", "png", "csv")
    ]
    monkeypatch.chdir(tmp_path)
    assert main(["plot", str(folder.path), str(other.path)]) == 0
    assert (tmp_path / "figures" / "rankings.svg").is_file()
    (tmp_path / "file").touch()
    assert main(["plot", str(folder.path), "--output", "file"]) == 2
    assert capsys.readouterr().err.endswith("file: is a file; --output names a folder\n")
    assert main(["plot", str(tmp_path)]) == 2


def test_other_results_in_the_folder_remove_the_figures(tmp_path):
    results = made_up(tmp_path, "imdb", "flan-none", random_documents(31, 5)).results
    plot_folders(PlotConfig([str(results.path)]))
    setup = results.summary().setup
    results.write("setup.json", setup)
    results.open(replace(setup, seed=5))
    assert not (results.path / "figures").exists()


def test_a_figure_in_hand_is_a_picture_and_can_be_saved(folder, tmp_path):
    result = eraserhead.read(folder.path)
    drawing = result.plot("minimum")
    assert drawing._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"
    assert [path.name for path in drawing.save(tmp_path)] == ["minimum.svg", "minimum.png", "minimum.csv"]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "minimum.csv"), drawing.numbers.to_pandas(), check_dtype=False)
    with pytest.raises(UserError, match=r"figure 'minimun': the figures are flips, .*; did you mean 'minimum'"):
        result.plot("minimun")
    with pytest.raises(UserError, match="two results or more"):
        result.plot("rankings")


def test_every_line_can_be_told_from_the_others_without_colour():
    names = [f"ranking-{number}" for number in range(40)]
    found = looks([*names, "minimum"], ["minimum"])
    styles = {(str(style["linestyle"]), style["marker"]) for name, style in found.items() if name != "minimum"}
    assert len(styles) == len(names)
    assert list(found) == [*names, "minimum"]


@pytest.mark.skipif(version("matplotlib") != PINNED, reason=f"pixels are those of matplotlib {PINNED}")
def test_the_pixels_of_a_figure_stay_the_same(folder, tmp_path):
    """Changed on purpose: look at the figure, then write its new hash here."""
    draw("flips", [plotted(folder)]).save(tmp_path)
    pixels = matplotlib.image.imread(tmp_path / "flips.png")
    assert hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()[:16] == "bc590c32b54cd56b"


@pytest.mark.parametrize("name", FIGURES)
def test_results_without_documents_say_so(name, tmp_path):
    empty = made_up(tmp_path, "imdb", "flan-none", random_documents(3, 5, (1,))).results
    with pytest.raises(NothingToDrawError):
        draw(name, [plotted(empty)])


def test_long_names_leave_room_for_the_panels(folder, other):
    """Names such as paths are shortened in the middle; with warnings as errors, a panel without room would fail."""
    names = [f"/a/{'very/' * 40}long/{end}" for end in ("first", "second")]
    for figure in ("flips", "rankings", "minimum"):
        drawing = draw(figure, [plotted(folder, names[0]), plotted(other, names[1])])
        drawing.figure.draw_without_rendering()
        for panel in drawing.figure.axes:
            box = panel.get_window_extent()
            assert not panel.axison or min(box.width, box.height) > 40
    assert shortened("abcdefghij", 7) == "ab…ghij"
    assert shortened("abcdefg", 7) == "abcdefg"
