"""From options to the site in a loaded classifier."""

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from datasets import Dataset

from eraserhead.errors import UserError
from eraserhead.loading.checkpoints import Checkpoint
from eraserhead.loading.components import SENTENCES, TOKENS
from eraserhead.loading.config import ONE_SEQUENCE, SiteConfig
from eraserhead.models.encoders import structural_token_ids
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.sites.budget import budget_for
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.pooling import PoolingSite
from eraserhead.sites.site import POOLING, WORDS, Site, float64_device, parse_inside
from eraserhead.sites.words import WordsSite

INSIDE_ALONE = "belongs to sites inside an encoder; this model's are its own attention layers"


@dataclass(frozen=True)
class ChosenSite:
    """A site, and how results call it.

    Attributes:
        site: Where weights are read and erased.
        description: Everything about it that determines results.
        device: Where its model is.
        components: What they are: ``tokens`` or ``sentences`` of the text.
    """

    site: Site
    description: dict[str, Any]
    device: torch.device
    components: str = TOKENS


def refuse_pairs(checkpoint: Checkpoint, rows: Dataset) -> None:
    """Refuse documents of two sequences where the model reads one.

    Raises:
        UserError: The model has an attention-pooling layer.
    """
    if "second" in rows.column_names and isinstance(checkpoint.model, AttentionPoolingForSequenceClassification):
        raise UserError(f"--data.pair_column: {ONE_SEQUENCE}")


def choose_site(checkpoint: Checkpoint, config: SiteConfig, accelerator: Accelerator) -> ChosenSite:
    """Return the site that the options name, in the checkpoint's model on the device in use.

    Raises:
        UserError: The model has no such site, or the options do not belong to it.
    """
    if isinstance(checkpoint.model, AttentionPoolingForSequenceClassification):
        return _pooling(checkpoint.model, config, accelerator)
    return _inside(checkpoint, config, accelerator)


def _pooling(
    model: AttentionPoolingForSequenceClassification, config: SiteConfig, accelerator: Accelerator
) -> ChosenSite:
    hierarchical = model.config.architecture.hierarchical
    known = (POOLING, WORDS) if hierarchical else (POOLING,)
    problems = [
        f"--site {config.site}: a model with attention-pooling layers is erased there, --site {' or '.join(known)}"
    ]
    problems = problems if config.site not in (None, *known) else []
    inside = {"heads": config.heads, "special_tokens": config.special_tokens}
    inside |= {"search": config.search} if config.site != WORDS else {}
    problems += [f"--{name}: {INSIDE_ALONE}" for name, value in inside.items() if value not in (None, "none")]
    if problems:
        raise UserError("; ".join(problems))
    special = "components" if model.config.architecture.pool_special_tokens else "left out"
    description = {"site": config.site or POOLING, "special_tokens": special, **_precision(config)}
    model = model.to(accelerator.device)
    if config.site == WORDS:
        description["search"] = config.search
        return ChosenSite(
            WordsSite(model, budget_for(model.device, config.memory_budget)), description, accelerator.device
        )
    components = SENTENCES if hierarchical else TOKENS
    description["components"] = components
    return ChosenSite(PoolingSite(model), description, accelerator.device, components)


def _inside(checkpoint: Checkpoint, config: SiteConfig, accelerator: Accelerator) -> ChosenSite:
    if config.site == POOLING:
        raise UserError(
            f"--site {POOLING}: a '{checkpoint.model.config.model_type}' model has no attention-pooling layer; choose "
            "layer:L, layer:L:all or all, or put a head on its encoder with `eraserhead train`"
        )
    device = float64_device(accelerator.device)
    with_special = config.special_tokens is not False
    site = SelfAttentionSite(
        checkpoint.model.to(device),  # pyright: ignore[reportArgumentType] - its decorator hides the method
        parse_inside(config.site or "layer:-1"),
        heads=config.heads,
        left_out=() if with_special else structural_token_ids(checkpoint.tokenizer),
        budget=budget_for(device, config.memory_budget),
    )
    description = {
        "site": str(site.name),
        "heads": "all" if site.heads is None else list(site.heads),
        "special_tokens": "components" if with_special else "left out",
        "search": config.search,
        **_precision(config),
    }
    return ChosenSite(site, description, device)


def _precision(config: SiteConfig) -> dict[str, str]:
    return {"dtype": config.dtype}
