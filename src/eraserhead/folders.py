"""The output folder of a command: its records, and the checks before it is used again."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from eraserhead.errors import Job, Setting, UserError
from eraserhead.files import differences, refuse_foreign
from eraserhead.records import Numbered, plain, read_record, write_record

Kind = TypeVar("Kind", bound=Numbered)


@dataclass(frozen=True)
class OutputFolder:
    """A folder that belongs to one command.

    Attributes:
        path: Where it is.
    """

    CONTENT: ClassVar[str]  # what it holds, for messages
    COMMAND: ClassVar[str]
    MARK: ClassVar[str]  # name of the file that is written first, and makes the folder this command's

    path: Path

    @property
    def again(self) -> str:
        """Advice for messages about a damaged file."""
        return f"delete {self.path} and {self.COMMAND} again"

    def has(self, name: str) -> bool:
        """Return whether the folder has a file of this name."""
        return (self.path / name).is_file()

    def read(self, kind: type[Kind], name: str) -> Kind:
        """Read a record from one of its files.

        Raises:
            UserError: The file is damaged, or in the format of another version.
        """
        return read_record(kind, self.path / name, self.again)

    def check_mark(self) -> None:
        """Refuse to write more into a folder that was emptied meanwhile.

        Raises:
            UserError: The file that makes it this command's is gone.
        """
        if not self.has(self.MARK):
            raise UserError(
                f"{self.path}: {self.MARK} was removed while {self.COMMAND} was at work there; run the same ",
                Job(self.COMMAND),
                " again",
            )

    def write(self, name: str, record: Numbered) -> None:
        """Write a record to one of its files, atomically."""
        write_record(self.path / name, record)

    def differing(self, name: str, record: Numbered) -> list[str] | None:
        """Return the dotted names of the fields that differ from the stored record; None where none is stored.

        Raises:
            UserError: The stored one is damaged, or in the format of another version.
        """
        return differences(plain(self.read(type(record), name)), plain(record)) if self.has(name) else None

    def refuse(self, changed: list[str] | None, overwrite: bool) -> None:
        """Refuse a folder that holds foreign files, or content of another configuration.

        Args:
            changed: Names of the settings that differ from those it was made with; None where it records none.
            overwrite: Whether content of another configuration may be replaced.

        Raises:
            UserError: The folder may not be used; the message names the settings that differ.
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
