"""Settings of an erasure analysis; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from eraserhead.data.config import DataConfig
from eraserhead.erasure.parts import Part
from eraserhead.loading.config import SiteConfig
from eraserhead.loading.default_folders import results_folder
from eraserhead.method.names import CurveSizes, RandomOther
from eraserhead.settings import LARGEST_SEED, option

CountNeverAs = Literal["beyond_all", "all"]


@dataclass(frozen=True)
class EraseConfig(SiteConfig):
    """One erasure analysis.

    Attributes:
        model: Folder of a run, or folder or hub id of a model.
        output_dir: Folder of the results; default: ``erasure`` in the model's folder, or for a model on the hub
            ``runs/OWNER--NAME+erasure``; site, components, heads, special tokens, target, threshold and part are
            appended where they are set.
        data: The documents; default: the test split of the run's own data.
        label_map: Classes of the data and of the model that mean the same, as ``data=model`` pairs
            (``neg=LABEL_0,pos=LABEL_1``), for accuracy; default: classes of the same name.
        rankings: What orders components: names of rankings, ``all`` (all that are defined at the site),
            ``package.module:function``, or a file of scores (.parquet, .csv or .jsonl); ``name=`` before the last two
            gives them a name. Default: attention, gradient and product; attention is always among them.
        draws: Number of random orders tried for each document; default: 10 where erasures have closed forms; elsewhere
            3, and up to 10 where so few would widen an interval by a tenth or more.
        seed: Seed of all draws.
        random_other: Components that test 1 compares the top with: ``uniform``, all but the top; ``position``, all but
            the first, the top included, as in Serrano & Smith's released code.
        count_never_as: How the summary counts a document that never flips: ``beyond_all``, as larger than everything
            and left out of means; ``all``, as one that flips when everything is erased (fraction 1). The tables keep
            null.
        curves: Where probabilities along rankings are looked at: with ``all``, after every component; with
            ``fractions``, after 1, 5, 10, 20 and 50 % of them; with ``none``, nowhere. Default: ``all`` where erasures
            have closed forms, elsewhere ``fractions``.
        batch_tokens: Tokens that one device processes at a time; default: 1,024 on a CPU, 32,768 on an accelerator.
        shard_size: Most documents of a shard; finished shards survive an interruption; default: some ten minutes'
            work of one CPU core, estimated from model, site and lengths.
        part: Analyse one part of the documents alone, such as ``2/5``: the second of five, for machines that share
            nothing; ``merge`` joins all parts into what one run gives.
        overwrite: Replace results of another setup in the folder.
    """

    model: str
    output_dir: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    label_map: list[str] | None = None
    rankings: list[str] | None = None
    draws: int | None = option(None, low=1)
    seed: int = option(0, low=0, high=LARGEST_SEED)
    random_other: RandomOther = "uniform"
    count_never_as: CountNeverAs = "beyond_all"
    curves: CurveSizes | None = None
    batch_tokens: int | None = option(None, low=1)
    shard_size: int | None = option(None, low=1)
    part: str | None = None
    overwrite: bool = False

    @property
    def folder(self) -> Path:
        """Folder of the results.

        Raises:
            UserError: `part` names no part.
        """
        if self.output_dir is not None:
            return Path(self.output_dir)
        found, part = results_folder(self.model, self), self.asked_part
        return found if part is None else found.with_name(f"{found.name}{part.folder_suffix}")

    @property
    def asked_part(self) -> Part | None:
        """The part that is analysed; null for all documents.

        Raises:
            UserError: `part` names none.
        """
        return None if self.part is None else Part.read(self.part)


@dataclass(frozen=True)
class MergeConfig:
    """Parts of an erasure analysis that are merged.

    Attributes:
        parts: Folders of all parts, finished.
        output_dir: Folder of the merged results.
        overwrite: Replace results of another setup in the folder.
    """

    parts: list[str]
    output_dir: str
    overwrite: bool = False


@dataclass(frozen=True)
class ShowConfig:
    """The results that are shown.

    Attributes:
        results: Folder of finished erasure results, or of the run that holds them; or of an atlas.
        details: Print all tables, or all places of an atlas, not the answer alone.
        format: Print the main table alone, as ``markdown``, ``latex`` (for booktabs), ``csv`` or ``json``; default:
            the answer, for people.
    """

    results: str
    details: bool = False
    format: Literal["markdown", "latex", "csv", "json"] | None = None


@dataclass(frozen=True)
class PlotConfig:
    """The results that are drawn.

    Attributes:
        results: Folders of finished erasure results, or of the runs that hold them; several are drawn side by side.
        output: Folder of the figures; default: `figures` in the folder of the results, or in the current one where
            there are several.
    """

    results: list[str]
    output: str | None = None
