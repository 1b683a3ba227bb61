"""Erasure from Python: texts or a data set in, tables out."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from transformers import PreTrainedTokenizerBase

from eraserhead.data.config import DataConfig
from eraserhead.data.given import Given, GivenColumns
from eraserhead.erasure.config import CountNeverAs, EraseConfig, MergeConfig
from eraserhead.erasure.erasing import erase_documents
from eraserhead.erasure.finding import found_results
from eraserhead.erasure.held import Erasure
from eraserhead.erasure.merging import merge_folders
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.errors import Job, Setting, UserError
from eraserhead.loading import devices
from eraserhead.loading.given import IN_MEMORY, Dtype, GivenModel
from eraserhead.loading.given_inputs import given_inputs
from eraserhead.loading.site_table import check_site
from eraserhead.method.names import CurveSizes, RandomOther, Unit
from eraserhead.rankings.asked import Given as GivenRanking
from eraserhead.rankings.asked import asked_rankings
from eraserhead.settings import as_list, check_effects, check_settings


def erase(
    model: GivenModel,
    data: Given | DataConfig,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    split: str | None = None,
    text_column: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
    label_columns: Sequence[str] | None = None,
    rationale_column: str | None = None,
    max_length: int | None = None,
    draws: int | None = None,
    seed: int = 0,
    random_other: RandomOther = "uniform",
    count_never_as: CountNeverAs = "beyond_all",
    curves: CurveSizes | None = None,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    batch_tokens: int | None = None,
    part: str | None = None,
    site: str | None = None,
    components: Unit | None = None,
    heads: Sequence[int] | None = None,
    special_tokens: bool | None = None,
    search: Literal["none", "greedy"] = "none",
    label_map: Sequence[str] | None = None,
    rankings: Sequence[GivenRanking] | None = None,
    memory_budget: float = 1.0,
    target: str | Sequence[str] | None = None,
    threshold: float | None = None,
    threshold_on: Literal["probability", "logit"] = "probability",
    revision: str | None = None,
    dtype: Dtype | None = None,
    trust_remote_code: bool = False,
    cpu: bool = False,
) -> Erasure:
    """Erase the attention weights of a classifier, document by document, and see when its decisions flip.

    Args:
        model: Folder or hub id of a classifier, the classifier itself together with its `tokenizer`, or a pipeline of
            transformers; it is put into eval mode and on the device in use, and a decoder without a padding token is
            given its tokenizer's.
        data: Texts; pairs of texts; rows with columns, as a list of dicts, a pandas `DataFrame` or a data set; or a
            `DataConfig`. A column ``id`` holds the documents' ids, which seed their random draws; otherwise they are
            numbered.
        tokenizer: The tokenizer, where `model` is a classifier in memory.
        split: The split, where `data` is a `DatasetDict` of several.
        text_column: Column of the texts in rows; default: ``text``.
        pair_column: Column of a second sequence in rows, which the tokenizer gets as a pair with the text.
        label_column: Column of the gold classes in rows, used for accuracy alone: names, or indices of the model's
            classes, or of the names that a data set has for them; default: ``label``, where there is one. For a model
            that decides label by label, lists of these.
        label_columns: Columns of 0 and 1 in rows, one for each label of such a model, in place of a column of lists.
        rationale_column: Column in rows of what people marked as evidence: spans of each text, in characters, as pairs
            or objects of start and end; or one 0 or 1 for each word (run without white space); or a list of these, one
            entry for each annotator.
        max_length: Most tokens of a document, for models that read it as a whole, or of each of its windows; default:
            what the `DataConfig` or the run says, else what the model was trained on, else its window.
        draws: Number of random orders tried for each document; default: 10 where erasures have closed forms; elsewhere
            3, and up to 10 where so few would widen an interval by a tenth or more.
        seed: Seed of all draws.
        random_other: Components that test 1 compares the top with: ``uniform``, all but the top; ``position``, all but
            the first, the top included, as in Serrano & Smith's released code.
        count_never_as: How the summary counts a document that never flips: ``beyond_all``, as larger than everything
            and left out of means; ``all``, as one that flips when everything is erased (fraction 1). The tables keep
            null.
        curves: Where probabilities along rankings are looked at: with ``all``, after every component; with
            ``fractions``, after 1, 5, 10, 20 and 50 % of them; with ``none``, nowhere. Default: ``all`` where erasures
            have closed forms, elsewhere ``fractions``.
        output_dir: Folder for the results; default: they are kept in memory alone.
        overwrite: Replace results of another setup in `output_dir`.
        batch_tokens: Tokens processed at a time.
        part: Analyse one part of the documents alone, such as ``2/5``, into its own `output_dir`; see `merge`.
        site: ``pooling``, ``words`` (of a hierarchical model), or inside an encoder ``layer:L``, ``layer:L:all`` or
            ``all``, or of an encoder with a decoder ``encoder:L``, ``decoder:L``, ``cross:L`` or ``all``; default: the
            last attention-pooling layer where there is one, else the last layer, or its cross attention.
        components: What is erased, ranked and counted as one: ``tokens`` (the default), ``words`` or ``sentences``; at
            ``pooling`` a hierarchical model has sentences, and those alone.
        heads: Heads whose weights are erased, inside an encoder; default: all.
        special_tokens: Whether tokens such as [CLS] are components, inside an encoder; default: yes.
        search: ``greedy`` looks for smaller flipping sets than those of the rankings, where there is no exact minimum.
        label_map: Classes of the data and of the model that mean the same, as ``data=model`` pairs.
        rankings: What orders components: each a name, ``all`` (all that are defined at the site),
            ``package.module:function``, a file of scores, a function of a `Reading`, a `Ranking`, or a mapping of names
            to functions or scores: ``{"theirs": {id: [one for each component]}}``, triples of start, end and score in
            place of the numbers, or a `DataFrame`. Default: attention, gradient and product; attention is always among
            them.
        memory_budget: Gigabytes that the replays at ``words`` and inside an encoder may take.
        target: Labels of a multi-label model whose states are looked at: ``predicted`` (the default: each label that is
            on, and the one with the largest logit where none is), ``all``, or names.
        threshold: Where a label of a multi-label model is on: above this probability, by default 0.5. A model with a
            single output, such as a reranker, decides only where this is given.
        threshold_on: What `threshold` is: a ``probability`` (of the sigmoid), or a raw ``logit``.
        revision: Branch, tag or commit of a model on the hub.
        dtype: Precision to load a named model in; default: float32.
        trust_remote_code: Run Python code that a named model's repository brings with it.
        cpu: Use the CPU even where there is an accelerator.

    Raises:
        UserError: The model or the data cannot be used, or `output_dir` holds other results.
    """
    asked = data if isinstance(data, DataConfig) else DataConfig()
    config = EraseConfig(
        model=IN_MEMORY,
        output_dir=str(output_dir) if isinstance(output_dir, Path) else output_dir,
        overwrite=overwrite,
        data=asked if max_length is None else replace(asked, max_length=max_length),
        draws=draws,
        seed=seed,
        random_other=random_other,
        count_never_as=count_never_as,
        curves=curves,
        batch_tokens=batch_tokens,
        part=part,
        site=site,
        components=components,
        heads=as_list(heads),
        special_tokens=special_tokens,
        search=search,
        label_map=as_list(label_map),
        memory_budget=memory_budget,
        target=[target] if isinstance(target, str) else as_list(target),
        threshold=threshold,
        threshold_on=threshold_on,
        revision=revision,
        dtype="float32" if dtype is None else dtype,
        trust_remote_code=trust_remote_code,
        cpu=cpu,
    )
    check_settings(config)
    check_effects(config)
    check_site(config)
    asked_for = asked_rankings(rankings)
    if config.asked_part is not None and output_dir is None:
        raise UserError(Setting("part", part), ": give ", Setting("output_dir"), " too, which ", Job("merge"), " reads")
    columns = GivenColumns(text_column, pair_column, label_column, tuple(label_columns or ()), rationale_column)
    given = given_inputs(model, tokenizer, data, columns, split, config, config.label_map, dtype, max_length)
    with tempfile.TemporaryDirectory() as scratch:
        config = replace(given.config, output_dir=given.config.output_dir or str(Path(scratch) / "results"))
        accelerator = devices.start(cpu)
        with devices.alone_in(config.folder, accelerator):
            results = erase_documents(given.checkpoint, given.documents, config, accelerator, asked_for)
        return Erasure({name: results.table(name) for name in SCHEMAS}, results.summary())


def merge(parts: Sequence[str | Path], output_dir: str | Path, *, overwrite: bool = False) -> Erasure:
    """Merge the parts of an analysis, which machines that share nothing made with ``erase(..., part="2/5")``.

    Tables and aggregates are those of one run over all documents.

    Args:
        parts: Folders of all parts, finished, in any order.
        output_dir: Folder for the merged results.
        overwrite: Replace results of another setup in `output_dir`.

    Raises:
        UserError: Parts are missing, doubled, unfinished or of other results, or `output_dir` cannot be used.
    """
    if isinstance(parts, (str, Path)):
        raise UserError("parts is one folder; give a list of all parts' folders")
    return read(merge_folders(MergeConfig(list(map(str, parts)), str(output_dir), overwrite)).path)


def read(folder: str | Path) -> Erasure:
    """Read the finished results in a folder, or in that of a run.

    Raises:
        UserError: The folder holds no finished results, or a damaged file, or `folder` is not a path.
    """
    if not isinstance(folder, (str, Path)):
        raise UserError(f"folder is a {type(folder).__name__}; give the folder that the results are kept in")
    results = found_results(Path(folder))
    summary = results.checked_summary()
    return Erasure({name: results.table(name) for name in SCHEMAS}, summary)
