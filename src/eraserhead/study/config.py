"""A study of many models on many data sets; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass, field

from eraserhead.erasure.config import CountNeverAs
from eraserhead.method.names import RandomOther
from eraserhead.models.architecture import CONTEXTS


@dataclass(frozen=True)
class ReproduceConfig:
    """A study: every data set with every model, as `train` and `erase` would do it, and what the paper shows of it.

    Attributes:
        output_dir: Folder of the study: a run for each cell in ``cells``, ``paper.md`` and ``figures``.
        configs: Folder whose ``data``, ``model`` and ``training`` hold the YAML files that are named.
        datasets: Names of YAML files in ``data``, or paths of others.
        models: Names of YAML files in ``model``, or paths of others; ``flan-none`` and the like have a place on the
            axis of context.
        also: Names of YAML files in ``training``, or paths of others, merged into every cell after those of its data
            set and its model.
        data_root: Folder that replaces the hub as the source of named data sets, in which each has its own folder.
        encoder: Hub id or folder of the encoder of every model; default: as the models say.
        train_size: Documents used for training; default: as the configs say.
        validation_size: Documents held out for validation; default: likewise.
        test_size: Documents used for testing; default: likewise.
        draws: Shuffles a document of the random ranking.
        seed: Seed of samples, training, draws and the bootstrap.
        random_other: As in `erase`.
        count_never_as: As in `erase`.
        batch_tokens: Tokens that one device processes at a time; default: what suits the device and the model.
        cache_limit: As in `train`.
        cpu: Use the CPU even where there is an accelerator.
    """

    output_dir: str
    configs: str = "configs"
    datasets: list[str] = field(default_factory=lambda: ["yelp", "imdb", "amazon", "yahoo"])
    models: list[str] = field(
        default_factory=lambda: [f"{kind}-{context}" for kind in ("flan", "han") for context in CONTEXTS]
    )
    also: list[str] | None = None
    data_root: str | None = None
    encoder: str | None = None
    train_size: int | None = None
    validation_size: int | None = None
    test_size: int | None = None
    draws: int = 10
    seed: int = 0
    random_other: RandomOther = "uniform"
    count_never_as: CountNeverAs = "beyond_all"
    batch_tokens: int | None = None
    cache_limit: float = 20.0
    cpu: bool = False
