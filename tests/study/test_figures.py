"""Figures: the numbers beside them are those of the results, and the bytes are the same every time."""

from dataclasses import replace
from functools import partial

import matplotlib
import matplotlib.backends.backend_agg
import matplotlib.figure
import matplotlib.text
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from eraserhead.showing.figures import Plate, drawn, styled
from eraserhead.study.cell_figures import draw_boxes, draw_histogram, draw_scatter
from eraserhead.study.cells import read_cells
from eraserhead.study.context_figure import QUANTITIES, contexts_of, draw_context
from eraserhead.study.sheets import new_sheet
from studies import NEVER, Document, Single, made_up, random_documents

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    models = ("flan-none", "flan-conv", "han-conv", "mine")
    cells = [made_up(folder, "imdb", model, random_documents(53, seed)) for seed, model in enumerate(models)]
    return read_cells(cells)


@pytest.fixture
def plate(tmp_path):
    return Plate(tmp_path, "plate")


def numbers(plate: Plate) -> pd.DataFrame:
    return pd.read_csv(plate.folder / plate.csv)


def stored(found, name: str) -> pd.DataFrame:
    rows = pq.read_table(found.cell.results.path / f"{name}.parquet").to_pandas()
    return rows[rows.n >= 2]


def test_the_scatter_has_every_point(results, plate):
    draw_scatter(results, plate)
    rows = numbers(plate)
    for found in results:
        expected = stored(found, "singles").query("ranking == 'attention'")
        drawn_here = rows[rows.model == found.cell.model]
        assert drawn_here.id.tolist() == expected.id.tolist()
        assert drawn_here.delta_attention.tolist() == expected.delta_attention.tolist()
        assert drawn_here.delta_js.tolist() == expected.delta_js.tolist()


def test_the_histogram_counts_the_documents_with_negative_differences(results, plate):
    draw_histogram(results, plate)
    rows = numbers(plate)
    for found in results:
        singles = stored(found, "singles").query("ranking == 'attention' and delta_js < -1e-7")
        bars = rows[rows.model == found.cell.model]
        assert bars.documents.sum() == len(singles) > 0
        for bar in bars.itertuples():
            inside = (singles.delta_attention >= bar.low) & (singles.delta_attention < bar.high)
            assert bar.documents == inside.sum()


@pytest.mark.parametrize("quantity", ["fraction", "mass"])
def test_the_box_plots_numbers_are_those_of_the_results(quantity, results, plate):
    draw_boxes(results, plate, quantity)
    rows = numbers(plate).set_index(["model", "ranking", "convention"])
    assert len(rows) == 4 * 5 * 2
    for found in results:
        flips = stored(found, "flips")
        for ranking, its in flips.groupby("ranking"):
            one = its[its.draw.isna() | (its.draw == 0)][quantity]
            paper = rows.loc[(found.cell.model, ranking, "paper")]
            sizes = one.dropna().to_numpy()
            for column in ("q05", "q25", "q50", "q75", "q95"):
                expected = np.quantile(sizes, int(column[1:]) / 100, method="inverted_cdf")
                assert paper[column] == pytest.approx(expected)
            assert paper.documents == one.notna().sum()
            assert paper.never == pytest.approx(one.isna().mean())
            ours = rows.loc[(found.cell.model, ranking, "ours")]
            summary = found.summary.rankings[ranking].distribution(quantity)
            for column, name in {"q25": "q25", "q50": "median", "q75": "q75"}.items():
                assert ours[column] == (np.inf if (median := getattr(summary, name).value) is None else median)
            assert ours.documents == its.id.nunique()


def test_the_context_figure_draws_the_summary(results, plate):
    placed = [found for found in results if found.cell.paper_model]
    draw_context(placed, plate)
    rows = numbers(plate)
    assert len(rows) == len(QUANTITIES) * 3
    assert contexts_of(results) == ["none", "conv"]
    assert set(rows.model) == {"flan-none", "flan-conv", "han-conv"}
    for found in placed:
        its = rows[rows.model == found.cell.model].set_index("quantity")
        pair = next(
            pair for pair in found.cell.results.summary().pairs if (pair.first, pair.second) == ("product", "attention")
        )
        row = its.loc["product needs fewer removals than attention, %"]
        assert row[["value", "low", "high"]].tolist() == [
            100 * getattr(pair.fewer, end) for end in ("value", "low", "high")
        ]
        median = found.summary.rankings["attention"].fraction.median
        row = its.loc["median fraction removed along attention"]
        ends = [np.inf if getattr(median, end) is None else getattr(median, end) for end in ("value", "low", "high")]
        assert row[["value", "low", "high"]].tolist() == ends


def test_the_same_results_give_the_same_bytes_whatever_the_users_settings(results, tmp_path):
    first, second = (Plate(tmp_path / name, "plate") for name in ("first", "second"))
    for plate, size in ((first, 10.0), (second, 23.0)):
        plate.folder.mkdir()
        with matplotlib.rc_context({"font.size": size, "svg.hashsalt": str(size)}):
            draw_scatter(results, plate)
            assert matplotlib.rcParams["font.size"] == size
    for ending in ("svg", "png", "csv"):
        files = [(plate.folder / f"plate.{ending}").read_bytes() for plate in (first, second)]
        assert files[0] == files[1]
    assert b"<dc:date>" not in (first.folder / "plate.svg").read_bytes()
    assert sorted(path.name for path in first.folder.iterdir()) == ["plate.csv", "plate.png", "plate.svg"]


def test_a_figure_that_fails_leaves_no_file_under_a_final_name(results, plate, monkeypatch):
    def fail(figure, path, **options):
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        draw_histogram(results, plate)
    assert list(plate.folder.iterdir()) == []


@pytest.mark.parametrize("draw", [draw_scatter, draw_histogram, draw_boxes, draw_context])
def test_one_document_that_never_flips_can_be_drawn(draw, tmp_path, plate):
    never = dict.fromkeys(("attention", "gradient", "product", "minimum", "random"), NEVER)
    cell = made_up(tmp_path, "imdb", "flan-rnn", {"d": Document(never, single=Single(0.0, 0.0))})
    draw(read_cells([cell]), plate, **({"quantity": "fraction"} if draw is draw_boxes else {}))
    rows = numbers(plate)
    assert (plate.folder / "plate.png").stat().st_size > 1000
    if draw is draw_boxes:
        paper, ours = (rows[rows.convention == name] for name in ("paper", "ours"))
        assert (paper.q50.isna() & (paper.documents == 0) & (paper.never == 1)).all()
        assert (np.isinf(ours.q05) & (ours.documents == 1) & (ours.never == 1)).all()


def test_what_never_flips_is_drawn_above_everything():
    assert drawn([0.0, 1.0, np.inf]).tolist() == [0.0, 1.0, 1.16]


@pytest.mark.parametrize(
    ("models", "rows"),
    [
        (["mine"], [["mine"]]),
        (["flan-none"], [["flan-none"]]),
        (["flan-none", "han-rnn"], [["flan-none", "han-rnn"]]),
        (["flan-none", "flan-rnn", "han-none", "han-rnn"], [["flan-none", "flan-rnn"], ["han-none", "han-rnn"]]),
        (["flan-rnn", "a", "b", "c", "d", "e"], [["flan-rnn", "a", "b", "c"], ["d", "e"]]),
    ],
)
def test_every_model_has_a_panel_and_no_panel_is_empty(models, rows, results):
    """By architecture and context where every architecture has every context; otherwise one after the other."""
    given = [replace(results[0], cell=replace(results[0].cell, model=model)) for model in models]
    with styled():
        sheet = new_sheet(given, "Title", "Note.", height=1.0)
        sheet.figure.draw_without_rendering()
    places = {name: panel.get_position() for name, panel in sheet.panels.items()}
    assert list(places) == [name for row in rows for name in row]
    for row in rows:
        assert len({round(places[name].y0, 6) for name in row}) == 1
        assert [places[name].x0 for name in row] == sorted(places[name].x0 for name in row)
    assert [panel for panel in sheet.figure.axes if panel.axison] == list(sheet.panels.values())


def test_a_figure_of_two_models_says_what_it_shows(tmp_path, results, monkeypatch):
    """Title, data, documents, labels; models above their panels; a panel without a scatter says why."""
    dot = {f"d{number}": Document(single=Single(0.5, 0.25)) for number in range(11)}
    cells = [made_up(tmp_path, "imdb", "flan-rnn", dot), made_up(tmp_path, "imdb", "han-rnn", random_documents(31, 5))]
    sheets = []
    monkeypatch.setattr(Plate, "save", lambda self, figure: sheets.append(figure))
    two = read_cells(cells)
    for draw in (draw_scatter, draw_histogram, partial(draw_boxes, quantity="mass")):
        draw(two, Plate(tmp_path, "plate"))
    for figure in sheets:
        assert figure.get_suptitle().replace("\n", " ").endswith(": imdb")
        assert "documents of two components or more for each model" in " ".join(figure.get_supxlabel().split())
        assert [panel.get_title(loc="left").split("\n")[0] for panel in figure.axes] == ["flan-rnn", "han-rnn"]
    first, second = sheets[0].axes
    assert [text.get_text() for text in first.texts] == ["all 11 documents lie at (0.5, 0.25)"]
    assert not second.texts


def test_text_is_legible_in_print(results, plate, monkeypatch):
    """Seven points or more on a sheet no wider than 6.9 inches, drawn at its size; nothing is cut off."""
    sheets = []
    monkeypatch.setattr(Plate, "save", lambda self, figure: sheets.append(figure))
    draw_scatter(results, plate)
    draw_histogram(results, plate)
    draw_boxes(results, plate, "mass")
    draw_context([found for found in results if found.cell.paper_model], plate)
    for figure in sheets:
        assert figure.get_figwidth() <= 6.9
        texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text() and text.get_visible()]
        assert min(text.get_fontsize() for text in texts) >= 7
        with styled():
            canvas = matplotlib.backends.backend_agg.FigureCanvasAgg(figure)
            canvas.draw()
            box = figure.get_tightbbox(canvas.get_renderer())
        assert box.x0 >= -0.02
        assert box.x1 <= figure.get_figwidth() + 0.02
        assert box.y0 >= -0.02
        assert box.y1 <= figure.get_figheight() + 0.02
