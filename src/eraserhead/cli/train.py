"""``eraserhead train``."""

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from datasets import disable_progress_bars

from eraserhead.errors import UserError
from eraserhead.loading import devices
from eraserhead.publishing.facts import Options
from eraserhead.publishing.hub import Hub
from eraserhead.publishing.publisher import Publisher
from eraserhead.publishing.target import Target, check_name, pushed_line
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console
from eraserhead.training.config import TrainConfig
from eraserhead.training.folder import RunFolder
from eraserhead.training.seeds import runs_of, train_seeds
from eraserhead.training.training import train
from eraserhead.training.view import metrics_view, seeds_view


def run(config: TrainConfig) -> None:
    """Train a classifier, print its metrics, and push it if `push_to_hub` is set."""
    disable_progress_bars()
    if config.seeds is not None:
        _run_seeds(config)
        return
    publisher = _publisher(config)
    folder = train(config, publisher.push_best if publisher is not None and config.push_every == "best" else None)
    main = PartialState().is_main_process
    PartialState().destroy_process_group()  # the others need not wait for the hub
    if main:
        screen = console()
        metrics = folder.metrics()
        assert metrics is not None
        screen.print(metrics_view(metrics))
        screen.print(visible(f"model in {folder.path}"), soft_wrap=True)
        if publisher is not None:
            screen.print(visible(_push(publisher, folder, config)), soft_wrap=True)


def _run_seeds(config: TrainConfig) -> None:
    over = train_seeds(config)
    main = PartialState().is_main_process
    PartialState().destroy_process_group()
    if main:
        screen = console()
        screen.print(seeds_view(over))
        folders = ", ".join(run.folder.name for run in runs_of(config).values())
        screen.print(visible(f"models in {config.folder}: {folders}"), soft_wrap=True)


def _publisher(config: TrainConfig) -> Publisher | None:
    """Return the publisher; only the main process contacts the hub, before any work is done."""
    if config.push_to_hub is None:
        return None
    check_name(config.push_to_hub)
    hub = Hub(Target(config.push_to_hub, config.push_private))
    options = Options(config.push_to_hub)
    problem: list[UserError | None] = [None]
    if devices.join(config.cpu).is_main_process:
        try:
            hub.open()
            options = options.or_as_in(hub.card())
        except UserError as error:
            problem = [error]
    broadcast_object_list(problem)  # all processes raise together, so that none waits for another
    if problem[0] is not None:
        PartialState().destroy_process_group()
        raise problem[0]
    return Publisher(hub, options)


def _push(publisher: Publisher, folder: RunFolder, config: TrainConfig) -> str:
    try:
        return pushed_line(publisher.push_finished(folder), Target(str(config.push_to_hub)))
    except UserError as error:
        again = f"`eraserhead push {folder.path} {config.push_to_hub}`"
        raise UserError(error, f"; the model in {folder.path} is complete: {again} pushes it") from error
