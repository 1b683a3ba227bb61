"""A folder of results that are written as finished shards and then joined, with its only writer and reader.

While a folder is being filled it holds its setup and one folder for each finished shard; final names appear only when
all of a file is written, the summary last. Each shard is sealed, and the summary has the digests of the other files.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

import pyarrow as pa
from accelerate import Accelerator

from eraserhead.digests import changed_file, digests
from eraserhead.erasure.joining import DOCUMENTS_AT_ONCE, in_order, with_others
from eraserhead.erasure.schemas import DOCUMENT_ROWS
from eraserhead.errors import Job, UserError
from eraserhead.files import damaged, remove_at_once, replacing
from eraserhead.folders import OutputFolder
from eraserhead.loading import devices
from eraserhead.parquet import parquet_writer, read_parquet, write_parquet
from eraserhead.records import Numbered, read_record
from eraserhead.seals import check_seal, seal

logger = logging.getLogger("eraserhead")

# What may differ in the same results: how model and data are named and were read. Fingerprints identify the two.
NAMES_ALONE = (
    *("model.name", "model.unexpected", "model.pickled", "model.own_code"),
    *("data.path", "labels.by", "labels.classes", "labels.empty"),
)


@dataclass(frozen=True)
class ResultsLayout:
    """Names in a folder of results.

    Attributes:
        setup: What determines the results.
        summary: The aggregates; the folder is complete when they are there.
        shards: Finished shards, until they are joined.
        figures: Folder of the figures of the results; other results in the folder remove them.
        page: The page of the results, likewise.
    """

    setup: str = "setup.json"
    summary: str = "summary.json"
    shards: str = "shards"
    figures: str = "figures"
    page: str = "page.html"

    def table(self, name: str) -> str:
        """Return the name of a table's file."""
        return f"{name}.parquet"

    def shard(self, number: int) -> str:
        """Return the name of a finished shard."""
        return f"{self.shards}/{number:06d}"


class WithFiles(Protocol):
    """How results were made."""

    @property
    def files(self) -> Mapping[str, str]:
        """Digests of the other files by name."""
        ...


class WithRun(Numbered, Protocol):
    """A summary of results."""

    @property
    def run(self) -> WithFiles:
        """How they were made."""
        ...


SetupKind = TypeVar("SetupKind", bound=Numbered)
SummaryKind = TypeVar("SummaryKind", bound=WithRun)


@dataclass(frozen=True)
class ShardedResults(OutputFolder, Generic[SetupKind, SummaryKind]):
    """A folder of results, finished or unfinished.

    A kind of results says in its class what its folder holds.
    """

    LAYOUT: ClassVar[ResultsLayout]
    TABLES: ClassVar[Mapping[str, pa.Schema]]  # joined from those of the shards
    DERIVED: ClassVar[tuple[str, ...]] = ()  # files that are made of them
    SUMMARY: ClassVar[type]

    @property
    def complete(self) -> bool:
        """True when all tables and the summary are written; what is made of them can be made again."""
        return all(map(self.has, (self.LAYOUT.summary, *map(self.LAYOUT.table, self.TABLES))))

    @property
    def lacking(self) -> bool:
        """Whether a file is missing that is made of the tables and the summary."""
        return not all(map(self.has, self.DERIVED))

    @property
    def _files(self) -> tuple[str, ...]:
        """The files that finished results have beside setup and summary."""
        return (*map(self.LAYOUT.table, self.TABLES), *self.DERIVED)

    def check(self, setup: SetupKind, overwrite: bool) -> None:
        """Refuse a folder that these results may not use.

        Raises:
            UserError: It holds results of another setup and `overwrite` is off, or other files.
        """
        try:
            changed = self.changed(setup)
        except UserError:
            if not overwrite:
                raise
            return  # unreadable results are replaced too
        self.refuse(changed, overwrite)

    def changed(self, setup: SetupKind) -> list[str] | None:
        """Return the names of settings that differ from those of the results here; None where there are none."""
        found = self.differing(self.LAYOUT.setup, setup)
        return None if found is None else [name for name in found if name not in NAMES_ALONE]

    def open(self, setup: SetupKind) -> None:
        """Prepare the folder for results of a setup, after `check`; keep what is finished and undamaged of the same."""
        try:
            keep = not self.changed(setup)
        except UserError:  # damaged: `check` let it pass, as it is to be replaced
            keep = False
        if keep and self.complete and (damage := self.damage()) is not None:
            logger.info("%s", damage)
            keep = False
        if not keep:
            self._clear()
        self.write(self.LAYOUT.setup, setup)
        self._remove_damaged_shards()

    def prepare(self, setup: SetupKind, overwrite: bool, accelerator: Accelerator) -> None:
        """Check the folder on every process, then let the main one open it; see `check` and `open`.

        Raises:
            UserError: These results may not use the folder.
        """
        self.check(setup, overwrite)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            self.open(setup)
        accelerator.wait_for_everyone()

    def leave_complete(self, accelerator: Accelerator) -> None:
        """Tidy a folder whose results are complete, and say that there is nothing to do."""
        accelerator.wait_for_everyone()  # until all have seen it
        if accelerator.is_main_process:
            self.tidy()
        devices.tell(accelerator, f"{self.path}: already complete, nothing to do")

    def finished_shards(self) -> set[int]:
        """Return the numbers of the shards that are finished."""
        shards = self.path / self.LAYOUT.shards
        return {int(shard.name) for shard in shards.iterdir() if shard.name.isdigit()} if shards.is_dir() else set()

    def shard_folders(self, numbers: Iterable[int]) -> list[Path]:
        """Return the folders of some finished shards."""
        return [self.path / self.LAYOUT.shard(number) for number in numbers]

    def write_shard(self, number: int, tables: Mapping[str, pa.Table]) -> None:
        """Write one shard's tables atomically, all together; the documents have a column ``place``.

        Raises:
            UserError: The folder was emptied meanwhile.
        """
        self.check_mark()
        with replacing(self.path / self.LAYOUT.shard(number)) as unfinished:
            unfinished.mkdir()
            for name, table in tables.items():
                write_parquet(unfinished / self.LAYOUT.table(name), table, _rows_at_once(table, tables))
            seal(unfinished)

    def shard_table(self, number: int, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one of the tables of a finished shard, or some of its columns."""
        return read_parquet(self.path / self.LAYOUT.shard(number) / self.LAYOUT.table(name), self.again, columns)

    def shard_bytes(self, number: int) -> int:
        """Return how many bytes a finished shard takes."""
        return sum(file.stat().st_size for file in (self.path / self.LAYOUT.shard(number)).iterdir())

    def write_tables(
        self,
        folders: Sequence[Path],
        mend: str,
        completed: Callable[[pa.Table], pa.Table] = lambda rows: rows,
        schemas: Mapping[str, pa.Schema] | None = None,
    ) -> dict[str, str]:
        """Write the tables, with the rows of those in other folders in the order of their documents.

        Args:
            folders: The other folders: finished shards, or parts.
            mend: What to do about a damaged table in one of them.
            completed: Fills in what only all documents together can tell, in some rows of a table.
            schemas: The columns, where they are not those of finished results.

        Returns:
            Digest of each table's file by name.

        Raises:
            UserError: A table is damaged, or lacks documents.
        """
        self.check_mark()
        for name, schema in (schemas or self.TABLES).items():
            file = self.LAYOUT.table(name)
            of_all = with_others(schema, folders[0] / file) if folders else schema
            with replacing(self.path / file) as unfinished, parquet_writer(unfinished, of_all) as writer:
                for rows in in_order(folders, file, self.LAYOUT.table(DOCUMENT_ROWS), mend):
                    writer.write_table(completed(rows).select(of_all.names))
        return digests(self.path, map(self.LAYOUT.table, self.TABLES))

    def finish(self, summary: SummaryKind) -> None:
        """Write the summary, which makes the results complete, and remove the shards."""
        self.write(self.LAYOUT.summary, summary)
        self.tidy()

    def tidy(self) -> None:
        """Remove what is not needed beside finished results."""
        remove_at_once(self.path / self.LAYOUT.shards)

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one of the tables, or some of its columns.

        Raises:
            UserError: It is damaged.
        """
        return read_parquet(self.path / self.LAYOUT.table(name), self.again, columns)

    def summary(self) -> SummaryKind:
        """Read the summary alone, which has a digest of its own; the tables may be large and are not looked at.

        Raises:
            UserError: There are no finished results here, or the summary is damaged.
        """
        self._check_complete()
        return self.read(self.SUMMARY, self.LAYOUT.summary)

    def checked_summary(self) -> SummaryKind:
        """Read the summary, and check the tables against the digests in it: before they are read, or passed on.

        Raises:
            UserError: There are no finished results here, or one of the files is damaged.
        """
        self._check_complete()
        return self._undamaged(self.again)

    def _check_complete(self) -> None:
        if not self.complete:
            if self.has(self.LAYOUT.setup):
                said = f"{self.path}: unfinished {self.CONTENT}; run the same "
                raise UserError(said, Job(self.COMMAND), " again to finish them")
            raise UserError(f"{self.path}: no {self.CONTENT}; run ", Job(self.COMMAND), " first")

    def damage(self) -> UserError | None:
        """Return which file of finished results is not as it was written; null where all are."""
        try:
            self._undamaged("the results are computed again")
        except UserError as error:
            return error
        return None

    def _undamaged(self, mend: str) -> SummaryKind:
        summary = read_record(self.SUMMARY, self.path / self.LAYOUT.summary, mend)
        changed = changed_file(self.path, summary.run.files)
        if changed is not None:
            raise UserError(damaged(self.path / changed[0], changed[1], mend))
        return summary

    def _remove_damaged_shards(self) -> None:
        """Remove the finished shards that are not as they were written, so that they are made again; log which."""
        for number in sorted(self.finished_shards()):
            try:
                check_seal(self.path / self.LAYOUT.shard(number), "this shard is made again")
            except UserError as error:
                logger.info("%s", error)
                remove_at_once(self.path / self.LAYOUT.shard(number))

    def _clear(self) -> None:
        (self.path / self.LAYOUT.summary).unlink(missing_ok=True)  # first: without it nothing here counts as finished
        remove_at_once(self.path / self.LAYOUT.shards)
        remove_at_once(self.path / self.LAYOUT.figures)
        (self.path / self.LAYOUT.page).unlink(missing_ok=True)
        for name in self._files:
            (self.path / name).unlink(missing_ok=True)


def _rows_at_once(table: pa.Table, tables: Mapping[str, pa.Table]) -> int:
    """Return the rows of a row group: small in shards, of which many are open when they are joined."""
    return max(1, DOCUMENTS_AT_ONCE // 4 * len(table) // max(len(tables[DOCUMENT_ROWS]), 1))
