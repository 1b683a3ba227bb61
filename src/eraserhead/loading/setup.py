"""The parts of a setup that describe a model and a site; light imports, so that views are quick."""

from dataclasses import dataclass

from eraserhead.method.names import TOKENS, Unit
from eraserhead.models.architecture import HEAD_TAIL, WINDOWS, Limits


@dataclass(frozen=True)
class BaseSetup:
    """The base model of an adapter.

    Attributes:
        name: Folder or hub id.
        revision: Commit that the hub resolved; null for a folder.
        adapter: Kind of the adapter, such as ``LORA``.
    """

    name: str
    revision: str | None
    adapter: str


@dataclass(frozen=True)
class ModelSetup:
    """A model.

    Attributes:
        name: Folder or hub id.
        revision: Commit that the hub resolved; null for a folder.
        weights: Fingerprint of the weights as they were loaded.
        classes: Class names in index order.
        base: The base model, where `name` is an adapter that was merged into it; else null.
        seen: Fingerprint of the texts that training saw; null where they are not known.
        unexpected: Weights in its file that the model does not have, and that its decisions do not depend on.
        pickled: Whether its weights were read from pickles.
        lent_padding: The tokenizer's padding token, where the model names none of its own and needs one; else null.
        own_code: Whether Python code of its repository ran.
    """

    name: str
    revision: str | None
    weights: str
    classes: tuple[str, ...]
    base: BaseSetup | None = None
    seen: str | None = None
    unexpected: tuple[str, ...] = ()
    pickled: bool = False
    lent_padding: str | None = None
    own_code: bool = False


@dataclass(frozen=True)
class LabelSetup:
    """How a model that decides label by label does so.

    Attributes:
        target: The labels whose states are looked at, or ``predicted``, ``largest`` or ``all``.
        threshold: A label is on above it.
        threshold_on: What the threshold is: a ``probability`` or a ``logit``.
    """

    target: tuple[str, ...]
    threshold: float
    threshold_on: str


@dataclass(frozen=True, kw_only=True)
class SiteSetup:
    """Where weights are erased.

    Attributes:
        site: Name of the site.
        components: What is erased and counted: ``tokens``, ``words`` or ``sentences`` of the text.
        heads: Heads whose weights are erased, inside an encoder; null for all.
        unlisted: Model type of a family that is not in the table, and was proved by probes of this model alone.
        special_tokens: Whether tokens such as [CLS] are components.
        search: Search for smaller sets than those of the rankings: ``none`` or ``greedy``.
        dtype: Precision of the model.
        targets: Which labels are decided on; null for a model that decides among its classes.
        words_by: Where components are words, what a word is: the ``tokenizer``'s own, or, where it has none, a run
            without ``white_space``; else null.
    """

    site: str
    components: Unit = TOKENS
    heads: tuple[int, ...] | None = None
    unlisted: str | None = None
    special_tokens: bool
    search: str = "none"
    dtype: str
    targets: LabelSetup | None = None
    words_by: str | None = None


def read_at_most(limits: Limits) -> str:
    """Return how much of a document a model reads, in words."""
    if limits.tokens is None:
        return f"at most {limits.sentences} sentences of a document, {limits.sentence_tokens} tokens of each"
    if limits.long_documents == HEAD_TAIL:
        return f"at most {limits.tokens} tokens of a document, from its beginning and its end"
    if limits.long_documents != WINDOWS:
        return f"at most {limits.tokens} tokens of a document"
    most = "windows" if limits.windows is None else f"at most {limits.windows:,} window{'s' * (limits.windows > 1)}"
    return f"documents in {most} of {limits.tokens} tokens, of which neighbours share {limits.window_overlap}"
