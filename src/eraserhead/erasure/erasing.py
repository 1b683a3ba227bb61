"""The erasure analysis of a data set: documents in, a folder of results out."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from accelerate import Accelerator

from eraserhead.data.documents import Documents
from eraserhead.environment import environment
from eraserhead.erasure.aggregates import aggregate
from eraserhead.erasure.analysed import AnalysedRows, analysed_rows
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.draws import draws_needed, first_draws, permutations, with_curves, with_draws
from eraserhead.erasure.half_precision import check_decisions
from eraserhead.erasure.joining import with_places
from eraserhead.erasure.ordinary import Percentiles
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.schemas import PARTS, SCHEMAS
from eraserhead.erasure.scoring import Scoring, unlaid_spans
from eraserhead.erasure.seen import SAMPLED
from eraserhead.erasure.setup import ErasureRun, Setup
from eraserhead.erasure.shard_size import automatic_size
from eraserhead.erasure.shards import DealtShard
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.tabulate import tabulate, tabulate_further
from eraserhead.erasure.work import Work, work_of
from eraserhead.errors import Setting, UserError
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import Checkpoint, load_checkpoint
from eraserhead.loading.opened import OpenedModel, documents_for, open_model
from eraserhead.loading.progress import LONG_RUN, Progress, written_bytes
from eraserhead.loading.reader import check_limits, is_hierarchical, own_limits
from eraserhead.loading.site_table import check_site
from eraserhead.loading.targets import label_setup
from eraserhead.loading.waiting import waiting
from eraserhead.method.analysis import Analysis, Draws, analyse, further_shuffles
from eraserhead.method.curves import Curves, curves
from eraserhead.method.names import SENTENCES, SHUFFLES, YARDSTICKS, CurveSizes
from eraserhead.method.reading import Reading
from eraserhead.rankings.asked import Asked, Scorer, asked_rankings, source_of
from eraserhead.settings import check_settings
from eraserhead.sites.site import POOLING

JOINED = 2  # shards and the tables that they are joined to are there together


@dataclass(frozen=True)
class Analyser:
    """Analyses batches of tokenised documents with an opened model.

    Attributes:
        opened: The model at its site.
        accelerator: The device.
        config: Seed and batch size.
        draws: Number of random orders that each document gets at first.
        permutations: Number of times that each document's weights are permuted.
        scoring: The rankings.
        curves: Where probabilities along rankings are looked at.
        searched: Seconds that the search for smaller sets has taken so far, one entry for each batch.
        sizes: Number of documents of each batch so far.
    """

    opened: OpenedModel
    accelerator: Accelerator
    config: EraseConfig
    draws: int
    permutations: int
    scoring: Scoring
    curves: CurveSizes
    searched: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    @property
    def search_seconds(self) -> float | None:
        """Seconds that the search for smaller sets has taken in this process; None without a search."""
        return None if self.config.search == "none" else sum(self.searched)

    def shard(self, documents: pa.Table, count: Callable[[int], None]) -> dict[str, pa.Table]:
        """Analyse the tokenised documents of a shard; return its tables, and call `count` with each batch's size."""
        opened, rows = self.opened, self.opened.rows(documents)
        analysed, sampled = [], documents.column(SAMPLED).to_numpy()
        for batch in opened.batches(documents, rows, self.config.batch_tokens):
            analysed.append(self._batch(documents, rows, batch, sampled))
            count(len(batch))
        checkpoint, components = opened.checkpoint, opened.setup.components
        tables = tabulate(documents, analysed, checkpoint.tokenizer, components, opened.labels)
        return tables | {"documents": with_places(tables["documents"], documents)}

    def further(self, documents: pa.Table, draws: int) -> dict[str, pa.Table]:
        """Return flips and curves of the same documents along so many random orders, but for the first of them."""
        opened, rows = self.opened, self.opened.rows(documents)
        sampled = documents.column(SAMPLED).to_numpy()
        batches = opened.batches(documents, rows, self.config.batch_tokens)
        found = [self._further(rows, batch, sampled, draws) for batch in batches]
        return tabulate_further(documents, found, opened.checkpoint.tokenizer, opened.setup.components, opened.labels)

    def _further(
        self, rows: Mapping[str, Sequence[Any]], batch: list[int], sampled: np.ndarray, draws: int
    ) -> AnalysedRows:
        reading = self.opened.read(rows, batch, ())
        further = further_shuffles(reading, self._draws(rows, _documents(reading, batch), draws), self.draws)
        return analysed_rows(batch, reading, {}, further, self._curves(reading, further), sampled)

    def _draws(self, rows: Mapping[str, Sequence[Any]], documents: list[int], count: int) -> Draws:
        ids = [rows["id"][row] for row in documents]
        return Draws(ids, self.config.seed, count, self.config.random_other, self.permutations)

    def _batch(
        self, documents: pa.Table, rows: Mapping[str, Sequence[Any]], batch: list[int], sampled: np.ndarray
    ) -> AnalysedRows:
        reading = self.opened.read(rows, batch, self.scoring.signals)
        own = _documents(reading, batch)
        draws = self._draws(rows, own, self.draws)
        with devices.counted(reading, self.accelerator) as counted:
            ranked = self.scoring.ranked(counted, documents, own)
            orders = {name: each.order for name, each in ranked.items()}
            analysis = analyse(counted, orders, draws, greedy=self.config.search == "greedy")
            along = self._curves(counted, analysis)
        self.searched.append(analysis.search_seconds)
        self.sizes.append(len(batch))
        return analysed_rows(batch, reading, ranked, analysis, along, sampled)

    def _curves(self, reading: Reading, analysis: Analysis) -> Curves:
        """Return the curves along all orders but those that begin with a flipping set."""
        orders = [(each.ranking, each.order) for each in analysis.flips if each.ranking not in (*YARDSTICKS, *SHUFFLES)]
        return curves(reading, orders, self.curves)


def _documents(reading: Reading, batch: list[int]) -> list[int]:
    """Return the number of each row's document; a document may have several rows, one for each label."""
    return batch if reading.cases is None else [batch[document] for document in reading.cases.documents.tolist()]


def erase_to_folder(config: EraseConfig) -> ResultsFolder:
    """Run the analysis that a configuration describes; continue what an earlier call left unfinished.

    Raises:
        UserError: The model, the data or the output folder cannot be used; nothing is written then.
    """
    check_settings(config)
    check_site(config)
    asked = asked_rankings(config.rankings)
    folder = config.folder  # before anything is loaded, as it refuses what is no part
    accelerator = devices.start(config.cpu)
    with devices.main_first(accelerator), waiting("loading the model"):
        checkpoint = load_checkpoint(
            config.model,
            config.revision,
            config.dtype,
            config.trust_remote_code,
            lambda found, name: label_setup(found, config, name),
        )
        own, by_sentence = own_limits(checkpoint.model).long_documents, config.components == SENTENCES
        check_limits(is_hierarchical(checkpoint.model), config.data, by_sentence, own)
    with devices.alone_in(folder, accelerator):
        with devices.main_first(accelerator), waiting("reading the documents"):
            documents = documents_for(checkpoint, config.data, config.label_map)
        return erase_documents(checkpoint, documents, config, accelerator, asked)


def erase_documents(
    checkpoint: Checkpoint, documents: Documents, config: EraseConfig, accelerator: Accelerator, asked: Asked
) -> ResultsFolder:
    """Analyse documents along the rankings asked for, in a folder in which this run is alone; see `erase_to_folder`."""
    results, part = ResultsFolder(config.folder), config.asked_part
    with waiting(f"opening the model at {config.site or 'its site'}"):
        opened = open_model(checkpoint, config, config.data, accelerator)
    closed_form = opened.setup.site == POOLING
    if part is not None and config.draws is None and not closed_form:
        why = ": at this site the results of all documents decide how many random orders are drawn; give "
        raise UserError(Setting("part", str(part)), why, Setting("draws"))
    scoring = Scoring(opened, asked.at(opened.site, opened.setup.site))
    _check_tables(asked, documents, accelerator)
    draws = first_draws(config.draws, closed_form)
    with devices.main_first(accelerator), waiting("splitting the documents into tokens"):
        size = partial(automatic_size, opened, documents=len(documents.rows), orders=draws + len(scoring.rankings))
        work = work_of(opened, documents, config.shard_size, size, part)
    setup = _setup(opened, documents, config, scoring.rankings, work.size)
    results.prepare(setup, config.overwrite, accelerator)
    if results.complete:
        results.leave_complete(accelerator)
        return results
    if part is not None:
        devices.tell(accelerator, f"part {part}: {work.documents:,} of {len(documents.rows):,} documents")
    with devices.main_first(accelerator):
        half_precision = check_decisions(opened, documents, config, accelerator)
    earlier = len(results.finished_shards())
    accelerator.wait_for_everyone()
    started = time.perf_counter()
    permuted = permutations(config.draws, closed_form)
    analyser = Analyser(opened, accelerator, config, draws, permuted, scoring, setup.curves)
    _write_shards(analyser, work, results)
    accelerator.wait_for_everyone()
    if config.draws is None and not closed_form:
        _add_draws(analyser, work, results)
        accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        folders, mend = results.shard_folders(shard.number for shard in work.shards), "run the same erase again"
        with waiting("joining the tables"):
            completed = Percentiles.of(folders, mend).added
            files = results.write_tables(folders, mend, completed, SCHEMAS if part is None else PARTS)
        run = ErasureRun(
            seconds=time.perf_counter() - started,
            devices=devices.describe(accelerator),
            files=files,
            search_seconds=analyser.search_seconds,
            ranking_seconds=scoring.seconds,
            missed_sums=scoring.missed,
            ranked=sum(analyser.sizes),
            unlaid_spans=unlaid_spans(asked.tables, results),
            earlier_shards=earlier,
            **vars(environment()),
        )
        with waiting("computing averages and intervals"):
            aggregates = aggregate(results, config.count_never_as, opened.labels)
        results.finish(Summary(**vars(aggregates), setup=setup, run=run, half_precision=half_precision))
    accelerator.wait_for_everyone()
    return results


def _check_tables(asked: Asked, documents: Documents, accelerator: Accelerator) -> None:
    """Refuse a table without scores for some document; say of a table's other documents that they have no effect."""
    ids: list[str] = list(documents.rows["id"]) if asked.tables else []
    texts = list(documents.rows["text"]) if asked.tables and documents.texts is None else None
    for table in asked.tables:
        if more := table.check(ids, texts):
            devices.tell(accelerator, f"ranking '{table.name}': {more:,} documents of the table are not analysed")


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
    if full or (progress.left or 0.0) > LONG_RUN:
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


def _setup(
    opened: OpenedModel, documents: Documents, config: EraseConfig, rankings: Sequence[Scorer], shard_size: int
) -> Setup:
    sources = {ranking.name: source_of(ranking) for ranking in rankings}
    return Setup(
        model=opened.model_setup,
        site=opened.setup,
        data=documents.record,
        labels=documents.labels_read,
        label_map=config.label_map,
        limits=opened.reader.limits,
        rankings=tuple(sources),
        ranking_sources={name: source for name, source in sources.items() if source is not None},
        draws=config.draws,
        seed=config.seed,
        random_other=config.random_other,
        count_never_as=config.count_never_as,
        curves=config.curves or ("all" if opened.setup.site == POOLING else "fractions"),
        shard_size=shard_size,
        part=config.part,
    )
