"""What would stall an accelerator: places where the host waits for a value, counted while documents are analysed.

Each is an operation whose result the host needs before it can go on: a number read off a tensor, a copy to the host, or
an index by a mask, whose length only the device knows. They are counted on a CPU, where they cost nothing.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

SOURCE = Path(__file__).parents[2] / "src" / "eraserhead"
ATEN = torch.ops.aten
WAITING = {
    ATEN._local_scalar_dense,
    ATEN.nonzero,
    ATEN.masked_select,
    ATEN.unique_consecutive,
    ATEN._unique2,
    ATEN.equal,
}
BY_MASK = {ATEN.index, ATEN.index_put, ATEN.index_put_}
TO_HOST = ("tolist", "numpy")


class Counting(TorchDispatchMode):
    """Counts operations for which the host waits, by the line of the package that asks for them."""

    def __init__(self) -> None:
        """Start from none."""
        super().__init__()
        self.lines: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func.overloadpacket
        if packet in WAITING or (packet in BY_MASK and any(_is_mask(index) for index in args[1])):
            self.note()
        return func(*args, **(kwargs or {}))

    def note(self) -> None:
        """Count one for the innermost line of the package, which may have called a library that waits."""
        frames = [frame for frame in traceback.extract_stack() if Path(frame.filename).is_relative_to(SOURCE)]
        place = f"{Path(frames[-1].filename).relative_to(SOURCE)}:{frames[-1].lineno}" if frames else "outside"
        self.lines[place] += 1


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Yield the counts by line, which grow inside the context."""
    mode = Counting()

    def noting(own: Callable[..., Any]) -> Callable[..., Any]:
        def call(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            mode.note()
            return own(tensor, *args, **kwargs)

        return call

    replaced: dict[str, Any] = {name: noting(getattr(Tensor, name)) for name in TO_HOST}
    with patch.multiple(Tensor, **replaced), mode:
        yield mode.lines


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype == torch.bool
