"""The packaged encoder fine-tuned as one would publish it: the whole command on real text, and on known evidence."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from eraserhead.data.batching import pad
from eraserhead.data.config import DataConfig
from eraserhead.data.planted import planted_reviews
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.method.names import SHUFFLES
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import parse_inside
from finetune import finetune

pytestmark = pytest.mark.thorough

LAST, LAYERS = 5, 6


class BruteForce:
    """The checkpoint's own eager attention, one full forward pass an erasure, its softmax edited."""

    def __init__(self, folder: str) -> None:
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def logits(self, ids: Sequence[int], erased: Sequence[Sequence[int]], everywhere: bool) -> torch.Tensor:
        """Logits of some erasures of a document: in the last layer from the first token, or everywhere."""
        keep = torch.ones(len(erased), 1, 1, len(ids), dtype=torch.bool)
        for row, keys in enumerate(erased):
            keep[row, ..., list(keys)] = False
        softmax, layers = torch.nn.functional.softmax, iter(range(LAYERS))

        def edited(scores, dim=None, dtype=None):
            weights = softmax(scores, dim=dim, dtype=dtype)
            last = next(layers) == LAST
            kept = weights * keep
            kept = torch.nan_to_num(kept / kept.sum(-1, keepdim=True))
            if everywhere:
                return kept
            return torch.cat([kept[:, :, :1], weights[:, :, 1:]], dim=2) if last else weights

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.nn.functional, "softmax", edited)
            return self.model(input_ids=torch.tensor([list(ids)] * len(erased))).logits

    def first_flip(self, ids: Sequence[int], order: Sequence[int], everywhere: bool) -> tuple[int | None, torch.Tensor]:
        """The first prefix of an order that flips the decision, and the logits of all prefixes, the empty one first."""
        logits = self.logits(ids, [order[:k] for k in range(len(order) + 1)], everywhere)
        flipped = logits.argmax(-1) != logits[0].argmax()
        return int(flipped.int().argmax()) if flipped.any() else None, logits


@pytest.fixture(scope="module")
def imdb(tmp_path_factory, data_root) -> tuple[str, DataConfig]:
    data = DataConfig(name="imdb", path=str(data_root / "imdb"), train_size=480, test_size=20, max_length=64)
    return finetune(tmp_path_factory.mktemp("imdb"), data), data


@pytest.mark.parametrize(("site", "documents"), [("layer:-1", 20), ("all", 4)])
def test_the_whole_command_equals_brute_force_on_real_reviews(tmp_path, imdb, site, documents):
    folder, data = imdb
    data = replace(data, test_size=documents)
    config = EraseConfig(folder, str(tmp_path / "results"), data, site=site, draws=1, cpu=True)
    results = erase_to_folder(config)
    brute = BruteForce(folder)
    analysed = results.table("documents").to_pandas().set_index("id")
    assert (analysed.truncated_tokens > 0).sum() > documents / 2
    flipped = 0
    flips = results.table("flips").to_pandas()
    for row in flips[~flips.ranking.isin(SHUFFLES)].itertuples():
        ids = brute.tokenizer(analysed.text[row.id], truncation=True, max_length=64)["input_ids"]
        expected, logits = brute.first_flip(ids, row.order.tolist(), everywhere=site == "all")
        if (logits.diff(dim=-1).abs() < 1e-5).any():
            continue  # a tie within float32
        assert (None if np.isnan(row.removed) else int(row.removed)) == expected, row
        flipped += expected is not None and expected < row.n
    assert flipped >= documents  # of five rankings each
    for row in analysed.itertuples():
        ids = brute.tokenizer(row.text, truncation=True, max_length=64)["input_ids"]
        singles = brute.logits(ids, [[key] for key in range(len(ids))], everywhere=site == "all")
        assert row.single_decision.tolist() == singles.argmax(-1).tolist()


def test_erasing_known_evidence_flips_far_more_often_than_erasing_as_many_others(tmp_path):
    """Positive control: reviews whose evidence lies in one sentence, its tokens made invisible everywhere."""
    folder = finetune(tmp_path, DataConfig(name="planted", train_size=600, max_length=96), epochs=2)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    site = SelfAttentionSite(model, parse_inside("all"))
    reviews = [review for review in planted_reviews("test", size=500) if len(review.evidence) == 1]
    generator = np.random.default_rng(0)
    known, others, right = [], [], []
    for review in reviews:
        encoded = tokenizer(review.text, return_offsets_mapping=True, truncation=True, max_length=96)
        (evidence,) = review.evidence
        offsets = encoded["offset_mapping"]
        inside = [place for place, (start, end) in enumerate(offsets) if start < evidence.end and end > evidence.start]
        outside = [place for place in range(1, len(offsets) - 1) if place not in inside]
        if len(outside) < len(inside):
            continue
        reading = site.read(pad([encoded["input_ids"]], 0), ())
        keep = reading.mask.unsqueeze(1).repeat(1, 2, 1)
        keep[0, 0, inside] = False
        keep[0, 1, generator.choice(outside, len(inside), replace=False)] = False
        decisions = reading.evaluate(torch.arange(1), keep).decision[0]
        known.append(bool(decisions[0] != reading.unerased.decision[0]))
        others.append(bool(decisions[1] != reading.unerased.decision[0]))
        right.append(int(reading.unerased.decision[0]) == review.label)
    assert len(known) > 30
    assert np.mean(right) > 0.7
    assert np.mean(known) > 0.25
    assert np.mean(known) > 3 * np.mean(others)
