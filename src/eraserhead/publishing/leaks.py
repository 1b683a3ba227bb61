"""The last check of a folder before it is published: private things that it contains."""

import getpass
import json
import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from eraserhead.secrets import HUB_TOKEN, secrets

# Any local path. A POSIX path needs two parts or more, so that "and/or" and "</s>" do not match.
LOCAL_PATH = re.compile(
    r"(?<![\w:/.<>~@%)\]-])/(?:[\w.+@~ -]*[\w.+@~-]/)+[\w.+@~-]+"
    r"|(?<!\w)~[\w.-]*/[\w.+@-]+"
    r"|(?<![\w/])\.\.?/[\w.+@-]+"
    r"|\bfile://"
    r"|(?<!\w)[A-Za-z]:(?:\\|/(?!/))[\w.]"
    r"|\\\\[\w.-]+\\"
)
SECRETS = {
    "a hub token": HUB_TOKEN,
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})"),
    "an Amazon key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a Google key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),
    "an API key": re.compile(r"\bsk-(?:[A-Za-z0-9]{32,}|(?:proj|ant|svcacct|admin)-[A-Za-z0-9_-]{20,})"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
}
# Word pieces in these files may look like paths, so only this machine's own paths are looked for there.
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json")
SHORTEST_NAME = 4  # letters; shorter names of users and machines are parts of too many words
SHORTEST_TEXT = 24  # characters; a shorter text may be in the card by chance
OPENING = 80  # characters at the start of a text that are looked for
EXCERPT = 60


@dataclass(frozen=True)
class Private:
    """What must not leave this machine.

    Attributes:
        paths: Paths of this machine.
        names: Names of the user and of the machine.
        texts: Texts of documents.
        public: Strings that may be published even if they contain one of these, such as the repository's name.
        classes: Class names, which may look like paths (``/r/news``).
    """

    paths: Sequence[str]
    names: Sequence[str]
    texts: Sequence[str]
    public: Sequence[str]
    classes: Sequence[str] = ()


def private(paths: Iterable[str], texts: Iterable[str], public: Iterable[str], classes: Iterable[str] = ()) -> Private:
    """Return what must stay here: the given paths and texts, the usual folders, and the user's and machine's names."""
    paths, public = list(paths), list(public)
    folders = [*map(Path, paths), Path.home(), Path.cwd(), Path(tempfile.gettempdir())]
    found = {str(form) for folder in folders for form in (folder.expanduser().absolute(), folder.resolve())}
    found = {path for path in found if path.count(os.sep) > 1} | {
        path for path in paths if re.search(r"\w[\\/]+\w", path)
    }
    texts = [text for text in texts if len(text.strip()) >= SHORTEST_TEXT]
    names = {_user(), platform.node()} - {"", "localhost"}
    return Private(sorted(found - set(public)), sorted(names), texts, public, tuple(classes))


def leaks(folder: Path, kept: Private) -> list[str]:
    """Return a line for each thing in a folder that must not be published: the file and what it contains."""
    return [
        f"{file.relative_to(folder).as_posix()}: {found}"
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        for found in _leaks_of(file, kept)
    ]


def _leaks_of(file: Path, kept: Private) -> Iterator[str]:
    text = _content(file)
    if any(secret in text for secret in secrets()):
        yield "a token or secret of this environment"
    yield from (f"the local path {path}" for path in kept.paths if path in text)
    for what, pattern in SECRETS.items():
        if pattern.search(_without(text, filter(pattern.search, kept.public))):
            yield what
    rest = _without(text, kept.public)
    yield from (f"the name '{name}' of this user or machine" for name in kept.names if _names(name, file)(rest))
    # In code and in binary files such as pictures, something that looks like a path may be anything.
    if file.name in VOCABULARIES or file.suffix in (".py", ".html") or _is_binary(file):
        return
    rest = _without(text, filter(LOCAL_PATH.search, kept.classes))
    yield from (f"a local path ('{match[0][:EXCERPT]}')" for match in LOCAL_PATH.finditer(rest))
    spaced = " ".join(text.split())
    openings = (" ".join(each.split())[:OPENING] for each in kept.texts)
    yield from (f"a text of the data set ('{opening[:EXCERPT]}...')" for opening in openings if opening in spaced)


def _without(text: str, names: Iterable[str]) -> str:
    """Return a text without these names, the longest first."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "")
    return text


def _content(file: Path) -> str:
    """Return the text of a file; for JSON, weights and tables, their strings, one per line."""
    if file.suffix == ".parquet":
        return "\n".join(_strings_of_table(pq.ParquetFile(file)))
    with file.open("rb") as stream:
        header = file.suffix == ".safetensors"
        content = stream.read(int.from_bytes(stream.read(8), "little")) if header else stream.read()
    text = content.decode(errors="replace")
    if not header and file.suffix != ".json":
        return text
    try:
        return "\n".join(_strings(json.loads(text)))
    except ValueError:
        return text


def _is_binary(file: Path) -> bool:
    """Tell whether the checked content of a file is binary, such as a picture."""
    return file.suffix not in (".safetensors", ".parquet") and b"\0" in file.read_bytes()


def _strings(content: Any) -> Iterator[str]:
    """Yield the strings of a JSON content, its keys included."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from _strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from _strings(value)
    elif isinstance(content, str):
        yield content


def _strings_of_table(table: pq.ParquetFile) -> Iterator[str]:
    """Yield a table's strings and metadata, except texts and their components, which are only written on request."""
    schema = table.schema_arrow
    yield str(schema.metadata)
    for name in schema.names:
        if name not in ("text", "components") and pa.types.is_string(schema.field(name).type):
            yield from filter(None, table.read([name]).column(name).unique().to_pylist())


def _names(name: str, file: Path) -> Callable[[str], object]:
    """Return a search for the name of a user or machine, in paths and addresses, or as a word of its own."""
    exact = re.escape(name)
    word = rf"|\b{exact}\b" if len(name) >= SHORTEST_NAME and _says_something(name, file) else ""
    return re.compile(rf"[\\/]{exact}(?=[\\/\"'])|\b{exact}@{word}").search


def _says_something(name: str, file: Path) -> bool:
    """Tell whether a word must be a name: the file is one that we write, and our own code never uses the word."""
    ours = file.suffix == ".md" or file.name in ("training.json", "summary.json")
    return ours and not re.search(rf"\b{re.escape(name)}\b", _own_words(), re.IGNORECASE)


@lru_cache
def _own_words() -> str:
    """Return the text of this package's sources, and the platform's name."""
    sources = Path(__file__).parents[1].rglob("*")
    code = [file.read_text(encoding="utf-8") for file in sources if file.suffix in (".py", ".j2")]
    return "\n".join([*code, platform.platform()])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return ""
