"""Decisions of our own models as functions of word embeddings: flat and hierarchical ones."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.affine import AffineReading
from eraserhead.method.cases import Cases, OneEach
from eraserhead.method.replayed import ReplayedReading
from eraserhead.method.signals import OF_EMBEDDINGS, Signals
from eraserhead.models.heads import Group, HierarchicalHead, Sentences, length_groups
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.pooling import components_first
from eraserhead.models.special_tokens import named_padding, padding_id
from eraserhead.sites.budget import Budget
from eraserhead.sites.embeddings import WordEmbeddings, embedded, input_table, margins_of

Model = AttentionPoolingForSequenceClassification


Read = TypeVar("Read", AffineReading, ReplayedReading)
# Scores of tokens, and which tokens exist, of each row -> scores by the positions that components have.
ByPosition = Callable[[Float[Tensor, "rows *tokens"], Bool[Tensor, "rows *tokens"]], Float[Tensor, "rows positions"]]


def of_tokens(scores: Float[Tensor, "rows tokens"], exist: Bool[Tensor, "rows tokens"]) -> Float[Tensor, "rows tokens"]:
    """Return the scores of the tokens of flat models, which are numbered as the model's inputs are."""
    return scores


def of_sentences(
    scores: Float[Tensor, "rows sentences tokens"], exist: Bool[Tensor, "rows sentences tokens"]
) -> Float[Tensor, "rows sentences"]:
    """Return the sum of the scores of each sentence's tokens."""
    return scores.sum(-1)


def of_words(
    scores: Float[Tensor, "rows sentences tokens"], exist: Bool[Tensor, "rows sentences tokens"]
) -> Float[Tensor, "rows positions"]:
    """Return the scores of the tokens of hierarchical models, which are numbered through the document."""
    slots, _ = components_first(exist.flatten(1))
    return scores.flatten(1).gather(1, slots)


def with_embedding_signals(
    reading: Read,
    model: Model,
    batch: Mapping[str, Tensor],
    budget: Budget,
    asked: Collection[str],
    by_position: ByPosition,
) -> Read:
    """Add the signals by word embeddings that are asked for; they are computed when they are first used.

    Tokens that no attention averages, such as special ones, have no say.
    """
    if not OF_EMBEDDINGS.intersection(asked):
        return reading
    decided = reading.cases or OneEach(torch.arange(len(reading.mask), device=model.device))
    embeddings = pooled_embeddings(model, batch, decided, reading.unerased.decision.to(model.device), budget)
    exist = batch["attention_mask"].bool()[decided.documents]
    components = model.component_mask(embeddings.ids, exist)

    def of_components(scores: Float[Tensor, "rows *tokens"]) -> Float[Tensor, "rows components"]:
        placed = by_position(scores.masked_fill(~components, 0.0), exist).to(reading.mask.device)
        return placed.double().gather(1, reading.positions).masked_fill(~reading.mask, 0.0)

    later = {
        name: lambda compute=compute: of_components(compute())
        for name, compute in embeddings.signals.items()
        if name in asked
    }
    return replace(reading, signals=Signals(reading.signals, later, embeddings.missed))


def pooled_embeddings(
    model: Model,
    batch: Mapping[str, Tensor],
    decided: OneEach | Cases,
    decision: Int[Tensor, " rows"],
    budget: Budget,
) -> WordEmbeddings:
    """Return a batch's decisions as functions of its word embeddings.

    Args:
        model: A classifier in eval mode.
        batch: Its inputs.
        decided: What is decided of each document.
        decision: The decisions with nothing erased.
        budget: How many tokens may run at a time.
    """
    logits = _sentences if isinstance(model.head, HierarchicalHead) else _tokens

    def logits_of(vectors: Tensor, documents: Tensor) -> Tensor:
        inputs = {name: values[documents] for name, values in batch.items()}
        # In eval mode cuDNN gives no gradients of recurrent networks.
        with torch.backends.cudnn.flags(enabled=False):
            return logits(model, inputs, vectors)

    ids = batch["input_ids"][decided.documents]
    return WordEmbeddings(
        table=input_table(model.encoder),
        ids=ids,
        padding=named_padding(model.config),
        margins=margins_of(model, logits_of, decided, decision),
        at_once=max(1, budget.trained_tokens // max(1, ids[0].numel())),
    )


def _tokens(
    model: Model, inputs: Mapping[str, Tensor], vectors: Float[Tensor, "rows tokens hidden"]
) -> Float[Tensor, "rows outputs"]:
    ids, windows = inputs["input_ids"], model.config.windows
    if windows is not None and ids.shape[1] > windows.tokens:
        laid = windows.laid_over(inputs["attention_mask"].bool())
        ids, vectors = laid.ids(ids, padding_id(model.config)), laid.over(vectors)
    # With gradients all windows are encoded at once, also where captum asks for values alone.
    with torch.enable_grad(), embedded(input_table(model.encoder), ids, vectors):
        return model(**inputs).logits


def _sentences(
    model: Model, inputs: Mapping[str, Tensor], vectors: Float[Tensor, "rows sentences tokens hidden"]
) -> Float[Tensor, "rows outputs"]:
    head = model.head
    assert isinstance(head, HierarchicalHead)
    found = model.sentences(inputs["input_ids"], inputs["attention_mask"])
    pooled, _ = head.pool_words(_groups(model, found, vectors[found.places]), len(found.input_ids))
    return head.pool_sentences(pooled, found.counts)[0]


def _groups(model: Model, found: Sentences, vectors: Float[Tensor, "sentences tokens hidden"]) -> Iterator[Group]:
    """Encode sentences in the groups of `sentence_groups`, from their word embeddings."""
    for rows in length_groups(found.mask.sum(-1)):
        mask = found.mask[rows]
        width = int(mask.bool().any(0).nonzero().max()) + 1
        ids = found.input_ids[rows, :width]
        with embedded(input_table(model.encoder), ids, vectors[rows, :width]):
            group = model.components(ids, mask[:, :width])
        yield Group(rows, group.vectors, group.mask, group.positions)
