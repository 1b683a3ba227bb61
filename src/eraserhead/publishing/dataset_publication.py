"""Write the folder of erasure results that is pushed to the hub as a data set, with a card of its own."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData, constants

from eraserhead.erasure.summary import Summary
from eraserhead.errors import Setting, UserError
from eraserhead.explanation.exploring import documents_page
from eraserhead.explanation.page_file import write_page
from eraserhead.files import replacing, write_text
from eraserhead.loading.run_layout import RUN
from eraserhead.publishing.attention_section import PACKAGE, attention_section
from eraserhead.publishing.card import TAGS
from eraserhead.publishing.data_names import describe, hub_name
from eraserhead.publishing.facts import Options, public_summary
from eraserhead.publishing.layout import CARD, DOCUMENTS, FLIPS, PAGE, SIGNALS, places, result_files
from eraserhead.publishing.leaks import private
from eraserhead.publishing.model_folder import Results, find_results, texts_of
from eraserhead.publishing.public_names import is_local, last_part
from eraserhead.publishing.publication import refuse_leaks
from eraserhead.publishing.results_files import write_results
from eraserhead.publishing.results_metadata import TASK
from eraserhead.showing.escapes import markdown
from eraserhead.showing.templates import template

TEMPLATE = "dataset_card.md.j2"
SPLIT, ALL = re.compile(r"\w+"), "all"  # a name that the hub takes for a split, and the one for others
SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (1e7, "1M<n<10M"))
LARGEST = "10M<n<100M"


def results_to_publish(model: str, erasure: Sequence[str] | None) -> tuple[Results, ...]:
    """Return the results to publish: the named ones, else those in a model's folder, else the folder itself.

    Raises:
        UserError: There are none, or they are not finished.
    """
    folder = Path(model)
    found = find_results(folder, erasure) or find_results(folder, None if erasure else [model])
    if not found:
        raise UserError(f"{model}: no erasure results to publish; name some with ", Setting("erasure"))
    return found


def write_dataset(results: Sequence[Results], folder: Path, options: Options) -> None:
    """Write the folder that is pushed, atomically, after a check that nothing private is in it.

    Args:
        results: The erasure results, all of one model.
        folder: Where to write; an existing folder is replaced.
        options: How they are published.

    Raises:
        UserError: They are of several models, or the folder would publish something private.
    """
    names = list(dict.fromkeys(_model(each.summary) for each in results))
    if len({each.summary.setup.model.classes for each in results}) > 1 or len(names) > 1:
        raise UserError(
            f"{' and '.join(str(each.folder.path) for each in results)}: results of several models; push those of each "
            "as a data set of its own"
        )
    summaries = [public_summary(each.summary, names[0]) for each in results]
    with replacing(folder) as unfinished:
        unfinished.mkdir()
        write_results(results, summaries, names[0], options.include_texts, unfinished)
        if options.page:
            write_page(unfinished / PAGE, documents_page(results[0].folder, summaries[0], f"eraserhead: {names[0]}"))
        write_text(unfinished / CARD, _card(results, summaries, options, result_files(unfinished)))
        kept = () if options.include_texts else texts_of(results)
        classes = summaries[0].setup.model.classes
        public = [options.repository, options.repository.rpartition("/")[2], names[0]]
        paths = [path for each in results for path in _paths(each)]
        refuse_leaks(
            unfinished,
            private(paths, kept, public, [*classes, *map(markdown, classes)]),
            str(results[0].folder.path),
        )


def _model(summary: Summary) -> str:
    """Return the public name of the model: its id on the hub, or the last part of its folder."""
    model = summary.setup.model
    return model.name if model.revision is not None else last_part(model.name)


def _paths(results: Results) -> Iterator[str]:
    yield str(results.folder.path)
    model, data = results.summary.setup.model, results.summary.setup.data
    if model.revision is None and (is_local(model.name) or "/" in model.name):
        yield model.name
    if data.path is not None:
        yield data.path


def _card(results: Sequence[Results], summaries: Sequence[Summary], options: Options, files: Sequence[str]) -> str:
    model, on_hub = _model(results[0].summary), results[0].summary.setup.model.revision is not None
    configurations = list(_configurations(summaries, options.include_texts))
    body = template(PACKAGE, TEMPLATE).render(
        title=options.repository.rpartition("/")[2],
        repository=options.repository,
        model=model,
        model_link=f"{constants.ENDPOINT}/{model}" if on_hub else None,
        classes=summaries[0].setup.model.classes,
        evaluated=" and ".join(dict.fromkeys(describe(summary.setup.data) for summary in summaries)),
        section=attention_section(summaries, options.include_texts, options.page, files=files),
        configurations=[each["config_name"] for each in configurations],
        limits=list(_limits(summaries, options)),
    )
    rows = sum(each.folder.table("flips", ["n"]).num_rows for each in results)
    sets = dict.fromkeys(filter(None, (hub_name(summary.setup.data.name) for summary in summaries)))
    license = options.license
    data = DatasetCardData(
        configs=configurations,
        language=list(options.language) or None,
        license=license and license.id,
        license_name=license and license.name,
        license_link=license and license.link,
        pretty_name=f"Erasure results of {model}",
        size_categories=next((name for most, name in SIZES if rows < most), LARGEST),
        source_datasets=list(sets) or None,
        tags=[*TAGS, *([f"base_model:{model}"] if on_hub else [])],
        task_categories=[TASK],
    )
    card = f"---\n{data.to_yaml()}\n---\n\n{body}"
    DatasetCard(card)
    return card


def _configurations(summaries: Sequence[Summary], texts: bool) -> Iterator[dict[str, Any]]:
    """Yield the configurations of the data set: a table each, of each of the results."""
    tables = {"flips": FLIPS} | ({"documents": DOCUMENTS, "signals": SIGNALS} if texts else {})
    for summary, place in zip(summaries, places(summaries), strict=True):
        split = summary.setup.data.split
        for name, file in tables.items():
            at = f"{place.removeprefix(f'{RUN.erasure}/').rstrip('/')}-" if place else ""
            files = [{"split": split if SPLIT.fullmatch(split) else ALL, "path": f"{place}{file}"}]
            yield {"config_name": f"{at}{name}", "data_files": files}


def _limits(summaries: Sequence[Summary], options: Options) -> Iterator[str]:
    yield (
        "The numbers are of one model and these documents; of another model or on other texts, attention may be worth "
        "more or less."
    )
    if options.include_texts:
        yield "The texts are those of the data set that was erased on, whose licence holds for them."
    else:
        yield "The texts of the documents are not in it; ids name the rows of the data set that was erased on."
    if any(summary.documents.trained_on is None for summary in summaries):
        yield "It is not recorded which documents the model was trained on: some of these may be among them."
    if not options.license:
        yield "No licence is stated: ask the owner about any use beyond what the law allows."
