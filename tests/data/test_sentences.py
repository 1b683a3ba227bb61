"""Sentences of texts, their tokens, what limits cut from them, and where the limits come from."""

import logging
from dataclasses import replace
from functools import partial

import pytest
from transformers import AutoTokenizer, BertTokenizerLegacy

from eraserhead.data import sentences as sentences_module
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.sentences import SENTENCE_COLUMNS, tokenize_sentences
from eraserhead.data.tokens import Truncation, truncation
from eraserhead.errors import UserError
from eraserhead.loading.reader import DocumentReader, is_hierarchical, largest, reader_for
from eraserhead.models.architecture import Limits
from eraserhead.models.splitting import sentence_spans
from tiny import SPECIAL, WORDS, sentence_texts, texts_dataset, tiny_classifier, tiny_hierarchical, tiny_tokenizer

TEXTS = {
    "english": "It was loud. The room was clean! Was it? Yes.",
    "abbreviations": "Mr. Smith paid $3.50, e.g. for Dr. J. R. Who. He left at 5 p.m. on Jan. 3. Fine.",
    "no end": "a room without any end",
    "long": "word " * 10_000,
    "one word": "word",
    "japanese": "日本語です。次の文。終わり。",
    "thai": "สวัสดีครับ ผมชื่อสมชาย ยินดีที่ได้รู้จัก",
    "emoji": "😀😀 👨‍👩‍👧 😀",
    "emoji and ends": "😀. 😀! 👨‍👩‍👧? é. naïve. 日. x",
    "control": "\x00a\x01. b\x7f. \x1b[0m c\u200b. \ufeffd.",
    "space": " \n\t \u3000\u00a0 ",
    "empty": "",
    "return": "\r",
    "line": "\r\n",
    "lines": "a.\r\nb.\r\n\r\nc\rd.\n\n\n  e. ",
    "marks": "... !!! ??? . .",
    "separators": "a\u2028b.\u2029c. d",
    "mixed": " Good film.\n\n   \n\n悪い。 Né 😀. [SEP] ok.\t\r\n\x0bend",
}


pytestmark = pytest.mark.usefixtures("datasets_cache")


def tokenized(texts, max_sentences=100, max_tokens=128, tokenizer=None, language="en"):
    split = partial(sentence_spans, language=language)
    return tokenize_sentences(texts_dataset(texts), tokenizer or tiny_tokenizer(), split, max_sentences, max_tokens)


@pytest.mark.parametrize("language", ["en", "ja", "th", "de", "xx", "", "zz-ZZ"])
@pytest.mark.parametrize("name", TEXTS)
def test_spans_add_up_to_the_text_and_are_stable(name, language):
    text = TEXTS[name]
    spans = sentence_spans(text, language)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
    assert [start for start, _ in spans] == [0, *(end for _, end in spans)][: len(spans)]
    assert all(sentence_spans(text, language) == spans for _ in range(3))


def test_sentences_end_where_readers_end_them():
    found = {name: [text[start:end] for start, end in sentence_spans(text)] for name, text in TEXTS.items()}
    assert found["english"] == ["It was loud. ", "The room was clean! ", "Was it? ", "Yes."]
    assert found["abbreviations"][0].startswith("Mr. Smith paid $3.50, e.g. for Dr. J.")
    assert found["japanese"] == ["日本語です。", "次の文。", "終わり。"]
    assert found["emoji and ends"] == ["😀. ", "😀! ", "👨‍👩‍👧? ", "é. ", "naïve. ", "日. ", "x"]
    assert found["empty"] == []
    for name in ("no end", "long", "one word", "space", "emoji"):
        assert found[name] == [TEXTS[name]]


def test_languages_have_their_own_rules():
    """German ordinals end no sentence."""
    text = "Am 3. Mai kam er z.B. mit. Sie nicht."
    found = {language: len(sentence_spans(text, language)) for language in ("en", "de")}
    assert found["de"] == 2
    assert found["en"] > found["de"]


def test_tokens_offsets_and_sentences_by_hand():
    """Frames are ids 2 and 3, a full stop is unknown (1); the text's own words begin at id 5."""
    text = "good film. the cast was bad"
    (row,) = tokenized([text])
    assert row["input_ids"] == [[2, 8, 15, 1, 3], [2, 16, 7, 18, 9, 3]]
    assert row["sentence_starts"] == [0, 11]
    assert row["sentence_ends"] == [11, 27]
    assert [text[start:end] for start, end in zip(row["starts"][0][1:-1], row["ends"][0][1:-1], strict=True)] == [
        "good", "film", ".",
    ]  # fmt: skip
    assert row["starts"][1][1:-1] == [11, 15, 20, 24]
    assert row["ends"][1][1:-1] == [14, 19, 23, 27]
    assert (row["tokens"], row["truncated_tokens"], row["sentences"], row["truncated_sentences"]) == (11, 0, 2, 0)
    assert list(row) == ["id", "text", "label", *SENTENCE_COLUMNS]
    assert [*SPECIAL, *WORDS][8] == "good"


@pytest.mark.parametrize("name", TEXTS)
def test_offsets_index_the_text(encoder_folder, name):
    encoder = AutoTokenizer.from_pretrained(encoder_folder)
    (row,) = tokenized([TEXTS[name]], max_tokens=53, tokenizer=encoder)
    normalize = encoder.backend_tokenizer.normalizer.normalize_str
    spans = zip(row["sentence_starts"], row["sentence_ends"], strict=True)
    for ids, starts, ends, (first, last) in zip(row["input_ids"], row["starts"], row["ends"], spans, strict=True):
        tokens = encoder.convert_ids_to_tokens(ids)
        assert tokens[0] == "[CLS]"
        assert tokens[-1] == "[SEP]"
        assert (starts[0], ends[0]) == (first, first)
        for token, start, end in zip(tokens[1:-1], starts[1:-1], ends[1:-1], strict=True):
            assert first <= start < end <= last
            assert normalize(row["text"][start:end]).strip() == token.lower().removeprefix("##") or token == "[UNK]"
    assert row["sentences"] == len(row["input_ids"]) == len(row["sentence_starts"])


@pytest.mark.parametrize(("max_sentences", "max_tokens"), [(1, 3), (2, 5), (3, 100), (100, 7), (1, 4)])
def test_what_limits_cut_is_counted(max_sentences, max_tokens):
    """Seen and cut tokens are the same in sum whatever the limits, and so are sentences."""
    texts = [*sentence_texts(13, seed=2), "", " \n", "good"]
    whole, cut = tokenized(texts), tokenized(texts, max_sentences, max_tokens)
    for full, row in zip(whole, cut, strict=True):
        assert full["truncated_tokens"] == full["truncated_sentences"] == 0
        assert row["tokens"] + row["truncated_tokens"] == full["tokens"]
        assert row["sentences"] + row["truncated_sentences"] == full["sentences"]
        expected = [ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], 3] for ids in full["input_ids"]]
        assert row["input_ids"] == expected[:max_sentences]
        assert row["tokens"] == sum(map(len, row["input_ids"]))
        assert row["sentences"] == len(row["input_ids"]) == len(row["starts"]) == len(row["sentence_ends"])
        assert row["sentence_starts"] == full["sentence_starts"][:max_sentences]
    found = truncation(cut)
    assert found.truncated_sentences == sum(cut["truncated_sentences"])
    assert found.truncated_documents == sum(tokens > 0 for tokens in cut["truncated_tokens"]) > 0
    assert truncation(whole).truncated_documents == 0


def test_truncation_names_sentences_too():
    """Sentences of 5, 4 and 3 tokens, framed; at most two, of at most 4: 1 + 3 tokens of 12 are lost, and one whole."""
    rows = tokenized(["a fine film. the cast. it", "", "good"], 2, 4)
    assert [list(map(len, row["input_ids"])) for row in rows] == [[4, 4], [], [3]]
    cut = truncation(rows)
    assert cut == Truncation(3, 1, 11, 6, 3, 1)
    assert cut.describe() == (
        "1 of 3 documents (33.3 %) lost 6 of 17 tokens (35.3 %), and 1 of 4 sentences (25.0 %) whole, to the length "
        "limit"
    )
    empty = truncation(rows.select([]))
    assert empty.describe() == "none of 0 documents lost tokens to the length limit"


def test_sentences_of_white_space_are_left_out():
    (row,) = tokenized(["good.\n\n  \n\nbad."])
    assert [row["text"][start:end].strip() for start, end in sentence_spans(row["text"])].count("") == 3
    assert row["input_ids"] == [[2, 8, 1, 3], [2, 9, 1, 3]]
    assert (row["sentence_starts"], row["sentence_ends"]) == ([0, 11], [5, 15])
    assert row["truncated_sentences"] == 0
    (blank,) = tokenized([" \n\t "])
    assert (blank["input_ids"], blank["tokens"], blank["sentences"]) == ([], 0, 0)


def test_a_tokenizer_without_offsets(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL, *WORDS]))
    slow = BertTokenizerLegacy(str(tmp_path / "vocab.txt"), model_max_length=17)
    assert not slow.is_fast
    texts = ["good film. the cast was bad. never", "good"]
    found, fast = tokenized(texts, 2, 5, slow), tokenized(texts, 2, 5)
    for name in SENTENCE_COLUMNS:
        expected = [None, None] if name in ("starts", "ends") else list(fast[name])
        assert list(found[name]) == expected


def test_results_are_kept_and_depend_on_language_and_limits(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "good film. the cast was bad. never", "label": 0}\n{"text": "good", "label": 1}\n')
    rows = load_documents(DataConfig(path=str(path)), "test").rows
    reader = DocumentReader(True, Limits())
    assert list(reader.tokenize(rows, tiny_tokenizer())["sentences"]) == [3, 1]
    monkeypatch.setattr(sentences_module, "encode", None)  # whoever tokenizes now fails
    assert list(reader.tokenize(rows, tiny_tokenizer())["sentences"]) == [3, 1]
    for limits in (Limits(language="de"), Limits(sentences=2), Limits(sentence_tokens=5)):
        with pytest.raises(TypeError):
            DocumentReader(True, limits).tokenize(rows, tiny_tokenizer())


def test_limits_without_room_for_a_word_are_refused():
    with pytest.raises(UserError, match=r"data.max_sentence_length=2: the tokenizer adds 2 special tokens; give 3"):
        tokenized(["good"], max_tokens=2)


@pytest.fixture(scope="module")
def hierarchical(tmp_path_factory):
    return tiny_hierarchical(tmp_path_factory.mktemp("layers"), "none", None, 1)


def test_limits_come_from_the_data_then_from_the_model(hierarchical):
    """The encoder's window is 64 tokens; the model was trained to read 11 sentences of 13 tokens."""
    tokenizer, data = tiny_tokenizer(), DataConfig()
    assert is_hierarchical(hierarchical)
    fresh = reader_for(hierarchical, tokenizer, data, cut_to_window=False)
    assert fresh == DocumentReader(
        True, Limits(None, 100, 64, "en")
    )  # 128 would exceed the window, and nobody asked for it
    hierarchical.config.limits = {"sentences": 11, "sentence_tokens": 13, "language": "de", "tokens": None}
    own = reader_for(hierarchical, tokenizer, data, cut_to_window=False)
    assert own == DocumentReader(True, Limits(None, 11, 13, "de"))
    assert (own.limits.sentences, own.limits.sentence_tokens, own.limits.language) == (11, 13, "de")
    asked = replace(data, max_sentences=7, max_sentence_length=17, language="ja")
    assert reader_for(hierarchical, tokenizer, asked, False).limits == Limits(None, 7, 17, "ja")
    hierarchical.config.limits = {}


def test_limits_beyond_the_window_are_refused_or_cut(hierarchical, caplog):
    asked = DataConfig(max_sentence_length=65)
    with pytest.raises(UserError, match=r"data.max_sentence_length=65: the model reads at most 64 tokens"):
        reader_for(hierarchical, tiny_tokenizer(), asked, cut_to_window=False)
    with caplog.at_level(logging.INFO, "eraserhead"):
        assert reader_for(hierarchical, tiny_tokenizer(), asked, cut_to_window=True).limits.sentence_tokens == 64
    assert "cut at the model's window of 64 tokens" in caplog.text


def test_word_embeddings_have_no_window(tmp_path):
    model = tiny_hierarchical(tmp_path)
    assert reader_for(model, tiny_tokenizer(), DataConfig(), False).limits == Limits(None, 100, 128, "en")
    assert reader_for(model, tiny_tokenizer(), DataConfig(max_sentence_length=977), False).limits.sentence_tokens == 977


def test_a_flat_model_reads_documents_whole(tmp_path):
    reader = reader_for(tiny_classifier(tmp_path), tiny_tokenizer(), DataConfig(max_length=7), False)
    assert (reader.hierarchical, reader.limits) == (False, Limits(tokens=7))
    rows = reader.tokenize(texts_dataset(["good film. bad film. never"]), tiny_tokenizer())
    assert list(rows["input_ids"]) == [[2, 8, 15, 1, 9, 15, 3]]
    assert reader.pad(rows["input_ids"], 0)["input_ids"].shape == (1, 7)


def test_a_hierarchical_reading_pads_sentences():
    reader = DocumentReader(True, Limits(sentences=2, sentence_tokens=4))
    rows = reader.tokenize(texts_dataset(["good film. bad film. never", "", "good"]), tiny_tokenizer())
    padded = reader.pad(rows["input_ids"], 1)
    assert padded["input_ids"].tolist() == [
        [[2, 8, 15, 3], [2, 9, 15, 3]],
        [[1, 1, 1, 1], [1, 1, 1, 1]],
        [[2, 8, 3, 1], [1, 1, 1, 1]],
    ]
    assert padded["attention_mask"].sum(-1).tolist() == [[4, 4], [0, 0], [3, 0]]
    assert reader.pad([[], []], 7)["input_ids"].tolist() == [[[7]], [[7]]]
    assert largest(rows, "input_ids") == 15
    assert largest(rows.select([1]), "input_ids") == -1
