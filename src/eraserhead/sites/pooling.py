"""The attention-pooling layer of our own models: an affine head, so that everything has a closed form."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.erasure import erase, evaluate_whole
from eraserhead.method.rankings import margin_gradient
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.pooling import attend
from eraserhead.sites.site import AffineHead, Attention, components_first

ROWS = 1024  # vectors projected at a time: their float64 copy then fits into the processor's cache


class PoolingSite:
    """Erasure in the pooling layer of an `AttentionPoolingForSequenceClassification` in eval mode."""

    def __init__(self, model: AttentionPoolingForSequenceClassification) -> None:
        self.model = model

    @torch.no_grad()
    def read(self, batch: Mapping[str, Tensor]) -> Attention:
        """Return weights, gradients and component logits after one forward pass; the softmax is taken in float64."""
        model = self.model
        vectors = model.token_vectors(batch["input_ids"], batch["attention_mask"])
        token_mask = model.component_mask(batch["input_ids"], batch["attention_mask"])
        head = model.head
        scores = head.pooling.scores(vectors)
        pooled, _ = attend(vectors, scores, token_mask)
        # Apple's devices have no float64; there the arithmetic of the method is the processor's.
        device = torch.device("cpu") if vectors.device.type == "mps" else vectors.device
        return attention_of(
            scores.to(device),
            component_logits(vectors.to(device), head.classifier.weight.to(device)),
            head.classifier.bias.to(device).double(),
            token_mask.to(device),
            model_decision=head.classifier(pooled).argmax(-1).to(device),
        )

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
    """Gather the components among the tokens and evaluate the affine head on them."""
    positions, mask = components_first(token_mask)
    gathered = scores.double().gather(1, positions).masked_fill(~mask, torch.finfo(torch.float64).min)
    weights = gathered.softmax(-1) * mask
    logits = logits.gather(1, positions.unsqueeze(-1).expand(-1, -1, logits.shape[-1]))
    logits = logits.masked_fill(~mask.unsqueeze(-1), 0.0)  # whatever stands at padding, NaN included, takes no part
    whole = evaluate_whole(weights, logits, bias)
    gradient = margin_gradient(logits, whole.logits) * mask
    return Attention(weights, gradient, whole, mask, positions, model_decision, AffineHead(logits, bias))
