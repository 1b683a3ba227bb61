"""The erasure analysis of a data set: documents in, a folder of results out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from accelerate import Accelerator
from datasets import Dataset

from eraserhead.data.batching import buckets
from eraserhead.data.documents import Documents
from eraserhead.data.labels import arrow_table
from eraserhead.data.seen import SeenTexts
from eraserhead.environment import environment
from eraserhead.erasure.aggregates import aggregate
from eraserhead.erasure.analysed import AnalysedRows, analysed_rows
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.setup import ErasureRun, Setup
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.tabulate import TRAINING_ROLE, tabulate
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import Checkpoint, load_checkpoint
from eraserhead.loading.opened import OpenedModel, documents_for, open_model
from eraserhead.loading.reader import check_limits, is_hierarchical
from eraserhead.loading.site_table import check_site
from eraserhead.loading.targets import label_setup
from eraserhead.method.analysis import Draws, analyse
from eraserhead.rankings.registry import registered, signals_of
from eraserhead.settings import check_settings


@dataclass(frozen=True)
class Analyser:
    """Analyses batches of tokenised documents with an opened model.

    Attributes:
        opened: The model at its site.
        accelerator: The device.
        config: Draws, seed and batch size.
        searched: Seconds that the search for smaller sets has taken so far, one entry for each batch.
    """

    opened: OpenedModel
    accelerator: Accelerator
    config: EraseConfig
    searched: list[float] = field(default_factory=list)

    @property
    def search_seconds(self) -> float | None:
        """Seconds that the search for smaller sets has taken in this process; None without a search."""
        return None if self.config.search == "none" else sum(self.searched)

    def shard(self, documents: pa.Table) -> dict[str, pa.Table]:
        """Analyse some tokenised documents; return the tables of a shard."""
        rows = self.opened.rows(documents)
        lengths = documents.column("tokens").to_pylist()
        budget = devices.token_budget(self.config.batch_tokens, self.accelerator.device)
        batches = buckets(range(len(lengths)), lengths, budget, self.opened.kinds(rows))
        analysed = [self._batch(rows, batch) for batch in batches]
        opened = self.opened
        return tabulate(documents, analysed, opened.checkpoint.tokenizer, opened.setup.components, opened.labels)

    def _batch(self, rows: Mapping[str, Sequence[Any]], batch: list[int]) -> AnalysedRows:
        opened, config, rankings = self.opened, self.config, registered()
        reading = opened.read(rows, batch, signals_of(rankings))
        cases = reading.cases
        documents = batch if cases is None else [batch[document] for document in cases.documents.tolist()]
        ids = [rows["id"][row] for row in documents]
        orders = {ranking.name: ranking.order(reading) for ranking in rankings}
        draws = Draws(ids, config.seed, config.draws, config.random_other)
        with devices.counted(reading, self.accelerator) as counted:
            analysis = analyse(counted, orders, draws, greedy=config.search == "greedy")
        self.searched.append(analysis.search_seconds)
        return analysed_rows(batch, reading, rankings, analysis)


def erase_to_folder(config: EraseConfig) -> ResultsFolder:
    """Run the analysis that a configuration describes; continue what an earlier call left unfinished.

    Raises:
        UserError: The model, the data or the output folder cannot be used; nothing is written then.
    """
    check_settings(config)
    check_site(config)
    accelerator = devices.start(config.cpu)
    with devices.main_first(accelerator):
        checkpoint = load_checkpoint(
            config.model,
            config.revision,
            config.dtype,
            config.trust_remote_code,
            lambda found, name: label_setup(found, config, name),
        )
        check_limits(is_hierarchical(checkpoint.model), config.data)
        documents = documents_for(checkpoint, config.data, config.label_map)
    return erase_documents(checkpoint, documents, config, accelerator)


def erase_documents(
    checkpoint: Checkpoint, documents: Documents, config: EraseConfig, accelerator: Accelerator
) -> ResultsFolder:
    """Analyse documents with a model; see `erase_to_folder`."""
    results = ResultsFolder(config.folder)
    opened = open_model(checkpoint, config, config.data, accelerator)
    with devices.main_first(accelerator):
        rows = with_training_roles(opened.tokenize(documents.rows), checkpoint.seen)
    setup = _setup(opened, documents, config)
    results.check(setup, config.overwrite)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        results.open(setup)
    accelerator.wait_for_everyone()
    if results.complete:
        results.check_tables()
        devices.tell(accelerator, f"{results.path}: already complete, nothing to do")
        return results
    earlier = len(results.finished_shards())
    accelerator.wait_for_everyone()
    started = time.perf_counter()
    shards = -(-len(rows) // config.shard_size)
    analyser = Analyser(opened, accelerator, config)
    _write_shards(analyser, rows, results, shards)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        results.join(shards)
        run = ErasureRun(
            seconds=time.perf_counter() - started,
            devices=devices.describe(accelerator),
            search_seconds=analyser.search_seconds,
            earlier_shards=earlier,
            **vars(environment()),
        )
        aggregates = aggregate(results, config.seed, config.count_never_as, opened.labels)
        results.finish(Summary(**vars(aggregates), setup=setup, run=run))
    accelerator.wait_for_everyone()
    return results


def with_training_roles(rows: Dataset, seen: SeenTexts | None) -> Dataset:
    """Add what each document was in training, where it is known."""
    return rows if seen is None else rows.add_column(TRAINING_ROLE, seen.roles(rows))  # pyright: ignore[reportCallIssue, reportArgumentType]


def own_shards(shards: int, finished: set[int], rank: int, processes: int) -> list[int]:
    """Return the shards that a process still has to make.

    They are assigned by number, since processes look at the folder at different moments and may see different shards
    finished.
    """
    return [number for number in range(rank, shards, processes) if number not in finished]


def _write_shards(analyser: Analyser, rows: Dataset, results: ResultsFolder, shards: int) -> None:
    finished = results.finished_shards()
    accelerator, size = analyser.accelerator, analyser.config.shard_size
    if finished:
        devices.tell(accelerator, f"continuing: {len(finished)} of {shards} shards are finished")
    mine = own_shards(shards, finished, accelerator.process_index, accelerator.num_processes)
    for number in devices.progress(mine, accelerator, "erasing", "shard"):
        results.write_shard(number, analyser.shard(_slice(rows, number * size, size)))


def _slice(rows: Dataset, start: int, size: int) -> pa.Table:
    stop = min(start + size, len(rows))
    return arrow_table(rows.select(range(start, stop)), rows.column_names)


def _setup(opened: OpenedModel, documents: Documents, config: EraseConfig) -> Setup:
    return Setup(
        model=opened.model_setup,
        site=opened.setup,
        data=documents.record,
        labels=documents.labels_read,
        label_map=config.label_map,
        limits=opened.reader.limits,
        rankings=tuple(ranking.name for ranking in registered()),
        draws=config.draws,
        seed=config.seed,
        random_other=config.random_other,
        count_never_as=config.count_never_as,
        shard_size=config.shard_size,
    )
