"""An adapter of peft on the encoder in training: put on, counted, merged, and saved beside the head."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from eraserhead.errors import Setting, UserError, listed
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.training.config import AdapterConfig, Method

PREFIX = "base_model.model."  # what peft adds to the names of the encoder's weights
HEAD, WEIGHTS = "head.safetensors", "adapter_model.safetensors"
EVERY_LINEAR = "all-linear"
# How the methods call an option; one that a method does not name has no effect with it.
NAMES: dict[Method, dict[str, str]] = {
    "lora": {"r": "r", "alpha": "lora_alpha", "dropout": "lora_dropout"},
    "dora": {"r": "r", "alpha": "lora_alpha", "dropout": "lora_dropout"},
    "loha": {"r": "r", "alpha": "alpha", "dropout": "module_dropout"},
    "lokr": {"r": "r", "alpha": "alpha", "dropout": "module_dropout"},
    "ia3": {},
}
OF_ALL = ("target_modules", "learning_rate", "keep")


def idle_options(method: Method | None) -> set[str]:
    """Return the names of the options that have no effect with a method: without one, all of them."""
    known = () if method is None else (*OF_ALL, *NAMES[method])
    return {option.name for option in fields(AdapterConfig)} - {*known}


def without_idle(method: Method | None, config: AdapterConfig) -> AdapterConfig:
    """Return the options with the defaults of those that have no effect with a method."""
    return replace(config, **{name: getattr(AdapterConfig(), name) for name in idle_options(method)})


def check_adapter(method: Method | None, config: AdapterConfig) -> None:
    """Refuse options of adapters without an effect, and a method whose library is not installed.

    Raises:
        UserError: Naming the options, or the extra.
    """
    idle = idle_options(method)
    for option in fields(config):
        value = getattr(config, option.name)
        if value == getattr(AdapterConfig(), option.name) or option.name not in idle:
            continue
        why = ("training.adapter", "lora") if method is None else ("training.adapter", method)
        without = ": has no effect without " if method is None else ": has no effect with "
        raise UserError(Setting(f"adapter.{option.name}", value), without, Setting(*why), "; leave it out")
    if method is not None and find_spec("peft") is None:
        raise UserError(
            Setting("training.adapter", method), ": peft is not installed; `pip install 'eraserhead[adapters]'`"
        )


@dataclass(frozen=True)
class EncoderAdapter:
    """An adapter on a model's encoder.

    Attributes:
        model: The model; the adapter's layers stand in its encoder.
        tuner: What peft calls the adapted encoder.
        config: Its options.
    """

    model: AttentionPoolingForSequenceClassification
    tuner: Any
    config: AdapterConfig

    @property
    def trained(self) -> int:
        """Number of the adapter's weights."""
        return sum(weight.numel() for weight in self.model.encoder.parameters() if weight.requires_grad)

    def check_targets(self) -> None:
        """Refuse names of layers that the encoder does not have; peft takes them if it has one of the others.

        Raises:
            UserError: Naming the first, and the layers that there are.
        """
        adapted = [f".{name}" for name in self.tuner.targeted_module_names]
        for target in self.config.target_modules or ():
            if target != EVERY_LINEAR and not any(name.endswith(f".{target}") for name in adapted):
                raise _unknown_layer(self.model, target)

    def describe(self) -> str:
        """Return how many weights are trained, in one line."""
        every = sum(weight.numel() for weight in self.model.encoder.parameters())
        share = 100 * self.trained / (every - self.trained)
        return f"adapter: {self.trained:,} weights beside {every - self.trained:,} of the encoder ({share:.2f} %)"

    @contextmanager
    def merged(self) -> Iterator[None]:
        """Let the model have an encoder into whose weights the adapter is merged; the adapted one comes back after."""
        adapted = self.model.encoder
        self.model.encoder = deepcopy(self.tuner).merge_and_unload(safe_merge=True)
        try:
            yield
        finally:
            self.model.encoder = adapted

    def save(self, folder: Path) -> None:
        """Write the adapter in the format of peft, and the head's weights beside it."""
        from peft import get_peft_model_state_dict  # noqa: PLC0415 - an extra

        folder.mkdir()
        (kind,) = self.tuner.peft_config.values()
        kind.base_model_name_or_path = getattr(self.model.encoder.config, "_name_or_path", None) or None
        kind.inference_mode = True
        kind.save_pretrained(str(folder))
        kind.inference_mode = False
        weights = get_peft_model_state_dict(self.model.encoder)
        save_file({PREFIX + name: weight.contiguous().cpu() for name, weight in weights.items()}, folder / WEIGHTS)
        head = {name: weight.contiguous().cpu() for name, weight in self.model.head.state_dict().items()}
        save_file(head, folder / HEAD)


def adapt(model: AttentionPoolingForSequenceClassification, method: Method, config: AdapterConfig) -> EncoderAdapter:
    """Put a new adapter on a model's encoder; of the encoder, its weights alone are trained from then on.

    Raises:
        UserError: The encoder has none of the layers that are to be adapted, or they cannot be adapted so.
    """
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING  # noqa: PLC0415 - an extra
    from peft.utils import PeftType  # noqa: PLC0415

    configs: Any = PEFT_TYPE_TO_CONFIG_MAPPING  # which options a kind has is its own matter
    kind = PeftType["LORA" if method == "dora" else method.upper()]
    if isinstance(model.encoder, nn.Embedding):
        raise UserError(
            Setting("training.adapter", method), ": the model has no layer of the encoder, only its word embeddings"
        )
    options: dict[str, Any] = {name: getattr(config, option) for option, name in NAMES[method].items()}
    options |= {"use_dora": True} if method == "dora" else {}
    # Where peft does not know the usual layers of the encoder's family, all linear ones are adapted.
    tried = [None, EVERY_LINEAR] if config.target_modules is None else [_targets(config.target_modules)]
    failed: list[ValueError] = []
    for targets in tried:
        # Those of the layers whose input `ia3` scales are of known families, too.
        inputs = {"feedforward_modules": []} if method == "ia3" and targets is not None else {}
        made = configs[kind](**options, **inputs)
        made.target_modules = targets
        try:
            adapter = EncoderAdapter(model, PEFT_TYPE_TO_TUNER_MAPPING[kind](model.encoder, made, "default"), config)
        except ValueError as error:
            failed.append(error)
        else:
            adapter.check_targets()
            return adapter
    raise _refused(model, config, failed[-1]) from failed[-1]


def _targets(named: list[str]) -> set[str] | str:
    return EVERY_LINEAR if named == [EVERY_LINEAR] else set(named)


def _refused(model: AttentionPoolingForSequenceClassification, config: AdapterConfig, error: ValueError) -> UserError:
    """Return what to say of layers that cannot be adapted, with those that could."""
    setting = Setting("adapter.target_modules", config.target_modules)
    if "not found" in str(error):
        return _unknown_layer(model, *(config.target_modules or ()))
    return UserError(setting, f": {' '.join(str(error).split())}")


def _unknown_layer(model: AttentionPoolingForSequenceClassification, *targets: str) -> UserError:
    names = [name for name, part in model.encoder.named_modules() if isinstance(part, nn.Linear)]
    # Of an adapted layer, peft holds the layer itself and its own small ones inside.
    plain = {name.partition(".base_layer")[0].rsplit(".", 1)[-1] for name in names if "lora_" not in name}
    return UserError(
        Setting("adapter.target_modules", list(targets)),
        f": the encoder has no such layer; its linear layers are {listed(sorted(plain))}",
    )
