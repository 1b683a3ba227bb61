"""Options of `train`; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from eraserhead.data.config import DataConfig
from eraserhead.loading.default_folders import run_folder
from eraserhead.models.architecture import MULTI_LABEL, SINGLE_LABEL, Architecture
from eraserhead.settings import LARGEST_SEED, option

PACKAGED = "packaged"  # the encoder that the extra `demo` installs, without a download


@dataclass(frozen=True)
class ModelConfig(Architecture):
    """An attention-pooling classifier.

    Attributes:
        problem_type: ``single_label_classification``, where a document has one class, or
            ``multi_label_classification``, where it may have several labels or none.
        encoder: Hub id or folder of the pretrained encoder; ``packaged`` is all-MiniLM-L6-v2 from the extra `demo`.
        revision: Branch, tag or commit of the encoder.
    """

    problem_type: Literal["single_label_classification", "multi_label_classification"] = SINGLE_LABEL
    encoder: str = PACKAGED
    revision: str | None = None

    @property
    def multi_label(self) -> bool:
        """Whether a document may have several labels."""
        return self.problem_type == MULTI_LABEL

    @property
    def architecture(self) -> Architecture:
        """The layers between encoder and decision."""
        return Architecture.of(self)


Method = Literal["lora", "dora", "loha", "lokr", "ia3"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class AdapterConfig:
    """An adapter on the encoder: small weights that are trained beside its own, which stay as they are.

    Attributes:
        r: Rank of the change of each weight.
        alpha: The change is scaled by this over the rank.
        dropout: Dropout probability of what goes through the change.
        target_modules: Names of the layers that are adapted, or ``all-linear``; default: those that peft names for the
            family of the encoder, else all linear layers.
        learning_rate: Peak learning rate of the adapter.
        keep: Write the adapter itself too, in the format of peft and with the head's weights beside it, into the folder
            ``adapter`` of the run; the model of the run has it merged into its weights.
    """

    r: int = option(16, low=1)
    alpha: float = option(32.0, low=1e-6)
    dropout: float = option(0.0, low=0, high=0.99)
    target_modules: list[str] | None = None
    learning_rate: float = option(5e-4, low=1e-12, high=10)
    keep: bool = False


@dataclass(frozen=True)
class TrainingConfig:
    """How a classifier is trained.

    Attributes:
        freeze_encoder: Train only the head, on token vectors that are computed once.
        adapter: Train small weights beside the frozen encoder's own, too: ``lora`` (Hu et al. 2022), ``dora``,
            ``loha``, ``lokr`` or ``ia3``, as peft has them (extra `adapters`); their options are those of `adapter`.
        gradient_checkpointing: Keep no inner results of the encoder's layers for the gradient, and compute them again:
            less memory for more time.
        epochs: Largest number of passes over the training documents.
        batch_size: Documents per optimisation step, over all processes. Gradients of batches larger than
            `batch_tokens` are accumulated, so that results do not depend on devices or memory.
        batch_tokens: Tokens that one device processes at a time, padding included; default: 2,048 on a CPU and 32,768
            on an accelerator, and eight times as many where the head is trained alone.
        learning_rate: Peak learning rate of the head.
        encoder_learning_rate: Peak learning rate of the encoder, if it is not frozen.
        weight_decay: AdamW's weight decay.
        schedule: How learning rates fall: ``linear`` (to 0, after a rise over `warmup`), or ``plateau`` (halved after
            `plateau_patience` epochs without improvement of the validation metric, as in the paper).
        warmup: Share of all steps in which learning rates rise, before they fall linearly.
        plateau_patience: Epochs without improvement after which learning rates are halved.
        clip_norm: Largest norm of the gradient; 0 switches clipping off.
        erase_attention: Erasure in training, so that erased attention is nothing new to the decision: with this
            probability a document's components are each kept with a probability that is drawn anew, uniform between 0
            and 1, at least one of them; the last attention's other weights are erased. 0 switches it off.
        mixed_precision: Precision of the forward pass, on devices that support it; default: that of the file of
            `accelerate launch`, else ``no``.
        class_weights: How much the loss of a document counts, by its class: ``balanced`` (all classes together count
            alike), or ``CLASS=WEIGHT`` pairs, where classes without a pair count 1. Of a multi-label model, how much
            the loss of a label that should be on counts. Default: all alike.
        label_smoothing: Share of the target's probability that is spread evenly over all classes.
        metric: Validation metric that decides which epoch is best; default: accuracy, for multi-label models micro_f1.
        patience: Epochs without improvement after which training stops.
        seed: Seed of initial weights, batches, dropout and erasure.
        trackers: Experiment trackers that get the options and each epoch's metrics: ``tensorboard``, ``trackio``,
            ``wandb``, ``mlflow``. What they write stays in the run's folder, unless their own environment variables
            say otherwise.
    """

    freeze_encoder: bool = True
    adapter: Method | None = None
    gradient_checkpointing: bool = option(False, belongs_to={"freeze_encoder": (False,), "adapter": METHODS})
    epochs: int = option(10, low=1)
    batch_size: int = option(32, low=1)
    batch_tokens: int | None = option(None, low=1)
    learning_rate: float = option(1e-3, low=1e-12, high=1e30)
    encoder_learning_rate: float = option(3e-5, low=1e-12, high=10, belongs_to={"freeze_encoder": (False,)})
    weight_decay: float = option(0.01, low=0)
    schedule: Literal["linear", "plateau"] = "linear"
    warmup: float = option(0.1, low=0, high=1, belongs_to={"schedule": ("linear",)})
    plateau_patience: int = option(1, low=1, belongs_to={"schedule": ("plateau",)})
    clip_norm: float = option(1.0, low=0)
    erase_attention: float = option(0.0, low=0, high=1)
    mixed_precision: Literal["no", "fp16", "bf16"] | None = None
    class_weights: list[str] | None = None
    label_smoothing: float = option(0.0, low=0, high=0.99)
    metric: Literal["accuracy", "balanced_accuracy", "macro_f1", "micro_f1", "mean_absolute_error"] | None = None
    patience: int = option(3, low=1)
    seed: int = option(0, low=0, high=LARGEST_SEED)
    trackers: list[str] | None = None

    @property
    def runs_encoder(self) -> bool:
        """Whether the encoder runs in each step, since it or an adapter on it is trained."""
        return not self.freeze_encoder or self.adapter is not None

    @property
    def best_by(self) -> str:
        """The validation metric that chooses the best epoch; see `TrainConfig.with_metric`."""
        return self.metric or "accuracy"


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        output_dir: Folder of the run; default: ``runs/NAME``, where NAME is the model's name in `push_to_hub`, else
            that of the data (``OWNER--NAME``).
        data: The documents.
        model: The classifier.
        training: How it is trained.
        adapter: The adapter on the encoder, if one is trained.
        resume: Continue the interrupted run in the folder.
        overwrite: Replace the run in the folder.
        cache_limit: Gigabytes that the token vectors of one set of documents may take on disk, for a frozen encoder;
            if they need more, or more than is free, they are computed again in every epoch.
        cpu: Use the CPU even where there is an accelerator.
        push_to_hub: Name on the hub (``user/name``) to push the model to; `push` adds erasure results.
        push_every: ``end`` pushes the finished model; ``best`` also pushes the model after each epoch that is the best
            so far, while training goes on.
        push_private: Create a private repository.
    """

    output_dir: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    resume: bool = False
    overwrite: bool = False
    cache_limit: float = option(20.0, low=0, belongs_to={"training.freeze_encoder": (True,)})
    cpu: bool = False
    push_to_hub: str | None = None
    push_every: Literal["end", "best"] = "end"
    push_private: bool = False

    def with_metric(self) -> "TrainConfig":
        """Return the same with the metric that the kind of model calls for, where none is chosen."""
        default = "micro_f1" if self.model.multi_label else "accuracy"
        return replace(self, training=replace(self.training, metric=self.training.metric or default))

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        if self.output_dir is not None:
            return Path(self.output_dir)
        return run_folder(self.push_to_hub, self.data.name, self.data.subset, self.data.path)
