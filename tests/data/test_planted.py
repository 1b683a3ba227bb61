import hashlib
import os
import re
import time
from dataclasses import FrozenInstanceError
from itertools import pairwise
from statistics import mean, quantiles

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from eraserhead.data import planted_grammar as grammar
from eraserhead.data.planted import Evidence, Review, graded_label, label_names, planted_reviews
from eraserhead.errors import UserError
from interpreters import fresh_interpreter

pytestmark = pytest.mark.slow

CLASSES = (2, 3, 4, 5)
SPLITS = {"train": 2000, "validation": 300, "test": 500}


@pytest.fixture(scope="module")
def corpus():
    """Every split of every number of classes, at its default size."""
    return {(split, classes): planted_reviews(split, classes) for split in SPLITS for classes in CLASSES}


def grades(review):
    return [evidence.grade for evidence in review.evidence]


def clauses(reviews):
    return {review.text[e.start : e.end].casefold() for review in reviews for e in review.evidence}


def split_sentences(text):
    return re.split(r"(?<=[.!]) |(?<=\.\)) ", text)


def sentences(reviews):
    return {sentence for review in reviews for sentence in split_sentences(review.text.casefold())}


def survives(review, classes):
    """Whether the label stands when any one piece of evidence is taken away."""
    all_grades = grades(review)
    lesser = [all_grades[:i] + all_grades[i + 1 :] for i in range(len(all_grades))]
    return all(graded_label(kept, classes) == review.label for kept in lesser)


def contradicted(review):
    """Whether some evidence has the sign that the sum of the grades does not have."""
    return any(grade * sum(grades(review)) < 0 for grade in grades(review))


def share(claims):
    return mean(map(float, claims))


# --- the label rule -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "classes", "label"),
    [
        ([1], 2, 1),
        ([-2], 2, 0),
        ([2, -1, -1], 2, None),  # mean 0: on the border
        ([2, -1], 2, 1),
        ([], 2, None),
        ([1, 1, -1], 3, 1),  # mean 1/3, between -1/2 and 1/2
        ([2, 1, -1], 3, 2),  # mean 2/3
        ([1, -1, 2], 5, 3),  # mean 2/3
        ([1], 4, 2),
        ([2, 2, 1], 4, 3),  # mean 5/3
        ([2, 1, 1, 1], 4, None),  # mean 5/4: on the border
        ([-2, -1, -1, -1, -2], 5, 0),  # mean -7/5
        ([-1, -1, -1, -2, -1], 5, 1),  # mean -6/5
        ([-1, 1], 5, 2),
        ([2], 5, 4),
    ],
)
def test_label_is_the_number_of_borders_below_the_mean_grade(evidence, classes, label):
    assert graded_label(evidence, classes) == label


@pytest.mark.parametrize("classes", CLASSES)
def test_turning_every_grade_turns_the_label(classes):
    for evidence in ([2, 1], [1, 1, -1, 2], [-2, 1, 1, 1, 2], [-1, 2, -2, -2]):
        turned = graded_label([-grade for grade in evidence], classes)
        assert turned == classes - 1 - graded_label(evidence, classes)


@pytest.mark.parametrize("classes", CLASSES)
def test_every_review_has_the_label_of_its_grades(corpus, classes):
    for split in SPLITS:
        assert all(graded_label(grades(review), classes) == review.label for review in corpus[split, classes])


def test_label_names():
    assert label_names(2) == ("negative", "positive")
    assert label_names(3) == ("negative", "mixed", "positive")
    assert label_names(5) == ("terrible", "bad", "mixed", "good", "excellent")
    assert all(len(set(label_names(classes))) == classes for classes in CLASSES)


# --- what the caller asks for ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", SPLITS)
def test_default_sizes(corpus, split):
    assert {len(corpus[split, classes]) for classes in CLASSES} == {SPLITS[split]}
    assert [review.id for review in corpus[split, 2][:3]] == [f"{split}/0", f"{split}/1", f"{split}/2"]


@pytest.mark.parametrize("split", SPLITS)
def test_shorter_is_a_prefix_of_longer(split):
    assert planted_reviews(split, 5, 41, seed=3) == planted_reviews(split, 5, 67, seed=3)[:41]


def test_split_classes_and_seed_each_change_the_reviews():
    texts = [
        tuple(review.text for review in planted_reviews(split, classes, 13, seed=seed))
        for split, classes, seed in [("train", 2, 0), ("test", 2, 0), ("train", 3, 0), ("train", 2, 1)]
    ]
    assert len(set(texts)) == 4


def test_reviews_are_the_same_in_another_process_with_another_hash_seed():
    program = (
        "import hashlib; from eraserhead.data.planted import planted_reviews;"
        "print(hashlib.sha256(repr(planted_reviews('test', 4, 47, 5)).encode()).hexdigest())"
    )
    here = hashlib.sha256(repr(planted_reviews("test", 4, 47, 5)).encode()).hexdigest()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        assert fresh_interpreter(program, environment=environment).stdout.strip() == here


@pytest.mark.parametrize("classes", CLASSES)
def test_labels_are_balanced_in_every_prefix(corpus, classes):
    counts = [0] * classes
    for review in corpus["train", classes]:
        counts[review.label] += 1
        assert max(counts) - min(counts) <= 1


def test_labels_do_not_follow_the_position(corpus):
    """A label that alternates could be read off the id; after a 0, a shuffled block of two brings a 0 in 1 of 4."""
    labels = [review.label for review in corpus["train", 2]]
    assert share(a == b for a, b in pairwise(labels)) == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tset",), "unknown split 'tset'; did you mean 'test'?; it has train, validation, test"),
        (("train", 1), "1 classes; it has 2 to 5"),
        (("train", 6), "6 classes; it has 2 to 5"),
        (("train", 2, -1), "a size of -1; it must be 0 or more"),
    ],
)
def test_impossible_requests_are_refused_on_one_line(arguments, message):
    with pytest.raises(UserError) as refused:
        planted_reviews(*arguments)
    assert str(refused.value) == f"planted corpus: {message}"


def test_no_reviews_can_be_asked_for():
    assert planted_reviews("train", size=0) == []


def test_records_are_frozen():
    evidence = Evidence(0, 3, -1)
    with pytest.raises(FrozenInstanceError):
        evidence.grade = 2
    with pytest.raises(FrozenInstanceError):
        Review("train/0", "Bad", 0, (evidence,)).label = 1


# --- evidence -------------------------------------------------------------------------------------------------------


def test_evidence_is_in_reading_order_disjoint_and_on_word_borders(corpus):
    for review in corpus["train", 5] + corpus["test", 2]:
        assert review.evidence
        end = 0
        for evidence in review.evidence:
            assert end <= evidence.start < evidence.end < len(review.text)
            assert evidence.start == 0 or review.text[evidence.start - 1] in ' ("'
            assert review.text[evidence.end] in ".!,;"
            end = evidence.end


def test_evidence_lies_on_clauses_of_its_grade(corpus):
    """The shortest plain frames, matched as whole clauses, show whether the spans lie where they should."""
    was = {word: grade for slot, grade in (("great", 2), ("awful", -2)) for word in grammar.WORDS[slot]}
    checked = 0
    for review in corpus["train", 2]:
        for evidence in review.evidence:
            clause = re.fullmatch(
                r"the [a-z ]+? (?:was|were) (.+)", review.text[evidence.start : evidence.end].casefold()
            )
            if clause and clause[1] in was:
                assert evidence.grade == was[clause[1]]
                checked += 1
    assert checked > 100


def test_grades_are_for_and_against_mild_and_strong(corpus):
    for classes in CLASSES:
        found = [grade for review in corpus["train", classes] for grade in grades(review)]
        assert set(found) == {-2, -1, 1, 2}
        assert min(share(grade == one for grade in found) for one in (-2, -1, 1, 2)) > 0.15


@pytest.mark.parametrize("classes", CLASSES)
def test_many_labels_survive_the_loss_of_any_sentence_and_many_do_not(corpus, classes):
    reviews = [review for split in SPLITS for review in corpus[split, classes]]
    assert 0.4 < share(survives(review, classes) for review in reviews) < 0.8


@pytest.mark.parametrize("classes", CLASSES)
def test_many_reviews_hold_evidence_against_themselves(corpus, classes):
    assert 0.25 < share(map(contradicted, corpus["train", classes])) < 0.7


def test_neutral_text_and_evidence_both_cover_much(corpus):
    covered = [sum(e.end - e.start for e in review.evidence) / len(review.text) for review in corpus["train", 2]]
    assert 0.35 < mean(covered) < 0.65


# --- sentences ------------------------------------------------------------------------------------------------------


def test_no_clause_or_sentence_of_one_split_is_in_another(corpus):
    for parts in (clauses, sentences):
        train, validation, test = (
            parts(review for classes in CLASSES for review in corpus[split, classes]) for split in SPLITS
        )
        assert len(test) > 3000
        assert train.isdisjoint(test)
        assert train.isdisjoint(validation)
        assert validation.isdisjoint(test)


def test_splits_stay_apart_under_other_seeds(corpus):
    assert not clauses(planted_reviews("test", 2, 503, seed=11)) & clauses(corpus["train", 2])


def test_splits_share_no_opinion_word_that_fits_any_aspect():
    for slot, words in grammar.WORDS.items():
        owned = [grammar.own_words(split)[slot] for split in SPLITS]
        assert all(owned)
        assert sorted(word for own in owned for word in own) == sorted(words)


def test_there_are_thousands_of_distinct_sentences(corpus):
    assert len(sentences(corpus["train", 2])) > 10_000
    assert len(clauses(corpus["train", 2])) > 8_000


def test_no_review_repeats_itself(corpus):
    for review in corpus["train", 3]:
        parts = split_sentences(review.text)
        assert len(set(parts)) == len(parts)


def test_every_frame_has_a_counterpart_and_only_known_slots():
    known = {"A", "was", "it", "them", "item", "again", "other", "there", "who", "n", "nn", "day", "month", "time"}
    collections = [grammar.PLAIN_FRAMES, grammar.TURNED_FRAMES, *(domain.experiences for domain in grammar.DOMAINS)]
    for frames in [*collections, grammar.VERDICTS]:
        assert all(len(frames[grade]) == len(frames[-grade]) for grade in (1, 2))
        used = {slot for group in frames.values() for frame in group for slot in re.findall(r"\{(.*?)\}", frame)}
        assert used <= known | set(grammar.WORDS)


def test_turned_frames_carry_the_same_words_with_both_signs_and_with_none():
    for word in ("{good}", "{bad}", "{great}", "{awful}"):
        signs = {(g > 0) - (g < 0) for g, group in grammar.TURNED_FRAMES.items() if any(word in f for f in group)}
        assert signs == {-1, 0, 1}


def test_text_is_plain_and_well_formed(corpus):
    for review in corpus["train", 4] + corpus["test", 5]:
        assert not re.search(r"[{}<>\n]|  | [,;.!]|[.,;]{2}|\ba [aeio]", review.text)
        assert all(re.match(r'[("]*[A-Z0-9]', part) for part in split_sentences(review.text))
        assert review.text[-1] in ".!)"


def test_a_review_never_praises_and_blames_the_same_aspect(corpus):
    aspects = {a for domain in grammar.DOMAINS for group in domain.aspects for a in group.singular + group.plural}
    pattern = re.compile(rf"(?:{'|'.join(aspects)})(?= (?:was|were)\b)")
    checked = 0
    for review in corpus["train", 2]:
        signs = {}
        for evidence in review.evidence:
            aspect = pattern.match(review.text[evidence.start : evidence.end].casefold())
            if aspect:
                assert signs.setdefault(aspect[0], evidence.grade > 0) == (evidence.grade > 0)
                checked += 1
    assert checked > 1000


@pytest.mark.parametrize("quirk", ['"', r"\d", ";", r"\(", "!"])
def test_punctuation_in_small_measure(corpus, quirk):
    assert share(bool(re.search(quirk, review.text)) for review in corpus["train", 2]) > 0.05


def test_lengths_are_spread_as_in_real_reviews(corpus):
    for classes in CLASSES:
        words = [len(review.text.split()) for review in corpus["train", classes]]
        cuts = quantiles(words, n=100)
        assert 60 <= cuts[49] <= 100
        assert 250 <= cuts[94] <= 350
        assert min(words) <= 12
        assert mean(words) > 1.2 * cuts[49]  # right-skewed
    counts = [len(split_sentences(review.text)) for review in corpus["train", 2]]
    assert min(counts) == 1
    assert max(counts) >= 30


# --- difficulty and cost --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", CLASSES)
def test_a_bag_of_words_is_above_chance_and_not_enough(corpus, classes):
    train, test = corpus["train", classes], corpus["test", classes]
    bag = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=4, max_iter=1000))
    bag.fit([review.text for review in train], [review.label for review in train])
    accuracy = bag.score([review.text for review in test], [review.label for review in test])
    assert 1 / classes + 0.15 < accuracy < 0.97


def test_two_thousand_reviews_take_less_than_two_seconds():
    start = time.process_time()
    planted_reviews("train", 2, 2000, seed=1)
    assert time.process_time() - start < 2


def test_importing_the_corpus_loads_no_heavy_library():
    program = (
        "import sys; before = set(sys.modules); import eraserhead.data.planted;"
        "print({'torch', 'sklearn', 'datasets', 'numpy', 'transformers'} & (set(sys.modules) - before))"
    )
    assert fresh_interpreter(program).stdout.strip() == "set()"


# SHA-256 of the first 101 reviews of each split and number of classes, its first 16 digits.
CHECKSUMS = {
    "train/2/0": "5a08f9ec7ec07be9",
    "train/3/0": "62f8cd23017aed22",
    "train/4/0": "6a695a60652abf32",
    "train/5/0": "fbc3be239c8a0e5e",
    "validation/2/0": "def4f25ebeebaf14",
    "validation/3/0": "c75c43aa51595cdd",
    "validation/4/0": "abb0fa333247320d",
    "validation/5/0": "10d08d975a69f349",
    "test/2/0": "23607cc6aaeb454c",
    "test/3/0": "fd3a1f025a1834d2",
    "test/4/0": "71077ce954761f7f",
    "test/5/0": "ba0686b8adb849bf",
}


@pytest.mark.parametrize("corpus", CHECKSUMS)
def test_reviews_are_byte_for_byte_what_they_were(corpus):
    split, classes, seed = corpus.split("/")
    reviews = planted_reviews(split, int(classes), 101, int(seed))
    assert hashlib.sha256(repr(reviews).encode()).hexdigest()[:16] == CHECKSUMS[corpus]
