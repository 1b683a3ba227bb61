"""Heads on token vectors: attention over tokens, or over each sentence's tokens and then sentences; an affine map.

This module is pushed as remote code: it imports torch and its neighbours alone, and the docstrings give its shapes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .architecture import Architecture
from .context import ENCODERS
from .dropout import Dropout
from .pooling import AttentionPooling, attend, components_first

GROUPS = 8  # approximate number of groups of sequences; each is padded to its own longest
SHORTEST = 0.75  # share of a group's longest sequence; a shorter one starts another group


class AttentionLevel(nn.Module):
    """A context encoder and attention pooling over its output."""

    def __init__(self, vector_size: int, context: str, dropout: float, architecture: Architecture) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.context = ENCODERS[context](vector_size, architecture)
        self.output_size: int = self.context.output_size  # pyright: ignore[reportAttributeAccessIssue]
        self.pooling = AttentionPooling(self.output_size, architecture.attention_size or self.output_size)

    def encode(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return what the attention averages, ``[batch, components, output]``; components come first in each row."""
        return self.context(self.dropout(vectors), mask)

    def forward(self, vectors: Tensor, mask: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return pooled vectors ``[batch, output]`` and weights ``[batch, components]``; erasure spares the context.

        Args:
            vectors: ``[batch, components, hidden]``.
            mask: ``[batch, components]``, True for components, which come first.
            keep: ``[batch, components]``, False where a weight is erased.
        """
        encoded = self.encode(vectors, mask)
        return attend(encoded, self.pooling.scores(encoded), mask if keep is None else mask & keep)


class FlatHead(nn.Module):
    """One attention level over all tokens of a document, and one affine map (FLAN)."""

    def __init__(self, vector_size: int, classes: int, architecture: Architecture) -> None:
        super().__init__()
        self.words = AttentionLevel(vector_size, architecture.context, architecture.dropout, architecture)
        self.classifier = nn.Linear(self.words.output_size, classes)
        self.logit_dropout = Dropout(architecture.logit_dropout)

    @property
    def last(self) -> AttentionLevel:
        """The level whose pooled vector the classifier reads."""
        return self.words

    def forward(self, vectors: Tensor, mask: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits ``[batch, classes]`` and weights ``[batch, components]``; see `AttentionLevel`."""
        pooled, weights = self.words(vectors, mask, keep)
        return self.logit_dropout(self.classifier(pooled)), weights


@dataclass
class Group:
    """Sequences of similar length, padded to the longest of them.

    Attributes:
        rows: Index of each among all sequences ``[group]``.
        vectors: ``[group, components, hidden]``.
        mask: ``[group, components]``, True for components, which come first.
        positions: Position of each component in its sequence's input ``[group, components]``.
    """

    rows: Tensor
    vectors: Tensor
    mask: Tensor
    positions: Tensor


@dataclass
class Sentences:
    """The sentences of a batch, document after document.

    Attributes:
        input_ids: ``[sentences, tokens]``.
        mask: ``[sentences, tokens]``, 0 at padding.
        counts: Number of sentences of each document ``[batch]``.
        places: Document of each sentence, and its index in the document, ``[sentences]`` each.
        types: Token types ``[sentences, tokens]``, where they were given.
    """

    input_ids: Tensor
    mask: Tensor
    counts: Tensor
    places: tuple[Tensor, Tensor]
    types: Tensor | None = None


class HierarchicalHead(nn.Module):
    """Attention over the tokens of each sentence, then over the sentences, and one affine map (HAN)."""

    def __init__(self, vector_size: int, classes: int, architecture: Architecture) -> None:
        super().__init__()
        self.words = AttentionLevel(vector_size, architecture.context, architecture.dropout, architecture)
        self.sentences = AttentionLevel(
            self.words.output_size,
            architecture.sentence_context or architecture.context,
            architecture.sentence_dropout,
            architecture,
        )
        self.classifier = nn.Linear(self.sentences.output_size, classes)
        self.logit_dropout = Dropout(architecture.logit_dropout)

    @property
    def last(self) -> AttentionLevel:
        """The level whose pooled vector the classifier reads."""
        return self.sentences

    def forward(self, vectors: Tensor, token_counts: Tensor, sentence_counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits ``[batch, classes]`` and weights ``[batch, sentences]`` of documents without any padding.

        Args:
            vectors: ``[tokens, hidden]``, sentence after sentence.
            token_counts: ``[sentences]``, tokens of each sentence, document after document.
            sentence_counts: ``[batch]``, sentences of each document.
        """
        groups = packed_groups(vectors, token_counts)
        pooled, _ = self.pool_words(groups, len(token_counts))
        return self.pool_sentences(pooled, sentence_counts)

    def pool_words(
        self, groups: Iterable[Group], sentences: int, keep: Tensor | None = None
    ) -> tuple[Tensor, list[tuple[Group, Tensor]]]:
        """Return the vector of each sentence ``[sentences, output]``, and each group's weights ``[group, components]``.

        Args:
            groups: All sentences that have components; the others have the zero vector.
            sentences: Number of all sentences.
            keep: ``[sentences, tokens]``, False where a weight is erased.
        """
        vectors = self.classifier.weight.new_zeros(sentences, self.words.output_size)
        rows, pooled, inside = [], [], []
        for group in groups:
            kept = None if keep is None else keep[group.rows].gather(1, group.positions)
            found, weights = self.words(group.vectors, group.mask, kept)
            rows.append(group.rows)
            pooled.append(found.to(vectors.dtype))
            inside.append((group, weights))
        return (vectors.index_copy(0, torch.cat(rows), torch.cat(pooled)) if rows else vectors), inside

    def pool_sentences(
        self, vectors: Tensor, sentence_counts: Tensor, keep: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return logits ``[batch, classes]`` and weights ``[batch, sentences]`` of sentence vectors.

        Args:
            vectors: ``[sentences of all documents, hidden]``.
            sentence_counts: ``[batch]``.
            keep: ``[batch, sentences]``, False where a sentence's weight is erased.
        """
        padded, mask = by_document(vectors, sentence_counts)
        pooled, weights = self.sentences(padded, mask, keep)
        return self.logit_dropout(self.classifier(pooled)), weights


def rows_that_exist(counts: Tensor) -> Tensor:
    """Return a mask ``[batch, rows]``, True for the first ``counts[i]`` entries of row i; at least one entry wide."""
    return torch.arange(max(1, int(counts.max())), device=counts.device) < counts.unsqueeze(1)


def by_document(vectors: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows ``[rows of all documents, hidden]`` as ``[batch, rows, hidden]``, and which of those exist."""
    mask = rows_that_exist(counts)
    padded = vectors.new_zeros(*mask.shape, vectors.shape[-1])
    return padded.masked_scatter(mask.unsqueeze(-1), vectors), mask


def packed_groups(vectors: Tensor, counts: Tensor) -> Iterator[Group]:
    """Yield groups of sequences that `vectors` ``[tokens, hidden]`` holds one after another, `counts` tokens each."""
    groups = length_groups(counts)
    if not groups:
        return
    starts = counts.cumsum(0) - counts
    order = torch.cat(groups)
    within = torch.arange(int(counts.max()), device=counts.device)
    places = (starts[order].unsqueeze(1) + within)[within < counts[order].unsqueeze(1)]
    # Gathered once, then split: the gradient of each slice of `vectors` would be as large as `vectors`, and mostly
    # zeros.
    chunks = vectors[places].split([int(counts[rows].sum()) for rows in groups])
    for rows, chunk in zip(groups, chunks, strict=True):
        positions = torch.arange(int(counts[rows].max()), device=counts.device)
        mask = positions < counts[rows].unsqueeze(1)
        ends = counts[rows].cumsum(0)
        within_chunk = ((ends - counts[rows]).unsqueeze(1) + positions) * mask  # padding reads the first, and is masked
        yield Group(rows, chunk[within_chunk], mask, positions.expand(mask.shape))


def length_groups(lengths: Tensor) -> list[Tensor]:
    """Split sequences ``[sequences]`` into groups of similar length, longest first, so that little is padding.

    A group ends where a sequence is much shorter than its longest, unless the group is too small to be worth a pass of
    its own. Sequences of length 0 are in no group.
    """
    order = lengths.argsort(descending=True, stable=True).tolist()
    sizes = lengths.tolist()
    least = sum(sizes) / GROUPS
    groups: list[list[int]] = []
    for row in order:
        longest = sizes[groups[-1][0]] if groups else 0
        if sizes[row] and (not groups or (sizes[row] < SHORTEST * longest and longest * len(groups[-1]) >= least)):
            groups.append([row])
        elif sizes[row]:
            groups[-1].append(row)
    return [torch.tensor(group, device=lengths.device) for group in groups]


def grouped(vectors: Tensor, mask: Tensor, rows: Tensor) -> Group:
    """Return a group of sequences ``[group, positions, hidden]``, their components moved to the front."""
    positions, present = components_first(mask)
    gathered = vectors.gather(1, positions.unsqueeze(-1).expand(-1, -1, vectors.shape[-1]))
    return Group(rows, gathered, present, positions)


def spread(sentences: Sentences, inside: list[tuple[Group, Tensor]], like: Tensor) -> Tensor:
    """Return the weights of each group at the positions of their tokens ``[sentences, tokens]``."""
    found = like.new_zeros(sentences.input_ids.shape)
    for group, weights in inside:
        empty = like.new_zeros(len(weights), found.shape[1])
        found = found.index_copy(0, group.rows, empty.scatter(1, group.positions, weights.to(like.dtype)))
    return found
