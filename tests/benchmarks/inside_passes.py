"""Passes inside a hub classifier: opening a site, the last layer on one position, and where the host would wait."""

from collections import Counter
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import torch
from inside import TOKENS, against_passes, classifier, documents
from synchronisations import counting
from timing import Result, seconds
from torch import Tensor
from transformers import AutoModelForSequenceClassification, BertConfig

from eraserhead.erasure.draws import FEW
from eraserhead.method.test_one import single_keeps
from eraserhead.patch.interface import erasable
from eraserhead.rankings.registry import registered, signals_of
from eraserhead.sites.inside.read_out import read_at_read_out
from eraserhead.sites.inside.runner import Runner
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import parse_inside
from readings import analysed

WIDTH: dict[str, Any] = {
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
}
COUNTED, COUNTED_TOKENS = 16, 32  # documents of one batch in which waits are counted, and their length


def opening() -> list[Result]:
    """Opening a site: dry runs, whose time must not grow with the vocabulary."""
    rows = []
    for vocabulary in (30_000, 250_000):
        config = BertConfig(**WIDTH, vocab_size=vocabulary)
        model = AutoModelForSequenceClassification.from_config(config).eval()
        taken = [seconds(lambda opened=model: SelfAttentionSite(opened)) for _ in range(7)][2:]
        rows.append(
            Result(
                name="inside-opening",
                what=f"opening the last layer of a BERT of 6 layers x 384 with {vocabulary:,} ids",
                measured=median(taken),
                wanted=0.15,
                at_least=False,
                spread=(min(taken), max(taken)),
                figures={},
                unit=" s",
                notes="without loading; processor time",
            )
        )
    return rows


def last_row() -> list[Result]:
    """The last layer on the read-out position alone, against all of it: erasures in lower layers, and prediction."""
    model, [batch] = classifier(), documents(TOKENS, 4)
    site = SelfAttentionSite(model)
    alone, keep = site.runner, single_keeps(torch.ones(4, TOKENS, dtype=torch.bool))[:1]
    whole, first = replace(alone, reads_one_row=False), torch.arange(1)
    bounds = {alone.last - 1: 4.0, alone.last // 2 + 1: 1.7}
    with erasable(model):
        replays = {layer: [read_at_read_out(runner, layer, batch) for runner in (whole, alone)] for layer in bounds}

        def predicted(runner: Runner) -> Tensor:
            with torch.no_grad():
                return runner.decide(batch, runner.batch(batch).read_out).logits

        sides = {
            f"single erasures at `layer:{layer}`": (
                *(partial(replay.logits, first, keep) for replay in replays[layer]),
                bounds[layer],
                1,
            )
            for layer in bounds
        } | {"plain prediction": (partial(predicted, whole), partial(predicted, alone), 1.15, 9)}
        return [
            against_passes(
                "inside-last-row",
                f"{what} of 6 layers: the last layer whole / at the read-out position alone",
                *(wanted, theirs, ours),
                ours_a_round=often,
                theirs_a_round=often,
            )
            for what, (theirs, ours, wanted, often) in sides.items()
        ]


def waits() -> dict[str, Counter[str]]:
    """Return the lines at which the host would wait for a device while one batch is analysed, by site."""
    model, [batch] = classifier(), documents(COUNTED_TOKENS, COUNTED)
    found = {}
    for place in ("layer:-1", "layer:3", "layer:3:all", "all"):
        site = SelfAttentionSite(model, parse_inside(place))
        with counting() as lines:
            analysed(site.read(batch, signals_of(registered())), [str(number) for number in range(COUNTED)], FEW)
        found[place] = lines
    return found


def waiting() -> list[Result]:
    """How often the host would wait for a device, a document."""
    return [
        Result(
            name="inside-waits",
            what=f"waits for a device in the analysis at `{place}`, {FEW} draws, a document",
            measured=sum(lines.values()) / COUNTED,
            wanted=None,
            at_least=False,
            spread=(sum(lines.values()) / COUNTED, sum(lines.values()) / COUNTED),
            figures=dict(lines.most_common(3)),
            unit="",
            notes=f"one batch of {COUNTED} documents of {COUNTED_TOKENS} tokens, under a CPU's budget of tokens",
        )
        for place, lines in waits().items()
    ]
