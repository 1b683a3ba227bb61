"""The parts of a setup that describe a model and a site; light imports, so that views are quick."""

from dataclasses import dataclass

TOKENS, SENTENCES = "tokens", "sentences"  # kinds of components


@dataclass(frozen=True)
class ModelSetup:
    """A model.

    Attributes:
        name: Folder or hub id.
        revision: Commit that the hub resolved; null for a folder.
        weights: Fingerprint of the weights as they were loaded.
        classes: Class names in index order.
    """

    name: str
    revision: str | None
    weights: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class LabelSetup:
    """How a model that decides label by label does so.

    Attributes:
        target: The labels whose states are looked at, or ``predicted`` or ``all``.
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
        components: ``tokens`` or ``sentences`` of the text.
        heads: Heads whose weights are erased, inside an encoder; null for all.
        unlisted: Model type of a family that is not in the table, and was proved by probes of this model alone.
        special_tokens: Whether tokens such as [CLS] are components.
        search: Search for smaller sets than those of the rankings: ``none`` or ``greedy``.
        dtype: Precision of the model.
        labels: Which labels are decided on; null for a model that decides among its classes.
    """

    site: str
    components: str = TOKENS
    heads: tuple[int, ...] | None = None
    unlisted: str | None = None
    special_tokens: bool
    search: str = "none"
    dtype: str
    labels: LabelSetup | None = None
