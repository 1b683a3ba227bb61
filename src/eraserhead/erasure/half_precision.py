"""What half precision does to decisions: a sample of the documents is decided in float32 too."""

from copy import deepcopy

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.data.arrow import arrow_table
from eraserhead.data.documents import Documents
from eraserhead.erasure.conditions import half_precision_line
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.summary import HalfPrecision
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.loading.given import IN_MEMORY
from eraserhead.loading.opened import OpenedModel
from eraserhead.loading.targets import targets_of
from eraserhead.method.decision import decide

HALF = ("bfloat16", "float16")
SAMPLE = 64  # documents; each part of an analysis checks the same ones


def check_decisions(
    opened: OpenedModel, documents: Documents, config: EraseConfig, accelerator: Accelerator
) -> HalfPrecision | None:
    """Compare the model's decisions on a sample of the documents with those in float32, and log what comes of it.

    Returns:
        None where the model is not in half precision.
    """
    if opened.setup.dtype not in HALF:
        return None
    count = len(documents.rows)
    chosen = np.random.default_rng(config.seed).choice(count, min(SAMPLE, count), replace=False)
    rows = opened.tokenize(documents.read(np.sort(chosen)))
    rows = rows.select(np.flatnonzero(np.asarray(rows["tokens"])))  # of no tokens a model makes no decision
    models = (opened.checkpoint.model, _whole(opened, config))
    half, whole = (torch.cat(_decisions(model, opened, rows, config)) for model in models)
    found = HalfPrecision(len(rows), int((half != whole).any(-1).sum()))
    devices.tell(accelerator, half_precision_line(found, opened.setup.dtype))
    return found


def _whole(opened: OpenedModel, config: EraseConfig) -> PreTrainedModel:
    """Return the model in float32: as it is stored, or, where it was given as an object, with its weights widened."""
    checkpoint = opened.checkpoint
    if checkpoint.name == IN_MEMORY:
        model = deepcopy(checkpoint.model).float()
    else:
        trusted = config.trust_remote_code
        model = load_checkpoint(checkpoint.name, checkpoint.revision, trust_remote_code=trusted).model
    return model.to(opened.device)  # pyright: ignore[reportArgumentType] - its decorator hides the method


@torch.no_grad()
def _decisions(model: PreTrainedModel, opened: OpenedModel, rows: Dataset, config: EraseConfig) -> list[Tensor]:
    """Return the class of each document, or the states of all labels, ``[batch, decisions]`` for each batch."""
    targets = targets_of(opened.setup.targets, opened.checkpoint.class_names)
    documents = arrow_table(rows, rows.column_names)
    lists, found = opened.rows(documents), []
    for batch in opened.batches(documents, lists, config.batch_tokens):
        logits = model(**opened.inputs(lists, batch)).logits.double()
        found.append(decide(logits).unsqueeze(1) if targets is None else logits > targets.cut)
    return found
