"""``pipeline("text-classification")`` for attention-pooling classifiers.

This module is pushed as remote code: it imports torch, transformers and its neighbours alone.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import TextClassificationPipeline

from .special_tokens import padding_id
from .splitting import sentence_spans


class AttentionPoolingPipeline(TextClassificationPipeline):
    """Text classification that cuts texts as in the model's training, by sentence for hierarchical models."""

    def preprocess(self, inputs: Any, **tokenizer_kwargs: Any) -> Any:
        """Return the model's inputs for one text; tokenizer options apply to models that read a text as a whole.

        Raises:
            ValueError: A pair of texts was given to a model that reads a single text by sentence.
        """
        config: Any = self.model.config  # an AttentionPoolingConfig
        if config.architecture.hierarchical:
            return self._sentences(inputs, config)
        if config.reads.tokens is not None:
            tokenizer_kwargs = {"truncation": True, "max_length": config.reads.tokens, **tokenizer_kwargs}
        return super().preprocess(inputs, **tokenizer_kwargs)

    def _sentences(self, inputs: Any, config: Any) -> dict[str, Tensor]:
        text = inputs.get("text") if isinstance(inputs, dict) and "text_pair" not in inputs else inputs
        if not isinstance(text, str):
            raise ValueError("this model reads one text, sentence by sentence: give a string")
        tokenizer: Any = self.tokenizer
        limits = config.reads
        sentences = [text[start:end] for start, end in sentence_spans(text, limits.language)]
        encoded = (
            tokenizer(sentences, truncation=True, max_length=limits.sentence_tokens)["input_ids"] if sentences else []
        )
        framing = tokenizer.num_special_tokens_to_add(pair=False)
        kept = [ids for ids in encoded if len(ids) > framing][: limits.sentences]
        # All of one width, so that transformers can put several documents into a batch.
        ids = torch.full((1, max(1, len(kept)), limits.sentence_tokens), padding_id(config, tokenizer))
        mask = torch.zeros_like(ids)
        for row, sentence in enumerate(kept):
            ids[0, row, : len(sentence)] = torch.tensor(sentence)
            mask[0, row, : len(sentence)] = 1
        return {"input_ids": ids, "attention_mask": mask}
