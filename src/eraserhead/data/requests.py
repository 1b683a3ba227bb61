"""What a configuration asks for: whether it fits together, and the source that it names."""

from collections.abc import Iterator
from dataclasses import replace

from eraserhead.data.config import DataConfig
from eraserhead.data.dialects import DIALECT, DialectSettings
from eraserhead.data.hub_sets import read_hub
from eraserhead.data.named_sets import NAMED, PLANTED, NamedSet
from eraserhead.data.paths import read_path
from eraserhead.data.separators import spelled_separator
from eraserhead.data.sources import Source
from eraserhead.data.streaming import stream_hub
from eraserhead.errors import Setting, UserError, nearest
from eraserhead.settings import setting_problems

LABEL_COLUMN = Setting("data.label_column")
ENCODINGS = ("utf-8", "utf-16", "cp1252", "latin-1", "cp1251", "shift_jis", "gb18030", "euc_kr", "big5", "koi8-r")
OUTER = (  # settings that the built-in corpus has no use for
    *("path", "subset", "revision", "text_columns", "pair_column", "label_column", "label_columns", "clean"),
    *("id_column", "rationale_column", "no_label", *DIALECT),
)  # fmt: skip


def check_config(config: DataConfig, multi_label: bool = False) -> None:
    """Raise `UserError` with everything that is wrong with the configuration by itself."""
    problems = list(setting_problems(config, "data."))

    def refuse(name: str, why: str | UserError) -> None:
        problems.append(UserError(Setting(f"data.{name}", getattr(config, name)), why))

    if config.name is None and config.path is None:
        names = f" ({', '.join([*NAMED, PLANTED])} or a hub id) or "
        problems.append(UserError("give ", Setting("data.name"), names, Setting("data.path")))
    if config.validation_split is not None and config.validation_split == config.train_split:
        refuse("validation_split", UserError(" is also ", Setting("data.train_split")))
    if config.revision is not None and config.path is not None:
        refuse("revision", UserError(": it belongs to the hub and has no effect with ", Setting("data.path")))
    if config.clean and config.name not in NAMED:
        refuse("clean", f": only {', '.join(NAMED)} have a rule for cleaning")
    if config.streaming and (config.path is not None or config.name == PLANTED):
        refuse("streaming", ": belongs to the hub; texts of files here are read from disk in any case: leave it out")
    dialect = [Setting(f"data.{name}") for name in DIALECT if getattr(config, name) is not None]
    if config.streaming and dialect:
        nothing = UserError(": reads parquet alone, where these mean nothing: ", UserError.joined(dialect, ", "))
        refuse("streaming", nothing)
    if config.streaming and config.rationale_column is not None:
        refuse("rationale_column", UserError(": is not read from a stream; leave out ", Setting("data.streaming")))
    if config.text_columns is not None and not config.text_columns:
        refuse("text_columns", ": name one column or more")
    for name, why in (*_dialect_problems(config), *_label_problems(config, multi_label)):
        refuse(name, why)
    if config.name == PLANTED:
        given = [Setting(f"data.{name}") for name in OUTER if getattr(config, name) is not None]
        if given:
            refuse("name", UserError(" is built in: leave out ", UserError.joined(given, ", ")))
    if problems:
        raise UserError.joined(problems)


def source_of(config: DataConfig, named: NamedSet) -> Source:
    """Read the source that a configuration names.

    Raises:
        UserError: It cannot be read.
    """
    return _with_inner_columns(_read(config, named), config)


def _read(config: DataConfig, named: NamedSet) -> Source:
    if config.path is not None:
        return read_path(config.path, config.subset, dialect_of(config, named))
    name = config.name or ""
    if config.streaming:
        return stream_hub(named.hub or name, config.subset or named.subset, config.revision)
    try:
        return read_hub(named.hub or name, config.subset or named.subset, config.revision, dialect_of(config, named))
    except UserError as error:
        hint = "" if "/" in name or name in NAMED else nearest(name, [*NAMED, PLANTED])
        raise UserError(error, hint) from error


def _with_inner_columns(source: Source, config: DataConfig) -> Source:
    """Return the source with the columns inside objects as ``outer.inner``, where such a name is asked for."""
    asked = [*(config.text_columns or ()), config.pair_column, config.label_column, *(config.label_columns or ())]
    asked += [config.rationale_column, config.id_column]
    inner = {name for name in asked if name is not None and "." in name}
    splits = {
        split: rows.flatten() if inner - set(rows.column_names) else rows for split, rows in source.splits.items()
    }
    return replace(source, splits=splits)


def dialect_of(config: DataConfig, named: NamedSet) -> DialectSettings:
    """Return what a configuration says about the dialect of text files."""
    names = None if config.column_names is None else tuple(config.column_names)
    read = [*(config.text_columns or named.text_columns), config.pair_column, config.label_column]
    read += [config.rationale_column, config.id_column]
    columns = (column for column in [*read, *(config.label_columns or ())] if column is not None)
    return DialectSettings(
        *(config.encoding, config.separator, config.quoting, names, config.header, config.field),
        usual_names=named.headerless,
        columns=tuple(columns),
    )


def _label_problems(config: DataConfig, multi_label: bool) -> Iterator[tuple[str, str | UserError]]:
    several = config.label_columns
    if several is not None and not multi_label:
        yield "label_columns", UserError(": belongs to multi-label models; name one column with ", LABEL_COLUMN)
    elif several is not None and config.label_column is not None:
        yield "label_columns", UserError(": give it or ", LABEL_COLUMN, ", not both")
    elif several is not None and (len(several) < 2 or len(set(several)) < len(several)):
        yield "label_columns", ": name two different columns or more"
    if config.name == PLANTED and multi_label:
        yield "name", ": its documents have one class each, and the model is a multi-label one"


def _dialect_problems(config: DataConfig) -> Iterator[tuple[str, str | UserError]]:
    if config.encoding is not None and not _is_encoding(config.encoding):
        yield "encoding", f": no encoding of texts that Python knows{nearest(config.encoding, ENCODINGS)}"
    separator = spelled_separator(config.separator) if isinstance(config.separator, str) else None
    if separator is not None and (not separator or set(separator) & set('"\r\n')):
        yield "separator", ": give what stands between columns, such as ';' or tab"
    names = config.column_names if isinstance(config.column_names, list) else None
    if names is not None and (not names or not all(names) or len(set(names)) < len(names)):
        yield "column_names", ": name every column, each with a name of its own"
    if config.header is False and names is None and not NAMED.get(config.name or "", NamedSet()).headerless:
        yield "header", UserError(": name the columns with ", Setting("data.column_names"))
    if config.field == "":
        yield "field", ": name a key of the JSON object"


def _is_encoding(name: object) -> bool:
    try:
        return isinstance(name, str) and "a".encode(name) is not None
    except (LookupError, ValueError, UnicodeError):
        return False
