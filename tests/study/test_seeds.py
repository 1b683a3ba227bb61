"""Several seeds of training: documents averaged over seeds, intervals over seeds, and cells that are added."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from eraserhead.errors import UserError
from eraserhead.method.seeds import over_seeds
from eraserhead.study.cell_tables import read_fractions
from eraserhead.study.cells import DatasetStatistics, read_cells
from eraserhead.study.comparisons import Support
from eraserhead.study.findings import findings
from eraserhead.study.paper import write_paper
from references import weighted_quantile
from studies import NEVER, Document, Single, made_up, random_documents

pytestmark = pytest.mark.slow

T_TWO, T_THREE = 12.706204736, 4.302652730  # 97.5 % quantiles of Student's t, of 1 and of 2 degrees of freedom


def fewer(documents: int, of: int = 40) -> dict[str, Document]:
    """The gradient needs fewer removals than attention on the first documents, and more on the others."""
    return {f"d{number}": Document({"gradient": 1 if number < documents else 5}) for number in range(of)}


def of_seeds(folder, *seeds: dict[str, Document], dataset="imdb", model="flan-rnn", right=True):
    """Cells of one model, the first of the study's own seed."""
    return [
        made_up(folder, dataset, model, documents, seed=number or None, right=right)
        for number, documents in enumerate(seeds)
    ]


@pytest.mark.parametrize(
    ("values", "reach"),
    [
        ([0.2, 0.5], T_TWO * 0.15),  # deviations of .15: s = .15 sqrt 2, and s / sqrt 2 = .15
        ([0.1, 0.2, 0.6], T_THREE * sqrt(0.14 / 6)),  # squares .04, .01 and .09 about .3
    ],
)
def test_the_interval_over_seeds_is_students(values, reach):
    found = over_seeds(values)
    assert (found.low, found.high) == pytest.approx((np.mean(values) - reach, np.mean(values) + reach))
    assert (found.value, found.seeds) == (pytest.approx(np.mean(values)), len(values))
    bounded = over_seeds(values, 0.0, 0.65)
    assert (bounded.low, bounded.high) == (0.0, 0.65)


@pytest.mark.parametrize(("values", "mean"), [([0.3], 0.3), ([1.0, 1.0, 1.0], 1.0), ([0.2, np.inf], np.inf)])
def test_one_seed_seeds_alike_and_a_never_have_no_interval(values, mean):
    found = over_seeds(values)
    assert (found.value, found.low, found.high, found.seeds) == (mean, None, None, len(values))


def test_documents_are_averaged_over_seeds_first(tmp_path):
    """Fewer on 30 and on 10 of 40 documents: 20 of 40, of which 20 differ between the seeds.

    10 documents have 1, 20 have 1/2 and 10 have 0. Pooled as 80 documents they would have a narrower interval.
    """
    (cell,) = read_cells(of_seeds(tmp_path, fewer(30), fewer(10)))
    found = cell.summary.pair("gradient", "attention").fewer
    assert (found.value, found.count) == (0.5, 40)
    (alone,) = read_cells(of_seeds(tmp_path / "alone", fewer(20)))
    as_shares = alone.summary.pair("gradient", "attention").fewer
    assert as_shares.low < found.low < found.value < found.high < as_shares.high
    assert [run.summary.pair("gradient", "attention").fewer.value for run in cell.runs] == [0.75, 0.25]
    assert (cell.name, cell.summary.documents.analysed) == ("imdb-flan-rnn", 40)


def test_a_study_of_seeds_that_are_alike_has_the_numbers_of_one(tmp_path):
    """The same results twice: every estimate over documents is that of one seed, but for draws counted twice."""
    documents = random_documents(53, seed=7)
    (one,) = read_cells(of_seeds(tmp_path / "one", documents))
    (both,) = read_cells(of_seeds(tmp_path / "both", documents, documents))
    for part in ("accuracy", "largest_class", "pairs", "tests", "documents", "truncation"):
        assert getattr(both.summary, part) == getattr(one.summary, part), part
    for name, ranking in one.summary.rankings.items():
        again = both.summary.rankings[name]
        assert again.outcomes == ranking.outcomes
        assert again.removed.mean == ranking.removed.mean
        assert again.fraction.median.value == ranking.fraction.median.value


def test_a_median_is_of_all_seeds_values_each_document_weighing_the_same(tmp_path):
    seeds = [random_documents(53, seed, classes_of_n=(23,)) for seed in (1, 2)]
    (cell,) = read_cells(of_seeds(tmp_path, *seeds))
    draws = [
        [np.inf if (removed := rows[name].removed["attention"]) is None else removed / 23 for rows in seeds]
        for name in seeds[0]
    ]
    expected = weighted_quantile(draws, 0.5)
    median = cell.summary.rankings["attention"].fraction.median.value
    assert (np.inf if median is None else median) == pytest.approx(expected)


def test_accuracy_is_averaged_over_seeds(tmp_path):
    """Half of the documents are of each class; one seed is always right, the other always says 0."""
    cells = [made_up(tmp_path, "imdb", "flan-rnn", fewer(3), seed=seed, right=not seed) for seed in (None, 1)]
    (cell,) = read_cells(cells)
    assert (cell.summary.accuracy.value, cell.summary.accuracy.count) == (0.75, 40)
    assert cell.summary.largest_class.value == 0.5
    assert cell.silent is None


def found(cells):
    return {finding.key: finding for finding in findings(read_cells(cells))}


def test_a_model_of_several_seeds_counts_once_in_a_finding(tmp_path):
    """Fewer on 40 and on 30 of 40, more on 0 and 10: 35 against 5. Then 40 and 0: nothing is decided."""
    (comparison,) = found(of_seeds(tmp_path / "a", fewer(40), fewer(30)))["gradient-attention"].comparisons
    assert (comparison.larger.value, comparison.smaller.value) == (0.875, 0.125)
    assert (comparison.where, comparison.support, comparison.deciding) == ("imdb-flan-rnn", Support.HOLDS, 40)
    finding = found(of_seeds(tmp_path / "b", fewer(40), fewer(0)))["gradient-attention"]
    assert [each.support for each in finding.comparisons] == [Support.UNDECIDED]


def test_weights_are_averaged_over_the_seeds_of_a_document(tmp_path):
    """Negative in the first seed with .1, in the second with .3 on half of the documents: means .1 and .2."""

    def documents(weight: float, negative: int) -> dict[str, Document]:
        singles = [Single(delta_attention=weight, delta_js=-0.1 if n < negative else 0.1) for n in range(40)]
        return {f"d{number}": Document(single=single) for number, single in enumerate(singles)}

    cells = of_seeds(tmp_path, documents(0.1, 30), documents(0.3, 15))
    (comparison,) = found(cells)["negative-close"].comparisons
    assert (comparison.smaller.count, comparison.smaller.value) == (30, pytest.approx((15 * 0.2 + 15 * 0.1) / 30))
    assert (comparison.larger.count, comparison.larger.value) == (25, pytest.approx((15 * 0.3 + 10 * 0.2) / 25))


def test_each_seed_of_one_model_is_compared_with_each_of_the_other(tmp_path):
    """Attention at 2 and 6 against 4, 4 and never: later in 4 of 6 pairs of seeds, earlier in 2; in the text 4 - 2."""

    def seeds(model: str, *removed: int | None):
        rows = [{f"d{number}": Document({"attention": each}) for number in range(40)} for each in removed]
        return of_seeds(tmp_path, *rows, model=model)

    cells = seeds("flan-none", 2, 6) + seeds("flan-conv", 4, 4, NEVER)
    (comparison,) = found(cells)["context-later"].comparisons
    assert (comparison.where, comparison.larger.count) == ("imdb: flan-none to flan-conv", 40)
    assert comparison.larger.value == pytest.approx((4 - 2) / 6)
    removed = read_fractions(read_cells(cells)[1]).removed["attention"]
    assert removed.shape == (40, 3)
    assert removed[7].tolist() == [4 / 23, 4 / 23, np.inf]


def test_flat_and_hierarchical_models_are_averaged_over_the_seeds_without_a_tie(tmp_path):
    """Fewer on 30 of 40 documents in the flat model, and its other seed ties everywhere: 3/4, of 20 documents' weight.

    In the hierarchical model fewer on 10, and on 20: 1 on 10, 1/2 on 10, 0 on 20.
    """
    flat = of_seeds(tmp_path, fewer(30), dict.fromkeys(fewer(0), Document()))
    hierarchical = of_seeds(tmp_path, fewer(10), fewer(20), model="han-rnn")
    (comparison,) = found(flat + hierarchical)["gradient-flat"].comparisons
    assert comparison.larger.value == pytest.approx(0.75 - 0.375)
    assert (comparison.larger.count, comparison.deciding) == (40, 20)


def test_seeds_of_different_documents_are_refused(tmp_path):
    cells = of_seeds(tmp_path, fewer(3), fewer(3, of=41))
    with pytest.raises(UserError, match=r"flan-rnn-seed-1.*its documents are not those of"):
        read_cells(cells)


def written(folder, cells, failures=None) -> str:
    folder.mkdir()
    return write_paper(folder, cells, {"imdb": DatasetStatistics(2, {})}, failures or {}).read_text()


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr("eraserhead.study.paper._draw", lambda results, folder: {"scatter": {}, "fraction": {}})
    monkeypatch.setattr("eraserhead.study.paper._draw_context", lambda results, folder: None)


def test_the_paper_shows_both_intervals_and_what_one_seed_cannot_say(tmp_path, no_pictures):
    """Shares of .8, .5 and .5 of the documents: .6 +- t(2) .1 over seeds, in percent 60.0 +- 43.0."""
    three = of_seeds(tmp_path, fewer(32), fewer(20), fewer(20))
    single = of_seeds(tmp_path, fewer(12), model="han-rnn")
    text = written(tmp_path / "a", three)
    section = text[text.index("### Gradient needs fewer removals than attention, %") :]
    shown = next(line for line in section.splitlines() if line.startswith("| imdb | flan-rnn"))
    (cell,) = read_cells(three)
    documents = cell.summary.pair("gradient", "attention").fewer
    assert shown == (
        f"| imdb | flan-rnn | 3 | 60.0 [17.0, 100.0] | 60.0 [{100 * documents.low:.1f}, {100 * documents.high:.1f}] |"
    )
    assert "Each model was trained with several seeds" in text
    mixed = written(tmp_path / "b", [*three, *single])
    assert "1 of 2 models were trained with several seeds" in mixed
    assert "| imdb | han-rnn | 1 | 30.0 | " in mixed
    alone = written(tmp_path / "c", single)
    assert "may come from the seed" in alone
    assert "Over seeds" not in alone


def test_a_seed_that_failed_is_listed_and_its_model_has_the_others(tmp_path, no_pictures):
    cells = of_seeds(tmp_path, fewer(32), fewer(20))
    failed = replace(cells[0], folder=tmp_path / "nothing", seed=2)
    text = written(tmp_path / "a", cells, {failed: "out of memory"})
    assert "| imdb-flan-rnn-seed-2 | out of memory |" in text
    assert "| imdb | flan-rnn-seed-2" not in text
    assert "| imdb | flan-rnn | 2 | 65.0 [" in text
