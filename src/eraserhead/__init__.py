"""Attention-pooling heads for pretrained encoders, and the eraser that tells whether their attention means anything.

Importing this package is quick: torch is imported with the first name that needs it. transformers' Auto classes and
`pipeline` know our model whichever of the two packages is imported first.
"""

import sys as _sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from eraserhead.transformers_hooks import hook_into_transformers as _hook_into_transformers

if _TYPE_CHECKING:  # the table below again, for type checkers; a test compares the two
    from eraserhead.comparison.api import compare as compare
    from eraserhead.comparison.compared import Comparison as Comparison
    from eraserhead.data.config import DataConfig as DataConfig
    from eraserhead.erasure.api import erase as erase
    from eraserhead.erasure.api import merge as merge
    from eraserhead.erasure.api import read as read
    from eraserhead.erasure.figure_files import plot as plot
    from eraserhead.erasure.held import Erasure as Erasure
    from eraserhead.errors import UserError as UserError
    from eraserhead.explanation.api import explain as explain
    from eraserhead.explanation.explained import Explanation as Explanation
    from eraserhead.explanation.exploring import explore as explore
    from eraserhead.exporting.api import export as export
    from eraserhead.mapping.api import Atlas as Atlas
    from eraserhead.mapping.api import atlas as atlas
    from eraserhead.method.reading import Reading as Reading
    from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig as AttentionPoolingConfig
    from eraserhead.models.modeling_attention_pooling import (
        AttentionPoolingForSequenceClassification as AttentionPoolingForSequenceClassification,
    )
    from eraserhead.patch.interface import erasable as erasable
    from eraserhead.patch.passes import AttentionRecord as AttentionRecord
    from eraserhead.publishing.api import push as push
    from eraserhead.rankings.ranking import Ranking as Ranking
    from eraserhead.training.api import train as train

__version__ = "0.1.0"

# Every public name, and the module that it is imported from when it is first used.
_HOMES = {
    "Atlas": "eraserhead.mapping.api",
    "AttentionPoolingConfig": "eraserhead.models.configuration_attention_pooling",
    "AttentionPoolingForSequenceClassification": "eraserhead.models.modeling_attention_pooling",
    "AttentionRecord": "eraserhead.patch.passes",
    "Comparison": "eraserhead.comparison.compared",
    "DataConfig": "eraserhead.data.config",
    "Erasure": "eraserhead.erasure.held",
    "Explanation": "eraserhead.explanation.explained",
    "Ranking": "eraserhead.rankings.ranking",
    "Reading": "eraserhead.method.reading",
    "UserError": "eraserhead.errors",
    "atlas": "eraserhead.mapping.api",
    "compare": "eraserhead.comparison.api",
    "erasable": "eraserhead.patch.interface",
    "erase": "eraserhead.erasure.api",
    "explain": "eraserhead.explanation.api",
    "explore": "eraserhead.explanation.exploring",
    "export": "eraserhead.exporting.api",
    "merge": "eraserhead.erasure.api",
    "plot": "eraserhead.erasure.figure_files",
    "push": "eraserhead.publishing.api",
    "read": "eraserhead.erasure.api",
    "train": "eraserhead.training.api",
}
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> _Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'eraserhead' has no attribute '{name}'")
    return getattr(_import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])


_hook_into_transformers(_sys.modules[__name__])
