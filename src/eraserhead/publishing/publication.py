"""The folder that is pushed to the hub: the one writer of what is published of a model, and what is left out of it."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from transformers.dynamic_module_utils import get_relative_import_files

from eraserhead.data.named_sets import NAMED
from eraserhead.erasure.results import SUMMARY, ResultsFolder
from eraserhead.errors import UserError
from eraserhead.files import UNFINISHED, read_mapping, write_json, write_text
from eraserhead.loading.checkpoints import load_tokenizer
from eraserhead.models import modeling_attention_pooling, pipeline_attention_pooling
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.pipeline_attention_pooling import AttentionPoolingPipeline
from eraserhead.publishing.card import CARD, FIGURE, Facts, model_card
from eraserhead.publishing.curves import draw_curves
from eraserhead.publishing.leaks import leaks, private
from eraserhead.publishing.model_folder import CONFIG, INDEX, Source, is_from_hub
from eraserhead.publishing.public_names import is_local, last_part, publishable
from eraserhead.showing.escapes import markdown
from eraserhead.training.config import PACKAGED

TRAINING = "training.json"
FLIPS, DOCUMENTS = "flips.parquet", "documents.parquet"
TOKENIZER = "tokenizer_config.json"
# The encoder that the extra `demo` installs is a copy of this one.
PACKAGED_IS = "sentence-transformers/all-MiniLM-L6-v2"
CODE = ("auto_map", "custom_pipelines")  # keys of config.json that name code
SHOWN = 5  # leaks that a message names
# Everything of a model's repository that is ours to replace or to remove; other files are its owner's.
OWN_MODULES = "|".join(
    sorted(module.stem for module in Path(str(modeling_attention_pooling.__file__)).parent.glob("*.py"))
)
OWN_FILES = re.compile(
    rf"{CARD}|{FIGURE}|{TRAINING}|{SUMMARY}|{FLIPS}|{DOCUMENTS}|{CONFIG}|{INDEX}|({OWN_MODULES})\.py"
    r"|model(-\d+-of-\d+)?\.safetensors"
    # Of another tokenizer, which would be read together with ours.
    r"|(tokenizer|tokenizer_config|added_tokens|special_tokens_map|vocab)\.json|(vocab|merges)\.txt|chat_template\.jinja"
    r"|[\w.-]+\.(model|codes|spm|bpe|tiktoken)"
)


@dataclass(frozen=True)
class Options:
    """How a model is published.

    Attributes:
        repository: Its name on the hub.
        license: Licence of the model, by the hub's identifier.
        language: Languages of the documents, as ISO 639 codes.
        include_texts: Whether the documents' texts are published too.
    """

    repository: str
    license: str | None = None
    language: Sequence[str] = ()
    include_texts: bool = False

    def or_as_in(self, card: Mapping[str, Any]) -> "Options":
        """Return the same with the licence and the languages of a card that is there, where none are given."""
        stated = card.get("language") or ()
        languages = (stated,) if isinstance(stated, str) else tuple(stated)
        return replace(self, license=self.license or card.get("license"), language=self.language or languages)


def write_publication(source: Source, folder: Path, options: Options) -> None:
    """Write the folder that is pushed; it appears under its name only when it is whole and nothing leaks.

    Args:
        source: The model.
        folder: Where to write; what is there is replaced.
        options: How it is published.

    Raises:
        UserError: The folder would publish a local path, a name of this machine or its user, a secret, or a text of the
            documents; or one of the source's files is damaged.
    """
    unfinished = folder.with_name(folder.name + UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        facts = _facts(source, options)
        _write_model(source, facts, unfinished)
        if source.results is not None:
            _write_results(source.results, facts, unfinished)
        write_text(unfinished / CARD, model_card(facts))
        _check_leaks(source, facts, unfinished)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def training_names(source: Source) -> dict[str, str]:
    """Return what the paths in a run's configuration are called in public."""
    data = (source.run or {}).get("data", {})
    names = {PACKAGED: PACKAGED_IS, **_data_name(data.get("name"), data.get("path"), source.documents.get("train"))}
    return names if source.encoder is None else {**names, source.encoder: last_part(source.encoder)}


def _data_name(name: str | None, path: str | None, fingerprint: str | None) -> dict[str, str]:
    """Return the public name of a data set's path: its name on the hub, else its folder's with the fingerprint."""
    if path is None:
        return {}
    known = NAMED[name].hub if name in NAMED else None
    mark = f" (sha256 {fingerprint[:16]})" if fingerprint else ""
    return {path: known or f"{last_part(path)}{mark}"}


def _public_summary(results: ResultsFolder, repository: str) -> dict[str, Any]:
    """Return a summary of results without local paths."""
    summary = results.summary()
    model, data = summary["configuration"]["model"], summary["configuration"]["data"]
    names = {model["name"]: repository, **_data_name(data["name"], data["path"], data["fingerprint"])}
    return publishable(summary, names)


def _facts(source: Source, options: Options) -> Facts:
    """Return what is published of a model's configurations and results, without anything local."""
    names = training_names(source)
    run, data = source.run or {}, source.data or {}
    training = {
        "configuration": {part: run[part] for part in ("data", "model", "training") if part in run} or None,
        "data": source.data,
        "fingerprints": source.documents or None,
        "metrics": source.metrics,
        "environment": source.environment,
    }
    encoder = (source.environment or {}).get("encoder", {"name": run.get("model", {}).get("encoder"), "revision": None})
    base = PACKAGED_IS if encoder["name"] == PACKAGED else encoder["name"] if is_from_hub(encoder) else None
    sets = [documents["name"] for documents in data.get("documents", {}).values() if documents.get("name")]
    return Facts(
        repository=options.repository,
        config=publishable(source.config, names),
        ours=source.ours,
        training=publishable({name: part for name, part in training.items() if part is not None}, names),
        summary=None if source.results is None else _public_summary(source.results, options.repository),
        base_model=base,
        datasets=tuple(dict.fromkeys(hub_name for name in sets if (hub_name := _hub_name(name)))),
        license=options.license,
        language=tuple(options.language),
        texts=options.include_texts,
    )


def _hub_name(name: str) -> str | None:
    """Return a data set's id on the hub; null for one that is built in or lies in a folder."""
    if name in NAMED:
        return NAMED[name].hub
    return name if "/" in name and not is_local(name) else None


def _write_model(source: Source, facts: Facts, folder: Path) -> None:
    """Write weights, tokenizer, code and configurations."""
    for name in source.weights:
        _link(source.folder / name, folder / name)
    load_tokenizer(str(source.folder)).save_pretrained(folder)
    names = {str(source.folder): facts.repository}
    tokenizer = publishable(read_mapping(folder / TOKENIZER, "save the tokenizer again"), names)
    write_json(folder / TOKENIZER, tokenizer)
    own = {key: value for key, value in facts.config.items() if key not in CODE}  # of another repository's code
    write_json(folder / CONFIG, {**own, **(_write_code(folder) if facts.ours else {})})
    if facts.training:
        write_json(folder / TRAINING, facts.training)


def _write_code(folder: Path) -> dict[str, Any]:
    """Copy the code that loads our models without the package; returns what config.json says of it."""
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


def _write_results(results: ResultsFolder, facts: Facts, folder: Path) -> None:
    """Write the erasure results as far as they are published, and their figure."""
    assert facts.summary is not None
    write_json(folder / SUMMARY, facts.summary)
    ids = results.table("documents", ["id"]).column("id").to_pylist()
    rows = re.compile(rf"{re.escape(facts.summary['configuration']['data']['split'])}/\d+")
    if all(map(rows.fullmatch, ids)):
        _link(results.path / FLIPS, folder / FLIPS)
    else:  # the user's own ids may be anything, a name or a text
        _number_documents(
            results.path / FLIPS, folder / FLIPS, {name: f"document/{row}" for row, name in enumerate(ids)}
        )
    if facts.texts:
        _link(results.path / DOCUMENTS, folder / DOCUMENTS)
    draw_curves(results.table("flips", ["ranking", "n", "fraction"]), folder / FIGURE)


def _number_documents(source: Path, target: Path, numbers: Mapping[str, str]) -> None:
    """Copy a table of results, a group of rows at a time, with other ids."""
    table = pq.ParquetFile(source)
    with pq.ParquetWriter(target, table.schema_arrow) as writer:
        for batch in table.iter_batches():
            renamed = pa.array([numbers[name] for name in batch.column("id").to_pylist()])
            writer.write_batch(batch.set_column(batch.schema.get_field_index("id"), "id", renamed))


def _link(source: Path, target: Path) -> None:
    """Give a file a second name where the file system can, else copy it."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _check_leaks(source: Source, facts: Facts, folder: Path) -> None:
    texts: Sequence[str] = ()
    if source.results is not None and not facts.texts:
        texts = source.results.table("documents", ["text"]).column("text").to_pylist()
    title = facts.repository.rpartition("/")[2]
    public = [facts.repository, title, *facts.datasets, *filter(None, [facts.base_model])]
    classes = [*facts.classes, *map(markdown, facts.classes)]
    found = leaks(folder, private(source.paths, texts, public, classes))
    if found:
        raise UserError(
            f"{source.folder}: not published, because it would show {'; '.join(found[:SHOWN])}; mend the file that it "
            "comes from"
        )
