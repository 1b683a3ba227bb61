"""Which numbers make sense as options; standard library only, so that mistakes are answered at once."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from math import inf
from typing import Any

from eraserhead.errors import UserError

# Smallest and largest value of every option that is a number, by its name.
RANGES: dict[str, tuple[float, float]] = {
    "attention_size": (1, inf),
    "batch_size": (1, inf),
    "batch_tokens": (1, inf),
    "cache_limit": (0, inf),
    "classes": (2, 5),
    "clip_norm": (0, inf),
    "draws": (1, inf),
    "dropout": (0, 0.99),
    "encoder_layers": (0, inf),
    "encoder_learning_rate": (1e-12, 10),
    "epochs": (1, inf),
    "filter_dropout": (0, 0.99),
    "filter_widths": (1, inf),
    "filters": (1, inf),
    "learning_rate": (1e-12, 1e30),
    "logit_dropout": (0, 0.99),
    "max_length": (1, inf),
    "max_sentence_length": (1, inf),
    "max_sentences": (1, inf),
    "memory_budget": (1e-3, inf),
    "patience": (1, inf),
    "plateau_patience": (1, inf),
    "recurrent_size": (1, inf),
    "seed": (0, 2**32 - 1),
    "sentence_dropout": (0, 0.99),
    "shard_size": (1, inf),
    "transformer_feedforward": (1, inf),
    "transformer_heads": (1, inf),
    "warmup": (0, 1),
    "weight_decay": (0, inf),
}


def check_ranges(config: Any) -> None:
    """Refuse numbers that make no sense, all of them at once.

    Raises:
        UserError: Naming each option, its value and its range.
    """
    problems = list(_out_of_range(config, ""))
    if problems:
        raise UserError("; ".join(problems))


def _out_of_range(config: Any, prefix: str) -> Iterator[str]:
    for option in fields(config):
        value = getattr(config, option.name)
        if is_dataclass(value):
            yield from _out_of_range(value, f"{prefix}{option.name}.")
        elif option.name in RANGES and value is not None:
            low, high = RANGES[option.name]
            if not all(low <= number <= high for number in (value if isinstance(value, list) else [value])):
                allowed = f"at least {low:g}" if high == inf else f"from {low:g} to {high:g}"
                yield f"--{prefix}{option.name} {value}: must be {allowed}"
