"""Training in processor time: a head on kept vectors, and a whole encoder against transformers' own trainer."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from runs import fresh_caches, reviews
from timing import Result
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

from eraserhead.data.batching import buckets, training_steps
from eraserhead.loading import devices
from eraserhead.loading.boundary import quiet
from eraserhead.loading.checkpoints import load_tokenizer
from eraserhead.loading.reader import reader_for
from eraserhead.models.architecture import Architecture
from eraserhead.models.heads import FlatHead
from eraserhead.sites.budget import budget_for
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.folder import Split
from eraserhead.training.loop import Loop
from eraserhead.training.new_classifier import locate_encoder, new_classifier
from eraserhead.training.splits import load_splits
from eraserhead.training.stored_vectors import VectorStore
from eraserhead.training.training import prepare

HIDDEN, KEPT, LENGTH, STEP = 384, 480, 254, 32
# Documents that are grouped by length, in batches; some of those batches stand for all.
GROUPED, BATCHES, ROUNDS = 50 * STEP, (12, 37), 3
DOCUMENTS = len(BATCHES) * STEP


def head() -> list[Result]:
    """Train a head on kept vectors of 256 tokens."""
    generator, ends = np.random.default_rng(0), np.arange(1, KEPT + 1) * LENGTH
    store = VectorStore(generator.standard_normal((KEPT * LENGTH, HIDDEN), dtype=np.float32), ends)
    train = partial(_train_head, store, budget_for(torch.device("cpu")).head_tokens)
    train()
    rates = [KEPT / _processor_time(train) for _ in range(ROUNDS + 2)]
    what = "head on kept vectors, 256 tokens: documents a second of processor time"
    return [Result("training", what, median(rates), 1500, True, (min(rates), max(rates)), {}, "/s")]


def _train_head(store: VectorStore, budget: int) -> None:
    trained = FlatHead(HIDDEN, 5, Architecture())
    optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-3, fused=True)
    lengths, labels = [LENGTH + 2] * KEPT, torch.zeros(KEPT, dtype=torch.long)
    for step in training_steps(lengths, STEP, 0, 0):
        for batch in buckets(step, lengths, budget, each=budget):
            logits, _ = trained(**store.batch(batch))
            cross_entropy(logits, labels[batch], reduction="sum").div(len(step)).backward()
        nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def whole() -> list[Result]:
    """Fine-tune everything, against `Trainer` with grouping by length: same data, model and batches.

    Two of the batches are trained on that grouping makes of 1,600 reviews; few reviews would differ more in length.
    """
    with fresh_caches() as folder:
        data = replace(reviews(), train_size=GROUPED, validation_size=8, test_size=8)
        training = TrainingConfig(freeze_encoder=False, batch_size=STEP, epochs=1)
        config = TrainConfig(
            output_dir=str(folder / "run"), data=data, model=ModelConfig(), training=training, cpu=True
        )
        loop, trainer = _loop(config, folder)
        pairs = [(_processor_time(trainer.train), _processor_time(lambda: loop.epoch(0))) for _ in range(ROUNDS)]
    figures = {
        "Trainer, documents a second": DOCUMENTS / median(theirs for theirs, _ in pairs),
        "ours": DOCUMENTS / median(ours for _, ours in pairs),
    }
    return [_result("fine-tuning everything, 256 tokens: Trainer grouped by length / ours", pairs, 1.3, figures)]


def _loop(config: TrainConfig, folder: Path) -> tuple[Loop, Trainer]:
    accelerator = devices.start_training(True, "no", leaves_unused=True)
    documents = load_splits(config)
    labels = documents["train"].labels
    assert labels is not None
    encoder = locate_encoder(config.model)
    with quiet():
        ours, theirs = (new_classifier(config.model, encoder, labels.names) for _ in range(2))
    tokenizer = load_tokenizer(encoder.folder, config.model.encoder, config=ours.config.encoder_config)
    reader = reader_for(ours, tokenizer, config.data, cut_to_window=False)
    splits = {role: Split(found, reader.tokenize(found.rows, tokenizer)) for role, found in documents.items()}
    batches = np.asarray(splits["train"].rows["tokens"]).argsort(kind="stable").reshape(-1, STEP)
    train = splits["train"]
    splits["train"] = replace(train, rows=train.rows.select(batches[list(BATCHES)].flatten()))
    loop = prepare(config, ours, tokenizer, reader, splits, accelerator)
    rows = splits["train"].rows
    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=STEP,
        num_train_epochs=1,
        learning_rate=config.training.encoder_learning_rate,
        train_sampling_strategy="group_by_length",
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
    )
    dataset: Any = [{"input_ids": row["input_ids"], "labels": row["label"]} for row in rows.to_list()]
    return loop, Trainer(theirs, arguments, DataCollatorWithPadding(tokenizer), dataset, processing_class=tokenizer)


def _result(what: str, pairs: list[tuple[float, float]], wanted: float | None, figures: dict[str, float]) -> Result:
    ratios = [theirs / ours for theirs, ours in pairs]
    return Result("training", what, median(ratios), wanted, True, (min(ratios), max(ratios)), figures)


def _processor_time(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started
