"""Write a graph as ONNX by torch's exporter, and compare the file with the model in ONNX Runtime."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.disk import disk_failure
from eraserhead.errors import UserError
from eraserhead.exporting.graph import Graph

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
LONGEST = 160  # characters of torch's message


def check_installed() -> None:
    """Refuse to export where the libraries are missing.

    Raises:
        UserError: Naming the first of them, and the extra.
    """
    missing = next((name for name in PACKAGES if find_spec(name) is None), None)
    if missing is not None:
        raise UserError(f"export: {missing} is not installed; `pip install 'eraserhead[onnx]'`")


def write_graph(graph: Graph, example: Mapping[str, Tensor], path: Path, name: str) -> None:
    """Write a graph whose axes may have any length.

    Args:
        graph: What is written.
        example: Inputs that the exporter follows; no axis of length 1.
        path: The file; weights beyond 2 GB go into a second one beside it.
        name: The model's name, for messages.

    Raises:
        UserError: torch's exporter cannot follow the model.
        OSError: The file cannot be written.
    """
    axes = dict.fromkeys(range(len(graph.axes)), torch.export.Dim.DYNAMIC)
    with _quiet():
        program = _followed(graph, tuple(example[each] for each in graph.inputs), axes, name)
        _forget_inner_shapes(program.model)
        program.save(path)


def largest_difference(
    model: PreTrainedModel, outputs: Sequence[str], path: Path, batches: Sequence[Mapping[str, Tensor]]
) -> float:
    """Return the largest difference of any output between the file, in ONNX Runtime, and the model, over all batches.

    It is infinite where either is not finite.
    """
    from onnxruntime import InferenceSession  # noqa: PLC0415 - an extra

    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    largest = 0.0
    for batch in batches:
        with torch.no_grad():
            expected: Any = model(**batch)
        found: Any = session.run(None, {name: tensor.numpy() for name, tensor in batch.items()})
        for name, written in zip(outputs, found, strict=True):
            one, other = expected[name], torch.from_numpy(written)
            difference = float((one - other).abs().max().nan_to_num(inf)) if one.shape == other.shape else inf
            largest = max(largest, difference)
    return largest


def _followed(graph: Graph, example: tuple[Tensor, ...], axes: dict[int, Any], name: str) -> Any:
    """Return the graph as torch's exporter writes it down; not yet as a file.

    Raises:
        UserError: It cannot follow the model.
    """
    try:
        with torch.no_grad():
            return torch.onnx.export(
                graph.module,
                example,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_shapes=((axes,) * len(graph.inputs),),
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # whatever the exporter meets in somebody's encoder
        if disk_failure(error) is not None:
            raise
        cause = error.__cause__ or error
        why = " ".join(str(cause).split())[:LONGEST]
        raise UserError(
            f"{name}: torch's exporter cannot follow this encoder, so no ONNX graph can be made of the model; it stops "
            f"at {type(cause).__name__}: {why}"
        ) from error


def _forget_inner_shapes(model: Any) -> None:
    """Leave the shapes between nodes to the runtime: the exporter writes those of the example for recurrent layers."""
    for node in model.graph.all_nodes():
        for output in node.outputs:
            if not output.is_graph_output():
                output.shape = None


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the exporter says about torch's own deprecations and about packages that are not installed."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        exporter.setLevel(level)
