"""The summary of an atlas: one record a place, and what determines them; light imports alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from eraserhead.data.provenance import LabelsRead, Provenance, Truncation
from eraserhead.environment import Environment
from eraserhead.erasure.summary import Counts
from eraserhead.loading.setup import ModelSetup, SiteSetup
from eraserhead.mapping.config import Heads
from eraserhead.method.statistics import Estimate
from eraserhead.models.architecture import Limits


@dataclass(frozen=True)
class AtlasSetup:
    """Everything that determines an atlas; those with equal setups may share a folder.

    Attributes:
        model: The model.
        site: Where weights are erased in each layer.
        layers: Numbers of the layers, from 0.
        heads: What is looked at of every head alone.
        heads_of_layer: Number of heads of each layer.
        data: The documents, with their fingerprint.
        labels: How their labels were read.
        label_map: Classes of the data and of the model that mean the same, where they were given.
        limits: What the model reads of a document.
        rankings: Names of the rankings that order components.
        draws: Number of random orders tried for each document.
        seed: Seed of all draws.
        shard_size: Most documents of a shard.
    """

    FORMAT: ClassVar[int] = 1

    model: ModelSetup
    site: SiteSetup
    layers: tuple[int, ...]
    heads: Heads
    heads_of_layer: int
    data: Provenance
    labels: LabelsRead | None
    label_map: list[str] | None
    limits: Limits
    rankings: tuple[str, ...]
    draws: int
    seed: int
    shard_size: int

    @property
    def places(self) -> list[tuple[int, int | None]]:
        """The places in the order of the tables: each layer as a whole, then its heads."""
        return each_place(self.layers, self.heads_of_layer, self.heads)


def each_place(layers: Sequence[int], heads_of_layer: int, heads: Heads) -> list[tuple[int, int | None]]:
    """Return layer and head of each place: each layer as a whole, then its heads."""
    numbers = [] if heads == "none" else range(heads_of_layer)
    return [(layer, head) for layer in layers for head in (None, *numbers)]


@dataclass(frozen=True, kw_only=True)
class AtlasRun(Environment):
    """How an atlas was made; nothing here determines it.

    Attributes:
        seconds: Seconds that it took, without loading; of one that was continued, the last call's.
        devices: The processes and devices that were in use.
        files: Digest of each file by name, by which damage is found.
        earlier_shards: Shards that were finished before the last call.
    """

    seconds: float
    devices: str
    files: dict[str, str]
    earlier_shards: int = 0


@dataclass(frozen=True)
class PlaceSummary:
    """What erasing does at one place: in all heads of a layer, or in one of them.

    Shares are of the documents analysed; of random orders, a document's draws are averaged first.

    Attributes:
        layer: Number of the layer.
        head: Number of the head; null for all heads of the layer.
        every_prefix: Whether every prefix was looked at; else those of 1, 2, 4, ... and all components.
        flips: Share of the decisions that flip along each ranking, along random orders, and along the smallest set
            found.
        fewer: Share on which attention flips with fewer removals than a random order.
        equal: Share on which it flips with as many, or neither flips.
        more: Share on which it flips with more.
        advantage: Fewer minus more.
        top_js: Divergence when the component of most attention is erased, in nats.
        whole_flips: Share of the decisions that flip when all components are erased.
        whole_js: Divergence when all components are erased, in nats.
        p_value: Of the advantage, two-sided, over all signs of the documents' differences; null where none differs.
        corrected: The same by Holm's correction over all places of the atlas; null likewise.
    """

    layer: int
    head: int | None
    every_prefix: bool
    flips: dict[str, Estimate]
    fewer: Estimate
    equal: Estimate
    more: Estimate
    advantage: Estimate
    top_js: Estimate
    whole_flips: Estimate
    whole_js: Estimate
    p_value: float | None
    corrected: float | None

    @property
    def name(self) -> str:
        """What the place is called."""
        return f"layer {self.layer}" if self.head is None else f"layer {self.layer}, head {self.head}"


@dataclass(frozen=True)
class AtlasSummary:
    """All places of an atlas, with what is needed to make it again.

    Attributes:
        setup: What determines it.
        run: How it was made.
        documents: How many documents there are.
        truncation: What was cut off them.
        accuracy: Share of the labelled documents whose class is right.
        accuracy_unseen: The same over the documents that training did not see; null where that is not known.
        largest_class: Share of the labelled documents that belong to the largest class; null where none is labelled.
        places: The places: each layer as a whole, then its heads.
    """

    FORMAT: ClassVar[int] = 1

    setup: AtlasSetup
    run: AtlasRun
    documents: Counts
    truncation: Truncation
    accuracy: Estimate
    accuracy_unseen: Estimate | None
    largest_class: Estimate | None
    places: tuple[PlaceSummary, ...]
