"""``eraserhead reproduce``."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from accelerate import PartialState

from eraserhead.cli.config_files import PACKAGED
from eraserhead.cli.parsing import config_of
from eraserhead.cli.spelling import Spelling
from eraserhead.data.config import DataConfig
from eraserhead.data.named_sets import NAMED
from eraserhead.erasure.config import EraseConfig
from eraserhead.errors import Setting, UserError, nearest
from eraserhead.files import refuse_foreign
from eraserhead.loading import devices
from eraserhead.loading.reader import check_limits
from eraserhead.loading.run_layout import RUN
from eraserhead.settings import check_settings
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console
from eraserhead.study.cells import Cell
from eraserhead.study.config import ReproduceConfig
from eraserhead.study.layout import STUDY
from eraserhead.study.paper import write_paper
from eraserhead.study.reproduction import ANALYSIS, Plan, check, reproduce
from eraserhead.training.config import TrainConfig

SHOWN = 3  # failed cells whose reasons stand in the last line


def run(config: ReproduceConfig) -> None:
    """Train and erase every cell, write the paper's tables and figures, and list the cells that failed.

    Raises:
        UserError: A configuration cannot be used (before any cell starts), or cells failed (after all others are done).
    """
    check_settings(config)
    folder, plans = Path(config.output_dir), plan(config)
    if not (folder / STUDY.cells).is_dir():
        refuse_foreign(folder, "a study")
    check(plans)
    state = devices.join(config.cpu)  # refuses a launcher before anything is written
    with devices.alone_in(folder, state):
        (folder / STUDY.cells).mkdir(parents=True, exist_ok=True)
        study = reproduce(plans, folder, config.cpu)
        if state.is_main_process:
            failures = {cell: why.spelled(Spelling(ReproduceConfig)) for cell, why in study.failures.items()}
            paper = write_paper(folder, study.cells, study.datasets, failures)
            done = f"{len(study.cells)} of {len(plans)} cells; tables, figures and findings in {paper}"
            console().print(visible(done), soft_wrap=True)
    PartialState().wait_for_everyone()  # a process that ends with an error takes the others with it
    PartialState().destroy_process_group()
    if study.failures:
        raise failed(study.failures, len(plans))


def failed(failures: Mapping[Cell, UserError], cells: int) -> UserError:
    """Return the error that says how many cells failed, and why the first ones did."""
    reasons = UserError.joined(UserError(f"{cell.name} (", why, ")") for cell, why in islice(failures.items(), SHOWN))
    more = f"; and {len(failures) - SHOWN} more, which the paper lists" if len(failures) > SHOWN else ""
    return UserError(
        f"{len(failures)} of {cells} cells failed: ", reasons, more, "; mend that and run the same command again"
    )


def plan(config: ReproduceConfig) -> list[Plan]:
    """Return all cells that a configuration asks for, in order: all of the first seed before those of the next.

    Raises:
        UserError: A YAML file is missing or wrong, or a seed is given twice; the message names them all.
    """
    problems = list(_twice(config.seeds or []))
    configs = PACKAGED if config.configs is None else Path(config.configs)
    datasets = _files(config.datasets, configs / "data", problems)
    models = _files(config.models, configs / "model", problems)
    also = _files(config.also or [], configs / "training", problems)
    if problems:
        raise UserError.joined(problems)
    return [
        _plan(config, _cell(config, dataset, model, seed), [first, *also.values(), second])
        for seed in ([config.seed] if config.seeds is None else config.seeds)
        for dataset, first in datasets.items()
        for model, second in models.items()
    ]


def _twice(seeds: list[int]) -> Iterator[UserError]:
    for seed, times in Counter(seeds).items():
        if times > 1:
            yield UserError(Setting("seeds", seeds), f": {seed} is there {times} times; give each seed once")


def _cell(config: ReproduceConfig, dataset: str, model: str, seed: int) -> Cell:
    """Return a cell; the study's own seed has no part in its name, so that seeds can be added to a study of one."""
    further = None if seed == config.seed else seed
    return Cell(dataset, model, Path(config.output_dir) / STUDY.cell(dataset, model, further), further)


def _files(names: list[str], folder: Path, problems: list[UserError]) -> dict[str, Path]:
    """Return the YAML files by the name of what they configure; each of `names` is a file in `folder`, or a path."""
    found: dict[str, Path] = {}
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    for name in names:
        file = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
        if not file.is_file():
            problems.append(UserError(f"{file}: no such file", nearest(name, known) or _there(known)))
        elif file.stem in found:
            problems.append(UserError(f"{file}: another file is also called '{file.stem}'; rename one of them"))
        found[file.stem] = file
    return found


def _there(known: list[str]) -> UserError:
    if known:
        return UserError(f"; choose from {', '.join(known)}")
    return UserError("; ", Setting("configs"), " must name the folder that holds the YAML files")


def _plan(config: ReproduceConfig, cell: Cell, files: list[Path]) -> Plan:
    seed = config.seed if cell.seed is None else cell.seed
    arguments = [part for file in files for part in ("--config", str(file))]
    train: TrainConfig = config_of("train", TrainConfig, [*arguments, "--output_dir", str(cell.folder)])
    data = replace(train.data, **_given(config, "train_size", "validation_size", "test_size"), seed=config.seed)
    data = replace(data, path=data.path or _path(config, data))
    train = replace(
        train,
        data=data,
        model=replace(train.model, encoder=config.encoder, revision=None) if config.encoder else train.model,
        training=replace(train.training, **_given(config, "batch_tokens"), seed=seed),
        cache_limit=config.cache_limit,
        cpu=config.cpu,
    )
    check_settings(train)
    if train.model.multi_label:
        multi = Setting("model.problem_type", train.model.problem_type)
        raise UserError(f"{cell.name}: ", multi, ": a study compares models that decide among classes; leave it out")
    try:
        check_limits(train.model.hierarchical, train.data)
    except UserError as error:
        raise UserError(f"{cell.name}: ", error) from error
    analysis = {name: getattr(config, name) for name in (*ANALYSIS, "cpu")}
    output_dir = str(cell.folder / RUN.erasure)
    return Plan(
        cell,
        train,
        EraseConfig(
            model=str(cell.folder), output_dir=output_dir, data=data, batch_tokens=config.batch_tokens, **analysis
        ),
    )


def _given(config: ReproduceConfig, *names: str) -> dict[str, Any]:
    return {name: getattr(config, name) for name in names if getattr(config, name) is not None}


def _path(config: ReproduceConfig, data: DataConfig) -> str | None:
    """Return the folder of a named data set under `data_root`; null without a root, or for other data."""
    named = NAMED.get(data.name or "")
    if config.data_root is None or named is None or named.folder is None:
        return None
    return str(Path(config.data_root) / named.folder)
