"""Folders of runs and results that were given none: readable, and never those of something else."""

from itertools import combinations, product
from pathlib import Path

from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.loading.config import SiteConfig
from eraserhead.loading.default_folders import results_folder, run_folder
from eraserhead.training.config import TrainConfig


def test_no_two_choices_of_what_is_erased_share_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    models = [
        ("here", None),
        ("a/model", None),
        ("b/model", None),
        ("model", None),
        ("a/model", "v1"),
        ("a-model", None),
    ]
    sites = [
        None,
        "pooling",
        "words",
        "all",
        "layer:-1",
        "layer:1",
        "layer:-2",
        "layer:-1:all",
        "layer:11",
        "layer:1:all",
    ]
    heads = [None, [0], [0, 1], [10], [1]]
    choices = [
        SiteConfig(revision=revision, site=site, heads=some, special_tokens=special)
        for (_, revision), site, some, special in product(models, sites, heads, (None, False))
    ]
    names = [model for (model, _), *_ in product(models, sites, heads, (None, False))]
    folders = list(map(results_folder, names, choices))
    assert len(set(folders)) == len(folders) == 6 * 10 * 5 * 2


def test_no_two_choices_of_what_is_decided_share_a_folder():
    targets = [None, ["all"], ["a", "b"], ["a-b"], ["a b"], ["a_b"], ["a/b"], ["a" * 99 + "b"], ["a" * 99 + "c"]]
    thresholds = [(None, "probability"), (0.5, "probability"), (0.5, "logit"), (-0.5, "logit"), (0.05, "logit")]
    folders = [
        results_folder("a/model", SiteConfig(target=target, threshold=threshold, threshold_on=on))
        for target, (threshold, on) in product(targets, thresholds)
    ]
    assert len(set(folders)) == len(folders) == 9 * 5
    assert max(len(folder.name) for folder in folders) < 255


def test_results_are_called_after_what_is_erased(tmp_path):
    here = str(tmp_path)
    assert EraseConfig(model=here).folder == tmp_path / "erasure"
    assert EraseConfig(model=here, site="layer:3:all").folder == tmp_path / "erasure-layer-3-all"
    assert EraseConfig(model=here, site="layer:-1").folder == tmp_path / "erasure-layer-last"
    assert (
        EraseConfig(model=here, site="layer:-3", heads=[7, 0, 7]).folder == tmp_path / "erasure-layer-last-2-heads-0-7"
    )
    assert EraseConfig(model=here, special_tokens=False).folder == tmp_path / "erasure-without-special-tokens"
    assert EraseConfig(model=here, components="words").folder == tmp_path / "erasure-by-words"
    assert EraseConfig(model=here, site="words", components="words").folder == tmp_path / "erasure-words-by-words"
    assert EraseConfig(model=here, special_tokens=True).folder == tmp_path / "erasure"
    assert EraseConfig(model=here, target=["toxic", "b", "b"]).folder == tmp_path / "erasure-target-b-toxic"
    decided = EraseConfig(model=here, site="all", target=["all"], threshold=-1.5, threshold_on="logit")
    assert decided.folder == tmp_path / "erasure-all-target-all-threshold-logit-minus1.5"
    assert EraseConfig(model="user/model").folder == Path("runs/user--model+erasure")
    assert EraseConfig(model="user/model", revision="pr/3").folder == Path("runs/user--model@pr_3+erasure")
    assert EraseConfig(model="user/model", output_dir="there").folder == Path("there")


def test_no_two_data_sets_share_a_runs_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [
        ("imdb", None),
        ("a/imdb", None),
        ("b/imdb", None),
        ("glue", "sst2"),
        ("glue", "mnli"),
        ("glue/sst2", None),
    ]
    folders = [run_folder(None, name, subset, None) for name, subset in names]
    folders += [run_folder(None, None, None, path) for path in ("imdb", "imdb.csv", "x/imdb.csv", "/x/imdb.csv")]
    assert all(first != second for first, second in combinations(folders, 2))
    assert run_folder(None, None, None, "x/imdb.csv") == run_folder(None, None, None, str(tmp_path / "x" / "imdb.csv"))


def test_runs_are_called_after_their_name_on_the_hub_or_their_data():
    assert TrainConfig(push_to_hub="user/imdb-pooling").folder == Path("runs/user--imdb-pooling")
    assert TrainConfig(data=DataConfig(name="imdb")).folder == Path("runs/imdb")
    assert TrainConfig(data=DataConfig(name="someone/reviews", path="x/y")).folder == Path("runs/someone--reviews")
    assert TrainConfig(data=DataConfig(name="glue", subset="sst2")).folder == Path("runs/glue+sst2")
    assert TrainConfig(data=DataConfig(path="/data/my.csv")).folder == Path("runs/my-c1df160d")
    assert TrainConfig(data=DataConfig(name="imdb"), output_dir="here").folder == Path("here")
