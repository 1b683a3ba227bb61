"""What lies where in a model's folder; light imports, so that ``--help`` stays quick."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunLayout:
    """Names in the folder of a training run, which is a model's folder with more in it.

    Attributes:
        config: The model's configuration; the folder is complete when it is there.
        weights: The model's weights, where they are in one file.
        index: Where they are in several: which weight is in which.
        tokenizer: The tokenizer's configuration.
        run: The options that made the run, in the format that `--config` takes.
        setup: What the run was made from: fingerprints of documents and encoder.
        data: The documents, and the label table.
        metrics: What training came to.
        environment: Versions and the machine.
        checkpoints: What `--resume` continues from.
        latest: The newest state.
        best: The trained weights of the best epoch.
        best_model: The whole model of the best epoch, while it is shown to whoever asked for it.
        erasure: Erasure results of the model.
        hub: What a dry run would push.
    """

    config: str = "config.json"
    weights: str = "model.safetensors"
    index: str = "model.safetensors.index.json"
    tokenizer: str = "tokenizer_config.json"
    run: str = "run.yaml"
    setup: str = "setup.json"
    data: str = "data.json"
    metrics: str = "metrics.json"
    environment: str = "environment.json"
    checkpoints: str = "checkpoints"
    latest: str = "checkpoints/latest"
    best: str = "checkpoints/best.safetensors"
    best_model: str = "checkpoints/best-model"
    erasure: str = "erasure"
    hub: str = "hub"


RUN = RunLayout()
