"""Token vectors of a frozen encoder, computed once and cached on disk.

A cache entry is a folder named by a hash of everything that changes the vectors: the encoder's weights and
configuration, the token ids of the documents and which of them are pooled, and the versions of the libraries. A damaged
entry is computed again.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from datasets import Dataset, Features, List, Value
from torch import Tensor

from eraserhead.caches import is_cached, new_entry, tidy
from eraserhead.data.bars import without_bars
from eraserhead.data.batching import buckets, pad
from eraserhead.data.columns import processes
from eraserhead.data.encoding import TYPES
from eraserhead.files import remove, unfinished_name
from eraserhead.loading import devices
from eraserhead.loading.fingerprints import weights_fingerprint
from eraserhead.loading.reader import is_hierarchical
from eraserhead.models.heads import Group
from eraserhead.models.long_documents import encoded_tokens
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.special_tokens import padding_id
from eraserhead.training.stored_vectors import VECTORS, VectorStore, open_vectors, start

BLOCK = 8192  # documents whose tokens are read at a time
SPARE = 0.9  # share of the free disk that a cache may take


def cache_root() -> Path:
    """Return the folder of all caches: ``$ERASERHEAD_CACHE``, or ``~/.cache/eraserhead``."""
    return Path(os.environ.get("ERASERHEAD_CACHE") or Path.home() / ".cache" / "eraserhead")


def vector_store(
    model: AttentionPoolingForSequenceClassification,
    rows: Dataset,
    accelerator: Accelerator,
    budget: int,
    limit: float,
) -> VectorStore | None:
    """Return the cached vectors of some documents, after computing them if they are not cached yet.

    Args:
        model: The model, with its encoder on the device.
        rows: Tokenised documents; lists of sentences for a hierarchical model.
        accelerator: All its processes call this together, and share the work.
        budget: Tokens encoded at a time.
        limit: Largest size of the vectors in gigabytes.

    Returns:
        None if the vectors do not fit into `limit` or the free disk space; the log says so.
    """
    with devices.main_first(accelerator):
        rows, sentence_ends = _sequences(rows, is_hierarchical(model))
    key, counts = _key_and_counts(model, rows)
    ends = np.cumsum(counts, dtype=np.int64)
    shape = (start(ends, len(ends)), int(model.config.vector_size))
    folder = cache_root() / "vectors" / key
    if all(gather_object([_is_cached(folder, accelerator)])):
        devices.tell(accelerator, f"token vectors: found in {folder}")
    elif not _fits(shape, folder, limit, accelerator) or not _write(
        folder, ends, shape, model, rows, accelerator, budget
    ):
        return None
    return VectorStore(open_vectors(folder, shape, "r"), ends, sentence_ends)


def _is_cached(folder: Path, accelerator: Accelerator) -> bool:
    """Tell whether this machine has the vectors, undamaged; what killed processes have left of others is removed."""
    if not accelerator.is_local_main_process:
        return True
    tidy(folder.parent)
    return is_cached(folder)


@without_bars()
def _sequences(rows: Dataset, hierarchical: bool) -> tuple[Dataset, np.ndarray | None]:
    """Return the sequences that the encoder sees, one per row; for sentences, also where each document ends."""
    rows_of_ids = rows.select_columns([name for name in ("input_ids", TYPES, "tokens") if name in rows.column_names])
    if not hierarchical:
        return rows_of_ids, None
    ends = np.cumsum(np.asarray(rows["sentences"]), dtype=np.int64)
    features = Features({"input_ids": List(Value("int32")), "tokens": Value("int32")})
    sequences = rows_of_ids.map(
        _sentences,
        batched=True,
        input_columns=["input_ids"],
        remove_columns=["input_ids", "tokens"],
        features=features,
        num_proc=processes(len(rows)),
    )
    return sequences, ends


def _sentences(documents: list[list[list[int]]]) -> dict[str, list[Any]]:
    sentences = [sentence for document in documents for sentence in document]
    return {"input_ids": sentences, "tokens": [len(sentence) for sentence in sentences]}


def _key_and_counts(model: AttentionPoolingForSequenceClassification, rows: Dataset) -> tuple[str, np.ndarray]:
    """Return a hash of everything that changes the vectors, and the number of pooled tokens of each document."""
    config = model.config
    special = [] if config.architecture.pool_special_tokens else config.special_token_ids
    parts = {
        "weights": weights_fingerprint(model.encoder),
        "encoder": config.encoder_config.to_dict(),
        "layers": config.architecture.encoder_layers,
        "special": special,
        "versions": [version("torch"), version("transformers")],
        **({} if config.windows is None else {"windows": asdict(config.windows)}),
    }
    digest = blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=16)
    counts = [np.zeros(0, dtype=np.int64)]
    for block in rows.select_columns("input_ids").with_format("arrow").iter(BLOCK):
        ids = block.column("input_ids").combine_chunks()  # pyright: ignore[reportAttributeAccessIssue]
        lengths, flat = ids.value_lengths().to_numpy(), ids.flatten().to_numpy()
        digest.update(lengths.astype("<i4").tobytes() + flat.astype("<i4").tobytes())
        pooled = np.concatenate([[0], (~np.isin(flat, special)).cumsum()])
        ends = lengths.cumsum()
        counts.append(pooled[ends] - pooled[ends - lengths])
    if TYPES in rows.column_names:  # of pairs
        for block in rows.select_columns(TYPES).with_format("arrow").iter(BLOCK):
            types = block.column(TYPES).combine_chunks()  # pyright: ignore[reportAttributeAccessIssue]
            digest.update(types.flatten().to_numpy().astype("<i4").tobytes())
    return digest.hexdigest(), np.concatenate(counts)


def _fits(shape: tuple[int, int], folder: Path, limit: float, accelerator: Accelerator) -> bool:
    """Decide on the main process whether the vectors may be written, and log the decision."""
    size = shape[0] * shape[1] * 4
    free = _free_disk(folder.parent)
    fits = broadcast_object_list([size <= min(limit * 1e9, SPARE * free)])[0]
    message = f"token vectors: {size / 1e9:.2f} GB, cached in {folder}"
    if not fits:
        message = (
            f"token vectors: {size / 1e9:.2f} GB would exceed cache_limit ({limit:g} GB) or the free disk "
            f"space ({free / 1e9:.1f} GB), so they are computed again in every epoch"
        )
    devices.tell(accelerator, message)
    return fits


def _free_disk(folder: Path) -> int:
    """Create a folder, and return the bytes that may be written to it; 0 if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(folder).free if os.access(folder, os.W_OK) else 0
    except OSError:
        return 0


def _write(
    folder: Path,
    ends: np.ndarray,
    shape: tuple[int, int],
    model: AttentionPoolingForSequenceClassification,
    rows: Dataset,
    accelerator: Accelerator,
    budget: int,
) -> bool:
    """Compute all vectors, shared among the local processes; returns False if the disk is too small."""
    mark = _mark()
    # If another run has finished first, its vectors stay.
    turn = new_entry(folder, mark) if accelerator.is_local_main_process else nullcontext(unfinished_name(folder, mark))
    with turn as unfinished:
        reserved = _reserve(unfinished, shape, accelerator)
        if reserved:
            store = VectorStore(open_vectors(unfinished, shape, "r+"), ends)
            for sequences, group in _encoded(model, rows, accelerator, budget):
                vectors, mask = (each.numpy(force=True) for each in (group.vectors.float(), group.mask))
                for row, sequence in enumerate(sequences):
                    store.vectors[store.place(sequence)] = vectors[row][mask[row]]
            accelerator.wait_for_everyone()
    accelerator.wait_for_everyone()
    return reserved


def _encoded(
    model: AttentionPoolingForSequenceClassification, rows: Dataset, accelerator: Accelerator, budget: int
) -> Iterator[tuple[list[int], Group]]:
    batches = buckets(range(len(rows)), encoded_tokens(model.config.windows, rows["tokens"]), budget)
    local_processes = int(os.environ.get("LOCAL_WORLD_SIZE", str(accelerator.num_processes)))
    mine = batches[accelerator.local_process_index :: local_processes]
    model.encoder.eval()
    for sequences in devices.progress(mine, accelerator, "encoding", "batch"):
        found = rows[sequences]
        inputs = pad(found["input_ids"], padding_id(model.config), found.get(TYPES))
        with torch.no_grad():
            yield sequences, model.components(**devices.copied(inputs, accelerator.device))


def encode(model: AttentionPoolingForSequenceClassification, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a head's arguments from a frozen encoder, in eval mode and without gradients."""
    model.encoder.eval()
    with torch.no_grad():
        if not is_hierarchical(model):
            group = model.components(**inputs)
            return {"vectors": group.vectors, "mask": group.mask}
        found = model.sentences(**inputs)
        groups = list(model.sentence_groups(found))
    counts = torch.zeros_like(found.mask[:, 0])
    for group in groups:
        counts[group.rows] = group.mask.sum(-1)
    packed = model.head.classifier.weight.new_zeros(int(counts.sum()), model.config.vector_size)
    starts = counts.cumsum(0) - counts
    for group in groups:
        places = starts[group.rows].unsqueeze(1) + torch.arange(group.mask.shape[1], device=counts.device)
        packed[places[group.mask]] = group.vectors[group.mask].to(packed.dtype)
    return {"vectors": packed, "token_counts": counts, "sentence_counts": found.counts}


def _mark() -> str:
    """Return a part of a file name that only the processes of this run on this machine share."""
    run = broadcast_object_list([os.getpid()])[0]
    node = os.environ.get("GROUP_RANK", "0")
    return f"-{run}-{node}"


def _reserve(unfinished: Path, shape: tuple[int, int], accelerator: Accelerator) -> bool:
    """Reserve the disk space first: writing to a memory map on a full disk ends the process without a message."""
    if accelerator.is_local_main_process:
        unfinished.mkdir(parents=True, exist_ok=True)
        try:
            with (unfinished / VECTORS).open("wb") as file:
                _allocate(file.fileno(), max(1, shape[0] * shape[1] * 4))
        except OSError as error:
            remove(unfinished)
            devices.tell(accelerator, f"token vectors: not cached ({error.strerror}); computed again in every epoch")
    accelerator.wait_for_everyone()
    return (unfinished / VECTORS).is_file()


def _allocate(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:  # macOS has no such call
        os.truncate(file, size)
