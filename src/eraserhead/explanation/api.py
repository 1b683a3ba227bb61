"""Explanation from Python: takes one text, and returns its decision and what the decision rests on."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from transformers import PreTrainedTokenizerBase

from eraserhead.data.config import DataConfig
from eraserhead.data.given import GivenColumns, given_content, given_documents
from eraserhead.errors import UserError
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explained import Explanation
from eraserhead.explanation.explaining import TEXT_ID, explain_row, one_target
from eraserhead.loading import devices
from eraserhead.loading.given import IN_MEMORY, Dtype, GivenModel, for_given, given_checkpoint
from eraserhead.loading.site_table import check_site
from eraserhead.loading.targets import decides_by_label, label_setup
from eraserhead.method.names import Unit
from eraserhead.settings import as_list, check_settings


def explain(
    model: GivenModel,
    text: str | tuple[str, str] | Mapping[str, Any],
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    text_column: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
    max_length: int | None = None,
    draws: int = 10,
    seed: int = 0,
    site: str | None = None,
    components: Unit | None = None,
    heads: Sequence[int] | None = None,
    special_tokens: bool | None = None,
    search: Literal["none", "greedy"] = "none",
    memory_budget: float = 1.0,
    target: str | None = None,
    threshold: float | None = None,
    threshold_on: Literal["probability", "logit"] = "probability",
    revision: str | None = None,
    dtype: Dtype | None = None,
    trust_remote_code: bool = False,
    cpu: bool = False,
) -> Explanation:
    """Explain one decision of a classifier: its attention word by word, and what flips it.

    Args:
        model: As in `eraserhead.erase`.
        text: A text, a pair of texts, or a row as in the data of `eraserhead.erase`; a row with the same ``id`` gets
            the same random draws.
        tokenizer: The tokenizer, where `model` is a classifier in memory.
        text_column: Column of the text in a row; default: ``text``.
        pair_column: Column of a second sequence in a row.
        label_column: Column of the gold class in a row, as an index or a name; default: ``label``, where there is one.
        max_length: Largest number of tokens, for models that read the text as a whole, or of each of its windows;
            default: as in `eraserhead.erase`.
        draws: Number of random orders tried.
        seed: Seed of all draws.
        site: Where weights are erased, as in `eraserhead.erase`.
        components: What is shown and erased as one: ``words`` (the default), ``tokens`` or ``sentences``; at
            ``pooling`` a hierarchical model has sentences, and those alone.
        heads: Heads whose weights are erased, inside an encoder; default: all.
        special_tokens: Whether tokens such as [CLS] are components, inside an encoder; default: yes.
        search: ``greedy`` looks for a smaller flipping set, where there is no exact minimum.
        memory_budget: Gigabytes that the erasures at ``words`` and inside an encoder may take.
        target: The label of a multi-label model whose state is explained; default: the one with the largest logit.
        threshold: Where a label is on, as in `eraserhead.erase`.
        threshold_on: What `threshold` is, likewise.
        revision: Branch, tag or commit of a model on the hub.
        dtype: Precision to load a named model in; default: float32.
        trust_remote_code: Run Python code that a named model's repository brings with it.
        cpu: Use the CPU even where there is an accelerator.

    Raises:
        UserError: The model or the text cannot be used.
    """
    if not isinstance(text, (str, tuple, Mapping)):
        raise UserError(f"text is a {type(text).__name__}; give one text, one (text, text) pair or one row")
    config = ExplainConfig(
        model=IN_MEMORY,
        data=DataConfig(max_length=max_length),
        draws=draws,
        seed=seed,
        site=site,
        components=components,
        heads=as_list(heads),
        special_tokens=special_tokens,
        search=search,
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
    check_site(config)
    columns = GivenColumns(text_column, pair_column, label_column)
    content = given_content([text], columns, None)
    checkpoint = given_checkpoint(
        *(model, tokenizer, revision, dtype, trust_remote_code),
        lambda found, name: label_setup(found, one_target(config, found), name),
    )
    names, by_label = checkpoint.class_names, decides_by_label(checkpoint.model.config)
    row = given_documents(content, columns, len(names), [TEXT_ID], names, by_label=by_label).rows
    config = for_given(config, checkpoint, checkpoint.data, max_length)
    return explain_row(checkpoint, row, config, devices.start(cpu))
