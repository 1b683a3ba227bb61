"""A model's folder as it is read before anything of it is published."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eraserhead.erasure.results import ResultsFolder
from eraserhead.errors import Setting, UserError
from eraserhead.files import read_mapping
from eraserhead.loading.checkpoints import DATA, check_finished, load_checkpoint, weights_fingerprint
from eraserhead.loading.config import ERASURE, RUN_CONFIG
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.publishing.public_names import is_local
from eraserhead.training.config import PACKAGED
from eraserhead.training.folder import ENVIRONMENT, IDENTITY, METRICS

logger = logging.getLogger("eraserhead")

CONFIG, INDEX = "config.json", "model.safetensors.index.json"


@dataclass(frozen=True)
class Source:
    """A finished model and what its folder says of it; null where it does not say.

    Attributes:
        folder: Folder of the model.
        config: Its ``config.json``.
        run: The configuration that made it.
        data: The documents that it was trained on.
        metrics: What training came to.
        environment: Versions, and the encoder's commit.
        documents: Fingerprints of the documents by role.
        results: Its erasure results.
    """

    folder: Path
    config: dict[str, Any]
    run: dict[str, Any] | None
    data: dict[str, Any] | None
    metrics: dict[str, Any] | None
    environment: dict[str, Any] | None
    documents: dict[str, str]
    results: ResultsFolder | None

    @property
    def ours(self) -> bool:
        """Whether it is an attention-pooling classifier."""
        return self.config.get("model_type") == AttentionPoolingConfig.model_type

    @property
    def weights(self) -> list[str]:
        """Names of the files of its weights."""
        index = self.folder / INDEX
        if not index.is_file():
            return ["model.safetensors"]
        return [INDEX, *sorted(set(read_mapping(index, "save the model again")["weight_map"].values()))]

    @property
    def encoder(self) -> str | None:
        """The folder that the encoder came from; null where it came from the hub or with a package."""
        name = (self.run or {}).get("model", {}).get("encoder")
        stored = (self.environment or {}).get("encoder")
        from_hub = is_from_hub(stored) if stored is not None else name is None or not is_local(name)
        return None if from_hub or name == PACKAGED else name

    @property
    def paths(self) -> list[str]:
        """Local paths that its folder speaks of."""
        run = self.run or {}
        named = [str(self.folder), run.get("data", {}).get("path"), self.encoder, run.get("output_dir")]
        return [path for path in named if path]


def is_from_hub(encoder: Mapping[str, str | None]) -> bool:
    """Tell whether an encoder, as a run's environment names it, came from the hub: its commit is known then."""
    return encoder["revision"] is not None


def find_results(folder: Path, erasure: str | None = None) -> ResultsFolder | None:
    """Return the erasure results that are published: those that are named, or finished ones in the model's folder.

    Raises:
        UserError: Those that are named are not finished, or a file of them is damaged.
    """
    results = ResultsFolder(folder / ERASURE if erasure is None else Path(erasure))
    if erasure is None and not results.complete:
        return None
    results.check_readable()
    if not results.summary()["documents"]["analysed"]:
        logger.info(f"{results.path}: no document could be analysed; there are no results to publish")
        return None
    return results


def check_source(source: Source) -> None:
    """Refuse what is no whole classifier, and erasure results that are another model's.

    Raises:
        UserError: Saying which.
    """
    if source.results is None:
        load_checkpoint(str(source.folder))
        return
    made_with = source.results.summary()["configuration"]
    checkpoint = load_checkpoint(str(source.folder), dtype=made_with["dtype"])
    if made_with["model"]["weights"] != weights_fingerprint(checkpoint.model):
        raise UserError(
            f"{source.results.path}: erasure results of another model than {source.folder} (its weights differ); erase "
            "again, or name the right ones with ",
            Setting("erasure"),
        )


def read_source(folder: Path, results: ResultsFolder | None) -> Source:
    """Read what a model's folder says of it.

    Raises:
        UserError: There is no model, or a file is damaged.
    """

    def read(name: str) -> dict[str, Any] | None:
        return read_mapping(folder / name, f"mend or remove {name}") if (folder / name).is_file() else None

    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a finished run")
    check_finished(str(folder))
    identity = read(IDENTITY) or {}
    return Source(
        folder=folder,
        config=read_mapping(folder / CONFIG, "save the model again"),
        run=read(RUN_CONFIG),
        data=read(DATA),
        metrics=read(METRICS),
        environment=read(ENVIRONMENT),
        documents=identity.get("documents", {}),
        results=results,
    )
