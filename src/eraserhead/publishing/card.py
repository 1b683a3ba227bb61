"""The model card: what a classifier is, what its attention is worth, how to load it, and where its limits are."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from eraserhead.data.named_sets import NAMED
from eraserhead.settings import unused
from eraserhead.showing.escapes import markdown
from eraserhead.showing.templates import template
from eraserhead.showing.terminal import NAMES, NEVER, answer, interval, percent, site_line
from eraserhead.training.config import ModelConfig, TrainingConfig

NAME = re.compile(r"[\w./-]+")
CARD, FIGURE, TEMPLATE = "README.md", "erasure.png", "model_card.md.j2"
TASK = "text-classification"
# What the hub calls our metrics, and how many digits they are worth.
METRICS = {"accuracy": "accuracy", "macro_f1": "f1", "mean_absolute_error": "mae"}
METRIC_NAMES = {"accuracy": "Accuracy", "macro_f1": "Macro F1", "mean_absolute_error": "Mean absolute error"}
YARDSTICKS = {
    "minimum": "`minimum` is exact: no smaller set of weights flips the decision.",
    "best_found": "`upper bound` is the smallest flipping set that was found, which may not be the smallest there is.",
}
NEVERS = {  # by how a document that never flips is counted
    "beyond_all": "`> all`: the decision does not flip, whatever is erased.",
    "all": "A decision that never flips counts here as one that flips when everything is erased.",
}
MEANS = {
    "beyond_all": "Means are over the n documents (and, of random, the draws) whose decision flips at all.",
    "all": "Means are over all documents.",
}
CONFIGURED = {"model": ModelConfig, "training": TrainingConfig}  # parts of a run's configuration that a card states
OWN = "documents of its own"
QUARTILES = {"q25": "1st quartile", "median": "median", "q75": "3rd quartile"}


@dataclass(frozen=True)
class Facts:
    """What is published of a model; nothing in it is local to a machine.

    Attributes:
        repository: Its name on the hub.
        config: Its ``config.json``.
        ours: Whether it is an attention-pooling classifier.
        training: Configuration, data, fingerprints, metrics and environment of its training, as far as they are known.
        summary: Its erasure results, if there are any.
        base_model: The encoder, if it is on the hub.
        datasets: Ids of its data sets on the hub.
        license: Licence of the model, by the hub's identifier.
        language: Languages of the documents.
        texts: Whether the documents' texts are published.
    """

    repository: str
    config: Mapping[str, Any]
    ours: bool
    training: Mapping[str, Any]
    summary: Mapping[str, Any] | None
    base_model: str | None
    datasets: Sequence[str]
    license: str | None
    language: Sequence[str]
    texts: bool

    @property
    def classes(self) -> list[str]:
        """Class names in index order."""
        names = self.config.get("id2label") or {}
        return [names[index] for index in sorted(names, key=int)]

    @property
    def documents(self) -> dict[str, Any]:
        """The documents of training by role."""
        return self.training.get("data", {}).get("documents", {})

    @property
    def test(self) -> dict[str, float]:
        """Metrics on the test documents."""
        return (self.training.get("metrics") or {}).get("test") or {}


def model_card(facts: Facts) -> str:
    """Return the card's text, metadata included.

    Raises:
        ValueError: Its metadata are not valid for the hub.
    """
    summary = facts.summary
    body = template("eraserhead.publishing", TEMPLATE).render(
        title=facts.repository.rpartition("/")[2],
        repository=facts.repository,
        what=_what(facts),
        classes=facts.classes,
        ours=facts.ours,
        hierarchical=bool(facts.config.get("hierarchical")),
        texts=facts.texts,
        figure=FIGURE,
        made=list(_made(facts)),
        scores=_scores(facts),
        metric_names=[METRIC_NAMES[name] for name in facts.test],
        limits=list(_limits(facts)),
        example_data=_example_data(facts),
        summary=summary,
        **({} if summary is None else _erasure(summary)),
    )
    card = f"---\n{card_data(facts).to_yaml()}\n---\n\n{body}"
    ModelCard(card)  # reads the metadata again, and raises where they are not the hub's
    return card


def card_data(facts: Facts) -> ModelCardData:
    """Return the metadata: task, data, metrics and where the model comes from, in the hub's format."""
    results = list(_eval_results(facts))
    metrics = list(dict.fromkeys(METRICS[name] for name in facts.test))
    return ModelCardData(
        base_model=facts.base_model,
        datasets=list(facts.datasets) or None,
        eval_results=results or None,
        language=list(facts.language) or None,
        library_name="transformers",
        license=facts.license,
        metrics=metrics or None,
        model_name=facts.repository.rpartition("/")[2] if results else None,
        pipeline_tag=TASK,
        tags=["attention", "interpretability", "erasure", "eraserhead"],
    )


def _eval_results(facts: Facts) -> Iterator[EvalResult]:
    test = facts.documents.get("test")
    if test is not None:
        for name, value in facts.test.items():
            yield _result(test, facts, METRICS[name], METRIC_NAMES[name], value)
    if facts.summary is None:
        return
    configuration = facts.summary["configuration"]
    accuracy = facts.summary["accuracy"]["value"]
    if not facts.test and accuracy is not None:
        yield _result(configuration["data"], facts, "accuracy", METRIC_NAMES["accuracy"], accuracy)
    for name, ranking in facts.summary["rankings"].items():
        median = ranking["fraction"]["median"]["value"]
        if median is not None:
            metric = f"Median fraction erased before the decision flips ({NAMES.get(name, name)})"
            yield _result(configuration["data"], facts, f"erased_fraction_{name}", metric, median)


def _result(data: Mapping[str, Any], facts: Facts, kind: str, name: str, value: float) -> EvalResult:
    known = facts.datasets[0] if len(facts.datasets) == 1 else None
    return EvalResult(
        task_type=TASK,
        task_name="Text classification",
        dataset_type=known or str(data["name"] or _place(data) or OWN),
        dataset_name=f"{_source(data)}, {_rows(data)}",
        dataset_config=data["subset"],
        dataset_split=data["split"],
        dataset_revision=data["revision"],
        metric_type=kind,
        metric_name=name,
        metric_value=round(value, 3),
    )


def _what(facts: Facts) -> str:
    if not facts.ours:
        return f"A text classifier of the family {facts.config.get('model_type')}"
    config = facts.config
    encoder = facts.base_model or f"a {config['encoder_config']['model_type']} encoder"
    part = "word embeddings" if config.get("encoder_layers") == 0 else "token vectors"
    context = "" if config.get("context", "none") == "none" else f", a context encoder ({config['context']})"
    over = "attention over words, then over sentences" if config.get("hierarchical") else "attention over tokens"
    return f"A text classifier: the {part} of {encoder}{context}, {over}, and one affine layer"


def _erasure(summary: Mapping[str, Any]) -> dict[str, Any]:
    rankings, configuration = summary["rankings"], summary["configuration"]
    never = configuration.get("count_never_as", "beyond_all")
    columns = [*QUARTILES.values(), "mean", "n"]
    fractions = [
        [
            NAMES.get(name, name),
            *(interval(ranking["fraction"][quartile], NEVER) for quartile in QUARTILES),
            interval(ranking["fraction"]["mean"]),
            str(ranking["fraction"]["mean"]["count"]),
        ]
        for name, ranking in rankings.items()
    ]
    outcomes = [
        [NAMES.get(name, name), *(percent(ranking["outcomes"][outcome]) for outcome in ("flip", "bias_only", "never"))]
        for name, ranking in rankings.items()
    ]
    return {
        "answer": answer(summary),
        "site": site_line(configuration),
        "documents": f"{summary['documents']['analysed']:,} documents",
        "evaluated": _describe(configuration["data"]),
        "fractions": _table(["fraction erased, by", *columns], fractions),
        "outcomes": _table(["% of documents, by", "flip", "only when no attention is left", "never"], outcomes),
        "notes": " ".join(filter(None, (YARDSTICKS.get(summary["yardstick"]), NEVERS[never], MEANS[never]))),
        "components": "sentences" if configuration.get("components") == "sentences" else "tokens (pieces of words)",
        "accuracy": interval(summary["accuracy"]) if summary["accuracy"]["value"] is not None else None,
    }


def _describe(data: Mapping[str, Any]) -> str:
    """Return a data set's name, split, revision and fingerprint in words."""
    parts = [_source(data), f"split {data['split']}"]
    parts += [f"revision {data['revision']}"] if data["revision"] else []
    parts += [_rows(data), f"seed {data['seed']}"]
    parts += [f"fingerprint {data['fingerprint'][:16]}"] if "fingerprint" in data else []
    return ", ".join(parts)


def _source(data: Mapping[str, Any]) -> str:
    """Return what a data set is called, and whether what was read of it is a copy."""
    name, place = data["name"], _place(data)
    if name is None:
        return place or OWN
    if place is not None:
        return f"{name} (a local copy of {place})" if name in NAMED else f"{name} ({place})"
    details = [NAMED[name].hub if name in NAMED else None, data["subset"]]
    return f"{name} ({', '.join(filter(None, details))})" if any(details) else name


def _rows(data: Mapping[str, Any]) -> str:
    return f"{data['documents']:,} of {data['available']:,} rows"


def _place(data: Mapping[str, Any]) -> str | None:
    """Return the name of a data set's folder, without the fingerprint, which stands beside it."""
    return data["path"] and data["path"].partition(" (sha256 ")[0]


def _made(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield what is known of the training, a line each."""
    for role, documents in facts.documents.items():
        print_ = facts.training.get("fingerprints", {}).get(role)
        yield f"{role} documents", _describe(documents | ({"fingerprint": print_} if print_ else {}))
    configuration = facts.training.get("configuration", {})
    environment = facts.training.get("environment", {})
    encoder = environment.get("encoder", {})
    if encoder.get("revision"):
        yield "encoder", f"{encoder['name']}, revision {encoder['revision']}"
    if facts.ours:
        yield "it reads", _reads(facts)
    for part, config in CONFIGURED.items():
        if part in configuration:
            yield part, _options(config, configuration[part])
    metrics = facts.training.get("metrics")
    if metrics:
        yield "best epoch", f"{metrics['best_epoch']} of {len(metrics['epochs'])}"
    if "versions" in environment:
        yield "versions", ", ".join(f"{name} {version}" for name, version in environment["versions"].items())


def _options(config: type[ModelConfig | TrainingConfig], options: Mapping[str, Any]) -> str:
    """Return options in words, without those that say no or have no effect beside the others."""
    idle = unused(config, {**vars(config()), **options})
    said = {
        name: value
        for name, value in options.items()
        if name not in idle and value is not None and value is not False and value != "no" and repr(value) != "0.0"
    }
    return ", ".join(
        f"{name} {'x'.join(map(str, value)) if isinstance(value, list) else value}" for name, value in said.items()
    )


def _reads(facts: Facts) -> str:
    """Return how much of a document the model reads."""
    limits = facts.config.get("limits") or {}
    if facts.config.get("hierarchical"):
        return (
            f"at most {limits.get('sentences')} sentences of a document, {limits.get('sentence_tokens')} tokens of each"
        )
    tokens = limits.get("tokens")
    return f"at most {tokens} tokens of a document" if tokens else "as much of a document as its encoder takes"


def _scores(facts: Facts) -> list[tuple[str, list[str]]]:
    metrics = facts.training.get("metrics") or {}
    rows = {role: metrics.get(role) or {} for role in ("validation", "test")}
    return [
        (f"{role} ({facts.documents[role]['documents']:,})", [f"{row[name]:.3f}" for name in facts.test])
        for role, row in rows.items()
        if row and facts.test and role in facts.documents
    ]


def _limits(facts: Facts) -> Iterator[str]:
    if facts.summary is None:
        yield "What its attention weights say of its decisions has not been measured."
    else:
        count = facts.summary["documents"]["analysed"]
        yield (
            f"The erasure results hold for {count:,} documents of one data set; on other texts, attention may be worth "
            "more or less."
        )
        cut = facts.summary["truncation"]
        if cut["truncated_documents"]:
            share = 100 * cut["truncated_tokens"] / (cut["tokens"] + cut["truncated_tokens"])
            yield f"Of these documents, {cut['truncated_documents']} were cut, by {share:.1f} % of all tokens."
    if facts.ours:
        yield f"It reads {_reads(facts)}; what lies behind does not count."
    if facts.ours:
        yield (
            "Erasure says what the attention layer's weights are worth to the layers above it. What the encoder has "
            "mixed into each token vector before, it does not say."
        )
    if facts.training:
        yield "One training run with one seed: another seed gives other weights, and another attention."
    if not facts.language:
        yield "The language of the documents is not stated."
    if not facts.license:
        yield "No licence is stated: ask before you use it beyond what the law allows anyway."
    yield "It has the biases of its training documents and of its encoder, which were not examined."


def _example_data(facts: Facts) -> str:
    """Return a data set for the example: the model's own, where it has a name that is safe inside a block of code."""
    named = facts.documents.get("test", facts.documents.get("train", {})).get("name") or ""
    return named if NAME.fullmatch(named) else "imdb"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *([markdown(name), *cells] for name, *cells in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
