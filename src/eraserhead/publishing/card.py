"""The model card: what a classifier is, what its attention is worth, how to load it, and where its limits are."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from eraserhead.data.named_sets import NAMED
from eraserhead.data.provenance import Provenance
from eraserhead.erasure.config import CountNeverAs
from eraserhead.erasure.summary import Distribution, Summary
from eraserhead.erasure.view import LABELS_NOTE, MEANS, YARDSTICK_NOTES, answer, called, site_line
from eraserhead.loading.setup import SENTENCES
from eraserhead.method.names import Outcome
from eraserhead.publishing.facts import Facts
from eraserhead.publishing.label_scores import accuracy_text, label_rows
from eraserhead.settings import unused
from eraserhead.showing.escapes import markdown
from eraserhead.showing.templates import template
from eraserhead.showing.terminal import NEVER, interval, percent
from eraserhead.training.config import ModelConfig, TrainingConfig
from eraserhead.training.metrics import METRICS

NAME = re.compile(r"[\w./-]+")
CARD, FIGURE, TEMPLATE = "README.md", "erasure.png", "model_card.md.j2"
TASK = "text-classification"
NEVERS: dict[CountNeverAs, str] = {  # by the option that says how a document that never flips is counted
    "beyond_all": "`> all`: the decision does not flip, however much is erased.",
    "all": "A decision that never flips counts here as one that flips when everything is erased.",
}
OWN = "documents without a data set name"
ACCURACY = METRICS["accuracy"]


def model_card(facts: Facts) -> str:
    """Return the card's text, metadata included.

    Raises:
        ValueError: Its metadata are not valid for the hub.
    """
    body = template("eraserhead.publishing", TEMPLATE).render(
        title=facts.title,
        repository=facts.repository,
        what=_what(facts),
        classes=facts.classes,
        tells=_tells(facts),
        ours=facts.ours,
        hierarchical=facts.architecture is not None and facts.architecture.hierarchical,
        texts=facts.texts,
        figure=FIGURE,
        made=list(_made(facts)),
        scores=_scores(facts),
        metric_names=[METRICS[name].title for name in facts.test],
        limits=list(_limits(facts)),
        example_data=_example_data(facts),
        summary=facts.summary,
        **({} if facts.summary is None else _erasure(facts.summary)),
    )
    card = f"---\n{card_data(facts).to_yaml()}\n---\n\n{body}"
    ModelCard(card)  # parses the metadata again, and raises if the hub would not accept them
    return card


def card_data(facts: Facts) -> ModelCardData:
    """Return the metadata: task, data, metrics and where the model comes from, in the hub's format."""
    results = list(_eval_results(facts))
    metrics = list(dict.fromkeys(METRICS[name].hub_name for name in facts.test))
    return ModelCardData(
        base_model=facts.base_model,
        datasets=list(facts.datasets) or None,
        eval_results=results or None,
        language=list(facts.language) or None,
        library_name="transformers",
        license=facts.license,
        metrics=metrics or None,
        model_name=facts.title if results else None,
        pipeline_tag=TASK,
        tags=["attention", "interpretability", "erasure", "eraserhead"],
    )


def _eval_results(facts: Facts) -> Iterator[EvalResult]:
    test = facts.documents.get("test")
    if test is not None:
        for name, value in facts.test.items():
            yield _result(test, facts, METRICS[name].hub_name, METRICS[name].title, value)
    if facts.summary is None:
        return
    data, accuracy = facts.summary.setup.data, facts.summary.accuracy.value
    if not facts.test and accuracy is not None:
        yield _result(data, facts, ACCURACY.hub_name, ACCURACY.title, accuracy)
    if not facts.test and facts.summary.labels is not None:
        for name in ("micro_f1", "macro_f1"):
            value = getattr(facts.summary.labels, name).value
            if value is not None:
                yield _result(data, facts, METRICS[name].hub_name, METRICS[name].title, value)
    for name, ranking in facts.summary.rankings.items():
        median = ranking.fraction.median.value
        if median is not None:
            metric = f"Median fraction erased before the decision flips ({called(name)})"
            yield _result(data, facts, f"erased_fraction_{name}", metric, median)


def _result(data: Provenance, facts: Facts, kind: str, name: str, value: float) -> EvalResult:
    known = next(iter(facts.datasets)) if len(facts.datasets) == 1 else None
    return EvalResult(
        task_type=TASK,
        task_name="Text classification",
        dataset_type=known or str(data.name or _place(data) or OWN),
        dataset_name=f"{_source(data)}, {_rows(data)}",
        dataset_config=data.subset,
        dataset_split=data.split,
        dataset_revision=data.revision,
        metric_type=kind,
        metric_name=name,
        metric_value=round(value, 3),
    )


def _what(facts: Facts) -> str:
    architecture = facts.architecture
    if architecture is None:
        return f"A text classifier of the family {facts.family}"
    encoder = facts.base_model or f"a {facts.encoder_family} encoder"
    part = "word embeddings" if architecture.encoder_layers == 0 else "token vectors"
    context = "" if architecture.context == "none" else f", a context encoder ({architecture.context})"
    over = "attention over words, then over sentences" if architecture.hierarchical else "attention over tokens"
    return f"A text classifier: the {part} of {encoder}{context}, {over}, and one affine layer"


def _tells(facts: Facts) -> str:
    """Return what kind of decision it makes, as the beginning of a sentence that names its classes."""
    count = len(facts.classes)
    if not facts.by_label:
        return f"It tells {count} classes apart"
    return f"It decides on {count} labels, each by itself" if count > 1 else "It gives one score"


def _erasure(summary: Summary) -> dict[str, Any]:
    setup = summary.setup
    fractions = [[called(name), *_fractions(found.fraction)] for name, found in summary.rankings.items()]
    outcomes = [
        [called(name), *(percent(found.share(outcome)) for outcome in Outcome)]
        for name, found in summary.rankings.items()
    ]
    nothing_left = {Outcome.BIAS_ONLY: "only when no attention is left"}
    notes = (
        LABELS_NOTE if summary.labels else None,
        YARDSTICK_NOTES.get(summary.yardstick or ""),
        NEVERS[setup.count_never_as],
        MEANS[setup.count_never_as],
    )
    return {
        "answer": answer(summary),
        "site": site_line(setup.site),
        "documents": f"{summary.documents.analysed:,} documents",
        "evaluated": _describe(setup.data),
        "fractions": _table(
            ["order of erasure", "1st quartile", "median", "3rd quartile", "mean", "n"],
            fractions,
        ),
        "outcomes": _table(
            ["% of documents", *(nothing_left.get(outcome, outcome.label) for outcome in Outcome)], outcomes
        ),
        "notes": " ".join(filter(None, notes)),
        "components": "sentences" if setup.site.components == SENTENCES else "tokens (word pieces)",
        "accuracy": accuracy_text(summary),
        "labels": _table(["label", "accuracy of its state"], rows) if (rows := label_rows(summary)) else None,
    }


def _fractions(found: Distribution) -> list[str]:
    quartiles = [interval(quartile, NEVER) for quartile in (found.q25, found.median, found.q75)]
    return [*quartiles, interval(found.mean), str(found.mean.count)]


def _describe(data: Provenance) -> str:
    """Return a data set's name, split, revision and fingerprint in words."""
    parts = [_source(data), f"split {data.split}"]
    parts += [f"revision {data.revision}"] if data.revision else []
    parts += [_rows(data), f"seed {data.seed}"]
    parts += [f"fingerprint {data.fingerprint[:16]}"] if data.fingerprint else []
    return ", ".join(parts)


def _source(data: Provenance) -> str:
    """Return the name of a data set, and whether a local copy of it was read."""
    place = _place(data)
    if data.name is None:
        return place or OWN
    if place is not None:
        return f"{data.name} (a local copy of {place})" if data.name in NAMED else f"{data.name} ({place})"
    details = [NAMED[data.name].hub if data.name in NAMED else None, data.subset]
    return f"{data.name} ({', '.join(filter(None, details))})" if any(details) else data.name


def _rows(data: Provenance) -> str:
    return f"{data.documents:,} of {data.available:,} rows"


def _place(data: Provenance) -> str | None:
    """Return the name of a data set's folder, without the fingerprint, which is shown separately."""
    return data.path and data.path.partition(" (sha256 ")[0]


def _made(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield what is known about the training, as pairs of a name and a value."""
    for role, documents in facts.documents.items():
        yield f"{role} documents", _describe(documents)
    training = facts.training
    encoder = training.environment and training.environment.encoder
    if encoder and encoder.revision:
        yield "encoder", f"{encoder.name}, revision {encoder.revision}"
    if facts.ours:
        yield "it reads", _reads(facts)
    if training.config is not None:
        yield "model", _options(training.config.model)
        yield "training", _options(training.config.training)
    if training.metrics is not None:
        yield "best epoch", f"{training.metrics.best_epoch} of {len(training.metrics.epochs)}"
    if training.environment is not None:
        yield "versions", ", ".join(f"{name} {version}" for name, version in training.environment.versions.items())


def _options(options: ModelConfig | TrainingConfig) -> str:
    """Return options in words, without those that are off or have no effect."""
    idle = unused(options)
    said = {
        name: value
        for name, value in vars(options).items()
        if name not in idle and value is not None and value is not False and value != "no" and repr(value) != "0.0"
    }
    return ", ".join(
        f"{name} {'x'.join(map(str, value)) if isinstance(value, list) else value}" for name, value in said.items()
    )


def _reads(facts: Facts) -> str:
    """Return how much of a document the model reads."""
    reads = facts.reads
    if reads is not None and facts.architecture is not None and facts.architecture.hierarchical:
        return f"at most {reads.sentences} sentences of a document, {reads.sentence_tokens} tokens of each"
    if reads is not None and reads.tokens:
        return f"at most {reads.tokens} tokens of a document"
    return "as much of a document as its encoder takes"


def _scores(facts: Facts) -> list[tuple[str, list[str]]]:
    metrics = facts.training.metrics
    return [
        (f"{role} ({facts.documents[role].documents:,})", [f"{scores[name]:.3f}" for name in facts.test])
        for role, scores in ({} if metrics is None else metrics.by_role).items()
        if facts.test and role in facts.documents
    ]


def _limits(facts: Facts) -> Iterator[str]:
    if facts.summary is None:
        yield "Nobody has measured yet what its attention weights say about its decisions."
    else:
        count = facts.summary.documents.analysed
        yield (
            f"The erasure results hold for {count:,} documents of one data set; on other texts, attention may be worth "
            "more or less."
        )
        cut = facts.summary.truncation
        if cut.truncated_documents:
            lost = f"{100 * cut.share:.1f} % of all tokens"
            yield f"{cut.truncated_documents} of these documents were cut; together they lost {lost}."
    if facts.ours:
        yield f"It reads {_reads(facts)}; the rest is ignored."
        yield (
            "Erasure measures how much the layers above the attention layer rely on its weights. It does not measure "
            "what the encoder has already mixed into each token vector."
        )
    if facts.training.known:
        yield "This is one training run with one seed: another seed gives other weights and another attention."
    if not facts.language:
        yield "The language of the documents is not stated."
    if not facts.license:
        yield "No licence is stated: ask the owner about any use beyond what the law allows."
    yield "It has the biases of its training documents and of its encoder; nobody has examined them."


def _example_data(facts: Facts) -> str:
    """Return a data set for the example: the model's own if its name is safe inside a block of code."""
    documents = facts.documents.get("test", facts.documents.get("train"))
    named = (documents and documents.name) or ""
    return named if NAME.fullmatch(named) else "imdb"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *([markdown(name), *cells] for name, *cells in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
