"""A pretrained encoder, attention pooling over its token vectors, and one affine head.

This module is pushed as remote code: it imports torch, transformers and its neighbours alone, and the docstrings give
its shapes.
"""

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedModel

from .architecture import MULTI_LABEL, SINGLE_LABEL, Architecture, Limits
from .configuration_attention_pooling import AttentionPoolingConfig, cut_layers
from .encoders import empty_encoder, loaded_encoder
from .heads import (
    FlatHead,
    Group,
    HierarchicalHead,
    Sentences,
    grouped,
    length_groups,
    packed_groups,
    rows_that_exist,
    spread,
)
from .outputs import AttentionPoolingOutput, checked_shape
from .pooling import components_first
from .special_tokens import framing, padding_id, structural_token_ids


class AttentionPoolingForSequenceClassification(PreTrainedModel):
    """Additive attention with a context vector over an encoder's token vectors, then one affine head.

    The flat and hierarchical attention networks of Serrano & Smith 2019 (FLAN and HAN; Yang et al. 2016): token
    vectors, a context encoder, attention over all tokens of the document; or over the tokens of each sentence, then
    another context encoder and attention over the sentences.
    """

    config_class = AttentionPoolingConfig
    base_model_prefix = "encoder"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    # The encoder itself checks which kinds of attention it supports.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    def __init__(self, config: AttentionPoolingConfig) -> None:
        super().__init__(config)
        classes = len(config.id2label or ())
        if config.problem_type not in (None, SINGLE_LABEL, MULTI_LABEL):
            raise ValueError(f"a classifier decides: problem_type '{config.problem_type}' makes no decision")
        if classes < 2 and config.problem_type != MULTI_LABEL:
            raise ValueError(f"a classifier has two classes or more, not {classes}: there is nothing to decide")
        self.encoder = empty_encoder(config)
        head = HierarchicalHead if config.architecture.hierarchical else FlatHead
        self.head: FlatHead | HierarchicalHead = head(config.vector_size, classes, config.architecture)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, (nn.Conv1d, nn.GRU)):
            module.reset_parameters()  # torch's own
        else:
            super()._init_weights(module)

    @classmethod
    def from_encoder(
        cls,
        encoder: str,
        labels: Sequence[str],
        architecture: Architecture | None = None,
        *,
        limits: Limits | None = None,
        problem_type: str | None = None,
        revision: str | None = None,
        encoder_config: PreTrainedConfig | None = None,
        key_mapping: Mapping[str, str] | None = None,
    ) -> "AttentionPoolingForSequenceClassification":
        """Put a fresh attention-pooling head on a pretrained encoder.

        Args:
            encoder: Hub id or folder of the encoder and its tokenizer.
            labels: Class names in index order.
            architecture: Layers between the encoder and the decision; default: attention over all tokens.
            limits: How much of a document the model reads; `pipeline` cuts texts there.
            problem_type: ``multi_label_classification`` where each label is decided on by itself; default: one of the
                classes is.
            revision: Branch, tag or commit of the encoder.
            encoder_config: Configuration of the encoder; by default read from its config.json.
            key_mapping: How names of stored weights change, as `from_pretrained` takes it.

        Raises:
            ValueError: Fewer than two labels, labels that repeat, more layers than the encoder has, sizes that do not
                fit together, or a checkpoint that lacks weights.
            OSError: The encoder cannot be found or loaded.
        """
        if len(set(labels)) != len(labels):
            raise ValueError(f"class names repeat: {', '.join(labels)}")
        architecture = architecture or Architecture()
        full_config = encoder_config or AutoConfig.from_pretrained(encoder, revision=revision)
        encoder_config = cut_layers(full_config, architecture.encoder_layers)
        tokenizer = AutoTokenizer.from_pretrained(encoder, revision=revision, config=full_config)
        loaded = loaded_encoder(
            encoder,
            encoder_config,
            revision,
            embeddings_alone=architecture.encoder_layers == 0,
            stored_layers=full_config.num_hidden_layers,
            key_mapping=key_mapping,
        )
        if os.path.isdir(encoder):
            encoder_config._name_or_path = ""  # a local path should not be published
        config = AttentionPoolingConfig(
            encoder_config=encoder_config,
            vector_size=loaded.embedding_dim if isinstance(loaded, nn.Embedding) else None,
            special_token_ids=structural_token_ids(tokenizer),
            framing=framing(tokenizer),
            limits=asdict(limits or Limits()),
            pad_token_id=tokenizer.pad_token_id,
            problem_type=None if problem_type == SINGLE_LABEL else problem_type,
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
            **asdict(architecture),
        )
        model = cls(config)
        model.encoder = loaded
        return model

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of word embeddings."""
        encoder: Any = self.encoder
        return encoder if isinstance(encoder, nn.Embedding) else encoder.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the table of word embeddings."""
        encoder: Any = self.encoder
        if isinstance(encoder, nn.Embedding):
            self.encoder = value
        else:
            encoder.set_input_embeddings(value)

    def token_vectors(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        """Return vectors ``[batch, tokens, hidden]`` of ids ``[batch, tokens]`` or embeddings, also in windows."""
        windows, given = self.config.windows, input_ids if inputs_embeds is None else inputs_embeds[..., 0]
        assert given is not None
        if windows is None or (not torch.compiler.is_compiling() and given.shape[1] <= windows.tokens):
            return self.encoder_vectors(input_ids, attention_mask, token_type_ids, inputs_embeds)
        exist = torch.ones_like(given, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        inputs = (input_ids, token_type_ids, inputs_embeds)
        return windows.laid_over(exist).encoded(self.encoder_vectors, padding_id(self.config), *inputs)

    def encoder_vectors(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        """Return what the encoder itself gives: vectors ``[batch, tokens, hidden]`` of ids or embeddings."""
        if isinstance(self.encoder, nn.Embedding):
            return self.encoder(input_ids) if inputs_embeds is None else inputs_embeds
        given = {"input_ids": input_ids} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
        inputs = {**given, "attention_mask": attention_mask}
        if token_type_ids is not None and "token_type_ids" in inspect.signature(self.encoder.forward).parameters:
            inputs["token_type_ids"] = token_type_ids
        return self.encoder(**inputs, return_dict=True).last_hidden_state

    def component_mask(
        self, input_ids: Tensor | None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None
    ) -> Tensor:
        """Return which tokens are components ``[batch, tokens]``: no padding, and special tokens if configured.

        Raises:
            ValueError: There are embeddings alone, and the model leaves special tokens out.
        """
        given = inputs_embeds[..., 0] if input_ids is None and inputs_embeds is not None else input_ids
        assert given is not None
        mask = torch.ones_like(given, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        if self.config.architecture.pool_special_tokens:
            return mask
        if input_ids is None:
            raise ValueError(
                "inputs_embeds do not tell which tokens are special, and this model leaves those out of its attention: "
                "give their input_ids too"
            )
        special = torch.tensor(self.config.special_token_ids, device=input_ids.device, dtype=input_ids.dtype)
        return mask & ~(input_ids.unsqueeze(-1) == special).any(-1)  # ONNX has no torch.isin

    def components(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Group:
        """Return the vectors of the components of each sequence of ids ``[batch, tokens]``, components first.

        With `inputs_embeds`, the ids tell which tokens are special, and nothing else; see `component_mask`.
        """
        mask = self.component_mask(input_ids, attention_mask, inputs_embeds)
        vectors = self.token_vectors(input_ids, attention_mask, token_type_ids, inputs_embeds)
        return grouped(vectors, mask, torch.arange(mask.shape[0], device=mask.device))

    def sentences(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> Sentences:
        """Find the sentences among ids ``[batch, sentences, tokens]``; those without components are left out."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        places, exists = components_first(self.component_mask(input_ids, mask).any(-1))
        chosen = (torch.arange(len(input_ids), device=input_ids.device).unsqueeze(1).expand_as(places)[exists],
                  places[exists])  # fmt: skip
        types = None if token_type_ids is None else token_type_ids[chosen]
        return Sentences(input_ids[chosen], mask[chosen], exists.sum(-1), chosen, types)

    def sentence_groups(self, sentences: Sentences) -> Iterator[Group]:
        """Encode sentences of similar length together, whichever documents they belong to."""
        if isinstance(self.encoder, nn.Embedding):
            yield from self._embedded_groups(self.encoder, sentences)
            return
        for rows in length_groups(sentences.mask.sum(-1)):
            mask = sentences.mask[rows]
            width = int(mask.bool().any(0).nonzero().max()) + 1
            types = None if sentences.types is None else sentences.types[rows, :width]
            group = self.components(sentences.input_ids[rows, :width], mask[:, :width], types)
            yield Group(rows, group.vectors, group.mask, group.positions)

    def _embedded_groups(self, embeddings: nn.Embedding, sentences: Sentences) -> Iterator[Group]:
        """Look all tokens up at once: each look-up has a gradient as large as the table."""
        mask = self.component_mask(sentences.input_ids, sentences.mask)
        positions, _ = components_first(mask)
        for group in packed_groups(embeddings(sentences.input_ids[mask]), mask.sum(-1)):
            width = group.mask.shape[1]
            yield Group(group.rows, group.vectors, group.mask, positions[group.rows, :width])

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        keep: Tensor | None = None,
        keep_words: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> AttentionPoolingOutput | tuple[Any, ...]:
        """Classify documents.

        Args:
            input_ids: ``[batch, tokens]``; for a hierarchical model ``[batch, sentences, tokens]``, each sentence
                framed by the tokenizer as a text of its own.
            attention_mask: Shape of `input_ids`, 0 at padding; a sentence of padding alone is ignored.
            token_type_ids: Shape of `input_ids`, for encoders that take them.
            labels: ``[batch]``, class indices; of a multi-label model ``[batch, labels]``, 1 where a label is on. With
                them the loss is computed.
            keep: ``[batch, tokens]``, for a hierarchical model ``[batch, sentences]``; False where the weight in the
                last attention is erased: set to 0, the others renormalised. Everything before that attention is
                unchanged. Where nothing is kept, the logits are the bias.
            keep_words: ``[batch, sentences, tokens]``, for a hierarchical model alone: the same for its word attention.
                A sentence that keeps nothing has the zero vector; all that follows is computed from it.
            inputs_embeds: ``[batch, tokens, hidden]``, for a flat model: word embeddings that the encoder gets in place
                of ids; `input_ids` beside them tell which tokens are special.
            output_attentions: Also return `attentions`: the weights of the last attention, and before them those of a
                hierarchical model's word attention. The encoder's own are not among them.
            return_dict: False for a plain tuple.

        Raises:
            ValueError: `input_ids` have the wrong shape, another argument's shape does not fit them, or `keep_words`
                was given to a flat model, or `inputs_embeds` to a hierarchical one.
        """
        beside = {"attention_mask": attention_mask, "token_type_ids": token_type_ids, "keep": keep}
        shape = checked_shape(input_ids, inputs_embeds, isinstance(self.head, HierarchicalHead), keep_words, beside)
        if isinstance(self.head, HierarchicalHead):
            assert input_ids is not None
            output = self._classify_sentences(self.head, input_ids, attention_mask, token_type_ids, keep, keep_words)
        else:
            group = self.components(input_ids, attention_mask, token_type_ids, inputs_embeds)
            output = self._classify_tokens(self.head, group, shape, keep)
        assert output.logits is not None
        if self.config.output_attentions if output_attentions is None else output_attentions:
            levels = (output.word_weights, output.pooling_weights)
            output.attentions = tuple(weights for weights in levels if weights is not None)
        output.loss = None if labels is None else self._loss(output.logits, labels)
        return output.to_tuple() if return_dict is False else output

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over documents of the cross-entropy, or of the mean binary one of each document's labels."""
        if self.config.problem_type != MULTI_LABEL:
            return cross_entropy(logits.float(), labels)
        if labels.shape != logits.shape:
            raise ValueError(
                f"labels are {tuple(labels.shape)}, and must be {tuple(logits.shape)}, 1 where a label is on"
            )
        return binary_cross_entropy_with_logits(logits.float(), labels.float())

    def _classify_tokens(
        self, head: FlatHead, group: Group, shape: Sequence[int], keep: Tensor | None
    ) -> AttentionPoolingOutput:
        kept = None if keep is None else keep.bool().gather(1, group.positions)
        logits, weights = head(group.vectors, group.mask, kept)
        everywhere = weights.new_zeros(shape).scatter(1, group.positions, weights)
        return AttentionPoolingOutput(logits=logits, pooling_weights=everywhere)

    def _classify_sentences(
        self,
        head: HierarchicalHead,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        token_type_ids: Tensor | None,
        keep: Tensor | None,
        keep_words: Tensor | None,
    ) -> AttentionPoolingOutput:
        found = self.sentences(input_ids, attention_mask, token_type_ids)
        kept_words = None if keep_words is None else keep_words.bool()[found.places]
        vectors, inside = head.pool_words(self.sentence_groups(found), len(found.input_ids), kept_words)
        documents, places = found.places
        exists = rows_that_exist(found.counts)
        kept = None
        if keep is not None:
            kept = torch.zeros_like(exists)
            kept[exists] = keep.bool()[documents, places]
        logits, weights = head.pool_sentences(vectors, found.counts, kept)
        return AttentionPoolingOutput(
            logits=logits,
            pooling_weights=weights.new_zeros(input_ids.shape[:2]).index_put(found.places, weights[exists]),
            word_weights=vectors.new_zeros(input_ids.shape).index_put(found.places, spread(found, inside, vectors)),
        )
