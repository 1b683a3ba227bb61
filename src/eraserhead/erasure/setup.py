"""What determines the results of an analysis; light imports, so that views are quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from eraserhead.data.provenance import LabelsRead, Provenance
from eraserhead.environment import Environment
from eraserhead.erasure.config import CountNeverAs, RandomOther
from eraserhead.loading.setup import ModelSetup, SiteSetup
from eraserhead.method.names import CurveSizes
from eraserhead.models.architecture import Limits


@dataclass(frozen=True)
class Setup:
    """Everything that determines the results; analyses with equal setups may share a folder.

    Attributes:
        model: The model.
        site: Where its weights are erased.
        data: The documents, with their fingerprint.
        labels: How their labels were read.
        label_map: Classes of the data and of the model that mean the same, where they were given.
        limits: What the model reads of a document.
        rankings: Names of the rankings that order components.
        ranking_sources: Of rankings that are not built in, by name: the function that scores, as ``module:function``,
            or ``table`` and the digest of the scores.
        draws: Number of random orders tried for each document, where it was given; null where the results decide.
        seed: Seed of all draws.
        random_other: Components that test 1 compares the top with.
        count_never_as: How the summary counts a document that never flips.
        curves: Where probabilities along rankings are looked at.
        shard_size: Most documents of a shard.
        part: Which part of the documents these are, such as ``2/5``; null where they are all.
    """

    FORMAT: ClassVar[int] = 6

    model: ModelSetup
    site: SiteSetup
    data: Provenance
    labels: LabelsRead | None
    label_map: list[str] | None
    limits: Limits
    rankings: tuple[str, ...]
    ranking_sources: dict[str, str]
    draws: int | None
    seed: int
    random_other: RandomOther
    count_never_as: CountNeverAs
    curves: CurveSizes
    shard_size: int
    part: str | None = None


@dataclass(frozen=True, kw_only=True)
class ErasureRun(Environment):
    """How an analysis went; nothing here determines results.

    Attributes:
        seconds: Seconds that the analysis took, without loading; of an analysis that was continued, the last call's.
        devices: The processes and devices that were in use.
        search_seconds: Seconds that the search for smaller sets took in the main process; null without a search.
        ranking_seconds: Seconds that each ranking took in the main process, without the reading of documents and single
            erasures, which all rankings share.
        missed_sums: Of rankings whose scores of a document's tokens should sum to a change of its margin: by how much a
            sum misses it at most, among the documents of the main process.
        ranked: Number of documents that these seconds were spent on.
        unlaid_spans: Of rankings that are tables of spans: how many spans lie on no component of their documents.
        earlier_shards: Shards that were finished before the last call.
        parts: How many parts were merged, whose seconds and shards are added up; null where there was one run.
        files: Digest of each table's file by name, by which damage is found.
    """

    seconds: float
    devices: str
    files: dict[str, str]
    search_seconds: float | None = None
    ranking_seconds: dict[str, float] = field(default_factory=dict)
    missed_sums: dict[str, float] = field(default_factory=dict)
    ranked: int = 0
    unlaid_spans: dict[str, int] = field(default_factory=dict)
    earlier_shards: int = 0
    parts: int | None = None
