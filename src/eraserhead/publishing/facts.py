"""What is published about a model, without anything local to a machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from eraserhead.data.config import DataConfig
from eraserhead.data.named_sets import NAMED
from eraserhead.data.provenance import Provenance
from eraserhead.erasure.summary import Summary
from eraserhead.explanation.explained import Explanation
from eraserhead.loading.checkpoints import class_names
from eraserhead.loading.targets import decides_by_label
from eraserhead.loading.training_data import TrainingData
from eraserhead.models.architecture import Architecture, Limits
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.publishing.data_names import hub_name
from eraserhead.publishing.licenses import License
from eraserhead.publishing.model_folder import Source
from eraserhead.publishing.public_names import last_part, publishable
from eraserhead.records import checked, plain
from eraserhead.training.config import PACKAGED, ModelConfig, TrainingConfig
from eraserhead.training.records import Metrics, TrainingEnvironment

# The encoder that the extra `demo` installs is a copy of this one.
PACKAGED_IS = "sentence-transformers/all-MiniLM-L6-v2"
Record = TypeVar("Record")


@dataclass(frozen=True)
class Options:
    """How a model is published.

    Attributes:
        repository: Its name on the hub.
        license: Its licence.
        language: Languages of the documents, as ISO 639 codes.
        include_texts: Whether the documents' texts are published too.
        examples: Texts of the publisher's, whose decisions are shown.
        page: Whether the page is published on which one erases words by hand.
    """

    repository: str
    license: License | None = None
    language: Sequence[str] = ()
    include_texts: bool = False
    examples: Sequence[str] = ()
    page: bool = False

    def or_as_in(self, card: Mapping[str, Any]) -> "Options":
        """Return these options, with a missing licence or missing languages taken from an existing card."""
        stated = card.get("language") or ()
        languages = (stated,) if isinstance(stated, str) else tuple(stated)
        return replace(self, license=self.license or License.of_card(card), language=self.language or languages)


@dataclass(frozen=True)
class PublicConfig:
    """The part of a run's options that is published."""

    data: DataConfig
    model: ModelConfig
    training: TrainingConfig


@dataclass(frozen=True)
class Training:
    """How a model was trained, as far as it is known; the content of ``training.json``.

    Attributes:
        config: The options.
        data: The documents, with their fingerprints.
        metrics: The metrics of the run.
        environment: Where it was trained, and from which encoder.
    """

    FORMAT: ClassVar[int] = 3

    config: PublicConfig | None = None
    data: TrainingData | None = None
    metrics: Metrics | None = None
    environment: TrainingEnvironment | None = None

    @property
    def known(self) -> bool:
        """Whether anything is known about the training."""
        return self != Training()


@dataclass(frozen=True)
class Facts:
    """What is published about a model.

    Attributes:
        repository: Its name on the hub.
        family: Its model type.
        classes: Class names in index order.
        by_label: Whether it decides label by label, not among its classes.
        architecture: The layers between encoder and decision; null unless it is an attention-pooling classifier.
        encoder_family: Model type of its encoder; null for the same models.
        reads: How much of a document it reads; null for the same models.
        training: How it was trained.
        summary: Its erasure results, if there are any.
        further: Results at other sites, or on other data.
        base_model: The encoder, or the base model of an adapter, if it is on the hub.
        datasets: Ids of its data sets on the hub.
        license: Its licence.
        language: Languages of the documents.
        texts: Whether the documents' texts are published.
        own_code: Whether it is Python code of its repository, other than ours.
        page: Whether the page is published on which one erases words by hand.
        explained: Decisions on texts of the publisher's; the card shows the first.
    """

    repository: str
    family: str
    classes: Sequence[str]
    by_label: bool
    architecture: Architecture | None
    encoder_family: str | None
    reads: Limits | None
    training: Training
    summary: Summary | None
    base_model: str | None
    datasets: Sequence[str]
    license: License | None
    language: Sequence[str]
    texts: bool
    own_code: bool = False
    page: bool = False
    further: Sequence[Summary] = ()
    explained: Sequence[Explanation] = ()

    @property
    def examples(self) -> Sequence[str]:
        """Texts of the publisher's."""
        return [each.text for each in self.explained]

    @property
    def summaries(self) -> Sequence[Summary]:
        """All its erasure results."""
        return () if self.summary is None else (self.summary, *self.further)

    @property
    def ours(self) -> bool:
        """Whether it is an attention-pooling classifier."""
        return self.architecture is not None

    @property
    def title(self) -> str:
        """The repository's name without its owner's."""
        return self.repository.rpartition("/")[2]

    @property
    def documents(self) -> Mapping[str, Provenance]:
        """The documents of training by role."""
        return {} if self.training.data is None else self.training.data.documents

    @property
    def test(self) -> Mapping[str, float]:
        """Metrics on the test documents."""
        return (self.training.metrics and self.training.metrics.test) or {}

    @property
    def test_unseen(self) -> Mapping[str, float]:
        """Metrics on the test documents that training did not see."""
        return (self.training.metrics and self.training.metrics.test_unseen) or {}

    @property
    def test_overlaps(self) -> bool:
        """Whether training saw some of the test documents; texts that chose its best epoch are not counted by role."""
        return self.test_trained_on > 0 or self.test_unseen != self.test

    @property
    def test_trained_on(self) -> int:
        """How many test documents were trained on."""
        return 0 if self.training.data is None else self.training.data.trained_on.get("test", 0)


def gather_facts(source: Source, options: Options) -> Facts:
    """Return the facts to publish from a model's configurations and results, without anything local."""
    names, config = training_names(source), source.config
    ours = config if isinstance(config, AttentionPoolingConfig) else None
    run = source.run
    training = Training(
        config=None if run is None else PublicConfig(run.data, run.model, run.training),
        data=source.data,
        metrics=source.metrics,
        environment=source.environment,
    )
    documents = {} if source.data is None else source.data.documents
    summaries = [public_summary(results.summary, options.repository) for results in source.results]
    sets = dict.fromkeys(hub_name(found.name) for found in documents.values() if found.name)
    return Facts(
        repository=options.repository,
        family=config.model_type,
        classes=class_names(config),
        by_label=decides_by_label(config),
        architecture=None if ours is None else ours.architecture,
        encoder_family=None if ours is None else ours.encoder_config.model_type,
        reads=None if ours is None else ours.reads,
        training=public(training, names),
        summary=next(iter(summaries), None),
        further=tuple(summaries[1:]),
        base_model=_base_model(source),
        datasets=tuple(name for name in sets if name),
        license=options.license,
        language=tuple(options.language),
        texts=options.include_texts,
        own_code=source.own_code,
        page=options.page,
    )


def public(record: Record, names: Mapping[str, str]) -> Record:
    """Return a record without local paths; see `publishable`."""
    return checked(type(record), publishable(plain(record), names), Path(), "")


def training_names(source: Source) -> dict[str, str]:
    """Return the public names of the paths in a run's options."""
    names = {PACKAGED: PACKAGED_IS}
    if source.run is not None:
        trained_on = None if source.data is None else source.data.documents.get("train")
        fingerprint = None if trained_on is None else trained_on.fingerprint
        names |= _data_name(source.run.data.name, source.run.data.path, fingerprint)
    return names if source.encoder is None else {**names, source.encoder: last_part(source.encoder)}


def public_summary(summary: Summary, repository: str) -> Summary:
    """Return a summary of results without local paths, and without the digests of tables that may be left out."""
    model, data = summary.setup.model, summary.setup.data
    names = {model.name: repository, **_data_name(data.name, data.path, data.fingerprint)}
    if model.base is not None and model.base.revision is None:
        names[model.base.name] = last_part(model.base.name)
    return public(replace(summary, run=replace(summary.run, files={})), names)


def _base_model(source: Source) -> str | None:
    """Return the name on the hub of the encoder, or of an adapter's base model; null where it has none there."""
    if source.base is not None:
        return None if source.base.revision is None else source.base.name
    if source.environment is None:
        return PACKAGED_IS if source.run is not None and source.run.model.encoder == PACKAGED else None
    encoder = source.environment.encoder
    return PACKAGED_IS if encoder.name == PACKAGED else encoder.name if encoder.from_hub else None


def _data_name(name: str | None, path: str | None, fingerprint: str | None) -> dict[str, str]:
    """Return the public name of a data set's path: its name on the hub, else its folder's name and fingerprint."""
    if path is None:
        return {}
    known = NAMED[name].hub if name in NAMED else None
    mark = f" (sha256 {fingerprint[:16]})" if fingerprint else ""
    return {path: known or f"{last_part(path)}{mark}"}
