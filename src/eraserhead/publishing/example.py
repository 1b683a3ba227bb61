"""The options of the card's example command: the data that the model was measured on, or a placeholder for it."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import PLANTED
from eraserhead.data.named_sets import NAMED, NamedSet
from eraserhead.data.provenance import COLUMNS_BETWEEN, Provenance
from eraserhead.erasure.setup import Setup
from eraserhead.loading.config import PREDICTED
from eraserhead.loading.targets import THRESHOLD as DEFAULT_THRESHOLD
from eraserhead.method.names import ATTENTION, GRADIENT, PRODUCT, SENTENCES, TOKENS
from eraserhead.publishing.data_names import place
from eraserhead.publishing.facts import Facts
from eraserhead.sites.site import POOLING

PLACEHOLDER = "DATA"  # in the place of a path of the user's machine
THRESHOLD = "THRESHOLD"  # in the place of one that nobody has chosen yet
ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
PLAIN = re.compile(r"[^\W\d][\w.-]*")
DEFAULTS = DataConfig()
USUAL = frozenset({ATTENTION, GRADIENT, PRODUCT})  # rankings that nobody has to ask for


def measured_data(facts: Facts) -> Provenance | None:
    """Return the documents that it was measured on, else those of its test or its training, if they are known."""
    if facts.summary is not None:
        return facts.summary.setup.data
    return facts.documents.get("test", facts.documents.get("train"))


def erase_options(facts: Facts) -> str:
    """Return the options of ``erase`` that name the documents, the site and its components, safe in a block of code."""
    data = measured_data(facts)
    options = [("data.path", f"{PLACEHOLDER}.csv")] if data is None else [*_data_options(data, len(facts.classes))]
    if facts.summary is not None:
        options += [*_site_options(facts.summary.setup), *_ranking_options(facts.summary.setup)]
    options += _decision_options(facts)
    return " ".join(f"--{name} {_word(value)}" for name, value in options)


def _site_options(setup: Setup) -> list[tuple[str, str]]:
    """Return what is erased, where it is not what is erased unasked."""
    site, by_sentence = setup.site, setup.limits.tokens is None
    unasked = SENTENCES if by_sentence and site.site == POOLING else TOKENS
    options = [] if site.site == POOLING else [("site", site.site)]
    return options + ([] if site.components == unasked else [("components", site.components)])


def _ranking_options(setup: Setup) -> list[tuple[str, str]]:
    """Return the rankings that were asked for; those of a function or a table are not there for others to ask for."""
    public = [name for name in setup.rankings if name not in setup.ranking_sources]
    return [] if set(public) <= USUAL else [("rankings", _list(public))]


def erase_note(facts: Facts) -> str | None:
    """Return what has to be said of the documents that the command names, and of its placeholders."""
    data, notes = measured_data(facts), []
    if data is not None and data.name == PLANTED:
        notes.append(f"`{PLANTED}` is a corpus that eraserhead generates: its texts were made up by a grammar.")
    named = _source_options(data) if data is not None else {"data.path": f"{PLACEHOLDER}.csv"}
    if "data.path" in named:
        notes.append(f"Put the path of your own documents in the place of `{named['data.path']}`.")
    if _needs_threshold(facts):
        notes.append(f"Put the probability above which the model's one output decides in the place of `{THRESHOLD}`.")
    return " ".join(notes) or None


def _needs_threshold(facts: Facts) -> bool:
    return facts.summary is None and len(facts.classes) == 1


def _decision_options(facts: Facts) -> list[tuple[str, str]]:
    """Return what a model that decides label by label was asked for, where it is not what it does unasked."""
    if _needs_threshold(facts):
        return [("threshold", THRESHOLD)]
    asked = None if facts.summary is None else facts.summary.setup.site.targets
    if asked is None:
        return []
    options = [] if asked.target == (PREDICTED,) else [("target", _list(asked.target))]
    if len(facts.classes) == 1 or (asked.threshold, asked.threshold_on) != (DEFAULT_THRESHOLD, "probability"):
        options.append(("threshold", f"{asked.threshold:g}"))
    return options + ([] if asked.threshold_on == "probability" else [("threshold_on", asked.threshold_on)])


def _source_options(data: Provenance) -> dict[str, str]:
    """Return the option that names a data set: its id, or a placeholder for a file or folder."""
    public = data.name is not None and (data.name in NAMED or data.path is None or "/" in data.name)
    if data.name is not None and public and ID.fullmatch(data.name):
        return {"data.name": data.name}
    local = place(data)
    return {"data.path": PLACEHOLDER + (".csv" if local is None else PurePath(local).suffix)}


def _data_options(data: Provenance, classes: int) -> Iterator[tuple[str, str]]:
    source, named = _source_options(data), NAMED.get(data.name or "", NamedSet())
    yield from source.items()
    if data.name == PLANTED:
        yield from [("data.classes", str(classes))] if classes != DEFAULTS.classes else []
    if data.subset not in (None, named.subset):
        yield "data.subset", str(data.subset)
    if tuple(data.text_columns) != named.text_columns:
        yield "data.text_columns", _list(data.text_columns)
    if data.pair_column is not None:
        yield "data.pair_column", data.pair_column
    if data.label_column is not None and COLUMNS_BETWEEN in data.label_column:
        yield "data.label_columns", _list(data.label_column.split(COLUMNS_BETWEEN))
    elif data.label_column not in (None, named.label_column):
        yield "data.label_column", str(data.label_column)
    if "data.name" not in source:
        return
    if data.split != DEFAULTS.test_split:
        yield "data.test_split", data.split
    if named.hub is not None and not data.cleaned:
        yield "data.clean", "false"
    sampled = data.documents < data.available or data.name == PLANTED
    if sampled:
        yield "data.test_size", str(data.documents)
    if sampled and data.seed != DEFAULTS.seed:
        yield "data.seed", str(data.seed)


def _list(names: Sequence[str]) -> str:
    """Return names as the value of an option, between commas where no name could be taken for more than that."""
    return ",".join(names) if all(map(PLAIN.fullmatch, names)) else json.dumps(list(names), ensure_ascii=False)


def _word(value: str) -> str:
    """Return a value as one word of a shell; one that could end the block of code becomes a placeholder."""
    return shlex.quote(value) if value.isprintable() and "`" not in value else "..."
