"""Write the folder that is pushed to the hub, and decide what is left out of it."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from transformers.dynamic_module_utils import get_relative_import_files

from eraserhead.data.own_columns import OTHERS
from eraserhead.erasure.plotted import Plotted
from eraserhead.erasure.plotting import draw_flips
from eraserhead.erasure.results import RESULTS, ROWS_AT_A_TIME
from eraserhead.erasure.schemas import DOCUMENT_ROWS, SCHEMAS
from eraserhead.errors import UserError
from eraserhead.files import read_mapping, replacing, write_json, write_text
from eraserhead.loading.boundary import quiet
from eraserhead.loading.checkpoints import load_checkpoint, load_tokenizer
from eraserhead.loading.run_layout import RUN
from eraserhead.models import modeling_attention_pooling, pipeline_attention_pooling
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.pipeline_attention_pooling import AttentionPoolingPipeline
from eraserhead.parquet import open_parquet, parquet_batches, parquet_writer
from eraserhead.publishing.card import CARD, FIGURE, model_card
from eraserhead.publishing.facts import Facts, Options, gather_facts, training_names
from eraserhead.publishing.leaks import leaks, private
from eraserhead.publishing.model_folder import Results, Source
from eraserhead.publishing.public_names import publishable
from eraserhead.records import write_record
from eraserhead.showing.escapes import markdown
from eraserhead.showing.figures import save_png

TRAINING = "training.json"
FLIPS, DOCUMENTS, SIGNALS = (RESULTS.table(name) for name in ("flips", "documents", "signals"))
CODE = ("auto_map", "custom_pipelines")  # keys in config.json that name code
SHOWN = 5  # leaks that a message names
# Files in a model's repository that a push may replace or remove; other files belong to the owner.
OWN_MODULES = "|".join(
    sorted(module.stem for module in Path(str(modeling_attention_pooling.__file__)).parent.glob("*.py"))
)
OWN_FILES = re.compile(
    rf"{CARD}|{FIGURE}|{TRAINING}|{RESULTS.summary}|{FLIPS}|{DOCUMENTS}|{SIGNALS}|{RUN.config}|{RUN.index}|({OWN_MODULES})\.py"
    r"|model(-\d+-of-\d+)?\.safetensors"
    # Files of another tokenizer, which would be read together with ours.
    r"|(tokenizer|tokenizer_config|added_tokens|special_tokens_map|vocab)\.json|(vocab|merges)\.txt|chat_template\.jinja"
    r"|[\w.-]+\.(model|codes|spm|bpe|tiktoken)"
)


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
    facts = gather_facts(source, options)
    with replacing(folder) as unfinished:
        unfinished.mkdir()
        _write_model(source, facts, unfinished)
        if source.results is not None and facts.summary is not None:
            _write_results(source.results, facts, unfinished)
            write_record(unfinished / RESULTS.summary, facts.summary)
        write_text(unfinished / CARD, model_card(facts))
        _check_leaks(source, facts, unfinished)


def _write_model(source: Source, facts: Facts, folder: Path) -> None:
    """Write weights, tokenizer, code and configurations."""
    _write_weights(source, folder)
    load_tokenizer(str(source.folder)).save_pretrained(folder)
    names = {str(source.folder): facts.repository}
    tokenizer = publishable(read_mapping(folder / RUN.tokenizer, "save the tokenizer again"), names)
    write_json(folder / RUN.tokenizer, tokenizer)
    config = publishable(source.config_content, training_names(source))
    own = {key: value for key, value in config.items() if key not in CODE}  # not another repository's code
    write_json(folder / RUN.config, {**own, **(_write_code(folder) if facts.ours else {})})
    if facts.training.known:
        write_record(folder / TRAINING, facts.training)


def _write_weights(source: Source, folder: Path) -> None:
    """Link the files of the weights, or write them as safetensors where they are pickled or named otherwise."""
    if source.published_as_stored:
        for name in source.weights:
            _link(source.folder / name, folder / name)
        return
    stored = source.config_content.get("dtype") or source.config_content.get("torch_dtype")
    model = load_checkpoint(str(source.folder), dtype=stored if stored in ("float16", "bfloat16") else "float32").model
    with quiet():
        model.save_pretrained(folder, save_original_format=False)  # which would put the prefix back
    (folder / RUN.config).unlink()  # which is written from the source's own


def _write_code(folder: Path) -> dict[str, Any]:
    """Copy the code that loads our models without the package; returns the entries of config.json that name it."""
    modules = [Path(str(module.__file__)) for module in (modeling_attention_pooling, pipeline_attention_pooling)]
    needed = {Path(file) for module in modules for file in get_relative_import_files(module)}
    for file in sorted({*modules, *needed}):
        shutil.copyfile(file, folder / file.name)
    pipeline = {"impl": _reference(AttentionPoolingPipeline), "pt": ["AutoModelForSequenceClassification"]}
    return {
        "auto_map": {
            "AutoConfig": _reference(AttentionPoolingConfig),
            "AutoModelForSequenceClassification": _reference(AttentionPoolingForSequenceClassification),
        },
        "custom_pipelines": {"text-classification": pipeline},
    }


def _reference(kind: type) -> str:
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def _write_results(results: Results, facts: Facts, folder: Path) -> None:
    """Write those tables of the erasure results that are published, and their figure."""
    setup, tables = results.summary.setup, results.folder
    ids = tables.table("documents", ["id"]).column("id").to_pylist()
    rows = re.compile(rf"{re.escape(setup.data.split)}/\d+")
    if all(map(rows.fullmatch, ids)):
        _link(tables.path / FLIPS, folder / FLIPS)
    else:  # ids from the user may contain anything, such as a name or a text
        numbers = {name: f"document/{row}" for row, name in enumerate(dict.fromkeys(ids))}
        _number_documents(tables.path / FLIPS, folder / FLIPS, numbers)
    if facts.texts:
        _link(tables.path / SIGNALS, folder / SIGNALS)
        _copy_documents(tables.path / DOCUMENTS, folder / DOCUMENTS)
    if facts.summary is not None and facts.summary.rankings:
        figure = draw_flips([Plotted(facts.repository, facts.summary, tables)]).figure
        save_png(figure, folder / FIGURE)


def _number_documents(source: Path, target: Path, numbers: Mapping[str, str]) -> None:
    """Copy a table of results batch by batch, with its ids replaced."""
    with parquet_writer(target, SCHEMAS["flips"]) as writer:
        for table in parquet_batches(source, "erase again", None, ROWS_AT_A_TIME):
            renamed = pa.array([numbers[name] for name in table.column("id").to_pylist()])
            writer.write_table(table.set_column(table.schema.get_field_index("id"), "id", renamed))


def _copy_documents(source: Path, target: Path) -> None:
    """Copy the documents without the data's further columns: nobody was asked whether these may be published."""
    with open_parquet(source) as table:
        has_others = OTHERS in table.schema_arrow.names
    if not has_others:
        _link(source, target)
        return
    schema = SCHEMAS[DOCUMENT_ROWS]
    with parquet_writer(target, schema) as writer:
        for rows in parquet_batches(source, "erase again", schema.names, ROWS_AT_A_TIME):
            writer.write_table(rows.select(schema.names))


def _link(source: Path, target: Path) -> None:
    """Make a hard link to a file if the file system can, else a copy."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _check_leaks(source: Source, facts: Facts, folder: Path) -> None:
    texts: Sequence[str] = ()
    if source.results is not None and not facts.texts:
        texts = source.results.folder.table("documents", ["text"]).column("text").to_pylist()
    public = [facts.repository, facts.title, *facts.datasets, *filter(None, [facts.base_model])]
    classes = [*facts.classes, *map(markdown, facts.classes)]
    found = leaks(folder, private(source.paths, texts, public, classes))
    if found:
        raise UserError(
            f"{source.given}: not published, because it would show {'; '.join(found[:SHOWN])}; mend the file that it "
            "comes from"
        )
