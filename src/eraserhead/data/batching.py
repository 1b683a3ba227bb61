"""Batches by length under a token budget, so that little is spent on padding."""

from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np
import torch
from torch import Tensor

EACH = 256  # tokens whose encoding takes as long as what a batch costs beside its own; about 64 on a CPU, more on a GPU
WINDOW = 50  # training batches that are shuffled and sorted by length together


def buckets(
    documents: Sequence[int],
    lengths: Sequence[int],
    budget: int,
    kinds: Sequence[tuple[int, ...]] | None = None,
    each: int = EACH,
) -> list[list[int]]:
    """Split documents into batches of similar length, longest first, within a token budget, at the least cost.

    A batch costs its number of documents times the length of its longest, which is within the budget, and `each` more:
    it ends where the lengths drop by so much that padding would cost more than a further batch. A document above the
    budget has a batch to itself.

    Args:
        documents: Indices into `lengths`.
        lengths: Tokens of every document.
        budget: Most tokens of a batch, padding included.
        kinds: Numbers for every document; those of different numbers never share a batch.
        each: What a batch costs beside its tokens; with the budget itself there are as few as can be.
    """
    kind = [()] * len(lengths) if kinds is None else kinds
    ordered = sorted(documents, key=lambda index: (kind[index], -lengths[index], index))
    batches: list[list[int]] = []
    for _, alike in groupby(ordered, key=lambda index: kind[index]):
        rows = list(alike)
        batches += [rows[first:end] for first, end in pairwise(_cuts([lengths[row] for row in rows], budget, each))]
    return batches


def _cuts(lengths: Sequence[int], budget: int, each: int) -> list[int]:
    """Return where batches of documents begin, longest first, and where the last one ends, at the least cost.

    The least cost of the first documents follows from those of fewer, as in any shortest path.
    """
    count = len(lengths)
    least, begins = np.full(count + 1, np.iinfo(np.int64).max), np.zeros(count + 1, dtype=np.int64)
    least[0] = 0
    for first, length in enumerate(lengths):
        most = min(max(budget // max(length, 1), 1), count - first)
        costs = least[first] + each + length * np.arange(1, most + 1)
        ends = slice(first + 1, first + 1 + most)
        begins[ends] = np.where(costs < least[ends], first, begins[ends])
        least[ends] = np.minimum(costs, least[ends])
    cuts = [count]
    while cuts[-1]:
        cuts.append(int(begins[cuts[-1]]))
    return cuts[::-1]


def training_steps(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the documents of each optimisation step of an epoch, a function of its arguments alone.

    Documents are shuffled, sorted by length within windows of fifty batches, and the batches shuffled again: a batch
    holds documents of similar length, but not always the same ones.
    """
    generator = np.random.default_rng([seed, epoch])
    shuffled = generator.permutation(len(lengths))
    window = WINDOW * batch_size
    steps = []
    for start in range(0, len(shuffled), window):
        by_length = sorted(shuffled[start : start + window].tolist(), key=lambda index: lengths[index])
        steps += [by_length[first : first + batch_size] for first in range(0, len(by_length), batch_size)]
    return [steps[index] for index in generator.permutation(len(steps))]


def share(step: Sequence[int], rank: int, processes: int) -> list[int]:
    """Return one process's documents of a step, dealt like cards so that every process gets similar lengths."""
    return list(step[rank::processes])


def pad(
    sequences: Sequence[Sequence[int]], padding: int, types: Sequence[Sequence[int]] | None = None
) -> dict[str, Tensor]:
    """Return ``input_ids`` and ``attention_mask`` ``[batch, tokens]`` of sequences of ids, padded on the right.

    Where `types` are given, also ``token_type_ids``, 0 at padding.
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    present = np.arange(max(1, lengths.max())) < lengths[:, None]
    ids = np.full(present.shape, padding, dtype=np.int64)
    ids[present] = np.concatenate([np.asarray(sequence, dtype=np.int64) for sequence in sequences])
    inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(present.astype(np.int64))}
    return inputs if types is None else {**inputs, "token_type_ids": pad(types, 0)["input_ids"]}


def pad_sentences(documents: Sequence[Sequence[Sequence[int]]], padding: int) -> dict[str, Tensor]:
    """Return ``input_ids`` and ``attention_mask`` ``[batch, sentences, tokens]`` of documents of sentences of ids."""
    counts = [len(sentences) for sentences in documents]
    flat = pad([sentence for sentences in documents for sentence in sentences] or [[]], padding)
    present = torch.arange(max(1, *counts)) < torch.tensor(counts).unsqueeze(1)
    shape = (*present.shape, flat["input_ids"].shape[1])
    padded = {"input_ids": torch.full(shape, padding, dtype=torch.long), "attention_mask": torch.zeros(shape).long()}
    for name, tensor in padded.items():
        tensor[present] = flat[name][: sum(counts)]
    return padded
