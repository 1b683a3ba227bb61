"""What an accelerator makes of training and of erasing: rates, waits, and what all of Amazon's reviews would take.

    python tests/benchmarks/gpu.py [--json FILE] [--seconds S] [--quick]

It needs no network and no data: the model is a MiniLM-like BERT with random weights, and the documents are random
words, as long as reviews on Amazon are. Rates are of whole calls, from the file to the results, less what a call costs
once: the times of many documents and of few are subtracted. With the default of 30 seconds for each of six measurements
it ends within 8 minutes. ``--quick`` tries everything on a tiny model and a few documents; its rates mean nothing.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import datasets
import numpy as np
import torch
from rich.console import Console
from runs import fresh_caches
from synchronisations import counting
from timing import Result, as_json, describe, machine, table
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.profiler import ProfilerActivity, profile
from transformers import AutoModel, BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.shard_size import parameters
from eraserhead.loading.boundary import quiet
from eraserhead.loading.given import Dtype
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.sites.site import POOLING
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.training import train

AMAZON, WANTED = 650_000, 120.0  # reviews, and seconds of their study at the pooling site
# Tokens of reviews: these shares of them are at most so long.
SHARES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
LENGTHS = (20, 33, 38, 54, 92, 142, 186, 209, 237, 256)
CLASSES = ("1", "2", "3", "4", "5")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch")
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        config: The encoder.
        few: Documents of a call that warms up, and is subtracted, of training and of `pooling`; less inside an encoder.
        most: Most documents of a call.
        seconds: About how long a measured call may take.
        square: Rows of the matrices whose product is the limit.
    """

    config: BertConfig
    few: int
    most: int
    seconds: float
    square: int


WHOLE = Size(
    BertConfig(hidden_size=384, intermediate_size=1536, num_hidden_layers=6, num_attention_heads=12),
    2048,
    65536,
    30,
    8192,
)
QUICK = Size(
    BertConfig(vocab_size=211, hidden_size=24, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4),
    *(16, 32, 0.0, 256),
)


@dataclass(frozen=True)
class Bench:
    """Models and documents in a folder.

    Attributes:
        folder: The folder.
        size: How much is measured.
    """

    folder: Path
    size: Size

    def make(self) -> None:
        """Write an encoder, a classifier with an attention-pooling head, a plain one, and their tokenizer."""
        config = self.size.config
        words = [*SPECIAL, *(f"w{number}" for number in range(config.vocab_size - len(SPECIAL)))]
        backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "[UNK]"))
        backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=512, **names)
        config.id2label = dict(enumerate(CLASSES))
        config.label2id = {name: number for number, name in enumerate(CLASSES)}
        torch.manual_seed(0)
        with quiet():
            AutoModel.from_config(config).save_pretrained(self.folder / "encoder")
            BertForSequenceClassification(config).save_pretrained(self.folder / "plain")
            head = AttentionPoolingForSequenceClassification.from_encoder(str(self.folder / "encoder"), CLASSES)
            head.save_pretrained(self.folder / POOLING)
        for name in ("encoder", "plain", POOLING):
            tokenizer.save_pretrained(self.folder / name)

    def documents(self, count: int) -> str:
        """Write documents as long as reviews."""
        path = self.folder / f"{count}.jsonl"
        chance = np.random.default_rng(count)
        lengths = np.interp(chance.random(count), SHARES, LENGTHS).astype(int) - 2  # [CLS] and [SEP] are added
        words = self.size.config.vocab_size - len(SPECIAL)
        with path.open("w") as file:
            for number, length in enumerate(lengths):
                text = " ".join(f"w{word}" for word in chance.integers(0, words, length))
                file.write(json.dumps({"text": text, "label": CLASSES[number % len(CLASSES)]}) + "\n")
        return str(path)

    def erase(self, site: str, dtype: Dtype, count: int) -> None:
        """Analyse so many documents at a site."""
        data = DataConfig(path=self.documents(count), max_length=256)
        model = str(self.folder / (POOLING if site == POOLING else "plain"))
        out = tempfile.mkdtemp(dir=self.folder)
        erase_to_folder(EraseConfig(model=model, data=data, site=site, dtype=dtype, output_dir=out))

    def train(self, frozen: bool, count: int) -> None:
        """Train on so many documents for one epoch."""
        data = DataConfig(path=self.documents(count), validation_size=len(CLASSES), max_length=256)
        training = TrainingConfig(freeze_encoder=frozen, epochs=1)
        model, out = ModelConfig(encoder=str(self.folder / "encoder")), tempfile.mkdtemp(dir=self.folder)
        train(TrainConfig(output_dir=out, data=data, model=model, training=training))


def rate(call: Callable[[int], None], few: int, size: Size) -> tuple[float, dict[str, float]]:
    """Return documents a second of a call that takes a number of documents, without what it costs once.

    A call of few documents warms up; two more tell how many fit into the time.
    """
    call(few)
    first, second = _seconds(call, few), _seconds(call, 2 * few)
    each = max((second - first) / few, 1e-6)
    many = int(min(size.most, max(4 * few, size.seconds / each)))
    taken = _seconds(call, many)
    found = (many - few) / max(taken - first, 1e-9)
    return found, {f"{few:,} documents, s": first, f"{many:,} documents, s": taken}


def _seconds(call: Callable[[int], None], count: int) -> float:
    _wait()
    started = time.perf_counter()
    call(count)
    _wait()
    return time.perf_counter() - started


def _wait() -> None:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def device() -> torch.device:
    """Return the device in use."""
    return torch.accelerator.current_accelerator() or torch.device("cpu")


def limit(size: int, dtype: str) -> float:
    """Return floating-point operations a second of a square matrix product."""
    first, second = (torch.randn(size, size, device=device(), dtype=getattr(torch, dtype)) for _ in range(2))
    for _ in range(3):
        torch.matmul(first, second)
    _wait()
    started = time.perf_counter()
    for _ in range(10):
        torch.matmul(first, second)
    _wait()
    return 10 * 2 * size**3 / (time.perf_counter() - started)


def work(size: Size) -> float:
    """Return floating-point operations of one pass over a document: products with weights, and attention."""
    model, lengths = AutoModel.from_config(size.config), np.interp(np.linspace(0, 1, 1001), SHARES, LENGTHS)
    attention = 4 * size.config.hidden_size * size.config.num_hidden_layers * (lengths**2).mean()
    return 2 * parameters(model) * lengths.mean() + attention


def erasing(bench: Bench, site: str, dtype: Dtype, few: int) -> list[Result]:
    """Measure the rate of an analysis; of the pooling site also what that is of the limit, and of all of Amazon."""
    size = bench.size
    found, figures = rate(partial(bench.erase, site, dtype), few, size)
    results = [result(f"erasing at `{site}` in {dtype}, documents a second", found, "", figures)]
    if site == POOLING:
        share = 100 * found * work(size) / limit(size.square, dtype)
        results += [
            result(f"erasing at `{site}` in {dtype}: share of the limit of its matrix products", share, " %"),
            result(f"{AMAZON:,} reviews at `{site}` in {dtype}", AMAZON / found, " s", wanted=WANTED),
        ]
    return results


def asking(bench: Bench, site: str, few: int) -> list[Result]:
    """Count, for a document, what the host asks of the device, and how often it waits for an answer."""
    call = partial(bench.erase, site, "float32", few)
    with counting() as lines:
        call()
    results = [
        result(f"waits for a device at `{site}`, a document", sum(lines.values()) / few, "", dict(lines.most_common(3)))
    ]
    if torch.cuda.is_available():
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            call()
        for what, names in (("kernel launches", LAUNCHES), ("synchronisations", WAITS)):
            events = [event for event in seen.key_averages() if event.key.startswith(names)]
            results.append(result(f"{what} at `{site}`, a document", sum(event.count for event in events) / few, ""))
    return results


def measure(size: Size) -> list[Result]:
    """Measure everything, in a folder that is removed again."""
    with fresh_caches() as folder:
        bench = Bench(folder, size)
        bench.make()
        results = []
        for frozen, what in ((True, "a head on a frozen encoder"), (False, "everything")):
            found, figures = rate(partial(bench.train, frozen), size.few, size)
            results.append(result(f"training {what}, one epoch, documents a second", found, "", figures))
        for dtype in ("float32", "bfloat16"):
            results += erasing(bench, POOLING, dtype, size.few)
        for site, share in ((POOLING, 1), ("layer:-1", 8), ("all", 64)):
            few = max(size.few // share, 4)
            results += [] if site == POOLING else erasing(bench, site, "float32", few)
            results += asking(bench, site, few)
    return results


def result(
    what: str, measured: float, unit: str, figures: Mapping[str, float | str] | None = None, wanted: float | None = None
) -> Result:
    """Return one row; a bound is an upper one."""
    return Result("gpu", what, measured, wanted, False, (measured, measured), figures or {}, unit)


def main() -> None:
    """Measure, print the table with the device's name, and write it as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), help="file to write (%(default)s)")
    parser.add_argument("--seconds", type=float, default=WHOLE.seconds, help="of a measured call (%(default)g)")
    parser.add_argument("--quick", action="store_true", help="try everything on a tiny model and a few documents")
    options = parser.parse_args()
    datasets.disable_progress_bars()
    results = measure(QUICK if options.quick else replace(WHOLE, seconds=options.seconds))
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else str(device())
    facts = {**machine(), "device": card}
    console = Console(width=160)
    console.print(table(results), f"{card}; {describe(facts)}", sep="\n")
    options.json.write_text(json.dumps(as_json(results, facts), indent=2) + "\n")
    console.print(f"written: {options.json}")


if __name__ == "__main__":
    main()
