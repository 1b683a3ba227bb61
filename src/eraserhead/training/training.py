"""Training runs: from a configuration to a folder with a model in it."""

import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from transformers import PreTrainedTokenizerBase

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents, load_documents
from eraserhead.data.encoding import TYPES
from eraserhead.data.labels import LabelTable
from eraserhead.data.seen import UNSEEN
from eraserhead.data.tokens import truncation
from eraserhead.errors import MissingSplitError, listed
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import load_tokenizer
from eraserhead.loading.fingerprints import weights_fingerprint
from eraserhead.loading.launcher import training_precision
from eraserhead.loading.model_files import check_undamaged
from eraserhead.loading.opened import check_inputs
from eraserhead.loading.reader import DocumentReader, reader_for
from eraserhead.loading.waiting import waiting
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.special_tokens import padding_id
from eraserhead.settings import check_settings
from eraserhead.sites.budget import budget_for
from eraserhead.training.attention_erasure import erase_in_training
from eraserhead.training.batches import (
    Batches,
    EncodedBatches,
    Objective,
    StoredBatches,
    TokenBatches,
    trained_parameters,
)
from eraserhead.training.config import TrainConfig
from eraserhead.training.folder import RunFolder, Saver, Split
from eraserhead.training.loop import Loop, Progress, schedule
from eraserhead.training.metrics import improves
from eraserhead.training.new_classifier import locate_encoder, new_classifier
from eraserhead.training.option_checks import check_fit, check_metric, measures_distance
from eraserhead.training.records import EncoderSource, Epoch, TrainingSetup
from eraserhead.training.vectors import vector_store

INPUTS = ("input_ids", TYPES)  # columns of tokenised rows

OnBest = Callable[[RunFolder], None]


def train(config: TrainConfig, on_best: OnBest | None = None) -> RunFolder:
    """Train a classifier into a folder.

    Args:
        config: What is trained, on what, and how.
        on_best: Called on the main process after each epoch that is the best so far, with a folder of the current
            model; the folder is removed after the call.

    Raises:
        UserError: The configuration, the data, the encoder or the output folder cannot be used.
    """
    check_settings(config)
    config = config.with_metric()
    check_fit(config)
    precision = training_precision(config.training.mixed_precision)
    config = with_precision(config, precision)
    folder = RunFolder(config.folder)
    folder.check(config)
    accelerator = devices.start_training(config.cpu, precision, _curves(config), _leaves_unused(config))
    with devices.alone_in(folder.path, accelerator):
        folder.check(config)  # again: another run may just have ended
        _train(config, folder, accelerator, on_best)
    return folder


def _train(config: TrainConfig, folder: RunFolder, accelerator: Accelerator, on_best: OnBest | None) -> None:
    """Train a classifier into a folder in which this run is alone."""
    set_seed(config.training.seed, device_specific=True)  # dropout must differ between processes
    with devices.main_first(accelerator), waiting("reading the documents and the encoder"):
        documents = load_splits(config)
        labels = documents["train"].labels
        assert labels is not None
        check_metric(config, labels)
        encoder = locate_encoder(config.model)
        model = new_classifier(config.model, encoder, labels.names)
        tokenizer = load_tokenizer(encoder.folder, config.model.encoder, config=model.config.encoder_config)
        reader = reader_for(model, tokenizer, config.data, cut_to_window=False)
        model.config.limits = asdict(reader.limits)
        splits = {role: Split(found, reader.tokenize(found.rows, tokenizer)) for role, found in documents.items()}
        for split in splits.values():
            check_inputs(model, split.rows, config.model.encoder)
    setup = TrainingSetup(
        documents={role: found.fingerprint for role, found in documents.items()},
        encoder=weights_fingerprint(model.encoder),
    )
    folder.check_setup(setup, config.overwrite)
    if folder.complete and not config.overwrite:
        check_undamaged(folder.path)
        accelerator.wait_for_everyone()  # until all have seen it
        if accelerator.is_main_process:
            folder.tidy()
        devices.tell(accelerator, f"{folder.path}: already complete, nothing to do")
        return
    _announce(config, splits, labels, accelerator)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        folder.open(config, setup)
    accelerator.wait_for_everyone()
    if config.training.tensorboard:
        accelerator.init_trackers("curves")
    loop = prepare(config, model, tokenizer, reader, splits, accelerator)
    saver = Saver(model, tokenizer, splits, EncoderSource(config.model.encoder, encoder.commit))
    run(loop, folder, config, None if on_best is None else partial(_show_best, loop, folder, saver, on_best))
    finish(loop, folder, saver)


def with_precision(config: TrainConfig, precision: Any) -> TrainConfig:
    """Return a configuration that names its precision, so that the run's folder does."""
    return replace(config, training=replace(config.training, mixed_precision=precision))


def load_splits(config: TrainConfig) -> dict[str, Documents]:
    """Load training, validation and, if there are any, test documents."""
    several = config.model.multi_label
    training = load_documents(config.data, "train", multi_label=several)
    validation = load_documents(config.data, "validation", training.labels, several)
    documents = {"train": training, "validation": validation}
    test = _test_documents(config.data, training, several)
    return documents if test is None else {**documents, "test": test}


def prepare(
    config: TrainConfig,
    model: AttentionPoolingForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    reader: DocumentReader,
    splits: dict[str, Split],
    accelerator: Accelerator,
) -> Loop:
    """Set up batches, optimiser and schedule; a frozen encoder's token vectors are computed here."""
    training = config.training
    model.to(accelerator.device)
    model.encoder.requires_grad_(not training.freeze_encoder)
    erase_in_training(model.head, training.erase_attention)
    batches = {
        role: _batches(config, role, model, tokenizer, reader, split, accelerator) for role, split in splits.items()
    }
    optimizer = torch.optim.AdamW(trained_parameters(model, training), fused=True)
    steps = -(-len(batches["train"].lengths) // training.batch_size) * training.epochs
    scheduler = schedule(optimizer, training, steps)
    progress = Progress()
    accelerator.register_for_checkpointing(progress, scheduler)
    with warnings.catch_warnings():  # torch renamed an option; older versions only know the old name
        warnings.filterwarnings("ignore", message=".*broadcast_buffers.*", category=FutureWarning)
        objective, optimizer = accelerator.prepare(Objective(model, training.freeze_encoder), optimizer)
    return Loop(
        config=training,
        accelerator=accelerator,
        objective=objective,
        optimizer=optimizer,
        scheduler=scheduler,
        batches=batches,
        ordered=measures_distance(config, len(model.config.id2label or ())),
        progress=progress,
    )


def run(loop: Loop, folder: RunFolder, config: TrainConfig, after_best: Callable[[], None] | None = None) -> None:
    """Train epoch by epoch until patience or the epochs run out; a run can be resumed after every finished epoch."""
    training, progress = config.training, loop.progress
    if config.resume and folder.states.resumable is not None:
        folder.states.load(loop.accelerator)
        progress.resumed_after.append(progress.epoch)
        devices.tell(loop.accelerator, f"resuming after epoch {progress.epoch}")
    elif config.resume:
        devices.tell(loop.accelerator, "no finished epoch to resume from: starting with epoch 1")
    while progress.epoch < training.epochs and progress.epoch - progress.best_epoch < max(training.patience, 1):
        started = time.perf_counter()
        loss = loop.epoch(progress.epoch)
        metrics = loop.evaluate("validation")
        progress.epoch += 1
        folder.check_mark()
        loop.lower_rates(metrics[training.best_by])
        if improves(training.best_by, metrics[training.best_by], progress.best):
            progress.best, progress.best_epoch = metrics[training.best_by], progress.epoch
            _save_best(loop, folder)
        epoch = Epoch(progress.epoch, loss, metrics, time.perf_counter() - started)
        progress.history.append(epoch)
        loop.accelerator.log({"loss": loss, **metrics}, step=progress.epoch)
        devices.tell(loop.accelerator, _line(epoch, progress))
        folder.states.save(loop.accelerator)
        if after_best is not None and progress.best_epoch == progress.epoch:
            after_best()


def finish(loop: Loop, folder: RunFolder, saver: Saver) -> None:
    """Restore the best epoch's weights, test them, and write the model."""
    accelerator, splits = loop.accelerator, saver.splits
    loop.uncompiled.load_state_dict(folder.states.best_weights())
    accelerator.wait_for_everyone()  # the main process removes the file after all have read it
    unseen = [role == UNSEEN for role in saver.roles.get("test", ())]
    test, test_unseen = loop.test(unseen) if "test" in splits else (None, None)
    if accelerator.is_main_process:
        saver.model.cpu()
        saver.save(folder, loop.progress.metrics(devices.describe_training(accelerator), test, test_unseen))
        folder.tidy()
    accelerator.wait_for_everyone()
    for tracker in accelerator.trackers:
        tracker.finish()


def _test_documents(data: DataConfig, training: Documents, multi_label: bool) -> Documents | None:
    """Return the test documents, if there are any that training did not see."""
    try:
        test = load_documents(data, "test", training.labels, multi_label)
    except MissingSplitError:
        if data.test_split != DataConfig().test_split:
            raise
        return None
    return test if test.provenance.split != training.provenance.split else None


def _batches(
    config: TrainConfig,
    role: str,
    model: AttentionPoolingForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    reader: DocumentReader,
    split: Split,
    accelerator: Accelerator,
) -> Batches:
    lengths, labels = list(split.rows["tokens"]), split.labels
    embeddings_alone = config.model.encoder_layers == 0
    tokens = TokenBatches(
        split.rows.select_columns([name for name in INPUTS if name in split.rows.column_names]),
        lengths,
        labels,
        padding_id(model.config, tokenizer),
        reader,
        accelerator.device,
        embeddings_alone,
    )
    if not config.training.freeze_encoder:
        return tokens
    # Vectors that are read once are not worth caching, and looking up embeddings is as quick as reading from disk.
    if role == "test" or embeddings_alone:
        return EncodedBatches(tokens, model)
    budget = config.training.batch_tokens or budget_for(accelerator.device).trained_tokens
    store = vector_store(model, split.rows, accelerator, budget, config.cache_limit)
    return EncodedBatches(tokens, model) if store is None else StoredBatches(store, lengths, labels, accelerator.device)


def _save_best(loop: Loop, folder: RunFolder) -> None:
    accelerator = loop.accelerator
    if accelerator.is_main_process:
        folder.states.save_best(loop.uncompiled.state_dict())
    accelerator.wait_for_everyone()


def _show_best(loop: Loop, folder: RunFolder, saver: Saver, on_best: OnBest) -> None:
    """Write the best model so far into a temporary folder, and call `on_best` with it."""
    if loop.accelerator.is_main_process:
        with folder.best_model() as best:
            saver.save(best, loop.progress.metrics(devices.describe_training(loop.accelerator)))
            on_best(best)
    loop.accelerator.wait_for_everyone()


def _announce(config: TrainConfig, splits: dict[str, Split], labels: LabelTable, accelerator: Accelerator) -> None:
    """Log the sizes of the data, how labels are read, and what the window cuts off."""
    training = config.training
    sizes = ", ".join(f"{len(split.rows)} {role}" for role, split in splits.items())
    lines = [
        f"documents: {sizes}; classes: {listed(labels.names)}",
        labels.describe(),
        *(f"{role}: {truncation(split.rows).describe()}" for role, split in splits.items()),
        f"a step is {training.batch_size} documents over all processes",
    ]
    for line in lines:
        if line:
            devices.tell(accelerator, line)


def _leaves_unused(config: TrainConfig) -> bool:
    """Whether a batch may leave parameters without a gradient: those of an encoder, or those of the sentence layers."""
    return config.model.hierarchical or not config.training.freeze_encoder


def _curves(config: TrainConfig) -> str | None:
    return str(config.folder / "tensorboard") if config.training.tensorboard else None


def _line(epoch: Epoch, progress: Progress) -> str:
    numbers = ", ".join(f"{name} {value:.4f}" for name, value in {"loss": epoch.loss, **epoch.scores}.items())
    best = ", the best so far" if progress.best_epoch == progress.epoch else ""
    return f"epoch {epoch.epoch}: {numbers} ({epoch.seconds:.1f} s{best})"
