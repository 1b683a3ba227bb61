"""What the user says about models, training and erasure; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from eraserhead.data.config import DataConfig
from eraserhead.models.architecture import CONTEXTS, Architecture

RUNS = "runs"  # where folders are made that have no name
ERASURE = "erasure"  # in a model's folder: its erasure results
RUN_CONFIG = "run.yaml"  # in a run's folder: the configuration that made it
ONE_SEQUENCE = "an attention-pooling classifier reads one sequence; --data.text_columns joins several"
RandomOther = Literal["uniform", "position"]
CountNeverAs = Literal["beyond_all", "all"]
LIMITS = ("max_length", "max_sentences", "max_sentence_length", "language")  # of the data, that belong to the model
PACKAGED = "packaged"  # the encoder that the extra `demo` installs: no download


@dataclass(frozen=True)
class ModelConfig(Architecture):
    """An attention-pooling classifier.

    Attributes:
        encoder: Hub id or folder of the pretrained encoder; ``packaged`` is the all-MiniLM-L6-v2 of the extra `demo`.
        revision: Branch, tag or commit of the encoder.
    """

    encoder: str = PACKAGED
    revision: str | None = None

    @property
    def architecture(self) -> Architecture:
        """What stands between encoder and decision."""
        return Architecture.of(self)


@dataclass(frozen=True)
class TrainingConfig:
    """How a classifier is trained.

    Attributes:
        freeze_encoder: Train the head alone, on token vectors that are computed once.
        epochs: Passes over the training documents, at most.
        batch_size: Documents an optimisation step, over all processes; what does not fit into `batch_tokens` at once
            is accumulated, so that results do not depend on devices or memory.
        batch_tokens: Tokens that one device processes at a time, padding included; default: 2,048 on a CPU, 32,768 on
            an accelerator.
        learning_rate: Peak learning rate of the head.
        encoder_learning_rate: Peak learning rate of the encoder, where it is not frozen.
        weight_decay: AdamW's weight decay.
        schedule: How learning rates fall: ``linear`` (to 0, after a rise over `warmup`), or ``plateau`` (halved after
            `plateau_patience` epochs without improvement of the validation metric, as in the paper).
        warmup: Share of all steps over which learning rates rise, before they fall linearly.
        plateau_patience: Epochs without improvement after which learning rates are halved.
        clip_norm: Largest norm of the gradient; 0 switches clipping off.
        mixed_precision: Precision of the forward pass on devices that have it.
        metric: Validation metric by which the best epoch is chosen.
        patience: Epochs without improvement after which training stops.
        seed: Seed of initial weights, batches and dropout.
        tensorboard: Write curves for tensorboard into the run's folder (extra `tensorboard`).
    """

    freeze_encoder: bool = True
    epochs: int = 10
    batch_size: int = 32
    batch_tokens: int | None = None
    learning_rate: float = 1e-3
    encoder_learning_rate: float = 3e-5
    weight_decay: float = 0.01
    schedule: Literal["linear", "plateau"] = "linear"
    warmup: float = 0.1
    plateau_patience: int = 1
    clip_norm: float = 1.0
    mixed_precision: Literal["no", "fp16", "bf16"] = "no"
    metric: Literal["accuracy", "macro_f1", "mean_absolute_error"] = "accuracy"
    patience: int = 3
    seed: int = 0
    tensorboard: bool = False


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        output_dir: Folder of the run; default: ``runs/`` and the name on the hub that it is pushed to, or of its data.
        data: The documents.
        model: The classifier.
        training: How it is trained.
        resume: Continue the interrupted run in the folder.
        overwrite: Replace the run in the folder.
        cache_limit: Gigabytes that the token vectors of one set of documents may take on disk, for a frozen encoder;
            above it, or above the free disk, they are computed again in every epoch.
        cpu: Use the CPU even where there is an accelerator.
        push_to_hub: Name on the hub (``user/name``) to push the model to; `push` adds erasure results.
        push_every: ``end`` pushes the finished model, ``best`` also each epoch's that is the best so far, while
            training goes on.
        push_private: Create the repository so that nobody else sees it.
    """

    output_dir: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    resume: bool = False
    overwrite: bool = False
    cache_limit: float = 20.0
    cpu: bool = False
    push_to_hub: str | None = None
    push_every: Literal["end", "best"] = "end"
    push_private: bool = False

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        named = self.push_to_hub or self.data.name or Path(self.data.path or "unnamed").stem
        return Path(self.output_dir or Path(RUNS) / _last_part(named))


@dataclass(frozen=True, kw_only=True)
class SiteConfig:
    """How a classifier is loaded, and where in it weights are erased.

    Attributes:
        revision: Branch, tag or commit of a model on the hub.
        dtype: Precision of the model. A checkpoint in half precision is loaded in float32 too: rounding flips decisions
            that are nearly tied.
        trust_remote_code: Run Python code that the model's repository brings with it, with all your rights on this
            machine; read it before.
        site: ``pooling`` (the default where the model has an attention-pooling layer: the last one, over the sentences
            of a hierarchical model), ``words`` (the attention over the words of its sentences), or inside an encoder
            ``layer:L`` (the weights of the position that the decision is read from, in layer L; default: the last,
            ``layer:-1``), ``layer:L:all`` (of every position), ``all`` (in every layer). Layers count from 0.
        heads: Heads whose weights are erased, from 0, inside an encoder; default: all.
        special_tokens: Whether tokens such as [CLS] are components, inside an encoder; default: yes.
        search: ``greedy`` looks for smaller flipping sets than those of the rankings, at ``words`` and inside an
            encoder; slow.
        memory_budget: Gigabytes that the replays at ``words`` and inside an encoder may take, beside the model and its
            batch; one document, and one erasure, is run in any case.
        cpu: Use the CPU even where there is an accelerator.
    """

    revision: str | None = None
    dtype: Literal["float32", "float64", "bfloat16", "float16"] = "float32"
    trust_remote_code: bool = False
    site: str | None = None
    heads: list[int] | None = None
    special_tokens: bool | None = None
    search: Literal["none", "greedy"] = "none"
    memory_budget: float = 1.0
    cpu: bool = False


@dataclass(frozen=True)
class EraseConfig(SiteConfig):
    """One erasure analysis.

    Attributes:
        model: Folder of a run, or folder or hub id of a model.
        output_dir: Folder of the results; default: ``erasure`` in the model's folder, of a model on the hub
            ``runs/NAME-erasure``; with the site behind it where one is chosen.
        data: The documents; default: the test split of the run's own data.
        label_map: Classes of the data and of the model that mean the same, as ``data=model`` pairs
            (``neg=LABEL_0,pos=LABEL_1``), for accuracy; default: those of the same name.
        draws: Shuffles a document of the random ranking.
        seed: Seed of all draws and of the bootstrap.
        random_other: What the top component is compared with in test 1: ``uniform``, any component but the top;
            ``position``, any but the first, the top included, as in Serrano & Smith's released code.
        count_never_as: How the summary counts a document that never flips: ``beyond_all``, as larger than everything,
            and in no mean; ``all``, as one that flips when everything is erased (fraction 1). The tables keep null.
        batch_tokens: Tokens that one device processes at a time; default: 2,048 on a CPU, 32,768 on an accelerator.
        shard_size: Documents that are finished, and kept whatever happens next, together.
        overwrite: Replace results of another configuration in the folder.
    """

    model: str
    output_dir: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    label_map: list[str] | None = None
    draws: int = 10
    seed: int = 0
    random_other: RandomOther = "uniform"
    count_never_as: CountNeverAs = "beyond_all"
    batch_tokens: int | None = None
    shard_size: int = 200
    overwrite: bool = False

    @property
    def folder(self) -> Path:
        """Folder of the results."""
        if self.output_dir is not None:
            return Path(self.output_dir)
        name = ERASURE if self.site is None else f"{ERASURE}-{self.site.replace(':', '-')}"
        if Path(self.model).is_dir():
            return Path(self.model) / name
        return Path(RUNS) / f"{_last_part(self.model)}-{name}"


@dataclass(frozen=True)
class ReproduceConfig:
    """A study: every data set with every model, as `train` and `erase` would do it, and what the paper shows of it.

    Attributes:
        output_dir: Folder of the study: a run for each cell in ``cells``, ``paper.md`` and ``figures``.
        configs: Folder whose ``data``, ``model`` and ``training`` hold the YAML files that are named.
        datasets: Names of YAML files in ``data``, or paths of others.
        models: Names of YAML files in ``model``, or paths of others; ``flan-none`` and the like have a place on the
            axis of context.
        also: Names of YAML files in ``training``, or paths of others, merged into every cell after those of its data
            set and its model.
        data_root: Folder that replaces the hub as the source of named data sets, in which each has its own folder.
        encoder: Hub id or folder of the encoder of every model; default: as the models say.
        train_size: Documents used for training; default: as the configs say.
        validation_size: Documents held out for validation; default: likewise.
        test_size: Documents used for testing; default: likewise.
        draws: Shuffles a document of the random ranking.
        seed: Seed of samples, training, draws and the bootstrap.
        random_other: As in `erase`.
        count_never_as: As in `erase`.
        batch_tokens: Tokens that one device processes at a time; default: what suits the device and the model.
        cache_limit: As in `train`.
        cpu: Use the CPU even where there is an accelerator.
    """

    output_dir: str
    configs: str = "configs"
    datasets: list[str] = field(default_factory=lambda: ["yelp", "imdb", "amazon", "yahoo"])
    models: list[str] = field(
        default_factory=lambda: [f"{kind}-{context}" for kind in ("flan", "han") for context in CONTEXTS]
    )
    also: list[str] | None = None
    data_root: str | None = None
    encoder: str | None = None
    train_size: int | None = None
    validation_size: int | None = None
    test_size: int | None = None
    draws: int = 10
    seed: int = 0
    random_other: RandomOther = "uniform"
    count_never_as: CountNeverAs = "beyond_all"
    batch_tokens: int | None = None
    cache_limit: float = 20.0
    cpu: bool = False


@dataclass(frozen=True)
class PushConfig:
    """A trained classifier on its way to the hub.

    Attributes:
        model: Folder of a finished run, or of any classifier that `erase` takes.
        repository: Name on the hub (``user/name``).
        erasure: Folder of the model's erasure results; default: ``erasure`` in its folder, if they are finished.
        private: Create the repository so that nobody else sees it.
        revision: Branch to push to; made from ``main`` where there is none.
        tag: Name to give to what was pushed, such as ``v1``.
        include_texts: Publish the documents too, with their texts (``documents.parquet``).
        license: Licence of the model, by the hub's identifier, such as ``apache-2.0``.
        language: Languages of the documents, as ISO 639 codes, such as ``en``.
        dry_run: Write what would be pushed into the folder ``hub`` in the model's, print the card, and push nothing.
    """

    model: str
    repository: str
    erasure: str | None = None
    private: bool = False
    revision: str = "main"
    tag: str | None = None
    include_texts: bool = False
    license: str | None = None
    language: list[str] | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class ShowConfig:
    """Which results are shown.

    Attributes:
        results: Folder of finished erasure results.
    """

    results: str


@dataclass(frozen=True)
class ExplainConfig(SiteConfig):
    """Which decision is explained.

    Attributes:
        model: Folder of a run, or folder or hub id of a model.
        text: The text, unless `file` or `id` says where it is.
        file: File that holds the text.
        id: Id of one document of the data, such as ``test/17``.
        data: The data that `id` names a document of; default: the test split of the run's own data.
        seed: Seed of the random ranking.
        draws: Shuffles of the random ranking.
    """

    model: str
    text: str | None = None
    file: str | None = None
    id: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = 0
    draws: int = 10


@dataclass(frozen=True)
class FamiliesConfig:
    """The table of model families; it has no options."""


def _last_part(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]
