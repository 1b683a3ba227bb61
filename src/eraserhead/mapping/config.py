"""Settings of an atlas; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from eraserhead.data.config import DataConfig
from eraserhead.loading.config import EACH_HEAD, ReadingConfig
from eraserhead.loading.default_folders import atlas_folder
from eraserhead.settings import LARGEST_SEED, option

Heads = Literal["each", "none", "complete"]


@dataclass(frozen=True)
class AtlasConfig(ReadingConfig):
    """An atlas of a checkpoint's layers and heads.

    Attributes:
        model: Folder or hub id of a classifier, whose attention is its own encoder's.
        output_dir: Folder of the atlas; default: ``atlas`` in the model's folder, or for a model on the hub
            ``runs/OWNER--NAME+atlas``; layers, heads, components, special tokens, target and threshold are appended
            where they are set.
        data: The documents; default: the test split of the run's own data.
        label_map: Classes of the data and of the model that mean the same, as ``data=model`` pairs
            (``neg=LABEL_0,pos=LABEL_1``), for accuracy; default: classes of the same name.
        layers: Numbers of the layers, from 0, negative ones from the last; default: all.
        heads: What is looked at of every head alone: with ``each``, prefixes of 1, 2, 4, ... and all components; with
            ``complete``, every prefix, as of the layers, which takes long; with ``none``, layers alone.
        draws: Number of random orders tried for each document.
        seed: Seed of all draws.
        batch_tokens: Tokens that one device processes at a time; default: 1,024 on a CPU, 32,768 on an accelerator,
            fewer where the readings of all layers would take more than the memory budget.
        shard_size: Most documents of a shard; finished shards survive an interruption; default: some ten minutes'
            work of one CPU core, estimated from model, places and lengths.
        overwrite: Replace an atlas of another setup in the folder.
    """

    model: str
    output_dir: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    label_map: list[str] | None = None
    layers: list[int] | None = None
    heads: Heads = EACH_HEAD
    draws: int = option(2, low=1)
    seed: int = option(0, low=0, high=LARGEST_SEED)
    batch_tokens: int | None = option(None, low=1)
    shard_size: int | None = option(None, low=1)
    overwrite: bool = False

    @property
    def folder(self) -> Path:
        """Folder of the atlas."""
        if self.output_dir is not None:
            return Path(self.output_dir)
        return atlas_folder(self.model, self, self.layers, self.heads)
