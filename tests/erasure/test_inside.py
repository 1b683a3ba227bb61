"""Erasure inside hub checkpoints, from folders to results: what works, and what is refused in one line."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    BertTokenizer,
    BertTokenizerLegacy,
    PreTrainedTokenizerFast,
)
from transformers.modeling_outputs import SequenceClassifierOutput

import eraserhead
from eraserhead.cli.main import main
from eraserhead.data.batching import pad
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.errors import UserError
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain
from eraserhead.patch.families import FAMILIES, REFUSED
from eraserhead.showing.shading import BARS
from eraserhead.sites.inside.site import SelfAttentionSite
from tables import frames, scores
from tiny import SPECIAL, WORDS, random_texts, saved_classifier, saved_hierarchical, tiny_bert_config, tiny_tokenizer

pytestmark = pytest.mark.slow

LABELS = ("neg", "pos", "mixed")
TEXTS = random_texts(24, seed=5, longest=13)


def checkpoint(folder: Path, tokenizer=None, dtype=torch.float32, **changes) -> str:
    """A random 3-layer BERT classifier whose decisions differ from document to document."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(tiny_bert_config(LABELS, **changes)).eval()
    model.to(dtype).save_pretrained(folder)
    (tokenizer or tiny_tokenizer()).save_pretrained(folder)
    return str(folder)


def texts_file(folder: Path, texts=TEXTS, names=LABELS) -> DataConfig:
    path = folder / "texts.jsonl"
    rows = [{"text": text, "label": names[index % len(names)]} for index, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return DataConfig(path=str(path), max_length=64)


def run(tmp_path, **changes) -> EraseConfig:
    data = changes.pop("data", None) or texts_file(tmp_path)
    model = changes.pop("model", None) or checkpoint(tmp_path / "model")
    settings = {"output_dir": str(tmp_path / "results"), "draws": 2, "cpu": True, **changes}
    return EraseConfig(model=model, data=data, **settings)


def edited(folder: Path, **values) -> str:
    """Change values of a checkpoint's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return str(folder)


def test_results_hold_what_they_promise(tmp_path):
    """Every flip is checked against the model itself: the attention mask is what `all` comes to."""
    results = erase_to_folder(run(tmp_path, site="all", special_tokens=False))
    tables, summary = frames(results), results.summary()
    model = BertForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    site = summary.setup.site
    assert (site.site, site.heads, site.dtype, site.special_tokens) == ("all", None, "float32", False)
    assert summary.yardstick == "best_found"
    documents = tables["documents"].set_index("id")
    assert documents.n.tolist() == [len(text.split()) for text in TEXTS]  # [CLS] and [SEP] are no components
    checked = 0
    for row in tables["flips"].itertuples():
        inputs = tiny_tokenizer()(documents.text[row.id], return_tensors="pt")
        decisions = []
        for k in range(1, row.n + 1):
            mask = inputs["attention_mask"].clone()
            mask[0, 1 + row.order[:k]] = 0
            with torch.no_grad():
                decisions.append(int(model(**{**inputs, "attention_mask": mask}).logits.argmax()))
        original = int(documents.prediction[row.id])
        first = next((k for k, decision in enumerate(decisions, 1) if decision != original), None)
        assert (None if np.isnan(row.removed) else int(row.removed)) == first
        assert row.outcome == ("never" if first is None else "flip")  # special tokens keep some attention
        checked += first is not None and first < row.n
    assert checked > 20
    best = tables["flips"][tables["flips"].ranking == "best_found"].set_index("id")
    others = tables["flips"][tables["flips"].ranking != "best_found"].groupby("id").removed.min()
    assert best.removed.equals(others.loc[best.index].rename("removed"))


@pytest.mark.parametrize("site", [None, "layer:1", "layer:0:all", "all"])
def test_sites_heads_and_special_tokens_reach_the_summary_and_the_tables(tmp_path, site):
    results = erase_to_folder(run(tmp_path, site=site, heads=[2, 0]))
    setup = results.summary().setup.site
    assert (setup.site, setup.heads, setup.special_tokens) == (site or "layer:2", (0, 2), True)
    documents, found = frames(results)["documents"], scores(results)
    assert documents.n.tolist() == [len(text.split()) + 2 for text in TEXTS]
    for row in documents.itertuples():
        assert sum(found["attention"][row.id]) == pytest.approx(1.0)
        assert len(found["product"][row.id]) == row.n


def test_the_greedy_search_never_finds_larger_sets_and_is_timed_apart(tmp_path):
    config = run(tmp_path, site="layer:0:all")
    plain = erase_to_folder(config)
    searched = erase_to_folder(replace(config, search="greedy", output_dir=str(tmp_path / "greedy")))

    def best(results):
        flips = frames(results)["flips"]
        return flips[flips.ranking == "best_found"].removed.fillna(np.inf).to_numpy()

    assert (best(searched) <= best(plain)).all()
    assert (best(searched) < best(plain)).any()
    assert searched.summary().run.search_seconds > 0
    assert searched.summary().beyond_rankings.value > 0
    assert plain.summary().beyond_rankings.value == 0
    assert plain.summary().run.search_seconds is None


def test_show_and_explain_name_the_upper_bound(tmp_path, capsys):
    config = run(tmp_path, site="all")
    data = ["--data.path", config.data.path, "--draws", "2", "--cpu"]
    assert main(["erase", config.model, "--site", "all", "--output_dir", config.output_dir, *data]) == 0
    shown = capsys.readouterr().out
    assert "upper bound │" in shown
    assert "upper bound of the minimum" in " ".join(shown.split())  # long lines are wrapped
    assert "site: all, special tokens are components" in " ".join(shown.split())  # long paths wrap
    assert "exact minimum" not in shown
    assert main(["explain", config.model, "a fine cast but a dull script", "--site", "all", "--cpu"]) == 0
    explained = capsys.readouterr().out
    assert "upper bound of the minimum" in " ".join(explained.split())
    assert "upper bound │" in explained


def test_families_lists_every_family(capsys):
    assert main(["families"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in FAMILIES)


def test_the_python_api_takes_a_model_in_memory_and_leaves_it_as_it_was(tmp_path):
    checkpoint(tmp_path / "model")
    model = BertForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = eraserhead.erase(model, TEXTS[:5], tokenizer=tiny_tokenizer(), site="layer:1", draws=1, cpu=True)
    named = eraserhead.erase(str(tmp_path / "model"), TEXTS[:5], site="layer:1", draws=1, cpu=True)
    assert result.flips.equals(named.flips)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.config._attn_implementation == "sdpa"


def pairs_classifier(tmp_path) -> tuple[str, BertTokenizer]:
    """BERT's own tokenizer: [CLS] first [SEP] second [SEP], types 0 and 1."""
    tokenizer = BertTokenizer(vocab={token: index for index, token in enumerate([*SPECIAL, *WORDS])})
    return checkpoint(tmp_path / "pairs", tokenizer), tokenizer


def test_sequence_pairs_are_read_as_the_model_reads_them(tmp_path):
    """Predictions equal the model's own on pairs, offsets index the stored text, types reach the model."""
    folder, tokenizer = pairs_classifier(tmp_path)
    firsts, seconds = TEXTS[:11], random_texts(11, seed=9, longest=7)
    rows = [{"text": a, "hypothesis": b, "label": "neg"} for a, b in zip(firsts, seconds, strict=True)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = DataConfig(path=str(path), pair_column="hypothesis", max_length=15)
    results = erase_to_folder(run(tmp_path, model=folder, data=data))
    documents = frames(results)["documents"]
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    differ = 0
    for row, first, second in zip(documents.itertuples(), firsts, seconds, strict=True):
        inputs = tokenizer(first, second, return_tensors="pt", truncation=True, max_length=15)
        with torch.no_grad():
            expected = model(**inputs).logits[0].softmax(-1)
            untyped = model(inputs["input_ids"]).logits[0].softmax(-1)
        torch.testing.assert_close(torch.tensor(row.probabilities), expected.double(), rtol=0, atol=1e-5)
        differ += (expected - untyped).abs().max() > 1e-3
        assert row.text == f"{first}\n{second}"
        components = zip(row.components, row.starts, row.ends, strict=True)
        assert all(name == row.text[start:end].lower() for name, start, end in components if not name.startswith("["))
        assert row.tokens + row.truncated_tokens == len(first.split()) + len(second.split()) + 3
    assert differ > 5
    assert (documents.truncated_tokens > 0).any()
    columns = {"text": firsts, "hypothesis": seconds}
    result = eraserhead.erase(
        folder, Dataset.from_dict(columns), pair_column="hypothesis", max_length=15, draws=2, cpu=True
    )
    assert result.documents.probabilities.map(list).tolist() == documents.probabilities.map(list).tolist()


def test_pairs_are_refused_by_hierarchical_models(tmp_path):
    folder = saved_hierarchical(tmp_path)
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"text": "a cast", "hypothesis": "a film", "label": "neg"}) + "\n")
    with pytest.raises(UserError, match=r"^the documents are pairs, and .* reads one text, .*: join"):
        erase_to_folder(run(tmp_path, model=folder, data=DataConfig(path=str(path), pair_column="hypothesis")))


def test_labels_are_matched_by_name_or_by_the_map(tmp_path, caplog):
    model = checkpoint(tmp_path / "model", id2label={0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}, label2id={})
    config = run(tmp_path, model=model)
    with caplog.at_level("INFO", "eraserhead"):
        unmatched = erase_to_folder(config).summary()
    assert unmatched.accuracy.value is None
    assert "label_map" in caplog.text
    pairs = ["neg=LABEL_2", "pos=LABEL_0", "mixed=LABEL_1"]
    mapped = erase_to_folder(replace(config, label_map=pairs, output_dir=str(tmp_path / "mapped")))
    documents = frames(mapped)["documents"]
    assert documents.label.tolist()[:3] == [2, 0, 1]
    assert mapped.summary().accuracy.value == pytest.approx((documents.label == documents.prediction).mean())
    folder = tmp_path / "named"  # the data and the model call different things by the same names
    named = DatasetDict({"test": Dataset.from_dict({"text": TEXTS, "label": [i % 3 for i in range(len(TEXTS))]})})
    named.cast_column("label", ClassLabel(names=["LABEL_0", "LABEL_1", "LABEL_2"])).save_to_disk(folder)
    turned = ["LABEL_0=LABEL_1", "LABEL_1=LABEL_2", "LABEL_2=LABEL_0"]
    options = {"data": DataConfig(path=str(folder), max_length=64), "label_map": turned}
    by_map = erase_to_folder(replace(config, output_dir=str(tmp_path / "turned"), **options))
    assert frames(by_map)["documents"].label.tolist()[:3] == [1, 2, 0]
    with pytest.raises(UserError, match=r"'nega' is no class of the data; did you mean 'neg'.*'LABEL_7' is no class"):
        erase_to_folder(replace(config, label_map=["nega=LABEL_2", "pos=LABEL_7"], overwrite=True))
    with pytest.raises(UserError, match="'neg' is not a pair"):
        erase_to_folder(replace(config, label_map=["neg"], overwrite=True))


def test_half_precision_checkpoints_are_loaded_in_float32_unless_asked(tmp_path):
    model = checkpoint(tmp_path / "model", dtype=torch.bfloat16)
    config = run(tmp_path, model=model)
    full = erase_to_folder(config)
    half = erase_to_folder(replace(config, dtype="bfloat16", output_dir=str(tmp_path / "half")))
    assert full.summary().setup.site.dtype == "float32"
    assert half.summary().setup.site.dtype == "bfloat16"
    exact = BertForSequenceClassification.from_pretrained(model, dtype=torch.float32).eval()
    for row in frames(full)["documents"].itertuples():
        with torch.no_grad():
            expected = exact(**tiny_tokenizer()(row.text, return_tensors="pt")).logits[0].softmax(-1)
        torch.testing.assert_close(torch.tensor(row.probabilities), expected.double(), rtol=0, atol=1e-5)


def test_a_slow_tokenizer_has_no_offsets_and_all_else_works(tmp_path):
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join([*SPECIAL, *WORDS]))
    folder = checkpoint(tmp_path / "model", BertTokenizerLegacy(str(vocabulary)))
    edit = tmp_path / "model" / "tokenizer_config.json"
    edit.write_text(json.dumps({**json.loads(edit.read_text()), "tokenizer_class": "BertTokenizerLegacy"}))
    documents = frames(erase_to_folder(run(tmp_path, model=folder)))["documents"]
    assert documents.starts.isna().all()
    assert documents.components[0].tolist()[1:-1] == TEXTS[0].split()


def decoder(folder: Path, padding: str | None, in_config: bool) -> str:
    """A tiny GPT-2 classifier whose tokenizer frames nothing: an empty text has no token at all."""
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", eos_token="[SEP]", pad_token=padding, model_max_length=64
    )
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "gpt2", vocab_size=len(vocabulary), n_embd=24, n_layer=2, n_head=2, n_positions=64, initializer_range=0.4,
        id2label=dict(enumerate(LABELS)), label2id={name: index for index, name in enumerate(LABELS)},
        bos_token_id=3, eos_token_id=3, pad_token_id=0 if in_config else None,
    )  # fmt: skip
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("padding", "said"),
    [
        ("[PAD]", "the tokenizer's is used ('[PAD]')"),
        (None, "only documents of the same length are read together"),
    ],
)
def test_a_decoder_without_padding_takes_its_tokenizers_or_reads_equal_lengths(tmp_path, caplog, padding, said):
    folder = decoder(tmp_path / "decoder", padding, in_config=False)
    with caplog.at_level("INFO", "eraserhead"):
        results = erase_to_folder(run(tmp_path, model=folder, data=texts_file(tmp_path, [*TEXTS, ""])))
    assert said in caplog.text
    documents = frames(results)["documents"]
    assert documents.n.tolist() == [len(text.split()) for text in [*TEXTS, ""]]
    assert results.summary().documents.without_components == 1
    assert results.summary().setup.model.lent_padding == padding
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    for row in documents[documents.n > 0].itertuples():
        ids = torch.tensor([[[*SPECIAL, *WORDS].index(word) for word in row.text.split()]])
        with torch.no_grad():
            expected = model(ids).logits[0].softmax(-1)  # one document: its last token, by position
        torch.testing.assert_close(torch.tensor(row.probabilities), expected.double(), rtol=0, atol=1e-5)


def test_texts_beyond_the_window_are_cut_counted_and_reported(tmp_path, caplog):
    config = run(tmp_path, data=replace(texts_file(tmp_path, [" ".join(["fine"] * 90), "bad"]), max_length=100))
    with caplog.at_level("INFO", "eraserhead"):
        summary = erase_to_folder(config).summary()
    assert "cut at the model's window of 64 tokens" in caplog.text
    assert summary.truncation.truncated_tokens == 90 + 2 - 64


INSIDE = "layer:L, layer:L:all, all, encoder:L, decoder:L and cross:L"  # sites inside a model


def refused(tmp_path, match: str, **changes) -> None:
    config = run(tmp_path, **changes)
    with pytest.raises(UserError, match=match) as error:
        erase_to_folder(config)
    assert "\n" not in str(error.value)
    assert not Path(config.output_dir).exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"site": "layer:12"}, "site='layer:12': the model has 3 layers, numbered from 0 to 2"),
        ({"site": "layer:-4"}, "site='layer:-4': the model has 3 layers"),
        ({"site": "layer"}, "site='layer': not a site"),
        (
            {"site": "pooling"},
            "'bert' model has no attention-pooling layer .*; choose layer:L, layer:L:all or all$",
        ),
        ({"site": "words"}, "site='words': a 'bert' model has no attention over the words of sentences; choose"),
        ({"heads": [0, 4, 7]}, r"heads=\[4, 7\]: a layer of the model has 4 heads, numbered from 0 to 3"),
        ({"heads": []}, r"heads=\[\]"),
        ({"memory_budget": 0.0}, r"memory_budget=0\.0: must be at least"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_the_model_are_refused(tmp_path, options, match):
    refused(tmp_path, match, **options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"site": "layer"},
            r"^site='layer': not a site; did you mean 'layer:L'\?; there are pooling, words, layer:L, ",
        ),
        ({"site": "poling"}, r"^site='poling': not a site; did you mean 'pooling'\?"),
        ({"site": "inside"}, "^site='inside': not a site"),
        ({"site": ""}, "^site='': not a site"),
        (
            {"site": "pooling", "heads": [0], "search": "greedy", "memory_budget": 2.0},
            f"^memory_budget=2.0: has no effect at pooling; it belongs to words, {INSIDE}; "
            rf"heads=\[0\]: has no effect at pooling; it belongs to {INSIDE}; "
            f"search='greedy': has no effect at pooling; it belongs to words, {INSIDE}$",
        ),
        (
            {"site": "words", "special_tokens": False, "search": "greedy"},
            f"^special_tokens=False: has no effect at words; it belongs to {INSIDE}$",
        ),
    ],
    ids=str,
)
def test_what_the_text_of_a_site_shows_is_refused_before_the_model_is_looked_for(tmp_path, options, match):
    refused(tmp_path, match, model=str(tmp_path / "no-such-model"), **options)
    with pytest.raises(UserError, match=match):
        explain(ExplainConfig(model=str(tmp_path / "no-such-model"), text="a fine film", **options))
    with pytest.raises(UserError, match=match):
        eraserhead.erase(tmp_path / "no-such-model", ["a fine film"], **options)
    with pytest.raises(UserError, match=match):
        eraserhead.explain(tmp_path / "no-such-model", "a fine film", **options)


def test_options_for_the_inside_are_refused_at_a_pooling_layer(tmp_path):
    options = {"site": "all", "heads": [0], "special_tokens": True, "search": "greedy"}
    refused(tmp_path, "site='all'.*special_tokens=.*heads=.*search=", model=saved_classifier(tmp_path), **options)


def test_checkpoints_without_one_decision_are_refused(tmp_path):
    checkpoint(tmp_path / "regression", num_labels=1, id2label={0: "score"}, label2id={"score": 0})
    refused(tmp_path, "regression .*no decision to flip", model=str(tmp_path / "regression"))
    checkpoint(tmp_path / "several", problem_type="regression")
    refused(tmp_path, "a regression model \\(3 output.*no decision to flip", model=str(tmp_path / "several"))
    AutoModel.from_config(tiny_bert_config(LABELS)).save_pretrained(tmp_path / "headless")
    tiny_tokenizer().save_pretrained(tmp_path / "headless")
    refused(tmp_path, "no classification head .*train.model={'encoder': ", model=str(tmp_path / "headless"))


def test_families_that_cannot_be_replayed_are_refused_by_name_before_their_weights_are_loaded(tmp_path):
    for family in ("longformer", "funnel", "fnet"):
        folder = tmp_path / family
        AutoConfig.for_model(family).save_pretrained(folder)
        mend = f"an attention-pooling head on its encoder .*`train\\(model={{'encoder': '{re.escape(str(folder))}'"
        refused(tmp_path, f"'{family}' model cannot be erased: {REFUSED[family].reason}; {mend}", model=str(folder))
    AutoConfig.for_model("big_bird", attention_type="block_sparse").save_pretrained(tmp_path / "sparse")
    refused(
        tmp_path,
        "attention_type = 'block_sparse'.* set attention_type to 'original_full'",
        model=str(tmp_path / "sparse"),
    )


def classifier(folder: Path, model_type: str, **values) -> str:
    """A random checkpoint of another family, with the tiny tokenizer."""
    torch.manual_seed(0)
    common = {"vocab_size": len(SPECIAL) + 30, "pad_token_id": 0, "eos_token_id": 3, "num_labels": 3, "hidden_size": 24}
    config = AutoConfig.for_model(model_type, **common, num_hidden_layers=2, num_attention_heads=4, **values)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def test_a_family_that_is_not_in_the_table_is_erased_and_the_results_say_so(tmp_path, caplog):
    model = classifier(tmp_path / "olmo", "olmo", intermediate_size=37)
    with caplog.at_level("INFO"):
        folder = erase_to_folder(run(tmp_path, model=model))
    assert "'olmo' is not in the table of families" in caplog.text
    assert "read from the last token, was proved by probes of this model" in caplog.text
    assert folder.summary().setup.site.unlisted == "olmo"


def test_an_encoder_with_a_decoder_is_erased_at_its_last_cross_attention(tmp_path):
    bart = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4}
    model = classifier(tmp_path / "bart", "bart", **bart, encoder_ffn_dim=37, decoder_ffn_dim=37)
    folder = erase_to_folder(run(tmp_path, model=model))
    assert folder.summary().setup.site.site == "cross:1"
    options = {"site": "layer:0", "output_dir": str(tmp_path / "other")}
    refused(tmp_path, "choose encoder:L, decoder:L, cross:L or all", model=model, **options)


def test_damaged_weights_are_refused(tmp_path):
    folder = tmp_path / "model"
    checkpoint(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    refused(tmp_path, "cannot be loaded from this folder", model=str(folder))


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    folder = checkpoint(tmp_path / "model", vocab_size=len(SPECIAL) + 3)
    refused(tmp_path, r"tokenizer gives the id \d+, but the model knows 0 to 7", model=folder)
    with pytest.raises(UserError, match="another model's tokenizer"):
        explain(ExplainConfig(model=folder, text="that", cpu=True))


def test_code_of_the_repository_is_refused_unless_allowed(tmp_path):
    folder = tmp_path / "model"
    checkpoint(folder)
    (folder / "configuration_own.py").write_text(
        "from transformers import BertConfig\n\n\nclass OwnConfig(BertConfig):\n    model_type = 'own'\n"
    )
    edited(folder, model_type="own", auto_map={"AutoConfig": "configuration_own.OwnConfig"})
    refused(tmp_path, "Python code from its repository .*all your rights.*trust_remote_code=True", model=str(folder))
    refused(tmp_path, "cannot be loaded", model=str(folder), trust_remote_code=True)


def test_a_command_that_is_refused_exits_with_two_and_one_line(tmp_path, capsys):
    config = run(tmp_path)
    options = ["--data.path", config.data.path, "--output_dir", config.output_dir, "--cpu"]
    assert main(["erase", config.model, "--site", "layer:9", "--heads", "0,1", *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error == "eraserhead: error: --site layer:9: the model has 3 layers, numbered from 0 to 2"


@pytest.mark.parametrize("heads", ["0,x", "x", "1.5", "0,null"])
def test_heads_that_are_no_numbers_are_refused(tmp_path, capsys, heads):
    assert main(["erase", "anything", "--heads", heads, "--output_dir", str(tmp_path / "results")]) == 2
    error = capsys.readouterr().err.strip()
    assert error == f"eraserhead: error: --heads {heads}: must be a list of whole numbers"


def test_explain_shows_special_tokens_by_name_and_the_text_once(tmp_path, capsys):
    assert main(["explain", checkpoint(tmp_path / "model"), "a fine cast", "--cpu"]) == 0
    shown = capsys.readouterr().out
    line = next(line for line in shown.splitlines() if "CLS" in line)
    assert re.sub(f"[⟦⟧{BARS}]", "", line).strip() == "[CLS] a fine cast [SEP]"


class MeanBert(BertForSequenceClassification):
    """BERT by its config, and read from all tokens: what a repository's own code may do."""

    def forward(self, input_ids, attention_mask=None, **kwargs):
        vectors = self.bert(input_ids, attention_mask=attention_mask, **kwargs).last_hidden_state
        mask = attention_mask.unsqueeze(-1)
        return SequenceClassifierOutput(logits=self.classifier((vectors * mask).sum(1) / mask.sum(1)))


def test_a_model_that_is_read_from_elsewhere_than_its_family_is_refused():
    torch.manual_seed(0)
    with pytest.raises(UserError, match="from the mean over tokens, and 'bert' models read it from the first token"):
        SelfAttentionSite(MeanBert(tiny_bert_config(LABELS)).eval())
    assert SelfAttentionSite(BertForSequenceClassification(tiny_bert_config(LABELS)).eval()).name.layer == 2


@pytest.mark.parametrize(
    "kind", [BertModel, BertForMaskedLM, BertForTokenClassification, BertForNextSentencePrediction]
)
def test_models_in_memory_that_are_no_classifiers_are_refused(kind):
    with pytest.raises(UserError, match="no sequence classifier"):
        eraserhead.erase(kind(tiny_bert_config(LABELS)), ["a fine cast"], tokenizer=tiny_tokenizer(), cpu=True)


@pytest.mark.parametrize("site", ["layer:2", "layer:0", "layer:1:all", "all"])
def test_a_text_without_tokens_takes_no_part_whatever_the_heads(tmp_path, site):
    """GPT-2's tokenizer frames nothing; the empty text beside others must leave their numbers alone."""
    folder = decoder(tmp_path / "decoder", "[PAD]", in_config=True)
    data = texts_file(tmp_path, ["a fine cast", "", "fine"])
    site = site.replace("2", "1")
    results = erase_to_folder(run(tmp_path, model=folder, data=data, site=site, heads=[0]))
    config = run(tmp_path, model=folder, data=texts_file(tmp_path, ["a fine cast"]), site=site, heads=[0])
    alone = erase_to_folder(replace(config, output_dir=str(tmp_path / "alone")))
    together, single = frames(results)["documents"], frames(alone)["documents"]
    assert together.n.tolist() == [3, 0, 1]
    assert np.allclose(together.probabilities[0], single.probabilities[0], atol=1e-6)
    beside, own = scores(results), scores(alone)
    for name in beside:
        assert np.allclose(beside[name].iloc[0], own[name].iloc[0], atol=1e-6)


def test_padding_without_an_embedding_is_refused_and_minus_one_is_none(tmp_path):
    folder = tmp_path / "decoder"
    decoder(folder, "[PAD]", in_config=False)
    edited(folder, pad_token_id=-1)
    erase_to_folder(run(tmp_path, model=str(folder)))
    assert AutoConfig.from_pretrained(folder).pad_token_id == -1
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "[NEW]"})
    tokenizer.save_pretrained(folder)
    with pytest.raises(UserError, match="another model's tokenizer"):
        erase_to_folder(run(tmp_path, model=str(folder), overwrite=True))


def test_token_types_beyond_the_models_are_refused(tmp_path):
    tokenizer = BertTokenizer(vocab={token: index for index, token in enumerate([*SPECIAL, *WORDS])})
    folder = checkpoint(tmp_path / "model", tokenizer, type_vocab_size=1)
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"text": "a cast", "hypothesis": "a film", "label": "neg"}) + "\n")
    data = DataConfig(path=str(path), pair_column="hypothesis", max_length=15)
    said = "gives 2 token types to pairs, but the model knows 1"
    refused(tmp_path, said, model=folder, data=data)
    with pytest.raises(UserError, match=said):
        explain(ExplainConfig(model=str(folder), id="pairs/0", data=data, cpu=True))


def test_a_label_map_that_would_have_no_effect_is_refused(tmp_path):
    model = checkpoint(tmp_path / "model")
    with pytest.raises(UserError, match="label_map: belongs to a DataConfig"):
        eraserhead.erase(model, ["fine"], label_map=["neg=pos"], cpu=True)
    (tmp_path / "without.csv").write_text("text\nfine\n")
    without = DataConfig(path=str(tmp_path / "without.csv"))
    refused(tmp_path, "label_map: has no effect: the documents have no l", label_map=["a=b"], model=model, data=without)
    refused(tmp_path, "'neg' is named twice", label_map=["neg=pos", "neg=mixed"], model=model)


def test_sites_are_made_and_replayed_by_two_threads_on_one_model():
    """Building a site runs the model in several ways; replays of the other thread must not see any of them."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(tiny_bert_config(LABELS)).eval()
    site = SelfAttentionSite(model)
    batch = pad([[2, 7, 9, 11, 3], [2, 8, 3]], 0)
    reading = site.read(batch, ())
    expected = reading.singles().logits
    with ThreadPoolExecutor(2) as threads:
        built = [threads.submit(SelfAttentionSite, model) for _ in range(20)]
        replayed = [threads.submit(reading.singles) for _ in range(60)]
        assert all(future.result().name.layer == 2 for future in built)
        assert all(torch.equal(future.result().logits, expected) for future in replayed)
    assert model.config._attn_implementation == "sdpa"
