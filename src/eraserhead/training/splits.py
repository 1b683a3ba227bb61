"""The documents of a run by role."""

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents, load_documents
from eraserhead.errors import MissingSplitError
from eraserhead.training.config import TrainConfig


def load_splits(config: TrainConfig) -> dict[str, Documents]:
    """Load training, validation and, if there are any, test documents."""
    several = config.model.multi_label
    training = load_documents(config.data, "train", multi_label=several)
    validation = load_documents(config.data, "validation", training.labels, several)
    documents = {"train": training, "validation": validation}
    test = _test_documents(config.data, training, several)
    return documents if test is None else {**documents, "test": test}


def _test_documents(data: DataConfig, training: Documents, multi_label: bool) -> Documents | None:
    """Return the test documents, if there are any that training did not see."""
    try:
        test = load_documents(data, "test", training.labels, multi_label)
    except MissingSplitError:
        if data.test_split != DataConfig().test_split:
            raise
        return None
    return test if test.provenance.split != training.provenance.split else None
