"""What models read of long documents: tokens, offsets, units and counts, for each of the three ways."""

import pytest
from datasets import Dataset
from transformers import BertTokenizerLegacy

from eraserhead.data.config import DataConfig
from eraserhead.data.tokens import Truncation, tokenize, truncation
from eraserhead.data.units import Units
from eraserhead.errors import UserError
from eraserhead.loading.reader import check_limits, reader_for, reading_as
from eraserhead.models.architecture import Architecture, Limits
from eraserhead.models.long_documents import Windows
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.special_tokens import framing
from families import new_model
from tiny import SPECIAL, WORDS, texts_dataset, tiny_classifier, tiny_encoder, tiny_hierarchical, tiny_tokenizer

pytestmark = pytest.mark.usefixtures("datasets_cache")

TEXT = "a fine cast never wakes up but the script is dull"
"""Eleven words; with [CLS] and [SEP] 13 tokens."""
TEXTS = [TEXT, "", "good", "the film was not bad"]


def reader(model, cut_to_window=True, **settings):
    return reader_for(model, tiny_tokenizer(), DataConfig(**settings), cut_to_window)


@pytest.fixture
def model(tmp_path):
    return tiny_classifier(tmp_path)


def words(ids):
    return " ".join(tiny_tokenizer().convert_ids_to_tokens(ids))


def test_the_middle_is_cut_out_and_offsets_stay_those_of_the_text(model):
    """Of 10 tokens 8 are of the text, and 8 * 128 // 510 = 2 from its beginning."""
    rows = reader(model, max_length=10, long_documents="head_tail").tokenize(texts_dataset(TEXTS), tiny_tokenizer())
    assert words(rows[0]["input_ids"]) == "[CLS] a fine up but the script is dull [SEP]"
    spans = list(zip(rows[0]["starts"], rows[0]["ends"], strict=True))
    assert [TEXT[start:end] for start, end in spans] == [
        "",
        *["a", "fine", "up", "but", "the", "script", "is", "dull"],
        "",
    ]
    assert list(rows["tokens"]) == [10, 2, 3, 7]
    assert list(rows["truncated_tokens"]) == [3, 0, 0, 0]
    assert truncation(rows) == Truncation(documents=4, truncated_documents=1, tokens=22, truncated_tokens=3)


def test_units_and_slow_tokenizers_lose_the_same_middle(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL, *WORDS]) + "\n")
    slow = BertTokenizerLegacy(str(tmp_path / "vocab.txt"))
    assert not slow.is_fast
    expected = tokenize(texts_dataset(TEXTS), tiny_tokenizer(), 10, framing=(1, 1))
    found = tokenize(texts_dataset(TEXTS), slow, 10, framing=(1, 1))
    for name in ("input_ids", "tokens", "truncated_tokens"):
        assert list(found[name]) == list(expected[name])
    assert found[0]["starts"] is None
    text = "good film. it was very dull. the cast is bad. a fine script"  # 16 tokens in sentences of 3, 5, 5 and 3
    units = Units("sentences", lambda text: [(0, 10), (10, 28), (28, 45), (45, len(text))])
    rows = tokenize(texts_dataset([text]), tiny_tokenizer(), 10, units, framing=(1, 1))
    assert words(rows[0]["input_ids"]) == "[CLS] good film is bad [UNK] a fine script [SEP]"
    assert rows[0]["units"] == [0, 1, 1, 2, 2, 2, 3, 3, 3, 4]


def test_windows_read_whole_documents_and_at_most_as_many_windows_as_are_asked_for(model):
    """A window of 5 tokens has 3 of the text, and begins 2 later than the one before: 13 tokens in 5 windows."""
    settings = {"max_length": 5, "long_documents": "windows", "window_overlap": 1}
    every = reader(model, **settings)
    rows = every.tokenize(texts_dataset(TEXTS), tiny_tokenizer())
    assert list(rows["tokens"]) == [13, 2, 3, 7]
    assert truncation(rows).truncated_tokens == 0
    assert every.windows == Windows(5, 1, 1, 1)
    assert every.encoded(rows["tokens"]) == [25, 2, 3, 10]
    few = reader(model, **settings, max_windows=3)
    rows = few.tokenize(texts_dataset(TEXTS), tiny_tokenizer())
    assert words(rows[0]["input_ids"]) == "[CLS] a fine cast never wakes up but [SEP]"
    assert list(rows["tokens"]) == [9, 2, 3, 7]
    assert list(rows["truncated_tokens"]) == [4, 0, 0, 0]
    assert few.encoded([9]) == [15]
    cut = reader(model, max_length=5)
    assert cut.encoded([13, 5]) == [13, 5]
    assert list(cut.tokenize(texts_dataset(TEXTS), tiny_tokenizer())["truncated_tokens"]) == [8, 0, 0, 2]


def test_missing_settings_come_from_the_model_else_a_quarter_overlaps(model):
    assert reader(model).limits == Limits(64)
    asked = {"max_length": 21, "long_documents": "windows"}
    assert reader(model, **asked).limits == Limits(21, long_documents="windows", window_overlap=5)
    assert reader(model, max_length=3, long_documents="windows").limits.window_overlap == 0
    model.config.limits.update(tokens=9, long_documents="windows", window_overlap=4, windows=7)
    own = Limits(9, long_documents="windows", window_overlap=4, windows=7)
    assert reader(model).limits == own
    assert reader(model, max_windows=2, window_overlap=0).limits == Limits(
        9, long_documents="windows", window_overlap=0, windows=2
    )
    assert reader(model, max_length=5).limits.window_overlap == 1  # four of the model's own are too many
    assert reader(model, long_documents="cut").limits == Limits(9)
    assert reader(model, long_documents="head_tail").limits == Limits(9, long_documents="head_tail")
    assert reader(new_model("bert"), long_documents="head_tail", max_length=11).framing == (1, 1)


def test_a_model_is_read_in_other_windows_without_a_change_of_the_one_given(model):
    asked = reader(model, max_length=7, long_documents="windows", window_overlap=2)
    other = reading_as(model, asked)
    assert other.config.windows == Windows(7, 2, 1, 1)
    assert model.config.windows is None
    assert all(one is two for one, two in zip(model.parameters(), other.parameters(), strict=True))
    assert reading_as(other, asked) is other
    assert reading_as(other, reader(other, long_documents="cut")).config.windows is None
    assert reading_as(model, reader(model, long_documents="head_tail")) is model


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window_overlap": 3}, "window_overlap=3: has no effect without data.long_documents='windows'"),
        ({"max_windows": 3, "long_documents": "head_tail"}, "max_windows=3: has no effect without"),
        ({"long_documents": "windows", "max_length": 9, "window_overlap": 7}, "window_overlap=7: a window of 9 tokens"
         " has 7 of the text; give 6 or less"),
        ({"long_documents": "windows", "max_length": 2}, "the tokenizer adds 2 special tokens; give 3 or more"),
        ({"long_documents": "windows", "max_length": 65}, "max_length=65: the model reads at most 64 tokens"),
        ({"long_documents": "head_tail", "pair_column": "second"}, "a pair of texts is read at once"),
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_do_not_go_together_are_refused_in_one_line(model, settings, message):
    with pytest.raises(UserError) as refused:
        reader(model, cut_to_window=False, **settings)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_models_without_windows_are_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"'bert' model reads its decision from one window; give .*head_tail"):
        reader(new_model("bert"), long_documents="windows")
    embeddings = AttentionPoolingForSequenceClassification.from_encoder(
        tiny_encoder(tmp_path / "flat"), ("a", "b"), Architecture(encoder_layers=0)
    )
    with pytest.raises(UserError, match="word embeddings alone have no window"):
        reader(embeddings, long_documents="windows")
    for settings in ({"long_documents": "windows"}, {"long_documents": "cut"}, {"max_windows": 2}):
        with pytest.raises(UserError, match="the model reads documents sentence by sentence"):
            reader(tiny_hierarchical(tmp_path / "deep"), **settings)
        with pytest.raises(UserError, match="the model reads documents sentence by sentence"):
            check_limits(True, DataConfig(**settings))


def test_documents_with_rationales_and_other_columns_keep_them(model):
    rows = Dataset.from_dict({"id": ["a"], "text": [TEXT], "label": [1], "data": ["kept"]})
    found = reader(model, max_length=6, long_documents="head_tail").tokenize(rows, tiny_tokenizer())
    assert (found[0]["data"], found[0]["label"], found[0]["tokens"]) == ("kept", 1, 6)


class Weaving:
    """Of a tokenizer that writes a text otherwise where special tokens stand around it."""

    def __call__(self, text, add_special_tokens=True):
        return {"input_ids": [2, 9, 3] if add_special_tokens else [7, 8]}


def test_a_tokenizer_whose_special_tokens_cannot_be_told_cuts_and_is_refused_otherwise(model, monkeypatch):
    assert framing(tiny_tokenizer()) == (1, 1)
    assert framing(Weaving()) is None
    monkeypatch.setattr("eraserhead.loading.reader.framing", lambda _: None)
    assert reader_for(model, tiny_tokenizer(), DataConfig(max_length=6), cut_to_window=False).windows is None
    with pytest.raises(UserError, match="does not let its special tokens be told from a text's own; leave it out"):
        reader_for(model, tiny_tokenizer(), DataConfig(max_length=6, long_documents="windows"), cut_to_window=False)
