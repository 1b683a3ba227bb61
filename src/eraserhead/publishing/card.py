"""The model card: what a classifier is, what its attention is worth, how to load it, and where its limits are."""

from collections.abc import Iterator, Mapping, Sequence

from huggingface_hub import ModelCard, ModelCardData

from eraserhead.erasure.conditions import labels_line, loading_line
from eraserhead.loading.setup import read_at_most
from eraserhead.models.architecture import WINDOWS
from eraserhead.publishing.attention_section import PACKAGE, attention_section
from eraserhead.publishing.data_names import describe
from eraserhead.publishing.example import erase_note, erase_options
from eraserhead.publishing.facts import Facts
from eraserhead.publishing.results_metadata import TASK, card_results
from eraserhead.settings import unused
from eraserhead.showing.templates import template
from eraserhead.training.config import ModelConfig, TrainingConfig
from eraserhead.training.metrics import METRICS

TEMPLATE, UNMEASURED = "model_card.md.j2", "unmeasured.md.j2"
RELATION = "finetune"  # of a model to its encoder, or to an adapter's base model, in the words of the hub
TAGS = ("attention", "interpretability", "erasure", "eraserhead")


def model_card(facts: Facts, files: Sequence[str] = ()) -> str:
    """Return the card's text, metadata included.

    Args:
        facts: What is published.
        files: The files of the results that are pushed with it.

    Raises:
        ValueError: Its metadata are not valid for the hub.
    """
    body = template(PACKAGE, TEMPLATE).render(
        title=facts.title,
        repository=facts.repository,
        what=_what(facts),
        classes=facts.classes,
        tells=_tells(facts),
        ours=facts.ours,
        own_code=facts.own_code,
        hierarchical=facts.architecture is not None and facts.architecture.hierarchical,
        section=section_of(facts, files),
        made=list(_made(facts)),
        scores=_scores(facts),
        metric_names=[METRICS[name].title for name in facts.test],
        limits=list(_limits(facts)),
        example=_example(facts),
        erase_options=erase_options(facts),
        erase_note=erase_note(facts),
    )
    card = f"---\n{card_data(facts).to_yaml()}\n---\n\n{body}"
    ModelCard(card)  # parses the metadata again, and raises if the hub would not accept them
    return card


def section_of(facts: Facts, files: Sequence[str]) -> str:
    """Return the section on what the attention is worth."""
    unmeasured = template(PACKAGE, UNMEASURED).render(repository=facts.repository, erase_options=erase_options(facts))
    return attention_section(facts.summaries, facts.texts, facts.page, facts.explained, unmeasured.rstrip(), files)


def card_data(facts: Facts) -> ModelCardData:
    """Return the metadata: task, data, metrics and where the model comes from, in the hub's format."""
    results = list(card_results(facts))
    metrics = list(dict.fromkeys(METRICS[name].hub_name for name in facts.test))
    return ModelCardData(
        base_model=facts.base_model,
        base_model_relation=None if facts.base_model is None else RELATION,
        datasets=list(facts.datasets) or None,
        eval_results=results or None,
        language=list(facts.language) or None,
        library_name="transformers",
        license=facts.license and facts.license.id,
        license_name=facts.license and facts.license.name,
        license_link=facts.license and facts.license.link,
        metrics=metrics or None,
        model_name=facts.title if results else None,
        pipeline_tag=TASK,
        tags=list(TAGS),
        widget=[{"text": text} for text in facts.examples] or None,
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


def _made(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield what is known about the training, as pairs of a name and a value."""
    training = facts.training
    for role, documents in facts.documents.items():
        cut = training.data and training.data.truncation.get(role)
        lost = f"; {cut.describe()}" if cut and cut.truncated_documents else ""
        yield f"{role} documents", f"{describe(documents)}{lost}"
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
        yield "devices of training", training.metrics.devices
    if training.environment is not None:
        yield "versions", ", ".join(f"{name} {version}" for name, version in training.environment.versions.items())
    if facts.summary is not None:
        yield "devices of the erasure", f"{facts.summary.run.devices}, in {facts.summary.setup.site.dtype}"


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
    hierarchical = facts.architecture is not None and facts.architecture.hierarchical
    if facts.reads is None or (facts.reads.tokens is None and not hierarchical):
        return "as much of a document as its encoder takes"
    return read_at_most(facts.reads)


def _scores(facts: Facts) -> list[tuple[str, list[str]]]:
    metrics = facts.training.metrics
    found: list[tuple[str, Mapping[str, float]]] = [
        (f"{role} ({facts.documents[role].documents:,})", scores)
        for role, scores in ({} if metrics is None else metrics.by_role).items()
        if facts.test and role in facts.documents
    ]
    if facts.test_unseen and facts.test_overlaps:
        found.append(("test, not seen in training", facts.test_unseen))
    return [(role, [f"{scores[name]:.3f}" for name in facts.test]) for role, scores in found]


def _limits(facts: Facts) -> Iterator[str]:
    if facts.summary is None:
        yield "Nobody has measured yet what its attention weights say about its decisions."
    else:
        count = facts.summary.documents.analysed
        yield (
            f"The erasure results hold for {count:,} documents of one data set; on other texts, attention may be worth "
            "more or less."
        )
        if facts.summary.documents.trained_on is None:
            yield "It is not recorded which documents it was trained on: some of these may be among them."
        labels, loaded = labels_line(facts.summary), loading_line(facts.summary.setup.model)
        if labels is not None:
            yield f"Labels of these documents: {labels}."
        if loaded is not None:
            yield f"Its attention was measured on weights as follows: {loaded}."
        cut = facts.summary.truncation
        if cut.truncated_documents:
            lost = f"{100 * cut.share:.1f} % of all tokens"
            yield f"{cut.truncated_documents} of these documents were cut; together they lost {lost}."
    if facts.test_trained_on:
        yield f"{facts.test_trained_on:,} of the {facts.documents['test'].documents:,} test documents were trained on."
    if facts.ours:
        whole = facts.reads is not None and facts.reads.long_documents == WINDOWS and facts.reads.windows is None
        yield f"It reads {_reads(facts)}{'' if whole else '; the rest is ignored'}."
        yield (
            "Erasure measures how much the layers above the attention layer rely on its weights. It does not measure "
            "what the encoder has already mixed into each token vector."
        )
    if facts.training.known:
        yield "This is one training run with one seed: another seed gives other weights and another attention."
    if not facts.language:
        yield "The language of the documents is not stated."
    if facts.own_code:
        yield "It is Python code of its repository, which transformers runs with all the rights of whoever loads it."
    if not facts.license:
        yield "No licence is stated: ask the owner about any use beyond what the law allows."
    yield "It has the biases of its training documents and of its encoder; nobody has examined them."


def _example(facts: Facts) -> str:
    """Return what the example classifies: a text, or a pair of texts where the model was trained on pairs."""
    config = facts.training.config
    if config is None or config.data.pair_column is None:
        return '"A fine cast, wasted on a script that never wakes up."'
    return '{"text": "The cast is fine.", "text_pair": "The film is good."}'
