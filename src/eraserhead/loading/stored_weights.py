"""What the files of a model's weights hold, compared with what its config describes, before anything is built."""

import logging
import re
import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors import safe_open
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.initialization import no_init_weights

from eraserhead.errors import UserError, listed
from eraserhead.loading.boundary import load
from eraserhead.loading.model_config import check_layers
from eraserhead.loading.model_files import WeightFiles
from eraserhead.loading.run_layout import RUN

logger = logging.getLogger("eraserhead")

Shapes = dict[str, tuple[int, ...]]
# What torch names of a pickle that does more than hold tensors.
FORBIDDEN = re.compile(r"GLOBAL ([\w.]+)")
OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}  # of TensorFlow's BERT
PLAIN = ("F64", "F32", "F16", "BF16")
SPARE = 10_000_000  # numbers that a model may have beyond four times those of its file


@dataclass(frozen=True)
class Fit:
    """How stored weights become a model's.

    Attributes:
        prefix: What is taken off the front of their names; empty for nothing.
    """

    prefix: str = ""

    @property
    def key_mapping(self) -> dict[str, str] | None:
        """The option of `from_pretrained` that does it."""
        return {rf"^{re.escape(self.prefix)}": ""} if self.prefix else None


def check_fit(config: PreTrainedConfig, kind: type[PreTrainedModel], weights: WeightFiles, name: str) -> Fit:
    """Compare the files of weights with the model that a config describes.

    Returns:
        How the weights are loaded; a log line says what is unusual in it.

    Raises:
        UserError: The files are damaged, or a tensor in them has another size; the message names it.
    """
    stored = stored_shapes(weights, name)
    check_layers(config, len(stored), name)
    expected = load(name, lambda: _expected(config, kind), RUN.config)
    fit = Fit(_prefix(stored, expected, kind.base_model_prefix))
    if weights.pickled:
        logger.info(f"{name}: {weights.name} is read by torch.load(weights_only=True), which runs no code of it")
    if fit.prefix:
        logger.info(f"{name}: the names of its weights start with '{fit.prefix}', which is left out")
    owners = {key: _owner(key.removeprefix(fit.prefix), expected, kind.base_model_prefix) for key in stored}
    for key, owner in sorted(owners.items()):
        if owner is not None and stored[key] != expected[owner] and prod(stored[key]) != prod(expected[owner]):
            raise _misfit(key, stored[key], expected[owner], config, f"{name}: ", weights.name)
    missing = {key: shape for key, shape in expected.items() if key not in owners.values()}
    if sum(map(prod, missing.values())) > 4 * sum(map(prod, stored.values())) + SPARE:
        largest = max(missing, key=lambda key: prod(missing[key]))
        raise UserError(
            f"{name}: {RUN.config} describes '{largest}' of size {_size(missing[largest])}, and {weights.name} holds "
            "nothing of the kind: the two do not belong together"
        )
    return fit


def stored_shapes(weights: WeightFiles, name: str) -> Shapes:
    """Return the sizes of all stored tensors; of safetensors, from their headers alone.

    Raises:
        UserError: A file is damaged, or holds more than tensors.
    """
    shapes: Shapes = {}
    for file in weights.files:
        if weights.pickled:
            shapes |= {key: tuple(tensor.shape) for key, tensor in pickled_tensors(file, name).items()}
        else:
            shapes |= load(name, lambda file=file: _header(file, name), file.name)
    return shapes


def pickled_tensors(file: Path, name: str) -> Mapping[str, torch.Tensor]:
    """Return the tensors of a file that `torch.save` wrote, without running code of it.

    Raises:
        UserError: It is damaged, or holds more than tensors.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # about what is refused next
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zipfile(file))
    except Exception as error:  # torch raises several kinds
        asked = FORBIDDEN.search(str(error))
        why = f"it asks for {asked[1]}" if asked else "it is not what torch.save writes of tensors"
        raise UserError(
            f"{name}: {file.name} is refused by torch.load(weights_only=True) ({why}): it is damaged, or holds more "
            "than tensors and could run code; load it where you trust it, and save the model with save_pretrained"
        ) from error
    whole = isinstance(content, dict) and all(isinstance(key, str) for key in content)
    strange = [key for key, value in content.items() if not isinstance(value, torch.Tensor)] if whole else []
    nested: Any = content[strange[0]] if strange else None
    if isinstance(nested, dict) and nested and all(isinstance(each, torch.Tensor) for each in nested.values()):
        inside = f"torch.load('{file.name}', weights_only=True)['{strange[0]}']"
        raise UserError(
            f"{name}: {file.name} holds its weights inside '{strange[0]}': save them alone, "
            f"torch.save({inside}, '{file.name}')"
        )
    if not whole or strange:
        what = (
            f"'{strange[0]}' beside its tensors" if strange else f"a {type(content).__name__}, and no tensors by name"
        )
        raise UserError(f"{name}: {file.name} holds {what}; save the model with save_pretrained")
    return content


def _header(file: Path, name: str) -> Shapes:
    with safe_open(file, framework="pt") as opened:  # pyright: ignore[reportArgumentType]
        slices = {key: opened.get_slice(key) for key in opened.keys()}  # noqa: SIM118 - it is no mapping
    packed = [key for key, held in slices.items() if key.endswith("weight") and held.get_dtype() not in PLAIN]
    if packed:
        raise UserError(
            f"{name}: '{packed[0]}' is stored in {file.name} as {slices[packed[0]].get_dtype()}: the weights are "
            "quantised, and erasing needs plain ones; get the checkpoint that they were made from"
        )
    return {key: tuple(held.get_shape()) for key, held in slices.items()}


def _expected(config: PreTrainedConfig, kind: type[PreTrainedModel]) -> Shapes:
    """Return the sizes of a model's weights without making them."""
    with torch.device("meta"), no_init_weights():
        model: nn.Module = kind(deepcopy(config))
    return {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}


def _prefix(stored: Shapes, expected: Shapes, base: str) -> str:
    """Return what wrappers of a model put in front of the names of its weights; most names have to fit without it."""
    prefix, fitting = "", [key for key in stored if _owner(key, expected, base)]
    while stored and not fitting:
        firsts = [key.removeprefix(prefix).partition(".")[0] for key in stored if key.startswith(prefix)]
        longer = f"{prefix}{max(set(firsts), key=firsts.count)}."
        if not any(key.startswith(longer) for key in stored):
            return ""
        prefix = longer
        fitting = [key for key in stored if _owner(key.removeprefix(prefix), expected, base)]
    return prefix if 2 * len(fitting) > len(stored) else ""


def _owner(key: str, expected: Shapes, base: str) -> str | None:
    """Return the model's name for a stored weight, which may be stored with the encoder's prefix or without it."""
    for old, new in OLD_NAMES.items():
        key = key.removesuffix(old) + new if key.endswith(old) else key
    candidates = (key, f"{base}.{key}", key.removeprefix(f"{base}."))
    return next((each for each in candidates if each in expected), None)


def _misfit(
    key: str, held: tuple[int, ...], wanted: tuple[int, ...], config: PreTrainedConfig, name: str, file: str
) -> UserError:
    classes = config.num_labels or 0
    if len(held) == len(wanted) and held[1:] == wanted[1:] and wanted[:1] == (classes,):
        shown = listed((config.id2label or {}).values())
        return UserError(
            f"{name}{RUN.config} names {classes} classes ({shown}), and the head has {held[0]} rows ('{key}' in "
            f"{file}): correct id2label there"
        )
    return UserError(
        f"{name}'{key}' has the size {_size(held)} in {file}, and {_size(wanted)} by {RUN.config}: the two do not "
        "belong together"
    )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1 (a number, and no vector)"
