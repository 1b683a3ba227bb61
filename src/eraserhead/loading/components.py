"""Names of the components of a document, and their offsets in its text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from eraserhead.loading.setup import SENTENCES

COMPONENT_COLUMNS = ("text", "input_ids", "starts", "ends", "sentence_starts", "sentence_ends")


@dataclass(frozen=True)
class Components:
    """Components of one document: their names, and the offsets in its text where they start and end, if known."""

    names: list[str]
    starts: list[int] | None
    ends: list[int] | None

    def at(self, positions: Sequence[int]) -> "Components":
        """Return some of the components."""
        starts, ends = (None if each is None else [each[at] for at in positions] for each in (self.starts, self.ends))
        return Components([self.names[at] for at in positions], starts, ends)


def components_of(document: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, components: str) -> Components:
    """Return the tokens of a tokenised document, or its sentences.

    The tokens of a document that is read by sentence are those of all its sentences, in order.
    """
    if components == SENTENCES:
        text, starts, ends = (document[name] for name in ("text", "sentence_starts", "sentence_ends"))
        return Components([text[start:end].strip() for start, end in zip(starts, ends, strict=True)], starts, ends)
    ids, starts, ends = (_flat(document[name]) for name in ("input_ids", "starts", "ends"))
    return Components(list(map(str, tokenizer.convert_ids_to_tokens(ids or []))), starts, ends)


def _flat(numbers: list[Any] | None) -> list[int] | None:
    if numbers and isinstance(numbers[0], list):
        return [number for sentence in numbers for number in sentence]
    return numbers
