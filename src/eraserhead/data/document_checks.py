"""Whether documents have texts and labels: said in the same words of those of a file and those that Python gives."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute
from datasets import Dataset

from eraserhead.errors import Setting, UserError, listed

logger = logging.getLogger("eraserhead")
compute: Any = pyarrow.compute  # whose functions are made at run time

ROWS_AT_ONCE = 8192


def check_text(text: str, name: str | Setting) -> str:
    """Return the text if it is valid Unicode.

    Raises:
        UserError: It holds half of a surrogate pair, which undecodable bytes leave.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            name, f": not valid Unicode at character {error.start}; decode it with the right encoding"
        ) from error
    return text


def check_texts(rows: Dataset, column: Setting | None) -> None:
    """Say how many documents have no text: null, empty, or white space alone.

    Args:
        rows: The documents.
        column: The setting that names the column of their texts; null where they are in none.

    Raises:
        UserError: None has any.
    """
    blocks = rows.select_columns(["id", "text"]).with_format("arrow").iter(ROWS_AT_ONCE)
    without, first = 0, ""
    for block in cast(Iterator[pa.Table], blocks):
        texts = block.column("text")
        empty = compute.or_(compute.utf8_is_space(texts), compute.equal(texts, "")).fill_null(True)
        places = np.flatnonzero(empty.to_numpy())
        if len(places) and not without:
            first = block.column("id")[int(places[0])].as_py()
        without += len(places)
    if without == len(rows):
        none = f"none of the {len(rows)} documents has any text"
        if column is None:
            raise UserError(f"{none}; give texts that have")
        raise UserError(column, f": {none}; name a column that has")
    if without:
        have = "1 document has" if without == 1 else f"{without} documents have"
        logger.warning(f"{have} no text, of {len(rows)}; the first is {first}")


def say_no_labels(columns: Sequence[str], split: str) -> None:
    """Say that no document has a label."""
    whole = f"label column '{columns[0]}' is" if len(columns) == 1 else f"label columns {listed(columns)} are"
    logger.info(f"no accuracy is reported: {whole} without any label in split '{split}' (null, -1 or empty)")
