"""Models that decide label by label: which of their labels are looked at, and when one is on (METHOD section 12)."""

import math

from transformers import PreTrainedConfig

from eraserhead.errors import Setting, UserError, listed, nearest
from eraserhead.loading.checkpoints import class_names
from eraserhead.loading.config import ALL, LABEL, LARGEST, PREDICTED, ReadingConfig
from eraserhead.loading.setup import LabelSetup
from eraserhead.method.cases import Targets
from eraserhead.models.architecture import MULTI_LABEL

THRESHOLD = 0.5
WORDS = {
    PREDICTED: "each label that is on, or else the largest",
    LARGEST: "the label with the largest logit",
    ALL: "all labels",
}


def decides_by_label(config: PreTrainedConfig) -> bool:
    """Tell whether a model decides on each of its labels alone: a multi-label model, or one with a single output."""
    return config.problem_type == MULTI_LABEL or config.num_labels == 1


def label_setup(config: PreTrainedConfig, options: ReadingConfig, name: str) -> LabelSetup | None:
    """Return which labels are decided on, and when one is on; None for a model that decides among its classes.

    Raises:
        UserError: The options name a label that the model does not have, or a word that stands for labels and is the
            name of one too; they belong to another kind of model; or the model has a single output, and no threshold is
            given.
    """
    if not decides_by_label(config):
        _check_without_effect(options, len(class_names(config)))
        return None
    if options.threshold is None and config.problem_type != MULTI_LABEL:
        raise UserError(
            f"{name}: has one output, as a regression or a reranker has: without a threshold, there is no decision to "
            "flip; if it decides, say above which probability with ",
            Setting("threshold"),
            ", or above which raw score with ",
            Setting("threshold_on", "logit"),
            " beside it",
        )
    threshold = THRESHOLD if options.threshold is None else options.threshold
    return LabelSetup(
        (PREDICTED,) if options.target is None else _targets(options.target, class_names(config)),
        threshold,
        options.threshold_on,
    )


def check_threshold(options: ReadingConfig) -> None:
    """Refuse, before any model is loaded, a threshold that no label, or every label, is above.

    Raises:
        UserError: It is no probability between 0 and 1, no number, or missing.
    """
    on_logit, threshold = Setting("threshold_on", "logit"), options.threshold
    if threshold is None:
        if options.threshold_on == "logit":
            raise UserError(on_logit, ": give the logit with ", Setting("threshold"))
        return
    if options.threshold_on == "probability" and not 0 < threshold < 1:
        why = ": is a probability, and must lie between 0 and 1; for a raw score, add "
        raise UserError(Setting("threshold", threshold), why, on_logit)
    if not math.isfinite(threshold):
        raise UserError(Setting("threshold", threshold), ": must be a number")


def targets_of(setup: LabelSetup | None, classes: tuple[str, ...]) -> Targets | None:
    """Return what a site needs to know of the labels; None for a model that decides among its classes."""
    if setup is None:
        return None
    t = setup.threshold
    cut = t if setup.threshold_on == "logit" else math.log(t / (1 - t))
    if setup.target in ((PREDICTED,), (LARGEST,)):
        return Targets(cut, largest_alone=setup.target == (LARGEST,))
    named = classes if setup.target == (ALL,) else setup.target
    return Targets(cut, tuple(sorted(classes.index(_label(label, classes)) for label in named)))


def _targets(named: list[str], classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels that are asked for, in the model's order; or the word that stands for labels.

    Beside other labels, such a word is the name of a label; alone, one that has `LABEL` in front is.
    """
    if len(set(named)) == 1 and (word := named[0]) in WORDS:
        if word in classes:
            raise UserError(
                Setting("target", word),
                f": stands for {WORDS[word]}, and is the name of a label of this model too; for that label, give ",
                Setting("target", f"{LABEL}{word}"),
            )
        return (word,)
    labels = {_label(label, classes) for label in named}
    problems = [
        UserError(
            Setting("target", label), f": no label of the model{nearest(label, classes)}; it has {listed(classes)}"
        )
        for label in named
        if _label(label, classes) not in classes
    ]
    if problems or not named:
        raise UserError.joined(problems or [UserError(Setting("target"), ": name a label, or leave it out")])
    if len(labels) == 1 and (word := next(iter(labels))) in WORDS:
        return (f"{LABEL}{word}",)
    return tuple(label for label in classes if label in labels)


def _label(name: str, classes: tuple[str, ...]) -> str:
    """Return the label that a name means: without `LABEL` in front, unless the model's own name begins so."""
    return name if name in classes else name.removeprefix(LABEL)


def _check_without_effect(options: ReadingConfig, classes: int) -> None:
    given = {"target": options.target, "threshold": options.threshold}
    given |= {"threshold_on": None if options.threshold_on == "probability" else options.threshold_on}
    problems = [
        UserError(
            Setting(name, value),
            f": has no effect: the model decides among its {classes} classes; it belongs to models that decide label "
            f"by label (problem_type {MULTI_LABEL} in config.json) or have a single output",
        )
        for name, value in given.items()
        if value is not None
    ]
    if problems:
        raise UserError.joined(problems)
