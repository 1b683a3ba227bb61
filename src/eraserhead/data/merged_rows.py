"""Rows over several lines that may be several rows, merged by a quotation mark that was not meant as quoting."""

from collections.abc import Iterable, Sequence

from eraserhead.data.dialects import Dialect

MOST_VALUES = 1000  # of a column that may hold labels
MOST_KEPT = 1000  # rows over several lines that are compared with the rest

Row = list[str]


class Merged:
    """Compares the lines inside fields with the other rows, when all have been read.

    A quotation mark that opens a text, and is not meant as quoting, swallows what follows until the next one. Where a
    line inside a field is a row by itself, with a value that a column of few values has, this is what happened. Nothing
    is compared where the user chose the quoting.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._separator = dialect.separator
        self._rows: list[tuple[Row, int, int]] = []
        self._values: dict[int, set[str]] = {place: set() for place in range(len(dialect.names))}
        self._compares = not dialect.chosen and len(dialect.names) > 1

    @property
    def columns(self) -> list[int]:
        """Columns that may still hold labels."""
        return list(self._values) if self._compares else []

    @property
    def room(self) -> int:
        """How many more rows are remembered."""
        return MOST_KEPT - len(self._rows) if self._compares else 0

    def keep(self, row: Row, first: int, last: int) -> None:
        """Remember a row over several lines."""
        if self.room:
            self._rows.append((row, first, last))

    def learn(self, column: int, values: Iterable[str]) -> None:
        """Take in values of a column, as long as these are few."""
        self._values[column].update(values)
        if len(self._values[column]) > MOST_VALUES:
            del self._values[column]

    def found(self) -> tuple[int, int] | None:
        """Return the first and last line of a row that seems to be several; null where none does."""
        for row, first, last in self._rows:
            if any(self._swallowed(row, place) for place, field in enumerate(row) if "\n" in field or "\r" in field):
                return first, last
        return None

    def _swallowed(self, row: Row, place: int) -> bool:
        first, *rest = row[place].splitlines()
        whole = [line.split(self._separator) for line in rest]
        begun = [*row[:place], *first.split(self._separator)]  # the row in whose field the others lie
        return any(self._is_row(fields, row, place, 0) for fields in whole) or self._is_row(begun, row, place, place)

    def _is_row(self, fields: Row, row: Sequence[str], place: int, start: int) -> bool:
        return len(fields) == len(row) and any(
            fields[column] in values
            for column, values in self._values.items()
            if column != place and column >= start and fields[column]
        )
