"""Options of `explain` and `explore`; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass, field

from eraserhead.data.config import DataConfig
from eraserhead.loading.config import SiteConfig
from eraserhead.settings import LARGEST_SEED, option

MOST_DOCUMENTS = 10_000  # on a page


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
        html: File for a page on which one erases words of the text by hand.
    """

    model: str
    text: str | None = None
    file: str | None = None
    pair: str | None = None
    id: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = option(0, low=0, high=LARGEST_SEED)
    draws: int = option(10, low=1)
    html: str | None = None


@dataclass(frozen=True)
class ExploreConfig:
    """A page on which one erases words by hand.

    Attributes:
        results: Folder of finished erasure results, or of the run that holds them; or two, on the same documents,
            which are then shown side by side.
        output: The page, one HTML file; default: ``page.html`` in the folder of the (first) results.
        documents: Most documents on the page.
        open: Open the page in the browser.
        cpu: Use the CPU even where there is an accelerator.
    """

    results: list[str]
    output: str | None = None
    documents: int = option(MOST_DOCUMENTS, low=1, high=MOST_DOCUMENTS)
    open: bool = False
    cpu: bool = False
