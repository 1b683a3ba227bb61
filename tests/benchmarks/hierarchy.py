"""Models that read sentence by sentence against those that read documents whole: tokens a second."""

from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import torch
from datasets import Dataset
from runs import reviews
from timing import Result, in_turns, seconds
from torch import Tensor
from torch.nn.functional import cross_entropy

from eraserhead.data.batching import buckets
from eraserhead.data.documents import load_documents
from eraserhead.loading.boundary import quiet
from eraserhead.loading.checkpoints import load_tokenizer
from eraserhead.loading.reader import reader_for
from eraserhead.models.architecture import Architecture, ContextKind
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.sites.budget import budget_for
from eraserhead.training.new_classifier import encoder_path

REVIEWS, WANTED = 100, 0.8
ARCHITECTURES: dict[str, tuple[Architecture, ContextKind | None]] = {
    "none": (Architecture(encoder_layers=0), None),
    "conv": (Architecture(encoder_layers=0, context="conv"), None),
    "rnn": (Architecture(encoder_layers=0, context="rnn"), None),
    "transformer": (Architecture(), "transformer"),
}


@dataclass(frozen=True)
class Work:
    """A model and its documents in batches, as training and prediction make them."""

    model: AttentionPoolingForSequenceClassification
    batches: list[dict[str, Tensor]]
    tokens: int

    def predict(self) -> None:
        """Classify every document once."""
        self.model.eval()
        with torch.no_grad():
            for batch in self.batches:
                self.model(**batch)

    def train(self) -> None:
        """Compute the gradient of every document once."""
        self.model.train()
        for batch in self.batches:
            logits = self.model(**batch).logits
            cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long)).backward()
            self.model.zero_grad()


def throughput(rounds: int = 5) -> list[Result]:
    """Tokens a second of hierarchical models over those of flat ones, in prediction and in training."""
    data = replace(reviews(), test_size=REVIEWS, max_length=512)
    rows = load_documents(data, "test").rows
    results = []
    for name, (architecture, over_sentences) in ARCHITECTURES.items():
        flat = work(architecture, rows, data)
        deep = work(replace(architecture, hierarchical=True, sentence_context=over_sentences), rows, data)
        measured = ("prediction",) if name == "transformer" else ("prediction", "training")
        results += [compare(name, what, flat, deep, rounds) for what in measured]
    return results


def compare(name: str, what: str, flat: Work, deep: Work, rounds: int) -> Result:
    """Time both models in turns."""
    first, second = (work.predict if what == "prediction" else work.train for work in (flat, deep))
    first()  # warms up
    second()
    pair = in_turns(partial(seconds, first), partial(seconds, second), rounds)
    scale = deep.tokens / flat.tokens
    low, high = (scale * ratio for ratio in pair.spread)
    return Result(
        name="hierarchy",
        what=f"han-{name} / flan-{name}, tokens a second in {what}",
        measured=scale * pair.ratio,
        wanted=WANTED,
        at_least=True,
        spread=(low, high),
        figures={
            "han, tokens a second": deep.tokens / median(pair.second),
            "flan, tokens a second": flat.tokens / median(pair.first),
        },
        notes=f"{REVIEWS} Yelp reviews, up to 512 tokens, or 100 sentences of 128",
    )


def work(architecture: Architecture, rows: Dataset, data) -> Work:
    """Make a model of this architecture on the packaged encoder, and its batches."""
    encoder = encoder_path("packaged")
    with quiet():
        torch.manual_seed(0)
        model = AttentionPoolingForSequenceClassification.from_encoder(encoder, ("1", "2", "3", "4", "5"), architecture)
    tokenizer = load_tokenizer(encoder)
    reader = reader_for(model, tokenizer, data, cut_to_window=True)
    tokenized = reader.tokenize(rows, tokenizer)
    lengths = list(tokenized["tokens"])
    of_device = budget_for(torch.device("cpu"))
    budget = of_device.tokens if architecture.encoder_layers != 0 else of_device.head_tokens
    ids = list(tokenized["input_ids"])
    batches = [reader.pad([ids[row] for row in batch], 0) for batch in buckets(range(len(lengths)), lengths, budget)]
    return Work(model, batches, sum(lengths))
