"""Words and sentences as units of tokens, by tokenizers of every kind."""

import pytest
from datasets import Dataset

from eraserhead.data.sentences import tokenize_sentences
from eraserhead.data.tokens import tokenize
from eraserhead.data.units import UNITS, Units, numbered, sentence_keys, separates_words
from eraserhead.data.words import white_space_runs
from eraserhead.loading.components import components_of
from eraserhead.method.names import SENTENCES, WORDS
from eraserhead.models.splitting import sentence_spans
from tiny import texts_dataset
from tokenizers_of_kinds import byte_level, unigram, without_words, wordpiece

pytestmark = pytest.mark.usefixtures("datasets_cache")

BY_WORD, BY_SENTENCE = Units(WORDS), Units(SENTENCES, sentence_spans)


def units_of(rows: Dataset, tokenizer, units: Units) -> list[list[str]]:
    """The units of each row as they are written, each once."""
    found = []
    for row in tokenize(rows, tokenizer, 64, units):
        shown = components_of(row, tokenizer, units.kind)
        firsts = [at for at, number in enumerate(row[UNITS]) if at == 0 or number != row[UNITS][at - 1]]
        assert [row[UNITS][at] for at in firsts] == list(range(len(firsts)))
        own = shown.at(firsts)
        for name, start, end in zip(own.names, own.starts, own.ends, strict=True):
            assert name == row["text"][start:end] or not row["text"][start:end].strip()
        found.append(own.names)
    return found


def test_runs_of_a_key_are_numbered_and_tokens_without_one_stand_alone():
    assert numbered([None, None, 7, 7, None, 7, (0, 1), (0, 1), (1, 1)]) == [0, 1, 2, 2, 3, 4, 5, 5, 6]
    assert numbered([]) == []


@pytest.mark.parametrize(
    ("make", "own", "text", "words"),
    [
        (wordpiece, True, "The  wakes up. Don't 東京", "[CLS] The wakes up . Don ' t 東 京 [SEP]"),
        (byte_level, True, "the wak up.\nup don't é東", "the wak up . Ċ up don 't é東"),
        (unigram, True, "the wakes  up. don't 3", "the wakes ▁ up. don't 3 </s>"),
        (without_words, False, "the wakes up.\nup  don't 東é", "<s> the ▁ wakes ▁ up. <0x0A> up ▁ ▁ don't ▁ 東 é"),
    ],
)
def test_words_are_the_tokenizers_own_or_what_stands_between_white_space(make, own, text, words):
    """Markers of spaces are in no text; a byte of a character is never alone; white space alone is of no word."""
    tokenizer = make()
    assert separates_words(tokenizer.backend_tokenizer) == own
    assert units_of(texts_dataset([text]), tokenizer, BY_WORD) == [words.split()]


@pytest.mark.parametrize("make", [wordpiece, byte_level, unigram, without_words])
def test_sentences_are_the_splitters_in_any_tokenizer(make):
    tokenizer = make()
    text = "The wakes up.  Up the 3? don't"
    found = units_of(texts_dataset([text, ""]), tokenizer, BY_SENTENCE)
    special = tokenizer.convert_ids_to_tokens(tokenizer("")["input_ids"])
    assert sorted(found[0]) == sorted(["The wakes up.", "Up the 3?", "don't", *special])
    assert found[1] == special


@pytest.mark.parametrize("make", [wordpiece, byte_level, unigram, without_words])
@pytest.mark.parametrize("units", [BY_WORD, BY_SENTENCE])
def test_the_texts_of_a_pair_share_no_unit(make, units):
    """Word numbers begin again in the second text: its first word is not the first one's, though both are number 0."""
    rows = Dataset.from_dict({"id": ["a"], "text": ["wakes\nup"], "second": [6], "label": [None]})
    tokenizer = make()
    found = units_of(rows, tokenizer, units)[0]
    assert [name for name in found if name not in tokenizer.all_special_tokens] == ["wakes", "up"]


def test_a_cut_text_has_the_units_of_what_is_left():
    rows = texts_dataset(["the wakes up the wakes"])
    row = tokenize(rows, wordpiece(), 8, BY_WORD)[0]
    assert row[UNITS] == [0, 1, 2, 2, 3, 4, 5, 6]
    assert row["truncated_tokens"] == 1


def test_a_token_belongs_to_the_sentence_in_which_its_first_letter_is():
    """A token with the space before it begins in the sentence before; white space alone stays where it begins."""
    assert sentence_keys("Up. Up.", None, [(0, 2), (2, 3), (3, 6), (6, 7)], sentence_spans) == [0, 0, 1, 1]
    assert sentence_keys("Up. Up.", None, [(3, 4), (4, 6)], sentence_spans) == [0, 1]
    assert sentence_keys("a\nb", 2, [(0, 1), (2, 3)], sentence_spans) == [0, 1]
    assert sentence_keys("Up. Up.", None, [(0, 2), (4, 6)], None) == [0, 0]


@pytest.mark.parametrize("make", [wordpiece, byte_level, without_words])
def test_units_of_a_document_that_is_read_by_sentence_stay_within_its_sentences(make):
    """Each sentence is a text to the tokenizer, whose word numbers begin again; no special token need lie between."""
    tokenizer, text = make(), "Up. Up the wakes. "
    special = set(tokenizer.all_special_tokens)
    for units, expected in (
        (BY_WORD, ["Up.", "Up", "the", "wakes."] if make is without_words else ["Up", ".", "Up", "the", "wakes", "."]),
        (Units(SENTENCES), ["Up.", "Up the wakes."]),
    ):
        row = tokenize_sentences(texts_dataset([text]), tokenizer, sentence_spans, 9, 64, units)[0]
        assert len(row[UNITS]) == sum(map(len, row["input_ids"]))
        shown = components_of(row, tokenizer, units.kind)
        firsts = [at for at, number in enumerate(row[UNITS]) if at == 0 or number != row[UNITS][at - 1]]
        assert [name for name in shown.at(firsts).names if name not in special | {"▁", "Ġ"}] == expected
    one = tokenize_sentences(texts_dataset([text]), tokenizer, sentence_spans, 1, 64, Units(SENTENCES))[0]
    assert one["truncated_sentences"] == 1
    assert len(one[UNITS]) == sum(map(len, one["input_ids"]))


def test_characters_in_pieces_stay_whole_in_scripts_without_spaces():
    assert white_space_runs("東京", [0, 0, 0, 1], [1, 1, 1, 2]) == [[0, 1, 2], [3]]
    assert white_space_runs("a b", [0, 1, 2], [1, 2, 3]) == [[0], [1], [2]]
