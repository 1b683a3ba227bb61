"""What is unusual about an analysis and has to be known beside its numbers: lines for the terminal and the card."""

from eraserhead.erasure.summary import BEYOND_ORDINARY, FEWEST_ORDINARY, Counts, Summary
from eraserhead.errors import listed
from eraserhead.loading.setup import ModelSetup


def seen_in_training(documents: Counts) -> str | None:
    """Return how many of the documents analysed training saw; null where it saw none, or where that is not known."""
    if not documents.trained_on and not documents.validated_on:
        return None
    chosen = f", and its best epoch was chosen with {documents.validated_on:,}" if documents.validated_on else ""
    return f"The model was trained on {documents.trained_on:,} of the {documents.analysed:,} documents analysed{chosen}"


def labels_line(summary: Summary) -> str | None:
    """Return what is unusual about the labels of the documents; null where nothing is."""
    read, counts = summary.setup.labels, summary.documents
    if read is None:
        return None
    classes = listed(summary.setup.model.classes)
    parts = {
        "none": ["there are none, so no accuracy is reported"],
        "unmatched": [f"the data's classes ({listed(read.classes)}) are not the model's ({classes}): no accuracy"],
        "label_map": [f"matched by {', '.join(summary.setup.label_map or ())}"],
    }.get(read.by, [])
    if read.by not in ("none", "unmatched") and counts.unlabelled:
        parts.append(f"{counts.unlabelled:,} of {counts.total:,} documents have none")
    parts += [f"no documents of the classes {', '.join(read.empty)}"] if read.empty else []
    return "; ".join(parts) or None


def loading_line(model: ModelSetup) -> str | None:
    """Return what is unusual about how the model was loaded; null where nothing is."""
    left, token = model.unexpected, model.lent_padding
    parts = ["read from pickles (.bin)"] if model.pickled else []
    parts += [f"{len(left)} weights in its file left out, such as '{left[0]}'"] if left else []
    parts += [f"the tokenizer's '{token}' pads, since the model names no padding token"] if token else []
    parts += ["Python code of its repository ran"] if model.own_code else []
    return "; ".join(parts) or None


def ordinary_line(summary: Summary) -> str:
    """Return what a flip out of the ordinary is, or why it is not said which flips are."""
    if summary.ordinary_documents:
        return (
            "Out of the ordinary: there the head sees a vector that is further (by Mahalanobis distance) from those of "
            f"{summary.ordinary_documents:,} documents with nothing erased than {BEYOND_ORDINARY:g} % of these are "
            "from the others; such a flip may say more about vectors that training never showed than about the ranking."
        )
    if summary.documents.analysed < FEWEST_ORDINARY:
        return f"Which flips are out of the ordinary is told from {FEWEST_ORDINARY} documents on."
    return "Which flips are out of the ordinary is not known: what the head sees is not read, or always the same."
