"""The files of a tokenizer: which of them is at fault where none can be made of them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceProcessor

from eraserhead.errors import UserError
from eraserhead.files import damaged
from eraserhead.loading.class_names import short

TOKENIZER_CONFIG = "tokenizer_config.json"
MAPPINGS = (TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json", "tokenizer.json")
SENTENCE_PIECE = ("*.spm", "spiece.model", "spm.model", "sentencepiece*.model")  # `tokenizer.model` may be tiktoken's
SIDES = ("left", "right")
SAVE_AGAIN = "save the tokenizer again, or copy the file again"


@contextmanager
def naming_file(folder: str) -> Iterator[None]:
    """Name the file of a tokenizer that is at fault, where `load` can only say that something cannot be made of all.

    Raises:
        UserError: That of `load`, or one about the file.
    """
    try:
        yield
    except UserError as error:
        fault = None if error.__cause__ is None else _fault(folder)
        if fault is not None:
            raise fault from error
        raise


def _fault(folder: str) -> UserError | None:
    """Return what is wrong with the first file that cannot be what its name says; null where each of them can."""
    for name in MAPPINGS:
        path = Path(folder) / name
        try:
            content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except RecursionError:
            return UserError(damaged(path, "nested too deeply", SAVE_AGAIN))
        except (OSError, ValueError) as error:
            return UserError(damaged(path, error, SAVE_AGAIN))
        if not isinstance(content, dict):
            return UserError(damaged(path, "no mapping in it", SAVE_AGAIN))
        problem = next(_wrong_fields(content), None) if name == TOKENIZER_CONFIG else None
        if problem is not None:
            return UserError(f"{path}: {problem}; mend it there")
    for path in (found for pattern in SENTENCE_PIECE for found in sorted(Path(folder).glob(pattern))):
        if not _is_sentence_piece(path):
            return UserError(damaged(path, "no model of SentencePiece", SAVE_AGAIN))
    return None


def _wrong_fields(content: Mapping[str, Any]) -> Iterator[str]:
    """Go through what is wrong with the known fields of a tokenizer's configuration."""
    for key, value in content.items():
        said = f"{key} is {short(value)}, and must be"
        if key in ("padding_side", "truncation_side") and value not in SIDES:
            yield f"{said} one of {', '.join(SIDES)}"
        elif key == "tokenizer_class" and not isinstance(value, str | None):
            yield f"{said} the name of a class"
        elif key == "model_input_names" and not (isinstance(value, list) and all(isinstance(n, str) for n in value)):
            yield f"{said} a list of names"
        elif key in ("extra_special_tokens", "additional_special_tokens") and not isinstance(value, list | dict | None):
            yield f"{said} a list of tokens"
        elif key == "added_tokens_decoder" and not _maps_ids(value):
            yield f"{said} a mapping of ids to tokens"
        elif key.endswith("_token") and not key.startswith("add_") and not _is_token(value):
            yield f"{said} a text"


def _maps_ids(value: Any) -> bool:
    return isinstance(value, dict) and all(key.isdecimal() and isinstance(token, dict) for key, token in value.items())


def _is_token(value: Any) -> bool:
    return isinstance(value, str | bool | None) or (isinstance(value, dict) and "content" in value)


def _is_sentence_piece(path: Path) -> bool:
    try:
        return SentencePieceProcessor().LoadFromSerializedProto(path.read_bytes()) is not False
    except (OSError, RuntimeError):
        return False
