"""``pipeline("text-classification")`` for attention-pooling classifiers.

This module is pushed as remote code: it imports torch, transformers and its neighbours alone.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import TextClassificationPipeline

from .architecture import CUT, WINDOWS
from .long_documents import head_and_tail
from .special_tokens import framing, padding_id
from .splitting import sentence_spans


class AttentionPoolingPipeline(TextClassificationPipeline):
    """Text classification that reads long texts as in the model's training, by sentence for hierarchical models."""

    def preprocess(self, inputs: Any, **tokenizer_kwargs: Any) -> Any:
        """Return the model's inputs for one text; tokenizer options apply to models that read a text as a whole.

        Raises:
            ValueError: A pair of texts was given to a model that reads a single text.
        """
        config: Any = self.model.config  # an AttentionPoolingConfig
        reads, windows = config.reads, config.windows
        if config.architecture.hierarchical:
            return self._sentences(_one_text(inputs, "sentence by sentence"), config)
        if reads.long_documents == CUT:
            cut = {} if reads.tokens is None else {"truncation": True, "max_length": reads.tokens}
            return self._something(super().preprocess(inputs, **{**cut, **tokenizer_kwargs}))
        # The tokenizer would warn of texts beyond the encoder's own limit.
        text, options = _one_text(inputs, "in parts where it is long"), {"verbose": False}
        if windows is not None and reads.windows is not None:
            options |= {"truncation": True, "max_length": windows.longest(reads.windows)}
        found: Any = super().preprocess(text, **{**options, **tokenizer_kwargs})
        length = found["input_ids"].shape[1]
        if reads.long_documents == WINDOWS or reads.tokens is None:
            return self._something(found)
        special = config.framing or framing(self.tokenizer)
        assert special is not None  # such a model is not trained
        kept = head_and_tail(length, reads.tokens, special)
        return self._something({name: values[:, kept] for name, values in found.items()})

    def _something(self, inputs: Any) -> Any:
        """Return one masked token of padding where a text has no token at all, as encoders cannot read nothing."""
        if inputs["input_ids"].shape[1] == 0:
            nothing = torch.zeros(len(inputs["input_ids"]), 1, dtype=torch.long)
            inputs.update(dict.fromkeys(inputs, nothing))
            inputs["input_ids"] = nothing + padding_id(self.model.config, self.tokenizer)
        return inputs

    def _sentences(self, text: str, config: Any) -> dict[str, Tensor]:
        tokenizer: Any = self.tokenizer
        limits = config.reads
        sentences = [text[start:end] for start, end in sentence_spans(text, limits.language)]
        encoded = (
            tokenizer(sentences, truncation=True, max_length=limits.sentence_tokens)["input_ids"] if sentences else []
        )
        special = tokenizer.num_special_tokens_to_add(pair=False)
        kept = [ids for ids in encoded if len(ids) > special][: limits.sentences]
        # All of one width, so that transformers can put several documents into a batch.
        ids = torch.full((1, max(1, len(kept)), limits.sentence_tokens), padding_id(config, tokenizer))
        mask = torch.zeros_like(ids)
        for row, sentence in enumerate(kept):
            ids[0, row, : len(sentence)] = torch.tensor(sentence)
            mask[0, row, : len(sentence)] = 1
        return {"input_ids": ids, "attention_mask": mask}


def _one_text(inputs: Any, how: str) -> str:
    text = inputs.get("text") if isinstance(inputs, dict) and "text_pair" not in inputs else inputs
    if not isinstance(text, str):
        raise ValueError(f"this model reads one text, {how}: give a string")
    return text
