"""A search for the options of training that do best on the validation documents; test documents have no part in it."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, ClassVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from eraserhead.errors import DivergedError, Setting, UserError
from eraserhead.files import remove
from eraserhead.folders import OutputFolder
from eraserhead.loading import devices
from eraserhead.loading.launcher import training_precision
from eraserhead.loading.run_layout import RUN
from eraserhead.records import plain
from eraserhead.settings import check_settings
from eraserhead.training.config import SweepConfig, TrainConfig
from eraserhead.training.folder import RunFolder
from eraserhead.training.metrics import METRICS, improves
from eraserhead.training.option_checks import check_fit
from eraserhead.training.ranges import Range, check_ranges, chosen, in_effect, names_in, of_trial, read_ranges
from eraserhead.training.records import TrainingSetup
from eraserhead.training.trackers import writing_into
from eraserhead.training.training import train, with_precision

logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class SweepSetup:
    """What is searched.

    Attributes:
        base: Options that all trials share.
        ranges: Options that differ.
        metric: The metric of the validation documents that decides.
    """

    FORMAT: ClassVar[int] = 1

    base: dict[str, Any]
    ranges: list[Range]
    metric: str


@dataclass(frozen=True)
class Trial:
    """One run of a search.

    Attributes:
        number: Its number, from 0.
        options: Its values of the options that are searched, by their names, without those that have no effect with
            the others.
        value: The metric of its best epoch; null where it failed.
        best_epoch: The number of that epoch; null likewise.
        failed: Why it failed; null where it did not.
    """

    number: int
    options: dict[str, Any]
    value: float | None
    best_epoch: int | None
    failed: str | None = None


@dataclass(frozen=True)
class Trials:
    """The finished runs of a search.

    Attributes:
        metric: The metric that decides.
        trials: The runs, in order.
        documents: Fingerprints of their documents by role; null before the first that did not fail.
    """

    FORMAT: ClassVar[int] = 1

    metric: str
    trials: list[Trial]
    documents: dict[str, str] | None = None

    @property
    def best(self) -> Trial | None:
        """The best of them, of several the first; null where all failed."""
        best: Trial | None = None
        for trial in self.trials:
            if trial.value is not None and improves(self.metric, trial.value, best and best.value):
                best = trial
        return best


@dataclass(frozen=True)
class SweepFolder(OutputFolder):
    """The folder of a search: its runs, and the best of them."""

    CONTENT: ClassVar[str] = "a search"
    COMMAND: ClassVar[str] = "sweep"
    MARK: ClassVar[str] = "sweep.json"
    TRIALS: ClassVar[str] = "trials.json"
    BEST: ClassVar[str] = "best"

    @property
    def best(self) -> RunFolder:
        """The best run."""
        return RunFolder(self.path / self.BEST)

    def trial(self, number: int) -> RunFolder:
        """Return the folder of a run while it is trained."""
        return RunFolder(self.path / f"trial-{number:03d}")

    def trials(self, metric: str) -> Trials:
        """Return the finished runs."""
        return self.read(Trials, self.TRIALS) if self.has(self.TRIALS) else Trials(metric, [])


def sweep(config: SweepConfig) -> SweepFolder:
    """Search the options, and train a model with the best; a search that was interrupted goes on.

    Each trial is trained without test documents. The best options are trained once more with them, into ``best``.

    Raises:
        UserError: The configuration, the ranges, the data or the folder cannot be used, or all trials failed.
    """
    check_settings(config)
    base = config.base.with_metric()
    base = with_precision(base, training_precision(base.training.mixed_precision))
    ranges = read_ranges(config.ranges)
    check_fit(base)
    check_ranges(base, ranges, config.ranges)
    _check(config)
    folder = SweepFolder(config.folder)
    state = devices.join(config.cpu)
    setup = SweepSetup(_shared(base), ranges, base.training.best_by)
    with devices.alone_in(folder.path, state), writing_into(config.training.trackers, folder.path):
        folder.refuse(folder.differing(folder.MARK, setup), config.overwrite)
        state.wait_for_everyone()  # until all have looked at the folder
        with _belonging_to(folder, setup, config.overwrite):
            best, trials = _search(config, base, ranges, folder)
        _train_best(of_trial(base, best.options), folder, trials)
    return folder


@contextmanager
def _belonging_to(folder: SweepFolder, setup: SweepSetup, overwrite: bool) -> Iterator[None]:
    """Make the folder that of a search; if not even its first trial could begin, that is undone."""
    state, new = PartialState(), not folder.has(folder.MARK)
    if state.is_main_process:
        if overwrite:
            remove(folder.path / folder.TRIALS)
            remove(folder.best.path)
        folder.write(folder.MARK, setup)
    state.wait_for_everyone()
    try:
        yield
    except UserError:
        begun = folder.has(folder.TRIALS) or folder.trial(0).path.exists()
        if state.is_main_process and new and not begun:
            remove(folder.path / folder.MARK)
        raise


def _search(config: SweepConfig, base: TrainConfig, ranges: list[Range], folder: SweepFolder) -> tuple[Trial, int]:
    """Train the trials that are missing; return the best of all, and their number.

    Raises:
        UserError: All have failed, or one cannot be trained.
    """
    state, found = PartialState(), folder.trials(base.training.best_by)
    for number in range(len(found.trials), config.trials):
        found = _with_trial(config, base, ranges, folder, found)
        state.wait_for_everyone()  # until all have read what the trial came to
        if state.is_main_process:
            folder.write(folder.TRIALS, found)
            remove(folder.trial(number).path)
        state.wait_for_everyone()
    best = found.best
    if best is None:
        raise UserError(f"all {len(found.trials)} trials failed, the last with: {found.trials[-1].failed}")
    return best, len(found.trials)


def _check(config: SweepConfig) -> None:
    """Refuse options that a search has no use for.

    Raises:
        UserError: Naming them, or the library that is not installed.
    """
    given = {"seeds": config.seeds, "push_to_hub": config.push_to_hub, "resume": config.resume or None}
    for name, value in given.items():
        if value is not None:
            mend = "a search always goes on where it stopped" if name == "resume" else "give it to the best run"
            raise UserError(Setting(name, value), f": has no effect in a search; {mend}")
    if find_spec("optuna") is None:
        raise UserError("sweep: optuna is not installed; `pip install 'eraserhead[sweep]'`")


def _shared(base: TrainConfig) -> dict[str, Any]:
    free = ("output_dir", "overwrite", "resume", "cache_limit", "cpu")
    return {name: value for name, value in plain(base).items() if name not in free}


def _tell(message: str, *parts: object) -> None:
    if PartialState().is_main_process:
        logger.info(message, *parts)


def _train_best(config: TrainConfig, folder: SweepFolder, trials: int) -> None:
    """Train with the best options; a model of options that were the best of fewer trials is replaced."""
    _tell(f"training with the best options of {trials} trials")
    run = replace(config, output_dir=str(folder.best.path))
    changed = folder.best.changed(run)
    train(replace(run, overwrite=bool(changed), resume=not changed and folder.best.started))


def _with_trial(
    config: SweepConfig, base: TrainConfig, ranges: list[Range], folder: SweepFolder, found: Trials
) -> Trials:
    """Return the finished runs with one more, which is trained now.

    Raises:
        UserError: The documents are not those of the runs before, or cannot be used; that is no trial's failure.
    """
    state, number = PartialState(), len(found.trials)
    drawn: list[dict[str, Any]] = [{}]
    if state.is_main_process:
        drawn = [in_effect(base, _drawn(ranges, found, config.search_seed + number))]
    broadcast_object_list(drawn)
    options = drawn[0]
    settings = UserError.joined(chosen(ranges, options), ", ")
    _tell("trial %s of %s: %s", number + 1, config.trials, settings)
    own = folder.trial(number)
    run = replace(of_trial(base, options), output_dir=str(own.path))
    changed = own.changed(run)

    def failed(error: Exception) -> Trials:
        logger.warning("trial %s failed: %s", number + 1, error)
        trial = Trial(number, options, None, None, str(error) or type(error).__name__)
        return replace(found, trials=[*found.trials, trial])

    try:
        check_fit(run)
    except UserError as error:  # each value fits with some others, and not with these
        return failed(error)
    try:
        train(replace(run, overwrite=bool(changed), resume=not changed and own.started), tested=False)
    except (DivergedError, MemoryError, torch.OutOfMemoryError) as error:
        return failed(error)
    except UserError as error:
        if type(error) is not UserError or not names_in(error) & set(options):
            raise
        raise UserError(f"{config.ranges}: trial {number + 1}: ", error) from error
    metrics, documents = own.metrics(), own.read(TrainingSetup, RUN.setup).documents
    assert metrics is not None
    if found.documents not in (None, documents):
        raise UserError(
            f"{folder.path}: the documents have changed since its first trials; choose another ",
            Setting("output_dir"),
            ", or start again with ",
            Setting("overwrite", True),
        )
    trial = Trial(number, options, metrics.validation[found.metric], metrics.best_epoch)
    return replace(found, trials=[*found.trials, trial], documents=documents)


def _drawn(ranges: Sequence[Range], found: Trials, seed: int) -> dict[str, Any]:
    """Draw the next values by what earlier trials came to (Bergstra et al. 2011, the TPE of optuna).

    They depend on the earlier trials and the seed alone, so that an interrupted search goes on as it would have.
    """
    import optuna  # noqa: PLC0415 - an extra

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space: dict[str, Any] = {each.name: _distribution(each) for each in ranges}
    direction = "maximize" if METRICS[found.metric].higher_is_better else "minimize"
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), direction=direction)
    for trial in found.trials:
        state = optuna.trial.TrialState.FAIL if trial.value is None else optuna.trial.TrialState.COMPLETE
        drawn = {each.name: _place(each, trial.options[each.name]) for each in ranges if each.name in trial.options}
        own = {name: space[name] for name in drawn}
        study.add_trial(optuna.trial.create_trial(state=state, params=drawn, distributions=own, value=trial.value))
    asked = study.ask(space).params
    return {each.name: asked[each.name] if each.values is None else each.values[asked[each.name]] for each in ranges}


def _place(each: Range, value: Any) -> Any:
    """Return what optuna calls a value: listed ones by their places, since it takes no lists."""
    return value if each.values is None else each.values.index(value)


def _distribution(each: Range) -> Any:
    from optuna import distributions  # noqa: PLC0415 - an extra

    if each.values is not None:
        return distributions.CategoricalDistribution(tuple(range(len(each.values))))
    if each.whole:
        return distributions.IntDistribution(int(each.low or 0), int(each.high or 0), each.log, int(each.step or 1))
    return distributions.FloatDistribution(float(each.low or 0), float(each.high or 0), each.log, each.step)
