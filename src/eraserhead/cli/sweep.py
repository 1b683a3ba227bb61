"""``eraserhead sweep``."""

from accelerate import PartialState
from datasets import disable_progress_bars

from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console
from eraserhead.training.config import SweepConfig
from eraserhead.training.sweep import sweep
from eraserhead.training.view import metrics_view, trials_view


def run(config: SweepConfig) -> None:
    """Search options, and print the best trials and the metrics of the model that was trained with the best."""
    disable_progress_bars()
    folder = sweep(config)
    main = PartialState().is_main_process
    PartialState().destroy_process_group()
    if main:
        screen, metrics = console(), folder.best.metrics()
        assert metrics is not None
        screen.print(trials_view(folder.trials(config.base.with_metric().training.best_by)))
        screen.print(metrics_view(metrics))
        screen.print(visible(f"model in {folder.best.path}, trials in {folder.path / folder.TRIALS}"), soft_wrap=True)
