"""What an erasure analysis leaves on disk: the one writer and the one reader of its tables.

A folder of results holds ``documents.parquet``, ``flips.parquet``, ``singles.parquet`` and ``summary.json``. While it
is being made it holds ``manifest.json`` and ``shards/``, one folder a finished shard; final names appear only when all
of a file is written, ``summary.json`` last.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from eraserhead.errors import UserError
from eraserhead.files import UNFINISHED, differences, read_mapping, refuse_foreign, write_json

DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("label", pa.int32()),
        ("prediction", pa.int32()),
        ("model_prediction", pa.int32()),
        ("probabilities", pa.list_(pa.float64())),
        ("n", pa.int32()),
        ("components", pa.list_(pa.string())),
        ("starts", pa.list_(pa.int32())),
        ("ends", pa.list_(pa.int32())),
        ("single_js", pa.list_(pa.float64())),
        ("single_decision", pa.list_(pa.int32())),
        ("tokens", pa.int32()),
        ("truncated_tokens", pa.int32()),
        ("sentences", pa.int32()),
        ("truncated_sentences", pa.int32()),
    ]
)
FLIPS = pa.schema(
    [
        ("id", pa.string()),
        ("ranking", pa.string()),
        ("draw", pa.int32()),
        ("n", pa.int32()),
        ("removed", pa.int32()),
        ("fraction", pa.float64()),
        ("mass", pa.float64()),
        ("outcome", pa.string()),
        ("order", pa.list_(pa.int32())),
        ("evidence_auc", pa.float64()),
    ]
)
SINGLES = pa.schema(
    [
        ("id", pa.string()),
        ("ranking", pa.string()),
        ("n", pa.int32()),
        ("top", pa.int32()),
        ("random", pa.int32()),
        ("delta_attention", pa.float64()),
        ("js_top", pa.float64()),
        ("js_random", pa.float64()),
        ("delta_js", pa.float64()),
        ("top_flips", pa.bool_()),
        ("random_flips", pa.bool_()),
        ("expected_delta_js", pa.float64()),
        ("share_negative", pa.float64()),
        ("share_zero", pa.float64()),
        ("share_random_flips", pa.float64()),
    ]
)
SIGNALS = pa.schema(
    [
        ("id", pa.string()),
        ("ranking", pa.string()),
        ("scores", pa.list_(pa.float64())),
    ]
)
SCHEMAS = {"documents": DOCUMENTS, "signals": SIGNALS, "flips": FLIPS, "singles": SINGLES}

# How model and data are called; what they are, their fingerprints tell.
NAMES_ALONE = ("model.name", "data.path")
MANIFEST, SHARDS, SUMMARY = "manifest.json", "shards", "summary.json"


@dataclass(frozen=True)
class ResultsFolder:
    """A folder of erasure results, finished or in the making."""

    path: Path

    @property
    def complete(self) -> bool:
        """Whether everything is written."""
        return all((self.path / name).is_file() for name in (SUMMARY, *(f"{table}.parquet" for table in SCHEMAS)))

    def check(self, configuration: Mapping[str, Any], overwrite: bool) -> None:
        """Refuse a folder that these results may not use.

        Raises:
            UserError: It holds results of another configuration and `overwrite` is off, or other files.
        """
        changed = self.changed(configuration)
        if changed is None:
            refuse_foreign(self.path, "erasure results")
        elif changed and not overwrite:
            raise UserError(
                f"{self.path}: holds results of another configuration (different: {', '.join(changed)}); choose "
                "another --output_dir, or replace them with --overwrite"
            )

    def changed(self, configuration: Mapping[str, Any]) -> list[str] | None:
        """Return the names of what differs from the configuration of the results here; null where there are none."""
        manifest = self.path / MANIFEST
        if not manifest.is_file():
            return None
        stored = read_mapping(manifest, self._again)
        return [name for name in differences(stored, _plain(configuration)) if name not in NAMES_ALONE]

    def open(self, configuration: Mapping[str, Any]) -> None:
        """Prepare the folder for results of a configuration, after the check; finished shards of the same one stay."""
        if self.changed(configuration):
            self._clear()
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / MANIFEST, configuration)

    def finished_shards(self) -> set[int]:
        """Return the numbers of the shards that are finished."""
        shards = self.path / SHARDS
        return {int(shard.name) for shard in shards.iterdir() if shard.name.isdigit()} if shards.is_dir() else set()

    def write_shard(self, number: int, tables: Mapping[str, pa.Table]) -> None:
        """Write one shard's tables; they appear together, or not at all."""
        final = self.path / SHARDS / f"{number:06d}"
        unfinished = final.with_name(final.name + UNFINISHED)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name, table in tables.items():
            pq.write_table(table, unfinished / f"{name}.parquet")
        os.replace(unfinished, final)

    def join(self, shards: int) -> None:
        """Join the finished shards under the final names, in their order, a shard at a time."""
        for name, schema in SCHEMAS.items():
            unfinished = self.path / f"{name}.parquet{UNFINISHED}"
            with pq.ParquetWriter(unfinished, schema) as writer:
                for number in range(shards):
                    writer.write_table(pq.read_table(self.path / SHARDS / f"{number:06d}" / f"{name}.parquet"))
            os.replace(unfinished, self.path / f"{name}.parquet")

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, which makes the results complete, and remove the shards."""
        write_json(self.path / SUMMARY, summary)
        shutil.rmtree(self.path / SHARDS, ignore_errors=True)

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one of the tables, or some of its columns."""
        return pq.read_table(self.path / f"{name}.parquet", columns=list(columns) if columns else None)

    def summary(self) -> dict[str, Any]:
        """Read the summary.

        Raises:
            UserError: There are no finished results here.
        """
        if not self.complete:
            unfinished = (self.path / MANIFEST).is_file()
            mend = (
                "run the same `eraserhead erase` again to finish them" if unfinished else "run `eraserhead erase` first"
            )
            raise UserError(f"{self.path}: {'unfinished' if unfinished else 'no'} erasure results; {mend}")
        return read_mapping(self.path / SUMMARY, self._again)

    def check_readable(self) -> None:
        """Refuse finished results of which a file is damaged.

        Raises:
            UserError: Naming the file.
        """
        self.summary()
        for name in SCHEMAS:
            path = self.path / f"{name}.parquet"
            try:
                pq.read_metadata(path)
            except (OSError, pa.ArrowException) as error:
                raise UserError(f"{path}: damaged ({' '.join(str(error).split())[:100]}); {self._again}") from error

    @property
    def _again(self) -> str:
        return f"delete {self.path} and erase again"

    def _clear(self) -> None:
        (self.path / SUMMARY).unlink(missing_ok=True)  # first: without it nothing here counts as finished
        shards, discarded = self.path / SHARDS, self.path / f"{SHARDS}{UNFINISHED}"
        if shards.is_dir():  # at once, so that an interruption here leaves no half of them
            shutil.rmtree(discarded, ignore_errors=True)
            os.replace(shards, discarded)
        shutil.rmtree(discarded, ignore_errors=True)
        for name in SCHEMAS:
            (self.path / f"{name}.parquet").unlink(missing_ok=True)


def _plain(content: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(content))
