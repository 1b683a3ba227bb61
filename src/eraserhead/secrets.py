"""Redacts the tokens and other secrets of this machine."""

import os
import re

from huggingface_hub import get_token

SECRET_NAMES = re.compile(r"(?:^|_)(TOKENS?|SECRETS?|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY)(?:_|$)", re.IGNORECASE)


SHORTEST_SECRET = 8  # characters: hiding shorter values would garble ordinary text


HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}")


def redacted(text: str) -> str:
    """Return a text with every known secret, and all that looks like a hub token, replaced by ``[hidden]``."""
    for secret in secrets():
        text = text.replace(secret, "[hidden]")
    return HUB_TOKEN.sub("[hidden]", text)


def secrets() -> list[str]:
    """Return the hub token and the values of environment variables with names like ``API_KEY``, longest first.

    Values that are paths of existing files, or shorter than `SHORTEST_SECRET`, are left out.
    """
    found = {value for name, value in os.environ.items() if SECRET_NAMES.search(name) and not os.path.exists(value)}
    found.add(get_token() or "")
    return sorted((value for value in found if len(value) >= SHORTEST_SECRET), key=len, reverse=True)
