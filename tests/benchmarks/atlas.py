"""An atlas of every layer and head against one study at the lowest layer, whole calls of the Python interface.

The classifier is a random BERT of six layers of twelve heads; documents are longer than its window, so that all have
``TOKENS`` tokens.
"""

from functools import partial

import torch
from timing import Result, in_turns, seconds
from transformers import BertForSequenceClassification

import eraserhead
from tiny import random_texts, tiny_bert_config, tiny_tokenizer

TOKENS, MAPPED = 96, 4
SIZES = {"hidden_size": 192, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 768}
SPREAD = 0.1  # of its weights, with which no decision flips at the lowest layer: a study then takes longest


def whole() -> list[Result]:
    """All layers and heads from one reading, and layers alone, each over what `erase --site layer:0` costs."""
    torch.manual_seed(0)
    config = tiny_bert_config(("no", "yes"), **SIZES, max_position_embeddings=TOKENS, initializer_range=SPREAD)
    model = BertForSequenceClassification(config).eval()
    texts = [text for text in random_texts(400, seed=1, longest=2 * TOKENS) if len(text.split()) > TOKENS][:MAPPED]
    given = {"tokenizer": tiny_tokenizer(), "max_length": TOKENS, "cpu": True}
    study = partial(eraserhead.erase, model, site="layer:0", draws=3, **given)
    mapped = partial(eraserhead.atlas, model, **given)
    study(["good"])
    mapped(["good"])
    flips = study(texts).flips
    never = flips[flips.ranking == "attention"].outcome.eq("never").mean()
    return [
        _over(partial(mapped, texts, heads=heads), partial(study, texts), what, wanted, float(never))
        for heads, what, wanted in (("each", "every layer and head", 3.0), ("none", "every layer", 2.0))
    ]


def _over(mapped: partial, study: partial, what: str, wanted: float, never: float) -> Result:
    pair = in_turns(lambda: seconds(mapped), lambda: seconds(study), 1)
    [atlas], [once] = pair.first, pair.second
    return Result(
        name="atlas",
        what=f"an atlas of {what} / one study at layer 0",
        measured=pair.ratio,
        wanted=wanted,
        at_least=False,
        spread=pair.spread,
        figures={
            "atlas, s a document": atlas / MAPPED,
            "study, s a document": once / MAPPED,
            "never along attention at layer 0": f"{never:.0%}",
        },
        notes=f"{MAPPED} documents of {TOKENS} tokens, 6 layers of 12 heads, 192 wide; whole calls, in memory",
    )
