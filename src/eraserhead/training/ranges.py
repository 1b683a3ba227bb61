"""Ranges of options to search, read from YAML."""

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from eraserhead.errors import Setting, UserError, nearest
from eraserhead.settings import idle_settings, unused, value_problem
from eraserhead.training.adapter import idle_options, without_idle
from eraserhead.training.config import TrainConfig
from eraserhead.training.option_checks import check_fit

SECTIONS = ("model", "training", "adapter")
# Limits of documents, and whether they are those of hierarchical models.
LIMITS_OF = {"data.max_length": False, "data.max_sentences": True, "data.max_sentence_length": True}
KIND = "model.hierarchical"
WITHOUT = ("training.metric", "training.seed", "training.trackers", "model.problem_type", "adapter.keep")
KEYS = ("low", "high", "log", "step")
EXAMPLE = "{low: 1.0e-4, high: 1.0e-2, log: true}, or a list of values"


@dataclass(frozen=True)
class Range:
    """The values of one option that are searched.

    Attributes:
        name: Its dotted name.
        values: The values, where they are listed; else null.
        low: The smallest value.
        high: The largest.
        log: Whether values are drawn evenly over their logarithm.
        step: Distance of neighbouring values; null where all between the ends are allowed, of whole numbers 1.
        whole: Whether the option takes whole numbers alone.
    """

    name: str
    values: list[Any] | None = None
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: float | int | None = None
    whole: bool = False

    @property
    def extremes(self) -> list[Any]:
        """Values that are checked before anything is trained: all that are listed, or both ends."""
        return [self.low, self.high] if self.values is None else self.values


def read_ranges(file: str) -> list[Range]:
    """Read a YAML file that maps names of options to their ranges.

    Raises:
        UserError: It cannot be read, names something that is no option of a search, or a value that an option may not
            have.
    """
    try:
        found = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{file}: cannot be read as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(found, Mapping) or not found:
        raise UserError(f"{file}: must map names of options to ranges, each of them {EXAMPLE}")
    known = searchable()
    ranges = []
    for name, given in found.items():
        if name not in known:
            raise UserError(f"{file}: '{name}' cannot be searched{nearest(str(name), known)}")
        ranges.append(_range(file, str(name), given))
    problems = [
        UserError(f"{file}: ", problem)
        for each in ranges
        for value in each.extremes
        if (problem := value_problem(TrainConfig, each.name, value)) is not None
    ]
    if problems:
        raise UserError.joined(problems)
    return ranges


def check_ranges(base: TrainConfig, ranges: list[Range], file: str) -> None:
    """Refuse values that do not fit the other options, unless another option that is searched may make them fit.

    Raises:
        UserError: Naming an option that has no effect, or a value with which no trial can be trained.
    """
    searched = {each.name for each in ranges}
    for each in ranges:
        for value in each.extremes:
            others = searched - {each.name}
            for idle in idle_settings(with_options(base, {each.name: value})):
                if idle.setting.name == each.name and not others & set(idle.owners):
                    raise UserError(f"{file}: ", idle.problem)
            own = {each.name: value}
            try:
                check_fit(with_options(base, own) if each.name.startswith("adapter.") else of_trial(base, own))
            except UserError as error:
                mends = names_in(error) | ({KIND} if names_in(error) & LIMITS_OF.keys() else set())
                if not others & mends:
                    raise UserError(f"{file}: ", error) from error


def names_in(error: UserError) -> set[str]:
    """Return the names of the settings in a message."""
    return {part.name for part in error.args if isinstance(part, Setting)}


def searchable() -> list[str]:
    """Return the names of the options that can be searched."""
    hints = get_type_hints(TrainConfig)
    names = [f"{section}.{option}" for section in SECTIONS for option in get_type_hints(hints[section])]
    return [*(name for name in names if name not in WITHOUT), *LIMITS_OF]


def with_options(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """Return a configuration with the values of some options, by their dotted names."""
    for name, value in values.items():
        group, _, option = name.partition(".")
        section = getattr(config, group)
        assert is_dataclass(section)
        config = replace(config, **{group: replace(section, **{option: value})})  # pyright: ignore[reportArgumentType]
    return config


def in_effect(base: TrainConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a trial without those that have no effect with its others."""
    kept = dict(values)
    while idle := kept.keys() & _idle(with_options(base, kept)):
        kept = {name: value for name, value in kept.items() if name not in idle}  # others may have needed these
    return kept


def _idle(config: TrainConfig) -> set[str]:
    """Return the options that have no effect with the others."""
    idle = {f"{section}.{name}" for section in SECTIONS for name in unused(getattr(config, section))}
    idle |= {f"adapter.{name}" for name in idle_options(config.training.adapter)}
    return idle | {name for name, hierarchical in LIMITS_OF.items() if hierarchical != config.model.hierarchical}


def of_trial(base: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """Return the options of a trial with these values; what has no effect with its adapter is as by default."""
    config = with_options(base, values)
    return replace(config, adapter=without_idle(config.training.adapter, config.adapter))


def _range(file: str, name: str, given: Any) -> Range:
    wrong = UserError(f"{file}: {name} is {given!r}, and must be {EXAMPLE}")
    kinds = kinds_of(name)
    if isinstance(given, list) and given:
        if list[str] in kinds:
            given = [[each] if isinstance(each, str) else each for each in given]
        numbers = float in kinds and str not in kinds
        return Range(name, values=[_number(each) or each if numbers else each for each in given])
    if not kinds & {int, float}:
        raise UserError(f"{file}: {name} takes no numbers; give a list of values")
    if not isinstance(given, Mapping) or not {"low", "high"} <= set(given) <= set(KEYS):
        raise wrong
    low, high, step = (_number(given.get(key)) for key in ("low", "high", "step"))
    log = given.get("log", False)
    if low is None or high is None or not isinstance(log, bool) or not low < high:
        raise wrong
    if log and (low <= 0 or step is not None):
        raise UserError(f"{file}: {name}: with log, values are above 0, and there is no step")
    whole = float not in kinds
    if step is not None and step <= 0:
        raise wrong
    if whole and any(isinstance(number, float) for number in (low, high, step)):
        raise UserError(f"{file}: {name} takes whole numbers, and so do its low, high and step")
    return Range(name, low=low, high=high, log=log, step=step, whole=whole)


def kinds_of(name: str) -> set[Any]:
    """Return the types of an option's values."""
    group, _, option = name.partition(".")
    hint = get_type_hints(get_type_hints(TrainConfig)[group])[option]
    return {hint, *get_args(hint)}


def _number(value: Any) -> float | int | None:
    """Return a number; YAML reads 1e-4, which has no point, as a text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return value if isinstance(value, (int, float)) and isfinite(value) else None


def chosen(ranges: list[Range], values: Mapping[str, Any]) -> list[Setting]:
    """Return the values of a trial as settings."""
    return [Setting(each.name, values[each.name]) for each in ranges if each.name in values]
