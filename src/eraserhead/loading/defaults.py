"""Options that follow from the folder of a run; light imports only, as in `config`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from eraserhead.data.config import DataConfig
from eraserhead.loading.config import LIMITS
from eraserhead.loading.run_options import read_options


def stored_data(model: str) -> DataConfig | None:
    """Return the data that a run's folder was trained on; null where the folder does not say.

    Raises:
        UserError: The folder's file of this name is something else.
    """
    return read_options(DataConfig, Path(model), section="data")


class ReadsDocuments(Protocol):
    """The part of a command's configuration that names a model and the documents that it reads."""

    @property
    def model(self) -> str:
        """Folder or hub id of the model."""
        ...

    @property
    def data(self) -> DataConfig:
        """The documents."""
        ...


def erase_defaults(config: ReadsDocuments) -> dict[str, Any]:
    """Return the options that follow from the model: the run's own data, unless other data is named.

    Other data keeps the run's limits, which belong to the model.
    """
    stored = stored_data(config.model)
    if stored is None:
        return {}
    other_path = config.data.path is not None and stored.name is None and config.data.path != stored.path
    if config.data.name not in (None, stored.name) or other_path:
        stored = DataConfig(**{name: getattr(stored, name) for name in LIMITS})
    return {f"data.{name}": value for name, value in asdict(stored).items()}
