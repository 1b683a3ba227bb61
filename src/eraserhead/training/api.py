"""Training from Python: takes data and settings, and returns the folder of a trained classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from eraserhead.data.config import DataConfig
from eraserhead.errors import Setting, UserError, nearest
from eraserhead.settings import check_effects, check_settings
from eraserhead.training.config import AdapterConfig, ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.seeds import train_seeds
from eraserhead.training.training import train as train_to_folder

Section = TypeVar("Section", ModelConfig, TrainingConfig, AdapterConfig)


def train(
    data: DataConfig | TrainConfig,
    *,
    model: ModelConfig | Mapping[str, Any] | None = None,
    training: TrainingConfig | Mapping[str, Any] | None = None,
    adapter: AdapterConfig | Mapping[str, Any] | None = None,
    output_dir: str | Path | None = None,
    seeds: Sequence[int] | None = None,
    resume: bool | None = None,
    overwrite: bool | None = None,
    cache_limit: float | None = None,
    cpu: bool | None = None,
) -> Path:
    """Train an attention-pooling classifier, and return its folder for `erase`, `explain` and `push`.

    `eraserhead.AttentionPoolingForSequenceClassification.from_pretrained` loads the model from this folder.

    Args:
        data: The documents; or a whole `TrainConfig`, whose values the other arguments replace.
        model: Fields of `ModelConfig`, such as ``{"encoder": "bert-base-uncased", "context": "rnn"}``.
        training: Fields of `TrainingConfig`, such as ``{"epochs": 3}``.
        adapter: Fields of `AdapterConfig`, such as ``{"r": 8}``, for ``training={"adapter": "lora"}``.
        output_dir: Folder of the run; default: ``runs/NAME`` with the name of the data.
        seeds: Train once with each of these seeds, into folders of the given one, which is then returned.
        resume: Continue the interrupted run in the folder.
        overwrite: Replace the run in the folder.
        cache_limit: Gigabytes that the token vectors of one set of documents may take on disk; default: 20.
        cpu: Use the CPU even where there is an accelerator.

    Raises:
        UserError: The settings, the data, the encoder or the folder cannot be used.
    """
    if not isinstance(data, (DataConfig, TrainConfig)):
        raise UserError(f"data is a {type(data).__name__}; give a DataConfig, whose path may name a file of documents")
    config = data if isinstance(data, TrainConfig) else TrainConfig(data=data)
    if config.push_to_hub is not None:
        raise UserError(
            Setting("push_to_hub", config.push_to_hub), f": train first, then push(folder, '{config.push_to_hub}')"
        )
    given = {
        "model": _section(config.model, model, "model"),
        "training": _section(config.training, training, "training"),
        "adapter": _section(config.adapter, adapter, "adapter"),
        "output_dir": None if output_dir is None else str(output_dir),
        "seeds": None if seeds is None else list(seeds),
        "resume": resume,
        "overwrite": overwrite,
        "cache_limit": cache_limit,
        "cpu": cpu,
    }
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    check_settings(config)
    check_effects(config)
    if config.seeds is not None:
        train_seeds(config)
        return config.folder
    return train_to_folder(config).path


def _section(section: Section, given: Section | Mapping[str, Any] | None, name: str) -> Section:
    """Return a section of the configuration with the given fields replaced.

    Raises:
        UserError: Some fields are unknown; the message names them all.
    """
    if given is None or isinstance(given, type(section)):
        return section if given is None else given
    if not isinstance(given, Mapping):
        raise UserError(f"{name} is a {type(given).__name__}; give a {type(section).__name__} or a dict of its fields")
    known = [option.name for option in fields(section)]
    unknown = [f"{name}: no setting '{key}'{nearest(str(key), known)}" for key in given if key not in known]
    if unknown:
        raise UserError("; ".join(unknown))
    return replace(section, **given)
