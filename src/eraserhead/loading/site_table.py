"""The table of sites: their names, the models that have them, how they are opened, and the options that they take."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import torch
from accelerate import Accelerator
from transformers import PreTrainedModel

from eraserhead.errors import Job, Setting, UserError, did_you_mean, nearest
from eraserhead.loading.checkpoints import Checkpoint
from eraserhead.loading.checks import instead_of_inside
from eraserhead.loading.components_choice import components_for
from eraserhead.loading.config import SiteConfig
from eraserhead.loading.reader import is_hierarchical
from eraserhead.loading.setup import LabelSetup, SiteSetup
from eraserhead.loading.targets import check_threshold, label_setup, targets_of
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.special_tokens import structural_token_ids
from eraserhead.sites.budget import budget_for
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.padding import kind_without_padding, sees_padding
from eraserhead.sites.pooling import PoolingSite
from eraserhead.sites.site import ALL_LAYERS, POOLING, WORDS, Site, float64_device, is_inside, parse_inside
from eraserhead.sites.words import WordsSite

SLIP = re.compile(r"(?:(layer|encoder|decoder|cross)s?)?[ _.:=]?(-?\d+)(?:[ _.:-]?(all))?")
ONE_LENGTH = "only documents of the same length are read together"

logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class OpenedSite:
    """A site of a model, as results record it.

    Attributes:
        site: The site.
        setup: What results record of it.
        device: The device that the model is on.
        kind_of: Numbers that documents have to share to be read in one batch; None where any may.
    """

    site: Site
    setup: SiteSetup
    device: torch.device
    kind_of: Callable[[Sequence[int]], tuple[int, ...]] | None = None


@dataclass(frozen=True)
class SiteKind:
    """A kind of site.

    Attributes:
        names: Names of its sites.
        known: Tells whether a text is the name of one of its sites.
        had_by: Tells whether a model has these sites.
        lacking: Message about a model that has none of them.
        open: Opens one of its sites in a model.
        options: Options of `SiteConfig` that have an effect at these sites, but not at all sites.
    """

    names: tuple[str, ...]
    known: Callable[[str], bool]
    had_by: Callable[[PreTrainedModel], bool]
    lacking: str | UserError
    open: Callable[[Checkpoint, SiteConfig, Accelerator, LabelSetup | None], OpenedSite]
    options: frozenset[str] = frozenset()


def check_site(config: SiteConfig) -> None:
    """Refuse, before any model is loaded, a wrong name of a site or threshold, and options without effect at the site.

    Raises:
        UserError: There is no such site, options have no effect at it, or a threshold is none.
    """
    check_threshold(config)
    if config.site is not None:
        _raise(_without_effect(_kind_of(config.site), config))


def open_site(checkpoint: Checkpoint, config: SiteConfig, accelerator: Accelerator) -> OpenedSite:
    """Open a model at the site that the options name; default: the first in `SITES` that the model has.

    Raises:
        UserError: The model has no such site, or options have no effect at it.
    """
    model = checkpoint.model
    labels = label_setup(model.config, config, checkpoint.name)
    own = [kind for kind in SITES if kind.had_by(model)]
    kind, problems = own[0] if config.site is None else _kind_of(config.site), []
    if kind not in own:
        said = f": a '{model.config.model_type}' model ", kind.lacking, f"; choose {_either(own)}"
        problems.append(UserError(Setting("site", config.site), *said))
        kind = own[0]
    _raise([*problems, *_without_effect(kind, config)])
    unit, words_by = components_for(checkpoint, config, POOLING if POOLING in kind.names else config.site)
    opened = kind.open(checkpoint, config, accelerator, labels)
    return replace(opened, setup=replace(opened.setup, components=unit, words_by=words_by))


def _kind_of(site: str) -> SiteKind:
    for kind in SITES:
        if kind.known(site):
            return kind
    hint = _without_colon(site) or nearest(site, [name for kind in SITES for name in kind.names])
    raise UserError(
        Setting("site", site), f": not a site{hint}; there are {_either(SITES, ' and ')}, layers L counted from 0"
    )


def _without_colon(site: str) -> str:
    """Return the hint at a site inside an encoder whose colons are missing: ``layer:3`` for ``layer3`` and ``3``."""
    found = SLIP.fullmatch(site.lower())
    if found is None:
        return ""
    return did_you_mean(f"{found[1] or 'layer'}:{found[2]}{':all' if found[3] else ''}")


def _without_effect(kind: SiteKind, config: SiteConfig) -> list[UserError]:
    """Return a problem for each option that is set but only has an effect at other sites."""
    problems = []
    for each in fields(SiteConfig):
        at = [other for other in SITES if each.name in other.options]
        value = getattr(config, each.name)
        if at and kind not in at and value != each.default:
            said = f": has no effect at {_either([kind])}; it belongs to {_either(at, ' and ')}"
            problems.append(UserError(Setting(each.name, value), said))
    return problems


def _raise(problems: list[UserError]) -> None:
    if problems:
        raise UserError.joined(problems)


def _either(kinds: "list[SiteKind] | tuple[SiteKind, ...]", last: str = " or ") -> str:
    *names, final = (name for kind in kinds for name in kind.names)
    return last.join([", ".join(names), final]) if names else final


def _has_pooling(model: PreTrainedModel) -> bool:
    return isinstance(model, AttentionPoolingForSequenceClassification)


def _open_own(
    kind: type[PoolingSite | WordsSite],
    checkpoint: Checkpoint,
    config: SiteConfig,
    accelerator: Accelerator,
    labels: LabelSetup | None,
) -> OpenedSite:
    """Open one of the attention layers of our own models."""
    model = _on(checkpoint, accelerator.device)
    site = kind(model, budget_for(model.device, config.memory_budget), targets_of(labels, checkpoint.class_names))
    kind_of = None
    if sees_padding(model):
        together = "documents are read one by one" if is_hierarchical(model) else ONE_LENGTH
        logger.info(f"padding changes this model's decisions: {together}")
        kind_of = kind_without_padding(model)
    setup = SiteSetup(
        site=POOLING if kind is PoolingSite else WORDS,
        special_tokens=model.config.architecture.pool_special_tokens,
        search=config.search,
        dtype=config.dtype,
        targets=labels,
    )
    return OpenedSite(site, setup, accelerator.device, kind_of)


def _on(checkpoint: Checkpoint, device: torch.device) -> AttentionPoolingForSequenceClassification:
    assert isinstance(checkpoint.model, AttentionPoolingForSequenceClassification)
    checkpoint.model.to(device)  # pyright: ignore[reportArgumentType] - its decorator hides the method
    return checkpoint.model


def _open_inside(
    checkpoint: Checkpoint, config: SiteConfig, accelerator: Accelerator, labels: LabelSetup | None
) -> OpenedSite:
    device = float64_device(accelerator.device)
    with_special = config.special_tokens is not False
    with instead_of_inside(checkpoint.name):
        site = SelfAttentionSite(
            checkpoint.model.to(device),  # pyright: ignore[reportArgumentType] - its decorator hides the method
            None if config.site is None else parse_inside(config.site),
            heads=config.heads,
            left_out=() if with_special else structural_token_ids(checkpoint.tokenizer),
            budget=budget_for(device, config.memory_budget),
            targets=targets_of(labels, checkpoint.class_names),
        )
    if site.unlisted is not None:
        logger.info(
            f"'{site.unlisted}' is not in the table of families: that its attention is erased, and that its decision "
            f"is read from the {site.runner.read_out.value}, was proved by probes of this model"
        )
    if site.runner.layers.sees_padding:
        logger.info(f"padding changes this model's decisions: {ONE_LENGTH}")
    setup = SiteSetup(
        site=str(site.name),
        heads=None if site.heads is None else tuple(site.heads),
        unlisted=site.unlisted,
        special_tokens=with_special,
        search=config.search,
        dtype=config.dtype,
        targets=labels,
    )
    return OpenedSite(site, setup, device, site.kind_of)


REPLAYED = frozenset({"search", "memory_budget"})  # where there are no closed forms

# A model's first one is its default.
SITES = (
    SiteKind(
        names=(POOLING,),
        known=POOLING.__eq__,
        had_by=_has_pooling,
        lacking=UserError("has no attention-pooling layer (", Job("train"), " puts one on an encoder)"),
        open=partial(_open_own, PoolingSite),
    ),
    SiteKind(
        names=(WORDS,),
        known=WORDS.__eq__,
        had_by=is_hierarchical,
        lacking="has no attention over the words of sentences",
        open=partial(_open_own, WordsSite),
        options=REPLAYED,
    ),
    SiteKind(
        names=("layer:L", "layer:L:all", ALL_LAYERS),
        known=lambda site: is_inside(site) and parse_inside(site).part is None,
        had_by=lambda model: not _has_pooling(model),
        lacking="is read at its attention-pooling layers alone",
        open=_open_inside,
        options=REPLAYED | {"heads", "special_tokens"},
    ),
    SiteKind(
        names=("encoder:L", "decoder:L", "cross:L"),
        known=is_inside,
        had_by=lambda model: not _has_pooling(model) and model.config.is_encoder_decoder,
        lacking="is no encoder with a decoder",
        open=_open_inside,
        options=REPLAYED | {"heads", "special_tokens"},
    ),
)
