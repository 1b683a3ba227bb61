"""The keywords that a model takes inside `erasable(model)`, and their refusal outside; standard library only."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from eraserhead.errors import UserError

# Keywords of model(...); the last four serve replays, which run some layers alone (`Layers.running`).
KEEP, RECORD, OUTPUTS, FIRST = "attention_keep", "attention_record", "attention_outputs", "attention_first"
LEFT = "attention_left"  # a layer that is left once its queries, keys and values are recorded, and returns its input
VALUES = "attention_values"  # by layer, the keys whose values stay; the others' count as 0, weights stay as they are
ALL = (KEEP, RECORD, OUTPUTS, FIRST, LEFT, VALUES)

Call = Callable[..., Any]


def takes_keywords(hook: Call) -> Call:
    """Mark the forward pre-hook that takes the keywords out of a call."""
    vars(hook)["takes_keywords"] = True
    return hook


def refusing_outside(call: Call) -> Call:
    """Wrap the `__call__` of models so that it refuses our keywords where no hook takes them.

    Many families pass keywords on to functions that ignore them: the logits would then be the unerased ones. A
    model's call is the one place that sees the keywords of every model, whoever made it.
    """

    @wraps(call)
    def refusing(self: Any, *args: Any, **kwargs: Any) -> Any:
        for name in ALL:
            if kwargs.get(name) is not None and not _takes_keywords(self):
                raise UserError(f"{name}: has no effect here; call the model in `with erasable(model):`")
        return call(self, *args, **kwargs)

    return refusing


def _takes_keywords(model: Any) -> bool:
    return any(getattr(hook, "takes_keywords", False) for hook in model._forward_pre_hooks.values())
