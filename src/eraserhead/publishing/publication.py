"""Write the folder that is pushed to the hub, and decide what is left out of it."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from textwrap import shorten
from typing import Any

from transformers.dynamic_module_utils import get_relative_import_files

from eraserhead.errors import Setting, UserError
from eraserhead.explanation.exploring import documents_page
from eraserhead.explanation.page import explanations_page
from eraserhead.explanation.page_file import write_page
from eraserhead.explanation.picture import draw_explanation
from eraserhead.explanation.several import explain_texts
from eraserhead.files import read_mapping, replacing, write_json, write_text
from eraserhead.loading.boundary import quiet
from eraserhead.loading.checkpoints import load_checkpoint, load_tokenizer
from eraserhead.loading.run_layout import RUN
from eraserhead.models import modeling_attention_pooling, pipeline_attention_pooling
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.pipeline_attention_pooling import AttentionPoolingPipeline
from eraserhead.publishing.amended_card import amended_card
from eraserhead.publishing.card import model_card
from eraserhead.publishing.facts import Facts, Options, gather_facts, training_names
from eraserhead.publishing.layout import CARD, PAGE, PICTURE, TRAINING, result_files
from eraserhead.publishing.leaks import Private, leaks, private
from eraserhead.publishing.model_folder import CODE, Source, texts_of
from eraserhead.publishing.public_names import publishable
from eraserhead.publishing.results_files import link, write_results
from eraserhead.publishing.results_metadata import eval_files
from eraserhead.records import write_record
from eraserhead.showing.escapes import markdown, visible
from eraserhead.showing.figures import save_png

PIPELINES = "custom_pipelines"  # key in config.json that names the classes of pipelines
MODULE = re.compile(r"[A-Za-z_]\w*\.py", re.ASCII)
SHOWN, EXCERPT = 5, 60  # leaks that a message names; characters of a text in one


def write_publication(source: Source, folder: Path, options: Options) -> None:
    """Write the folder that is pushed, atomically, after a check that nothing private is in it.

    Args:
        source: The model.
        folder: Where to write; an existing folder is replaced.
        options: How it is published.

    Raises:
        UserError: The folder would publish a local path, the name of this machine or its user, a secret, or a text of
            the documents; or one of the source's files is damaged.
    """
    facts = _explained(source, gather_facts(source, options), options)
    with replacing(folder) as unfinished:
        unfinished.mkdir()
        _write_model(source, facts, unfinished)
        _write_shown(source, facts, unfinished, accuracy=True)
        write_text(unfinished / CARD, model_card(facts, result_files(unfinished)))
        _check_leaks(source, facts, unfinished)


def write_amendment(source: Source, folder: Path, options: Options, card: str) -> None:
    """Write the folder that is pushed to a model on the hub: results, and its card with a section on its attention.

    Args:
        source: The model.
        folder: Where to write; an existing folder is replaced.
        options: How it is published.
        card: The card as it is there; empty where there is none.

    Raises:
        UserError: As `write_publication`; or the card's metadata cannot be amended.
    """
    facts = _explained(source, gather_facts(source, options), options)
    with replacing(folder) as unfinished:
        unfinished.mkdir()
        _write_shown(source, facts, unfinished, accuracy=False)
        _check_leaks(source, facts, unfinished)
        # Whatever was in the card before is public already.
        write_text(unfinished / CARD, amended_card(card, facts, result_files(unfinished)))


def _explained(source: Source, facts: Facts, options: Options) -> Facts:
    """Add the decisions on the publisher's texts."""
    if not options.examples:
        return facts
    documents = set() if options.include_texts else set(texts_of(source.results))
    found = next((text for text in options.examples if text in documents), None)
    if found is not None:
        raise UserError(
            Setting("examples", [shorten(found, EXCERPT)]),
            ": is a document of the data; give a text of your own, or publish the documents with ",
            Setting("include_texts", True),
        )
    site = source.results[0].summary.setup.site if source.results else None
    explained = explain_texts(str(source.folder), options.examples, site, source.own_code)
    return replace(facts, explained=[replace(each, model=facts.repository) for each in explained])


def _write_shown(source: Source, facts: Facts, folder: Path, accuracy: bool) -> None:
    """Write results, scores (`accuracy` among them or not), and what shows single decisions."""
    write_results(source.results, facts.summaries, facts.repository, facts.texts, folder)
    for path, content in eval_files(facts, accuracy).items():
        (folder / path).parent.mkdir(exist_ok=True)
        write_text(folder / path, content)
    picture = draw_explanation(facts.explained[0]) if facts.explained else None
    if picture is not None:
        save_png(picture, folder / PICTURE)
    title = f"eraserhead: {facts.title}"
    if facts.page and facts.explained:
        write_page(folder / PAGE, explanations_page(facts.explained, title))
    elif facts.page and facts.summary is not None:
        write_page(folder / PAGE, documents_page(source.results[0].folder, facts.summary, title))


def _write_model(source: Source, facts: Facts, folder: Path) -> None:
    """Write weights, tokenizer, code and configurations."""
    _write_weights(source, folder)
    load_tokenizer(str(source.folder), trust_remote_code=source.own_code).save_pretrained(folder)
    names = {str(source.folder): facts.repository}
    tokenizer = publishable(read_mapping(folder / RUN.tokenizer, "save the tokenizer again"), names)
    write_json(folder / RUN.tokenizer, tokenizer)
    config = publishable(source.config_content, training_names(source))
    own = {key: value for key, value in config.items() if key not in (CODE, PIPELINES)}
    write_json(folder / RUN.config, {**own, **_write_code(source, folder)})
    if facts.training.known:
        write_record(folder / TRAINING, facts.training)


def _write_weights(source: Source, folder: Path) -> None:
    """Link the files of the weights, or write them as safetensors where they are pickled or named otherwise."""
    if source.published_as_stored:
        for name in source.weights:
            link(source.folder / name, folder / name)
        return
    stored = source.config_content.get("dtype") or source.config_content.get("torch_dtype")
    dtype = stored if stored in ("float16", "bfloat16") else "float32"
    model = load_checkpoint(str(source.folder), dtype=dtype, trust_remote_code=source.own_code).model
    with quiet():
        model.save_pretrained(folder, save_original_format=False)  # which would put the prefix back
    (folder / RUN.config).unlink()  # which is written from the source's own


def _write_code(source: Source, folder: Path) -> dict[str, Any]:
    """Copy the code that a model needs beside transformers; return the entries of config.json that name it."""
    if source.own_code:
        for file in sorted(source.folder.glob("*.py")):
            if not MODULE.fullmatch(file.name):
                raise UserError(f"{source.name}: '{visible(file.name)}' is no name of a Python module; rename the file")
            shutil.copyfile(file, folder / file.name)
        return {key: source.config_content[key] for key in (CODE, PIPELINES) if key in source.config_content}
    return _write_our_code(folder) if source.ours else {}


def _write_our_code(folder: Path) -> dict[str, Any]:
    """Copy the code that loads our models without the package."""
    modules = [Path(str(module.__file__)) for module in (modeling_attention_pooling, pipeline_attention_pooling)]
    needed = {Path(file) for module in modules for file in get_relative_import_files(module)}
    for file in sorted({*modules, *needed}):
        shutil.copyfile(file, folder / file.name)
    pipeline = {"impl": _reference(AttentionPoolingPipeline), "pt": ["AutoModelForSequenceClassification"]}
    return {
        CODE: {
            "AutoConfig": _reference(AttentionPoolingConfig),
            "AutoModelForSequenceClassification": _reference(AttentionPoolingForSequenceClassification),
        },
        PIPELINES: {"text-classification": pipeline},
    }


def _reference(kind: type) -> str:
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def _check_leaks(source: Source, facts: Facts, folder: Path) -> None:
    texts = () if facts.texts else texts_of(source.results)
    public = [facts.repository, facts.title, *facts.datasets, *filter(None, [facts.base_model])]
    classes = [*facts.classes, *map(markdown, facts.classes)]
    refuse_leaks(folder, private(source.paths, texts, public, classes), source.name)


def refuse_leaks(folder: Path, kept: Private, name: str) -> None:
    """Refuse to publish a folder with something private in it.

    Args:
        folder: The folder.
        kept: What must not leave this machine.
        name: What is published, in the message.

    Raises:
        UserError: Naming the files, and what they contain.
    """
    found = leaks(folder, kept)
    if found:
        raise UserError(
            f"{name}: not published, because it would show {'; '.join(found[:SHOWN])}; mend the file that it comes from"
        )
