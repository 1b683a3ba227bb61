"""The last attention-pooling layer of our own models: an affine head, so that everything has a closed form."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.affine import AffineReading
from eraserhead.method.cases import Targets, two_classes
from eraserhead.method.decision import decide
from eraserhead.method.erasure import evaluate_unerased
from eraserhead.method.seen import PooledVectors
from eraserhead.method.signals import VALUE_NORM
from eraserhead.models.heads import Group, HierarchicalHead, by_document
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.pooling import attend
from eraserhead.sites.budget import Budget, budget_for
from eraserhead.sites.embeddings import without_table
from eraserhead.sites.given_signals import GIVEN
from eraserhead.sites.pooled_embeddings import of_sentences, of_tokens, with_embedding_signals
from eraserhead.sites.site import POOLING, float64_device


class PoolingSite:
    """Erasure in the last attention of an `AttentionPoolingForSequenceClassification` in eval mode.

    Components are the tokens of a flat model, or the sentences of a hierarchical one.
    """

    def __init__(
        self,
        model: AttentionPoolingForSequenceClassification,
        budget: Budget | None = None,
        targets: Targets | None = None,
    ) -> None:
        self.model = model
        self.targets = targets
        self.budget = budget or budget_for(model.device)

    @property
    def gives(self) -> frozenset[str]:
        """The gradients, which cost nothing, the lengths of the weighted vectors, and scores by word embeddings."""
        return GIVEN[POOLING] - without_table(self.model.encoder)

    @torch.no_grad()
    def read(self, batch: Mapping[str, Tensor], signals: Collection[str] = ()) -> AffineReading:
        """Read weights and component logits in one forward pass; the gradients follow from them at no cost."""
        group, head = self._components(batch), self.model.head
        vectors = head.last.encode(group.vectors, group.mask)
        scores = head.last.pooling.scores(vectors)
        pooled, _ = attend(vectors, scores, group.mask)
        device = float64_device(vectors.device)
        read = (
            scores.to(device),
            component_logits(vectors.to(device), head.classifier.weight.to(device), self.budget.vectors),
            head.classifier.bias.to(device).double(),
            group.mask.to(device),
            group.positions.to(device),
        )
        logits = head.classifier(pooled).to(device)
        if self.targets is None:
            reading = _seeing(pooled_reading(*read, decide(logits)), vectors)
        else:
            reading = _seeing(pooled_cases(*read, logits, self.targets), vectors)
        reading = with_value_norms(reading, vectors.to(device)) if VALUE_NORM in signals else reading
        by_position = of_sentences if isinstance(head, HierarchicalHead) else of_tokens
        return with_embedding_signals(reading, self.model, batch, self.budget, signals, by_position)

    def _components(self, batch: Mapping[str, Tensor]) -> Group:
        """Return the components of the last attention: tokens, or the vectors of sentences."""
        model = self.model
        if not isinstance(model.head, HierarchicalHead):
            return model.components(batch["input_ids"], batch["attention_mask"], batch.get("token_type_ids"))
        found = model.sentences(batch["input_ids"], batch["attention_mask"])
        vectors, _ = model.head.pool_words(model.sentence_groups(found), len(found.input_ids))
        padded, mask = by_document(vectors, found.counts)
        places, _ = by_document(found.places[1].unsqueeze(-1), found.counts)
        return Group(torch.arange(len(padded), device=padded.device), padded, mask, places.squeeze(-1))


def _seeing(reading: AffineReading, vectors: Float[Tensor, "documents components hidden"]) -> AffineReading:
    """Return the reading with the vectors that its head averages."""
    every = torch.arange(len(reading.mask), device=reading.mask.device)
    documents = every if reading.cases is None else reading.cases.documents
    return replace(reading, see=PooledVectors(vectors, reading.weights, reading.mask, documents))


def with_value_norms(reading: AffineReading, vectors: Float[Tensor, "documents components hidden"]) -> AffineReading:
    """Add ``a_i |v_i|``, how long each component's part of the average is (Kobayashi et al. 2020)."""
    norms = torch.linalg.vector_norm(vectors, dim=-1, dtype=torch.float64)
    norms = norms if reading.cases is None else norms[reading.cases.documents]
    value_norm = reading.weights * norms.masked_fill(~reading.mask, 0.0)
    return replace(reading, signals={**reading.signals, VALUE_NORM: value_norm})


def component_logits(
    vectors: Float[Tensor, "batch components hidden"], weight: Float[Tensor, "classes hidden"], at_once: int
) -> Float[Tensor, "batch components classes"]:
    """Return ``W v_i`` in float64, `at_once` vectors at a time, so that their float64 copy fits into the cache."""
    rows = vectors.reshape(-1, vectors.shape[-1]).split(at_once)
    weight = weight.double()
    # With few classes and many rows, the product in this orientation is twice as quick.
    return torch.cat([(weight @ chunk.double().T).T for chunk in rows]).view(*vectors.shape[:-1], -1)


def pooled_reading(
    scores: Float[Tensor, "batch components"],
    logits: Float[Tensor, "batch components classes"],
    bias: Float[Tensor, " classes"],
    mask: Bool[Tensor, "batch components"],
    positions: Int[Tensor, "batch components"],
    model_decision: Int[Tensor, " batch"],
) -> AffineReading:
    """Evaluate the affine head on components, which come first in each row; the softmax is taken in float64."""
    weights, logits = _float64_weights(scores, mask), _without_padding(logits, mask)
    return AffineReading.of(weights, logits, bias, mask, positions, model_decision)


def pooled_cases(
    scores: Float[Tensor, "batch components"],
    logits: Float[Tensor, "batch components labels"],
    bias: Float[Tensor, " labels"],
    mask: Bool[Tensor, "batch components"],
    positions: Int[Tensor, "batch components"],
    model_logits: Float[Tensor, "batch labels"],
    targets: Targets,
) -> AffineReading:
    """Evaluate the head as `pooled_reading` does, where it decides label by label: an affine head of its own for each.

    The cut belongs to the bias.
    """
    weights, logits = _float64_weights(scores, mask), _without_padding(logits, mask)
    above = bias - targets.cut
    cases = targets.cases(evaluate_unerased(weights, logits, above).scaled_logits)
    rows = cases.documents
    return AffineReading.of(
        weights[rows],
        two_classes(cases.own(logits)),
        two_classes(above[cases.labels]),
        mask[rows],
        positions[rows],
        decide(cases.decisive(model_logits)),
        cases,
    )


def _float64_weights(
    scores: Float[Tensor, "batch components"], mask: Bool[Tensor, "batch components"]
) -> Float[Tensor, "batch components"]:
    return scores.double().masked_fill(~mask, torch.finfo(torch.float64).min).softmax(-1) * mask


def _without_padding(
    logits: Float[Tensor, "batch components classes"], mask: Bool[Tensor, "batch components"]
) -> Float[Tensor, "batch components classes"]:
    """Return the logits with 0 at padding: whatever stands there, NaN included, takes no part."""
    return logits.masked_fill(~mask.unsqueeze(-1), 0.0)
