"""Tokens and other secrets of this machine, which nobody gets to see."""

import os
import re

from huggingface_hub import get_token

SECRET_NAMES = re.compile(r"(?:^|_)(TOKENS?|SECRETS?|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY)(?:_|$)", re.IGNORECASE)


SHORTEST_SECRET = 8  # characters: a shorter value of such a variable is no secret that could be told from other text


HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}")


def redacted(text: str) -> str:
    """Return a text with every token and secret that this process knows of, and whatever looks like one, hidden."""
    for secret in secrets():
        text = text.replace(secret, "[hidden]")
    return HUB_TOKEN.sub("[hidden]", text)


def secrets() -> list[str]:
    """Return the hub token and the values of environment variables that are called after secrets, longest first."""
    found = {value for name, value in os.environ.items() if SECRET_NAMES.search(name) and not os.path.exists(value)}
    found.add(get_token() or "")
    return sorted((value for value in found if len(value) >= SHORTEST_SECRET), key=len, reverse=True)
