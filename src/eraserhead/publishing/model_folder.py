"""Read a model's folder before it is published."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, PreTrainedConfig

from eraserhead.disk import disk_failures
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.summary import Summary
from eraserhead.errors import Job, Setting, UserError
from eraserhead.files import read_mapping
from eraserhead.loading.boundary import load, quiet
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.loading.fingerprints import stored_fingerprint, weight_files, weights_fingerprint
from eraserhead.loading.model_config import class_for, read_config
from eraserhead.loading.model_files import check_finished, check_undamaged, find_weights, is_adapter
from eraserhead.loading.run_layout import RUN
from eraserhead.loading.setup import BaseSetup
from eraserhead.loading.stored_weights import check_fit
from eraserhead.loading.training_data import TrainingData
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.publishing.public_names import is_local
from eraserhead.training.config import PACKAGED, TrainConfig
from eraserhead.training.folder import RunFolder
from eraserhead.training.records import Metrics, TrainingEnvironment

SNAPSHOTS, BLOBS = "snapshots", "blobs"  # folders of the hub's cache, of which the first links to the second
CODE = "auto_map"  # key in config.json that names the classes of a model's own code

logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class Results:
    """Finished erasure results, read once.

    Attributes:
        folder: Folder of the results.
        summary: Their aggregates.
    """

    folder: ResultsFolder
    summary: Summary


@dataclass(frozen=True)
class Source:
    """A finished model and what its folder says about it; null where it does not say.

    Attributes:
        folder: Folder of the model.
        config: Its configuration.
        config_content: The content of its ``config.json``.
        run: The options of the run that trained it.
        data: The documents that it was trained on.
        metrics: The metrics of that run.
        environment: Versions, and the encoder's commit.
        results: Its erasure results, those that the card tells of first in front.
        hub_id: Its name on the hub, where it was given by that.
        adapter: The folder that was given, of an adapter; `folder` then has the model that it was merged into.
        base: The base model of that.
    """

    folder: Path
    config: PreTrainedConfig
    config_content: dict[str, Any]
    run: TrainConfig | None
    data: TrainingData | None
    metrics: Metrics | None
    environment: TrainingEnvironment | None
    results: tuple[Results, ...] = ()
    hub_id: str | None = None
    adapter: Path | None = None
    base: BaseSetup | None = None

    @property
    def given(self) -> Path:
        """The folder that was given."""
        return self.adapter or self.folder

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.hub_id or str(self.given)

    @property
    def ours(self) -> bool:
        """Whether it is an attention-pooling classifier."""
        return isinstance(self.config, AttentionPoolingConfig)

    @property
    def own_code(self) -> bool:
        """Whether it is Python code of its folder, other than ours."""
        return not self.ours and bool(self.config_content.get(CODE))

    @property
    def weights(self) -> list[str]:
        """Names of the files of its weights."""
        files = weight_files(self.folder)
        return files if files == [RUN.weights] else [RUN.index, *files]

    @property
    def published_as_stored(self) -> bool:
        """Whether its files are safetensors whose weights have the model's own names."""
        files = find_weights(str(self.folder), str(self.folder))
        if files.pickled or self.own_code:
            return not files.pickled
        kind = class_for(self.config, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING)
        return kind is None or not check_fit(self.config, kind, files, str(self.folder)).prefix

    @property
    def encoder(self) -> str | None:
        """The folder that the encoder came from; null where it came from the hub or with a package."""
        if self.run is None:
            return None
        name = self.run.model.encoder
        from_hub = not is_local(name) if self.environment is None else self.environment.encoder.from_hub
        return None if from_hub or name == PACKAGED else name

    @property
    def paths(self) -> list[str]:
        """Local paths that its folder mentions."""
        named = [str(self.folder), str(self.given), self.encoder]
        named += [] if self.base is None or self.base.revision is not None else [self.base.name]
        named += [] if self.run is None else [self.run.data.path, self.run.output_dir]
        return [path for path in named if path]


def find_results(folder: Path, erasure: Sequence[str] | None = None) -> tuple[Results, ...]:
    """Return the erasure results to publish: the named ones, else finished ones in the model's folder.

    Raises:
        UserError: Results are a part of some, named ones are not finished or named twice, or a file is damaged.
    """
    if erasure is None:
        results = ResultsFolder(folder / RUN.erasure)
        return tuple(filter(None, [_checked(results)])) if results.complete else ()
    twice = [name for name in erasure if list(map(_place, erasure)).count(_place(name)) > 1]
    if twice:
        raise UserError(Setting("erasure", list(erasure)), f": name {twice[0]} once")
    return tuple(filter(None, (_checked(ResultsFolder(Path(name))) for name in erasure)))


def _place(name: str) -> Path:
    return Path(name).resolve()


def _checked(results: ResultsFolder) -> Results | None:
    """Return finished results; null, with a line that says so, where no document could be analysed."""
    summary = results.checked_summary()
    if summary.setup.part is not None:
        raise UserError(
            f"{results.path}: part {summary.setup.part} of erasure results; ",
            Job("merge"),
            " all parts, and name the merged ones with ",
            Setting("erasure"),
        )
    if not summary.documents.analysed:
        logger.info(f"{results.path}: no document could be analysed; there are no results to publish")
        return None
    return Results(results, summary)


def texts_of(results: Sequence[Results]) -> list[str]:
    """Return the texts of all documents in results."""
    tables = (each.folder.table("documents", ["text"]) for each in results)
    return [text for table in tables for text in table.column("text").to_pylist()]


def check_source(source: Source) -> None:
    """Refuse an incomplete classifier, and erasure results of another model.

    A model with the fingerprint in its results is not loaded again: it was checked when it was erased.

    Raises:
        UserError: The model is incomplete, or the results belong to another model.
    """
    if not source.results and source.adapter is None:  # `source_of` has loaded an adapter
        load_checkpoint(str(source.given), trust_remote_code=source.own_code)
    for results in source.results:
        _check_same_model(source, results)


def _check_same_model(source: Source, results: Results) -> None:
    """Refuse erasure results of another model."""
    name, setup = str(source.given), results.summary.setup
    plain = source.adapter is None and not source.own_code
    if plain and load(name, lambda: stored_fingerprint(source.folder, setup.site.dtype)) == setup.model.weights:
        return
    checkpoint = load_checkpoint(name, dtype=setup.site.dtype, trust_remote_code=source.own_code)
    if weights_fingerprint(checkpoint.model) != setup.model.weights:
        raise UserError(
            f"{results.folder.path}: erasure results of another model than {source.name} (its weights "
            "differ); erase again, or name the right ones with ",
            Setting("erasure"),
        )


@contextmanager
def source_of(folder: Path, results: Sequence[Results], trust_remote_code: bool = False) -> Iterator[Source]:
    """Read what a model's folder says of it; an adapter is merged into its base model in a folder for the while.

    Args:
        folder: Folder of the model.
        results: Its erasure results.
        trust_remote_code: Whether the model may be Python code of its folder.

    Raises:
        UserError: There is no model, or a file is damaged.
    """
    if not is_adapter(folder):
        yield read_source(folder, results, trust_remote_code)
        return
    checkpoint = load_checkpoint(str(folder), trust_remote_code=trust_remote_code)
    with tempfile.TemporaryDirectory() as scratch, disk_failures(Path(scratch)):
        with quiet():
            checkpoint.model.save_pretrained(scratch)
        checkpoint.tokenizer.save_pretrained(scratch)
        merged = read_source(Path(scratch), results, trust_remote_code)
        yield replace(merged, adapter=folder, base=checkpoint.base)


def read_source(
    folder: Path, results: Sequence[Results] = (), trust_remote_code: bool = False, hub_id: str | None = None
) -> Source:
    """Read what a model's folder says about it; see `source_of`.

    Args:
        folder: Folder of the model.
        results: Its erasure results.
        trust_remote_code: Whether the model may be Python code of its folder.
        hub_id: Its name on the hub, where the folder is in the hub's cache.

    Raises:
        UserError: There is no model, or a file is damaged.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a finished run, or the id of a model on the hub")
    name = hub_id or str(folder)
    check_finished(str(folder), name)
    check_undamaged(folder)
    _refuse_links_outside(folder)
    run = RunFolder(folder)
    return Source(
        folder=folder,
        config=read_config(str(folder), name, classifier=True, trust_remote_code=trust_remote_code),
        config_content=read_mapping(folder / RUN.config, "save the model again"),
        run=run.config(),
        data=run.data(),
        metrics=run.metrics(),
        environment=run.environment(),
        results=tuple(results),
        hub_id=hub_id,
    )


def _refuse_links_outside(folder: Path) -> None:
    """Refuse a folder whose links would publish files from elsewhere; the hub's own cache links to files beside it.

    Raises:
        UserError: Naming the first.
    """
    place = folder.resolve()
    in_cache = place.parent.name == SNAPSHOTS
    own = (place, place.parent.with_name(BLOBS)) if in_cache else (place,)
    for file in sorted(folder.iterdir()):
        target = file.resolve()
        if file.is_symlink() and file.is_file() and not any(map(target.is_relative_to, own)):
            raise UserError(
                f"{folder}: {file.name} is a link to {target}, outside of the folder, and a push would publish that; "
                "put the file itself there"
            )
