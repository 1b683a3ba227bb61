"""Tokenises texts by sentence, for models that read a document sentence by sentence."""

from dataclasses import dataclass
from importlib.metadata import version as installed
from typing import Any

from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from eraserhead.data.bars import without_bars
from eraserhead.data.columns import processes
from eraserhead.data.encoding import UNIT_KEYS, NeutralTokenizer, Sequences, encode, neutral
from eraserhead.data.tokens import BATCH, check_room, parallel_once
from eraserhead.data.units import UNIT_COLUMN, UNITS, Key, Split, Units, numbered

SENTENCES_VERSION = 1  # part of the cache key: raise it when `_tokenize_batch` writes something else
SENTENCE_COLUMNS = {
    "input_ids": List(List(Value("int32"))),
    "starts": List(List(Value("int32"))),
    "ends": List(List(Value("int32"))),
    "sentence_starts": List(Value("int32")),
    "sentence_ends": List(Value("int32")),
    "tokens": Value("int32"),
    "truncated_tokens": Value("int32"),
    "sentences": Value("int32"),
    "truncated_sentences": Value("int32"),
}


@dataclass(frozen=True)
class _Sentence:
    ids: list[int]
    starts: list[int] | None
    ends: list[int] | None
    span: tuple[int, int]
    tokens: int
    truncated_tokens: int
    keys: list[Key]


@without_bars()
def tokenize_sentences(
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    split: Split,
    max_sentences: int,
    max_tokens: int,
    units: Units | None = None,
) -> Dataset:
    """Add the tokens of every sentence of every text; `rows` may have any other columns, which are kept.

    New columns:
        input_ids: Token ids of each sentence, special tokens included; sentences without any other token are left out.
        starts, ends: Code-point offsets of each token in the text, empty for special tokens; null where the tokenizer
            knows no offsets.
        sentence_starts, sentence_ends: Code-point offsets of each sentence in the text.
        tokens: How many tokens the model sees, special tokens included.
        truncated_tokens: How many were cut off, with whole sentences or from long ones.
        sentences: How many sentences the model sees.
        truncated_sentences: How many were cut off whole.
        units: Only where `units` are given: the number of each token's word or sentence, from 0 in each document; the
            tokens of all sentences one after the other.

    The result is kept in the cache of `datasets`; the same rows, tokenizer and limits find it again.

    Args:
        rows: Documents with a column ``text``.
        tokenizer: It frames each sentence as a text of its own.
        split: Returns the start and end of each sentence of a text.
        max_sentences: Most sentences of a document.
        max_tokens: Most tokens of a sentence, special tokens included.
        units: What tokens are grouped to, words or these sentences.

    Raises:
        UserError: If `max_tokens` leaves no room beside the special tokens.
    """
    check_room(tokenizer, max_tokens, False, "max_sentence_length")
    with parallel_once(processes(len(rows))) as count:
        return rows.map(
            _tokenize_batch,
            batched=True,
            batch_size=BATCH,
            input_columns=["text"],
            fn_kwargs={
                "tokenizer": neutral(tokenizer),
                "split": split,
                "max_sentences": max_sentences,
                "max_tokens": max_tokens,
                "units": units,
                "version": f"{SENTENCES_VERSION} {installed('sentencex')}",
            },
            features=Features(rows.features | SENTENCE_COLUMNS | (UNIT_COLUMN if units else {})),
            num_proc=count,
        )


def _tokenize_batch(
    texts: list[str],
    *,
    tokenizer: NeutralTokenizer,
    split: Split,
    max_sentences: int,
    max_tokens: int,
    units: Units | None,
    version: str,
) -> dict[str, list[Any]]:
    del version  # only part of the cache key
    spans = [list(split(text)) for text in texts]
    written = [Sequences(text[start:end], None) for text, cut in zip(texts, spans, strict=True) for start, end in cut]
    columns, _ = encode(written, tokenizer, max_tokens, units) if written else ({}, [])
    encoded = iter(_sentences(columns, [span for cut in spans for span in cut]))
    framing = tokenizer.num_special_tokens_to_add(pair=False)
    documents = [[next(encoded) for _ in cut] for cut in spans]
    documents = [[each for each in found if each.tokens + each.truncated_tokens > framing] for found in documents]
    rows = [_columns(found[:max_sentences], found[max_sentences:]) for found in documents]
    read = {name: [row[name] for row in rows] for name in SENTENCE_COLUMNS}
    return read if units is None else read | {UNITS: [_units(found[:max_sentences]) for found in documents]}


def _units(seen: list[_Sentence]) -> list[int]:
    """Return the numbers of the units of all tokens; no unit goes over the end of a sentence."""
    keys = [(number, key) for number, sentence in enumerate(seen) for key in sentence.keys]
    return numbered([None if key is None else (number, key) for number, key in keys])


def _sentences(columns: dict[str, list[Any]], spans: list[tuple[int, int]]) -> list[_Sentence]:
    return [
        _Sentence(
            ids=columns["input_ids"][row],
            starts=_shifted(columns["starts"][row], span[0]),
            ends=_shifted(columns["ends"][row], span[0]),
            span=span,
            tokens=columns["tokens"][row],
            truncated_tokens=columns["truncated_tokens"][row],
            keys=columns[UNIT_KEYS][row] if UNIT_KEYS in columns else [],
        )
        for row, span in enumerate(spans)
    ]


def _shifted(offsets: list[int] | None, by: int) -> list[int] | None:
    return None if offsets is None else [offset + by for offset in offsets]


def _columns(seen: list[_Sentence], cut: list[_Sentence]) -> dict[str, Any]:
    without = any(sentence.starts is None for sentence in seen)
    lost = sum(sentence.truncated_tokens for sentence in seen)
    return {
        "input_ids": [sentence.ids for sentence in seen],
        "starts": None if without else [sentence.starts for sentence in seen],
        "ends": None if without else [sentence.ends for sentence in seen],
        "sentence_starts": [sentence.span[0] for sentence in seen],
        "sentence_ends": [sentence.span[1] for sentence in seen],
        "tokens": sum(sentence.tokens for sentence in seen),
        "truncated_tokens": lost + sum(sentence.tokens + sentence.truncated_tokens for sentence in cut),
        "sentences": len(seen),
        "truncated_sentences": len(cut),
    }
