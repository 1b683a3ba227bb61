"""Words and sentences as components, from folders to results: against the tokens that they are made of."""

import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from transformers import BertForSequenceClassification, BertTokenizerLegacy

import eraserhead
from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.erasure.config import EraseConfig, MergeConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.merging import merge_folders
from eraserhead.erasure.results import ResultsFolder
from eraserhead.errors import UserError
from eraserhead.loading import devices
from eraserhead.loading.config import SiteConfig
from eraserhead.loading.given import given_checkpoint
from eraserhead.loading.opened import open_model
from eraserhead.method.names import SHUFFLED_RANDOM, SHUFFLES
from eraserhead.models.architecture import Architecture
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from labels import LABELS, multi_label
from references import exhaustive_minimum
from tiny import (
    SPECIAL,
    WORDS,
    saved_hierarchical,
    sentence_texts,
    texts_dataset,
    tiny_bert_config,
    tiny_tokenizer,
)
from tokenizers_of_kinds import wordpiece

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("datasets_cache")]

TEXTS = [
    "the wakes wakes. don't up 3",
    "wakes up",
    "up the wakes don't the wakes wakes up. the",
    "don't wakes. the don't 3.3",
    "the",
    "",
]


def classifier(folder: Path, kind: str) -> str:
    """A tiny classifier of word pieces: inside a BERT, or with an attention-pooling head on it."""
    tokenizer = wordpiece()
    torch.manual_seed(3)
    config = tiny_bert_config(("a", "b"), vocab_size=len(tokenizer), initializer_range=0.5)
    model = BertForSequenceClassification(config).eval()
    if kind == "pooling":
        model.bert.save_pretrained(folder / "encoder")
        tokenizer.save_pretrained(folder / "encoder")
        head = Architecture(attention_size=7, dropout=0.0)
        model = AttentionPoolingForSequenceClassification.from_encoder(str(folder / "encoder"), ("a", "b"), head).eval()
        with torch.no_grad():
            model.head.last.pooling.context.weight.mul_(9)
    inputs = tokenizer([text for text in TEXTS if text], return_tensors="pt", padding=True)
    with torch.no_grad():
        bias = model.head.classifier.bias if kind == "pooling" else model.classifier.bias
        bias.sub_(model(**inputs).logits.mean(0))
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return str(folder / "model")


def groups_by_hand(text: str, special: bool) -> list[list[int]]:
    """Token positions of each word of a text, by `word_ids`."""
    words, groups = wordpiece()(text).word_ids(), []
    for place, word in enumerate(words):
        if word is not None and word == words[place - 1]:
            groups[-1].append(place)
        elif word is not None or special:
            groups.append([place])
    return groups


def read(folder: str, unit: str, texts: list[str], **options):
    """The reading of some texts, as `erase` reads them."""
    checkpoint = given_checkpoint(folder, None, None, "float64", False, lambda config, name: None)
    config = SiteConfig(components=unit, dtype="float64", **options)
    opened = open_model(checkpoint, config, DataConfig(), devices.start(True))
    rows = opened.tokenize(texts_dataset(texts))[:]
    return opened.read(rows, range(len(texts)), {"product", "gradient", "margin_product", "margin_gradient"})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("pooling", {}),
        ("inside", {}),
        ("inside", {"site": "layer:1", "special_tokens": False}),
        ("inside", {"site": "all", "heads": [0, 3]}),
    ],
    ids=str,
)
def test_a_word_is_its_pieces_at_every_site(tmp_path, kind, options):
    """Sums, means in proportion, and every word erased alone as all its pieces are; special tokens by themselves."""
    folder = classifier(tmp_path, kind)
    tokens, words = (read(folder, unit, TEXTS, **options) for unit in ("tokens", "words"))
    special = kind == "inside" and options.get("special_tokens", True)
    alone = words.singles()
    several = 0
    for row, text in enumerate(TEXTS):
        place_of = {position: at for at, position in enumerate(tokens.positions[row, : tokens.lengths[row]].tolist())}
        groups = groups_by_hand(text, special)
        assert int(words.lengths[row]) == len(groups)
        assert words.positions[row, : len(groups)].tolist() == [group[0] for group in groups]
        for number, group in enumerate(groups):
            own = [place_of[position] for position in group]
            several += len(own) > 1
            weights, slopes = tokens.weights[row, own], tokens.signals["gradient"][row, own]
            torch.testing.assert_close(words.weights[row, number], weights.sum())
            torch.testing.assert_close(words.signals["gradient"][row, number], weights @ slopes / weights.sum())
            torch.testing.assert_close(
                words.signals["product"][row, number], tokens.signals["product"][row, own].sum(), rtol=1e-7, atol=1e-12
            )
            keep = tokens.mask[row].clone()
            keep[own] = False
            by_hand = tokens.evaluate(torch.tensor([row]), keep.view(1, 1, -1)).logits[0, 0]
            torch.testing.assert_close(alone.logits[row, number], by_hand, rtol=0, atol=1e-10)
    assert several >= 5


def test_the_minimum_by_words_is_that_of_every_subset_of_words(tmp_path):
    folder = classifier(tmp_path, "pooling")
    tokens = read(folder, "tokens", TEXTS)
    found = eraserhead.erase(folder, TEXTS, components="words", dtype="float64", cpu=True)
    minima = found.flips[found.flips.ranking == "minimum"].set_index("id")
    outcomes = set()
    for row, text in enumerate(TEXTS):
        place_of = {position: at for at, position in enumerate(tokens.positions[row, : tokens.lengths[row]].tolist())}
        groups = [[place_of[position] for position in group] for group in groups_by_hand(text, special=False)]
        if not groups:
            continue
        weights = torch.stack([tokens.weights[row, own].sum() for own in groups])
        logits = torch.stack(
            [tokens.weights[row, own] @ tokens.component_logits[row, own] / tokens.weights[row, own].sum()
             for own in groups]
        )  # fmt: skip
        slow, mine = exhaustive_minimum(weights, logits, tokens.bias), minima.loc[f"texts/{row}"]
        assert mine.n == len(groups)
        assert mine.outcome == slow.outcome
        assert slow.removed is None or mine.removed == slow.removed
        outcomes.add(slow.outcome)
    assert "flip" in outcomes


def test_results_are_of_words_and_say_so(tmp_path, capsys):
    """On the command line, in parts: texts and offsets as written, the folder's name, and what `show` prints."""
    folder = classifier(tmp_path, "inside")
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    options = ["--data.path", str(tmp_path / "texts.jsonl"), "--components", "words", "--draws", "2", "--cpu", "true"]
    assert main(["erase", folder, *options, "--shard_size", "2"]) == 0
    whole = ResultsFolder(Path(folder) / "erasure-by-words")
    rows = {row["text"]: row for row in whole.table("documents").to_pylist()}
    row = rows[TEXTS[0]]
    assert row["components"] == ["[CLS]", "the", "wakes", "wakes", ".", "don", "'", "t", "up", "3", "[SEP]"]
    assert (row["n"], row["tokens"]) == (11, 13)
    for row in rows.values():
        for name, start, end in zip(row["components"], row["starts"], row["ends"], strict=True):
            assert row["text"][start:end] == ("" if name in ("[CLS]", "[SEP]") else name)
    signals = whole.table("signals").to_pandas()
    assert all(len(each.scores) == rows[TEXTS[0]]["n"] for each in signals[signals.id.str.endswith("/0")].itertuples())
    assert whole.summary().setup.site.components == "words"
    assert whole.summary().setup.site.words_by == "tokenizer"
    capsys.readouterr()
    assert main(["show", str(whole.path), "--details"]) == 0
    shown = capsys.readouterr().out
    assert "over words" in shown
    assert "Fraction of the words erased" in shown
    parts = []
    for number in (1, 2):
        assert main(["erase", folder, *options, "--shard_size", "2", "--part", f"{number}/2"]) == 0
        parts.append(str(Path(folder) / f"erasure-by-words-part-{number}-of-2"))
    merged = merge_folders(MergeConfig(parts, str(tmp_path / "merged")))
    for name in ("documents", "flips", "signals", "singles"):
        assert merged.table(name).equals(whole.table(name))


@pytest.mark.parametrize("site", [None, "words"])
def test_a_hierarchical_model_has_sentences_at_its_last_attention_and_words_below(tmp_path, site):
    folder, texts = saved_hierarchical(tmp_path, "rnn"), sentence_texts(4, seed=2)
    by = {} if site is None else {"site": site}
    sentences = eraserhead.erase(folder, texts, components="sentences", draws=1, cpu=True, **by)
    written = [[sentence.strip() for sentence in text.replace(".", ".|").split("|") if sentence] for text in texts]
    assert [list(own) for own in sentences.documents.components] == written
    if site is None:
        default = eraserhead.erase(folder, texts, draws=1, cpu=True)
        assert default.tables["flips"].equals(sentences.tables["flips"])
        with pytest.raises(UserError, match=r"components='words'.*attends over sentences.*site='words'"):
            eraserhead.erase(folder, texts, components="words", cpu=True)
        return
    words = eraserhead.erase(folder, texts, components="words", site=site, draws=1, cpu=True)
    tokens = eraserhead.erase(folder, texts, site=site, draws=1, cpu=True)
    own = [each.flips[~each.flips.ranking.isin(SHUFFLES)].reset_index(drop=True) for each in (words, tokens)]
    assert own[0].equals(own[1])  # each word is one token here; weights of tokens alone can be shuffled
    attention = sentences.signals[sentences.signals.ranking == "attention"].scores
    pooled = eraserhead.erase(folder, texts, draws=1, cpu=True).signals
    for own, above in zip(attention, pooled[pooled.ranking == "attention"].scores, strict=True):
        np.testing.assert_allclose(own, above, atol=1e-6)


def test_labels_of_a_document_are_decided_on_the_same_words(tmp_path):
    folder = multi_label(tmp_path, "inside")
    texts = ["fine cast", "never wakes up"]
    found = eraserhead.erase(folder, texts, target="all", components="sentences", draws=1, cpu=True)
    assert set(found.documents.target) == set(LABELS)
    assert {tuple(own) for own in found.documents.components} == {("[CLS]", text, "[SEP]") for text in texts}
    assert set(found.documents.n) == {3}


def test_known_evidence_is_found_by_words(tmp_path):
    """The AUC of each order, counted pair by pair over the words that share a character with a span."""
    data = DataConfig(name="planted", test_size=3)
    spans = {row["id"]: row["rationales"][0] for row in load_documents(data, "test").rows}
    folder = classifier(tmp_path, "pooling")
    options = {"components": "words", "data": data, "draws": 1, "cpu": True}
    results = erase_to_folder(EraseConfig(model=folder, output_dir=str(tmp_path / "found"), **options))
    known = {row["id"]: row for row in results.table("documents").to_pylist()}
    for flips in results.table("flips").filter(pc.field("ranking") != SHUFFLED_RANDOM).to_pylist():
        row = known[flips["id"]]
        relevant = [
            any(start < span["end"] and end > span["start"] for span in spans[flips["id"]])
            for start, end in zip(row["starts"], row["ends"], strict=True)
        ]
        place = {component: at for at, component in enumerate(flips["order"])}
        hits, misses = ([at for at, hit in enumerate(relevant) if hit is wanted] for wanted in (True, False))
        before = [place[hit] < place[miss] for hit in hits for miss in misses]
        assert flips["rationale_auc"] == (pytest.approx(sum(before) / len(before)) if before else None)
    assert known["test/0"]["components"][:3] == ["A", "colleague", "had"]


def test_a_tokenizer_without_offsets_has_tokens_alone(tmp_path):
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join([*SPECIAL, *WORDS]))
    model, slow = BertForSequenceClassification(tiny_bert_config(("a", "b"))), BertTokenizerLegacy(str(vocabulary))
    for unit in ("words", "sentences"):
        with pytest.raises(UserError, match=rf"components='{unit}'.*fast tokenizer.*components='tokens'"):
            eraserhead.erase(model, ["fine cast"], tokenizer=slow, components=unit, cpu=True)
    with pytest.raises(UserError, match="use a fast tokenizer"):
        eraserhead.explain(model, "fine cast", tokenizer=slow, cpu=True)
    with pytest.raises(UserError, match=r"components.*'tokens' or 'words' or 'sentences'"):
        eraserhead.erase(model, ["fine cast"], tokenizer=tiny_tokenizer(), components="word", cpu=True)
