"""The commands: their options, their examples, and which of the options ``--help`` lists."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eraserhead.cli.config import FamiliesConfig
from eraserhead.comparison.config import CompareConfig
from eraserhead.erasure.config import EraseConfig, MergeConfig, PlotConfig, ShowConfig
from eraserhead.explanation.config import ExplainConfig, ExploreConfig
from eraserhead.loading.defaults import erase_defaults
from eraserhead.mapping.config import AtlasConfig
from eraserhead.publishing.config import PushConfig
from eraserhead.study.config import ReproduceConfig
from eraserhead.training.config import SweepConfig, TrainConfig

DESCRIPTION = (
    "Attention-pooling heads for pretrained encoders, and erasure tests that tell whether their attention means "
    "anything (Serrano & Smith 2019)."
)


@dataclass(frozen=True)
class Command:
    """One command of the command line.

    Attributes:
        config: Dataclass of its options; fields without a default are positional.
        module: Where its function `run` is.
        help: Its help, in one line.
        positional: Options that are given by position.
        optional: Positional options that may be left out.
        defaults: Returns defaults that depend on the parsed options, such as the data of a run.
        alone: Whether the first of several processes does it alone, and the others have nothing to do.
        examples: Arguments of examples, each of which stands first in its help.
        common: Options that ``--help`` lists; ``--help_all`` lists all. Empty where both list all.
    """

    config: type
    module: str
    help: str
    positional: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    defaults: Callable[[Any], dict[str, Any]] | None = None
    alone: bool = False
    examples: tuple[str, ...] = ()
    common: tuple[str, ...] = ()


COMMANDS = {
    "train": Command(
        TrainConfig,
        "eraserhead.cli.train",
        "train an attention-pooling classifier",
        examples=(
            "train --config data/imdb --config model/flat --output_dir runs/imdb",
            "train --data.path reviews/ --data.label_column stars --output_dir runs/own",
            "train --config data/imdb --model.encoder answerdotai/ModernBERT-base --cpu",
        ),
        common=(
            "output_dir",
            "data.name",
            "data.path",
            "data.text_columns",
            "data.label_column",
            "data.train_size",
            "data.test_size",
            "data.max_length",
            "model.encoder",
            "model.hierarchical",
            "model.context",
            "model.problem_type",
            "training.freeze_encoder",
            "training.epochs",
            "training.learning_rate",
            "training.seed",
            "resume",
            "overwrite",
            "cpu",
            "push_to_hub",
        ),
    ),
    "sweep": Command(
        SweepConfig,
        "eraserhead.cli.sweep",
        "search for the options that do best on the validation documents",
        ("ranges",),
        examples=("sweep ranges.yaml --config data/imdb --config model/flat --trials 20",),
        common=("trials", "output_dir", "data.name", "data.path", "overwrite", "cpu"),
    ),
    "erase": Command(
        EraseConfig,
        "eraserhead.cli.erase",
        "erase attention weights and see when decisions flip",
        ("model",),
        defaults=erase_defaults,
        examples=(
            "erase runs/imdb",
            "erase runs/imdb --rankings attention,value_norm,rollout --components words",
            "erase cardiffnlp/twitter-roberta-base --data.path tweets.csv --site layer:3",
        ),
        common=(
            "output_dir",
            "data.name",
            "data.path",
            "data.test_split",
            "data.test_size",
            "label_map",
            "site",
            "components",
            "rankings",
            "draws",
            "part",
            "overwrite",
            "cpu",
        ),
    ),
    "merge": Command(
        MergeConfig,
        "eraserhead.cli.merge",
        "merge the parts of an analysis that machines made by themselves",
        ("parts",),
        alone=True,
        examples=("merge runs/imdb/erasure+part-1of2 runs/imdb/erasure+part-2of2 --output_dir runs/imdb/erasure",),
    ),
    "show": Command(
        ShowConfig,
        "eraserhead.cli.show",
        "print the tables of finished erasure results, or of an atlas",
        ("results",),
        alone=True,
        examples=("show runs/imdb", "show runs/imdb/erasure --details", "show runs/imdb --format latex > table.tex"),
    ),
    "atlas": Command(
        AtlasConfig,
        "eraserhead.cli.atlas",
        "erase in every layer and every head of a checkpoint, and see which of them move decisions",
        ("model",),
        defaults=erase_defaults,
        examples=(
            "atlas cardiffnlp/twitter-roberta-base --data.path tweets.csv",
            "atlas cardiffnlp/twitter-roberta-base --data.path tweets.csv --layers -1,-2 --heads none",
        ),
        common=(
            "output_dir",
            "data.name",
            "data.path",
            "data.test_size",
            "label_map",
            "layers",
            "heads",
            "components",
            "draws",
            "overwrite",
            "cpu",
        ),
    ),
    "plot": Command(
        PlotConfig,
        "eraserhead.cli.plot",
        "draw the figures of finished erasure results, several side by side",
        ("results",),
        alone=True,
        examples=("plot runs/imdb", "plot runs/imdb runs/imdb-conv --output figures"),
    ),
    "compare": Command(
        CompareConfig,
        "eraserhead.cli.compare",
        "compare results on the same documents: of other models, layers, heads or seeds",
        ("results",),
        alone=True,
        examples=("compare runs/imdb/erasure runs/imdb-conv/erasure --output compare.json",),
    ),
    "explain": Command(
        ExplainConfig,
        "eraserhead.cli.explain",
        "show the attention behind one decision and what flips it",
        ("model", "text"),
        optional=("text",),
        defaults=erase_defaults,
        examples=(
            'explain runs/imdb "A fine cast, wasted on a dull script."',
            "explain runs/imdb --id test/17",
            "explain runs/imdb --file review.txt --components tokens --html review.html",
        ),
        common=("file", "html", "pair", "id", "data.path", "site", "components", "target", "draws", "cpu"),
    ),
    "explore": Command(
        ExploreConfig,
        "eraserhead.cli.explore",
        "write a page, one HTML file, on which one erases words by hand and sees decisions flip",
        ("results",),
        examples=(
            "explore runs/imdb/erasure --open",
            "explore runs/imdb/erasure runs/imdb-conv/erasure --output page.html",
        ),
    ),
    "push": Command(
        PushConfig,
        "eraserhead.cli.push",
        "push a classifier and its erasure results to the hub, with a card that says what its attention is worth",
        ("model", "repository"),
        alone=True,
        examples=("push runs/imdb user/imdb-attention-pooling", "push runs/imdb user/imdb --dry_run"),
    ),
    "reproduce": Command(
        ReproduceConfig,
        "eraserhead.cli.reproduce",
        "train and erase many models on many data sets, and write the tables and figures of the paper",
        examples=(
            "reproduce --output_dir runs/study",
            "reproduce --output_dir runs/study --datasets imdb --models flan-none,flan-rnn --test_size 500",
        ),
    ),
    "families": Command(
        FamiliesConfig,
        "eraserhead.cli.families",
        "list the model families in which attention can be erased",
        alone=True,
        examples=("families",),
    ),
}
