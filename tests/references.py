"""The slow, obvious versions of what the package computes fast: oracles for tests, opponents for benchmarks."""

import math
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor


class Flip(NamedTuple):
    removed: int | None
    mass: float | None
    outcome: str


def softmax_over_survivors(scores: Tensor, keep: Tensor) -> Tensor:
    """Erasure as -inf on the scores; a row that keeps nothing is zeros."""
    weights = scores.masked_fill(~keep, -torch.inf).softmax(-1)
    return torch.where(keep.any(-1, keepdim=True), weights, torch.zeros_like(weights))


def decision(logits: Tensor) -> int:
    """First index of the maximum, spelt out."""
    best = 0
    for index, logit in enumerate(logits.tolist()):
        if logit > logits[best].item():
            best = index
    return best


def erased_logits(weights: Tensor, vectors: Tensor, weight: Tensor, bias: Tensor, erased: set[int]) -> Tensor:
    """The head on the renormalised average of the survivors."""
    kept = [i for i in range(len(weights)) if i not in erased]
    mass = sum(weights[i].item() for i in kept)
    if mass == 0:
        return bias
    pooled = sum((weights[i] / mass * vectors[i] for i in kept), torch.zeros_like(vectors[0]))
    return weight @ pooled + bias


def first_flip(weights: Tensor, vectors: Tensor, weight: Tensor, bias: Tensor, order: list[int]) -> Flip:
    """One head evaluation a prefix of one document."""
    original = decision(erased_logits(weights, vectors, weight, bias, set()))
    for k in range(1, len(order) + 1):
        erased = set(order[:k])
        if decision(erased_logits(weights, vectors, weight, bias, erased)) != original:
            keeps_mass = any(weights[i] > 0 for i in order[k:])
            return Flip(k, sum(weights[i].item() for i in erased), "flip" if keeps_mass else "bias_only")
    return Flip(None, None, "never")


def exact_decision(weights: Tensor, component_logits: Tensor, bias: Tensor, erased: set[int]) -> int:
    """The decision in rational arithmetic, so that only a tie is a tie."""
    kept = [i for i in range(len(weights)) if i not in erased and weights[i] > 0]
    exact_bias = [Fraction(value) for value in bias.tolist()]
    if not kept:
        return exact_bias.index(max(exact_bias))
    sums = [
        sum(Fraction(weights[i].item()) * (Fraction(component_logits[i, j].item()) + exact_bias[j]) for i in kept)
        for j in range(len(bias))
    ]
    return sums.index(max(sums))


def exhaustive_minimum(weights: Tensor, component_logits: Tensor, bias: Tensor) -> Flip:
    """Every subset, smallest first."""
    n = len(weights)
    original = exact_decision(weights, component_logits, bias, set())
    for k in range(1, n + 1):
        flipping = [
            set(erased)
            for erased in combinations(range(n), k)
            if any(weights[i] > 0 for i in range(n) if i not in erased)
            and exact_decision(weights, component_logits, bias, set(erased)) != original
        ]
        if flipping:
            return Flip(k, min(sum(weights[i].item() for i in erased) for erased in flipping), "flip")
    if exact_decision(weights, component_logits, bias, set(range(n))) != original:
        return Flip(int((weights > 0).sum()), weights.sum().item(), "bias_only")
    return Flip(None, None, "never")


def batched_first_flips(
    weights: Tensor,
    vectors: Tensor,
    weight: Tensor,
    bias: Tensor,
    order: Tensor,
    mask: Tensor,
    limit: Tensor | None = None,
) -> Tensor:
    """An honest loop over prefixes: the whole batch in one head evaluation a prefix, flipped documents dropped.

    Looks at the first `limit` prefixes of each document, by default at all. Returns the number of removals a document,
    0 where no prefix flips.
    """
    original = (_averages(weights, vectors) @ weight.T + bias).argmax(-1)
    removed = torch.zeros(len(weights), dtype=torch.long)
    lengths = mask.sum(-1) if limit is None else limit
    state = [t.clone() for t in (weights, vectors, order.argsort(-1), original, lengths, torch.arange(len(weights)))]
    alive = _drop(state, len(weights), lengths < 1)
    for k in range(1, weights.shape[1] + 1):
        if not alive:
            break
        remaining, values, rank, decided, length, document = (tensor[:alive] for tensor in state)
        kept = remaining * (rank >= k)
        mass = kept.sum(-1, keepdim=True)
        kept = torch.where(mass > 0, kept / mass, 0.0)
        flipped = (_averages(kept, values) @ weight.T + bias).argmax(-1) != decided
        removed[document[flipped]] = k
        alive = _drop(state, alive, flipped | (length <= k))
    return removed


def _averages(weights: Tensor, vectors: Tensor) -> Tensor:
    return (weights.unsqueeze(1) @ vectors).squeeze(1)


def _drop(state: list[Tensor], alive: int, dropped: Tensor) -> int:
    """Put the last rows that stay in the places of those that go: copying all that stay would take longer."""
    for row in dropped.nonzero().flatten().flip(0).tolist():
        alive -= 1
        for tensor in state:
            tensor[row] = tensor[alive]
    return alive


def batched_minimum(weights: Tensor, vectors: Tensor, weight: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
    """The minimum by the same loop, along the order of each rival class in turn; 0 where nothing flips.

    A rival is tried only as far as it can still beat those before it.
    """
    logits = vectors @ weight.T + bias
    original = (_averages(weights, vectors) @ weight.T + bias).argmax(-1)
    decided = logits.gather(2, original.view(-1, 1, 1).expand(-1, logits.shape[1], 1))
    best = torch.zeros(len(weights), dtype=torch.long)
    for rival in range(len(bias)):
        key = (weights * (logits[..., rival] - decided.squeeze(2))).masked_fill(~mask, torch.inf)
        order = key.argsort(dim=-1, stable=True)
        limit = torch.where(best > 0, best - 1, mask.sum(-1)) * (rival != original)
        removed = batched_first_flips(weights, vectors, weight, bias, order, mask, limit)
        best = torch.where(removed > 0, removed, best)
    return best


def single_logits(weights: Tensor, vectors: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Test 1 by one head evaluation a component, over the whole batch."""
    results = []
    for component in range(weights.shape[1]):
        kept = weights.clone()
        kept[:, component] = 0
        mass = kept.sum(-1, keepdim=True)
        kept = torch.where(mass > 0, kept / mass, 0.0)
        results.append(_averages(kept, vectors) @ weight.T + bias)
    return torch.stack(results, dim=1)


def words_erased(model, documents, keep: Tensor) -> Tensor:
    """Logits of a hierarchical model's documents with words erased, every sentence averaged again for every erasure."""
    found = []
    for document, masks in zip(documents, keep, strict=True):
        for mask in masks:
            everywhere = torch.zeros_like(document.mask)
            everywhere[document.mask] = mask[: len(document.positions)]
            kept = torch.where(everywhere, document.weights, torch.zeros_like(document.weights))
            mass = kept.sum(-1, keepdim=True)
            weights = torch.where(mass > 0, kept / mass, torch.zeros_like(kept))
            vectors = torch.einsum("st,sth->sh", weights, document.vectors)
            found.append(model.head.pool_sentences(vectors, torch.tensor([len(vectors)]))[0][0])
    return torch.stack(found).view(*keep.shape[:2], -1)


def least_batch_cost(lengths: list[int], budget: int, each: int) -> float:
    """The least cost of all ways to cut lengths, from long to short, into batches within a budget of tokens."""
    if not lengths:
        return 0
    fitting = [count for count in range(1, len(lengths) + 1) if count == 1 or count * lengths[0] <= budget]
    return min(each + count * lengths[0] + least_batch_cost(lengths[count:], budget, each) for count in fitting)


def subset_odds(weights: Tensor, component_logits: Tensor, bias: Tensor, decided: int) -> dict[frozenset[int], float]:
    """Log-odds of a class with each subset of one document's components kept, each pooled by itself."""
    n, others = len(weights), [j for j in range(len(bias)) if j != decided]
    found = {}
    for kept in (set(each) for size in range(n + 1) for each in combinations(range(n), size)):
        mass = sum(weights[i].item() for i in kept)
        pooled = sum((weights[i] / mass * component_logits[i] for i in kept), torch.zeros_like(bias)) if mass else 0
        logits = pooled + bias
        found[frozenset(kept)] = (logits[decided] - logits[others].logsumexp(0)).item()
    return found


def exhaustive_limits(odds: dict[frozenset[int], float]) -> tuple[list[float], list[float]]:
    """The smallest and the largest log-odds over all sets, by the number of components erased."""
    n = max(map(len, odds))
    by_size = [[value for kept, value in odds.items() if len(kept) == n - k] for k in range(n + 1)]
    return [min(values) for values in by_size], [max(values) for values in by_size]


def weighted_quantile(documents: list[list[float]], level: float) -> float:
    """The smallest value that at least this share of the documents does not exceed; a document's values share it."""
    own = [[value for value in values if not math.isnan(value)] for values in documents]
    own = [values for values in own if values]

    def reached(value: float) -> float:
        return sum(sum(other <= value for other in values) / len(values) for values in own) / len(own)

    return min(value for values in own for value in values if reached(value) >= level - 1e-9)
