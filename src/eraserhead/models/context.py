"""Context encoders: they mix the vectors of neighbouring components before attention averages them.

The kinds of Serrano & Smith 2019 (sec. 3 and appendix): none, convolutions, a recurrent network; and one transformer
layer. This module is pushed as remote code: it imports torch and its neighbours alone,
and the docstrings give its shapes.

Every encoder takes vectors ``[batch, components, hidden]`` and a mask ``[batch, components]``, True for components,
which come first in each row. Its output at a component does not depend on what stands at padding, nor on how much
padding there is; at padding it is 0.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .architecture import Architecture


class NoContext(nn.Module):
    """No context: every component's vector stays as it is."""

    def __init__(self, vector_size: int, sizes: Architecture) -> None:
        super().__init__()
        self.output_size = vector_size

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return the vectors themselves, 0 at padding."""
        return _masked(vectors, mask)


class ConvolutionalContext(nn.Module):
    """Parallel convolutions of several widths with ReLU, concatenated: a few neighbours on either side."""

    def __init__(self, vector_size: int, sizes: Architecture) -> None:
        super().__init__()
        self.dropout = nn.Dropout(sizes.filter_dropout)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(vector_size, sizes.filters, width, padding="same") for width in sizes.filter_widths
        )
        self.output_size = sizes.filters * len(sizes.filter_widths)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return ``[batch, components, filters x widths]``; each row is padded with zeros at both ends."""
        channels = self.dropout(_masked(vectors, mask)).transpose(1, 2)
        found = torch.cat([convolution(channels) for convolution in self.convolutions], dim=1)
        return _masked(torch.relu(found).transpose(1, 2), mask)


class RecurrentContext(nn.Module):
    """One layer of a bidirectional GRU: every component sees the whole row, near neighbours most."""

    def __init__(self, vector_size: int, sizes: Architecture) -> None:
        super().__init__()
        self.network = nn.GRU(vector_size, sizes.recurrent_size, batch_first=True, bidirectional=True)
        self.output_size = 2 * sizes.recurrent_size

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return both directions' states ``[batch, components, 2 x size]``; none starts at padding."""
        if torch.compiler.is_compiling():  # or exporting: a graph has no packed sequences
            return _masked(self._padded(_masked(vectors, mask), mask.sum(-1, keepdim=True)), mask)
        lengths = mask.sum(-1).clamp(min=1).cpu()  # a row of padding alone runs one step, and is masked
        packed = pack_padded_sequence(_masked(vectors, mask), lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.network(packed)[0], batch_first=True, total_length=mask.shape[1])
        return _masked(states, mask)

    def _padded(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return the same of padded rows: the second direction reads each row's components in reverse order."""
        places = torch.arange(vectors.shape[1], device=vectors.device).expand(vectors.shape[:2])
        mirrored = torch.where(places < lengths, lengths - 1 - places, places)
        start = vectors.new_zeros(1, vectors.shape[0], self.network.hidden_size)
        states = []
        for order, weights in ((places, self.network.all_weights[0]), (mirrored, self.network.all_weights[1])):
            read = vectors.gather(1, order.unsqueeze(-1).expand(-1, -1, vectors.shape[-1]))
            found, _ = torch.gru(read, start, tuple(weights), True, 1, 0.0, False, False, True)
            states.append(found.gather(1, order.unsqueeze(-1).expand(-1, -1, self.network.hidden_size)))
        return torch.cat(states, dim=-1)


class TransformerContext(nn.Module):
    """One pre-norm transformer layer with sinusoidal positions: every component sees every other."""

    def __init__(self, vector_size: int, sizes: Architecture) -> None:
        super().__init__()
        if vector_size % sizes.transformer_heads:
            raise ValueError(
                f"transformer_heads {sizes.transformer_heads} must divide {vector_size}, the size of the vectors"
            )
        self.layer = nn.TransformerEncoderLayer(
            vector_size,
            sizes.transformer_heads,
            sizes.transformer_feedforward or 4 * vector_size,
            sizes.transformer_dropout,
            batch_first=True,
            norm_first=True,
        )
        self.output_size = vector_size

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return ``[batch, components, hidden]``."""
        vectors = _masked(vectors, mask) + sinusoidal_positions(vectors)
        # A row of padding alone would attend to nothing and give NaN; its output is masked afterwards.
        seen = mask.clone()
        seen[:, :1] = True
        return _masked(self.layer(vectors, src_key_padding_mask=~seen), mask)


def sinusoidal_positions(vectors: Tensor) -> Tensor:
    """Return the positions of Vaswani et al. 2017, sec. 3.5, ``[components, hidden]``, as vectors to be added."""
    count, size = vectors.shape[-2:]
    options = {"device": vectors.device, "dtype": torch.promote_types(vectors.dtype, torch.float32)}
    positions = torch.arange(count, **options).unsqueeze(1)  # half precision cannot tell 257 from 256
    angles = positions * (torch.arange(0, size, 2, **options) * (-math.log(10_000) / size)).exp()
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)[:, :size].to(vectors.dtype)


def _masked(vectors: Tensor, mask: Tensor) -> Tensor:
    """Set the vectors at padding, NaN included, to 0."""
    return vectors.masked_fill(~mask.unsqueeze(-1), 0.0)


# An encoder is one class and one line here; the parametrised tests then cover it.
ENCODERS: dict[str, Callable[[int, Architecture], nn.Module]] = {
    "none": NoContext,
    "conv": ConvolutionalContext,
    "rnn": RecurrentContext,
    "transformer": TransformerContext,
}
