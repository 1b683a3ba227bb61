import json
import os
import re
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.tracking import TensorBoardTracker
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.testing import assert_close
from transformers import AutoModel, RobertaConfig

from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.loading.run_layout import RUN
from eraserhead.locks import LockedError, holding, locked
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.seals import seal
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.folder import RunFolder
from eraserhead.training.loop import Loop
from eraserhead.training.metrics import improves, score
from eraserhead.training.states import States
from eraserhead.training.stored_vectors import VECTORS
from eraserhead.training.trackers import writing_into
from eraserhead.training.training import train
from eraserhead.training.vectors import cache_root
from interruptions import interrupt_training
from tiny import labelled_file, tiny_encoder, tiny_tokenizer

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))


def config(tmp_path: Path, output: str = "run", **changes) -> TrainConfig:
    """A tiny encoder and 80 training documents; fields of `TrainingConfig` may be changed by name."""
    folder = tmp_path / "encoder"
    if not folder.exists():
        tiny_encoder(folder)
        labelled_file(tmp_path / "train.jsonl", 80)
    settings = {"epochs": 3, "batch_size": 16, "learning_rate": 2e-2, "encoder_learning_rate": 1e-3, **changes}
    return TrainConfig(
        output_dir=str(tmp_path / output),
        data=DataConfig(path=str(tmp_path / "train.jsonl"), max_length=32, validation_size=20),
        model=ModelConfig(encoder=str(folder), dropout=0.0),
        training=TrainingConfig(**settings),
        cpu=True,
    )


def weights(folder) -> dict[str, torch.Tensor]:
    return load_file(Path(folder) / "model.safetensors")


def history(folder) -> list[dict]:
    return json.loads((Path(folder) / "metrics.json").read_text())["epochs"]


@pytest.mark.parametrize("frozen", [True, False])
def test_loss_falls_and_the_encoder_moves_only_when_it_may(tmp_path, frozen):
    run = config(tmp_path, freeze_encoder=frozen, epochs=12, patience=12, learning_rate=5e-2)
    train(run)
    losses = [epoch["loss"] for epoch in history(run.output_dir)]
    assert losses[-1] < 0.92 * losses[0]
    start = load_file(tmp_path / "encoder" / "model.safetensors")
    key = "encoder.layer.0.attention.self.query.weight"
    moved = not torch.equal(weights(run.output_dir)[f"encoder.{key}"], start[key])
    assert moved == (not frozen)


def test_run_folder_is_a_model_with_its_data(tmp_path):
    run = config(tmp_path, epochs=1)
    folder = train(run)
    checkpoint = load_checkpoint(str(folder.path))
    assert checkpoint.class_names == ("neg", "pos")
    assert checkpoint.data == run.data
    assert checkpoint.labels.mapping == {"neg": 0, "pos": 1}
    assert not (folder.path / "checkpoints").exists()
    versions = json.loads((folder.path / "environment.json").read_text())["versions"]
    assert versions["torch"].startswith("2.")


def test_erasing_attention_in_training_changes_what_is_learnt(tmp_path):
    runs = [config(tmp_path, f"run-{q}", epochs=1, erase_attention=q) for q in (0.0, 1.0)]
    plain, erased = (weights(train(run).path) for run in runs)
    assert list(plain) == list(erased)
    assert not torch.equal(plain["head.classifier.weight"], erased["head.classifier.weight"])


def test_best_epoch_is_kept(tmp_path, monkeypatch):
    """Accuracies .5, .9, .4: the weights are those of the second epoch, and patience 1 stops after the third."""
    accuracies, seen = iter([0.5, 0.9, 0.4]), []

    def evaluate(self, role):
        objective = self.accelerator.unwrap_model(self.objective)
        state = {key: value.clone() for key, value in objective.state_dict().items()}
        seen.append(state)
        return {"accuracy": next(accuracies), "balanced_accuracy": 0.0, "macro_f1": 0.0}

    monkeypatch.setattr(Loop, "evaluate", evaluate)
    run = config(tmp_path, epochs=9, patience=1)
    folder = train(run)
    assert len(seen) == 3
    kept = weights(folder.path)["head.classifier.weight"]
    assert torch.equal(kept, seen[1]["trained.classifier.weight"])
    assert not torch.equal(kept, seen[2]["trained.classifier.weight"])


@pytest.mark.parametrize("frozen", [True, False])
def test_resumed_training_ends_where_uninterrupted_training_does(tmp_path, frozen):
    """Dropout and erasure draw, so the random state must come back too; the interruption falls into the third epoch."""
    run = config(tmp_path, "whole", freeze_encoder=frozen, epochs=4, patience=9, erase_attention=0.5)
    run = replace(run, model=replace(run.model, dropout=0.3))
    train(run)
    cut = replace(run, output_dir=str(tmp_path / "cut"))
    interrupt_training(cut, epochs=2)
    with pytest.raises(UserError, match="resume=True"):
        train(cut)
    train(replace(cut, resume=True))
    whole, resumed = weights(run.output_dir), weights(cut.output_dir)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert [RunFolder(Path(each.output_dir)).metrics().resumed_after for each in (run, cut)] == [[], [2]]
    drop = {"seconds"}
    assert [{k: v for k, v in epoch.items() if k not in drop} for epoch in history(run.output_dir)] == [
        {k: v for k, v in epoch.items() if k not in drop} for epoch in history(cut.output_dir)
    ]


def test_kept_vectors_train_the_same_as_computed_ones(tmp_path):
    kept = config(tmp_path, "kept", epochs=4, patience=9)
    train(kept)
    assert list((cache_root() / "vectors").glob(f"*/{VECTORS}"))
    computed = replace(kept, output_dir=str(tmp_path / "computed"), cache_limit=0.0)
    train(computed)
    first, second = weights(kept.output_dir), weights(computed.output_dir)
    for key in first:
        assert_close(first[key], second[key], rtol=0, atol=1e-4)  # batches differ, and so does float32 rounding
    accuracies = [[epoch["scores"]["accuracy"] for epoch in history(run.output_dir)] for run in (kept, computed)]
    assert accuracies[0] == accuracies[1]


def test_cache_is_found_again_and_changes_with_what_it_depends_on(tmp_path, caplog):
    run = config(tmp_path, "one", epochs=1)
    with caplog.at_level("INFO", "eraserhead"):
        train(run)
        assert "found in" not in caplog.text
        train(replace(run, output_dir=str(tmp_path / "two")))
        assert caplog.text.count("found in") == 2  # training and validation documents
        entries = set((cache_root() / "vectors").iterdir())
        train(replace(run, output_dir=str(tmp_path / "three"), data=replace(run.data, max_length=5)))
        train(replace(run, output_dir=str(tmp_path / "four"), model=replace(run.model, encoder_layers=2)))
        train(replace(run, output_dir=str(tmp_path / "five"), model=replace(run.model, pool_special_tokens=True)))
        other = tiny_encoder(tmp_path / "other", seed=1)  # the same configuration and tokens, other weights
        train(replace(run, output_dir=str(tmp_path / "six"), model=replace(run.model, encoder=other)))
        assert caplog.text.count("found in") == 2
    assert len(set((cache_root() / "vectors").iterdir()) - entries) == 8
    assert not list((cache_root() / "vectors").glob("*unfinished*"))


def test_neither_micro_batches_nor_padding_change_the_gradient(tmp_path, monkeypatch):
    """A step of 16 documents at once, and in micro-batches of at most 20 tokens: the same gradient."""

    class EnoughError(Exception):
        pass

    def first_gradient(budget):
        caught = []

        def step(self, closure=None):
            caught.extend(
                parameter.grad.clone()
                for group in self.param_groups
                for parameter in group["params"]
                if parameter.grad is not None
            )
            raise EnoughError

        monkeypatch.setattr("accelerate.optimizer.AcceleratedOptimizer.step", step)
        with pytest.raises(EnoughError):
            train(config(tmp_path, f"budget-{budget}", freeze_encoder=False, batch_tokens=budget, clip_norm=0.0))
        return caught

    split, whole = first_gradient(20), first_gradient(10_000)
    assert max(gradient.abs().max() for gradient in whole) > 1e-3
    for one, other in zip(split, whole, strict=True):
        assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_two_processes_give_the_metrics_of_one(tmp_path):
    """`torchrun` with gloo: the same global batches, split over two processes."""
    run = config(tmp_path, "one", freeze_encoder=False, batch_tokens=100)
    run = replace(run, data=replace(run.data, train_size=49))  # the last step has one document for two processes
    train(run)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29617"]
    command += ["-m", "eraserhead", "train", "--config", str(Path(run.output_dir) / "run.yaml")]
    command += ["--output_dir", str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 processes" in done.stderr
    one, two = history(run.output_dir), history(tmp_path / "two")
    for first, second in zip(one, two, strict=True):
        assert first["scores"] == second["scores"]
        assert first["loss"] == pytest.approx(second["loss"], rel=1e-4)


def test_metrics_by_hand():
    """Classes 0, 1, 2; 2 of 4 right; F1 of 2/3, 2/3 and 0; distances 0, 2, 0, 1."""
    metrics = score([0, 0, 1, 1], [0, 2, 1, 2], ordered=True)
    assert metrics == {
        "accuracy": 0.5,
        "balanced_accuracy": pytest.approx((1 + 1 + 0) / 3),
        "macro_f1": pytest.approx((2 / 3 + 2 / 3 + 0) / 3),
        "mean_absolute_error": 0.75,
    }
    assert "mean_absolute_error" not in score([0], [0], ordered=False)


def test_lower_errors_are_better():
    assert improves("mean_absolute_error", 0.5, 0.6)
    assert not improves("mean_absolute_error", 0.6, 0.5)
    assert improves("accuracy", 0.6, 0.5)
    assert not improves("accuracy", 0.5, 0.5)


def test_a_diverging_loss_ends_with_advice(tmp_path):
    run = config(tmp_path, learning_rate=1e30, clip_norm=0.0, epochs=9, patience=9)
    with pytest.raises(UserError, match=r"epoch 1, step 4 of 4; lower training\.learning_rate"):
        train(run)
    assert not (tmp_path / "run" / "config.json").exists()


def test_how_often_losses_are_read_does_not_change_them(tmp_path, monkeypatch):
    """Four steps an epoch, read one by one, or three and one."""
    found = []
    for unread in (1, 3):
        monkeypatch.setattr("eraserhead.training.loop.UNREAD", unread)
        train(run := config(tmp_path, f"run-{unread}", epochs=2))
        found.append([epoch["loss"] for epoch in history(run.output_dir)])
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]


@pytest.mark.parametrize(
    "changes",
    [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": -1.0}, {"warmup": 5.0}, {"seed": -1}, {"batch_tokens": 0}],
    ids=str,
)
def test_numbers_out_of_range_are_refused_before_anything_is_written(tmp_path, changes):
    (name,) = changes
    with pytest.raises(UserError, match=rf"training\.{name}=.*must be"):
        train(config(tmp_path, **changes))
    assert not (tmp_path / "run").exists()


def test_all_numbers_out_of_range_are_named_at_once(tmp_path):
    run = config(tmp_path, epochs=0)
    with pytest.raises(UserError, match=r"data\.max_length=0.*model\.dropout=1\.5.*training\.epochs=0"):
        train(replace(run, data=replace(run.data, max_length=0), model=replace(run.model, dropout=1.5)))


def test_distances_are_no_metric_of_two_classes(tmp_path):
    with pytest.raises(UserError, match="three or more ordered classes"):
        train(config(tmp_path, metric="mean_absolute_error"))
    assert not (tmp_path / "run").exists()


def test_an_encoder_that_lacks_weights_or_has_nan_is_refused(tmp_path):
    run = config(tmp_path)
    file = tmp_path / "encoder" / "model.safetensors"
    whole = load_file(file)
    key = "encoder.layer.1.output.dense.weight"
    save_file({name: tensor for name, tensor in whole.items() if name != key}, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"1 weights of the encoder are missing.*layer\.1"):
        train(run)
    whole[key][0, 0] = torch.nan
    save_file(whole, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match="NaN"):
        train(run)


def test_a_run_is_no_encoder(tmp_path):
    folder = train(config(tmp_path, epochs=1))
    run = config(tmp_path, "second")
    with pytest.raises(UserError, match="name an encoder"):
        train(replace(run, model=replace(run.model, encoder=str(folder.path))))


def test_changed_documents_are_not_resumed_nor_called_complete(tmp_path):
    run = config(tmp_path, epochs=1)
    train(run)
    labelled_file(tmp_path / "train.jsonl", 80, seed=7)
    with pytest.raises(UserError, match=r"have changed \(documents\.train"):
        train(run)


def test_an_interruption_between_two_states_leaves_one_to_resume_from(tmp_path, monkeypatch):
    """The newest state is about to take the place of the one before: that one must still be found."""
    run, swaps = config(tmp_path, epochs=3, patience=3), []
    swap = os.replace

    def interrupted(source, target):
        if Path(target).name == "latest":
            swaps.append(target)
            if len(swaps) == 2:
                raise KeyboardInterrupt
        swap(source, target)

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(run)
    monkeypatch.undo()
    epochs, epoch = [], Loop.epoch
    monkeypatch.setattr(Loop, "epoch", lambda self, number: (epochs.append(number), epoch(self, number))[1])
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    train(replace(run, resume=True))
    assert epochs == [1, 2]


def test_inputs_longer_than_the_encoders_window_are_refused(tmp_path):
    """RoBERTa numbers positions from behind its padding index: 66 embeddings serve 66 - (0 + 1) tokens here."""
    folder = tmp_path / "roberta"
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 29}
    roberta = RobertaConfig(vocab_size=27, max_position_embeddings=66, pad_token_id=0, **size)
    AutoModel.from_config(roberta).save_pretrained(folder)
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = 10**30
    tokenizer.save_pretrained(folder)
    run = config(tmp_path, epochs=1)
    run = replace(run, model=replace(run.model, encoder=str(folder)))
    with pytest.raises(UserError, match="max_length=66: the model reads at most 65 tokens"):
        train(replace(run, data=replace(run.data, max_length=66)))
    train(replace(run, data=replace(run.data, max_length=65)))


@pytest.mark.parametrize("place", ["file", "missing"])
def test_an_unusable_cache_folder_is_done_without(tmp_path, monkeypatch, caplog, place):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "file" / "x") if place == "file" else "/proc/no/such")
    with caplog.at_level("INFO", "eraserhead"):
        train(config(tmp_path, epochs=1))
    assert "computed again in every epoch" in caplog.text


def test_a_damaged_cache_is_made_again_and_leftovers_of_killed_processes_are_removed(tmp_path, caplog):
    run, cache = config(tmp_path, epochs=1), cache_root() / "vectors"
    train(run)
    entry = next(cache.iterdir())
    content = bytearray((entry / VECTORS).read_bytes())
    content[37] ^= 1
    (entry / VECTORS).write_bytes(content)
    dead, alive = (cache / f"{name}.unfinished-{name}-0" for name in ("7", "8"))
    for left in (dead, alive):
        left.mkdir()
    with caplog.at_level("INFO", "eraserhead"), holding(alive.with_name(f".{alive.name}.lock"), "8"):
        train(replace(run, output_dir=str(tmp_path / "again")))
    assert f"{entry / VECTORS}: damaged" in caplog.text
    assert caplog.text.count("found in") == 1
    assert not dead.exists()
    assert alive.exists()
    content[37] ^= 1
    assert (entry / VECTORS).read_bytes() == bytes(content)
    first, second = weights(run.output_dir), weights(tmp_path / "again")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_damaged_model_is_named_and_what_is_left_beside_a_finished_one_is_removed(tmp_path):
    run = config(tmp_path, epochs=1)
    folder = train(run).path
    for left in ("checkpoints", "files.unfinished"):
        (folder / left).mkdir()
        (folder / left / "file").write_text("left")
    train(run)
    assert not (folder / "checkpoints").exists()
    assert not (folder / "files.unfinished").exists()
    for name in ("model.safetensors", "tokenizer.json", "seen_texts.parquet", "run.yaml"):
        content = (folder / name).read_bytes()
        damaged = bytearray(content)
        damaged[len(content) // 2] ^= 1
        (folder / name).write_bytes(damaged)
        for use in (lambda: train(run), lambda: load_checkpoint(str(folder))):
            with pytest.raises(UserError, match=rf"{name}: damaged \(.*; "):
                use()
        (folder / name).write_bytes(content)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"tokenizer.json: damaged \(missing\); .* delete .*digests.json"):
        load_checkpoint(str(folder))


def test_options_that_the_user_changed_are_read_without_their_digest(tmp_path):
    folder = train(config(tmp_path, epochs=1))
    file = folder.path / "run.yaml"
    file.write_text(file.read_text().replace("epochs: 1", "epochs: 2"))
    with pytest.raises(UserError, match=r"if you changed it yourself, remove its first line"):
        folder.config()
    file.write_text(file.read_text().partition("\n")[2])
    assert folder.config().training.epochs == 2


def test_a_second_run_in_one_folder_gets_one_line(tmp_path):
    run = config(tmp_path, epochs=1)
    with locked(tmp_path / "run"):
        with pytest.raises(LockedError, match=r"run: another process is writing here \(process \d+ on .+\)"):
            train(run)
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_a_run_whose_folder_is_emptied_meanwhile_gets_one_line(tmp_path, monkeypatch):
    epoch = Loop.epoch
    monkeypatch.setattr(
        Loop, "epoch", lambda self, number: (epoch(self, number), (tmp_path / "run" / "run.yaml").unlink())[0]
    )
    with pytest.raises(UserError, match=r"run.yaml was removed while train was at work there; run the same"):
        train(config(tmp_path, epochs=1))


def test_an_interrupted_cache_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*arguments, **inputs):
        raise KeyboardInterrupt

    monkeypatch.setattr(AttentionPoolingForSequenceClassification, "components", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config(tmp_path, epochs=1))
    assert list((cache_root() / "vectors").iterdir()) == []


def test_overwrite_removes_what_the_earlier_run_left(tmp_path, monkeypatch):
    run = config(tmp_path, epochs=1)
    folder = train(run).path
    for stale in ("model-00001-of-00002.safetensors", RUN.index, "vocab.txt", "sentencepiece.bpe.model"):
        (folder / stale).write_text("of another encoder")
    (folder / "my-vocabulary.txt").write_text("mine")
    monkeypatch.setattr(Loop, "epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(replace(run, overwrite=True))
    assert sorted(path.name for path in folder.iterdir()) == ["my-vocabulary.txt", "run.yaml", "setup.json"]


def interrupt(*arguments):
    raise KeyboardInterrupt


def test_folders_of_others_are_left_alone(tmp_path):
    run = config(tmp_path)
    Path(run.output_dir).mkdir()
    (Path(run.output_dir) / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not a run"):
        train(run)


def test_another_setup_needs_overwrite(tmp_path):
    run = config(tmp_path, epochs=1)
    train(run)
    other = replace(run, training=replace(run.training, seed=5))
    with pytest.raises(UserError, match=r"training\.seed"):
        train(other)
    before = weights(run.output_dir)["head.classifier.weight"]
    train(replace(other, overwrite=True))
    assert not torch.equal(before, weights(run.output_dir)["head.classifier.weight"])


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    """torch reports a file that may grow no more as a RuntimeError about its zip file."""
    run = config(tmp_path, epochs=3, patience=3)
    saved, save_state = [], Accelerator.save_state
    no_limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    def save(self, folder, safe_serialization):
        saved.append(folder)
        if len(saved) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, no_limit[1]))
        save_state(self, folder, safe_serialization=safe_serialization)

    monkeypatch.setattr(Accelerator, "save_state", save)
    try:
        with pytest.raises(OSError, match=r"File too large: .*latest"):
            train(replace(run, cache_limit=0.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, no_limit)
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"latest", "best.safetensors"}
    assert not (tmp_path / "run" / "config.json").exists()
    monkeypatch.undo()
    assert len(history(train(replace(run, cache_limit=0.0, resume=True)).path)) == 3


def test_a_full_disk_under_the_cache_falls_back(tmp_path, monkeypatch, caplog):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with caplog.at_level("INFO", "eraserhead"):
        train(config(tmp_path, epochs=1))
    assert "computed again in every epoch" in caplog.text


def events(folder: Path) -> EventAccumulator:
    (file,) = [file for file in (folder / "tensorboard").rglob("events.out.tfevents*") if "run" in file.parent.name]
    found = EventAccumulator(str(file))
    found.Reload()
    return found


def test_trackers_get_the_options_and_the_metrics_of_each_epoch(tmp_path):
    run = config(tmp_path, epochs=2, trackers=["tensorboard"])
    train(run)
    written = events(Path(run.output_dir))
    for name in ("loss", "accuracy"):
        expected = [epoch["loss"] if name == "loss" else epoch["scores"][name] for epoch in history(run.output_dir)]
        assert [(each.step, each.value) for each in written.Scalars(name)] == [
            (number, pytest.approx(value)) for number, value in enumerate(expected, 1)
        ]
    (options,) = Path(run.output_dir, "tensorboard").rglob("hparams.yml")
    assert "training.learning_rate: 0.02" in options.read_text()


def test_a_tracker_that_fails_gets_no_more_and_training_goes_on(tmp_path, monkeypatch, caplog):
    calls = []

    def full(self, values, step=None, **options):
        calls.append(step)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TensorBoardTracker, "log", full)
    with caplog.at_level("WARNING", "eraserhead"):
        folder = train(config(tmp_path, epochs=3, trackers=["tensorboard"]))
    assert calls == [1]
    assert folder.complete
    assert [record.getMessage() for record in caplog.records if "tracker" in record.getMessage()] == [
        "tracker tensorboard failed, and gets no more numbers; training goes on: "
        "OSError: [Errno 28] No space left on device"
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tensorbord", "did you mean 'tensorboard'"),
        ("nothing", "there is no such tracker; choose tensorboard, trackio, wandb, mlflow"),
        ("mlflow", "pip install 'eraserhead[mlflow]'"),
    ],
)
def test_trackers_that_are_not_there_are_refused_before_any_work(tmp_path, monkeypatch, name, said):
    monkeypatch.setattr("eraserhead.training.trackers.find_spec", lambda name: None)
    run = config(tmp_path, trackers=[name])
    with pytest.raises(UserError, match=re.escape(said)):
        train(run)
    assert not Path(run.output_dir).exists()


def test_what_trackers_write_stays_in_the_run_unless_the_environment_says_otherwise(tmp_path, monkeypatch):
    """Of nested runs the outermost folder counts, and afterwards the environment is as it was."""
    for name in ("WANDB_DIR", "WANDB_SILENT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "online")
    before = dict(os.environ)
    with writing_into(["wandb", "mlflow"], tmp_path), writing_into(["wandb", "mlflow"], tmp_path / "inner"):
        assert (os.environ["WANDB_MODE"], os.environ["WANDB_DIR"]) == ("online", str(tmp_path))
        assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert dict(os.environ) == before


def test_a_tracker_that_cannot_start_is_left_out_and_one_of_a_failed_run_is_closed(tmp_path, monkeypatch, caplog):
    closed = []
    finish = TensorBoardTracker.finish
    monkeypatch.setattr(TensorBoardTracker, "finish", lambda self: (closed.append(1), finish(self)))
    monkeypatch.setattr(Loop, "epoch", lambda self, epoch: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config(tmp_path, "failed", trackers=["tensorboard"]))
    assert closed == [1]
    monkeypatch.undo()
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))

    def refused(self):
        raise OSError("read-only")

    monkeypatch.setattr(TensorBoardTracker, "start", refused)
    with caplog.at_level("WARNING", "eraserhead"):
        assert train(config(tmp_path, epochs=1, trackers=["tensorboard"])).complete
    assert "tracker tensorboard cannot be started; training goes on without it: OSError: read-only" in caplog.text


def test_a_run_has_a_chart_and_the_scores_of_each_class(tmp_path, caplog):
    """Without test documents the classes' scores are of the 20 validation documents, with the best epoch's weights."""
    with caplog.at_level("WARNING", "eraserhead"):
        folder = train(config(tmp_path, epochs=4))
    assert "no test split" in caplog.text
    metrics = folder.metrics()
    assert metrics is not None
    assert metrics.classes is not None
    assert sum(scores.documents for scores in metrics.classes.values()) == 20
    recalled = sum(scores.recall * scores.documents for scores in metrics.classes.values())
    assert recalled / 20 == pytest.approx(metrics.validation["accuracy"])
    assert metrics.validation["balanced_accuracy"] == pytest.approx(
        sum(scores.recall for scores in metrics.classes.values()) / 2
    )
    chart = (folder.path / RUN.chart).read_text()
    assert chart.startswith("<?xml")
    assert "60 training documents of train.jsonl" in re.sub(r"<!--\s*(.*?)\s*-->", r"\1", chart)


def test_weights_of_classes_move_the_decisions(tmp_path):
    """With one class weighted a hundredfold, all documents are decided for it."""
    folder = train(config(tmp_path, epochs=3, class_weights=["pos=100"]))
    metrics = folder.metrics()
    assert metrics is not None
    assert metrics.classes is not None
    assert (metrics.classes["pos"].recall, metrics.classes["neg"].recall) == (1.0, 0.0)


@pytest.fixture
def saved_state(tmp_path):
    accelerator = Accelerator(cpu=True)
    model = accelerator.prepare(torch.nn.Linear(3, 5))
    states = States(tmp_path)
    states.save_best(model.state_dict())
    states.save(accelerator)
    return accelerator, states, states.resumable


@pytest.mark.parametrize("name", ["pytorch_model.bin", "random_states_0.pkl", "digests.json", "../best.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "one bit"])
def test_a_damaged_state_is_said_to_be_damaged(saved_state, name, damage):
    accelerator, states, latest = saved_state
    states.load(accelerator)
    content = bytearray((latest / name).read_bytes())
    if damage == "missing":
        (latest / name).unlink()
    else:
        content[len(content) // 2] ^= 1
        (latest / name).write_bytes(content)
    file = re.escape(Path(name).name)
    with pytest.raises(UserError, match=rf"{file}: damaged \(.+\); replace the run with overwrite=True"):
        states.load(accelerator)


def test_a_state_of_other_processes_is_resumed_from_with_a_line(saved_state, caplog):
    accelerator, states, latest = saved_state
    (latest / "random_states_1.pkl").write_bytes((latest / "random_states_0.pkl").read_bytes())
    seal(latest)
    with caplog.at_level("INFO", "eraserhead"):
        states.load(accelerator)
    assert "saved by 2 process(es), and there are 1 now" in caplog.text


def test_a_state_with_weights_of_other_names_is_of_another_compiler(saved_state):
    accelerator, states, latest = saved_state
    file = latest / "pytorch_model.bin"
    torch.save({f"_orig_mod.{name}": weight for name, weight in torch.load(file).items()}, file)
    seal(latest)
    with pytest.raises(UserError, match="resume with the dynamo settings"):
        states.load(accelerator)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("NCCL"), OSError(5, "")])
def test_what_is_no_fault_of_a_state_passes(saved_state, monkeypatch, error):
    accelerator, states, _ = saved_state

    def fail(state):
        raise error

    monkeypatch.setattr(accelerator, "load_state", fail)
    with pytest.raises(type(error)) as passed:
        states.load(accelerator)
    assert passed.value is error


def test_a_checkpoint_keeps_weights_that_are_views_of_one_buffer(tmp_path):
    """As those of a recurrent network are on a GPU."""
    network = torch.nn.GRU(3, 5, bidirectional=True)
    buffer = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    sizes = [parameter.numel() for parameter in network.parameters()]
    for parameter, view in zip(network.parameters(), buffer.split(sizes), strict=True):
        parameter.data = view.view(parameter.shape)
    accelerator = Accelerator(cpu=True)
    network = accelerator.prepare(network)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    states = States(tmp_path)
    states.save(accelerator)
    torch.nn.init.zeros_(buffer)
    accelerator.load_state(str(states.resumable))
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert any(weight.any() for weight in after.values())
