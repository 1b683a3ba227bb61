"""Both sites of hierarchical models against the model's own `keep` and `keep_words`, and against brute force."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torch.testing import assert_close

from eraserhead.data.batching import pad_sentences
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain
from eraserhead.loading.components import components_of
from eraserhead.loading.reader import DocumentReader
from eraserhead.method.names import SENTENCES, TOKENS, Outcome
from eraserhead.method.random_draws import random_orders
from eraserhead.method.signals import MARGIN_PRODUCT
from eraserhead.method.test_one import single_keeps
from eraserhead.method.test_two import prefix_keeps
from eraserhead.models.architecture import Limits
from eraserhead.rankings.registry import registered
from eraserhead.sites.budget import budget_for
from eraserhead.sites.pooling import PoolingSite
from eraserhead.sites.words import WordsSite, decide_from_words
from readings import analysed, evaluated, numbers
from references import exhaustive_minimum, first_flip, words_erased
from tiny import saved_hierarchical, sentence_ids, sentence_texts, texts_dataset, tiny_hierarchical, tiny_tokenizer

pytestmark = pytest.mark.slow

# Between them and beside them: sentences that are only their frame, and documents without anything.
DOCUMENTS = [
    *sentence_ids(sentence_texts(3, seed=5, most=5, longest=5)),
    [],
    [[2, 3], [2, 8, 9, 3], [2, 3], [2, 3, 11, 3], [2, 3]],
    [[2, 3]],
    [[2, 8, 3]],
]
KINDS = [("none", "none", 0), ("none", "conv", 0), ("conv", "rnn", 0), ("rnn", "transformer", 1)]


def read(model, documents=DOCUMENTS, memory=1e9):
    inputs = pad_sentences(documents, 0)
    site = WordsSite(model, replace(budget_for(torch.device("cpu")), memory=memory))
    return inputs, site.read(inputs)


def words(document):
    """Sentence and place of each word of a document, and its place among all tokens."""
    found, position = [], 0
    for sentence, ids in enumerate(document):
        found += [(sentence, place, position + place) for place, token in enumerate(ids) if token not in (0, 2, 3)]
        position += len(ids)
    return found


def as_keep_words(documents, keep, shape):
    """Masks over components as masks over the tokens of the model's input."""
    kept = torch.zeros(shape, dtype=torch.bool)
    for row, document in enumerate(documents):
        for component, (sentence, place, _) in enumerate(words(document)):
            kept[row, sentence, place] = keep[row, component]
    return kept


def some_keeps(reading, erasures, seed=0):
    keep = torch.rand((len(reading.mask), erasures, reading.mask.shape[1]),
                      generator=torch.Generator().manual_seed(seed)) < 0.5  # fmt: skip
    keep[:, 0], keep[:, 1] = True, False
    return keep


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_classifier_makes_the_logits_of_what_it_sees(model_of, kind):
    """Also of documents of which nothing exists, or nothing is kept: then it sees 0, and the logits are the bias."""
    model = model_of(*kind)
    _, reading = read(model)
    keep = some_keeps(reading, 4)
    seen = reading.seen(torch.arange(len(DOCUMENTS)), keep)
    assert seen is not None
    assert_close(model.head.classifier(seen), evaluated(reading, keep), rtol=0, atol=1e-10)
    assert (seen[0, 0] - seen[0, 2]).abs().max() > 1e-4


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_weights_positions_and_logits_are_the_models(model_of, kind):
    model = model_of(*kind)
    inputs, reading = read(model)
    output = model(**inputs)
    assert reading.lengths.tolist() == [len(words(document)) for document in DOCUMENTS]
    assert_close(reading.unerased.logits, output.logits, rtol=0, atol=1e-12)
    assert torch.equal(reading.model_decision, output.logits.argmax(-1))
    assert_close(reading.weights.sum(-1), torch.tensor([1.0, 1, 1, 0, 1, 0, 1]).double())
    assert reading.unerased.keeps_mass.tolist() == [True, True, True, False, True, False, True]
    product = output.word_weights * output.pooling_weights.unsqueeze(-1)
    for row, document in enumerate(DOCUMENTS):
        for component, (sentence, place, position) in enumerate(words(document)):
            assert reading.positions[row, component] == position
            assert_close(reading.weights[row, component], product[row, sentence, place], rtol=0, atol=1e-12)
    assert (reading.weights[~reading.mask] == 0).all()
    assert len(set(output.logits.argmax(-1).tolist())) > 1


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_replay_equals_the_model_with_keep_masks(model_of, kind):
    """Weights renormalised here, -inf on the scores in the model; sentences that keep nothing stay sentences."""
    model = model_of(*kind)
    inputs, reading = read(model)
    keep = some_keeps(reading, 7)
    replayed = evaluated(reading, keep)
    for erasure in range(7):
        kept = as_keep_words(DOCUMENTS, keep[:, erasure], inputs["input_ids"].shape)
        assert_close(replayed[:, erasure], model(**inputs, keep_words=kept).logits, rtol=0, atol=1e-12)
    assert_close(replayed[:, 0], reading.unerased.logits, rtol=0, atol=1e-12)
    assert (replayed[0, 2:] - replayed[0, :1]).abs().amax(-1).min() > 1e-4


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_replay_equals_averaging_every_sentence_again(model_of, kind):
    """Single erasures, the prefixes of an order, and the masks of other rows in between."""
    model = model_of(*kind)
    _, reading = read(model)
    orders = torch.rand(reading.mask.shape, generator=torch.Generator().manual_seed(3)).argsort(-1)
    prefixes = prefix_keeps(orders, torch.arange(1, orders.shape[1]))
    keep = torch.cat([single_keeps(reading.mask), prefixes, some_keeps(reading, 3)], dim=1)
    expected = words_erased(model, reading.replay.documents, keep)
    assert_close(evaluated(reading, keep), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS[1::2], ids=str)
def test_permuted_weights_stay_in_their_sentences(model_of, kind):
    """A sentence's words get its weights in the order in which the permutation names them; its own weight follows."""
    model = model_of(*kind)
    _, reading = read(model)
    lengths, width = reading.lengths.tolist(), reading.mask.shape[1]
    permutation = random_orders([str(row) for row in range(len(lengths))], lengths, width, 1, 0)[:, 0]
    permuted, expected = reading.shuffled(permutation), []
    for row, document in enumerate(reading.replay.documents):
        weights, place = document.weights.clone(), document.mask.nonzero().tolist()
        for sentence in range(len(document.mask)):
            named = [c for c in permutation[row, : len(place)].tolist() if place[c][0] == sentence]
            own = [c for c in range(len(place)) if place[c][0] == sentence]
            for component, source in zip(own, named, strict=True):
                weights[tuple(place[component])] = document.weights[tuple(place[source])]
        expected.append(replace(document, weights=weights))
        logits, sentences = decide_from_words(model.head, expected[-1], weights.unsqueeze(0))
        assert_close(permuted.unerased.logits[row], logits[0], rtol=0, atol=1e-12)
        products = (weights * sentences[0].unsqueeze(-1))[document.mask]
        assert_close(permuted.weights[row, : len(place)], products, rtol=0, atol=1e-12)
    keep = some_keeps(reading, 5)
    assert_close(evaluated(permuted, keep), words_erased(model, expected, keep), rtol=0, atol=1e-12)
    assert (permuted.weights - reading.weights).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_gradient_equals_central_differences_in_each_words_weight(model_of, kind):
    """Moving a word's weight in its sentence by s moves the sentence's vector by s times the word's."""
    model, document, step = model_of(*kind), DOCUMENTS[0], 1e-6
    inputs, reading = read(model)
    averaged, decided = [], int(reading.unerased.decision[0])
    for number, ids in enumerate(document):
        group = model.components(torch.tensor([ids]))
        vectors = model.head.words.encode(group.vectors, group.mask)[0]
        averaged.append((vectors, model(**inputs).word_weights[0, number, 1 : len(ids) - 1]))

    def probability(sentence, shift):
        vectors = torch.stack([weights @ vectors for vectors, weights in averaged])
        vectors[sentence] += shift
        logits, _ = model.head.pool_sentences(vectors, torch.tensor([len(document)]))
        return logits.softmax(-1)[0, decided].item()

    for component, (sentence, place, _) in enumerate(words(document)):
        shift = step * averaged[sentence][0][place - 1]
        slope = (probability(sentence, shift) - probability(sentence, -shift)) / (2 * step)
        assert numbers(reading)["gradient"][0, component].item() == pytest.approx(slope, rel=1e-5, abs=1e-8)
    assert numbers(reading)["gradient"][0, : len(words(document))].abs().min() > 1e-7


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_product_is_the_words_own_weight_times_its_gradient(model_of, kind):
    model = model_of(*kind)
    inputs, reading = read(model)
    inside = model(**inputs).word_weights
    for row, document in enumerate(DOCUMENTS):
        for component, (sentence, place, _) in enumerate(words(document)):
            expected = inside[row, sentence, place] * numbers(reading)["gradient"][row, component]
            assert_close(numbers(reading)["product"][row, component], expected, rtol=1e-10, atol=1e-14)
    assert (numbers(reading)["product"][~reading.mask] == 0).all()
    # p_c (1 - p_c) is the whole difference between what is reported and what orders.
    probability = reading.unerased.logits.softmax(-1).amax(-1, keepdim=True)
    lifted = probability * (1 - probability) * reading.signals[MARGIN_PRODUCT]
    assert_close(numbers(reading)["product"], lifted, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_document_is_the_same_alone_and_beside_others(model_of, kind):
    model = model_of(*kind)
    _, together = read(model)
    keep = some_keeps(together, 5)
    replayed = evaluated(together, keep)
    for row, document in enumerate(DOCUMENTS):
        _, alone = read(model, [document])
        n = int(together.lengths[row])
        assert torch.equal(alone.positions[0, :n], together.positions[row, :n])
        for name, values in {**alone.signals, "weights": alone.weights}.items():
            beside = together.weights if name == "weights" else together.signals[name]
            assert_close(values[0, :n], beside[row, :n], rtol=0, atol=1e-12)
        assert_close(alone.unerased.logits[0], together.unerased.logits[row], rtol=0, atol=1e-12)
        own = evaluated(alone, keep[row : row + 1, :, : max(n, 1)])
        assert_close(own[0], replayed[row], rtol=0, atol=1e-12)


def test_documents_may_be_named_twice_or_not_at_all(model_of):
    _, reading = read(model_of("conv", "rnn", 0))
    rows, keep = [2, 0, 2, 6, 4, 0], some_keeps(reading, 5)
    each_once = evaluated(reading, keep)
    assert_close(evaluated(reading, keep[rows], rows), each_once[rows], rtol=0, atol=1e-12)
    other = some_keeps(reading, 5, seed=1)[: len(rows)]  # the same document with different masks in its rows
    expected = [evaluated(reading, other[[at]], [row]) for at, row in enumerate(rows)]
    assert_close(evaluated(reading, other, rows), torch.cat(expected), rtol=0, atol=1e-12)
    assert (expected[0] - expected[2]).abs().max() > 1e-4


@pytest.mark.parametrize("memory", [1.0, 5_000.0, 20_000.0])
def test_little_memory_gives_the_same_in_more_passes(model_of, memory):
    model = model_of("rnn", "transformer", 1)
    (_, plenty), (_, little) = read(model), read(model, memory=memory)
    calls = []
    hook = little.replay.head.sentences.register_forward_hook(lambda *call: calls.append(len(call[2][0])))
    keep = some_keeps(plenty, 11)
    assert_close(evaluated(little, keep), evaluated(plenty, keep), rtol=0, atol=1e-12)
    hook.remove()
    assert len(calls) > sum(document not in ([], [[2, 3]]) for document in DOCUMENTS)
    assert max(calls) == 1 or memory > 1.0


def test_a_model_in_float32_is_replayed_in_float64(tmp_path):
    """Same vectors: what is erased twice as precisely agrees with the model to float32's precision."""
    model = tiny_hierarchical(tmp_path, "conv", "rnn").float()
    inputs, reading = read(model)
    assert reading.weights.dtype == reading.unerased.logits.dtype == torch.float64
    assert_close(reading.unerased.logits.float(), model(**inputs).logits, rtol=1e-4, atol=1e-5)
    assert_close(evaluated(reading, some_keeps(reading, 2))[:, 0], reading.unerased.logits, rtol=0, atol=1e-12)
    assert next(model.parameters()).dtype == torch.float32
    assert next(model.head.parameters()).requires_grad  # the model was copied, not changed


def test_a_batch_of_nothing_is_read(model_of):
    model = model_of("none", "none", 0)
    _, reading = read(model, [[], [[2, 3]]])
    bias = model.head.classifier.bias.expand(2, -1)
    assert reading.lengths.tolist() == [0, 0]
    assert_close(reading.unerased.logits, bias)
    assert_close(evaluated(reading, torch.ones(2, 1, 1, dtype=torch.bool))[:, 0], bias)
    analysis = analysed(reading)
    assert all(flips.flips.outcome.tolist() == [Outcome.NEVER] * 2 for flips in analysis.flips)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_analysis_is_a_plain_loop_over_prefixes(model_of, kind):
    """Every ranking's first flip, its mass and outcome, by the model itself with one prefix erased at a time."""
    model, documents = model_of(*kind), sentence_ids(sentence_texts(11, seed=7, most=4, longest=5))
    _, reading = read(model, documents)
    analysis = analysed(reading, seed=1)
    assert [each.ranking for each in analysis.flips] == [
        "random", "random", *(ranking.name for ranking in registered()), "best_found",
    ]  # fmt: skip
    outcomes = []
    for ranking in analysis.flips:
        for row, document in enumerate(documents):
            inputs, own = pad_sentences([document], 0), words(document)
            order = ranking.order[row, : len(own)].tolist()
            assert sorted(order) == list(range(len(own)))
            keep_words, flipped = torch.ones_like(inputs["input_ids"], dtype=torch.bool), None
            for k, component in enumerate(order, 1):
                keep_words[0, own[component][0], own[component][1]] = False
                decision = int(model(**inputs, keep_words=keep_words).logits.argmax())
                if decision != reading.unerased.decision[row]:
                    flipped = k
                    break
            outcome = Outcome(int(ranking.flips.outcome[row]))
            outcomes.append((ranking.ranking, outcome))
            assert (outcome is Outcome.NEVER) == (flipped is None)
            if flipped is None:
                continue
            assert ranking.flips.removed[row] == flipped
            assert ranking.flips.becomes[row] == decision
            assert (outcome is Outcome.BIAS_ONLY) == (flipped == len(own))
            mass = reading.weights[row, order[:flipped]].sum()
            assert_close(ranking.flips.mass[row], mass.clamp(max=1.0), rtol=0, atol=1e-12)
    for name in ("attention", "gradient", "best_found"):
        assert (name, Outcome.FLIP) in outcomes
    by_weight = next(each.order for each in analysis.flips if each.ranking == "attention")
    for row, document in enumerate(documents):
        weights = reading.weights[row].tolist()
        expected = sorted(range(len(words(document))), key=lambda at: (-weights[at], at))
        assert by_weight[row, : len(expected)].tolist() == expected


def test_single_erasures_are_the_models(model_of):
    model, documents = model_of("conv", "rnn", 0), DOCUMENTS[:3]
    inputs, reading = read(model, documents)
    singles = analysed(reading, draws=1).singles
    for row, document in enumerate(documents):
        for component in range(len(words(document))):
            keep = reading.mask.clone()
            keep[row, component] = False
            kept = as_keep_words(documents, keep, inputs["input_ids"].shape)
            p = model(**inputs).logits[row].softmax(-1)
            q = model(**inputs, keep_words=kept).logits[row].softmax(-1)
            middle = (p + q) / 2
            js = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
            assert_close(singles.js[row, component], js, rtol=0, atol=1e-12)
            assert singles.decision[row, component] == q.argmax()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_pooling_site_of_sentences_is_the_models(model_of, kind):
    """Positions are those of the input's sentences, of which some are no components."""
    model, site, inputs = model_of(*kind), PoolingSite(model_of(*kind)), pad_sentences(DOCUMENTS, 0)
    reading, output = site.read(inputs), model(**inputs)
    own = [[number for number, ids in enumerate(document) if set(ids) - {2, 3}] for document in DOCUMENTS]
    assert reading.lengths.tolist() == list(map(len, own))
    assert own[4] == [1, 3]
    for row, places in enumerate(own):
        assert reading.positions[row, : len(places)].tolist() == places
        assert_close(reading.weights[row, : len(places)], output.pooling_weights[row, places], rtol=0, atol=1e-12)
    assert_close(reading.unerased.logits, output.logits, rtol=0, atol=1e-12)
    assert torch.equal(reading.model_decision, output.logits.argmax(-1))
    keep = some_keeps(reading, 7)
    replayed = evaluated(reading, keep)
    for erasure in range(7):
        kept = torch.zeros(inputs["input_ids"].shape[:2], dtype=torch.bool)
        for row, places in enumerate(own):
            kept[row, places] = keep[row, erasure, : len(places)]
        assert_close(replayed[:, erasure], model(**inputs, keep=kept).logits, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_sentences_first_flips_and_minimum_are_those_of_every_subset(model_of, kind):
    """The closed forms against one head evaluation a prefix, against every subset, and against the model's own."""
    model, documents = model_of(*kind), sentence_ids(sentence_texts(13, seed=9))
    site, inputs = PoolingSite(model), pad_sentences(documents, 0)
    reading = site.read(inputs)
    analysis = {each.ranking: each for each in analysed(reading, [*map(str, range(13))], draws=1).flips}
    outcomes = set()
    identity = torch.eye(3, dtype=torch.float64)
    for row in range(len(documents)):
        n = int(reading.lengths[row])
        weights, logits = reading.weights[row, :n], reading.component_logits[row, :n]
        for name in (ranking.name for ranking in registered()):
            expected = first_flip(weights, logits, identity, reading.bias, analysis[name].order[row, :n].tolist())
            assert Outcome(int(analysis[name].flips.outcome[row])).name.lower() == expected.outcome
            assert expected.removed is None or analysis[name].flips.removed[row] == expected.removed
        least = exhaustive_minimum(weights, logits, reading.bias)
        found = analysis["minimum"].flips
        assert Outcome(int(found.outcome[row])).name.lower() == least.outcome
        assert least.removed is None or found.removed[row] == least.removed
        outcomes.add(least.outcome)
        if least.outcome != "flip":
            continue
        flipped = []
        for size in (least.removed - 1, least.removed):
            for erased in combinations(range(n), size):
                keep = torch.ones(1, len(documents[row]), dtype=torch.bool)
                keep[0, list(erased)] = False
                own = model(**pad_sentences([documents[row]], 0), keep=keep).logits
                flipped.append((size, int(own.argmax()) != int(reading.unerased.decision[row])))
        assert {size for size, flips in flipped if flips} == {least.removed}
    assert "flip" in outcomes


def test_components_are_named_rightly_where_some_sentences_are_none(tmp_path):
    """A typed [SEP] is a special token: its sentence is tokenized and pads the input, but is no component."""
    text = "good film.\n\n[SEP]\n\nthe [SEP] cast. [SEP] [SEP]\n\nnever"
    tokenizer, model = tiny_tokenizer(), tiny_hierarchical(tmp_path, "rnn")
    reader = DocumentReader(True, Limits())
    rows = reader.tokenize(texts_dataset([text, "", "it was dull"]), tokenizer)
    assert list(rows["sentences"]) == [5, 0, 1]
    inputs = reader.pad(rows["input_ids"], 0)
    sentences, tokens = PoolingSite(model).read(inputs), WordsSite(model).read(inputs)
    names = []
    for row, document in enumerate(rows):
        for reading, components in ((sentences, SENTENCES), (tokens, TOKENS)):
            positions = reading.positions[row, : int(reading.lengths[row])].tolist()
            found = components_of(document, tokenizer, components).at(positions)
            names.append(found.names)
            written = [document["text"][start:end] for start, end in zip(found.starts, found.ends, strict=True)]
            assert [text.strip() for text in written] == [
                "." if name == "[UNK]" else name for name in found.names
            ]  # fmt: skip
    assert names == [
        ["good film.", "the [SEP] cast.", "never"],
        ["good", "film", "[UNK]", "the", "cast", "[UNK]", "never"],
        [],
        [],
        ["it was dull"],
        ["it", "was", "dull"],
    ]


def test_explained_words_belong_to_their_sentences(tmp_path):
    """Sentence for sentence; one that is no component is in neither list."""
    folder = saved_hierarchical(tmp_path, "none")
    text = "good film.\n\n[SEP]\n\nthe cast. it was bad. never"
    explanation = explain(ExplainConfig(model=folder, text=text, cpu=True))
    assert [sentence.name for sentence in explanation.words] == ["good film.", "the cast.", "it was bad.", "never"]
    assert len(explanation.inside) == len(explanation.words)
    for sentence, inside in zip(explanation.words, explanation.inside, strict=True):
        assert [word.name for word in inside] == sentence.name.replace(".", " .").split()
        assert all(sentence.start <= word.start < word.end <= sentence.end for word in inside)
        assert sum(word.attention for word in inside) == pytest.approx(1.0)
    assert sum(sentence.attention for sentence in explanation.words) == pytest.approx(1.0)
