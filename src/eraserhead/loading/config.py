"""Where in a classifier weights are erased, and how it is loaded; light imports, so that ``--help`` stays quick."""

from dataclasses import dataclass
from typing import Literal

from eraserhead.settings import option

ONE_SEQUENCE = "an attention-pooling classifier reads one sequence: join the two texts into one"

MULTI_LABEL = "multi_label_classification"  # the `problem_type` of models that decide label by label
PREDICTED, LARGEST, ALL = "predicted", "largest", "all"  # what stands for labels, which may differ by document

LIMITS = ("max_length", "max_sentences", "max_sentence_length", "language")  # of the data, that belong to the model


@dataclass(frozen=True, kw_only=True)
class SiteConfig:
    """How a classifier is loaded, and where in it weights are erased.

    Attributes:
        revision: Branch, tag or commit of a model on the hub.
        dtype: Precision of the model. A checkpoint in half precision is loaded in float32 too: rounding flips decisions
            that are nearly tied.
        trust_remote_code: Run Python code that the model's repository brings with it, with all your rights on this
            machine; read it before.
        site: ``pooling`` (the default where the model has an attention-pooling layer: the last one, over the sentences
            of a hierarchical model), ``words`` (the attention over the words of its sentences), or inside an encoder
            ``layer:L`` (the weights of the position that the decision is read from, in layer L; default: the last,
            ``layer:-1``), ``layer:L:all`` (of every position), ``all`` (in every layer). Layers count from 0.
        heads: Heads whose weights are erased, from 0, inside an encoder; default: all.
        special_tokens: Whether tokens such as [CLS] are components, inside an encoder; default: yes.
        search: ``greedy`` looks for smaller flipping sets than those of the rankings, at ``words`` and inside an
            encoder; slow.
        memory_budget: Gigabytes that the replays at ``words`` and inside an encoder may take, beside the model and its
            batch; one document, and one erasure, is run in any case.
        target: Labels of a multi-label model whose states are looked at: ``predicted`` (the default: each label that is
            on, and the one with the largest logit where none is), ``largest``, ``all``, or names; `explain` shows one
            label, by default the largest.
        threshold: Where a label of a multi-label model is on: above this probability, by default 0.5. A model with a
            single output, such as a reranker, decides only where this is given.
        threshold_on: What `threshold` is: a ``probability`` (of the sigmoid, between 0 and 1), or a raw ``logit``.
        cpu: Use the CPU even where there is an accelerator.
    """

    revision: str | None = None
    dtype: Literal["float32", "float64", "bfloat16", "float16"] = "float32"
    trust_remote_code: bool = False
    site: str | None = None
    heads: list[int] | None = None
    special_tokens: bool | None = None
    search: Literal["none", "greedy"] = "none"
    memory_budget: float = option(1.0, low=1e-3)
    target: list[str] | None = None
    threshold: float | None = None
    threshold_on: Literal["probability", "logit"] = "probability"
    cpu: bool = False
