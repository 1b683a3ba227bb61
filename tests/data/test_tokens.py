import logging
import os
from pathlib import Path

import datasets
import pyarrow as pa
import pytest
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, BertTokenizerLegacy, PreTrainedTokenizerFast

from eraserhead.data import tokens as documents
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.tokens import Truncation, summed_truncation, tokenize, truncation
from eraserhead.data.words import word_spans
from eraserhead.errors import UserError
from interpreters import fresh_interpreter

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "room", "was", "loud", ".", "but", "clean"]
TEXTS = ["the room was loud .", "", "the loud room was clean but the clean room was loud", "the  clean\u2003room"]
"""One to a word: 5, 0, 11 and 3 tokens beside [CLS] and [SEP]."""


pytestmark = pytest.mark.usefixtures("datasets_cache")


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    """One token to a word, [CLS] before and [SEP] after."""
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=17)


@pytest.fixture
def rows() -> Dataset:
    return Dataset.from_dict({"id": ["a", "b", "c", "d"], "text": TEXTS, "label": [0, 1, None, 1]})


def test_tokens_offsets_and_what_was_cut(tokenizer, rows):
    tokenized = tokenize(rows, tokenizer, 7)
    assert tokenized.column_names == [*rows.column_names, *documents.TOKEN_COLUMNS]
    assert list(tokenized["input_ids"]) == [
        [2, 4, 5, 6, 7, 8, 3],
        [2, 3],
        [2, 4, 7, 5, 6, 10, 3],
        [2, 4, 10, 5, 3],
    ]
    assert tokenized[0]["starts"] == [0, 0, 4, 9, 13, 18, 0]
    assert tokenized[0]["ends"] == [0, 3, 8, 12, 17, 19, 0]
    assert tokenized[3]["starts"] == [0, 0, 5, 11, 0]
    assert list(tokenized["tokens"]) == [7, 2, 7, 5]
    assert list(tokenized["truncated_tokens"]) == [0, 0, 6, 0]
    assert tokenized.features["starts"] == datasets.List(datasets.Value("int32"))
    cut = truncation(tokenized)
    assert cut == Truncation(documents=4, truncated_documents=1, tokens=21, truncated_tokens=6)
    assert cut.describe() == "1 of 4 documents (25.0 %) lost 6 of 27 tokens (22.2 %) to the length limit"
    assert truncation(tokenized.select([3, 2])).truncated_tokens == 6
    assert truncation(tokenized.select([])).describe() == "none of 0 documents lost tokens to the length limit"


def test_the_results_table_is_summed_as_the_rows_are():
    """Read as a whole, a document's sentences are null in the results; they are not counted as 0."""
    counts = {"tokens": [7, 2], "truncated_tokens": [0, 5]}
    read_whole = pa.table({"id": ["a", "b"], **counts, "sentences": pa.nulls(2), "truncated_sentences": pa.nulls(2)})
    assert summed_truncation(read_whole) == Truncation(2, 1, 9, 5)
    by_sentence = pa.table({**counts, "sentences": [3, 1], "truncated_sentences": [0, 2]})
    assert summed_truncation(by_sentence) == Truncation(2, 1, 9, 5, 4, 2)


def test_earlier_calls_leave_no_trace_and_none_is_left(tokenizer, rows):
    tokenizer(TEXTS, padding=True, truncation=True, max_length=5)
    assert tokenizer.backend_tokenizer.truncation["max_length"] == 5
    assert list(tokenize(rows, tokenizer, 17)["tokens"]) == [7, 2, 13, 5]
    assert tokenizer.backend_tokenizer.truncation["max_length"] == 5
    assert tokenizer.model_max_length == 17


def test_special_tokens_in_a_text_are_split_where_the_tokenizer_says_so(tokenizer):
    """And not where an earlier call did: [PAD] is one token, or "[", "PAD" and "]", which are unknown."""
    named = Dataset.from_dict({"text": ["the [PAD] room"]})
    tokenizer(TEXTS, split_special_tokens=True)
    assert list(tokenize(named, tokenizer, 17)["input_ids"]) == [[2, 4, 0, 5, 3]]
    tokenizer.split_special_tokens = True
    tokenizer(TEXTS, split_special_tokens=False)
    assert list(tokenize(named, tokenizer, 17)["input_ids"]) == [[2, 4, 1, 1, 1, 5, 3]]


def test_truncation_on_the_left_keeps_the_end(tokenizer, rows):
    tokenizer.truncation_side = "left"
    tokenized = tokenize(rows, tokenizer, 5)
    assert list(tokenized["input_ids"])[2] == [2, 5, 6, 7, 3]
    assert list(tokenized["truncated_tokens"]) == [2, 0, 8, 0]


def test_two_sequences_are_parted_at_the_newline_between_them(tokenizer):
    """This tokenizer splits at spaces alone: it would see the newline as part of a word."""
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.CharDelimiterSplit(" ")
    pairs = Dataset.from_dict({"text": ["the room\nwas loud", "\nclean", "the\n"], "second": [9, 1, 4]})
    tokenized = tokenize(pairs, tokenizer, 7)
    assert list(tokenized["input_ids"]) == [[2, 4, 5, 3, 6, 7, 3], [2, 3, 10, 3], [2, 4, 3, 3]]
    assert list(tokenized["starts"]) == [[0, 0, 4, 0, 9, 13, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert list(tokenized["ends"]) == [[0, 3, 8, 0, 12, 17, 0], [0, 0, 6, 0], [0, 3, 0, 0]]
    cut = tokenize(pairs, tokenizer, 6)
    assert list(cut["truncated_tokens"]) == [1, 0, 0]


def test_the_same_as_calling_the_tokenizer(encoder_folder, rows):
    encoder = AutoTokenizer.from_pretrained(encoder_folder)
    texts = ["Unbelievably café-like: naïve 😀 déjà-vu!", "", "日本語のテキスト", "word " * 300, "[SEP] \x00 \ufffd"]
    tokenized = tokenize(Dataset.from_dict({"text": texts}), encoder, 53)
    expected = encoder(texts, truncation=True, max_length=53, return_offsets_mapping=True)
    assert list(tokenized["input_ids"]) == expected["input_ids"]
    offsets = [list(zip(*pair, strict=True)) for pair in zip(tokenized["starts"], tokenized["ends"], strict=True)]
    assert offsets == expected["offset_mapping"]
    assert list(tokenized["truncated_tokens"]) == [0, 0, 0, 302 - 53, 0]


def test_a_tokenizer_without_offsets(tmp_path, rows):
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY))
    slow = BertTokenizerLegacy(str(tmp_path / "vocab.txt"), model_max_length=17)
    assert not slow.is_fast
    tokenized = tokenize(rows, slow, 7)
    assert list(tokenized["input_ids"])[2] == [2, 4, 7, 5, 6, 10, 3]
    assert list(tokenized["truncated_tokens"]) == [0, 0, 6, 0]
    assert list(tokenized["starts"]) == list(tokenized["ends"]) == [None] * 4


def test_lengths_that_cannot_be_are_refused_with_numbers(tokenizer, rows):
    for length, words in ((2, "data.max_length=2: the tokenizer adds 2 special tokens; give 3"),):
        with pytest.raises(UserError, match=words):
            tokenize(rows, tokenizer, length)
    assert list(tokenize(rows, tokenizer, 3)["tokens"]) == [3, 2, 3, 3]
    tokenizer.model_max_length = int(1e30)
    assert list(tokenize(rows, tokenizer, 1000)["tokens"]) == [7, 2, 13, 5]


def test_nothing_is_said_about_long_texts(encoder_folder, caplog, capfd):
    encoder = AutoTokenizer.from_pretrained(encoder_folder)
    with caplog.at_level(logging.WARNING):
        tokenize(Dataset.from_dict({"text": ["word " * 1000]}), encoder, 512)
    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_several_processes_give_the_same_and_say_nothing(tokenizer, rows, monkeypatch, capfd):
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    many = datasets.concatenate_datasets([rows] * 300)
    tokenizer(TEXTS * 100)  # the tokenizer's own threads have run before the fork
    alone = tokenize(many, tokenizer, 7)
    monkeypatch.setattr(documents, "processes", lambda rows: 2)
    assert tokenize(many, tokenizer, 7).to_dict() == alone.to_dict()
    assert "fork" not in capfd.readouterr().err
    assert os.environ.get("TOKENIZERS_PARALLELISM") == before


CACHE_SCRIPT = """
import sys, datasets
from transformers import AutoTokenizer
from eraserhead.data import encoding
from eraserhead.data import tokens as documents
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents

datasets.disable_progress_bars()
data, folder = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
tokenizer(["a word", "b"], padding=True, truncation=True, max_length=3)  # traces of another use
encoding._fast_batch = None  # whoever tokenizes now fails
rows = load_documents(DataConfig(path=data), "test").rows
print(documents.tokenize(rows, tokenizer, 7)["tokens"][:])
try:
    documents.tokenize(rows, tokenizer, 6)
except TypeError:
    print("another length has to be tokenized")
"""


@pytest.mark.slow
def test_a_fresh_process_finds_the_cache(tmp_path, encoder_folder):
    """The process cannot tokenize: it prints the right tokens only if it finds those of this one."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a room", "label": 0}\n{"text": "' + "loud " * 9 + '", "label": 1}\n')
    rows = load_documents(DataConfig(path=str(path)), "test").rows
    assert list(tokenize(rows, AutoTokenizer.from_pretrained(encoder_folder), 7)["tokens"]) == [4, 7]
    environment = os.environ | {
        "HF_DATASETS_CACHE": datasets.config.HF_DATASETS_CACHE,
        "PYTHONPATH": str(Path(documents.__file__).parents[2]),
    }
    done = fresh_interpreter(CACHE_SCRIPT, str(path), encoder_folder, environment=environment)
    assert done.stdout == "[4, 7]\nanother length has to be tokenized\n", done.stderr


@pytest.mark.parametrize(
    ("text", "tokens", "words"),
    [
        ("It wakes up.", "It wake ##s up .", ["It", "wakes", "up", "."]),
        ("don't 3.14!!", "don ' t 3 . 14 ! !", ["don't", "3.14", "!", "!"]),
        ("(well-known)", "( well - known )", ["(", "well-known", ")"]),
        ("...", ". . .", [".", ".", "."]),
        ("日本語の text", "日 本語 の te ##xt", ["日", "本語", "の", "text"]),
        ("라면은 맛있다", "라면 ##은 맛있 ##다", ["라면은", "맛있다"]),
        ("สวัสดีครับ", "สวัสดี ครับ", ["สวัสดี", "ครับ"]),
        ("C++ GPT日本", "C + + GPT 日本", ["C", "+", "+", "GPT", "日本"]),
        ("日本GPT", "日本 GP T", ["日本", "GPT"]),
        ("हिन्दी", "हिन ##्द ##ी", ["हिन्दी"]),
        ("a\u2003b\nc", "a b c", ["a", "b", "c"]),
    ],
)
def test_components_are_grouped_into_words(text, tokens, words):
    starts, ends, place = [], [], 0
    for token in tokens.split(" "):
        bare = token.removeprefix("##")
        place = text.index(bare, place)
        starts.append(place)
        ends.append(place := place + len(bare))
    groups = word_spans(text, starts, ends)
    assert [text[starts[group[0]] : ends[group[-1]]] for group in groups] == words
    assert [component for group in groups for component in group] == list(range(len(starts)))


def test_spans_that_begin_with_a_space_cover_nothing_or_overlap():
    """Byte-level tokenizers count the space before a word as its own, and give the bytes of one character one span."""
    text = "a loud 😀 day"
    assert word_spans(text, [0, 1, 4, 6, 7, 8, 0], [1, 4, 6, 8, 8, 12, 0]) == [[0], [1, 2], [3], [4], [5], [6]]
    assert word_spans(text, [0, 0, 1, 2, 0], [0, 1, 2, 6, 0]) == [[0], [1], [2], [3], [4]]
    assert word_spans("", [], []) == []
    assert word_spans("é", [0, 0], [1, 1]) == [[0, 1]]


@pytest.mark.parametrize("folder", ["yelp_review_full", "imdb", "amazon_review_full", "yahoo_answers_topics"])
def test_offsets_of_real_samples_slice_back_to_the_tokens(data_root, encoder_folder, folder):
    names = {"yelp_review_full": "yelp", "amazon_review_full": "amazon", "yahoo_answers_topics": "yahoo"}
    encoder = AutoTokenizer.from_pretrained(encoder_folder)
    config = DataConfig(name=names.get(folder, folder), path=str(data_root / folder), test_size=50)
    tokenized = tokenize(load_documents(config, "test").rows, encoder, 256)
    normalize = encoder.backend_tokenizer.normalizer.normalize_str
    for row in tokenized:
        tokens = encoder.convert_ids_to_tokens(row["input_ids"])
        for token, start, end in zip(tokens[1:-1], row["starts"][1:-1], row["ends"][1:-1], strict=True):
            covered = row["text"][start:end]
            assert normalize(covered).strip() == token.removeprefix("##") or token == "[UNK]"
        starts, ends = row["starts"][1:-1], row["ends"][1:-1]
        words = [
            "".join(row["text"][starts[group[0]] : ends[group[-1]]]) for group in word_spans(row["text"], starts, ends)
        ]
        assert "".join(words) == "".join(row["text"][starts[0] : ends[-1]].split())
    assert truncation(tokenized).documents == 50
