"""Erasure inside a hub classifier, against plain prediction and against one full forward pass an erasure.

The classifier is the packaged encoder fine-tuned on a few hundred documents (two to four minutes, once for all of these
benchmarks), or the one in the folder that ``$ERASERHEAD_BENCH_CLASSIFIER`` names. Documents are cut at exactly
``TOKENS`` tokens, so that none is padded and components are tokens.
"""

import copy
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from statistics import median

import torch
from captum.attr import FeatureAblation
from datasets import Dataset
from runs import DATA_ROOT
from timing import Result, in_turns, seconds
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

from eraserhead.data.batching import buckets, pad
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.tokens import tokenize
from eraserhead.erasure.draws import FEW, MANY
from eraserhead.loading.boundary import quiet
from eraserhead.method.analysis import Analysis
from eraserhead.method.names import Outcome
from eraserhead.method.orders import order_by
from eraserhead.method.test_one import single_keeps
from eraserhead.method.test_two import prefix_keeps
from eraserhead.patch.interface import erasable
from eraserhead.rankings.registry import registered, signals_of
from eraserhead.sites.budget import budget_for
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import InsideName
from eraserhead.training.new_classifier import encoder_path
from finetune import finetune
from readings import analysed, evaluated

TOKENS, ANALYSED = 128, 32
TRAINED_ON, EPOCHS = 600, 2
LONG_TOKENS, LONG_DOCUMENTS = 512, 8  # of the memory benchmark
AT_ONCE = 32  # erasures that full forward passes run side by side
OURS_A_ROUND = 9  # calls of a fast side in one round; their median stands against one call of the slow side
FAR_AHEAD = 50.0  # added to one class's bias, no erasure makes up for it
SAME = 1e-4  # largest difference between two ways to erase the same, in float32
ALL_LAYERS = InsideName(None)
BUDGET = budget_for(torch.device("cpu"))

Batch = Mapping[str, Tensor]
Masks = Callable[[Tensor], Mapping[str, object]]


def analysis() -> list[Result]:
    """The complete analysis at the last layer against plain prediction, and what it takes where nothing ever flips."""
    model, batches = classifier(), documents(TOKENS, ANALYSED)
    decided = copy.deepcopy(model)
    with torch.no_grad():
        decided.get_parameter("classifier.bias")[0] += FAR_AHEAD
    return [
        _against_prediction(model, batches, "", draws=FEW, wanted=2.0, rounds=5),
        _against_prediction(model, batches, "", draws=MANY, wanted=2.6, rounds=5),
        _against_prediction(decided, batches, ", nothing flips", draws=MANY, wanted=3.5, rounds=3),
    ]


def singles() -> list[Result]:
    """All single erasures at the last layer, once it has been read."""
    return [_singles("inside-singles", -1, wanted=60, ours_a_round=OURS_A_ROUND)]


def lower() -> list[Result]:
    """All single erasures at a lower layer L of N, from where N - L layers have to run again."""
    layers = classifier().config.num_hidden_layers
    return [_singles("inside-lower", layer, wanted=layers / (layers - layer)) for layer in (layers // 2, 0)]


def prefixes() -> list[Result]:
    """All prefixes of the ranking by attention at `all`, against attention masks that hide the same tokens."""
    model, [batch] = classifier(), documents(TOKENS, 2)
    site = SelfAttentionSite(model, ALL_LAYERS)
    reading = site.read(batch, ())
    # All but the last, which keeps nothing: an attention mask of zeros is no erasure to transformers.
    keep = prefix_keeps(order_by(reading.weights, reading.mask), torch.arange(1, TOKENS))
    return [
        against_passes(
            "inside-prefixes",
            "all prefixes of one ranking at `all`: full forward passes with attention masks / ours",
            wanted=1.6,
            theirs=lambda: full_passes(model, batch, keep, hidden_tokens),
            ours=lambda: evaluated(reading, keep),
            count=len(keep),
        )
    ]


def captum() -> list[Result]:
    """Captum's ablation of each place of the attention mask, against single erasures at `all`."""
    model, [batch] = classifier(), documents(TOKENS, 1)
    site = SelfAttentionSite(model, ALL_LAYERS)
    reading = site.read(batch, ())
    decision = int(reading.unerased.decision)
    ablation = FeatureAblation(lambda mask, ids: model(input_ids=ids, attention_mask=mask).logits)

    def ours() -> Tensor:
        erased = evaluated(reading, single_keeps(reading.mask))
        return reading.unerased.logits[:, decision : decision + 1] - erased[..., decision]

    def theirs() -> Tensor:
        mask, ids = batch["attention_mask"], (batch["input_ids"],)
        return ablation.attribute(mask, target=decision, additional_forward_args=ids, perturbations_per_eval=AT_ONCE)

    def dropping() -> Tensor:
        return reading.unerased.logits[:, decision : decision + 1] - dropped(model, batch)[..., decision]

    what = f"single erasures at `all`: captum's FeatureAblation, {AT_ONCE} perturbations an evaluation / ours"
    plain = f"single erasures at `all`: a loop that drops the token from its row, {AT_ONCE} rows a batch / ours"
    return [
        against_passes("inside-captum", what, wanted=1.0, theirs=theirs, ours=ours, rounds=5),
        against_passes("inside-captum", plain, wanted=1.0, theirs=dropping, ours=ours, rounds=5),
    ]


def memory() -> list[Result]:
    """Peak memory of erasure above that of plain prediction, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        classifier().save_pretrained(folder)
        torch.save(documents(LONG_TOKENS, LONG_DOCUMENTS), Path(folder) / "batches.pt")
        predicting = tuple(_peak(folder) for _ in range(2))
        return [
            _above(place, budget, _peak(folder, place, budget), predicting)
            for place in ("layer:-1", "all")
            for budget in (0.5, 1.0)
        ]


@cache
def classifier() -> PreTrainedModel:
    """Load the classifier that `$ERASERHEAD_BENCH_CLASSIFIER` names, or make one."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        given = os.environ.get("ERASERHEAD_BENCH_CLASSIFIER")
        data = replace(_source(), train_size=TRAINED_ON, max_length=TOKENS)
        path = given or finetune(Path(folder), data, epochs=EPOCHS)
        return AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float32).eval()


def documents(length: int, count: int) -> list[dict[str, Tensor]]:
    """Return batches of test documents of at least `length` tokens, cut there, under the token budget of a CPU."""
    texts = list(load_documents(_source(), "test").rows["text"])
    if _source().name == "planted":  # its reviews are short
        texts = [" ".join(texts[first : first + 20]) for first in range(0, len(texts), 20)]
    tokenizer = AutoTokenizer.from_pretrained(encoder_path("packaged"))
    rows = tokenize(Dataset.from_dict({"text": texts}), tokenizer, length)
    ids = [row for row in rows["input_ids"] if len(row) == length][:count]
    assert len(ids) == count, f"{len(ids)} documents of {length} tokens in {_source()}"
    return [pad([ids[row] for row in batch], 0) for batch in buckets(range(count), [length] * count, BUDGET.tokens)]


def _source() -> DataConfig:
    """Return the IMDB reviews of the data root, or the built-in corpus where there is none."""
    folder = DATA_ROOT / "imdb"
    return DataConfig(name="imdb", path=str(folder)) if folder.is_dir() else DataConfig(name="planted", test_size=1000)


@torch.no_grad()
def full_passes(model: PreTrainedModel, batch: Batch, keep: Tensor, masks: Masks) -> Tensor:
    """Return the logits of every erasure by a full forward pass of its own, `AT_ONCE` of them side by side.

    Args:
        model: Inside `erasable`, where the masks are `attention_keep`.
        batch: Documents without padding.
        keep: Which of their tokens are kept, ``[documents, erasures, tokens]``.
        masks: What the model is given besides the ids, from some erasures of one document.
    """
    logits = [
        torch.cat([model(input_ids=ids.expand(len(rows), -1), **masks(rows)).logits for rows in kept.split(AT_ONCE)])
        for ids, kept in zip(batch["input_ids"], keep, strict=True)
    ]
    return torch.stack(logits)


@torch.no_grad()
def dropped(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Return the logits of one document without each of its tokens, the others at their positions.

    The first token is the one that is read: it is hidden by the attention mask, as it must stay in its row.
    """
    [ids], width = batch["input_ids"], len(batch["input_ids"][0])
    hidden = torch.ones(1, width, dtype=torch.long).index_fill(1, torch.tensor([0]), 0)
    logits = [model(input_ids=ids[None], attention_mask=hidden).logits]
    positions = torch.arange(width)
    others = torch.stack([torch.cat([positions[:token], positions[token + 1 :]]) for token in range(1, width)])
    logits += [model(input_ids=ids[rows], position_ids=rows).logits for rows in others.split(AT_ONCE)]
    return torch.cat(logits).unsqueeze(0)


def hidden_tokens(keep: Tensor) -> Mapping[str, object]:
    """Hide erased tokens by the attention mask, as one does without this package."""
    return {"attention_mask": keep.long()}


def read_out_row(layer: int, keep: Tensor) -> Mapping[str, object]:
    """Erase tokens from what the first token attends to in one layer."""
    erasures, tokens = keep.shape
    mask = torch.ones(erasures, 1, 1, tokens, tokens, dtype=torch.bool)
    mask[..., 0, :] = keep.view(erasures, 1, 1, tokens)
    return {"attention_mask": torch.ones_like(keep, dtype=torch.long), "attention_keep": {layer: mask}}


def _against_prediction(
    model: PreTrainedModel, batches: list[dict[str, Tensor]], regime: str, draws: int, wanted: float, rounds: int
) -> Result:
    site, signals = SelfAttentionSite(model), signals_of(registered())

    def ours() -> list[Analysis]:
        ids = [[f"{number}/{row}" for row in range(len(batch["input_ids"]))] for number, batch in enumerate(batches)]
        return [analysed(site.read(batch, signals), of, draws) for batch, of in zip(batches, ids, strict=True)]

    @torch.no_grad()
    def predicted() -> list[Tensor]:
        return [model(**batch).logits for batch in batches]

    predicted()
    never = _never(ours())
    pair = in_turns(lambda: seconds(ours), lambda: seconds(predicted), rounds)
    return Result(
        name="inside-analysis",
        what=f"complete analysis at the last layer, {draws} draw{'s' * (draws > 1)}{regime} / plain prediction",
        measured=pair.ratio,
        wanted=wanted,
        at_least=False,
        spread=pair.spread,
        figures={
            "analysis, ms a document": 1000 * median(pair.first) / ANALYSED,
            "plain prediction, ms a document": 1000 * median(pair.second) / ANALYSED,
        }
        | never,
        notes=f"{ANALYSED} documents of {TOKENS} tokens, the same batches",
    )


def _never(analyses: Iterable[Analysis]) -> dict[str, str]:
    """Return for every ranking the share of documents (and of its draws) that no prefix flips."""
    outcomes: dict[str, list[Tensor]] = {}
    for found in analyses:
        for flips in found.flips:
            outcomes.setdefault(flips.ranking, []).append(flips.flips.outcome)
    shares = {name: (torch.cat(parts) == Outcome.NEVER).double().mean().item() for name, parts in outcomes.items()}
    return {f"never, {name}": f"{share:.1%}" for name, share in shares.items()}


def _singles(name: str, layer: int, wanted: float, ours_a_round: int = 1) -> Result:
    """Measure single erasures of the first token's attention in one layer."""
    model, [batch] = classifier(), documents(TOKENS, 1)
    site = SelfAttentionSite(model, InsideName(layer))
    reading = site.read(batch, ())
    keep, masks = single_keeps(reading.mask), partial(read_out_row, layer)

    def theirs() -> Tensor:
        with erasable(model):
            return full_passes(model, batch, keep, masks)

    return against_passes(
        name,
        f"all single erasures at `{site.name}`: full forward passes / ours",
        wanted=wanted,
        theirs=theirs,
        ours=lambda: evaluated(reading, keep),
        ours_a_round=ours_a_round,
    )


def against_passes(
    name: str,
    what: str,
    wanted: float,
    theirs: Callable[[], Tensor],
    ours: Callable[[], Tensor],
    count: int = 1,
    ours_a_round: int = 1,
    rounds: int = 3,
    theirs_a_round: int = 1,
) -> Result:
    """Compare two ways to the same figures of some documents, which are looked at first; that warms both up."""
    difference = (theirs().double() - ours()).abs().max().item()
    assert difference < SAME, f"{name}: the two ways differ by {difference}"
    pair = in_turns(
        lambda: median(seconds(theirs) for _ in range(theirs_a_round)),
        lambda: median(seconds(ours) for _ in range(ours_a_round)),
        rounds,
    )
    return Result(
        name=name,
        what=what,
        measured=pair.ratio,
        wanted=wanted,
        at_least=True,
        spread=pair.spread,
        figures={
            "theirs, s a document": median(pair.first) / count,
            "ours, s a document": median(pair.second) / count,
            "largest difference": difference,
        },
        notes=f"{count} document{'s' * (count > 1)} of {TOKENS} tokens; full forward passes in batches of {AT_ONCE}",
    )


def _above(place: str, budget: float, peak: float, predicting: tuple[float, ...]) -> Result:
    """Hold what one place takes above plain prediction against its budget."""
    shares = [(peak - plain) / (1000 * budget) for plain in predicting]
    return Result(
        name="inside-memory",
        what=f"peak memory at `{place}` above plain prediction / a budget of {budget:g} GB",
        measured=median(shares),
        wanted=1.0,
        at_least=False,
        spread=(min(shares), max(shares)),
        figures={"erasure, MB": peak, "plain prediction, MB": median(predicting)},
        notes=f"{LONG_DOCUMENTS} documents of {LONG_TOKENS} tokens; whole processes",
    )


def _peak(folder: str, place: str = "none", budget: float = 1.0) -> float:
    """Return the megabytes that one process occupies at most."""
    command = [sys.executable, str(Path(__file__).with_name("inside_footprint.py")), folder, place, str(budget)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1]) * 1024 / 1e6
