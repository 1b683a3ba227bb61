"""Amend the card of a model that is on the hub: a section on its attention, and scores in its metadata.

Everything else stays as it was, byte for byte: comments, the order of the metadata, results that somebody else wrote.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.repocard_data import eval_results_to_model_index

from eraserhead.errors import UserError
from eraserhead.publishing.attention_section import HEADING
from eraserhead.publishing.card import section_of
from eraserhead.publishing.facts import Facts
from eraserhead.publishing.layout import CARD
from eraserhead.publishing.results_metadata import card_results
from eraserhead.showing.escapes import markdown

INDEX = "model-index"
KEY = re.compile(r"^[^\s#-]")  # the first line of a key at the top of the metadata
INDEX_KEY = re.compile(rf"^(['\"]?){INDEX}\1\s*:")
REMARK = re.compile(r"^(#|\s*$)")
FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
SECTION_ENDS = re.compile(r"^ {0,3}#{1,2}\s")  # at a heading of the same height or higher
Identity = tuple[Any, ...]


def amended_card(card: str, facts: Facts) -> str:
    """Return the card with the section on the attention, in the place of an earlier one, and with the fractions erased.

    Accuracies are left to whoever wrote the card.

    Args:
        card: The card; empty where there is none.
        facts: What is published.

    Raises:
        UserError: Its metadata cannot be read.
    """
    lines_end = "\r\n" if "\r\n" in card else "\n"
    card = card.replace("\r\n", "\n")
    found = REGEX_YAML_BLOCK.search(card)
    metadata, body = (found[2], card[found.end() :]) if found else ("", card or f"\n# {markdown(facts.title)}\n")
    written = f"---\n{_with_results(metadata, facts)}\n---\n{_with_section(body, section_of(facts))}"
    return written.replace("\n", lines_end)


def _with_results(metadata: str, facts: Facts) -> str:
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
    written = _replaced(metadata, yaml.safe_dump({INDEX: index}, sort_keys=False, allow_unicode=True).rstrip("\n"))
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
    lines = metadata.split("\n") if metadata.strip() else []
    begin = next((place for place, line in enumerate(lines) if INDEX_KEY.match(line)), len(lines))
    end = next((place for place in range(begin + 1, len(lines)) if KEY.match(lines[place])), len(lines))
    while end > begin + 1 and REMARK.match(lines[end - 1]):  # which belongs to the next key
        end -= 1
    return "\n".join([*lines[:begin], block, *lines[end:]])


def _with_section(body: str, section: str) -> str:
    """Return a card's text with the section, in the place of an earlier one, else at the end."""
    lines, inside = body.split("\n"), _in_code(body)
    headings = [place for place, line in enumerate(lines) if not inside[place] and SECTION_ENDS.match(line)]
    begin = next((place for place in headings if lines[place].strip() == HEADING), None)
    if begin is None:
        return f"{body.rstrip()}\n\n{section}\n"
    end = next((place for place in headings if place > begin), len(lines))
    rest = lines[end:]
    return "\n".join([*lines[:begin], *section.split("\n"), *(["", *rest] if rest else [""])])


def _in_code(body: str) -> list[bool]:
    """Tell of each line whether it belongs to a fenced block of code."""
    found, fence = [], ""
    for line in body.split("\n"):
        mark = FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
            found.append(True)
        else:
            found.append(bool(fence))
            if mark and fence and mark[1].startswith(fence):
                fence = ""
    return found
