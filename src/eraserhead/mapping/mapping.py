"""Maps a checkpoint: documents in, an atlas of its layers and heads out."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from accelerate import Accelerator

from eraserhead.data.documents import Documents
from eraserhead.data.seen import UNSEEN
from eraserhead.data.tokens import summed_truncation
from eraserhead.digests import digests
from eraserhead.environment import environment
from eraserhead.erasure.decided_documents import LARGEST_CLASS, accuracies, counts
from eraserhead.erasure.results import is_analysed
from eraserhead.erasure.schemas import DOCUMENT_ROWS, FLIP_ROWS
from eraserhead.erasure.shard_size import size_of_work
from eraserhead.erasure.work import Work, work_of
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import Checkpoint, load_checkpoint
from eraserhead.loading.every_layer import OpenedLayers, check_layered, open_layers
from eraserhead.loading.opened import documents_for
from eraserhead.loading.progress import Progress
from eraserhead.loading.targets import check_threshold, label_setup
from eraserhead.mapping.aggregating import places_of
from eraserhead.mapping.answer import documents_needed
from eraserhead.mapping.config import AtlasConfig, Heads
from eraserhead.mapping.folder import AtlasFolder
from eraserhead.mapping.pictures import write_pictures
from eraserhead.mapping.rows import BatchRows, batch_rows, tables
from eraserhead.mapping.summary import AtlasRun, AtlasSetup, AtlasSummary, each_place
from eraserhead.method.names import ATTENTION, GRADIENT, PRODUCT
from eraserhead.method.places import PlaceFlips, analyse_place, grid_sizes, shuffled_orders
from eraserhead.method.reading import Reading
from eraserhead.rankings.registry import BUILT_IN
from eraserhead.settings import check_settings

RANKINGS = tuple(BUILT_IN[name] for name in (ATTENTION, GRADIENT, PRODUCT))
FEWEST = 8  # documents of a shard: of fewer, each batch would be one


@dataclass(frozen=True)
class Mapper:
    """Erases at every place of batches of tokenised documents.

    Attributes:
        opened: The model at its layers.
        accelerator: The device.
        setup: The places, the draws and their seed.
        batch_tokens: Tokens processed at a time, where it was given.
        passes: How many passes of the model each place of a document is worth, roughly.
    """

    opened: OpenedLayers
    accelerator: Accelerator
    setup: AtlasSetup
    batch_tokens: int | None
    passes: Sequence[int]

    def shard(self, documents: pa.Table, count: Callable[[int], None]) -> dict[str, pa.Table]:
        """Map the tokenised documents of a shard; return its tables, and call `count` with how many passes are done."""
        rows = self.opened.opened.rows(documents)
        batches = self.opened.batches(documents, rows, self.batch_tokens)
        found = [self._batch(rows, batch, count) for batch in batches]
        return tables(documents, found, self.setup.places, self.opened.opened.labels)

    def _batch(self, rows: Mapping[str, Sequence[Any]], batch: list[int], count: Callable[[int], None]) -> BatchRows:
        heads = [] if self.setup.heads == "none" else range(self.opened.heads)
        found, reading, passes = [], None, iter(self.passes)
        for layer in self.opened.read(rows, batch):
            for head in (None, *heads):
                reading = layer.at(head)
                found.append(self._place(reading, rows, batch, every_prefix(head, self.setup.heads)))
                count(len(batch) * next(passes))
        assert reading is not None  # decisions and lengths are the same at every place
        return batch_rows(batch, reading, found)

    def _place(self, reading: Reading, rows: Mapping[str, Sequence[Any]], batch: list[int], every: bool) -> PlaceFlips:
        own = batch if reading.cases is None else [batch[document] for document in reading.cases.documents.tolist()]
        ids = [rows["id"][row] for row in own]
        with devices.counted(reading, self.accelerator) as counted:
            orders = {ranking.name: ranking.ranked(counted, ids).order for ranking in RANKINGS}
            shuffles = shuffled_orders(counted, ids, self.setup.draws, self.setup.seed)
            return analyse_place(counted, orders, shuffles, every)


def map_to_folder(config: AtlasConfig) -> AtlasFolder:
    """Make the atlas that a configuration describes; continue what an earlier call left unfinished.

    Raises:
        UserError: The model, the data or the output folder cannot be used; nothing is written then.
    """
    check_settings(config)
    check_threshold(config)
    accelerator = devices.start(config.cpu)
    with devices.main_first(accelerator):
        checkpoint = load_checkpoint(
            config.model,
            config.revision,
            config.dtype,
            config.trust_remote_code,
            lambda found, name: label_setup(found, config, name),
        )
        check_layered(checkpoint)
    with devices.alone_in(config.folder, accelerator):
        with devices.main_first(accelerator):
            documents = documents_for(checkpoint, config.data, config.label_map)
        return map_documents(checkpoint, documents, config, accelerator)


def map_documents(
    checkpoint: Checkpoint, documents: Documents, config: AtlasConfig, accelerator: Accelerator
) -> AtlasFolder:
    """Map documents in a folder in which this run is alone; see `map_to_folder`."""
    folder = AtlasFolder(config.folder)
    opened = open_layers(checkpoint, config, config.layers, config.data, accelerator)
    with devices.main_first(accelerator):
        size = partial(shard_size, opened, documents=len(documents.rows), heads=config.heads, draws=config.draws)
        work = work_of(opened.opened, documents, config.shard_size, size)
    setup = _setup(opened, documents, config, work.size)
    folder.prepare(setup, config.overwrite, accelerator)
    if folder.complete:
        if accelerator.is_main_process and folder.lacking:
            write_pictures(folder, folder.summary())
        folder.leave_complete(accelerator)
        return folder
    needed = documents_needed(len(setup.places))
    if len(documents.rows) < needed:
        few = f"{len(documents.rows)} documents are too few for a place to stand out among {len(setup.places)}"
        devices.tell(accelerator, f"{few}: it takes {needed}")
    earlier = len(folder.finished_shards())
    accelerator.wait_for_everyone()
    started = time.perf_counter()
    _write_shards(opened, setup, config.batch_tokens, work, folder, accelerator)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        folders = folder.shard_folders(shard.number for shard in work.shards)
        files = folder.write_tables(folders, "run the same atlas again")
        taken = time.perf_counter() - started
        run = AtlasRun(
            seconds=taken,
            devices=devices.describe(accelerator),
            files=files,
            earlier_shards=earlier,
            **vars(environment()),
        )
        _finish(folder, setup, run, opened.opened.labels)
    accelerator.wait_for_everyone()
    return folder


def shard_size(opened: OpenedLayers, tokens: Sequence[int], documents: int, heads: Heads, draws: int) -> int:
    """Return how many documents make a shard.

    Args:
        opened: The model at its layers.
        tokens: Tokens of the first documents, or of all.
        documents: How many documents there are.
        heads: What is looked at of every head alone.
        draws: Number of random orders.
    """
    length = max(float(np.mean(tokens)), 1.0) if len(tokens) else 1.0
    places = each_place(opened.layers, opened.heads, heads)
    erasing = sum(passes_at(layer, head, opened.all_layers, heads, draws, length) for layer, head in places)
    return max(FEWEST, size_of_work(opened.opened, length, documents, 1 + erasing))


def passes_at(layer: int, head: int | None, all_layers: int, heads: Heads, draws: int, length: float) -> float:
    """Return how many passes of the model it is worth to erase at a place of a document of so many tokens, roughly."""
    sizes = length if every_prefix(head, heads) else len(grid_sizes(int(length)))
    return (len(RANKINGS) + draws) * sizes * (all_layers - layer) / all_layers


def every_prefix(head: int | None, heads: Heads) -> bool:
    """Return whether every prefix is looked at, at a layer or at a head alone."""
    return head is None or heads == "complete"


def _write_shards(
    opened: OpenedLayers,
    setup: AtlasSetup,
    batch_tokens: int | None,
    work: Work,
    folder: AtlasFolder,
    accelerator: Accelerator,
) -> None:
    finished = folder.finished_shards()
    if finished:
        devices.tell(accelerator, f"continuing: {len(finished)} of {len(work.shards)} shards are finished")
    share = work.share(accelerator.process_index, accelerator.num_processes, finished)
    if not share:
        return
    length = float(np.mean(work.table(share[0]).column("tokens")))
    passes = [
        max(1, round(passes_at(layer, head, opened.all_layers, setup.heads, setup.draws, length)))
        for layer, head in setup.places
    ]
    mapper = Mapper(opened, accelerator, setup, batch_tokens, passes)
    documents = sum(len(shard.places) for shard in share)
    devices.tell(accelerator, f"{documents} documents at {len(passes)} places, most of it at the lowest layers")
    with Progress("mapping", documents * sum(passes), accelerator, unit="pass") as progress:
        for shard in share:
            folder.write_shard(shard.number, mapper.shard(work.table(shard), progress.advance))


def _finish(folder: AtlasFolder, setup: AtlasSetup, run: AtlasRun, labels: Sequence[str]) -> None:
    """Aggregate the tables, draw, and write the summary, which makes the atlas complete."""
    table = folder.table(DOCUMENT_ROWS)
    decisions = table.to_pandas()
    is_first = ~decisions.id.duplicated()
    documents = decisions.loc[is_first]
    found = dict(accuracies(decisions.loc[is_analysed(decisions.n)], labels))
    summary = AtlasSummary(
        setup=setup,
        run=run,
        documents=counts(documents, decisions),
        truncation=summed_truncation(table.filter(pa.array(is_first))),
        accuracy=found["accuracy", "all"],
        accuracy_unseen=found.get(("accuracy", UNSEEN)),
        largest_class=found.get(("accuracy", LARGEST_CLASS)),
        places=places_of(folder.table(FLIP_ROWS), setup),
    )
    write_pictures(folder, summary)
    files = {**run.files, **digests(folder.path, folder.DERIVED)}
    folder.finish(replace(summary, run=replace(run, files=files)))


def _setup(opened: OpenedLayers, documents: Documents, config: AtlasConfig, size: int) -> AtlasSetup:
    return AtlasSetup(
        model=opened.opened.model_setup,
        site=opened.opened.setup,
        layers=opened.layers,
        heads=config.heads,
        heads_of_layer=opened.heads,
        data=documents.record,
        labels=documents.labels_read,
        label_map=config.label_map,
        limits=opened.opened.reader.limits,
        rankings=tuple(ranking.name for ranking in RANKINGS),
        draws=config.draws,
        seed=config.seed,
        shard_size=size,
    )
