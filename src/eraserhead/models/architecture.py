"""Settings of the layers between an encoder and the decision; standard library only, so that ``--help`` is quick.

This module is pushed as remote code.
"""

from dataclasses import dataclass, field, fields
from typing import Literal, get_args

ContextKind = Literal["none", "conv", "rnn", "transformer"]
LongDocuments = Literal["cut", "head_tail", "windows"]
CUT, HEAD_TAIL, WINDOWS = get_args(LongDocuments)
CONTEXTS: tuple[str, ...] = get_args(ContextKind)  # ordered by how far they mix context
# Values of `problem_type`, which transformers reads too: its pipeline gives sigmoids of a multi-label model's logits.
SINGLE_LABEL, MULTI_LABEL = "single_label_classification", "multi_label_classification"
# Metadata of the fields below: "low" and "high" bound a number, "belongs_to" names the settings that give it an effect.
SHARE = {"low": 0, "high": 0.99}


def _belongs_to(context: str) -> dict[str, dict[str, tuple[str, ...]]]:
    return {"belongs_to": {"context": (context,), "sentence_context": (context,)}}


@dataclass(frozen=True)
class Architecture:
    """Layers between an encoder's token vectors and the logits; sizes and kinds as in the paper.

    Attributes:
        encoder_layers: Layers of the encoder that are kept; 0 keeps its word-embedding table alone; default: all.
        hierarchical: Pool the tokens of each sentence and then the sentences (HAN), instead of all tokens of the
            document at once (FLAN).
        context: Context encoder over token vectors: ``none``, ``conv`` (convolutions), ``rnn`` (a bidirectional GRU),
            ``transformer`` (one layer).
        sentence_context: Context encoder over sentence vectors of a hierarchical model; default: the same as `context`.
        attention_size: Size of the attention's hidden layer; default: the size of the vectors it averages.
        dropout: Dropout probability of the token vectors before the context encoder.
        sentence_dropout: Dropout probability of the sentence vectors before their context encoder.
        logit_dropout: Dropout probability of the logits.
        pool_special_tokens: Whether tokens such as [CLS] are components.
        recurrent_size: Hidden size of ``rnn`` in each direction.
        filters: Filters of each convolution of ``conv``.
        filter_widths: Widths of the convolutions of ``conv``, in components.
        filter_dropout: Dropout probability of the vectors before the convolutions of ``conv``.
        transformer_heads: Number of heads of ``transformer``; it must divide the size of the vectors.
        transformer_feedforward: Size of the feed-forward layer of ``transformer``; default: four times the size of the
            vectors.
        transformer_dropout: Dropout probability inside ``transformer``.
    """

    encoder_layers: int | None = field(default=None, metadata={"low": 0})
    hierarchical: bool = False
    context: ContextKind = "none"
    sentence_context: ContextKind | None = field(default=None, metadata={"belongs_to": {"hierarchical": (True,)}})
    attention_size: int | None = field(default=None, metadata={"low": 1})
    dropout: float = field(default=0.1, metadata=SHARE)
    sentence_dropout: float = field(default=0.0, metadata={**SHARE, "belongs_to": {"hierarchical": (True,)}})
    logit_dropout: float = field(default=0.0, metadata=SHARE)
    pool_special_tokens: bool = False
    recurrent_size: int = field(default=50, metadata={"low": 1, **_belongs_to("rnn")})
    filters: int = field(default=50, metadata={"low": 1, **_belongs_to("conv")})
    filter_widths: list[int] = field(default_factory=lambda: [3, 5], metadata={"low": 1, **_belongs_to("conv")})
    filter_dropout: float = field(default=0.3, metadata={**SHARE, **_belongs_to("conv")})
    transformer_heads: int = field(default=8, metadata={"low": 1, **_belongs_to("transformer")})
    transformer_feedforward: int | None = field(default=None, metadata={"low": 1, **_belongs_to("transformer")})
    transformer_dropout: float = field(default=0.1, metadata={**SHARE, **_belongs_to("transformer")})

    @classmethod
    def of(cls, owner: object) -> "Architecture":
        """Return the architecture among the attributes of a configuration that has more of them."""
        return cls(**{option.name: getattr(owner, option.name) for option in fields(Architecture)})


@dataclass(frozen=True)
class Limits:
    """How much of a document a model reads; the rest is cut off.

    Attributes:
        tokens: Most tokens of a document that is read as a whole, or of each of its windows, special tokens included;
            null for no limit.
        sentences: Most sentences of a document that is read sentence by sentence.
        sentence_tokens: Most tokens of each sentence, special tokens included.
        language: ISO 639 code of the language whose rules split texts into sentences.
        long_documents: What happens to longer documents that are read as a whole: ``cut``, at the end; ``head_tail``,
            the middle is cut out; ``windows``, the encoder reads them in windows that overlap.
        window_overlap: Tokens of the text that neighbouring windows share; null without windows.
        windows: Most windows of a document; null for no limit.
    """

    tokens: int | None = None
    sentences: int = 100
    sentence_tokens: int = 128
    language: str = "en"
    long_documents: LongDocuments = "cut"
    window_overlap: int | None = None
    windows: int | None = None
