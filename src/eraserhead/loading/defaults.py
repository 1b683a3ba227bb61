"""Defaults taken from the folder of a run; light imports only, as in `config`."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from eraserhead.data.config import DataConfig
from eraserhead.loading.config import LIMITS, OF_WINDOWS
from eraserhead.loading.run_options import read_options
from eraserhead.models.architecture import WINDOWS


def stored_data(model: str) -> DataConfig | None:
    """Return the data that the model in a folder was trained on; null if the folder does not say.

    Raises:
        UserError: The file ``run.yaml`` is not the configuration of a run.
    """
    return read_options(DataConfig, Path(model), section="data")


class ReadsDocuments(Protocol):
    """A command's configuration that names a model and the documents that it reads."""

    @property
    def model(self) -> str:
        """Folder or hub id of the model."""
        ...

    @property
    def data(self) -> DataConfig:
        """The documents."""
        ...


def erase_defaults(config: ReadsDocuments) -> dict[str, Any]:
    """Return defaults from the model's folder: the run's own data, unless other data is named.

    Other data gets the run's limits, since those belong to the model.
    """
    stored = stored_data(config.model)
    if stored is None:
        return {}
    other_path = config.data.path is not None and stored.name is None and config.data.path != stored.path
    if config.data.name not in (None, stored.name) or other_path:
        stored = DataConfig(**{name: getattr(stored, name) for name in LIMITS})
    if config.data.long_documents not in (None, WINDOWS):
        stored = replace(stored, **dict.fromkeys(OF_WINDOWS))
    return {f"data.{name}": value for name, value in asdict(stored).items()}
