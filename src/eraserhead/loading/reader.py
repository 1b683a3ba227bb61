"""How a model reads documents, as a whole or sentence by sentence, within its limits."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from eraserhead.data.arrow import arrow_table
from eraserhead.data.batching import pad, pad_sentences
from eraserhead.data.config import DataConfig
from eraserhead.data.sentences import tokenize_sentences
from eraserhead.data.tokens import tokenize
from eraserhead.data.units import Units
from eraserhead.errors import Setting, UserError
from eraserhead.loading.checkpoints import window
from eraserhead.method.names import SENTENCES, TOKENS, Unit
from eraserhead.models.architecture import Limits
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.splitting import sentence_spans

DOCUMENT = 256  # tokens, if neither the user nor the model sets a limit
OF_DOCUMENTS, OF_SENTENCES = ("data.max_length",), ("data.max_sentences", "data.max_sentence_length")

logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class DocumentReader:
    """How a model reads documents.

    Attributes:
        hierarchical: Whether it reads sentence by sentence.
        limits: How much of a document it reads.
        unit: What its tokens are grouped to, beside; ``tokens`` for nothing.
    """

    hierarchical: bool
    limits: Limits
    unit: Unit = TOKENS

    def tokenize(self, rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """Add the tokens of every document; see `data.tokens.tokenize` and `data.sentences.tokenize_sentences`."""
        limits, split = self.limits, partial(sentence_spans, language=self.limits.language)
        by_splitter = self.unit == SENTENCES and not self.hierarchical
        units = None if self.unit == TOKENS else Units(self.unit, split if by_splitter else None)
        if not self.hierarchical:
            assert limits.tokens is not None
            return tokenize(rows, tokenizer, limits.tokens, units)
        return tokenize_sentences(rows, tokenizer, split, limits.sentences, limits.sentence_tokens, units)

    def pad(self, ids: Sequence[Any], padding: int, types: Sequence[Sequence[int]] | None = None) -> dict[str, Tensor]:
        """Return the model's inputs for documents' ids as `tokenize` gives them."""
        return pad_sentences(ids, padding) if self.hierarchical else pad(ids, padding, types)


def is_hierarchical(model: PreTrainedModel) -> bool:
    """Tell whether a model reads documents sentence by sentence."""
    return isinstance(model.config, AttentionPoolingConfig) and model.config.architecture.hierarchical


def check_limits(hierarchical: bool, data: DataConfig, by_sentence: bool = False) -> None:
    """Refuse limits of the other kind of model, and say of a language that it has no effect.

    The language is a fact about the documents, which models of both kinds may share. It has an effect wherever
    documents are split into sentences, which `by_sentence` says of a model that reads them as a whole.

    Raises:
        UserError: Naming those limits, and the model's own.
    """
    own, others = (OF_SENTENCES, OF_DOCUMENTS) if hierarchical else (OF_DOCUMENTS, OF_SENTENCES)
    given = {name: getattr(data, name.removeprefix("data.")) for name in others}
    wrong = [Setting(name, value) for name, value in given.items() if value is not None]
    if wrong:
        reads = "sentence by sentence" if hierarchical else "as a whole"
        instead = UserError.joined(map(Setting, own), " and ")
        raise UserError(
            UserError.joined(wrong, ", "), f": the model reads documents {reads}; give ", instead, " instead"
        )
    if data.language is not None and not hierarchical and not by_sentence:
        logger.info(
            "%s: has no effect on a model that reads documents as a whole", Setting("data.language", data.language)
        )


def reader_for(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    data: DataConfig,
    cut_to_window: bool,
    unit: Unit = TOKENS,
) -> DocumentReader:
    """Return how a model reads this data.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        data: Its limits are used; missing ones come from the model.
        cut_to_window: Whether a limit beyond the model's window is lowered to that window, with a line in the log.
        unit: What tokens are grouped to, beside.

    Raises:
        UserError: A limit exceeds the model's window, and `cut_to_window` is off, or is one of the other kind of model.
    """
    check_limits(is_hierarchical(model), data, by_sentence=unit == SENTENCES)
    longest = window(model, tokenizer)
    if not is_hierarchical(model):
        own = model.config.reads.tokens if isinstance(model.config, AttentionPoolingConfig) else None
        wanted = data.max_length or own or min(DOCUMENT, longest)
        limits = Limits(tokens=_within(wanted, longest, "max_length", cut_to_window))
        if unit == SENTENCES and data.language is not None:
            limits = replace(limits, language=data.language)
        return DocumentReader(False, limits, unit)
    own = model.config.reads
    wanted = data.max_sentence_length or min(own.sentence_tokens, longest)
    tokens = _within(wanted, longest, "max_sentence_length", cut_to_window)
    limits = Limits(None, data.max_sentences or own.sentences, tokens, data.language or own.language)
    return DocumentReader(True, limits, unit)


def _within(length: int, longest: int, name: str, cut: bool) -> int:
    setting = Setting(f"data.{name}", length)
    if length > longest and not cut:
        raise UserError(setting, f": the model reads at most {longest} tokens")
    if length > longest:
        logger.info("%s: texts are cut at the model's window of %d tokens", setting, longest)
    return min(length, longest)


def largest(rows: Dataset, column: str) -> int:
    """Return the largest number in a column of lists, or of lists of lists; -1 if there is none."""
    lists: Any = arrow_table(rows, [column]).column(column).combine_chunks()
    numbers = lists.flatten(recursive=True)
    return int(np.asarray(numbers).max()) if len(numbers) else -1
