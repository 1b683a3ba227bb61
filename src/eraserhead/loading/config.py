"""Options for loading a classifier and for its site; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass
from typing import Literal

from eraserhead.method.names import Unit
from eraserhead.settings import option

ONE_TEXT = "a hierarchical model reads one text, sentence by sentence: join the two into one"

PREDICTED, LARGEST, ALL = "predicted", "largest", "all"  # what stands for labels, which may differ by document

LABEL = "label:"  # in front of one of these words that is the name of a label, and means that label

EACH_HEAD = "each"  # of an atlas: every head alone, along a grid of prefixes

OF_WINDOWS = ("window_overlap", "max_windows")
LIMITS = (  # in `DataConfig`
    *("max_length", "long_documents", *OF_WINDOWS),
    *("max_sentences", "max_sentence_length", "language"),
)


@dataclass(frozen=True, kw_only=True)
class ReadingConfig:
    """How a classifier is loaded, what its components are, and what it decides.

    Attributes:
        revision: Branch, tag or commit of a model on the hub.
        dtype: Precision of the model. Checkpoints in half precision are loaded in float32 too, since rounding flips
            decisions that are nearly tied.
        trust_remote_code: Run Python code from the model's repository, with all your rights on this machine; read it
            first.
        components: What is erased, ranked and counted as one: ``tokens``, ``words`` (the tokenizer's own; where it has
            none, what stands between white space) or ``sentences``. Default: `explain` takes words, and all others
            tokens; at ``pooling`` a hierarchical model has sentences, and those alone.
        special_tokens: Whether tokens such as [CLS] are components, inside an encoder; default: yes.
        memory_budget: Gigabytes that the erasures at ``words`` and inside an encoder may take, beyond the model and
            its batch; one erasure of one document is always run.
        target: Labels of a multi-label model whose states are looked at: ``predicted`` (the default: each label that is
            on, and the one with the largest logit where none is), ``largest``, ``all``, or names; ``label:all`` is a
            label of that name, and so for the other words. `explain` shows one label, by default the largest.
        threshold: Where a label of a multi-label model is on: above this probability, by default 0.5. A model with a
            single output, such as a reranker, decides only where this is given.
        threshold_on: What `threshold` is: a ``probability`` (of the sigmoid, between 0 and 1), or a raw ``logit``.
        cpu: Use the CPU even where there is an accelerator.
    """

    revision: str | None = None
    dtype: Literal["float32", "float64", "bfloat16", "float16"] = "float32"
    trust_remote_code: bool = False
    components: Unit | None = None
    special_tokens: bool | None = None
    memory_budget: float = option(1.0, low=1e-3)
    target: list[str] | None = None
    threshold: float | None = None
    threshold_on: Literal["probability", "logit"] = "probability"
    cpu: bool = False


@dataclass(frozen=True, kw_only=True)
class SiteConfig(ReadingConfig):
    """How a classifier is loaded, and where its weights are erased.

    Attributes:
        site: ``pooling`` (default for models with attention-pooling layers): the last such layer, which attends over
            sentences in a hierarchical model. ``words``: the attention over the words of its sentences. Inside an
            encoder, ``layer:L``: in layer L, the weights of the position that the decision is read from (default:
            ``layer:-1``, the last); ``layer:L:all``: in layer L, the weights of every position; ``all``: the weights
            of every position in every layer. Models with an encoder and a decoder have ``encoder:L`` and, with or
            without ``:all``, ``decoder:L`` and ``cross:L`` (default: ``cross:-1``), the decoder's attention to the
            encoder. Layers count from 0.
        heads: Heads whose weights are erased inside an encoder, counted from 0; default: all.
        search: ``greedy`` looks for smaller flipping sets than those of the rankings, at ``words`` and inside an
            encoder; slow.
    """

    site: str | None = None
    heads: list[int] | None = None
    search: Literal["none", "greedy"] = "none"
