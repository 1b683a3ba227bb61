"""A search for options: what is drawn, resumed, kept and refused; test documents never decide."""

import io
import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.errors import DivergedError, UserError
from eraserhead.showing.terminal import NONE
from eraserhead.training import sweep as sweep_module
from eraserhead.training.config import AdapterConfig, ModelConfig, SweepConfig, TrainConfig, TrainingConfig
from eraserhead.training.ranges import (
    Range,
    check_ranges,
    in_effect,
    of_trial,
    read_ranges,
    searchable,
    with_options,
)
from eraserhead.training.sweep import Trial, Trials, _drawn, sweep
from eraserhead.training.view import trials_view
from tiny import labelled_file, tiny_encoder

RATES = "training.learning_rate: {low: 1e-3, high: 1e-1, log: true}\nmodel.attention_size: [3, 5]\n"


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    tiny_encoder(tmp_path / "encoder")
    (tmp_path / "data").mkdir()
    labelled_file(tmp_path / "data" / "train.jsonl", 80)
    labelled_file(tmp_path / "data" / "test.jsonl", 20)
    (tmp_path / "ranges.yaml").write_text(RATES)
    return SweepConfig(
        ranges=str(tmp_path / "ranges.yaml"),
        trials=3,
        output_dir=str(tmp_path / "sweep"),
        data=DataConfig(path=str(tmp_path / "data"), max_length=32, validation_size=20),
        model=ModelConfig(encoder=str(tmp_path / "encoder")),
        training=TrainingConfig(epochs=2),
        cpu=True,
    )


@pytest.mark.slow
def test_the_best_trial_is_trained_again_and_tested_and_more_trials_can_be_added(config, monkeypatch):
    """Its validation metric is that of its trial; an interruption loses one trial at most, and draws what it would."""
    asked = []
    train = sweep_module.train

    def seen(run, **options):
        asked.append((Path(run.output_dir).name, options.get("tested", True)))
        return train(run, **options)

    monkeypatch.setattr(sweep_module, "train", seen)
    folder = sweep(config)
    assert asked == [("trial-000", False), ("trial-001", False), ("trial-002", False), ("best", True)]
    found = folder.trials("accuracy")
    best = max(found.trials, key=lambda trial: trial.value)
    metrics = folder.best.metrics()
    assert metrics.validation["accuracy"] == best.value == found.best.value
    assert metrics.test is not None
    run = folder.best.config()
    assert run.training.learning_rate == best.options["training.learning_rate"]
    assert run.model.attention_size == best.options["model.attention_size"]
    assert not list(Path(config.output_dir).glob("trial-*"))
    assert all(1e-3 <= trial.options["training.learning_rate"] <= 1e-1 for trial in found.trials)

    cut = replace(config, output_dir=str(Path(config.output_dir).with_name("cut")))

    def interrupted(run, **options):
        if Path(run.output_dir).name == "trial-001":
            raise KeyboardInterrupt
        return train(run, **options)

    monkeypatch.setattr(sweep_module, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(cut)
    monkeypatch.setattr(sweep_module, "train", seen)
    asked.clear()
    again = sweep(cut).trials("accuracy")
    assert again == found
    assert [name for name, _ in asked] == ["trial-001", "trial-002", "best"]
    before = (again_folder(cut) / "model.safetensors").stat().st_mtime_ns
    sweep(cut)  # a finished search does nothing
    assert (again_folder(cut) / "model.safetensors").stat().st_mtime_ns == before
    asked.clear()
    sweep(replace(cut, trials=4))
    assert asked[0] == ("trial-003", False)
    labelled_file(Path(config.data.path) / "train.jsonl", 70, seed=5)
    with pytest.raises(UserError, match="the documents have changed since its first trials"):
        sweep(replace(cut, trials=5))


def again_folder(config) -> Path:
    return Path(config.output_dir) / "best"


@pytest.mark.slow
def test_a_trial_that_fails_is_one_trial_less(config, monkeypatch, capsys):
    train = sweep_module.train

    def some_fail(run, **options):
        if Path(run.output_dir).name == "trial-000":
            raise DivergedError("the loss is nan")
        return train(run, **options)

    monkeypatch.setattr(sweep_module, "train", some_fail)
    arguments = ["sweep", config.ranges, "--trials", "2", "--output_dir", config.output_dir, "--cpu"]
    arguments += ["--data.path", config.data.path, "--data.max_length", "32", "--data.validation_size", "20"]
    assert main([*arguments, "--model.encoder", config.model.encoder, "--training.epochs", "1"]) == 0
    printed = capsys.readouterr().out
    assert "The best of 2 trials by accuracy on validation documents; 1 failed" in " ".join(printed.split())
    trials = json.loads(Path(config.output_dir, "trials.json").read_text())["trials"]
    assert [trial["failed"] for trial in trials] == ["the loss is nan", None]


def test_where_all_trials_fail_the_last_reason_is_said(config, monkeypatch):
    def fails(run, **options):
        raise torch.OutOfMemoryError("the loss is nan")

    monkeypatch.setattr(sweep_module, "train", fails)
    with pytest.raises(UserError, match="all 3 trials failed, the last with: the loss is nan"):
        sweep(config)


def test_later_trials_are_drawn_where_earlier_ones_did_well():
    """Of 30 trials those above .5 did badly: most of the next 40 draws lie below, and half of random ones would."""
    ranges = [Range("training.learning_rate", low=0.0, high=1.0), Range("model.context", values=["none", "rnn"])]
    trials = [
        Trial(number, {"training.learning_rate": number / 30, "model.context": "none"}, 1 - number / 30, 1)
        for number in range(30)
    ]
    drawn = [_drawn(ranges, Trials("accuracy", trials), seed)["training.learning_rate"] for seed in range(40)]
    assert sum(value < 0.5 for value in drawn) > 34
    lower = Trials("mean_absolute_error", trials)
    drawn = [_drawn(ranges, lower, seed)["training.learning_rate"] for seed in range(40)]
    assert sum(value > 0.5 for value in drawn) > 34
    assert _drawn(ranges, lower, 3) == _drawn(ranges, lower, 3)


def test_ranges_are_read_as_they_are_written(tmp_path):
    file = tmp_path / "ranges.yaml"
    file.write_text(RATES + "training.batch_size: {low: 8, high: 64, step: 8}\nadapter.r: {low: 2, high: 16}\n")
    assert read_ranges(str(file)) == [
        Range("training.learning_rate", low=1e-3, high=1e-1, log=True),
        Range("model.attention_size", values=[3, 5]),
        Range("training.batch_size", low=8, high=64, step=8, whole=True),
        Range("adapter.r", low=2, high=16, whole=True),
    ]
    file.write_text("training.warmup: {low: 0, high: 1}\ntraining.learning_rate: [1e-3, 0.01]\n")
    warmup, rate = read_ranges(str(file))
    assert not warmup.whole
    assert rate.values == [1e-3, 0.01]
    drawn = _drawn([warmup], Trials("accuracy", []), 0)["training.warmup"]
    assert 0 < drawn < 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training.learning_rat: [1.0]", "'training.learning_rat' cannot be searched; did you mean"),
        ("training.metric: [accuracy]", "'training.metric' cannot be searched"),
        ("training.batch_size: {low: 0, high: 64}", "training.batch_size=0: must be at least 1"),
        ("model.context: [none, lstm]", "model.context='lstm': must be"),
        ("training.learning_rate: {low: 1.0}", "must be {low: 1.0e-4, high: 1.0e-2, log: true}, or a list"),
        ("training.learning_rate: {low: 2.0, high: 1.0}", "must be {low:"),
        ("training.learning_rate: {low: 1.0, high: 2.0, lg: true}", "must be {low:"),
        ("training.learning_rate: {low: 1.0, high: 2.0, log: true, step: 0.1}", "there is no step"),
        ("training.learning_rate: 1.0", "must be {low:"),
        ("training.learning_rate: {low: 1.0, high: .inf}", "must be {low:"),
        ("training.epochs: {low: 1, high: 4, step: 0.5}", "takes whole numbers"),
        ("model.context: {low: 1, high: 4}", "takes no numbers"),
        ("- training.learning_rate", "must map names of options to ranges"),
        ("{", "cannot be read as YAML"),
    ],
)
def test_ranges_that_say_nothing_are_refused(tmp_path, text, said):
    file = tmp_path / "ranges.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=re.escape(said)):
        read_ranges(str(file))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": [1]}, "seeds=[1]: has no effect in a search"),
        ({"resume": True}, "a search always goes on where it stopped"),
        ({"push_to_hub": "user/name"}, "give it to the best run"),
    ],
)
def test_options_without_a_use_in_a_search_are_refused(config, changes, said):
    with pytest.raises(UserError, match=re.escape(said)):
        sweep(replace(config, **changes))


def test_every_option_that_can_be_searched_is_one_of_training():
    config = TrainConfig()
    for name in searchable():
        section, option = name.split(".")
        assert option in {each.name for each in fields(getattr(config, section))}
    changed = with_options(config, {"model.dropout": 0.25, "training.epochs": 3})
    assert (changed.model.dropout, changed.training.epochs) == (0.25, 3)


def test_an_option_without_an_effect_is_not_searched_unless_another_may_give_it_one(config, tmp_path):
    file = tmp_path / "idle.yaml"
    file.write_text("training.encoder_learning_rate: {low: 1e-5, high: 1e-3, log: true}\n")
    ranges = read_ranges(str(file))
    with pytest.raises(UserError, match=r"has no effect without training\.freeze_encoder=False"):
        check_ranges(config.base, ranges, str(file))
    check_ranges(config.base, [*ranges, Range("training.freeze_encoder", values=[True, False])], str(file))


ADAPTERS = "training.adapter: [lora, null]\nadapter.r: [2, 4]\n"


@pytest.mark.parametrize("base", [TrainConfig(), TrainConfig(training=TrainingConfig(adapter="lora"))])
def test_a_trial_has_the_options_that_have_an_effect_with_its_others(base):
    with_adapter = {"training.adapter": "lora", "adapter.r": 2, "model.recurrent_size": 7, "model.context": "rnn"}
    assert in_effect(base, with_adapter) == with_adapter
    without = {**with_adapter, "training.adapter": None, "model.context": "none"}
    assert in_effect(base, without) == {"training.adapter": None, "model.context": "none"}
    base = replace(base, adapter=AdapterConfig(alpha=3.0))
    assert of_trial(base, with_adapter).adapter == AdapterConfig(r=2, alpha=3.0)
    assert of_trial(base, in_effect(base, without)).adapter == AdapterConfig()
    assert of_trial(base, {"training.adapter": "ia3"}).adapter == AdapterConfig()


def test_what_has_no_effect_falls_with_what_it_belongs_to_and_limits_with_the_kind_of_model(config, tmp_path):
    base = TrainConfig()
    chain = {"model.hierarchical": False, "model.sentence_context": "conv", "model.filters": 100}
    assert in_effect(base, chain) == {"model.hierarchical": False}
    limits = {"data.max_length": 64, "data.max_sentences": 5}
    for hierarchical, left in ((False, "data.max_length"), (True, "data.max_sentences")):
        values = {"model.hierarchical": hierarchical, **limits}
        assert in_effect(base, values) == {"model.hierarchical": hierarchical, left: limits[left]}
    file = tmp_path / "kinds.yaml"
    file.write_text("model.hierarchical: [true, false]\ndata.max_sentences: [5, 10]\ndata.max_length: [8, 16]\n")
    check_ranges(config.base, read_ranges(str(file)), str(file))
    file.write_text("training.adapter: [lora, null]\n")
    with_rank = replace(config.base, training=replace(config.base.training, adapter="lora"), adapter=AdapterConfig(r=2))
    check_ranges(with_rank, read_ranges(str(file)), str(file))


def test_options_of_an_adapter_are_searched_where_a_trial_may_have_one(config):
    ranges = Path(config.ranges)
    ranges.write_text(ADAPTERS)
    check_ranges(config.base, read_ranges(config.ranges), config.ranges)
    ranges.write_text("adapter.r: [2, 4]\n")
    with pytest.raises(UserError, match=r"ranges\.yaml: adapter\.r=2: has no effect without training\.adapter='lora'"):
        sweep(config)
    whole = replace(config, training=TrainingConfig(freeze_encoder=False))
    ranges.write_text(ADAPTERS)
    with pytest.raises(UserError, match=r"ranges\.yaml: training\.adapter='lora': an adapter leaves the encoder's"):
        sweep(whole)
    assert not Path(config.output_dir).exists()


def test_trials_that_lack_an_option_say_nothing_of_it():
    """All that had an adapter did well with 2, and badly with 4."""
    ranges = [Range("training.adapter", values=["lora", None]), Range("adapter.r", values=[2, 4])]
    with_adapter = [
        Trial(number, {"training.adapter": "lora", "adapter.r": 2 + number % 2 * 2}, 1.0 - number % 2, 1)
        for number in range(20)
    ]
    without = [Trial(20 + number, {"training.adapter": None}, 0.5, 1) for number in range(10)]
    drawn = [_drawn(ranges, Trials("accuracy", [*with_adapter, *without]), seed)["adapter.r"] for seed in range(20)]
    assert drawn.count(2) > 14
    shown = io.StringIO()
    Console(file=shown, width=100).print(trials_view(Trials("accuracy", [without[0], with_adapter[0]])))
    (row,) = (line for line in shown.getvalue().splitlines() if " None" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][-2:] == ["None", NONE]


def test_one_text_may_stand_for_a_list_of_one(tmp_path):
    file = tmp_path / "ranges.yaml"
    file.write_text("training.class_weights: [balanced, [neg=2, pos=3], null]\n")
    assert read_ranges(str(file)) == [Range("training.class_weights", values=[["balanced"], ["neg=2", "pos=3"], None])]


def test_a_trial_that_cannot_be_trained_is_named_and_leaves_nothing(config):
    Path(config.ranges).write_text("training.class_weights: [neutral=2]\n")
    with pytest.raises(UserError, match=r"ranges\.yaml: trial 1: training\.class_weights='neutral=2': there is no"):
        sweep(config)
    assert not Path(config.output_dir).exists()


def test_what_is_no_trials_fault_names_none_and_leaves_nothing(config):
    lost = replace(config, data=replace(config.data, path=config.data.path + "-lost"))
    with pytest.raises(UserError) as raised:
        sweep(lost)
    assert str(raised.value).startswith("data.path=")
    assert not Path(config.output_dir).exists()


@pytest.mark.slow
def test_values_that_do_not_fit_each_other_are_one_trial_less(config):
    Path(config.ranges).write_text("training.adapter: [lora, null]\ntraining.freeze_encoder: [true, false]\n")
    folder = sweep(replace(config, trials=4, search_seed=9, training=TrainingConfig(epochs=1)))
    trials = folder.trials("accuracy").trials
    unfit = [each for each in trials if each.options == {"training.adapter": "lora", "training.freeze_encoder": False}]
    assert unfit
    assert all(each.value is None and "leaves the encoder's own weights" in str(each.failed) for each in unfit)
    assert any(each.value is not None for each in trials)


@pytest.mark.slow
def test_a_search_over_adapters_trains_with_and_without_one(config):
    Path(config.ranges).write_text(ADAPTERS)
    folder = sweep(replace(config, trials=4, training=TrainingConfig(epochs=1)))
    options = [trial.options for trial in folder.trials("accuracy").trials]
    assert {"training.adapter": None} in options
    assert any(set(each) == {"training.adapter", "adapter.r"} for each in options)
