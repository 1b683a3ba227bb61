"""Decisions of our own models as functions of word embeddings: flat and hierarchical ones."""

from collections.abc import Callable, Iterator, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from eraserhead.method.cases import Cases, OneEach
from eraserhead.models.heads import Group, HierarchicalHead, Sentences, length_groups
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.special_tokens import named_padding
from eraserhead.sites.budget import Budget
from eraserhead.sites.embeddings import WordEmbeddings, embedded, input_table, margins_of

Model = AttentionPoolingForSequenceClassification


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
    with embedded(input_table(model.encoder), inputs["input_ids"], vectors):
        return model(**inputs).logits


def _sentences(
    model: Model, inputs: Mapping[str, Tensor], vectors: Float[Tensor, "rows sentences tokens hidden"]
) -> Float[Tensor, "rows outputs"]:
    head = model.head
    assert isinstance(head, HierarchicalHead)
    found = model.sentences(inputs["input_ids"], inputs["attention_mask"])
    pooled, _ = head.pool_words(_groups(model, found, vectors[found.places]), len(found.input_ids))
    return head.pool_sentences(pooled, found.counts)[0]


def _groups(
    model: Model, found: Sentences, vectors: Float[Tensor, "sentences tokens hidden"]
) -> Iterator[Group]:
    """Encode sentences in the groups of `sentence_groups`, from their word embeddings."""
    for rows in length_groups(found.mask.sum(-1)):
        mask = found.mask[rows]
        width = int(mask.bool().any(0).nonzero().max()) + 1
        ids = found.input_ids[rows, :width]
        with embedded(input_table(model.encoder), ids, vectors[rows, :width]):
            group = model.components(ids, mask[:, :width])
        yield Group(rows, group.vectors, group.mask, group.positions)
