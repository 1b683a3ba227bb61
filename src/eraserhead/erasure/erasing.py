"""The erasure analysis of a data set: documents in, a folder of results out."""

import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from accelerate import Accelerator
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from eraserhead.data.batching import buckets
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents, load_documents
from eraserhead.data.labels import matched_labels
from eraserhead.data.tokens import COUNTS, TYPES
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.summary import summarise
from eraserhead.erasure.tabulate import BatchText, join_batches, tabulate
from eraserhead.errors import DocumentError, UserError
from eraserhead.files import environment
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import Checkpoint, load_checkpoint, weights_fingerprint
from eraserhead.loading.checks import check_types, check_vocabulary
from eraserhead.loading.choosing import ChosenSite, choose_site, refuse_pairs
from eraserhead.loading.components import PIECE_COLUMNS, pieces_of
from eraserhead.loading.reader import DocumentReader, largest, reading_of
from eraserhead.method.analysis import Draws, analyse
from eraserhead.method.reading import Reading
from eraserhead.rankings.registry import registered, signals_of
from eraserhead.settings import check_ranges

logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class Analyser:
    """Analyses batches of tokenised documents at a site.

    Attributes:
        chosen: Where weights are erased.
        reader: How the model reads documents.
        checkpoint: Whose tokenizer names the components.
        accelerator: Where the model is.
        config: Draws, seed and batch size.
        searched: Seconds that the search for smaller sets has taken so far, one entry a batch.
    """

    chosen: ChosenSite
    reader: DocumentReader
    checkpoint: Checkpoint
    accelerator: Accelerator
    config: EraseConfig
    searched: list[float] = field(default_factory=list)

    def shard(self, rows: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Analyse some documents; returns the tables of a shard."""
        lengths = list(rows["tokens"])
        budget = devices.token_budget(self.config.batch_tokens, self.accelerator.device)
        return join_batches([self._batch(rows, batch) for batch in buckets(range(len(lengths)), lengths, budget)])

    def _batch(self, rows: Mapping[str, Sequence[Any]], batch: list[int]) -> dict[str, Any]:
        ids = [rows["id"][row] for row in batch]
        rankings = registered()
        reading = self.chosen.site.read(self._inputs(rows, batch), signals_of(rankings))
        _check_numbers(reading, ids)
        orders = {ranking.name: ranking.order(reading) for ranking in rankings}
        draws = Draws(ids, self.config.seed, self.config.draws, self.config.random_other)
        analysis = analyse(reading, orders, draws, greedy=self.config.search == "greedy")
        self.searched.append(analysis.search_seconds)
        text = batch_text(rows, batch, reading, self.checkpoint.tokenizer, self.chosen.components)
        return tabulate(text, reading, rankings, analysis)

    def _inputs(self, rows: Mapping[str, Sequence[Any]], batch: list[int]) -> dict[str, Tensor]:
        types = [rows[TYPES][row] for row in batch] if TYPES in rows else None
        inputs = self.reader.pad([rows["input_ids"][row] for row in batch], self.checkpoint.padding, types)
        return {name: tensor.to(self.chosen.device) for name, tensor in inputs.items()}


def erase_to_folder(config: EraseConfig) -> ResultsFolder:
    """Run the analysis that a configuration describes; continues what an earlier call left unfinished.

    Raises:
        UserError: The model, the data or the output folder cannot be used; nothing is written then.
    """
    check_ranges(config)
    accelerator = devices.start(config.cpu)
    with devices.main_first(accelerator):
        checkpoint = load_checkpoint(config.model, config.revision, config.dtype, config.trust_remote_code)
        documents = load_for(checkpoint, config.data, config.label_map)
    return erase_documents(checkpoint, documents, config, accelerator)


def erase_documents(
    checkpoint: Checkpoint, documents: Documents, config: EraseConfig, accelerator: Accelerator
) -> ResultsFolder:
    """Analyse documents with a model; see `erase_to_folder`."""
    results = ResultsFolder(config.folder)
    refuse_pairs(checkpoint, documents.rows)
    check_vocabulary(checkpoint.model, checkpoint.padding, checkpoint.name)
    chosen = choose_site(checkpoint, config, accelerator)
    reading = reading_of(checkpoint.model, checkpoint.tokenizer, config.data, cut_to_window=True)
    identity = _identity(checkpoint, documents, config, reading, chosen)
    with devices.main_first(accelerator):
        rows = reading.tokenize(documents.rows, checkpoint.tokenizer)
    check_vocabulary(checkpoint.model, largest(rows, "input_ids"), checkpoint.name)
    if TYPES in rows.column_names:
        check_types(checkpoint.model, largest(rows, TYPES), checkpoint.name)
    results.check(identity, config.overwrite)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        results.open(identity)
    accelerator.wait_for_everyone()
    if results.complete:
        devices.tell(accelerator, f"{results.path}: complete already, nothing to do")
        return results
    started = time.perf_counter()
    shards = -(-len(rows) // config.shard_size)
    analyser = Analyser(chosen, reading, checkpoint, accelerator, config)
    _write_shards(analyser, rows, results, shards)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        results.join(shards)
        run = {"seconds": time.perf_counter() - started, "devices": devices.describe(accelerator), **environment()}
        if config.search != "none":
            run["search_seconds"] = sum(analyser.searched)  # of the main process
        summary = summarise(results, config.seed, config.count_never_as)
        results.finish({**summary, "configuration": identity, "run": run})
    accelerator.wait_for_everyone()
    return results


def load_for(checkpoint: Checkpoint, data: DataConfig, label_map: Sequence[str] | None = None) -> Documents:
    """Load the documents to erase; labels are read with the run's own table, or matched to the model's by name."""
    if checkpoint.labels is not None and checkpoint.data is not None and _same_set(checkpoint.data, data):
        if label_map:
            raise UserError("--label_map: the data is the run's own, whose classes are the model's; leave it out")
        documents = load_documents(data, "test", checkpoint.labels)
        if documents.provenance.split == checkpoint.train_split:
            logger.info(f"the documents of '{checkpoint.train_split}' include those that the model was trained on")
        return documents
    documents = load_documents(data, "test")
    if documents.labels is None:
        return documents
    matched = matched_labels(documents.labels, checkpoint.class_names, label_map)
    if matched is not None:
        return load_documents(data, "test", matched)
    logger.info(
        f"no accuracy is reported: the data's classes ({', '.join(documents.labels.names)}) are not the model's "
        f"({', '.join(checkpoint.class_names)}); say which mean the same with --label_map data=model,..."
    )
    rows = documents.rows
    unlabelled = rows.map(_without_labels, batched=True, input_columns=["label"], features=rows.features)
    return dataclasses.replace(documents, rows=unlabelled, labels=None)


def batch_text(
    rows: Mapping[str, Sequence[Any]],
    batch: list[int],
    reading: Reading,
    tokenizer: PreTrainedTokenizerBase,
    components: str,
) -> BatchText:
    """Collect what a batch's documents say, component by component."""
    found = [
        pieces_of({name: rows[name][row] for name in PIECE_COLUMNS if name in rows}, tokenizer, components).at(
            positions[:length]
        )
        for row, positions, length in zip(batch, reading.positions.tolist(), reading.lengths.tolist(), strict=True)
    ]
    starts = [each.starts for each in found if each.starts is not None]
    ends = [each.ends for each in found if each.ends is not None]
    without = len(starts) < len(found)
    return BatchText(
        rows=batch,
        ids=[rows["id"][row] for row in batch],
        texts=[rows["text"][row] for row in batch],
        labels=[rows["label"][row] for row in batch],
        components=[each.names for each in found],
        starts=None if without else starts,
        ends=None if without else ends,
        counts={name: [rows[name][row] for row in batch] for name in COUNTS if name in rows},
        evidence=_evidence(rows, batch, None if without else starts, None if without else ends),
    )


def own_shards(shards: int, finished: set[int], rank: int, processes: int) -> list[int]:
    """Return the shards that a process has still to make.

    They are dealt by number: processes look at the folder at different moments and may see different shards finished.
    """
    return [number for number in range(rank, shards, processes) if number not in finished]


def _write_shards(analyser: Analyser, rows: Dataset, results: ResultsFolder, shards: int) -> None:
    finished = results.finished_shards()
    accelerator, size = analyser.accelerator, analyser.config.shard_size
    if finished:
        devices.tell(accelerator, f"continuing: {len(finished)} of {shards} shards are finished")
    mine = own_shards(shards, finished, accelerator.process_index, accelerator.num_processes)
    for number in devices.progress(mine, accelerator, "erasing", "shard"):
        results.write_shard(number, analyser.shard(rows[number * size : (number + 1) * size]))


def _evidence(
    rows: Mapping[str, Sequence[Any]], batch: list[int], starts: list[list[int]] | None, ends: list[list[int]] | None
) -> list[np.ndarray] | None:
    if "evidence" not in rows or starts is None or ends is None:
        return None
    return [
        np.array(
            [
                any(start < span["end"] and end > span["start"] for span in rows["evidence"][row])
                for start, end in zip(document_starts, document_ends, strict=True)
            ],
            dtype=bool,
        )
        for row, document_starts, document_ends in zip(batch, starts, ends, strict=True)
    ]


def _check_numbers(reading: Reading, ids: list[str]) -> None:
    broken = ~reading.unerased.logits.isfinite().all(-1)
    for values in reading.signals.values():
        broken |= ~values.isfinite().all(-1)
    if broken.any():
        first = ids[int(broken.int().argmax())]
        raise DocumentError(
            f"document {first}: the model's logits are NaN or infinite; load it in float32, or train it again"
        )


def _identity(
    checkpoint: Checkpoint, documents: Documents, config: EraseConfig, reading: DocumentReader, chosen: ChosenSite
) -> dict[str, Any]:
    """Return what determines the results; two runs that agree in it may share a folder."""
    return {
        "model": {
            "name": checkpoint.name,
            "revision": checkpoint.revision,
            "weights": weights_fingerprint(checkpoint.model),
            "classes": list(checkpoint.class_names),
        },
        **chosen.description,
        "data": {**dataclasses.asdict(documents.provenance), "fingerprint": documents.fingerprint},
        "label_map": config.label_map,
        **reading.description,
        "rankings": [ranking.name for ranking in registered()],
        "draws": config.draws,
        "seed": config.seed,
        "random_other": config.random_other,
        "count_never_as": config.count_never_as,
        "shard_size": config.shard_size,
    }


def _without_labels(labels: list[int | None]) -> dict[str, list[None]]:
    return {"label": [None] * len(labels)}


def _same_set(first: DataConfig, second: DataConfig) -> bool:
    return first.name == second.name if first.name is not None else first.path == second.path
