"""Folders that a command fills: whose they are, what they were made from, and what to do when they are damaged."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from eraserhead.errors import Setting, UserError
from eraserhead.files import differences, refuse_foreign
from eraserhead.records import Numbered, plain, read_record, write_record

Kind = TypeVar("Kind", bound=Numbered)


@dataclass(frozen=True)
class OutputFolder:
    """A folder that belongs to one command.

    Attributes:
        path: Where it is.
    """

    CONTENT: ClassVar[str]  # what is in it, in words
    COMMAND: ClassVar[str]

    path: Path

    @property
    def again(self) -> str:
        """What to do when a file in it is damaged."""
        return f"delete {self.path} and {self.COMMAND} again"

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return (self.path / name).is_file()

    def read(self, kind: type[Kind], name: str) -> Kind:
        """Read one of its records.

        Raises:
            UserError: It is damaged, or in the format of another version.
        """
        return read_record(kind, self.path / name, self.again)

    def write(self, name: str, record: Numbered) -> None:
        """Write one of its records."""
        write_record(self.path / name, record)

    def differing(self, name: str, record: Numbered) -> list[str] | None:
        """Return the dotted names of the fields in which a record and the one stored here differ; null where none is.

        Raises:
            UserError: The stored one is damaged, or in the format of another version.
        """
        return differences(plain(self.read(type(record), name)), plain(record)) if self.has(name) else None

    def refuse(self, changed: list[str] | None, overwrite: bool) -> None:
        """Refuse the folder where it holds other things, or the same kind of thing made from something else.

        Args:
            changed: What differs from what it was made from; null where the folder does not say what that was.
            overwrite: Whether the same kind of thing may be replaced.

        Raises:
            UserError: Naming what differs.
        """
        if changed is None:
            refuse_foreign(self.path, self.CONTENT)
        elif changed and not overwrite:
            raise UserError(
                f"{self.path}: holds {self.CONTENT} of another setup (different: ",
                UserError.joined(map(Setting, changed), ", "),
                "); choose another ",
                Setting("output_dir"),
                ", or replace what is there with ",
                Setting("overwrite", True),
            )
