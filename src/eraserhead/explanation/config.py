"""Options of `explain`; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass, field

from eraserhead.data.config import DataConfig
from eraserhead.loading.config import SiteConfig
from eraserhead.settings import LARGEST_SEED, option


@dataclass(frozen=True)
class ExplainConfig(SiteConfig):
    """Which decision is explained.

    Attributes:
        model: Folder of a run, or folder or hub id of a model.
        text: The text; or give `file` or `id` instead.
        file: File that holds the text.
        pair: A second text, such as the hypothesis of an inference, which the tokenizer gets with the first as a pair.
        id: Id of one document of the data, such as ``test/17``.
        data: The data that contains the document `id`; default: the test split of the run's own data.
        seed: Seed of the random ranking.
        draws: Number of random orders tried.
    """

    model: str
    text: str | None = None
    file: str | None = None
    pair: str | None = None
    id: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = option(0, low=0, high=LARGEST_SEED)
    draws: int = option(10, low=1)
