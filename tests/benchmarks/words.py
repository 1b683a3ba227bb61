"""Erasure at the site `words` of long documents, in processor time: how it grows, and against every sentence anew."""

import math
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from timing import Result

from eraserhead.loading.boundary import quiet
from eraserhead.method.analysis import Draws, analyse
from eraserhead.method.replayed import ReplayedReading
from eraserhead.method.test_one import single_keeps
from eraserhead.models.architecture import Architecture
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.rankings.registry import registered, signals_of
from eraserhead.sites.words import WordsSite
from eraserhead.training.new_classifier import encoder_path
from references import words_erased

SHORT, LONG, SENTENCE = 1000, 5000, 20  # words of a document, and of each of its sentences
GROWTH = 1.2
SOME, ROUNDS = 64, 5


def growth() -> list[Result]:
    """Measure whole analyses of a short and a long document, without a context encoder, where no erasure flips."""
    site = _site()
    _analyse(site, _document(SHORT))  # warms up
    pairs = [
        [_processor_time(partial(_analyse, site, _document(size))) for size in (SHORT, LONG)] for _ in range(ROUNDS)
    ]
    exponents = [math.log(long / short, LONG / SHORT) for short, long in pairs]
    short, long = (median(column) for column in zip(*pairs, strict=True))
    figures = {f"{SHORT} words, s": short, f"{LONG} words, s": long}
    what = f"words, {LONG} against {SHORT} words: exponent of the growth of an analysis"
    bounds = min(exponents), max(exponents)
    return [
        Result(
            "words",
            what,
            median(exponents),
            GROWTH,
            False,
            bounds,
            figures,
            "",
            "no context, 10 draws, no flip: all prefixes",
        )
    ]


def singles() -> list[Result]:
    """Single erasures against averaging every sentence again for each of them."""
    site, document = _site(), _document(SHORT)
    reading = site.read(document)
    assert isinstance(reading, ReplayedReading)
    keep = single_keeps(reading.mask, torch.arange(SOME))
    ours, theirs = (
        partial(reading.evaluate, torch.tensor([0]), keep),
        partial(words_erased, site, reading.replay.documents, keep),  # pyright: ignore[reportFunctionMemberAccess]
    )
    ours()
    theirs()
    pairs = [(_processor_time(theirs), _processor_time(ours)) for _ in range(ROUNDS)]
    ratios = [slow / quick for slow, quick in pairs]
    what = f"words, {SOME} single erasures of {SHORT} words: every sentence anew / the sentences touched"
    return [Result("words", what, median(ratios), 9, True, (min(ratios), max(ratios)), {})]


def _site() -> WordsSite:
    torch.manual_seed(0)
    architecture = Architecture(encoder_layers=0, hierarchical=True)
    with quiet():
        labels = ("1", "2", "3", "4", "5")
        made = AttentionPoolingForSequenceClassification.from_encoder(encoder_path("packaged"), labels, architecture)
    with torch.no_grad():
        made.head.classifier.bias[0] = 100.0  # nothing flips, so every prefix of every ranking is evaluated
    return WordsSite(made.eval())


def _document(words: int) -> dict[str, torch.Tensor]:
    ids = torch.randint(2000, 20_000, (1, words // SENTENCE, SENTENCE), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _analyse(site: WordsSite, document: dict[str, torch.Tensor]) -> None:
    rankings = registered()
    reading = site.read(document, signals_of(rankings))
    analyse(reading, {each.name: each.order(reading) for each in rankings}, Draws(["0"], 0, 10))


def _processor_time(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started
