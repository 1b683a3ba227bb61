"""Options of `reproduce`; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass, field

from eraserhead.erasure.config import CountNeverAs
from eraserhead.method.names import RandomOther
from eraserhead.models.architecture import CONTEXTS
from eraserhead.settings import HIGH, LARGEST_SEED, LOW, option


@dataclass(frozen=True)
class ReproduceConfig:
    """A study: train and erase every model on every data set, and report what the paper reports.

    Attributes:
        output_dir: Folder of the study: the run of each cell in ``cells``, ``paper.md`` and ``figures``.
        configs: Folder with the folders ``data``, ``model`` and ``training`` of YAML files; default: the packaged
            ones.
        datasets: Names of YAML files in ``data``, or paths of other files.
        models: Names of YAML files in ``model``, or paths of other files; the context figure shows those named like
            ``flan-none``.
        also: Names of YAML files in ``training``, or paths of other files, which all cells use, merged in this order.
            The model's own file is merged last, since a model may need another learning rate.
        data_root: Folder that replaces the hub as the source of named data sets; each has its own folder in it.
        encoder: Hub id or folder of the encoder of every model; default: as the models' files say.
        train_size: Documents used for training; default: as the files say.
        validation_size: Documents held out for validation; default: as the files say.
        test_size: Documents used for testing; default: as the files say.
        draws: Number of random orders tried for each document.
        seed: Seed of samples, training and draws.
        seeds: Seeds that each model is trained with, on the same samples and with the same draws, so that the paper has
            intervals over seeds; a seed can be added later. Default: `seed` alone.
        random_other: As in `erase`.
        count_never_as: As in `erase`.
        batch_tokens: Tokens that one device processes at a time; default: depends on the device and the model.
        cache_limit: As in `train`.
        cpu: Use the CPU even where there is an accelerator.
    """

    output_dir: str
    configs: str | None = None
    datasets: list[str] = field(default_factory=lambda: ["yelp", "imdb", "amazon", "yahoo"])
    models: list[str] = field(
        default_factory=lambda: [f"{kind}-{context}" for kind in ("flan", "han") for context in CONTEXTS]
    )
    also: list[str] | None = None
    data_root: str | None = None
    encoder: str | None = None
    train_size: int | None = option(None, low=1)
    validation_size: int | None = option(None, low=1)
    test_size: int | None = option(None, low=1)
    draws: int = option(10, low=1)
    seed: int = option(0, low=0, high=LARGEST_SEED)
    seeds: list[int] | None = field(default=None, metadata={LOW: 0, HIGH: LARGEST_SEED})
    random_other: RandomOther = "uniform"
    count_never_as: CountNeverAs = "beyond_all"
    batch_tokens: int | None = option(None, low=1)
    cache_limit: float = option(20.0, low=0)
    cpu: bool = False
