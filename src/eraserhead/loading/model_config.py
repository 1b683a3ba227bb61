"""A model's config.json: read once, checked, and made regular before anything is built from it."""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.activations import ACT2FN

from eraserhead.errors import Setting, UserError
from eraserhead.loading.boundary import load
from eraserhead.loading.class_names import regular_classes, short
from eraserhead.loading.run_layout import RUN
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig

ATTENTION = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
EXPERTS = ("experts_implementation", "_experts_implementation", "_experts_implementation_internal")
# What loading decides itself, whatever the file asks for: precision, implementations, and what a pass returns.
OURS_TO_SET = (
    *(*ATTENTION, *EXPERTS, "dtype", "torch_dtype"),
    *("return_dict", "output_attentions", "output_hidden_states", "chunk_size_feed_forward"),
)
CLASSES = ("id2label", "label2id", "num_labels")
QUANTISED = ("quantization_config", "compression_config")
# Keys with which a file sends transformers elsewhere, past what is checked here; and what to do.
ELSEWHERE = {
    "transformers_weights": f"rename the file that it names to {RUN.weights}, and take the key out",
    "configuration_files": f"rename the file that it names to {RUN.config}",
    "fusion_config": "take the key out: it changes the model's modules",
}
LEAST = {
    **dict.fromkeys(("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"), 1),
    **dict.fromkeys(("intermediate_size", "num_key_value_heads", "max_position_embeddings"), 1),
    "type_vocab_size": 0,
}
ROPE = ("rope_scaling", "rope_parameters")
PROBABILITY = re.compile(r"drop(out)?(_prob|_rate)?$")
MOST_LAYERS = 1000  # where the file of weights holds fewer tensors than that
CLASSIFIER = "AutoModelForSequenceClassification"  # key of auto_map


def read_config(folder: str, name: str, classifier: bool, trust_remote_code: bool = False) -> PreTrainedConfig:
    """Read a model's configuration.

    Class names are strings for 0 to n - 1, the model returns dictionaries, and what loading sets itself (precision,
    implementation of attention) is left out.

    Args:
        folder: The model's folder.
        name: What messages call it.
        classifier: Whether its class names are used.
        trust_remote_code: Whether code in the folder may run.

    Raises:
        UserError: The file is damaged, or asks for something that loading would fetch or run; or a value is impossible.
    """
    file = f"{name}: {RUN.config}"
    content = _content(Path(folder) / RUN.config, file)
    _refuse_fetching(content, file)
    own_code = _refuse_code(content, name, trust_remote_code)
    for mapping in _mappings(content):
        for key in OURS_TO_SET:
            mapping.pop(key, None)
    if classifier:
        regular_classes(content, file)
    else:
        for key in CLASSES:
            content.pop(key, None)

    _refuse_fields(content, file)

    def made() -> PreTrainedConfig:
        if own_code:
            return AutoConfig.from_pretrained(folder, trust_remote_code=True)
        return CONFIG_MAPPING[content["model_type"]].from_dict(content)

    # Without its class names, which transformers writes into a log of its own; with many that takes seconds.
    classes = {key: content.pop(key) for key in ("id2label", "label2id") if isinstance(content.get(key), dict)}
    config = load(name, made, RUN.config)
    for key, value in classes.items():
        setattr(config, key, value)
    load(name, lambda: _check_parts(config, file), RUN.config)
    load(name, lambda: _check_sizes(config, file), RUN.config)
    config._attn_implementation = None
    config.return_dict = True
    return config


def class_for(config: PreTrainedConfig, classes: Mapping[Any, Any]) -> type[PreTrainedModel] | None:
    """Return the class that transformers' Auto class builds for a config; null where it has none.

    Args:
        config: The model's configuration.
        classes: The Auto class's mapping of configurations. Where that names several classes, the config's own
            `architectures` choose, else the first is taken.
    """
    found = classes.get(type(config), None)
    if not isinstance(found, (tuple, list)):
        return found
    named = config.architectures or []
    return next((kind for kind in found if kind.__name__ in named), found[0])


def brings_classifier(config: PreTrainedConfig) -> bool:
    """Tell whether the model's repository has code for a classifier, which transformers runs where it is allowed to."""
    code = getattr(config, "auto_map", None)
    return isinstance(code, dict) and CLASSIFIER in code and not isinstance(config, AttentionPoolingConfig)


def check_layers(config: PreTrainedConfig, tensors: int, name: str) -> None:
    """Refuse more layers than the model's files can hold, which would take for ever to build.

    Raises:
        UserError: Naming the field.
    """
    for owner in _parts(config):
        for key, value in vars(owner).items():
            counts = any(word in key for word in ("layer", "group", "block")) and isinstance(value, int)
            size = "size" in key.split("_")  # costs nothing to build here, and is compared with the file's tensors
            if counts and not size and value > max(MOST_LAYERS, tensors):
                raise UserError(
                    f"{name}: {RUN.config}: {key} is {value}, and the weights are {tensors} tensors: the two do not "
                    "belong together"
                )


def _content(path: Path, file: str) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        if constant == "NaN":
            raise ValueError("it holds NaN, which is no number")
        return float(constant)

    mend = "save the model again, or copy the file again"
    try:
        if not path.is_file():
            raise ValueError("it is missing, or no regular file")
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except RecursionError as error:
        raise UserError(f"{file}: damaged (it is nested too deeply); {mend}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: damaged ({' '.join(str(error).split())[:100]}); {mend}") from error
    if not isinstance(content, dict) or not content:
        raise UserError(f"{file}: damaged (no mapping in it); {mend}")
    return content


def _mappings(content: Any) -> Iterator[dict[str, Any]]:
    """Go through a mapping and all mappings inside it."""
    waiting = [content]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found


def _refuse_fetching(content: dict[str, Any], file: str) -> None:
    """Refuse what transformers would fetch from the hub and run, or read elsewhere, or needs another library for."""
    for mapping in _mappings(content):
        for key in (*ATTENTION, *EXPERTS):
            value = mapping.get(key)
            asked = [each for each in (value.values() if isinstance(value, dict) else [value]) if "/" in str(each)]
            if asked:
                raise UserError(
                    f"{file}: {key} asks for the kernel '{asked[0]}' from the hub, which is code that would run on "
                    "this machine; take the key out: erasing brings its own attention"
                )
        for key in QUANTISED:
            if not mapping.get(key):
                mapping.pop(key, None)  # an empty one says nothing
            else:
                method = mapping[key].get("quant_method") if isinstance(mapping[key], dict) else None
                raise UserError(
                    f"{file}: {key}: the weights are quantised ({method or 'in an unknown way'}), and erasing needs "
                    "plain ones: load the model where its library is installed, call dequantize() on it, save it "
                    "elsewhere, and give that folder; or get the checkpoint that it was made from"
                )
        for key, mend in ELSEWHERE.items():
            if mapping.get(key) is not None:
                raise UserError(f"{file}: {key} is not followed; {mend}")


def _refuse_code(content: Mapping[str, Any], name: str, trusted: bool) -> bool:
    """Return whether the config is made by code of the model's repository, which may run.

    Raises:
        UserError: There is such code, and it may not run; or the type of the model is not known.
    """
    kind, code = content.get("model_type"), content.get("auto_map")
    if kind == AttentionPoolingConfig.model_type:
        return False
    known = isinstance(kind, str) and kind in CONFIG_MAPPING
    if isinstance(code, dict) and code and not trusted:
        # Of the classes, the one that says most about where the model differs.
        first = next((key for key in ("AutoConfig", CLASSIFIER) if key in code), min(code))
        of_type = f" for the model_type {kind!r}" if known else ""
        instead = f"; or take auto_map out of its {RUN.config}, if transformers' own '{kind}' is the same model"
        raise UserError(
            f"{name}: needs Python code from its repository{of_type} ({code[first]}), which would run on "
            "this machine with all your rights; read it, and then allow it with ",
            Setting("trust_remote_code", True),
            instead if known else "",
        )
    if isinstance(code, dict) and "AutoConfig" in code:
        return True
    if not known:
        said = "names no model_type" if kind is None else f"model_type {kind!r} is not one that transformers knows"
        raise UserError(f"{name}: {RUN.config}: {said}; write the right one there, or upgrade transformers")
    return False


def _refuse_fields(content: Mapping[str, Any], file: str) -> None:
    """Refuse keys that would take the place of transformers' own methods, and values that it takes apart unseen."""
    kind = CONFIG_MAPPING[content["model_type"]] if content.get("model_type") in CONFIG_MAPPING else PreTrainedConfig
    for key, value in content.items():
        own = inspect.getattr_static(kind, key, None)
        fixed = isinstance(own, property) and own.fset is None
        if fixed or isinstance(own, (FunctionType, classmethod, staticmethod)):
            raise UserError(f"{file}: {key} is no field of a config, but a part of transformers' code: take it out")
        if key in ROPE and not isinstance(value, dict | None):
            raise UserError(f"{file}: {key} is {short(value)}, and must be a mapping")


def _check_parts(config: PreTrainedConfig, file: str) -> None:
    """Refuse a value in the place where transformers looks for the config of the model that reads texts."""
    inner: Any = config.get_text_config()
    if not isinstance(inner, PreTrainedConfig):
        key = next(key for key, value in vars(config).items() if value is inner)
        raise UserError(f"{file}: {key} is {short(inner)}, and a '{config.model_type}' has no such part: take it out")


def _check_sizes(config: PreTrainedConfig, file: str) -> None:
    for owner in _parts(config):
        for field, least in LEAST.items():
            own = owner.attribute_map.get(field, field)
            value = vars(owner).get(own)  # from the file; what a class computes may be -1, as XLNet's positions are
            default = getattr(type(owner), own, None)
            if isinstance(value, int) and value < least and value != default:
                raise UserError(f"{file}: {own} is {value}, and must be {least} or more")
        for field, value in vars(owner).items():
            if PROBABILITY.search(field) and type(value) in (int, float) and not 0 <= value <= 1:
                raise UserError(f"{file}: {field} is {value}, and must be a probability, from 0 to 1")
            named = field.endswith(("_act", "_activation", "activation_function")) and isinstance(value, str)
            if named and value not in ACT2FN:
                raise UserError(f"{file}: {field} is {value!r}, which is no activation that transformers knows")
        padding, size = getattr(owner, "pad_token_id", None), getattr(owner, "vocab_size", None)
        if isinstance(padding, int) and isinstance(size, int) and padding >= size:
            raise UserError(f"{file}: pad_token_id is {padding}, and vocab_size is {size}: ids end below it")


def _parts(config: PreTrainedConfig) -> list[PreTrainedConfig]:
    """Return a config and those inside it."""
    inner = [value for value in vars(config).values() if isinstance(value, PreTrainedConfig)]
    return [config, *(part for each in inner for part in _parts(each))]
