"""What lies in a model's folder: where its weights are, and what else was found where there are none."""

import json
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from eraserhead.errors import Job, Setting, UserError
from eraserhead.files import POINTER, read_mapping
from eraserhead.loading.run_layout import RUN
from eraserhead.seals import SEAL, check_seal, is_sealed

PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
WEIGHTS = frozenset((RUN.weights, RUN.index, PICKLED, PICKLED_INDEX))
ADAPTER = "adapter_config.json"
SAVE_AGAIN = "save the model again"
IN_PYTORCH = "get the PyTorch checkpoint that it was made from"
CLASSIFIER = "AutoModelForSequenceClassification.from_pretrained"

# Names of files that hold models in other formats; what they are; what to do with them.
OTHER_FORMATS = (
    ("*.h5", "weights for TensorFlow", f"where transformers 4 and TensorFlow are installed, save {CLASSIFIER}"
     "(..., from_tf=True) with save_pretrained"),
    ("*.msgpack", "weights for Flax", f"where transformers 4 and Flax are installed, save {CLASSIFIER}"
     "(..., from_flax=True) with save_pretrained"),
    ("*.ckpt.index", "weights for TensorFlow 1", IN_PYTORCH),
    ("*.onnx", "an ONNX graph, inside of which nothing can be erased", IN_PYTORCH),
    ("*.gguf", "quantised weights for llama.cpp, inside of which nothing can be erased", IN_PYTORCH),
    ("*.tflite", "a graph for TensorFlow Lite, inside of which nothing can be erased", IN_PYTORCH),
    ("*.mlmodel", "a Core ML graph, inside of which nothing can be erased", IN_PYTORCH),
    ("openvino_model.*", "an OpenVINO graph, inside of which nothing can be erased", IN_PYTORCH),
    ("*.ot", "weights for Rust", IN_PYTORCH),
    ("*.distcp", "parts of a distributed checkpoint", "join them with `accelerate merge-weights`"),
    ("zero_to_fp32.py", "parts of a DeepSpeed checkpoint", "join them: `python zero_to_fp32.py . pytorch_model.bin`"),
    ("model_head.pkl", "a SetFit model, whose head is a pickle of scikit-learn",
     "put an attention-pooling head on its encoder"),
    ("*.safetensors", "weights under a name that is not looked for", f"rename them to {RUN.weights}"),
    *(
        (name, "a pickle, which can run code when it is loaded",
         "load it where you trust it, and save the model with save_pretrained")
        for name in ("*.pt", "*.pth", "*.ckpt", "*.pkl", "*.bin")
    ),
)  # fmt: skip

OF_TRAINING = ("training_args.bin", "optimizer.*", "scheduler.*", "rng_state*", "scaler.pt")  # which hold no model


@dataclass(frozen=True)
class WeightFiles:
    """The files of a model's weights.

    Attributes:
        files: The files.
        index: Name of the file that says which weight is in which; null for a single file.
        pickled: Whether they are PyTorch's pickles, rather than safetensors.
    """

    files: tuple[Path, ...]
    index: str | None
    pickled: bool

    @property
    def name(self) -> str:
        """What messages call them."""
        return self.index or self.files[0].name


def check_finished(folder: str, name: str | None = None) -> None:
    """Refuse a folder without a model in it.

    Args:
        folder: The folder; a name that is none here is left to the hub.
        name: What messages call it; default: the folder.

    Raises:
        UserError: Saying whether its training is unfinished, or what is in it instead.
    """
    place, name = Path(folder), name or folder
    if not os.path.isdir(folder) or (place / RUN.config).is_file():
        return
    if os.path.lexists(place / RUN.config):
        raise UserError(f"{name}: {RUN.config} is no regular file; copy the model's own there")
    missing = f"{name}: not a model (no {RUN.config} in it)"
    if (place / RUN.run).is_file():
        again = Job("train"), " again with ", Setting("resume", True)
        raise UserError(f"{missing}; its training is unfinished: run the same ", *again)
    inner = sorted(path.parent for path in place.glob(f"*/{RUN.config}"))
    if inner:
        whole = [folder for folder in inner if not WEIGHTS.isdisjoint(_names(folder))]  # else a pooling layer's
        raise UserError(f"{missing}; there is one in {Path(name) / (whole or inner)[-1].name}: give that folder")
    names = _names(place)
    if not WEIGHTS.isdisjoint(names):
        raise UserError(f"{missing}; there are weights: copy the config.json that belongs to them there")
    found = _instead(place, names, name)
    raise UserError(f"{missing}; ", found or "give the folder of a finished run, or a hub id")


def check_undamaged(folder: Path) -> None:
    """Refuse a model that training has written, and that is not as it was written any more.

    Raises:
        UserError: Naming a file that is missing or differs.
    """
    if is_sealed(folder):
        check_seal(folder, f"copy it from elsewhere, or, if you changed it yourself, delete {folder / SEAL}")


def train_on(encoder: str) -> Job:
    """Return the job that puts an attention-pooling head on an encoder."""
    return Job("train", (Setting("model.encoder", encoder),))


def is_adapter(folder: Path) -> bool:
    """Tell whether a folder holds an adapter of PEFT, and no whole model beside it."""
    return (folder / ADAPTER).is_file() and not any((folder / name).is_file() for name in WEIGHTS)


def find_weights(folder: str, name: str, elsewhere: Collection[str] = ()) -> WeightFiles:
    """Return the files of a model's weights: safetensors, else PyTorch's own.

    Args:
        folder: The model's folder.
        name: What messages call it.
        elsewhere: Further files that the hub has under this name.

    Raises:
        UserError: There are none: the message says what there is instead, and what to do. Or an index names files that
            are not in the folder.
    """
    place = Path(folder)
    if (place / ADAPTER).is_file():
        raise UserError(f"{name}: ", _adapter(place / ADAPTER))
    for single, index, pickled in ((RUN.weights, RUN.index, False), (PICKLED, PICKLED_INDEX, True)):
        if (place / single).is_file():
            return WeightFiles(_fetched([place / single], name), None, pickled)
        if (place / index).is_file():
            return WeightFiles(_fetched(_shards(place / index, name), name), index, pickled)
    found = _instead(place, [*_names(place), *elsewhere], name)
    raise UserError(f"{name}: no weights ({RUN.weights} or {PICKLED}) in it; ", found or f"{SAVE_AGAIN} there")


def check_regular(folder: str, name: str) -> None:
    """Refuse a folder in which a device or a pipe stands for a file: reading it might never end.

    Raises:
        UserError: Naming one.
    """
    for entry in Path(folder).iterdir():
        if entry.exists() and not entry.is_file() and not entry.is_dir():
            raise UserError(f"{name}: {entry.name} is no regular file; copy the model's own file there, or remove it")


def check_not_setfit(folder: str, name: str) -> None:
    """Refuse a classifier whose head is a pickle beside its encoder.

    Raises:
        UserError: With what to do instead.
    """
    if (Path(folder) / "model_head.pkl").is_file():
        raise UserError(f"{name}: ", _instead(Path(folder), ["model_head.pkl"], name) or "")


def _fetched(files: Sequence[Path], name: str) -> tuple[Path, ...]:
    """Refuse what git leaves in the place of a large file that was not fetched."""
    for file in files:
        with file.open("rb") as stream:
            if stream.read(len(POINTER)) == POINTER:
                raise UserError(f"{name}: {file.name} is a pointer of Git LFS, not the file: run `git lfs pull` there")
    return tuple(files)


def _shards(index: Path, name: str) -> tuple[Path, ...]:
    """Return the files that an index names; they lie beside it."""
    content = read_mapping(index, SAVE_AGAIN)
    places = content.get("weight_map")
    if not isinstance(places, dict) or not places or not isinstance(content.get("metadata"), dict):
        raise UserError(f"{index}: damaged (no weight_map or metadata in it); {SAVE_AGAIN}")
    for shard in sorted(set(map(str, places.values()))):
        if not shard.endswith(".safetensors" if index.name == RUN.index else ".bin"):
            raise UserError(f"{index}: names '{shard}', which is no file of weights; {SAVE_AGAIN}")
        if os.path.basename(shard) != shard:
            raise UserError(f"{index}: names '{shard}', which is not in {name}; {SAVE_AGAIN}")
        if not (index.parent / shard).is_file():
            raise UserError(f"{index}: names {shard}, which is missing; copy it there, or {SAVE_AGAIN}")
    return tuple(index.parent / shard for shard in sorted(set(map(str, places.values()))))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for pattern in ("*", "onnx/*") for path in folder.glob(pattern) if path.is_file())


def _instead(folder: Path, names: Iterable[str], name: str) -> UserError | None:
    """Return what is known of a folder without weights of ours; null where nothing in it is known."""
    if (folder / ADAPTER).is_file():
        return _adapter(folder / ADAPTER)
    models = [each for each in names if not any(fnmatch(each, other) for other in OF_TRAINING)]
    for pattern, what, mend in OTHER_FORMATS:
        found = next((each for each in models if fnmatch(os.path.basename(each), pattern)), None)
        if found is not None:
            head = (": ", train_on(name)) if pattern == "model_head.pkl" else ()
            return UserError(f"{found} is {what}; {mend}", *head)
    return None


def _adapter(file: Path) -> UserError:
    """Return what is said of an adapter without its base model."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        kind, base = content.get("peft_type"), content.get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError, RecursionError):
        kind = base = None
    return UserError(
        f"{file.name} says that this is an adapter ({kind or 'of unknown kind'} for {base or 'an unknown model'}), not "
        "a model: merge the two with peft, AutoPeftModelForSequenceClassification.from_pretrained(...)"
        ".merge_and_unload(), save_pretrained the result with its tokenizer, and give that folder"
    )
