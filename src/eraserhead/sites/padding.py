"""Whether padding changes what our own models decide, and which documents may then share a batch."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from eraserhead.models.heads import HierarchicalHead
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.patch.dry_run import DRY_LENGTHS, dry_inputs, same_logits


@torch.no_grad()
def sees_padding(model: AttentionPoolingForSequenceClassification) -> bool:
    """Tell whether the encoder gives a text other vectors beside a longer one than alone."""
    encoder: Any = model.encoder
    if isinstance(encoder, nn.Embedding):
        return False
    (ids, mask), short = dry_inputs(encoder).values(), DRY_LENGTHS[1]
    alone = model.encoder_vectors(ids[1:, :short], mask[1:, :short])
    return not same_logits(model.encoder_vectors(ids, mask)[1:, :short], alone)


def kind_without_padding(
    model: AttentionPoolingForSequenceClassification,
) -> Callable[[Sequence[Any]], tuple[int, ...]]:
    """Return the numbers that documents share if none of them is padded, or padded otherwise, in a batch of both.

    It is a document's length; of a hierarchical model, which pads sentences to those around them, only documents of the
    same ids share them.
    """
    return _of_sentences if isinstance(model.head, HierarchicalHead) else _of_tokens


def _of_tokens(ids: Sequence[int]) -> tuple[int, ...]:
    return (len(ids),)


def _of_sentences(sentences: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(number for sentence in sentences for number in (len(sentence), *sentence))
