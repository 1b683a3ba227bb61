"""Explain decisions on several texts with a model that is loaded once."""

from collections.abc import Sequence

from eraserhead.data.config import DataConfig
from eraserhead.data.given import GivenColumns, given_content, given_documents
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explained import Explanation
from eraserhead.explanation.explaining import explain_row, one_target
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.loading.given import for_given
from eraserhead.loading.setup import SiteSetup
from eraserhead.loading.site_table import check_site
from eraserhead.loading.targets import decides_by_label, label_setup
from eraserhead.sites.site import is_inside


def explain_texts(
    model: str, texts: Sequence[str], site: SiteSetup | None, trust_remote_code: bool = False
) -> list[Explanation]:
    """Explain the decisions of a model on texts, on the CPU.

    Args:
        model: Folder of the model.
        texts: The texts.
        site: Where weights are erased, as it is in results; default: as `explain` chooses it. Components are those
            that `explain` shows by default.
        trust_remote_code: Run Python code of the folder.

    Raises:
        UserError: The model or a text cannot be used.
    """
    config = _config(model, site, trust_remote_code)
    check_site(config)
    columns = GivenColumns()
    content = given_content(list(texts), columns, None)
    checkpoint = load_checkpoint(
        *(model, None, config.dtype, trust_remote_code),
        lambda found, name: label_setup(found, one_target(config, found), name),
    )
    config = for_given(config, checkpoint, checkpoint.data, None)
    names, by_label = checkpoint.class_names, decides_by_label(checkpoint.model.config)
    ids = [f"example/{number}" for number in range(1, len(texts) + 1)]
    rows = given_documents(content, columns, len(names), ids, names, by_label=by_label).rows
    accelerator = devices.start(True)
    return [explain_row(checkpoint, rows.select([place]), config, accelerator) for place in range(len(texts))]


def _config(model: str, site: SiteSetup | None, trust_remote_code: bool) -> ExplainConfig:
    if site is None:
        return ExplainConfig(model=model, data=DataConfig(), trust_remote_code=trust_remote_code, cpu=True)
    asked = site.targets
    return ExplainConfig(
        model=model,
        data=DataConfig(),
        site=site.site,
        heads=None if site.heads is None else list(site.heads),
        special_tokens=site.special_tokens if is_inside(site.site) else None,
        threshold=None if asked is None else asked.threshold,
        threshold_on="probability" if asked is None or asked.threshold_on == "probability" else "logit",
        dtype=site.dtype,  # pyright: ignore[reportArgumentType] - one of the option's own
        trust_remote_code=trust_remote_code,
        cpu=True,
    )
