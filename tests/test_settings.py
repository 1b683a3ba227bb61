"""Bounds, choices and types hold in Python as on the command line."""

import importlib
import math
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Literal, get_type_hints

import pytest

from eraserhead.cli.main import COMMANDS
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.errors import UserError
from eraserhead.settings import BELONGS_TO, HIGH, LOW, check_settings, option, setting_problems, unused
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig


@dataclass(frozen=True)
class Inner:
    kind: Literal["round", "square"] = "round"
    sides: list[int] | None = option(None, low=3, high=7)  # noqa: RUF009 - a field


@dataclass(frozen=True)
class Outer:
    name: str = "x"
    share: float = option(0.5, low=0, high=1)
    count: int | None = option(None, low=2)
    switch: bool | None = None
    names: list[str] | None = None
    inner: Inner = field(default_factory=Inner)


def problems(**values) -> str:
    return str(UserError.joined(setting_problems(replace(Outer(), **values))))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"share": 1.5}, "share=1.5: must be from 0 to 1"),
        ({"share": math.nan}, "share=nan: must be from 0 to 1"),
        ({"share": "much"}, "share='much': must be a number"),
        ({"share": True}, "share=True: must be a number"),
        ({"count": 1}, "count=1: must be at least 2"),
        ({"count": 2.0}, "count=2.0: must be a whole number"),
        ({"count": False}, "count=False: must be a whole number"),
        ({"name": None}, "name=None: must be a text"),
        ({"switch": 1}, "switch=1: must be True or False"),
        ({"names": "ab"}, "names='ab': must be a list of texts"),
        ({"names": ["a", 1]}, "names=['a', 1]: must be a list of texts"),
        ({"inner": Inner("sqare")}, "inner.kind='sqare': must be 'round' or 'square'; did you mean 'square'?"),  # pyright: ignore
        ({"inner": Inner(sides=[3, 8])}, "inner.sides=[3, 8]: must be from 3 to 7"),
        ({"inner": None}, "inner=None: must be a Inner"),
        ({"share": 2, "count": 0}, "share=2: must be from 0 to 1; count=0: must be at least 2"),
    ],
)
def test_what_is_refused(values, message):
    assert problems(**values) == message


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"share": 0},
        {"share": 1.0},
        {"count": 2},
        {"switch": False},
        {"names": []},
        {"inner": Inner("square", [3, 7])},
    ],
)
def test_what_is_allowed(values):
    check_settings(replace(Outer(), **values))


def every_config() -> list[type]:
    found = [command.config for command in COMMANDS.values()]
    for config in found:
        found += [hint for hint in get_type_hints(config).values() if is_dataclass(hint) and hint not in found]
    return found


def numbers_of(config: type) -> list[str]:
    return [each.name for each in fields(config) if get_type_hints(config)[each.name] in (int, float, int | None)]


@pytest.mark.parametrize("config", every_config(), ids=lambda config: config.__name__)
def test_every_number_has_bounds_and_every_default_is_within_them(config):
    several = get_type_hints(config).get("results") == list[str]
    results = ["x", "y"] if several else "x"
    required = {"model": "x", "results": results, "repository": "x", "output_dir": "x", "parts": ["x"], "ranges": "x"}
    hints = get_type_hints(config)
    given = {name: value for name, value in required.items() if name in hints and not is_dataclass(hints[name])}
    made = config(**given)
    check_settings(made)
    bounded = [each.name for each in fields(config) if LOW in each.metadata]
    assert set(numbers_of(config)) <= set(bounded)
    for name in numbers_of(config):
        low, high = (config.__dataclass_fields__[name].metadata.get(key, math.inf) for key in (LOW, HIGH))
        outside = [low - 1] if high == math.inf else [low - 1, 2 * high + 1]
        allowed = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        for value in outside:
            refused = list(setting_problems(replace(made, **{name: value})))
            assert list(map(str, refused)) == [f"{name}={value!r}: must be {allowed}"]


def test_the_dropout_of_the_transformer_is_bounded():
    with pytest.raises(UserError, match=r"^model\.transformer_dropout=1\.5: must be from 0 to 0\.99$"):
        check_settings(TrainConfig(model=ModelConfig(transformer_dropout=1.5)))


def test_a_choice_that_is_none_is_refused_before_any_work():
    with pytest.raises(UserError) as refused:
        check_settings(EraseConfig(model="m", random_other="unifrom", data=DataConfig(classes=6)))  # pyright: ignore
    assert str(refused.value) == (
        "data.classes=6: must be from 2 to 5; "
        "random_other='unifrom': must be 'uniform' or 'position'; did you mean 'uniform'?"
    )
    erase = importlib.import_module("eraserhead").erase
    with pytest.raises(UserError, match="random_other='bogus'"):
        erase("no/such-model", ["a text"], random_other="bogus")


@pytest.mark.parametrize("config", [ModelConfig, TrainingConfig])
def test_what_an_option_belongs_to_is_another_field_and_a_value_that_it_may_have(config):
    names = {each.name for each in fields(config)}
    for each in fields(config):
        for owner, values in each.metadata.get(BELONGS_TO, {}).items():
            assert owner in names
            for value in values:
                assert list(setting_problems(replace(config(), **{owner: value}))) == []


def test_options_without_an_effect():
    context = {"recurrent_size", "filters", "filter_widths", "filter_dropout"}
    transformer = {"transformer_heads", "transformer_feedforward", "transformer_dropout"}
    assert unused(ModelConfig()) == context | transformer | {"sentence_context", "sentence_dropout"}
    han = ModelConfig(hierarchical=True, context="rnn", sentence_context="transformer")
    assert unused(han) == context - {"recurrent_size"}
    assert unused(TrainingConfig()) == {"encoder_learning_rate", "gradient_checkpointing", "plateau_patience"}
    adapted = TrainingConfig(adapter="lora", schedule="plateau")
    assert unused(adapted) == {"encoder_learning_rate", "warmup"}
    assert unused(TrainingConfig(freeze_encoder=False, schedule="plateau")) == {"warmup"}
