"""Whole runs against the least that such a run must do."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from datasets import Dataset, config
from timing import Result, in_turns, seconds
from transformers import AutoTokenizer, PreTrainedTokenizerBase, pipeline

from eraserhead.data.batching import buckets, pad
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.tokens import tokenize
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.loading.boundary import quiet
from eraserhead.models.architecture import Architecture
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.special_tokens import padding_id
from eraserhead.sites.budget import budget_for
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.new_classifier import encoder_path
from eraserhead.training.training import train

REVIEWS, MAX_LENGTH = 200, 256
DATA_ROOT = Path(os.environ.get("ERASERHEAD_DATA", Path(__file__).parents[3] / "shared" / "data"))
FRESH = "caches of `datasets` in a fresh folder each time, so that every run tokenises anew"


@dataclass(frozen=True)
class Loaded:
    """A classifier in memory."""

    model: AttentionPoolingForSequenceClassification
    tokenizer: PreTrainedTokenizerBase


def reviews() -> DataConfig:
    """The Yelp reviews of the data root, or the built-in corpus where there is none."""
    folder = DATA_ROOT / "yelp_review_full"
    data = DataConfig(name="yelp", path=str(folder)) if folder.is_dir() else DataConfig(name="planted", classes=5)
    return replace(data, test_size=REVIEWS, max_length=MAX_LENGTH)


def save_classifier(folder: Path, data: DataConfig, encoder_layers: int | None = None) -> str:
    """Save the packaged encoder under a random head, with the data's class names and the tokenizer."""
    labels = load_documents(replace(data, test_size=10), "test").labels
    assert labels is not None
    encoder = encoder_path("packaged")
    torch.manual_seed(0)
    with quiet():
        model = AttentionPoolingForSequenceClassification.from_encoder(
            encoder, labels.names, Architecture(encoder_layers=encoder_layers)
        )
        model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(folder)
    return str(folder)


def load_plainly(folder: str) -> Loaded:
    """Load a classifier as a script would, without the checks of a run."""
    with quiet():
        model = AttentionPoolingForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    return Loaded(model.eval(), AutoTokenizer.from_pretrained(folder))


@torch.no_grad()
def predict(loaded: Loaded, rows: Dataset) -> list[int]:
    """Return the class of every document, by length buckets under the budget of a CPU."""
    tokens = tokenize(rows, loaded.tokenizer, MAX_LENGTH)["input_ids"]
    sequences = list(tokens)
    predictions = [0] * len(sequences)
    for batch in buckets(
        range(len(sequences)), [len(ids) for ids in sequences], budget_for(torch.device("cpu")).tokens
    ):
        logits = loaded.model(
            **pad([sequences[row] for row in batch], padding_id(loaded.model.config, loaded.tokenizer))
        ).logits
        for row, prediction in zip(batch, logits.argmax(-1).tolist(), strict=True):
            predictions[row] = prediction
    return predictions


@contextmanager
def fresh_caches() -> Iterator[Path]:
    """Give a temporary folder, in which `datasets` and the token vectors of training keep what they keep."""
    datasets_cache, vectors_cache = config.HF_DATASETS_CACHE, os.environ.get("ERASERHEAD_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        config.HF_DATASETS_CACHE = Path(folder) / "datasets"
        os.environ["ERASERHEAD_CACHE"] = str(Path(folder) / "vectors")
        try:
            yield Path(folder)
        finally:
            config.HF_DATASETS_CACHE = datasets_cache
            del os.environ["ERASERHEAD_CACHE"]
            if vectors_cache is not None:
                os.environ["ERASERHEAD_CACHE"] = vectors_cache


def erase(rounds: int = 4) -> list[Result]:
    """An erasure analysis against plain prediction of the same reviews, both from files to the end."""
    data = reviews()
    with tempfile.TemporaryDirectory() as folder:
        model = save_classifier(Path(folder), data)
        _predict_once(model, data)  # warms up
        pair = in_turns(partial(_erase_once, model, data), partial(_predict_once, model, data), rounds)
    analysis, prediction = median(pair.first), median(pair.second)
    return [
        Result(
            name="erase",
            what=f"erasing / plain prediction, {_named(data)}",
            measured=pair.ratio,
            wanted=1.25,
            at_least=False,
            spread=pair.spread,
            figures={
                "erase, s": analysis,
                "plain prediction, s": prediction,
                "erase, documents a second": REVIEWS / analysis,
                "plain prediction, documents a second": REVIEWS / prediction,
            },
            notes=f"10 draws; loading the model counts on both sides, imports on neither; {FRESH}",
        )
    ]


def _erase_once(model: str, data: DataConfig) -> float:
    with fresh_caches() as folder:
        config = EraseConfig(model=model, output_dir=str(folder / "results"), data=data, cpu=True)
        return seconds(lambda: erase_to_folder(config))


def _predict_once(model: str, data: DataConfig) -> float:
    with fresh_caches():
        return seconds(lambda: predict(load_plainly(model), load_documents(data, "test").rows))


def pipelines(rounds: int = 3) -> list[Result]:
    """Our batching against transformers' pipeline, from texts in memory to predictions."""
    data = reviews()
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_plainly(save_classifier(Path(folder), data))
    texts: list[str] = list(load_documents(data, "test").rows["text"])
    tokenizer: Any = loaded.tokenizer
    classify: Any = pipeline("text-classification", model=loaded.model, tokenizer=tokenizer, device="cpu")

    def piped() -> list[int]:
        found = classify(texts, batch_size=16, truncation=True, max_length=MAX_LENGTH)
        names: Any = loaded.model.config.label2id or {}
        return [names[answer["label"]] for answer in found]

    def bucketed() -> list[int]:
        return predict(loaded, Dataset.from_dict({"text": texts}))  # in memory, so that nothing is found in a cache

    assert piped() == bucketed()  # and both are warm
    pair = in_turns(lambda: seconds(piped), lambda: seconds(bucketed), rounds)
    return [
        Result(
            name="pipeline",
            what=f"length buckets / pipeline(batch_size=16), documents a second, {_named(data)}",
            measured=pair.ratio,
            wanted=1.7,
            at_least=True,
            spread=pair.spread,
            figures={
                "buckets, documents a second": REVIEWS / median(pair.second),
                "pipeline, documents a second": REVIEWS / median(pair.first),
            },
            notes="the same model in memory, texts in memory, equal predictions",
        )
    ]


def epochs(rounds: int = 2) -> list[Result]:
    """Five epochs against one, with a frozen encoder."""
    data = replace(reviews(), train_size=300, validation_size=50, test_size=50, max_length=128)
    pair = in_turns(partial(_train_once, data, 5), partial(_train_once, data, 1), rounds)
    return [
        Result(
            name="epochs",
            what=f"training for 5 epochs / 1 epoch, frozen encoder, 300 documents of {_named(data)}",
            measured=pair.ratio,
            wanted=1.5,
            at_least=False,
            spread=pair.spread,
            figures={"5 epochs, s": median(pair.first), "1 epoch, s": median(pair.second)},
            notes=f"token vectors computed in each run; {FRESH}",
        )
    ]


def _train_once(data: DataConfig, number: int) -> float:
    with fresh_caches() as folder:
        config = TrainConfig(
            output_dir=str(folder / "run"),
            data=data,
            model=ModelConfig(),
            training=TrainingConfig(epochs=number, patience=100),
            cpu=True,
        )
        return seconds(lambda: train(config))


def _named(data: DataConfig) -> str:
    source = "Yelp reviews" if data.name == "yelp" else "planted reviews (no Yelp under $ERASERHEAD_DATA)"
    return f"{source} at {data.max_length} tokens"
