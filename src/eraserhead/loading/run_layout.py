"""File names in a model's folder; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunLayout:
    """Names in the folder of a training run, which is a model's folder with more files.

    Attributes:
        config: The model's configuration; if it exists, the model is complete.
        weights: The model's weights, if they are in one file.
        index: The file that names the file of each weight, if they are in several files.
        tokenizer: The tokenizer's configuration.
        run: The options of the run, in the format that `--config` takes.
        setup: Fingerprints of the run's documents and encoder.
        data: The documents, and the label table.
        seen: Fingerprints of the texts that training saw; they are never pushed.
        metrics: The metrics of the run.
        environment: Versions and the machine.
        seeds: Metrics over seeds, in the folder that those of the seeds are in.
        adapter: Folder of the adapter that was trained on the encoder, if it was asked for.
        chart: Picture of the loss and the metrics, epoch by epoch.
        seal: Digests of the files that training has written.
        checkpoints: The states that `--resume` continues from.
        latest: The newest state.
        best: The trained weights of the best epoch.
        best_model: The whole model of the best epoch, during training that pushes it.
        erasure: Erasure results of the model.
        atlas: The atlas of its layers and heads.
        tracked: Files and folders of experiment trackers.
        onnx: The model as an ONNX graph.
        hub: The files that a dry run would push.
    """

    config: str = "config.json"
    weights: str = "model.safetensors"
    index: str = "model.safetensors.index.json"
    tokenizer: str = "tokenizer_config.json"
    run: str = "run.yaml"
    setup: str = "setup.json"
    data: str = "data.json"
    seen: str = "seen_texts.parquet"
    metrics: str = "metrics.json"
    environment: str = "environment.json"
    seeds: str = "seeds.json"
    adapter: str = "adapter"
    chart: str = "training.svg"
    seal: str = "digests.json"
    checkpoints: str = "checkpoints"
    latest: str = "checkpoints/latest"
    best: str = "checkpoints/best.safetensors"
    best_model: str = "checkpoints/best-model"
    erasure: str = "erasure"
    atlas: str = "atlas"
    tracked: tuple[str, ...] = ("tensorboard", "trackio", "wandb", "mlflow.db")
    onnx: str = "onnx"
    hub: str = "hub"


RUN = RunLayout()
