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
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from eraserhead.data.encoding import TYPES
from eraserhead.data.seen import UNSEEN
from eraserhead.errors import Setting, UserError
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import load_tokenizer
from eraserhead.loading.fingerprints import weights_fingerprint
from eraserhead.loading.launcher import training_precision
from eraserhead.loading.model_files import check_undamaged
from eraserhead.loading.opened import check_inputs
from eraserhead.loading.reader import DocumentReader, reader_for
from eraserhead.loading.run_layout import RUN
from eraserhead.loading.waiting import waiting
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.special_tokens import padding_id
from eraserhead.settings import check_settings
from eraserhead.sites.budget import budget_for
from eraserhead.training import trackers
from eraserhead.training.adapter import adapt
from eraserhead.training.attention_erasure import erase_in_training
from eraserhead.training.batches import (
    Batches,
    EncodedBatches,
    Objective,
    StoredBatches,
    TokenBatches,
    trained_parameters,
)
from eraserhead.training.chart import draw_chart
from eraserhead.training.class_weights import class_weights
from eraserhead.training.config import PACKAGED, TrainConfig
from eraserhead.training.folder import RunFolder, Saver, Split
from eraserhead.training.loop import Loop, Progress, schedule
from eraserhead.training.metrics import improves
from eraserhead.training.new_classifier import locate_encoder, new_classifier, other_modules
from eraserhead.training.option_checks import check_fit, check_metric, measures_distance
from eraserhead.training.records import EncoderSource, Epoch, TrainingSetup
from eraserhead.training.splits import load_splits
from eraserhead.training.told import LargestClass, announced, chart_title, epoch_line
from eraserhead.training.vectors import vector_store

INPUTS = ("input_ids", TYPES)  # columns of tokenised rows

OnBest = Callable[[RunFolder], None]


def train(config: TrainConfig, on_best: OnBest | None = None, tested: bool = True) -> RunFolder:
    """Train a classifier into a folder.

    Args:
        config: What is trained, on what, and how.
        on_best: Called on the main process after each epoch that is the best so far, with a folder of the current
            model; the folder is removed after the call.
        tested: Whether the best epoch's weights are tested, where there are test documents.

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
    with trackers.writing_into(config.training.trackers, folder.path):
        accelerator = devices.start_training(
            config.cpu, precision, config.training.trackers or (), folder.path / "tensorboard", _leaves_unused(config)
        )
        with devices.alone_in(folder.path, accelerator):
            folder.check(config)  # again: another run may just have ended
            try:
                _train(config, folder, accelerator, on_best, tested)
            finally:
                trackers.finish(accelerator)
    return folder


def _train(
    config: TrainConfig, folder: RunFolder, accelerator: Accelerator, on_best: OnBest | None, tested: bool
) -> None:
    """Train a classifier into a folder in which this run is alone."""
    set_seed(config.training.seed, device_specific=True)  # dropout must differ between processes
    with devices.main_first(accelerator), waiting("reading the documents and the encoder"):
        documents = load_splits(config, tested)
        labels = documents["train"].labels
        assert labels is not None
        check_metric(config, labels)
        encoder = locate_encoder(config.model)
        replaced = other_modules(encoder.folder)
        model = new_classifier(config.model, encoder, labels.names)
        tokenizer = load_tokenizer(encoder.folder, config.model.encoder, config=model.config.encoder_config)
        reader = reader_for(model, tokenizer, config.data, cut_to_window=False)
        model.config.limits = asdict(reader.limits)  # its `framing` is that of the same tokenizer
        splits = {role: Split(found, reader.tokenize(found.rows, tokenizer)) for role, found in documents.items()}
        weights = class_weights(config.training.class_weights, labels.names, splits["train"].labels)
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
    adapter = None if config.training.adapter is None else adapt(model, config.training.adapter, config.adapter)
    for line in announced(splits, labels, config.training.batch_size, weights):
        devices.tell(accelerator, line)
    if replaced and config.model.encoder != PACKAGED:
        devices.tell(accelerator, f"{config.model.encoder}: attention takes the place of its own {', '.join(replaced)}")
    if adapter is not None:
        devices.tell(accelerator, adapter.describe())
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        folder.open(config, setup)
    accelerator.wait_for_everyone()
    trackers.start(accelerator, config)
    loop = prepare(config, model, tokenizer, reader, splits, accelerator, weights)
    saver = Saver(model, tokenizer, splits, EncoderSource(config.model.encoder, encoder.commit), adapter)
    run(loop, folder, config, None if on_best is None else partial(_show_best, loop, folder, saver, on_best))
    finish(loop, folder, saver)


def with_precision(config: TrainConfig, precision: Any) -> TrainConfig:
    """Return a configuration that names its precision, so that the run's folder does."""
    return replace(config, training=replace(config.training, mixed_precision=precision))


def prepare(
    config: TrainConfig,
    model: AttentionPoolingForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    reader: DocumentReader,
    splits: dict[str, Split],
    accelerator: Accelerator,
    weights: Float[Tensor, " classes"] | None = None,
) -> Loop:
    """Set up batches, optimiser and schedule; a frozen encoder's token vectors are computed here."""
    training = config.training
    model.to(accelerator.device)
    if training.adapter is None:
        model.encoder.requires_grad_(not training.freeze_encoder)
    adapter_rate = None if training.adapter is None else config.adapter.learning_rate
    if training.gradient_checkpointing:
        _checkpoint(model, config.model.encoder)
    erase_in_training(model.head, training.erase_attention)
    batches = {
        role: _batches(config, role, model, tokenizer, reader, split, accelerator) for role, split in splits.items()
    }
    optimizer = torch.optim.AdamW(trained_parameters(model, training, adapter_rate), fused=True)
    steps = -(-len(batches["train"].lengths) // training.batch_size) * training.epochs
    scheduler = schedule(optimizer, training, steps)
    progress = Progress()
    accelerator.register_for_checkpointing(progress, scheduler)
    with warnings.catch_warnings():  # torch renamed an option; older versions only know the old name
        warnings.filterwarnings("ignore", message=".*broadcast_buffers.*", category=FutureWarning)
        optimised = Objective(model, not training.runs_encoder, weights, training.label_smoothing)
        objective, optimizer = accelerator.prepare(optimised, optimizer)
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
        trackers.log(loop.accelerator, {"loss": loss, **metrics}, progress.epoch)
        devices.tell(loop.accelerator, epoch_line(epoch, progress, len(loop.batches["train"].lengths), training.epochs))
        folder.states.save(loop.accelerator)
        if after_best is not None and progress.best_epoch == progress.epoch:
            after_best()


def finish(loop: Loop, folder: RunFolder, saver: Saver) -> None:
    """Restore the best epoch's weights, test them, and write the model."""
    accelerator, splits = loop.accelerator, saver.splits
    loop.uncompiled.load_state_dict(folder.states.best_weights())
    accelerator.wait_for_everyone()  # the main process removes the file after all have read it
    unseen = [role == UNSEEN for role in saver.roles.get("test", ())]
    labels = splits["train"].documents.labels
    assert labels is not None
    metrics = loop.progress.metrics(devices.describe_training(accelerator), loop.tested(unseen, labels.names))
    largest = LargestClass.of(splits["validation"].labels, labels.names)
    if accelerator.is_main_process:
        saver.model.cpu()
        draw_chart(folder.path / RUN.chart, metrics, chart_title(saver), largest and largest.share)
        saver.save(folder, metrics)
        folder.tidy()
    if largest is not None and largest.as_good_as(metrics.validation):
        devices.tell(accelerator, largest.warning(metrics.validation))
    accelerator.wait_for_everyone()


def _batches(
    config: TrainConfig,
    role: str,
    model: AttentionPoolingForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    reader: DocumentReader,
    split: Split,
    accelerator: Accelerator,
) -> Batches:
    lengths, labels = reader.encoded(split.rows["tokens"]), split.labels
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
    if config.training.runs_encoder:
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


def _checkpoint(model: AttentionPoolingForSequenceClassification, name: str) -> None:
    """Let the encoder compute its layers' inner results again for the gradient."""
    try:
        encoder: Any = model.encoder
        with warnings.catch_warnings():  # transformers renamed the method; older versions only know this name
            warnings.simplefilter("ignore", FutureWarning)
            encoder.gradient_checkpointing_enable({"use_reentrant": False})
    except (AttributeError, ValueError) as error:
        raise UserError(
            Setting("training.gradient_checkpointing", True), f": the encoder {name} cannot do it; leave it out"
        ) from error


def _leaves_unused(config: TrainConfig) -> bool:
    """Whether a batch may leave parameters without a gradient: those of an encoder, or those of the sentence layers."""
    return config.model.hierarchical or config.training.runs_encoder
