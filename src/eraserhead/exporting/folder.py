"""The folder of an exported model: what an export wrote there, and how another takes its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eraserhead.errors import Setting, UserError
from eraserhead.files import moving_into, refuse_foreign, remove
from eraserhead.folders import OutputFolder

GRAPH = "model.onnx"


@dataclass(frozen=True)
class ExportRecord:
    """What an export wrote.

    Attributes:
        files: Names of its files and folders.
    """

    FORMAT: ClassVar[int] = 1

    files: list[str]


@dataclass(frozen=True)
class ExportFolder(OutputFolder):
    """The folder of an exported model. Without a graph it is unfinished, and may be exported into again."""

    CONTENT: ClassVar[str] = "an exported model"
    COMMAND: ClassVar[str] = "export"
    MARK: ClassVar[str] = "export.json"

    def check(self, overwrite: bool) -> None:
        """Refuse a folder of other files, or with a model that may not be replaced.

        Raises:
            UserError: The folder may not be used, or its record is damaged.
        """
        if not self.has(self.MARK):
            if self.has(GRAPH):
                raise UserError(
                    f"{self.path}: holds {GRAPH}, and no {self.MARK} that says what belongs to it; delete what is "
                    "there, or choose another ",
                    Setting("output_dir"),
                )
            refuse_foreign(self.path, self.CONTENT)
        elif self._earlier() and self.has(GRAPH) and not overwrite:
            raise UserError(
                f"{self.path}: holds an exported model; choose another ",
                Setting("output_dir"),
                ", or replace it with ",
                Setting("overwrite", True),
            )

    @contextmanager
    def replacing(self) -> Iterator[Path]:
        """Yield an empty folder to export into; at the end its files take the place of those of an earlier export.

        The earlier graph goes first and the new one comes last, so that no graph stands beside files of another.
        """
        with moving_into(self.path, last=GRAPH) as unfinished:
            yield unfinished
            for name in sorted(self._earlier(), key=lambda name: name != GRAPH):
                remove(self.path / name)
            self.write(self.MARK, ExportRecord(sorted(file.name for file in unfinished.iterdir())))

    def _earlier(self) -> list[str]:
        """Return the names of what an earlier export wrote, also one that was killed."""
        if not self.has(self.MARK):
            return []
        names = self.read(ExportRecord, self.MARK).files
        for name in names:  # which are removed, so that none may lead out of the folder
            if name in ("", ".", "..") or name != Path(name).name:
                raise UserError(f"{self.path / self.MARK}: names '{name}', which no export writes; delete the folder")
        return names
