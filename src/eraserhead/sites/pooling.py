"""The last attention-pooling layer of our own models: an affine head, so that everything has a closed form."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.erasure import erase, evaluate_whole
from eraserhead.method.margins import margin_gradient
from eraserhead.models.heads import Group, HierarchicalHead, by_document
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.pooling import attend, components_first
from eraserhead.sites.site import AffineHead, Attention

ROWS = 1024  # vectors projected at a time: their float64 copy then fits into the processor's cache


class PoolingSite:
    """Erasure in the last attention of an `AttentionPoolingForSequenceClassification` in eval mode.

    Over the tokens of a flat model, over the sentences of a hierarchical one.
    """

    def __init__(self, model: AttentionPoolingForSequenceClassification) -> None:
        self.model = model

    @torch.no_grad()
    def read(self, batch: Mapping[str, Tensor]) -> Attention:
        """Return weights, gradients and component logits after one forward pass; the softmax is taken in float64."""
        group, head = self._components(batch), self.model.head
        vectors = head.last.encode(group.vectors, group.mask)
        scores = head.last.pooling.scores(vectors)
        pooled, _ = attend(vectors, scores, group.mask)
        # Apple's devices have no float64; there the arithmetic of the method is the processor's.
        device = torch.device("cpu") if vectors.device.type == "mps" else vectors.device
        found = attention_of(
            scores.to(device),
            component_logits(vectors.to(device), head.classifier.weight.to(device)),
            head.classifier.bias.to(device).double(),
            group.mask.to(device),
            model_decision=head.classifier(pooled).argmax(-1).to(device),
        )
        return replace(found, positions=group.positions.to(device))

    def _components(self, batch: Mapping[str, Tensor]) -> Group:
        """Return what the last level reads: tokens, or the vectors of sentences."""
        model = self.model
        if not isinstance(model.head, HierarchicalHead):
            return model.components(batch["input_ids"], batch["attention_mask"])
        found = model.sentences(batch["input_ids"], batch["attention_mask"])
        vectors, _ = model.head.pool_words(model.sentence_groups(found), len(found.input_ids))
        padded, mask = by_document(vectors, found.counts)
        places, _ = by_document(found.places[1].unsqueeze(-1), found.counts)
        return Group(torch.arange(len(padded), device=padded.device), padded, mask, places.squeeze(-1))

    def replay(
        self, attention: Attention, keep: Bool[Tensor, "batch erasures components"]
    ) -> Float[Tensor, "batch erasures classes"]:
        """Return the logits of the average that is left; the bias where nothing is."""
        assert attention.head is not None
        weights = erase(attention.weights.unsqueeze(1).expand(keep.shape), keep)
        return torch.einsum("ben,bnk->bek", weights, attention.head.component_logits) + attention.head.bias


def component_logits(
    vectors: Float[Tensor, "batch components hidden"], weight: Float[Tensor, "classes hidden"]
) -> Float[Tensor, "batch components classes"]:
    """Return ``W v_i`` in float64."""
    rows = vectors.reshape(-1, vectors.shape[-1]).split(ROWS)
    weight = weight.double()
    # Few classes times many rows: this way round the product is twice as quick.
    return torch.cat([(weight @ chunk.double().T).T for chunk in rows]).view(*vectors.shape[:-1], -1)


def attention_of(
    scores: Float[Tensor, "batch tokens"],
    logits: Float[Tensor, "batch tokens classes"],
    bias: Float[Tensor, " classes"],
    token_mask: Bool[Tensor, "batch tokens"],
    model_decision: Int[Tensor, " batch"],
) -> Attention:
    """Gather the components among the tokens and evaluate the affine head on them; positions are those in the rows."""
    positions, mask = components_first(token_mask)
    gathered = scores.double().gather(1, positions).masked_fill(~mask, torch.finfo(torch.float64).min)
    weights = gathered.softmax(-1) * mask
    logits = logits.gather(1, positions.unsqueeze(-1).expand(-1, -1, logits.shape[-1]))
    logits = logits.masked_fill(~mask.unsqueeze(-1), 0.0)  # whatever stands at padding, NaN included, takes no part
    whole = evaluate_whole(weights, logits, bias)
    gradient = margin_gradient(logits, whole.logits) * mask
    return Attention(weights, gradient, whole, mask, positions, model_decision, AffineHead(logits, bias))
