"""What the model takes and returns.

This module is pushed as remote code: it imports torch and transformers alone, and the docstrings give its shapes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor
from transformers.modeling_outputs import SequenceClassifierOutput


@dataclass
class AttentionPoolingOutput(SequenceClassifierOutput):
    """Loss where labels were given, logits ``[batch, classes]``, and attention weights.

    `pooling_weights` are those of the last attention, ``[batch, tokens]`` or, for a hierarchical model,
    ``[batch, sentences]``; `word_weights` are a hierarchical model's weights within each sentence
    ``[batch, sentences, tokens]``. They are 0 at padding, at special tokens that are not pooled, and where erased.
    """

    pooling_weights: Tensor | None = None
    word_weights: Tensor | None = None


def checked_shape(
    input_ids: Tensor | None,
    inputs_embeds: Tensor | None,
    hierarchical: bool,
    keep_words: Tensor | None,
    beside: Mapping[str, Tensor | None],
) -> tuple[int, ...]:
    """Return the shape of the ids, or of the tokens that are given as embeddings, after checking all shapes.

    Args:
        input_ids: ``[batch, tokens]``, for a hierarchical model ``[batch, sentences, tokens]``.
        inputs_embeds: ``[batch, tokens, hidden]``.
        hierarchical: Whether the model reads sentence by sentence.
        keep_words: Shape of `input_ids`.
        beside: Other arguments by name: ``keep`` of the first two axes of `input_ids`, others of its shape.

    Raises:
        ValueError: A shape is wrong, or an argument is not for this kind of model.
    """
    if inputs_embeds is not None and hierarchical:
        raise ValueError("a hierarchical model takes input_ids, no inputs_embeds")
    embedded = None if inputs_embeds is None else inputs_embeds[..., 0]
    name, first = ("inputs_embeds", embedded) if input_ids is None else ("input_ids", input_ids)
    if first is None:
        raise ValueError("give input_ids or inputs_embeds")
    if first.ndim != 2 + hierarchical or (keep_words is not None and not hierarchical):
        deep, flat = "[batch, sentences, tokens], as its pipeline's preprocess gives them", "[batch, tokens]"
        shape = deep if hierarchical else f"{flat}, and no keep_words"
        raise ValueError(f"this model takes {name} {shape}, not {tuple(first.shape)}")
    for other, given in {**beside, "keep_words": keep_words, "inputs_embeds": embedded}.items():
        like = first.shape[:2] if other == "keep" else first.shape
        if given is not None and given.shape != like:
            raise ValueError(f"{other} is {tuple(given.shape)}, and must be {tuple(like)} like the {name}")
    return tuple(first.shape)
