"""An atlas of every layer and head against one study at the lowest layer, whole calls of the Python interface."""

from functools import partial

from inside import classifier, documents
from timing import Result, in_turns, seconds
from transformers import AutoTokenizer

import eraserhead
from eraserhead.training.new_classifier import encoder_path

TOKENS, MAPPED = 96, 4


def whole() -> list[Result]:
    """All layers and heads from one reading, and layers alone, each over what `erase --site layer:0` costs."""
    model, tokenizer = classifier(), AutoTokenizer.from_pretrained(encoder_path("packaged"))
    ids = [row for batch in documents(TOKENS, MAPPED) for row in batch["input_ids"].tolist()]
    texts = [tokenizer.decode(row, skip_special_tokens=True) for row in ids]
    given = {"tokenizer": tokenizer, "max_length": TOKENS, "cpu": True}
    study = partial(eraserhead.erase, model, texts, site="layer:0", draws=3, **given)
    study()
    return [
        _over(study, partial(eraserhead.atlas, model, texts, heads=heads, **given), what, wanted)
        for heads, what, wanted in (("each", "every layer and head", 3.0), ("none", "every layer", 2.0))
    ]


def _over(study: partial, mapped: partial, what: str, wanted: float) -> Result:
    mapped()
    pair = in_turns(lambda: seconds(mapped), lambda: seconds(study), 1)
    [atlas], [once] = pair.first, pair.second
    return Result(
        name="atlas",
        what=f"an atlas of {what} / one study at layer 0",
        measured=pair.ratio,
        wanted=wanted,
        at_least=False,
        spread=pair.spread,
        figures={"atlas, s a document": atlas / MAPPED, "study, s a document": once / MAPPED},
        notes=f"{MAPPED} documents of {TOKENS} tokens, 6 layers of 12 heads; whole calls, in memory",
    )
