"""Checks that the options of training fit each other and the documents."""

from eraserhead.data.labels import LabelTable
from eraserhead.data.named_sets import has_ordered_classes
from eraserhead.errors import Setting, UserError
from eraserhead.loading.config import ONE_TEXT
from eraserhead.loading.reader import check_limits
from eraserhead.training.adapter import check_adapter
from eraserhead.training.config import TrainConfig
from eraserhead.training.trackers import check_trackers


def check_fit(config: TrainConfig) -> None:
    """Refuse options that have no effect without other options.

    Raises:
        UserError: There is one; the message names the first.
    """
    if config.push_to_hub is None and (config.push_every != "end" or config.push_private):
        raise UserError(
            Setting("push_every"),
            ", ",
            Setting("push_private"),
            ": nothing is pushed without ",
            Setting("push_to_hub", "user/name"),
            "; leave them out, or add it",
        )
    if config.training.metric == "micro_f1" and not config.model.multi_label:
        raise UserError(
            Setting("training.metric", config.training.metric),
            ": belongs to multi-label models, and is the accuracy where each document has one class; choose accuracy",
        )
    if config.training.metric == "balanced_accuracy" and config.model.multi_label:
        raise UserError(
            Setting("training.metric", config.training.metric),
            ": is defined where each document has one class; choose micro_f1, macro_f1 or accuracy",
        )
    if config.training.adapter is not None and not config.training.freeze_encoder:
        raise UserError(
            Setting("training.adapter", config.training.adapter),
            ": an adapter leaves the encoder's own weights as they are; leave out ",
            Setting("training.freeze_encoder", False),
        )
    if config.training.adapter is not None and config.cache_limit != TrainConfig().cache_limit:
        raise UserError(Setting("cache_limit", config.cache_limit), ": an adapter changes vectors, so none are cached")
    check_adapter(config.training.adapter, config.adapter)
    check_trackers(config.training.trackers)
    if config.data.pair_column is not None and config.model.hierarchical:
        raise UserError(
            Setting("data.pair_column", config.data.pair_column),
            f": {ONE_TEXT} with ",
            Setting("data.text_columns"),
        )
    check_limits(config.model.hierarchical, config.data)


def check_metric(config: TrainConfig, labels: LabelTable) -> None:
    """Refuse to choose the best epoch by the distance between classes that are not ordered.

    Raises:
        UserError: The classes are not ordered, or there are only two.
    """
    if config.training.metric == "mean_absolute_error" and not measures_distance(config, len(labels.names)):
        raise UserError(
            Setting("training.metric", config.training.metric),
            ": needs three or more ordered classes; set ",
            Setting("data.ordered", True),
            " if these are ordered, or choose accuracy or macro_f1",
        )


def measures_distance(config: TrainConfig, classes: int) -> bool:
    """Whether the mean absolute error says more than accuracy: there are three or more ordered classes."""
    return has_ordered_classes(config.data) and classes > 2 and not config.model.multi_label
