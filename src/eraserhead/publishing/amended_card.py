"""Amend the card of a model that is on the hub: a section on its attention, and scores in its metadata.

Everything else stays as it was, byte for byte: comments, the order of the metadata, results that somebody else wrote.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import yaml
from huggingface_hub.repocard_data import eval_results_to_model_index

from eraserhead.errors import UserError
from eraserhead.publishing.card import section_of
from eraserhead.publishing.facts import Facts
from eraserhead.publishing.layout import CARD
from eraserhead.publishing.own_section import lines_of, with_section
from eraserhead.publishing.results_metadata import card_results
from eraserhead.showing.escapes import markdown

# Metadata may be empty, which `huggingface_hub`'s own expression takes for the beginning of longer ones.
METADATA = re.compile(r"(\s*---[ \t]*(?:\r\n|\r|\n))(.*?)((?<=[\r\n])---[ \t]*(?:\r\n|\r|\n|\Z))", re.DOTALL)
INDEX = "model-index"
KEY = re.compile(r"^[^\s#-]")  # the first line of a key at the top of the metadata
INDEX_KEY = re.compile(rf"^(['\"]?){INDEX}\1\s*:")
REMARK = re.compile(r"^(#|\s*$)")
Identity = tuple[Any, ...]


def amended_card(card: str, facts: Facts, files: Sequence[str] = ()) -> str:
    """Return the card with the section on the attention, in the place of an earlier one, and with the fractions erased.

    Accuracies are left to whoever wrote the card.

    Args:
        card: The card; empty where there is none.
        facts: What is published.
        files: The other files that are pushed.

    Raises:
        UserError: Its metadata cannot be read.
    """
    line_end = "\r\n" if 2 * card.count("\r\n") > card.count("\n") else "\n"
    found = METADATA.match(card)
    body = card[found.end() :] if found else card or f"\n# {markdown(facts.title)}\n"
    opened, metadata, closed = found.groups() if found else (f"---{line_end}", "", f"---{line_end}")
    written = _with_results(metadata, facts, line_end)
    if not found and not written:
        opened = closed = ""
    return f"{opened}{written}{with_section(closed + body, section_of(facts, files), line_end)}"


def body_of(card: str) -> str:
    """Return a card's text without its metadata."""
    found = METADATA.match(card)
    return card[found.end() :] if found else card


def _with_results(metadata: str, facts: Facts, line_end: str) -> str:
    """Return the text of the metadata with the scores in it."""
    name = f"{facts.repository}: {CARD}"
    try:
        content = yaml.safe_load(metadata) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{name}: its metadata are no YAML; mend them first") from error
    if not isinstance(content, dict):
        raise UserError(f"{name}: its metadata are no mapping; mend them first")
    index = _merged(content.get(INDEX), facts, name)
    if index is None:
        return metadata
    expected = {**content, INDEX: index}
    block = yaml.safe_dump({INDEX: index}, sort_keys=False, allow_unicode=True)
    written = _replaced(metadata, block.replace("\n", line_end))
    with suppress(yaml.YAMLError):
        if yaml.safe_load(written) == expected:
            return written
    raise UserError(f"{name}: its metadata are written in a way that cannot be amended; write each key on a line")


def _merged(index: Any, facts: Facts, name: str) -> list[dict[str, Any]] | None:
    """Return the `model-index` with the fractions erased, those of an earlier push replaced; null without any."""
    results = list(card_results(facts, accuracy=False))
    if not results:
        return None
    ours: list[dict[str, Any]] = eval_results_to_model_index(facts.title, results)
    if index is None:
        return ours
    if not _is_index(index):
        raise UserError(f"{name}: its {INDEX} is not what the hub reads; mend it first")
    first, *others = index
    new: list[dict[str, Any]] = ours[0]["results"]
    known = {identity for result in new for identity in _identities(result)}
    kept = []
    for result in first["results"]:
        metrics = [each for each in result["metrics"] if _identity(result, each) not in known]
        if metrics:
            kept.append({**result, "metrics": metrics})
    return [{**first, "results": [*kept, *new]}, *others]


def _is_index(index: Any) -> bool:
    """Tell whether a `model-index` has models with lists of results that have a data set and metrics."""
    if not isinstance(index, list) or not index:
        return False
    if not all(isinstance(model, dict) and isinstance(model.get("results"), list) for model in index):
        return False
    return all(map(_is_result, (result for model in index for result in model["results"])))


def _is_result(result: Any) -> bool:
    return (
        isinstance(result, dict)
        and isinstance(result.get("dataset"), dict)
        and isinstance(result.get("metrics"), list)
        and all(isinstance(metric, dict) for metric in result["metrics"])
    )


def _identities(result: Mapping[str, Any]) -> list[Identity]:
    return [_identity(result, metric) for metric in result["metrics"]]


def _identity(result: Mapping[str, Any], metric: Mapping[str, Any]) -> Identity:
    dataset = result["dataset"]
    return (*(dataset.get(key) for key in ("type", "config", "split")), metric.get("type"), metric.get("name"))


def _replaced(metadata: str, block: str) -> str:
    """Return the text of the metadata with the block of the `model-index` replaced, or at the end."""
    lines = lines_of(metadata)
    begin = next((place for place, line in enumerate(lines) if INDEX_KEY.match(line)), len(lines))
    end = next((place for place in range(begin + 1, len(lines)) if KEY.match(lines[place])), len(lines))
    while end > begin + 1 and REMARK.match(lines[end - 1]):  # which belongs to the next key
        end -= 1
    return "".join([*lines[:begin], block, *lines[end:]])
