"""What a classifier computes, as a module of fixed inputs and outputs, which torch's exporter can follow."""

import inspect
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from eraserhead.data.encoding import TYPES
from eraserhead.models.heads import HierarchicalHead, grouped
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.pooling import components_first

LOGITS, POOLING_WEIGHTS, WORD_WEIGHTS = "logits", "pooling_weights", "word_weights"


class DocumentGraph(nn.Module):
    """A flat model: ids, mask and perhaps types ``[batch, tokens]`` to logits and weights ``[batch, tokens]``."""

    def __init__(self, model: AttentionPoolingForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return logits ``[batch, classes]`` and the attention's weights, as the model itself does."""
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return output.logits, output.pooling_weights


class SentenceGraph(nn.Module):
    """A hierarchical model: ids and mask ``[batch, sentences, tokens]`` to logits and the weights of both levels.

    The model encodes sentences of similar length together. A graph cannot depend on lengths: here all sentences of a
    batch, and its padding, are encoded at once.
    """

    def __init__(self, model: AttentionPoolingForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits ``[batch, classes]``, weights ``[batch, sentences]`` and ``[batch, sentences, tokens]``."""
        head = self.model.head
        assert isinstance(head, HierarchicalHead)
        ids, mask = input_ids.flatten(0, 1), attention_mask.flatten(0, 1)
        components = self.model.component_mask(ids, mask)
        present = components.any(-1, keepdim=True)
        # An encoder gives NaN for a row in which it may see nothing. What it reads there instead is masked below.
        vectors = self.model.token_vectors(ids, mask | (~present).to(mask.dtype))
        group = grouped(vectors, components, torch.arange(ids.shape[0]))
        pooled, inside = head.words(group.vectors, group.mask)
        places, exists = components_first(present.view(input_ids.shape[:2]))
        sentences = pooled.view(*input_ids.shape[:2], pooled.shape[-1])
        ordered = sentences.gather(1, places.unsqueeze(-1).expand(-1, -1, pooled.shape[-1]))
        of_documents, over_sentences = head.sentences(ordered, exists)
        return (
            head.classifier(of_documents),
            over_sentences.new_zeros(input_ids.shape[:2]).scatter(1, places, over_sentences),
            inside.new_zeros(ids.shape).scatter(1, group.positions, inside).view(input_ids.shape),
        )


@dataclass(frozen=True)
class Graph:
    """What is exported.

    Attributes:
        module: Computes all outputs.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        axes: Names of the axes of each input; each may have any length.
    """

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    axes: tuple[str, ...]


def graph_of(
    model: AttentionPoolingForSequenceClassification, tokenizer: PreTrainedTokenizerBase, weights: bool
) -> Graph:
    """Return what is exported of a classifier; the attention weights are among the outputs where `weights` says so."""
    if isinstance(model.head, HierarchicalHead):
        outputs = (LOGITS, POOLING_WEIGHTS, WORD_WEIGHTS) if weights else (LOGITS,)
        module = _First(SentenceGraph(model), len(outputs))
        return Graph(module, ("input_ids", "attention_mask"), outputs, ("batch", "sentences", "tokens"))
    takes_types = TYPES in inspect.signature(model.encoder.forward).parameters and TYPES in tokenizer.model_input_names
    inputs = ("input_ids", "attention_mask", *([TYPES] if takes_types else []))
    outputs = (LOGITS, POOLING_WEIGHTS) if weights else (LOGITS,)
    return Graph(_First(DocumentGraph(model), len(outputs)), inputs, outputs, ("batch", "tokens"))


class _First(nn.Module):
    """The first outputs of a module."""

    def __init__(self, module: nn.Module, count: int) -> None:
        super().__init__()
        self.module, self.count = module, count

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.module(*inputs)[: self.count]
