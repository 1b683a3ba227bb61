"""Ids of tokens that are no text: padding, and what frames a text; a tokenizer knows them, or a model's config.

This module is pushed as remote code: it imports the standard library alone.
"""

from typing import Any

ROLES = ("cls", "sep", "pad", "bos", "eos")


def structural_token_ids(owner: Any) -> list[int]:
    """Return the ids that a tokenizer or a config gives to classes, separators, padding, beginning and end."""
    return sorted({token for role in ROLES for token in _ids(owner, role)})


def named_padding(owner: Any) -> int | None:
    """Return the id of padding that a tokenizer or a config names; null where it names none (some write -1)."""
    return next(iter(_ids(owner, "pad")), None)


def padding_id(*owners: Any) -> int:
    """Return the id to pad with: that of the first owner that names one, else 0, for padding is masked."""
    return next((token for owner in owners for token in _ids(owner, "pad")), 0)


def _ids(owner: Any, role: str) -> list[int]:
    config = owner.get_text_config() if hasattr(owner, "get_text_config") else owner
    found = getattr(config, f"{role}_token_id", None)
    return [token for token in (found if isinstance(found, list) else [found]) if isinstance(token, int) and token >= 0]
