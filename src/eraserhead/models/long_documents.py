"""Documents longer than the encoder reads at once: what is cut, and windows that overlap.

This module is pushed as remote code: it imports torch and its neighbours alone, and the docstrings give its shapes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from .architecture import WINDOWS, Limits
from .pooling import components_first

Number = TypeVar("Number", int, Tensor)

HEAD, OF = 128, 510  # tokens of the beginning among all that are kept (Sun et al. 2019, "How to Fine-Tune BERT", 5.3.1)
AT_ONCE = 2**15  # tokens of windows that are encoded at a time where no gradients are computed


def windows_of(limits: Limits, framing: Sequence[int] | None) -> "Windows | None":
    """Return the windows in which an encoder reads long documents; null for a model that cuts them.

    Args:
        limits: How much of a document the model reads.
        framing: How many special tokens stand before and after a text.
    """
    if limits.long_documents != WINDOWS:
        return None
    assert limits.tokens is not None
    assert framing is not None
    return Windows(limits.tokens, limits.window_overlap or 0, *framing)


def encoded_tokens(windows: "Windows | None", lengths: Sequence[int]) -> list[int]:
    """Return how many tokens the encoder reads of documents of so many; those in two windows count twice."""
    return list(lengths) if windows is None else [windows.encoded(length) for length in lengths]


def head_of(limit: int, framing: tuple[int, int]) -> int:
    """Return how many of the tokens that are kept of a long document are its first; the others are its last.

    The beginning gets 128 of 510 tokens, as in Sun et al. 2019.

    Args:
        limit: Tokens that are kept, special tokens included.
        framing: How many special tokens stand before and after the text; they are always kept.
    """
    before, after = framing
    return before + (limit - before - after) * HEAD // OF


def head_and_tail(length: int, limit: int, framing: tuple[int, int]) -> list[int]:
    """Return the positions of the first and last tokens of a document, which are kept, in reading order.

    Args:
        length: Tokens of the document, special tokens included.
        limit: Most tokens, special tokens included.
        framing: As in `head_of`.
    """
    if length <= limit:
        return list(range(length))
    head = head_of(limit, framing)
    return [*range(head), *range(length - (limit - head), length)]


@dataclass(frozen=True)
class Windows:
    """How an encoder reads a document that is longer than one window.

    Each window is read by itself, between the special tokens that frame the document. Every window is full: the last
    one ends where the text ends, and shares more tokens with the one before it if it has to. A token that stands in
    several windows has the vector of the one in whose middle it stands nearest, where it has most context on its
    shorter side; the earlier one's on ties. Special tokens in front have the vectors of the first window, those behind
    of the last.

    Attributes:
        tokens: Tokens of a window, special tokens included.
        overlap: Tokens of the text that neighbouring windows share.
        before: Special tokens in front of a text.
        after: Special tokens behind it.
    """

    tokens: int
    overlap: int
    before: int
    after: int

    @property
    def stride(self) -> int:
        """How many tokens later the next window begins; 1 or more."""
        return self.tokens - self.before - self.after - self.overlap

    def count(self, length: Number) -> Number:
        """Return how many windows a document of `length` tokens has, special tokens included; 1 or more."""
        further = -((self.tokens - length) // self.stride)
        # `max` would tie a graph to the number of windows that it was made with.
        least: Any = further.clamp(min=0) if isinstance(further, Tensor) else torch.sym_max(further, 0)
        return least + 1

    def encoded(self, length: int) -> int:
        """Return how many tokens the encoder reads of a document; those in several windows count in each."""
        return length if length <= self.tokens else self.count(length) * self.tokens

    def longest(self, count: int) -> int:
        """Return the tokens of the longest document that fits into `count` windows, special tokens included."""
        return self.tokens + (count - 1) * self.stride

    def laid_over(self, exist: Tensor) -> "LaidWindows":
        """Lay windows over documents.

        Args:
            exist: ``[batch, tokens]``, True for the tokens of a document, anywhere in its row.
        """
        positions, _ = components_first(exist)
        lengths = exist.sum(-1, keepdim=True)
        last = (lengths - self.tokens).clamp(min=0)  # where the last window begins
        most = self.count(positions.shape[1])
        if torch.compiler.is_compiling():
            most = torch.sym_max(most, 2)  # a graph that is made for one of something is for no more of it
        numbers = torch.arange(most, device=exist.device)
        columns = torch.arange(self.tokens, device=exist.device)
        starts = torch.minimum(numbers * self.stride, last).unsqueeze(-1)
        inner = torch.where(columns < self.tokens - self.after, starts, last.unsqueeze(-1))
        places = torch.where(columns < self.before, 0, inner) + columns
        present = (numbers < self.count(lengths)).unsqueeze(-1) & (places < lengths.unsqueeze(-1))
        places = places.clamp(max=positions.shape[1] - 1).flatten(1)
        rows = torch.arange(exist.shape[0], device=exist.device).unsqueeze(-1) * exist.shape[1]
        places = (positions.gather(1, places) + rows).view(-1, self.tokens)
        laid = LaidWindows(places, present.view(places.shape), self._sources(exist, lengths, last, numbers.shape[0]))
        return laid if torch.compiler.is_compiling() else laid.without_empty()  # a graph's shapes depend on no mask

    def _sources(self, exist: Tensor, lengths: Tensor, last: Tensor, most: int) -> Tensor:
        """Return where each token's vector is ``[batch, tokens]``, among those of `most` windows of each document."""
        tokens = (exist.cumsum(-1) - 1).clamp(min=0)
        # Twice the distance of a token from the middle of the first window, and so on: halves would be lost.
        twice = 2 * (tokens - self.before) - (self.tokens - self.before - self.after - 1)
        own = -((self.stride - twice) // (2 * self.stride))
        own = torch.minimum(own, self.count(lengths) - 2).clamp(min=0)
        following = torch.minimum((own + 1) * self.stride, last)  # the last window may begin earlier
        nearer = (twice > own * self.stride + following) & (own + 1 < self.count(lengths))
        own = own + nearer
        columns = tokens - torch.minimum(own * self.stride, last)
        documents = torch.arange(exist.shape[0], device=exist.device).unsqueeze(-1)
        return ((documents * most + own) * self.tokens + columns) * exist


@dataclass
class LaidWindows:
    """Windows over the documents of a batch, as many for each as for the longest.

    Attributes:
        places: Index of each token among all of the batch ``[windows, tokens]``.
        present: ``[windows, tokens]``, False where a window has no such token.
        sources: Index of each token of the batch among all of the windows ``[batch, tokens]``.
    """

    places: Tensor
    present: Tensor
    sources: Tensor

    def without_empty(self) -> "LaidWindows":
        """Return the windows that hold a token: shorter documents have fewer; the first stays where all are empty."""
        present = self.present.any(-1)
        if not present.any():
            present[:1] = True
        width, numbers = self.places.shape[1], (present.cumsum(0) - 1).clamp(min=0)
        sources = numbers[self.sources // width] * width + self.sources % width
        return LaidWindows(self.places[present], self.present[present], sources)

    def encoded(
        self,
        encode: Callable[..., Tensor],
        padding: int,
        input_ids: Tensor | None,
        token_type_ids: Tensor | None,
        inputs_embeds: Tensor | None,
    ) -> Tensor:
        """Return one vector for each token of the batch ``[batch, tokens, hidden]``.

        Where no gradients are computed, some windows are encoded at a time, so that documents may have any length.

        Args:
            encode: Returns the encoder's vectors of ids, attention mask, token types and embeddings of windows.
            padding: Id of padding.
            input_ids: ``[batch, tokens]``, as the two below; null where it is not given.
            token_type_ids: Types of the tokens.
            inputs_embeds: Their embeddings ``[batch, tokens, hidden]``.
        """
        ids = None if input_ids is None else self.ids(input_ids, padding)
        beside = [None if each is None else self.over(each) for each in (token_type_ids, inputs_embeds)]
        inputs = [ids, self.present.long(), *beside]
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self.joined(encode(*inputs))
        count, width = self.present.shape
        together = max(1, AT_ONCE // width)
        parts = [
            [None if each is None else each[first : first + together] for each in inputs]
            for first in range(0, count, together)
        ]
        return self.joined(torch.cat([encode(*part) for part in parts]))

    def ids(self, input_ids: Tensor, padding: int) -> Tensor:
        """Return the ids of the windows ``[windows, tokens]``, padded where they have no token."""
        return self.over(input_ids).masked_fill(~self.present, padding)

    def over(self, values: Tensor) -> Tensor:
        """Return ``[windows, tokens, ...]`` of values ``[batch, tokens, ...]``."""
        return values.flatten(0, 1)[self.places]

    def joined(self, vectors: Tensor) -> Tensor:
        """Return ``[batch, tokens, hidden]`` of vectors ``[windows, tokens, hidden]``, one for each token."""
        return vectors.flatten(0, 1)[self.sources]
