"""How a model reads documents, as a whole or sentence by sentence, within its limits."""

import copy
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from eraserhead.data.arrow import arrow_table
from eraserhead.data.batching import pad, pad_sentences
from eraserhead.data.config import DataConfig
from eraserhead.data.sentences import tokenize_sentences
from eraserhead.data.tokens import check_room, tokenize
from eraserhead.data.units import Units
from eraserhead.errors import Job, Setting, UserError
from eraserhead.loading.checkpoints import window
from eraserhead.loading.config import OF_WINDOWS
from eraserhead.method.names import SENTENCES, TOKENS, Unit
from eraserhead.models.architecture import CUT, HEAD_TAIL, WINDOWS, Limits, LongDocuments
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.long_documents import Windows, encoded_tokens, windows_of
from eraserhead.models.special_tokens import framing
from eraserhead.models.splitting import sentence_spans

DOCUMENT = 256  # tokens, if neither the user nor the model sets a limit
OF_DOCUMENTS, OF_SENTENCES = ("data.max_length",), ("data.max_sentences", "data.max_sentence_length")
OF_LONG_DOCUMENTS = ("data.long_documents", *(f"data.{name}" for name in OF_WINDOWS))
OVERLAP = 4  # neighbouring windows share a quarter of their tokens, if neither the user nor the model says otherwise
WHOLE_PAIRS = "a pair of texts is read at once, and cut where it is long"
Model = TypeVar("Model", bound=PreTrainedModel)

logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class DocumentReader:
    """How a model reads documents.

    Attributes:
        hierarchical: Whether it reads sentence by sentence.
        limits: How much of a document it reads.
        unit: What its tokens are grouped to, beside; ``tokens`` for nothing.
        framing: How many special tokens stand before and after a text; null where long documents are cut at the end.
    """

    hierarchical: bool
    limits: Limits
    unit: Unit = TOKENS
    framing: tuple[int, int] | None = None

    @property
    def windows(self) -> Windows | None:
        """The windows in which the encoder reads long documents; null where they are cut."""
        return windows_of(self.limits, self.framing)

    def tokenize(self, rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """Add the tokens of every document; see `data.tokens.tokenize` and `data.sentences.tokenize_sentences`."""
        limits, split = self.limits, partial(sentence_spans, language=self.limits.language)
        by_splitter = self.unit == SENTENCES and not self.hierarchical
        units = None if self.unit == TOKENS else Units(self.unit, split if by_splitter else None)
        if self.hierarchical:
            return tokenize_sentences(rows, tokenizer, split, limits.sentences, limits.sentence_tokens, units)
        assert limits.tokens is not None
        if self.windows is None:
            return tokenize(rows, tokenizer, limits.tokens, units, self.framing)
        return tokenize(rows, tokenizer, limits.windows and self.windows.longest(limits.windows), units)

    def encoded(self, lengths: Sequence[int]) -> list[int]:
        """Return how many tokens the encoder reads of documents of so many; those in two windows count twice."""
        return encoded_tokens(self.windows, lengths)

    def pad(self, ids: Sequence[Any], padding: int, types: Sequence[Sequence[int]] | None = None) -> dict[str, Tensor]:
        """Return the model's inputs for documents' ids as `tokenize` gives them."""
        return pad_sentences(ids, padding) if self.hierarchical else pad(ids, padding, types)


def is_hierarchical(model: PreTrainedModel) -> bool:
    """Tell whether a model reads documents sentence by sentence."""
    return isinstance(model.config, AttentionPoolingConfig) and model.config.architecture.hierarchical


def own_limits(model: PreTrainedModel) -> Limits:
    """Return how much of a document a model reads by itself; what a checkpoint of another kind reads is not known."""
    return model.config.reads if isinstance(model.config, AttentionPoolingConfig) else Limits()


def check_limits(
    hierarchical: bool, data: DataConfig, by_sentence: bool = False, long_documents: LongDocuments = CUT
) -> None:
    """Refuse limits of the other kind of model, and say of a language that it has no effect.

    The language is a fact about the documents, which models of both kinds may share. It has an effect wherever
    documents are split into sentences, which `by_sentence` says of a model that reads them as a whole.

    Args:
        hierarchical: Whether the model reads sentence by sentence.
        data: The limits.
        by_sentence: Whether a model that reads documents as a whole erases sentences.
        long_documents: How the model itself reads long documents; a new one cuts them.

    Raises:
        UserError: Naming those limits, and the model's own; or settings that do not go together.
    """
    others = OF_SENTENCES if not hierarchical else (*OF_DOCUMENTS, *OF_LONG_DOCUMENTS)
    given = {name: getattr(data, name.removeprefix("data.")) for name in others}
    wrong = [Setting(name, value) for name, value in given.items() if value is not None]
    if wrong:
        reads = "sentence by sentence" if hierarchical else "as a whole"
        instead = UserError.joined(map(Setting, OF_SENTENCES if hierarchical else OF_DOCUMENTS), " and ")
        raise UserError(
            UserError.joined(wrong, ", "), f": the model reads documents {reads}; give ", instead, " instead"
        )
    if not hierarchical:
        _check_long_documents(data, data.long_documents or long_documents)
    if data.language is not None and not hierarchical and not by_sentence:
        logger.info(
            "%s: has no effect on a model that reads documents as a whole", Setting("data.language", data.language)
        )


def _check_long_documents(data: DataConfig, long_documents: LongDocuments) -> None:
    """Refuse settings that do not go with the way in which long documents are read."""
    asked = Setting("data.long_documents", long_documents)
    if long_documents != CUT and data.pair_column is not None:
        pair = Setting("data.pair_column", data.pair_column)
        raise UserError(asked, ", ", pair, f": {WHOLE_PAIRS}; give ", Setting("data.long_documents", CUT))
    idle = [Setting(f"data.{name}", getattr(data, name)) for name in OF_WINDOWS if getattr(data, name) is not None]
    if long_documents != WINDOWS and idle:
        wanted = Setting("data.long_documents", WINDOWS)
        raise UserError(UserError.joined(idle, ", "), ": has no effect without ", wanted, "; leave it out, or add that")


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
        UserError: A limit exceeds the model's window, and `cut_to_window` is off; or it is one of the other kind of
            model, or does not go with another.
    """
    own, longest = own_limits(model), window(model, tokenizer)
    check_limits(is_hierarchical(model), data, unit == SENTENCES, own.long_documents)
    if is_hierarchical(model):
        wanted = data.max_sentence_length or min(own.sentence_tokens, longest)
        tokens = _within(wanted, longest, "max_sentence_length", cut_to_window)
        limits = Limits(None, data.max_sentences or own.sentences, tokens, data.language or own.language)
        return DocumentReader(True, limits, unit)
    wanted = data.max_length or own.tokens or min(DOCUMENT, longest)
    limits = Limits(tokens=_within(wanted, longest, "max_length", cut_to_window))
    if unit == SENTENCES and data.language is not None:
        limits = replace(limits, language=data.language)
    long_documents = data.long_documents or own.long_documents
    if long_documents == CUT:
        return DocumentReader(False, limits, unit)
    check_room(tokenizer, limits.tokens or 0, False, "max_length")
    frame = framing(copy.deepcopy(tokenizer))
    if frame is None:
        why = ": the tokenizer does not let its special tokens be told from a text's own; leave it out"
        raise UserError(Setting("data.long_documents", long_documents), why)
    if long_documents == WINDOWS:
        _check_has_windows(model)
        limits = _in_windows(limits, data, own, sum(frame))
    return DocumentReader(False, replace(limits, long_documents=long_documents), unit, frame)


def _check_has_windows(model: PreTrainedModel) -> None:
    """Refuse a model whose token vectors are not pooled by one attention, or whose encoder takes any length."""
    asked = Setting("data.long_documents", WINDOWS)
    if not isinstance(model.config, AttentionPoolingConfig):
        why = f": a '{model.config.model_type}' model reads its decision from one window; give "
        others = UserError.joined((Setting("data.long_documents", other) for other in (HEAD_TAIL, CUT)), " or ")
        raise UserError(asked, why, others, ", or ", Job("train"), " an attention-pooling head on it")
    if model.config.architecture.encoder_layers == 0:
        raise UserError(
            asked,
            ": word embeddings alone have no window; leave it out, and give a larger ",
            Setting("data.max_length"),
        )


def _in_windows(limits: Limits, data: DataConfig, own: Limits, special: int) -> Limits:
    """Return limits with those of windows, of whose tokens so many are special."""
    assert limits.tokens is not None
    most = limits.tokens - special - 1  # so that the next window begins later
    overlap = own.window_overlap if data.window_overlap is None else data.window_overlap
    if overlap is None or (data.window_overlap is None and overlap > most):  # the model's own is of longer windows
        overlap = min(limits.tokens // OVERLAP, most)
    if overlap > most:
        raise UserError(
            Setting("data.window_overlap", overlap),
            f": a window of {limits.tokens} tokens has {most + 1} of the text; give {most} or less",
        )
    return replace(limits, window_overlap=overlap, windows=data.max_windows or own.windows)


def reading_as(model: Model, reader: DocumentReader) -> Model:
    """Return the model, or one of the same weights whose encoder reads documents in the reader's windows.

    The model that is given, which may be the caller's own, stays as it is.
    """
    config = model.config
    if not isinstance(config, AttentionPoolingConfig) or config.windows == reader.windows:
        return model
    other = copy.copy(model)
    other.config = copy.deepcopy(config)
    other.config.limits = asdict(reader.limits)
    other.config.framing = None if reader.framing is None else list(reader.framing)
    return other


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
