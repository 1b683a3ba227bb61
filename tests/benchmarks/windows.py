"""Accuracy on long documents: cut at the end, without their middle, and read in windows that overlap.

``python tests/benchmarks/windows.py [--train_size N] [--test_size N] [--encoder_layers N] [--json FILE]``: a head on
the frozen packaged encoder is trained on IMDB reviews in each way, with the options of ``configs/model/flat.yaml`` and
``--data.max_length 256``. With 1,000 documents to train on and 500 to test, about 10 minutes of one core.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from runs import DATA_ROOT, fresh_caches
from transformers import AutoTokenizer, pipeline

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents, load_documents
from eraserhead.data.tokens import truncation
from eraserhead.loading.boundary import quiet
from eraserhead.loading.reader import reader_for
from eraserhead.method.intervals import difference_of_shares, share_of
from eraserhead.models.architecture import LongDocuments
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.training import train

LENGTH = 256
WAYS: tuple[LongDocuments, ...] = ("cut", "head_tail", "windows")
MODEL = ModelConfig(dropout=0.4)
TRAINING = TrainingConfig(epochs=20, batch_size=64, learning_rate=5e-3, patience=5)


@dataclass(frozen=True)
class Measured:
    """One way to read long documents.

    Attributes:
        way: Its name.
        right: Whether each test document is decided rightly.
        read: Share of the test documents' tokens that the model reads.
        seconds: Processor time of training, the encoder included.
    """

    way: str
    right: list[bool]
    read: float
    seconds: float


def measure(way: LongDocuments, data: DataConfig, model: ModelConfig, folder: Path, test: Documents) -> Measured:
    """Train a head on documents that are read in one way, and classify the test documents as users would."""
    started = time.process_time()
    config = TrainConfig(
        data=replace(data, long_documents=way), model=model, training=TRAINING, output_dir=str(folder), cpu=True
    )
    train(config, tested=False)
    spent = time.process_time() - started
    with quiet():
        classify = pipeline("text-classification", model=str(folder), device="cpu")
    assert test.labels is not None
    classes = [test.labels.names[label] for label in test.rows["label"]]
    right = [classify(text)[0]["label"] == label for text, label in zip(test.rows["text"], classes, strict=True)]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    reader = reader_for(classify.model, tokenizer, DataConfig(), cut_to_window=False)
    cut = truncation(reader.tokenize(test.rows, tokenizer))
    print(f"{way}: {sum(right)} of {len(right)} right, {spent:.0f} s of processor time", flush=True)
    return Measured(way, right, 1 - cut.share, spent)


def shown(found: list[Measured], long: np.ndarray) -> Table:
    """Return the table; `long` tells which test documents have more than `LENGTH` tokens."""
    table = Table(title=f"IMDB, {len(long):,} test documents, {int(long.sum()):,} of them above {LENGTH} tokens")
    for heading in ("long documents", "accuracy", f"above {LENGTH} tokens", "right more often than cut", "tokens read"):
        table.add_column(heading)
    cut = np.array(found[0].right, dtype=float)
    for each in found:
        right = np.array(each.right, dtype=float)
        versus = "-" if each is found[0] else _percent(difference_of_shares(right, cut), signed=True)
        shares = (_percent(share_of(right)), _percent(share_of(right[long])))
        table.add_row(each.way, *shares, versus, f"{100 * each.read:.1f} %")
    return table


def _percent(estimate, signed: bool = False) -> str:
    ends = (estimate.value, estimate.low, estimate.high)
    value, low, high = (f"{100 * each:{'+' if signed else ''}.1f}" for each in ends)
    return f"{value} [{low}, {high}] %"


def main() -> None:
    """Train in each way, print the table and write what it was made of as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train_size", type=int)
    parser.add_argument("--test_size", type=int)
    parser.add_argument("--encoder_layers", type=int, help="layers of the encoder that are kept; default: all")
    parser.add_argument("--json", type=Path, default=Path("windows.json"), help="file to write (%(default)s)")
    options = parser.parse_args()
    data = DataConfig(
        name="imdb",
        path=str(DATA_ROOT / "imdb"),
        train_size=options.train_size,
        test_size=options.test_size,
        max_length=LENGTH,
    )
    with fresh_caches() as scratch:
        test = load_documents(data, "test")
        model = replace(MODEL, encoder_layers=options.encoder_layers)
        found = [measure(way, data, model, scratch / way, test) for way in WAYS]
        tokenizer = AutoTokenizer.from_pretrained(scratch / WAYS[0])
        long = np.array([len(ids) > LENGTH for ids in tokenizer(list(test.rows["text"]), verbose=False)["input_ids"]])
    Console().print(shown(found, long))
    options.json.write_text(json.dumps([asdict(each) for each in found]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
