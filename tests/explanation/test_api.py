"""`eraserhead.explain`: one text in memory, the same numbers as on the command line and in `erase`."""

import io
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from transformers import AutoModelForSequenceClassification, BertForSequenceClassification

import eraserhead
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain as explain_config
from eraserhead.explanation.view import explanation_view
from families import new_model
from tiny import random_texts, saved_classifier, saved_hierarchical, tiny_bert_config, tiny_tokenizer
from tokenizers_of_kinds import wordpiece

pytestmark = pytest.mark.slow

TEXT = random_texts(3, longest=11)[2]


def test_a_text_is_explained_as_on_the_command_line(tmp_path):
    folder = saved_classifier(tmp_path)
    expected = explain_config(ExplainConfig(model=folder, text=TEXT, cpu=True))
    assert len(expected.words) == len(TEXT.split()) > 1
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert eraserhead.explain(folder, TEXT, cpu=True) == expected
    given = eraserhead.explain(model, {"text": TEXT}, tokenizer=tiny_tokenizer(), cpu=True)
    assert (expected.model, given.model) == (folder, "in memory")
    assert replace(given, model=folder) == expected
    for label in (1, "pos"):
        row = {"review": TEXT, "stars": label}
        assert eraserhead.explain(folder, row, text_column="review", label_column="stars").label == "pos"


def test_words_are_explained_unless_tokens_are_asked_for(tmp_path):
    """A word's attention is its pieces', and it is erased with all of them; [CLS] and [SEP] are words of their own."""
    torch.manual_seed(0)
    tokenizer = wordpiece()
    model = BertForSequenceClassification(tiny_bert_config(("a", "b"), vocab_size=len(tokenizer))).eval()
    words, tokens = (
        eraserhead.explain(model, "the wakes up. wakes", tokenizer=tokenizer, components=unit, cpu=True)
        for unit in (None, "tokens")
    )
    assert [word.name for word in words.words] == ["[CLS]", "the", "wakes", "up", ".", "wakes", "[SEP]"]
    assert [token.name for token in tokens.words] == ["[CLS]", "the", "wake", "s", "up", ".", "wake", "s", "[SEP]"]
    assert (words.components, words.site.components) == (7, "words")
    assert (tokens.components, tokens.site.components) == (9, "tokens")
    for word in words.words[1:-1]:
        inside = [token for token in tokens.words if word.start <= token.start < token.end <= word.end]
        assert word.attention == pytest.approx(sum(token.attention for token in inside))
        assert word.gradient == pytest.approx(sum(token.gradient for token in inside), abs=1e-9)
    written = console_text(explanation_view(words))
    assert "7 words" in written
    assert "Words by attention" in written
    assert "Tokens by attention" in console_text(explanation_view(tokens))


def console_text(view) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(view)
    return console.export_text()


def test_a_row_of_erase_has_the_same_flips_as_there(tmp_path):
    folder = saved_classifier(tmp_path)
    rows = [{"id": f"mine/{number}", "text": text} for number, text in enumerate(random_texts(5))]
    flips = eraserhead.erase(folder, rows, draws=3, cpu=True).flips
    for row in rows:
        found = {each.ranking: each.removed for each in eraserhead.explain(folder, row, draws=3, cpu=True).rankings}
        own = flips[flips.id == row["id"]].groupby("ranking", observed=True).removed.mean()
        for name, removed in found.items():
            assert removed is None or removed == own[name]


def test_pairs_are_explained_by_models_that_read_them_and_refused_by_others(tmp_path):
    model = new_model("bert").float()
    found = eraserhead.explain(model, ("good", "never bad"), tokenizer=tiny_tokenizer(), draws=2, cpu=True)
    assert found.text == "good\nnever bad"
    with pytest.raises(eraserhead.UserError, match="reads one text, sentence by sentence: join the two into one"):
        eraserhead.explain(saved_hierarchical(tmp_path), ("good", "bad"), cpu=True)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (["good"], {}, "text is a list; give one text"),
        (7, {}, "text is a int"),
        ({"txt": "good"}, {}, "text_column 'text': no such column; did you mean 'txt'"),
        ("good", {"label_column": "label"}, "label_column 'label': the documents have no columns"),
        ("good", {"draws": 0}, "draws=0"),
        ("good", {"max_length": 0}, "max_length=0: must be at least 1"),
        ("good", {"heads": 0}, "heads=0: must be a list of whole numbers"),
        ("\ud800", {}, "not valid Unicode"),
    ],
)
def test_what_cannot_be_explained_is_a_user_error(tmp_path, text, options, message):
    with pytest.raises(eraserhead.UserError, match=message):
        eraserhead.explain(saved_classifier(tmp_path), text, cpu=True, **options)


def test_settings_and_text_are_checked_before_the_model_is_loaded():
    for options, message in (({"draws": 0}, "draws=0"), ({"text_column": "text"}, "text_column 'text'")):
        with pytest.raises(eraserhead.UserError, match=message):
            eraserhead.explain("nowhere", "good", cpu=True, **options)
