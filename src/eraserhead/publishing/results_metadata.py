"""Scores in the hub's formats: the card's `model-index`, and the files of `.eval_results`."""

from collections.abc import Iterator, Sequence

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, constants, eval_result_entries_to_yaml

from eraserhead.data.provenance import Provenance
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.view import called
from eraserhead.publishing.data_names import OWN, hub_name, place, rows, source
from eraserhead.publishing.facts import Facts
from eraserhead.publishing.layout import ACCURACY_FILE, FRACTIONS_FILE
from eraserhead.training.metrics import METRICS

TASK = "text-classification"
# In the name of the metric: the metadata keep one name of a data set for all its metrics.
UNSEEN_ALONE = ", over the documents that training did not see"
ACCURACY = METRICS["accuracy"]
FRACTION = "erased_fraction_"  # in front of a ranking's name
DEFAULT = "default"  # task of a data set without subsets


def card_results(facts: Facts, accuracy: bool = True) -> Iterator[EvalResult]:
    """Yield the scores of the card's `model-index`: fractions erased, and with `accuracy` how well it decides."""
    if accuracy:
        yield from _accuracy(facts)
    for summary in facts.summaries:
        at = "" if summary is facts.summary else f" at {summary.setup.site.site} over {summary.setup.site.components}"
        for name, value in _medians(summary):
            metric = f"Median fraction erased before the decision flips{at} ({called(name)}{_seen(summary)})"
            yield _result(summary.setup.data, f"{FRACTION}{name}", metric, value)


def _accuracy(facts: Facts) -> Iterator[EvalResult]:
    test = facts.documents.get("test")
    if test is not None:
        note = UNSEEN_ALONE if facts.test_overlaps else ""
        for name, value in facts.test_unseen.items():
            yield _result(test, METRICS[name].hub_name, METRICS[name].title + note, value)
    if facts.summary is not None and not facts.test_unseen:
        yield from _scores(facts.summary)


def _scores(summary: Summary) -> Iterator[EvalResult]:
    data, documents, accuracy = summary.setup.data, summary.documents, summary.fair_accuracy.value
    if accuracy is not None:
        note = UNSEEN_ALONE if documents.unseen < documents.analysed else ""
        yield _result(data, ACCURACY.hub_name, ACCURACY.title + note, accuracy)
    if summary.labels is not None and documents.unseen == documents.analysed:
        for name in ("micro_f1", "macro_f1"):
            value = getattr(summary.labels, name).value
            if value is not None:
                yield _result(data, METRICS[name].hub_name, METRICS[name].title, value)


def _medians(summary: Summary) -> Iterator[tuple[str, float]]:
    for name, ranking in summary.rankings.items():
        if (median := ranking.fraction.median.value) is not None:
            yield name, median


def _seen(summary: Summary) -> str:
    documents = summary.documents
    return f"; {documents.trained_on:,} of {documents.analysed:,} trained on" if documents.trained_on else ""


def _result(data: Provenance, kind: str, name: str, value: float) -> EvalResult:
    return EvalResult(
        task_type=TASK,
        task_name="Text classification",
        dataset_type=hub_name(data.name) or str(data.name or place(data) or OWN),
        dataset_name=f"{source(data)}, {rows(data)}",
        dataset_config=data.subset,
        dataset_split=data.split,
        dataset_revision=data.revision,
        metric_type=kind,
        metric_name=name,
        metric_value=round(value, 3),
    )


def eval_files(facts: Facts, accuracy: bool = True) -> dict[str, str]:
    """Return the files of `.eval_results` by path; scores on data sets of the hub alone, which are all it takes.

    Accuracy and fractions erased are in files of their own: no benchmark has a task for the second, and the hub leaves
    out a whole file in which one task is unknown to it.
    """
    files = {ACCURACY_FILE: list(_accuracies(facts)) if accuracy else [], FRACTIONS_FILE: list(_fractions(facts))}
    return {
        path: yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True)
        for path, entries in files.items()
        if entries
    }


def _accuracies(facts: Facts) -> Iterator[EvalResultEntry]:
    test, value = facts.documents.get("test"), facts.test_unseen.get("accuracy")
    if test is not None and value is not None:
        yield from _entry(facts, test, test.subset or DEFAULT, value, UNSEEN_ALONE if facts.test_overlaps else "")
    elif facts.summary is not None and not facts.test_unseen and facts.summary.fair_accuracy.value is not None:
        data, documents = facts.summary.setup.data, facts.summary.documents
        note = UNSEEN_ALONE if documents.unseen < documents.analysed else ""
        yield from _entry(facts, data, data.subset or DEFAULT, facts.summary.fair_accuracy.value, note)


def _fractions(facts: Facts) -> Iterator[EvalResultEntry]:
    for summary in facts.summaries:
        site, data = summary.setup.site, summary.setup.data
        for name, value in _medians(summary):
            note = f"; median fraction of the {site.components} erased at {site.site} before the decision flips"
            yield from _entry(facts, data, f"{FRACTION}{name}", value, f"{note}, along {called(name)}{_seen(summary)}")


def _entry(facts: Facts, data: Provenance, task: str, value: float, note: str) -> Sequence[EvalResultEntry]:
    """Return one score, or nothing for a data set that is not on the hub."""
    name = hub_name(data.name)
    if name is None:
        return ()
    return (
        EvalResultEntry(
            dataset_id=name,
            task_id=task,
            value=round(value, 3),
            dataset_revision=data.revision,
            source_url=f"{constants.ENDPOINT}/{facts.repository}",
            source_name="eraserhead",
            notes=f"{data.split}, {rows(data)}{note}",
        ),
    )
