"""Decides documents again with words erased: only the sentences that an erasure touches are computed again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag, linear, pad

from eraserhead.method.erasure import erase
from eraserhead.models.heads import HierarchicalHead
from eraserhead.sites.budget import Budget

FLOAT64 = 8  # bytes
COPIES = 12  # approximate copies of the sentence vectors that a context encoder holds


@dataclass(frozen=True)
class Document:
    """The tokens of one document, one row for each sentence; vectors and weights are float64.

    Attributes:
        vectors: What the word attention averages.
        weights: Weights of the word attention, which sum to 1 within each sentence; 0 where there is no component.
        mask: True for components.
        positions: Position of each component among the document's tokens.
    """

    vectors: Float[Tensor, "sentences tokens hidden"]
    weights: Float[Tensor, "sentences tokens"]
    mask: Bool[Tensor, "sentences tokens"]
    positions: Int[Tensor, " components"]

    def shuffled(self, permutation: Int[Tensor, " components"]) -> "Document":
        """Return the document with weights permuted within each sentence, in the order of a permutation of all."""
        sentence, _ = self.mask.nonzero(as_tuple=True)  # of each component
        within = permutation[sentence[permutation].argsort(stable=True)]
        return replace(self, weights=self.weights.masked_scatter(self.mask, self.weights[self.mask][within]))


@dataclass(frozen=True)
class Versions:
    """The sentences of a document as erasures leave them, each written once where erasures in a row leave it the same.

    Attributes:
        sentences: Sentence that each version is of.
        weights: Weights of its tokens with the erased ones at 0, renormalised.
        chosen: Version of each sentence under each erasure.
    """

    sentences: Int[Tensor, " versions"]
    weights: Float[Tensor, "versions tokens"]
    chosen: Int[Tensor, "erasures sentences"]

    @classmethod
    def of(cls, document: Document, keep: Bool[Tensor, "erasures components"]) -> "Versions":
        """Return the versions of a document's sentences under erasures.

        A sentence has a new version where its tokens' masks are not those of the erasure before. So along a ranking
        each erasure brings one version, and single erasures bring two.
        """
        sentence, _ = document.mask.nonzero(as_tuple=True)  # of each component
        differs = torch.zeros(len(keep), len(document.mask), dtype=torch.bool, device=keep.device)
        differs[0] = True
        erasure, component = _changes(keep)
        differs[erasure + 1, sentence[component]] = True
        erasures, sentences = differs.nonzero(as_tuple=True)
        numbers = torch.zeros(differs.shape, dtype=torch.int64, device=keep.device)
        numbers[erasures, sentences] = torch.arange(len(erasures), device=keep.device)
        lengths = document.mask.sum(-1)
        firsts = (lengths.cumsum(0) - lengths)[sentences].unsqueeze(1)
        components = firsts + torch.arange(document.mask.shape[1], device=keep.device)
        kept = keep[erasures.unsqueeze(1), components.clamp(max=keep.shape[1] - 1)] & document.mask[sentences]
        return cls(sentences, erase(document.weights[sentences], kept), numbers.cummax(0).values)

    def vectors(self, document: Document, at_once: int) -> Iterator[Float[Tensor, "some hidden"]]:
        """Yield the average of each version's tokens, `at_once` versions at a time.

        Tokens without weight take no part.
        """
        rows = document.vectors.flatten(0, 1)
        for sentences, weights in zip(self.sentences.split(at_once), self.weights.split(at_once), strict=True):
            version, place = (weights > 0).nonzero(as_tuple=True)
            counts = (weights > 0).sum(-1)
            yield embedding_bag(
                sentences[version] * weights.shape[1] + place,
                rows,
                counts.cumsum(0) - counts,
                mode="sum",
                per_sample_weights=weights[version, place],
            )


@dataclass(frozen=True)
class WordsReplay:
    """Decides documents again with some weights of the word attention erased.

    Attributes:
        head: The model's head, in float64.
        documents: The documents of the batch.
        budget: How much a replay may take; at least one erasure is run.
        mixes_sentences: Whether a context encoder mixes the sentences' vectors; otherwise each sentence has one score
            and one vector of logits, whatever the others are.
    """

    head: HierarchicalHead
    documents: tuple[Document, ...]
    budget: Budget
    mixes_sentences: bool

    def shuffled(self, permutation: Int[Tensor, "documents components"]) -> "WordsReplay":
        """Return the replay of documents whose weights are permuted within each sentence."""
        pairs = zip(self.documents, permutation, strict=True)
        documents = tuple(document.shuffled(own[: len(document.positions)]) for document, own in pairs)
        return replace(self, documents=documents)

    @torch.no_grad()
    def __call__(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
    ) -> Float[Tensor, "rows erasures classes"]:
        """Return the logits with the word weights outside each keep mask erased."""
        logits = torch.zeros(
            *keep.shape[:2], self.head.classifier.out_features, dtype=torch.float64, device=keep.device
        )
        for number in rows.unique().tolist():
            document, own = self.documents[number], (rows == number).nonzero().squeeze(1)
            mine = keep if len(own) == len(rows) else keep[own]
            erasures = mine[:, :, : len(document.positions)].flatten(0, 1)
            with torch.backends.cudnn.flags(enabled=False):
                found = [self._erased(document, part) for part in erasures.split(self._at_once(document))]
            logits[own] = torch.cat(found).view(len(own), keep.shape[1], -1)
        return logits

    def _erased(
        self, document: Document, keep: Bool[Tensor, "erasures components"]
    ) -> Float[Tensor, "erasures classes"]:
        if not len(document.mask):
            return self.head.classifier.bias.expand(len(keep), -1)
        versions = Versions.of(document, keep)
        vectors = versions.vectors(document, self.budget.vectors)
        if self.mixes_sentences:
            chosen = torch.cat(list(vectors))[versions.chosen]
            exists = torch.ones(chosen.shape[:2], dtype=torch.bool, device=chosen.device)
            return self.head.classifier(self.head.sentences(chosen, exists)[0])
        weight, scored = self.head.classifier.weight, self.head.sentences.pooling.scores
        found = [(scored(part), linear(part, weight)) for part in vectors]
        scores, logits = (torch.cat(column) for column in zip(*found, strict=True))
        sentence_weights = scores[versions.chosen].softmax(-1)
        average = embedding_bag(versions.chosen, logits, mode="sum", per_sample_weights=sentence_weights)
        return average + self.head.classifier.bias

    def _at_once(self, document: Document) -> int:
        """Return how many erasures fit into the memory: the sentences' versions, and the layers above them."""
        sentences, tokens, hidden = document.vectors.shape
        of_version = 2 * tokens * FLOAT64
        if self.mixes_sentences:
            of_erasure = sentences * (of_version + COPIES * hidden * FLOAT64)
        else:  # the first erasure brings a version of each sentence, and each later one few
            of_erasure = 2 * of_version + 6 * sentences * FLOAT64
        return max(1, int(self.budget.memory // max(1, of_erasure)))


def _changes(keep: Bool[Tensor, "erasures components"]) -> tuple[Int[Tensor, " changes"], Int[Tensor, " changes"]]:
    """Return where masks are not those of the erasure before: its number, and the component.

    Eight components are compared at a time: along a ranking nearly all are the same.
    """
    words = pad(keep, (0, -keep.shape[1] % 8)).view(torch.int64)
    erasure, word = (words[1:] != words[:-1]).nonzero(as_tuple=True)
    change, within = (
        (words[erasure + 1, word] ^ words[erasure, word]).view(torch.bool).view(-1, 8).nonzero(as_tuple=True)
    )
    return erasure[change], word[change] * 8 + within
