"""The word attention of hierarchical models, over tokens (METHOD section 6); all after it is computed again."""

import copy
from collections.abc import Collection, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from eraserhead.method.cases import Cases, OneEach, Targets, decisions
from eraserhead.method.decision import decide
from eraserhead.method.erasure import Evaluation
from eraserhead.method.margins import rival_weights, soft_margin
from eraserhead.method.replayed import ReplayedReading, summed_signals
from eraserhead.method.seen import ReplayedVectors
from eraserhead.method.shuffled import Shuffled
from eraserhead.models.heads import HierarchicalHead
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.pooling import attend
from eraserhead.sites.budget import Budget, budget_for
from eraserhead.sites.embeddings import without_table
from eraserhead.sites.given_signals import GIVEN
from eraserhead.sites.pooled_embeddings import of_words, with_embedding_signals
from eraserhead.sites.site import WORDS, float64_device
from eraserhead.sites.words_replay import Document, WordsReplay


class WordsSite:
    """Erasure in the word attention of a hierarchical `AttentionPoolingForSequenceClassification` in eval mode.

    Erased tokens weigh 0, and the other weights of their sentence are renormalised; a sentence that keeps nothing has
    the zero vector and remains a sentence. The sentences' context encoder, their attention and the decision are
    computed again. The head is not affine in the word attention, so there is no closed form.
    """

    def __init__(
        self,
        model: AttentionPoolingForSequenceClassification,
        budget: Budget | None = None,
        targets: Targets | None = None,
    ) -> None:
        assert isinstance(model.head, HierarchicalHead)
        self.model = model
        self.targets = targets
        self.device = float64_device(model.device)
        self.head: HierarchicalHead = copy.deepcopy(model.head).to(self.device).double().eval().requires_grad_(False)
        self.before_classifier = without_classifier(self.head)
        self.budget = budget or budget_for(model.device)

    @property
    def gives(self) -> frozenset[str]:
        """The gradients, which are always computed, and scores by word embeddings."""
        return GIVEN[WORDS] - without_table(self.model.encoder)

    def read(self, batch: Mapping[str, Tensor], signals: Collection[str] = ()) -> ReplayedReading:
        """Read weights in one forward pass, and gradients in one backward pass through the layers after the words'.

        A token's weight is its weight in the sentence times the sentence's weight; its gradient is with respect to the
        former, with every weight a free variable.
        """
        documents, own = self._documents(batch)
        found = [self._read(document) for document in documents]
        logits = torch.stack([each.logits for each in found])
        decided = decisions(logits, self.targets)
        rows, decisive = decided.documents, decided.decisive(logits)
        weights, gradient, inside, positions, mask = self._components(documents, found)
        unerased = Evaluation(decisive, torch.ones_like(decisive[:, 0]), (weights > 0).any(-1)[rows])
        replay = self._replay(documents)
        reading = ReplayedReading(
            weights=weights[rows],
            mask=mask[rows],
            positions=positions[rows],
            unerased=unerased,
            model_decision=decide(decided.decisive(own.to(self.device))),
            signals=summed_signals(unerased, gradient, inside[rows] * gradient),
            outside=torch.zeros_like(decisive[:, 0]),
            replay=decided.replay(replay),
            mask_entries=self.budget.mask_entries,
            cases=decided.cases,
            see=ReplayedVectors(self._replay(documents, self.before_classifier), rows),
            shuffle=lambda permutation: self._shuffled(permutation, replay, decided),
        )
        return with_embedding_signals(reading, self.model, batch, self.budget, signals, of_words)

    @torch.no_grad()
    def _shuffled(
        self, permutation: Int[Tensor, "rows components"], replay: WordsReplay, decided: OneEach | Cases
    ) -> Shuffled:
        """Permute the word weights within each sentence; the sentences' weights follow from what they then are."""
        documents = torch.arange(len(replay.documents), device=self.device)
        permuted = replay.shuffled(permutation[torch.searchsorted(decided.documents, documents)])
        weights = permutation.new_zeros(len(documents), permutation.shape[1], dtype=torch.float64)
        with torch.backends.cudnn.flags(enabled=False):
            for row, document in enumerate(permuted.documents):
                _, sentences = decide_from_words(self.head, document, document.weights.unsqueeze(0))
                own = (document.weights * sentences[0].unsqueeze(-1))[document.mask]
                weights[row, : len(own)] = own
        return Shuffled(weights[decided.documents], decided.replay(permuted))

    def _replay(self, documents: tuple[Document, ...], head: HierarchicalHead | None = None) -> WordsReplay:
        architecture = self.model.config.architecture
        context = architecture.sentence_context or architecture.context
        return WordsReplay(head or self.head, documents, self.budget, mixes_sentences=context != "none")

    def _components(self, documents: tuple[Document, ...], found: list["_ReadDocument"]) -> tuple[Tensor, ...]:
        """Return weights, gradients, weights within sentences, positions and mask ``[batch, components]``.

        Gradients have a row for each decision.
        """
        columns = [
            [each.weights for each in found],
            [gradient for each in found for gradient in each.gradients],
            [each.weights[each.mask] for each in documents],
            [each.positions for each in documents],
            [torch.ones_like(each.positions).bool() for each in documents],
        ]
        padded = [pad_sequence(column, batch_first=True) for column in columns]
        if padded[-1].shape[1]:
            return tuple(padded)
        return tuple(each.new_zeros(len(each), 1) for each in padded)  # no document has a token

    def _read(self, document: Document) -> "_ReadDocument":
        """Return logits, tokens' weights, and the margins' derivatives by each token's weight in its sentence."""
        free = document.weights.clone().requires_grad_()
        # In eval mode cuDNN gives no gradients of recurrent networks; and every evaluation must use the same kernels.
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            logits, sentence_weights = decide_from_words(self.head, document, free.unsqueeze(0))
            unerased = logits.detach()
            decided = decisions(unerased, self.targets)
            decisive = decided.decisive(unerased)
            margins = soft_margin(decided.decisive(logits), decide(decisive), rival_weights(decisive))
            some = len(document.positions) > 0
            gradients = [
                torch.autograd.grad(margin, free, retain_graph=True)[0] if some else torch.zeros_like(free)
                for margin in margins
            ]
        weights = document.weights * sentence_weights.detach()[0].unsqueeze(-1)
        return _ReadDocument(unerased[0], weights[document.mask], [each[document.mask] for each in gradients])

    @torch.no_grad()
    def _documents(self, batch: Mapping[str, Tensor]) -> tuple[tuple[Document, ...], Float[Tensor, "batch classes"]]:
        """Encode the tokens of all sentences together; return each document, and the model's own logits."""
        model, head = self.model, self.model.head
        assert isinstance(head, HierarchicalHead)
        found = model.sentences(batch["input_ids"], batch["attention_mask"])
        vectors = head.classifier.weight.new_zeros(len(found.input_ids), head.words.output_size)
        sentences: dict[int, _Sentence] = {}
        for group in model.sentence_groups(found):
            encoded = head.words.encode(group.vectors, group.mask)
            scores = head.words.pooling.scores(encoded)
            vectors[group.rows] = attend(encoded, scores, group.mask)[0].to(vectors.dtype)
            weights = scores.to(self.device).double().masked_fill(~group.mask.to(self.device), -torch.inf).softmax(-1)
            encoded = encoded.to(self.device).double()
            for place, (row, count) in enumerate(zip(group.rows.tolist(), group.mask.sum(-1).tolist(), strict=True)):
                own = (encoded[place, :count], weights[place, :count], group.positions[place, :count].to(self.device))
                sentences[row] = _Sentence(*own)
        attended = batch["attention_mask"].to(self.device)
        slots = (attended.flatten(1).bool().cumsum(1) - 1).view(attended.shape)
        slots = slots[tuple(each.to(self.device) for each in found.places)]
        rows = torch.arange(len(found.input_ids)).split(found.counts.tolist())
        documents = tuple(
            _document([sentences[row] for row in own.tolist()], slots[own], vectors.shape[1]) for own in rows
        )
        return documents, head.pool_sentences(vectors, found.counts)[0]


def without_classifier(head: HierarchicalHead) -> HierarchicalHead:
    """Return the head with the identity for a classifier: its logits are what its own classifier sees."""
    seeing = copy.deepcopy(head)
    classifier = seeing.classifier
    classifier.out_features = classifier.in_features
    classifier.weight = nn.Parameter(torch.eye(classifier.in_features).to(classifier.weight), requires_grad=False)
    classifier.bias = nn.Parameter(classifier.bias.new_zeros(classifier.in_features), requires_grad=False)
    return seeing


def decide_from_words(
    head: HierarchicalHead, document: Document, weights: Float[Tensor, "erasures sentences tokens"]
) -> tuple[Float[Tensor, "erasures classes"], Float[Tensor, "erasures sentences"]]:
    """Return the logits and sentence weights that follow from weights of the word attention."""
    if not weights.shape[1]:
        return head.classifier.bias.expand(len(weights), -1), weights.sum(-1)
    vectors = torch.einsum("est,sth->esh", weights, document.vectors)
    exists = torch.ones(vectors.shape[:2], dtype=torch.bool, device=vectors.device)
    average, sentence_weights = head.sentences(vectors, exists)
    return head.classifier(average), sentence_weights


class _Sentence(NamedTuple):
    """Vectors ``[components, hidden]``, weights and input positions of one sentence's components."""

    vectors: Tensor
    weights: Tensor
    positions: Tensor


def _document(sentences: list[_Sentence], slots: Int[Tensor, "sentences tokens"], hidden: int) -> Document:
    """Join sentences into a document, padded to the longest of them."""
    if not sentences:
        empty = torch.zeros(0, 0, dtype=torch.float64, device=slots.device)
        return Document(empty.new_zeros(0, 0, hidden), empty, empty.bool(), slots.new_zeros(0))
    places = [slot[sentence.positions] for slot, sentence in zip(slots, sentences, strict=True)]
    return Document(
        vectors=pad_sequence([sentence.vectors for sentence in sentences], batch_first=True),
        weights=pad_sequence([sentence.weights for sentence in sentences], batch_first=True),
        mask=pad_sequence([torch.ones_like(place).bool() for place in places], batch_first=True),
        positions=torch.cat(places),
    )


class _ReadDocument(NamedTuple):
    """One document as read: logits ``[classes]``, weights and each decision's gradient ``[components]``."""

    logits: Tensor
    weights: Tensor
    gradients: list[Tensor]
