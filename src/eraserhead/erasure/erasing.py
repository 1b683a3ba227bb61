"""The erasure analysis of a data set: documents in, a folder of results out."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from accelerate import Accelerator

from eraserhead.data.batching import buckets
from eraserhead.data.documents import Documents
from eraserhead.environment import environment
from eraserhead.erasure.aggregates import aggregate
from eraserhead.erasure.analysed import AnalysedRows, analysed_rows
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.draws import draws_needed, first_draws, with_curves, with_draws
from eraserhead.erasure.joining import with_places
from eraserhead.erasure.ordinary import Percentiles
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.erasure.seen import SAMPLED
from eraserhead.erasure.setup import ErasureRun, Setup
from eraserhead.erasure.shards import DealtShard
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.tabulate import tabulate, tabulate_further
from eraserhead.erasure.work import Work, work_of
from eraserhead.errors import Setting, UserError
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import Checkpoint, load_checkpoint
from eraserhead.loading.opened import OpenedModel, documents_for, open_model
from eraserhead.loading.progress import Progress, written_bytes
from eraserhead.loading.reader import check_limits, is_hierarchical
from eraserhead.loading.site_table import check_site
from eraserhead.loading.targets import label_setup
from eraserhead.method.analysis import Analysis, Draws, analyse, further_shuffles
from eraserhead.method.curves import Curves, curves
from eraserhead.method.names import YARDSTICKS, CurveSizes
from eraserhead.method.reading import Reading
from eraserhead.rankings.registry import registered, signals_of
from eraserhead.settings import check_settings
from eraserhead.sites.budget import budget_for
from eraserhead.sites.site import POOLING

LONG = 60.0  # seconds; of a longer run it is said how long it takes
JOINED = 2  # shards and the tables that they are joined to are there together


@dataclass(frozen=True)
class Analyser:
    """Analyses batches of tokenised documents with an opened model.

    Attributes:
        opened: The model at its site.
        accelerator: The device.
        config: Seed and batch size.
        draws: Number of random orders that each document gets at first.
        curves: Where probabilities along rankings are looked at.
        searched: Seconds that the search for smaller sets has taken so far, one entry for each batch.
    """

    opened: OpenedModel
    accelerator: Accelerator
    config: EraseConfig
    draws: int
    curves: CurveSizes
    searched: list[float] = field(default_factory=list)

    @property
    def search_seconds(self) -> float | None:
        """Seconds that the search for smaller sets has taken in this process; None without a search."""
        return None if self.config.search == "none" else sum(self.searched)

    def shard(self, documents: pa.Table, count: Callable[[int], None]) -> dict[str, pa.Table]:
        """Analyse the tokenised documents of a shard; return its tables, and call `count` with each batch's size."""
        opened, rows = self.opened, self.opened.rows(documents)
        analysed, sampled = [], documents.column(SAMPLED).to_numpy()
        for batch in self._batches(documents, rows):
            analysed.append(self._batch(rows, batch, sampled))
            count(len(batch))
        checkpoint, components = opened.checkpoint, opened.setup.components
        tables = tabulate(documents, analysed, checkpoint.tokenizer, components, opened.labels)
        return tables | {"documents": with_places(tables["documents"], documents)}

    def further(self, documents: pa.Table, draws: int) -> dict[str, pa.Table]:
        """Return flips and curves of the same documents along so many random orders, but for the first of them."""
        opened, rows = self.opened, self.opened.rows(documents)
        sampled = documents.column(SAMPLED).to_numpy()
        found = [self._further(rows, batch, sampled, draws) for batch in self._batches(documents, rows)]
        return tabulate_further(documents, found, opened.checkpoint.tokenizer, opened.setup.components, opened.labels)

    def _batches(self, documents: pa.Table, rows: Mapping[str, Sequence[Any]]) -> list[list[int]]:
        lengths = documents.column("tokens").to_pylist()
        budget = self.config.batch_tokens or budget_for(self.accelerator.device).tokens
        return buckets(range(len(lengths)), lengths, budget, self.opened.kinds(rows))

    def _further(
        self, rows: Mapping[str, Sequence[Any]], batch: list[int], sampled: np.ndarray, draws: int
    ) -> AnalysedRows:
        reading = self.opened.read(rows, batch, ())
        further = further_shuffles(reading, self._draws(rows, batch, reading, draws), self.draws)
        return analysed_rows(batch, reading, (), further, self._curves(reading, further), sampled)

    def _draws(self, rows: Mapping[str, Sequence[Any]], batch: list[int], reading: Reading, count: int) -> Draws:
        cases = reading.cases
        documents = batch if cases is None else [batch[document] for document in cases.documents.tolist()]
        return Draws([rows["id"][row] for row in documents], self.config.seed, count, self.config.random_other)

    def _batch(self, rows: Mapping[str, Sequence[Any]], batch: list[int], sampled: np.ndarray) -> AnalysedRows:
        opened, config, rankings = self.opened, self.config, registered()
        reading = opened.read(rows, batch, signals_of(rankings))
        orders = {ranking.name: ranking.order(reading) for ranking in rankings}
        draws = self._draws(rows, batch, reading, self.draws)
        with devices.counted(reading, self.accelerator) as counted:
            analysis = analyse(counted, orders, draws, greedy=config.search == "greedy")
            along = self._curves(counted, analysis)
        self.searched.append(analysis.search_seconds)
        return analysed_rows(batch, reading, rankings, analysis, along, sampled)

    def _curves(self, reading: Reading, analysis: Analysis) -> Curves:
        """Return the curves along all orders but those that begin with a flipping set."""
        orders = [(each.ranking, each.order) for each in analysis.flips if each.ranking not in YARDSTICKS]
        return curves(reading, orders, self.curves)


def erase_to_folder(config: EraseConfig) -> ResultsFolder:
    """Run the analysis that a configuration describes; continue what an earlier call left unfinished.

    Raises:
        UserError: The model, the data or the output folder cannot be used; nothing is written then.
    """
    check_settings(config)
    check_site(config)
    folder = config.folder  # before anything is loaded, as it refuses what is no part
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
    with devices.alone_in(folder, accelerator):
        with devices.main_first(accelerator):
            documents = documents_for(checkpoint, config.data, config.label_map)
        return erase_documents(checkpoint, documents, config, accelerator)


def erase_documents(
    checkpoint: Checkpoint, documents: Documents, config: EraseConfig, accelerator: Accelerator
) -> ResultsFolder:
    """Analyse documents with a model, in a folder in which this run is alone; see `erase_to_folder`."""
    results, part = ResultsFolder(config.folder), config.asked_part
    opened = open_model(checkpoint, config, config.data, accelerator)
    closed_form = opened.setup.site == POOLING
    if part is not None and config.draws is None and not closed_form:
        why = ": at this site the results of all documents decide how many random orders are drawn; give "
        raise UserError(Setting("part", str(part)), why, Setting("draws"))
    with devices.main_first(accelerator):
        work = work_of(opened, documents, config, first_draws(config.draws, closed_form))
    setup = _setup(opened, documents, config, work.size)
    results.check(setup, config.overwrite)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        results.open(setup)
    accelerator.wait_for_everyone()
    if results.complete:
        accelerator.wait_for_everyone()  # until all have seen it
        if accelerator.is_main_process:
            results.tidy()
        devices.tell(accelerator, f"{results.path}: already complete, nothing to do")
        return results
    if part is not None:
        devices.tell(accelerator, f"part {part}: {work.documents:,} of {len(documents.rows):,} documents")
    earlier = len(results.finished_shards())
    accelerator.wait_for_everyone()
    started = time.perf_counter()
    analyser = Analyser(opened, accelerator, config, first_draws(config.draws, closed_form), setup.curves)
    _write_shards(analyser, work, results)
    accelerator.wait_for_everyone()
    if config.draws is None and not closed_form:
        _add_draws(analyser, work, results)
        accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        folders, mend = results.shard_folders(shard.number for shard in work.shards), "run the same erase again"
        files = results.write_tables(folders, mend, Percentiles.of(folders, mend).added, part is not None)
        run = ErasureRun(
            seconds=time.perf_counter() - started,
            devices=devices.describe(accelerator),
            files=files,
            search_seconds=analyser.search_seconds,
            earlier_shards=earlier,
            **vars(environment()),
        )
        aggregates = aggregate(results, config.count_never_as, opened.labels)
        results.finish(Summary(**vars(aggregates), setup=setup, run=run))
    accelerator.wait_for_everyone()
    return results


def _write_shards(analyser: Analyser, work: Work, results: ResultsFolder) -> None:
    accelerator, finished = analyser.accelerator, results.finished_shards()
    if finished:
        devices.tell(accelerator, f"continuing: {len(finished)} of {len(work.shards)} shards are finished")
    share = work.share(accelerator.process_index, accelerator.num_processes, finished)
    with Progress("erasing", sum(len(shard.places) for shard in share), accelerator) as progress:
        for shard in share:
            results.write_shard(shard.number, analyser.shard(work.table(shard), progress.advance))
            if shard is share[0]:
                _tell_estimate(progress, results, work, shard, len(finished))


def _tell_estimate(progress: Progress, results: ResultsFolder, work: Work, first: DealtShard, finished: int) -> None:
    """Say after the first shard of a long run how long it takes, and how much disk."""
    size = results.shard_bytes(first.number) / len(first.places) * work.documents
    free, needed = shutil.disk_usage(results.path).free, size * (JOINED - finished / len(work.shards))
    full = f", and only {written_bytes(free)} are free" if needed > free else ""
    if full or (progress.left or 0.0) > LONG:
        progress.tell(f"; the tables will take {written_bytes(size)}, twice that while they are joined{full}")


def _add_draws(analyser: Analyser, work: Work, results: ResultsFolder) -> None:
    """Draw more random orders where the first ones are too few; shards that have them already are left as they are."""
    accelerator = analyser.accelerator
    draws = draws_needed(results, [shard.number for shard in work.shards], analyser.draws)
    accelerator.wait_for_everyone()  # no shard is written again while another process looks at it
    if draws == analyser.draws:
        return
    few = f"{analyser.draws} random orders for each document would widen an interval by a tenth or more"
    devices.tell(accelerator, f"{few}: {draws} are drawn")
    share = work.share(accelerator.process_index, accelerator.num_processes, ())
    with Progress("random orders", sum(len(shard.places) for shard in share), accelerator) as progress:
        for shard in share:
            tables = {name: results.shard_table(shard.number, name) for name in SCHEMAS}
            if np.nanmax(tables["flips"].column("draw").to_numpy()) == analyser.draws - 1:
                more = analyser.further(work.table(shard), draws)
                flips = with_draws(tables["flips"], more["flips"])
                along = with_curves(tables["curves"], more["curves"], analyser.draws / draws)
                results.write_shard(shard.number, tables | {"flips": flips, "curves": along})
            progress.advance(len(shard.places))


def _setup(opened: OpenedModel, documents: Documents, config: EraseConfig, shard_size: int) -> Setup:
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
        curves=config.curves or ("all" if opened.setup.site == POOLING else "fractions"),
        shard_size=shard_size,
        part=config.part,
    )
