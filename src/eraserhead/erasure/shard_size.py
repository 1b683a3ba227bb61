"""How many documents make a shard, where nobody says: some minutes' work.

The estimate depends on the model, the site and the documents alone, never on the machine, so that an analysis is
continued and merged with the same shards everywhere.
"""

from collections.abc import Sequence

import numpy as np
from torch import nn

from eraserhead.loading.opened import OpenedModel
from eraserhead.sites.site import POOLING, WORDS, is_inside, parse_inside

FIRST = 1000  # documents whose lengths are taken for those of all
WORK = 4e13  # floating-point operations of a shard: some ten minutes of a CPU core
MOST = 4096  # documents of a shard: memory holds its tables; among so many, batches of one length waste little
SHARDS, FEWEST = 16, 512  # there are so many shards at least, for several devices and parts, if they are not below that
OF_A_WORD = 0.01  # share of a pass that erasing a word costs: its sentence's attention and what lies above


def automatic_size(opened: OpenedModel, tokens: Sequence[int], documents: int, orders: int) -> int:
    """Return how many documents make a shard: a power of two.

    Args:
        opened: The model at its site.
        tokens: Tokens of the first documents, `FIRST` of them or all.
        documents: How many documents there are.
        orders: Orders along which each document is erased: those of the rankings, and random ones.
    """
    length = max(float(np.mean(tokens)), 1.0) if len(tokens) else 1.0
    return size_of_work(opened, length, documents, passes(opened, length, orders))


def size_of_work(opened: OpenedModel, length: float, documents: int, worth: float) -> int:
    """Return how many documents of so many tokens make a shard, each of which is `worth` passes of the model."""
    work = WORK / (2 * parameters(opened.checkpoint.model) * length * worth)
    most = min(MOST, max(FEWEST, documents // SHARDS))
    return 2 ** int(np.log2(min(max(work, 1), most)))


def passes(opened: OpenedModel, length: float, orders: int) -> float:
    """Return how many passes over a document of so many components its analysis is worth, roughly."""
    erasures = length * (1 + orders)
    if opened.setup.search != "none":
        erasures *= max(length / 4, 1.0)  # each step tries all that are left
    return 1 + erasures * _share(opened, length)


def parameters(model: nn.Module) -> int:
    """Return the number of weights that a token is multiplied with: all but those of embeddings."""
    looked_up = {
        id(weight) for part in model.modules() if isinstance(part, nn.Embedding) for weight in part.parameters()
    }
    return max(1, sum(weight.numel() for weight in model.parameters() if id(weight) not in looked_up))


def _share(opened: OpenedModel, length: float) -> float:
    """Return which share of a pass evaluating one erasure costs."""
    site = opened.setup.site
    if site in (POOLING, WORDS):
        return 0.0 if site == POOLING else OF_A_WORD
    assert is_inside(site)
    name = parse_inside(site)
    layers = getattr(opened.checkpoint.model.config, "num_hidden_layers", None) or 1
    if name.layer is None or name.part == "encoder":
        return 1.0
    above = layers - name.layer % layers  # with its own
    alone = above == 1 and not name.every_query  # the position that the decision is read from, and no other
    return above / layers / (length if alone else 1.0)
