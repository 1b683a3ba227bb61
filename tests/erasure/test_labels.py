"""Models that decide label by label, from folders to results: each label against the model of two classes it is."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from sklearn.metrics import f1_score
from transformers import AutoModelForSequenceClassification

import eraserhead
from eraserhead.cli.main import main
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.flip_values import averager
from eraserhead.errors import UserError
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain
from eraserhead.method.names import SHUFFLES
from labels import LABELS, SENTENCES, TEXTS, logit, multi_label, single_output, two_classes
from references import weighted_quantile
from tiny import saved_classifier, tiny_tokenizer

pytestmark = pytest.mark.slow

PLACES = [("pooling", None), ("words", None), ("words", "words"), ("inside", None), ("inside", "layer:1:all"),
          ("inside", "all")]  # fmt: skip
GOLD = [[row % 4] if row % 3 else [0, 2] if row % 2 else [] for row in range(len(TEXTS))]


def compared(flips: pd.DataFrame) -> list[tuple]:
    """Everything of a table of flips but the label, and the order within a set, which may tie."""
    rows = flips.assign(draw=flips.draw.fillna(-1), removed=flips.removed.fillna(-1))
    rows = rows.sort_values(["id", "ranking", "draw"], kind="stable")
    return [(row.id, row.ranking, row.draw, row.outcome, row.removed) for row in rows.itertuples()]


@pytest.mark.parametrize(("kind", "site"), PLACES, ids=str)
def test_each_label_is_erased_like_a_model_of_two_classes(tmp_path, kind, site):
    """Its logits are 0 and the label's above the cut; one reading serves all labels and gives what each alone gives."""
    texts = SENTENCES if kind == "words" else TEXTS
    folder, threshold = multi_label(tmp_path, kind), 0.4
    options = {"site": site, "draws": 2, "cpu": True, "dtype": "float64"}
    found = eraserhead.erase(folder, texts, target="all", threshold=threshold, **options)
    assert set(found.flips.target) == set(LABELS)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float64)
    outcomes = set()
    for label, name in enumerate(LABELS):
        twin = two_classes(model, label, logit(threshold), tmp_path / name)
        alone = eraserhead.erase(twin, texts, **options)
        own = found.flips[found.flips.target == name]
        assert compared(own) == compared(alone.flips)
        np.testing.assert_allclose(own.mass.to_numpy(), alone.flips.mass.to_numpy(), atol=1e-9)
        documents = found.documents[found.documents.target == name].set_index("id")
        expected = alone.documents.set_index("id")
        assert (1 - documents.prediction).tolist() == expected.prediction.tolist()
        assert (1 - documents.model_prediction).tolist() == expected.model_prediction.tolist()
        for ours, theirs in zip(documents.itertuples(), expected.itertuples(), strict=True):
            np.testing.assert_allclose(ours.probabilities[::-1], theirs.probabilities, atol=1e-9)
            np.testing.assert_allclose(ours.single_js, theirs.single_js, atol=1e-9)
            assert (1 - ours.single_decision).tolist() == theirs.single_decision.tolist()
        signals = found.signals[found.signals.target == name]
        for ours, theirs in zip(signals.scores, alone.signals.scores, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-9)
        singles = found.singles[found.singles.target == name].drop(columns=["id", "ranking", "target"])
        theirs = alone.singles.drop(columns=["id", "ranking", "target"])
        np.testing.assert_allclose(singles.to_numpy(float), theirs.to_numpy(float), atol=1e-9)
        outcomes |= set(own.outcome)
    assert "flip" in outcomes
    assert len(outcomes) > 1


def test_one_pass_serves_all_labels(tmp_path, monkeypatch):
    """At a pooling layer, the encoder runs as often for four labels as for one."""
    folder = multi_label(tmp_path)
    runs = []
    forward = eraserhead.AttentionPoolingForSequenceClassification.token_vectors
    monkeypatch.setattr(
        eraserhead.AttentionPoolingForSequenceClassification,
        "token_vectors",
        lambda self, *inputs: runs.append(1) or forward(self, *inputs),
    )
    eraserhead.erase(folder, TEXTS, target=["toxic"], draws=1, cpu=True)
    one = len(runs)
    eraserhead.erase(folder, TEXTS, target="all", draws=1, cpu=True)
    assert len(runs) == 2 * one


def test_an_output_that_decides_is_erased_like_a_model_of_two_classes(tmp_path):
    """A score above 0.7, as a probability or as the logit that this is."""
    folder, options = single_output(tmp_path), {"draws": 2, "cpu": True, "dtype": "float64"}
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float64)
    twin = eraserhead.erase(two_classes(model, 0, logit(0.7), tmp_path / "twin"), TEXTS, **options)
    for asked in ({"threshold": 0.7}, {"threshold": logit(0.7), "threshold_on": "logit"}):
        found = eraserhead.erase(folder, TEXTS, **asked, **options)
        assert compared(found.flips) == compared(twin.flips)
        assert set(found.flips.target) == {"toxic"}
    assert found.summary.setup.site.targets.threshold_on == "logit"
    assert found.summary.accuracy.value is None


def test_labels_of_a_single_output_are_zero_and_one(tmp_path):
    folder = single_output(tmp_path)
    rows = [{"text": text, "label": row % 2} for row, text in enumerate(TEXTS)]
    found = eraserhead.erase(folder, rows, threshold=0.5, draws=1, cpu=True)
    right = [(row % 2 == 1) == (prediction == 0) for row, prediction in enumerate(found.documents.prediction)]
    many = found.documents.n > 1
    assert found.summary.accuracy.value == pytest.approx(np.mean(np.array(right)[many]))
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({**row, "label": bool(row["label"])}) + "\n" for row in rows))
    by_file = eraserhead.erase(folder, eraserhead.DataConfig(path=str(path)), threshold=0.5, draws=1, cpu=True)
    assert by_file.summary.accuracy.value == found.summary.accuracy.value


@pytest.mark.parametrize("kind", ["pooling", "inside"])
def test_by_default_each_label_that_is_on_is_a_case_and_the_largest_where_none_is(tmp_path, kind):
    folder = multi_label(tmp_path, kind)
    found = eraserhead.erase(folder, TEXTS, draws=1, cpu=True)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = model(**tiny_tokenizer()(TEXTS, return_tensors="pt", padding=True)).logits
    seen = set()
    for row, own in enumerate(logits):
        on = (own > 0).nonzero().squeeze(1).tolist()
        documents = found.documents[found.documents.id == f"texts/{row}"]
        assert documents.target.tolist() == [LABELS[label] for label in on or [int(own.argmax())]]
        assert documents.prediction.tolist() == ([0] * len(on) or [1])
        assert [each.tolist() for each in documents.predictions] == [on] * len(documents)
        seen.add(min(len(on), 2))
        flips = found.flips[found.flips.id == f"texts/{row}"]
        assert flips.target.drop_duplicates().tolist() == documents.target.tolist()
    assert seen == {0, 1, 2}
    largest = eraserhead.erase(folder, TEXTS, draws=1, target="largest", cpu=True)
    assert largest.documents.target.tolist() == [LABELS[own.argmax()] for own in logits]


def test_labels_are_in_the_models_order_whatever_was_asked_for(tmp_path):
    found = eraserhead.erase(multi_label(tmp_path), TEXTS[:3], target=["spam", "toxic"], draws=1, cpu=True)
    assert found.documents.target.tolist() == ["toxic", "spam"] * 3
    assert found.summary.setup.site.targets.target == ("toxic", "spam")


def test_aggregates_let_every_document_weigh_the_same(tmp_path):
    """A document's labels are averaged first; in quantiles they weigh together as one document."""
    found = eraserhead.erase(multi_label(tmp_path), TEXTS, draws=3, cpu=True)
    flips = found.flips[found.flips.n > 1]
    attention = flips[flips.ranking == "attention"]
    summary = found.summary.rankings["attention"]
    shares = (attention.outcome == "flip").groupby(attention.id).mean()
    assert summary.outcomes["flip"].value == pytest.approx(shares.mean())
    assert summary.outcomes["flip"].count == attention.id.nunique() < len(attention)
    assert summary.fraction.mean_of_flips.value == pytest.approx(attention.groupby("id").fraction.mean().mean())
    restricted = attention.fraction.fillna(1.0).groupby(attention.id).mean()
    assert summary.fraction.mean.value == pytest.approx(restricted.mean())
    for name, ranked in flips[~flips.ranking.isin(SHUFFLES)].groupby("ranking"):
        own = [values.tolist() for _, values in ranked.fraction.fillna(np.inf).groupby(ranked.id)]
        median, found_median = weighted_quantile(own, 0.5), found.summary.rankings[name].fraction.median.value
        assert found_median == pytest.approx(median) if np.isfinite(median) else found_median is None
    keys = ["id", "target"]
    draws = flips[flips.ranking == "random"].merge(attention[[*keys, "removed"]], on=keys, suffixes=("", "_first"))
    fewer = draws.removed_first.fillna(np.inf) < draws.removed.fillna(np.inf)
    cases = fewer.groupby([draws.id, draws.target]).mean()
    pair = found.summary.pair("attention", "random")
    assert pair.fewer.value == pytest.approx(cases.groupby("id").mean().mean())
    tests = found.singles[(found.singles.ranking == "attention") & (found.singles.n > 1)]
    expected = tests.groupby("id").expected_delta_js.mean().mean()
    assert found.summary.tests["attention"].expected_delta_js.value == pytest.approx(expected)
    assert found.summary.documents.total == len(TEXTS)
    assert found.summary.labels.cases == len(attention)


def test_averages_within_documents_keep_their_order_and_leave_out_what_is_no_number():
    ids, nan = np.array(["b", "a", "b", "c", "a"]), np.nan
    values = np.array([[1.0, nan], [np.inf, 2.0], [3.0, nan], [5.0, 4.0], [1.0, nan]])
    np.testing.assert_array_equal(averager(ids)(values), [[2.0, nan], [np.inf, 2.0], [5.0, 4.0]])
    np.testing.assert_array_equal(averager(np.array(["b", "a"]))(values[:2]), values[:2])


@pytest.mark.parametrize("written", ["lists of numbers", "lists of names", "columns", "named lists"])
def test_accuracy_is_by_label_with_f1_beside_it(tmp_path, written):
    """Of all labels, whichever are looked at; the last document's labels are unknown."""
    folder, gold = multi_label(tmp_path), [*GOLD[:-1], None]
    columns = {"label_columns": LABELS} if written == "columns" else {}
    if written == "columns":
        states = [[None if own is None else int(place in own) for place in range(4)] for own in gold]
        data = [{"text": text, **dict(zip(LABELS, row, strict=True))} for text, row in zip(TEXTS, states, strict=True)]
    elif written == "named lists":  # in another order than the model's
        order = LABELS[::-1]
        lists = [None if own is None else [order.index(LABELS[label]) for label in own] for own in gold]
        features = Features({"text": Value("string"), "label": List(ClassLabel(names=list(order)))})
        data = Dataset.from_dict({"text": TEXTS, "label": lists}, features=features)
    else:
        named = written == "lists of names"
        lists = [None if own is None else [LABELS[label] if named else label for label in own] for own in gold]
        data = [{"text": text, "label": own} for text, own in zip(TEXTS, lists, strict=True)]
    found = eraserhead.erase(folder, data, target=["spam"], draws=1, cpu=True, **columns)
    documents = found.documents[(found.documents.n > 1) & found.documents.labels.notna()]
    positions = [int(name.split("/")[1]) for name in documents.id]
    assert [list(own) for own in documents.labels] == [gold[place] for place in positions]
    true, predicted = np.zeros((len(documents), 4), int), np.zeros((len(documents), 4), int)
    for row, (own, on) in enumerate(zip(documents.labels, documents.predictions, strict=True)):
        true[row, own], predicted[row, on] = 1, 1
    scores = found.summary.labels
    assert [scores.accuracy[name].value for name in LABELS] == pytest.approx((true == predicted).mean(0))
    assert found.summary.accuracy.value == pytest.approx((true == predicted).mean())
    assert scores.micro_f1.value == pytest.approx(f1_score(true, predicted, average="micro"))
    assert scores.macro_f1.value == pytest.approx(f1_score(true, predicted, average="macro", zero_division=0.0))
    assert scores.macro_f1.low < scores.macro_f1.value < scores.macro_f1.high
    assert scores.micro_f1.count == len(documents)
    assert documents.label.tolist() == [0 if 3 in own else 1 for own in documents.labels]
    assert found.summary.documents.unlabelled == 1


def test_results_do_not_depend_on_batches(tmp_path):
    folder = multi_label(tmp_path)
    alone, together = (eraserhead.erase(folder, TEXTS, draws=2, batch_tokens=tokens, cpu=True) for tokens in (1, 9999))
    assert compared(alone.flips) == compared(together.flips)
    assert alone.flips[["id", "target", "ranking"]].equals(together.flips[["id", "target", "ranking"]])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"target": ["toxik"]}, "target='toxik'.*no label of the model; did you mean 'toxic'"),
        ({"target": ["all", "spam"]}, "target='all'.*no label of the model"),
        ({"target": []}, "name a label"),
        ({"threshold": 1.0}, "threshold=1.0.*between 0 and 1.*threshold_on='logit'"),
        ({"threshold": 0.0}, "between 0 and 1"),
        ({"threshold": float("inf"), "threshold_on": "logit"}, "must be a number"),
        ({"threshold_on": "logit"}, "give the logit with threshold"),
        ({"threshold_on": "odds", "threshold": 0.3}, "must be 'probability' or 'logit'"),
    ],
    ids=str,
)
def test_wrong_labels_and_thresholds_are_refused(tmp_path, options, match):
    with pytest.raises(UserError, match=match):
        eraserhead.erase(multi_label(tmp_path), TEXTS, draws=1, cpu=True, **options)


@pytest.mark.parametrize("option", [{"target": "all"}, {"threshold": 0.5}, {"threshold_on": "logit", "threshold": 1.0}])
def test_options_of_labels_are_refused_where_one_class_is_decided_for(tmp_path, option):
    with pytest.raises(UserError, match="has no effect: the model decides among its 2 classes"):
        eraserhead.erase(saved_classifier(tmp_path), TEXTS, draws=1, cpu=True, **option)


def test_words_for_labels_that_are_names_of_labels_are_refused(tmp_path, capsys):
    """But not the default, nor where they stand beside other labels, or say that they are names."""
    folder = multi_label(tmp_path)
    config = tmp_path / "model" / "config.json"
    names = dict(enumerate(["predicted", "largest", "all", "spam"]))
    numbers = {name: number for number, name in names.items()}
    config.write_text(json.dumps({**json.loads(config.read_text()), "id2label": names, "label2id": numbers}))
    for word in ("predicted", "largest", "all"):
        with pytest.raises(
            UserError, match=rf"target='{word}': stands for .*for that label, give target='label:{word}'"
        ):
            eraserhead.erase(folder, TEXTS, target=[word, word], cpu=True)
    options = {"draws": 1, "cpu": True}
    default = eraserhead.erase(folder, TEXTS, **options)
    assert set(default.flips.target) > {"predicted"}
    assert default.summary.setup.site.targets.target == ("predicted",)
    alone = eraserhead.erase(folder, TEXTS, target="label:all", **options)
    assert set(alone.flips.target) == {"all"}
    assert alone.summary.setup.site.targets.target == ("label:all",)
    assert eraserhead.explain(folder, TEXTS[0], target="label:largest", **options).target == "largest"
    assert main(["explain", folder, TEXTS[0], "--target", "label:predicted", "--cpu", "--draws", "1"]) == 0
    assert "predicted is o" in capsys.readouterr().out
    named = eraserhead.erase(folder, TEXTS, target=["spam", "label:all"], **options)
    assert set(named.flips.target) == {"all", "spam"}


def test_an_output_without_a_threshold_and_a_regression_are_refused(tmp_path):
    folder = single_output(tmp_path)
    with pytest.raises(UserError, match=r"one output.*no decision to flip.*threshold") as error:
        eraserhead.erase(folder, TEXTS, draws=1, cpu=True)
    assert "\n" not in str(error.value)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    torch.nn.init.constant_(model.classifier.weight, torch.nan)
    model.save_pretrained(folder)
    for ask in (
        lambda: erase_to_folder(EraseConfig(model=folder, cpu=True)),
        lambda: explain(ExplainConfig(model=folder, text=TEXTS[0], cpu=True)),
        lambda: eraserhead.explain(folder, TEXTS[0], cpu=True),
        lambda: eraserhead.erase(model, TEXTS, tokenizer=tiny_tokenizer(), cpu=True),
    ):
        with pytest.raises(UserError, match="one output"):  # before the weights are loaded, which are NaN
            ask()
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "problem_type": "regression"}))
    with pytest.raises(UserError, match="a regression model"):
        eraserhead.erase(folder, TEXTS, threshold=0.5, draws=1, cpu=True)


def test_a_label_map_has_no_effect_on_a_single_output(tmp_path):
    folder = single_output(tmp_path)
    path = tmp_path / "texts.csv"
    path.write_text("text,label\nfine,yes\n")
    for data in ([{"text": "fine", "label": "yes"}], eraserhead.DataConfig(path=str(path))):
        with pytest.raises(UserError, match="label_map: has no effect"):
            eraserhead.erase(folder, data, threshold=0.5, label_map=["yes=toxic"], cpu=True)


def test_labels_that_are_not_the_models_are_refused(tmp_path):
    folder = multi_label(tmp_path)
    for label, match in (([7], "label 7 is none"), (["toxik"], "did you mean 'toxic'"), (1, "give a list of labels")):
        with pytest.raises(UserError, match=match):
            eraserhead.erase(folder, [{"text": "fine", "label": label}], draws=1, cpu=True)
    for state, match in (
        (7, r"label_columns.*has 7"),
        (0, r"2 of the model's 4 labels have no column"),
    ):
        rows = [{"text": "fine", "toxic": 1, "spam": state}]
        with pytest.raises(UserError, match=match):
            eraserhead.erase(folder, rows, label_columns=["toxic", "spam"], draws=1, cpu=True)


def test_the_command_line_erases_shows_and_explains_labels(tmp_path, capsys):
    folder, data = multi_label(tmp_path), tmp_path / "texts.jsonl"
    rows = [{"text": text, "label": [LABELS[each] for each in own]} for text, own in zip(TEXTS, GOLD, strict=True)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    results, common = str(tmp_path / "results"), ["--data.path", str(data), "--cpu"]
    arguments = ["erase", folder, "--target", "toxic,spam", "--threshold", "0.3", "--output_dir", results, *common]
    assert main([*arguments, "--draws", "2"]) == 0
    capsys.readouterr()
    assert main(["show", results, "--details"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "labels toxic, spam (on above a probability of 0.3)" in shown
    cases = 2 * sum(len(text.split()) > 1 for text in TEXTS)
    assert f"decisions {cases} states of labels. Each document's labels weigh together as one document." in shown
    assert "F1 micro" in shown
    assert "insult" in shown
    assert main(["explain", folder, TEXTS[0], "--target", "spam", "--cpu"]) == 0
    assert "spam is o" in capsys.readouterr().out
    assert main(["explain", folder, "--id", "test/1", "--target", "all", *common]) == 2
    assert "one label is explained at a time" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["pooling", "inside"])
def test_one_label_is_explained_by_default_the_largest(tmp_path, kind):
    folder = multi_label(tmp_path, kind)
    found = eraserhead.erase(folder, TEXTS, target="all", draws=2, cpu=True)
    for row in (0, 1, 2):
        explained = eraserhead.explain(folder, {"text": TEXTS[row], "id": f"texts/{row}"}, draws=2, cpu=True)
        documents = found.documents[found.documents.id == f"texts/{row}"].set_index("target")
        largest = max(documents.index, key=lambda name: documents.probabilities[name][0])
        assert explained.target == largest
        assert explained.decision == ["on", "off"][documents.prediction[largest]]
        assert explained.probabilities["on"] == pytest.approx(documents.probabilities[largest][0], abs=1e-6)
        assert explained.on == tuple(name for name in documents.index if documents.prediction[name] == 0)
        flips = found.flips[(found.flips.id == f"texts/{row}") & (found.flips.target == largest)]
        by_ranking = flips[flips.ranking != "random"].set_index("ranking").removed
        for ranking in explained.rankings:
            if ranking.ranking in by_ranking.index:
                removed = by_ranking[ranking.ranking]
                assert (ranking.removed or -1) == (-1 if np.isnan(removed) else removed)
    labelled = eraserhead.explain(folder, {"text": TEXTS[0], "label": ["spam"]}, target="spam", cpu=True)
    assert (labelled.target, labelled.label) == ("spam", "on")
    assert eraserhead.explain(folder, {"text": TEXTS[0], "label": []}, target="spam", cpu=True).label == "off"
    with pytest.raises(UserError, match="one label is explained at a time"):
        eraserhead.explain(folder, TEXTS[0], target=["spam", "toxic"], cpu=True)


def test_labels_have_a_place_in_results_alone_where_there_are_any(tmp_path):
    found = eraserhead.erase(saved_classifier(tmp_path), TEXTS, draws=1, cpu=True)
    for name in ("documents", "signals", "flips", "singles"):
        assert found.tables[name].column("target").null_count == len(found.tables[name])
    assert found.documents[["labels", "predictions"]].isna().all(axis=None)
    assert found.summary.labels is None
    assert found.summary.setup.site.targets is None
    assert replace(found.summary.setup.site, targets=None) == found.summary.setup.site
