"""Adapters of PEFT: small weights beside a base model, merged into it in memory."""

import copy
import logging
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel

from eraserhead.errors import UserError
from eraserhead.files import read_mapping
from eraserhead.loading.boundary import load
from eraserhead.loading.model_files import ADAPTER, is_adapter
from eraserhead.loading.run_layout import RUN
from eraserhead.loading.setup import BaseSetup
from eraserhead.remote.downloads import ADAPTER_WEIGHTS, Located, locate_model

SAVE_AGAIN = "save the adapter again"
PREFIX, SAVED = "base_model.model.", ".modules_to_save"  # what PEFT adds to the names of weights
TASKS = ("SEQ_CLS", "TOKEN_CLS", "FEATURE_EXTRACTION")  # of models that generate nothing
UNUSUAL = 7919  # number of classes that no size of a model equals by chance

logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class Adapter:
    """An adapter and its base model.

    Attributes:
        folder: Where the adapter's files are.
        name: What messages call it.
        kind: Its method, such as ``LORA``.
        classifies: Whether it was made for classification, so that a head belongs to it.
        base: Folder or hub id of the base model.
        located: Where that is.
        weights: The adapter's weights, under the names that they have in the merged model.
        trust_remote_code: Whether code of the base model's repository may run.
    """

    folder: str
    name: str
    kind: str
    classifies: bool
    base: str
    located: Located
    weights: Mapping[str, Tensor]
    trust_remote_code: bool = False

    @property
    def setup(self) -> BaseSetup:
        """The base model as results record it."""
        return BaseSetup(self.base, self.located.commit, self.kind)

    @property
    def tokenizer_folder(self) -> str:
        """Where the tokenizer is: beside the adapter, else with the base model."""
        return self.folder if (Path(self.folder) / RUN.tokenizer).is_file() else self.located.folder

    def configured(self, config: PreTrainedConfig) -> PreTrainedConfig:
        """Return the base model's configuration with as many classes as the adapter's head has, and their names.

        Names are those of a ``config.json`` beside the adapter, where there is one.

        Raises:
            UserError: A classifier's adapter has no head, or names as many classes as it does not have.
        """
        config = copy.deepcopy(config)
        outputs = self._output_names(config)
        own = next((self.weights[name] for name in outputs if name in self.weights), None)
        if own is None and self.classifies:
            raise self._without_head(" and ".join(outputs))
        classes: Any = config.num_labels if own is None else len(own)
        if classes != config.num_labels:
            config.num_labels = classes
        path = Path(self.folder) / RUN.config
        names = read_mapping(path, SAVE_AGAIN).get("id2label") if path.is_file() else None
        if names:
            if set(map(str, names)) != set(map(str, range(classes))):
                raise UserError(f"{path}: id2label must name the classes 0 to {classes - 1}; mend it there")
            config.id2label = {index: str(names[str(index)]) for index in range(classes)}
            config.label2id = {name: index for index, name in config.id2label.items()}
        return config

    def merge_into(self, model: PreTrainedModel, missing: Collection[str]) -> PreTrainedModel:
        """Merge the adapter into its base model.

        Args:
            model: The base model; its modules are changed.
            missing: Names of weights that the base model's file lacks.

        Raises:
            UserError: A weight is in neither file, or the adapter's weights are not those that its configuration
                describes.
        """
        still_missing = sorted(set(missing) - set(self.weights))
        if still_missing:
            raise self._without_head(still_missing[0])
        from peft import PeftModel  # noqa: PLC0415 - an extra

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft's way of asking transformers is none of the user's
            warnings.filterwarnings("ignore", "Found missing adapter keys")  # they are refused below
            try:
                adapted = PeftModel.from_pretrained(model, self.folder, torch_device="cpu")
            except KeyError as error:
                lacking = str(error.args[0])
                if not lacking.startswith(PREFIX):
                    raise
                raise self._misfit([lacking]) from error  # a whole module that was to be saved
            # The same once more: only this call returns what did not fit.
            mapping = getattr(model, "_checkpoint_conversion_mapping", {})
            found = adapted.load_adapter(self.folder, "default", torch_device="cpu", key_mapping=mapping)
            # A bank of vectors is stored once, and every layer refers to it.
            lacking = [key for key in found.missing_keys if "vblora_vector_bank" not in key]
            if lacking or found.unexpected_keys:
                raise self._misfit(lacking, found.unexpected_keys)
            merged: Any = adapted.merge_and_unload(safe_merge=True)
        return merged

    def _misfit(self, lacking: Sequence[str], beyond: Sequence[str] = ()) -> UserError:
        """Return what is said of weights that are not those which the configuration asks for in the base model."""
        names = sorted(_plain(key).replace(".default", "") for key in lacking or beyond)
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        verb, asked = ("lack", "it") if lacking else ("hold", "no such weight")
        return UserError(
            f"{self.name}: the adapter's weights {verb} '{names[0]}'{more}, and {ADAPTER} asks for {asked} in "
            f"{self.base}: the two do not belong together; {SAVE_AGAIN}"
        )

    def _output_names(self, config: PreTrainedConfig) -> list[str]:
        """Return the names of the base model's weights that give each class its logit."""
        config = copy.deepcopy(config)
        config.num_labels = UNUSUAL
        config.name_or_path = self.located.folder  # where transformers looks for code
        with torch.device("meta"):
            model = AutoModelForSequenceClassification.from_config(config, trust_remote_code=self.trust_remote_code)
        return [name for name, tensor in model.state_dict().items() if tensor.ndim and len(tensor) == UNUSUAL]

    def _without_head(self, missing: str) -> UserError:
        return UserError(
            f"{self.name}: this adapter has no classification head ('{missing}' is neither in its weights nor in "
            f"{self.base}): save it again with that layer among PEFT's modules_to_save, or give the merged model"
        )


def find_adapter(located: Located, name: str, trust_remote_code: bool = False) -> Adapter | None:
    """Return the adapter in a folder; null where there is none, or a whole model too.

    Args:
        located: The folder.
        name: What messages call it.
        trust_remote_code: Whether code of its base model's repository may run.

    Raises:
        UserError: PEFT is not installed, the adapter's files are damaged or missing, its kind cannot be merged, or its
            base model cannot be found.
    """
    folder = Path(located.folder)
    if not is_adapter(folder):
        return None
    if find_spec("peft") is None:
        raise UserError(f"{name}: an adapter ({ADAPTER}), which needs PEFT: `pip install 'eraserhead[adapters]'`")
    content = read_mapping(folder / ADAPTER, SAVE_AGAIN)
    _check(content, folder, name)
    base = content["base_model_name_or_path"]
    revision = content.get("revision")
    # A folder of this machine has no revisions, whatever PEFT wrote.
    try:
        found = locate_model(base, None if os.path.isdir(base) else revision)
    except UserError as error:
        raise UserError(f"{name}: its base model, by base_model_name_or_path in {ADAPTER}: ", error) from error
    if is_adapter(Path(found.folder)):
        it = "the adapter itself" if os.path.realpath(found.folder) == os.path.realpath(folder) else "an adapter too"
        raise UserError(
            f"{name}: its base model, by base_model_name_or_path in {ADAPTER}, is {it} ({base}): write there the model "
            "that it was trained on, or merge that one (merge_and_unload) and save it"
        )
    logger.info(f"{name}: an adapter ({content['peft_type']}), merged into {base} in memory")
    return Adapter(
        folder=str(folder),
        name=name,
        kind=str(content["peft_type"]),
        classifies=content.get("task_type") == "SEQ_CLS",
        base=base,
        located=found,
        weights=_weights(folder, name),
        trust_remote_code=trust_remote_code,
    )


def _check(content: Mapping[str, Any], folder: Path, name: str) -> None:
    """Refuse what PEFT would answer with a traceback, or would look for elsewhere."""
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING  # noqa: PLC0415 - an extra
    from peft.utils import PeftType  # noqa: PLC0415

    file, kind, base = folder / ADAPTER, content.get("peft_type"), content.get("base_model_name_or_path")
    if not isinstance(kind, str) or kind not in PeftType.__members__:
        raise UserError(f"{file}: no kind of adapter in peft_type ({kind!r}) that this version of PEFT knows")
    defaults = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType[kind]]()
    if defaults.is_prompt_learning:
        raise UserError(
            f"{name}: a {kind} adapter puts vectors in front of the text and leaves the weights as they are, so that "
            "it cannot be merged; train a LoRA, for example"
        )
    if content.get("megatron_config"):
        raise UserError(f"{file}: megatron_config would import code that it names; leave it out")
    if not isinstance(base, str) or not base:
        raise UserError(f"{file}: names no base model (base_model_name_or_path); write its folder or hub id there")
    _check_fields(content, defaults, file)
    if not any((folder / weights).is_file() for weights in ADAPTER_WEIGHTS):
        raise UserError(f"{name}: has no {' or '.join(ADAPTER_WEIGHTS)}; {SAVE_AGAIN}")


def _check_fields(content: Mapping[str, Any], defaults: Any, file: Path) -> None:
    """Refuse values that are of another kind than those of PEFT's own configuration."""
    for field in fields(defaults):
        value, default = content.get(field.name, ...), getattr(defaults, field.name)
        number = type(default) in (int, float) and "None" not in str(field.type) and "Optional" not in str(field.type)
        if number and value is not ... and type(value) not in (int, float):
            raise UserError(f"{file}: {field.name} is {value!r}, and must be a number; mend it there")
    task = content.get("task_type")
    if task not in (None, *TASKS):
        raise UserError(
            f"{file}: task_type is {task!r}: the adapter was made for another task than classification; give one of "
            "task_type SEQ_CLS"
        )


def _weights(folder: Path, name: str) -> dict[str, Tensor]:
    from peft import load_peft_weights  # noqa: PLC0415 - an extra

    file = next(each for each in ADAPTER_WEIGHTS if (folder / each).is_file())
    # Pickled ones are read as tensors alone: they run no code.
    stored = load(name, lambda: load_peft_weights(str(folder), device="cpu"), file)
    return {_plain(key): tensor for key, tensor in stored.items()}


def _plain(key: str) -> str:
    """Return the name of an adapter's weight without what PEFT adds to the names of a model's."""
    return key.removeprefix(PREFIX).replace(SAVED, "")
