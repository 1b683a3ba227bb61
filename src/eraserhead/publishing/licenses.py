"""The licences that the hub knows by an identifier, and the check of one that is given."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

from eraserhead.errors import Setting, UserError, did_you_mean

OTHER = "other"  # any licence that the hub has no identifier for; its name is given beside it
# https://huggingface.co/docs/hub/repositories-licenses
LICENSES = frozenset((
    "afl-3.0", "agpl-3.0", "apache-2.0", "apple-amlr", "apple-ascl", "artistic-2.0", "bigcode-openrail-m",
    "bigscience-bloom-rail-1.0", "bigscience-openrail-m", "bsd", "bsd-2-clause", "bsd-3-clause",
    "bsd-3-clause-clear", "bsl-1.0", "c-uda", "cc", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "creativeml-openrail-m",
    "deepfloyd-if-license", "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2",
    "fair-noncommercial-research-license", "gemma", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "grok2-community",
    "h-research", "intel-research", "isc", "lgpl", "lgpl-2.1", "lgpl-3.0", "lgpl-lr", "llama2", "llama3",
    "llama3.1", "llama3.2", "llama3.3", "llama4", "lppl-1.3c", "mit", "mpl-2.0", "ms-pl", "ncsa", "odbl", "odc-by",
    "ofl-1.1", "openmdw-1.0", "openmdw-1.1", "openrail", "openrail++", "osl-3.0", "other", "pddl", "postgresql",
    "unknown", "unlicense", "wtfpl", "zlib",
))  # fmt: skip
BESIDE = ("license_name", "license_link")  # keys of a card, and settings
NAME = re.compile(r"[a-z0-9.-]+")
SUGGESTED, BETWEEN = 3, "' or '"


@dataclass(frozen=True)
class License:
    """The licence of what is published.

    Attributes:
        id: The hub's identifier.
        name: Name of a licence that the hub has no identifier for.
        link: Address of the text of that one, or the name of its file.
    """

    id: str
    name: str | None = None
    link: str | None = None

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> Self | None:
        """Return the licence that the metadata of a card state; null where they state none."""
        given, *more = [card.get("license")] if not isinstance(card.get("license"), list) else card["license"] or [None]
        if not isinstance(given, str) or more:
            return None
        name, link = (value if isinstance(value, str) else None for value in map(card.get, BESIDE))
        return cls(given, name, link)


def given_license(license: str | None, name: str | None, link: str | None) -> License | None:
    """Return a licence as it is given; null where none is.

    Args:
        license: The identifier.
        name: The name of another licence.
        link: Where the text of that one is.

    Raises:
        UserError: The hub has no such identifier, and the message suggests the nearest ones; or a name or a link
            stands beside one that it has.
    """
    if license is not None and license not in LICENSES:
        near = get_close_matches(license.lower().replace(" ", "-"), sorted(LICENSES), n=SUGGESTED, cutoff=0.5)
        raise UserError(
            Setting("license", license),
            f": the hub has no licence of this identifier{did_you_mean(BETWEEN.join(near) or None)}; for one that is "
            "not in its list, give ",
            *(Setting("license", OTHER), " and ", Setting("license_name")),
        )
    if license == OTHER and name is None:
        raise UserError(Setting("license", license), ": give its name too, with ", Setting("license_name"))
    if name is not None and not NAME.fullmatch(name):
        raise UserError(Setting("license_name", name), ": the hub takes small letters, digits, '-' and '.'")
    for setting, value in zip(BESIDE, (name, link), strict=True):
        if value is not None and license != OTHER:
            raise UserError(Setting(setting, value), ": has no effect without ", Setting("license", OTHER))
    return None if license is None else License(license, name, link)
