"""What is erased as one at a site: tokens, their words, or sentences (METHOD section 11)."""

from typing import NamedTuple, cast

from tokenizers import Tokenizer
from transformers import PreTrainedModel

from eraserhead.data.units import separates_words
from eraserhead.errors import Setting, UserError
from eraserhead.loading.checkpoints import Checkpoint
from eraserhead.loading.config import SiteConfig
from eraserhead.loading.reader import is_hierarchical
from eraserhead.method.names import SENTENCES, TOKENS, WORDS, Unit
from eraserhead.sites import site as sites


class Chosen(NamedTuple):
    """What is erased as one, and what words are, if they are; see `SiteSetup`."""

    components: Unit
    words_by: str | None = None


def over_sentences(model: PreTrainedModel, site: str | None) -> bool:
    """Tell whether the attention at a site is over sentences, so that these are its components; None: the default."""
    return site in (None, sites.POOLING) and is_hierarchical(model)


def components_for(checkpoint: Checkpoint, config: SiteConfig, site: str | None) -> Chosen:
    """Return what is erased as one at a site of a model; by default tokens, or the sentences that it attends over.

    Raises:
        UserError: The site or the tokenizer does not have what the options name.
    """
    asked = Setting("components", config.components)
    if over_sentences(checkpoint.model, site):
        if config.components not in (None, SENTENCES):
            why = f": a hierarchical model attends over sentences at {sites.POOLING}; its tokens and words are at "
            raise UserError(asked, why, Setting("site", sites.WORDS))
        return Chosen(SENTENCES)
    unit = config.components or TOKENS
    if unit == TOKENS:
        return Chosen(unit)
    if not checkpoint.tokenizer.is_fast:
        why = f": this tokenizer does not tell where tokens lie in a text, so that {unit} are not known; "
        raise UserError(asked, why, "use a fast tokenizer, or give ", Setting("components", TOKENS))
    if unit != WORDS:
        return Chosen(unit)
    own = separates_words(cast(Tokenizer, checkpoint.tokenizer.backend_tokenizer))
    return Chosen(unit, "tokenizer" if own else "white_space")
