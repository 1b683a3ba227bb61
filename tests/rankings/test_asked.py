"""What rankings can be asked for, and what is said of those that cannot."""

import re
import sys
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
import pytest

from eraserhead.errors import UserError
from eraserhead.rankings import packages
from eraserhead.rankings.asked import asked_rankings, source_of
from eraserhead.rankings.ranking import Ranking
from eraserhead.rankings.registry import BUILT_IN, available, register, signals_of, unregister
from eraserhead.rankings.score_table import ScoreTable
from heads import random_head
from readings import affine

MODULE = """
from eraserhead import Ranking


def by_place(reading):
    return reading.positions.double()


declared = Ranking("declared", by_place, needs=frozenset({"gradient"}))
number = 5
"""


@dataclass(frozen=True)
class At:
    """A site of which nothing is asked but what it gives."""

    gives: frozenset[str] = frozenset()

    def read(self, batch, signals):
        raise NotImplementedError


EVERYWHERE = At(signals_of(available().values()))


def by_place(reading):
    return -reading.positions.double()


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    """A working folder with a module and a table of somebody's own."""
    (tmp_path / "own_scores.py").write_text(MODULE)
    (tmp_path / "broken_scores.py").write_text("1 / 0")
    (tmp_path / "theirs.csv").write_text("id,component,score\na,0,1.0\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("own_scores", "broken_scores"):
        sys.modules.pop(name, None)


def names(given) -> list[str]:
    return [ranking.name for ranking in asked_rankings(given).at(EVERYWHERE, "pooling")]


def test_names_are_those_asked_for_in_their_order_with_attention_among_them():
    assert names(None) == ["attention", "gradient", "product"]
    assert names(["value_norm", "product"]) == ["attention", "value_norm", "product"]
    assert names(["product", "attention"]) == ["product", "attention"]
    assert names(["all"]) == list(available())
    (found,) = [each for each in asked_rankings(["value_norm"]).rankings if each.name == "value_norm"]
    assert found is BUILT_IN["value_norm"]
    assert source_of(found) is None


def test_all_are_those_that_the_site_gives_signals_for():
    found = [ranking.name for ranking in asked_rankings(["all", {"mine": by_place}]).at(At(), "words")]
    assert found == [name for name, ranking in available().items() if not ranking.needs] + ["mine"]
    assert "attention" in found
    assert "gradient" not in found


def test_functions_of_modules_in_the_working_folder_are_found(somewhere):
    found = asked_rankings(["own_scores:by_place", "again=own_scores:by_place", "own_scores:declared"]).rankings[1:]
    assert [ranking.name for ranking in found] == ["by_place", "again", "declared"]
    assert [source_of(ranking) for ranking in found] == ["own_scores:by_place"] * 3
    assert found[2].needs == {"gradient"}
    assert found[0].order(affine(random_head(0, [3])))[0].tolist() == [2, 1, 0]
    assert str(somewhere) not in sys.path


def test_files_are_named_by_their_stem_or_as_they_are_asked_for(somewhere):
    found = asked_rankings(["theirs.csv", f"others={somewhere / 'theirs.csv'}"])
    assert [table.name for table in found.tables] == ["theirs", "others"]
    assert len({source_of(table) for table in found.tables}) == 1
    assert source_of(found.tables[0]) == f"table {found.tables[0].digest}"


def test_python_gives_functions_rankings_and_scores():
    frame = pd.DataFrame({"id": ["a"], "component": [0], "score": [1.0]})
    given = [by_place, Ranking("object", by_place), {"theirs": frame, "ours": {"a": [1.0]}, "part": partial(by_place)}]
    found = asked_rankings(given).rankings
    assert [each.name for each in found] == ["attention", "by_place", "object", "theirs", "ours", "part"]
    assert [isinstance(each, ScoreTable) for each in found] == [False, False, False, True, True, False]
    assert source_of(found[1]) == f"{__name__}:by_place"
    assert source_of(found[5]) == "functools:partial"
    assert source_of(found[3]) == source_of(replace(found[4]))


WRONG = {
    "unknown": (
        ["atention"],
        "rankings='atention': no such ranking; did you mean 'attention'?; there are",
    ),
    "several": (["foo", "bar"], "rankings='foo': no such ranking; there are"),
    "twice": (["product", "product"], "ranking 'product': asked for twice"),
    "taken": ([{"gradient": by_place}], "ranking 'gradient': the name is taken; give it another"),
    "reserved": ([{"minimum": {"a": [1.0]}}], "ranking 'minimum': the name is taken; give it another"),
    "no kind": (
        ["mine=attention"],
        "rankings='mine=attention': 'attention' is no module:function, nor a file in",
    ),
    "a frame": ([pd.DataFrame()], "rankings: scores without a name; give {'its name': scores}"),
    "no name": (["=theirs.csv"], "no name in front of the =; give one"),
    "lambda": ([lambda reading: reading.weights], "rankings: a function without a name; give {'its name': function}"),
    "number": ([5], "rankings: has a int; give a name, a function, a Ranking, or a mapping"),
    "text": ("attention", "rankings: must be a list of one or more"),
    "none": ([], "rankings: must be a list of one or more"),
    "module": (["no_such_module:f"], "ranking 'no_such_module:f': cannot be imported (ModuleNotFoundError: No module"),
    "raising": (["broken_scores:f"], "ranking 'broken_scores:f': cannot be imported (ZeroDivisionError"),
    "attribute": (["own_scores:by_plce"], "module 'own_scores' has no 'by_plce'; did you mean 'by_place'?"),
    "no function": (
        ["own_scores:number"],
        "ranking 'own_scores:number': is a int, and neither a function nor a Ranking",
    ),
    "no file": (["missing.csv"], "missing.csv: no such file"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_asked_for_is_refused(somewhere, kind):
    given, message = WRONG[kind]
    with pytest.raises(UserError, match=re.escape(message)):
        asked_rankings(given)


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(UserError, match=r"rankings='foo': no such.*; rankings='bar': no such"):
        asked_rankings(["foo", "product", "bar"])


def test_a_ranking_without_its_signals_names_the_sites_that_give_them():
    with pytest.raises(UserError, match=r"^ranking 'value_norm': not defined at words of this model; it is at pooling"):
        asked_rankings(["value_norm"]).at(At(), "words")
    nowhere = Ranking("mine", by_place, needs=frozenset({"entropy"}))
    with pytest.raises(UserError, match=r"not defined at words of this model; no site gives entropy$"):
        asked_rankings([nowhere]).at(At(), "words")


def test_a_package_that_is_not_installed_is_named_with_its_extra():
    mine = Ranking("mine", by_place, package="no_such_package")
    message = "ranking 'mine': needs no_such_package, which is not installed; `pip install 'eraserhead[attributions]'`"
    with pytest.raises(UserError, match=re.escape(message)):
        asked_rankings([mine]).at(EVERYWHERE, "pooling")


@pytest.fixture
def installed(somewhere, monkeypatch):
    """Install what has these entry points, as far as Python's metadata can tell."""

    def install(**points: str) -> None:
        folder = somewhere / "somebodys_package-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-package\nVersion: 1.0\n")
        lines = [f"{name} = {value}\n" for name, value in points.items()]
        (folder / "entry_points.txt").write_text(f"[{packages.GROUP}]\n{''.join(lines)}")
        monkeypatch.syspath_prepend(str(somewhere))

    return install


def test_packages_bring_rankings_that_are_used_where_they_are_asked_for(installed):
    installed(place="own_scores:by_place", slope="own_scores:declared")
    assert {"place", "slope"} < set(available())
    assert names(None) == ["attention", "gradient", "product"]
    assert names(["place", "slope"]) == ["attention", "place", "slope"]
    assert source_of(available()["slope"]) == "own_scores:by_place"
    assert available()["slope"].needs == {"gradient"}
    assert {"place", "slope"} < set(names(["all"]))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"product": "own_scores:by_place"}, "ranking 'product' of package 'somebodys-package': the name is taken"),
        (
            {"mine": "own_scores:none"},
            "ranking 'mine' of package 'somebodys-package': cannot be loaded (Attr",
        ),
        ({"mine": "own_scores:number"}, "ranking 'mine' of package 'somebodys-package': is a int, and neither"),
    ],
)
def test_a_package_whose_ranking_is_none_is_named(installed, points, message):
    installed(**points)
    with pytest.raises(UserError, match=re.escape(message)):
        asked_rankings(["place"])


def test_a_registered_name_is_available():
    register(Ranking("mine", by_place))
    try:
        assert names(None) == ["attention", "gradient", "product", "mine"]
        assert names(["mine"]) == ["attention", "mine"]
        with pytest.raises(UserError, match="ranking 'mine': the name is taken"):
            asked_rankings([{"mine": lambda reading: reading.weights}])
    finally:
        unregister("mine")
