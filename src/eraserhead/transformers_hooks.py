"""Registers our model and pipeline with transformers, and refuses our call keywords where they have no effect.

Each hook runs once a module of transformers has been imported. No hook imports our modules: it adds names to
transformers' tables, and a name is imported when it is looked up.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt

from eraserhead.patch.keywords import refusing_outside

MODEL_TYPE = "attention_pooling"
CONFIG, MODEL = "AttentionPoolingConfig", "AttentionPoolingForSequenceClassification"
PIPELINE = "eraserhead.models.pipeline_attention_pooling"


def hook_into_transformers(package: ModuleType) -> None:
    """Let transformers find our model in `package`, whichever of the two is imported first."""
    # Where transformers looks for the classes of a model type.
    sys.modules[f"transformers.models.{MODEL_TYPE}"] = package
    wrapt.register_post_import_hook(_name_config, "transformers.models.auto.configuration_auto")
    wrapt.register_post_import_hook(_name_model, "transformers.models.auto.modeling_auto")
    wrapt.register_post_import_hook(_choose_pipeline, "transformers.pipelines")
    wrapt.register_post_import_hook(_refuse_keywords, "transformers.modeling_utils")


def _name_config(auto: Any) -> None:
    auto.CONFIG_MAPPING_NAMES[MODEL_TYPE] = CONFIG


def _name_model(auto: Any) -> None:
    auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES[MODEL_TYPE] = MODEL
    # transformers built this table when its module was imported, which may have been before ours was registered.
    auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING._reverse_config_mapping[CONFIG] = MODEL_TYPE


def _choose_pipeline(pipelines: Any) -> None:
    own = pipelines.TextClassificationPipeline

    class ChosenTextClassification(own):
        """Makes our pipeline for our models, and transformers' own for all others."""

        def __new__(cls, *args: Any, model: Any, **options: Any) -> Any:
            ours = getattr(model.config, "model_type", None) == MODEL_TYPE
            kind = import_module(PIPELINE).AttentionPoolingPipeline if ours else own
            return kind(*args, model=model, **options)

    pipelines.PIPELINE_REGISTRY.supported_tasks["text-classification"]["impl"] = ChosenTextClassification


def _refuse_keywords(modeling: Any) -> None:
    modeling.PreTrainedModel.__call__ = refusing_outside(modeling.PreTrainedModel.__call__)
