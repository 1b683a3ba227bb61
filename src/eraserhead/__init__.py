"""Attention-pooling heads for pretrained encoders, and the eraser that tells whether their attention means anything.

Importing this package is quick: torch is imported with the first name that needs it. transformers' Auto classes know
our model whichever of the two packages is imported first.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    from eraserhead.erasure.api import erase
    from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
    from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
    from eraserhead.patch.interface import erasable
    from eraserhead.patch.passes import AttentionRecord

__version__ = "0.1.0"
__all__ = [
    "AttentionPoolingConfig",
    "AttentionPoolingForSequenceClassification",
    "AttentionRecord",
    "erasable",
    "erase",
]

_HOMES = {
    "AttentionPoolingConfig": "eraserhead.models.configuration_attention_pooling",
    "AttentionPoolingForSequenceClassification": "eraserhead.models.modeling_attention_pooling",
    "AttentionRecord": "eraserhead.patch.passes",
    "erasable": "eraserhead.patch.interface",
    "erase": "eraserhead.erasure.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'eraserhead' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


# Whichever is imported first, transformers' half or ours, brings the other; ours registers when it is complete.
_CONFIGURATION = "eraserhead.models.configuration_attention_pooling"
_MODEL = "eraserhead.models.modeling_attention_pooling"
_PIPELINE = "eraserhead.models.pipeline_attention_pooling"


@wrapt.when_imported("transformers.models.auto.configuration_auto")
def _bring_configuration(auto: Any) -> None:
    import_module(_CONFIGURATION)


@wrapt.when_imported("transformers.models.auto.modeling_auto")
def _bring_model(auto: Any) -> None:
    import_module(_MODEL)


@wrapt.when_imported("transformers.pipelines")
def _bring_pipeline(pipelines: Any) -> None:
    import_module(_PIPELINE)


@wrapt.when_imported(_CONFIGURATION)
def _register_configuration(ours: Any) -> None:
    configuration = ours.AttentionPoolingConfig
    auto = import_module("transformers.models.auto.configuration_auto")
    auto.AutoConfig.register(configuration.model_type, configuration, exist_ok=True)


@wrapt.when_imported(_MODEL)
def _register_model(ours: Any) -> None:
    model = ours.AttentionPoolingForSequenceClassification
    auto = import_module("transformers.models.auto.modeling_auto")
    auto.AutoModelForSequenceClassification.register(model.config_class, model, exist_ok=True)


@wrapt.when_imported(_PIPELINE)
def _register_pipeline(ours: Any) -> None:
    # In its place, and not by `register_pipeline`, which would warn; ours serves every other model as before.
    registry = import_module("transformers.pipelines").PIPELINE_REGISTRY
    registry.supported_tasks["text-classification"]["impl"] = ours.AttentionPoolingPipeline
