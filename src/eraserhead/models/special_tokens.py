"""Ids of padding and of the tokens that frame a text, from a tokenizer or a model's config.

This module is pushed as remote code: it imports the standard library alone.
"""

from typing import Any

ROLES = ("cls", "sep", "pad", "bos", "eos")


def structural_token_ids(owner: Any) -> list[int]:
    """Return the ids that a tokenizer or a config names for CLS, SEP, padding, BOS and EOS."""
    return sorted({token for role in ROLES for token in _ids(owner, role)})


def framing(tokenizer: Any) -> tuple[int, int] | None:
    """Return how many special tokens a tokenizer puts before and after a text; null where that cannot be told."""
    alone, framed = (tokenizer("a", add_special_tokens=add)["input_ids"] for add in (False, True))
    before = next((at for at in range(len(framed)) if alone and framed[at : at + len(alone)] == alone), None)
    return None if before is None else (before, len(framed) - before - len(alone))


def named_padding(config: Any, tokenizer: Any = None) -> int | None:
    """Return the padding id that a model's config names, else its tokenizer's; None where neither does (some write -1).

    The model's comes first: the model may find positions and the last token by it.
    """
    return next((token for owner in (config, tokenizer) for token in _ids(owner, "pad")), None)


def padding_id(config: Any, tokenizer: Any = None) -> int:
    """Return the id to pad with: the named one, else 0, since padding is masked anyway."""
    return named_padding(config, tokenizer) or 0


def _ids(owner: Any, role: str) -> list[int]:
    config = owner.get_text_config() if hasattr(owner, "get_text_config") else owner
    found = getattr(config, f"{role}_token_id", None)
    return [token for token in (found if isinstance(found, list) else [found]) if isinstance(token, int) and token >= 0]
