"""Fingerprints of the weights of a model in memory, or in the files that it would be loaded from."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
import xxhash
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from eraserhead.files import read_mapping
from eraserhead.loading.model_config import read_config
from eraserhead.loading.run_layout import RUN


def weights_fingerprint(module: nn.Module) -> str:
    """Return a hash of all weights, their names and their types."""
    return tensors_fingerprint(module.state_dict())


def tensors_fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Return the same of weights by name."""
    return _digest(sorted(tensors.items()))


def weight_files(folder: Path) -> list[str]:
    """Return the names of the files that hold a model's weights."""
    index = folder / RUN.index
    if not index.is_file():
        return [RUN.weights]
    return sorted(set(read_mapping(index, "save the model again")["weight_map"].values()))


def stored_fingerprint(folder: Path, dtype: str) -> str | None:
    """Return the fingerprint of the classifier in a folder, from its files alone.

    It equals that of the model loaded in this precision, except for models that transformers keeps partly in another
    precision. So a different fingerprint is no proof that the weights differ.

    Args:
        folder: Folder of the classifier.
        dtype: Precision that it would be loaded in.

    Returns:
        Null if no file contains a weight under its own name or that of a weight that it is tied to, or the files are no
        safetensors.
    """
    if not all((folder / name).is_file() for name in weight_files(folder)):
        return None
    expected = _expected(folder, getattr(torch, dtype))
    with ExitStack() as opened:
        files = [
            opened.enter_context(safe_open(folder / name, framework="pt"))  # pyright: ignore[reportArgumentType]
            for name in weight_files(folder)
        ]
        holders = {name: file for file in files for name in file.keys()}  # noqa: SIM118 - not a mapping
        sources = {name: _source(name, expected, holders) for name in expected}
        known = {name: source for name, source in sources.items() if source is not None}
        if len(known) < len(expected):
            return None

        def tensors() -> Iterator[tuple[str, Tensor]]:
            for name, source in sorted(known.items()):
                tensor = holders[source].get_tensor(source)
                yield name, tensor.to(expected[name].dtype)

        return _digest(tensors())


def _expected(folder: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return the weights of a classifier on the meta device, without values; tied weights are the same object."""
    config = read_config(str(folder), str(folder), classifier=True)
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config, dtype=dtype)
    model.tie_weights()
    return model.state_dict(keep_vars=True)


def _source(name: str, expected: dict[str, Tensor], stored: Collection[str]) -> str | None:
    """Return the name under which a weight is stored: its own, or that of a weight that it is tied to."""
    twins = (twin for twin, tensor in expected.items() if tensor is expected[name])
    return next((twin for twin in (name, *twins) if twin in stored), None)


def _digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    digest = xxhash.xxh3_128()  # a sixteenth of the time of blake2b; nobody has to be kept from forging it
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
