"""The documents of a run by role."""

import logging

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents, load_documents
from eraserhead.errors import MissingSplitError, Setting, UserError
from eraserhead.training.config import TrainConfig

logger = logging.getLogger("eraserhead")


def load_splits(config: TrainConfig, tested: bool = True) -> dict[str, Documents]:
    """Load training, validation and, if there are any and they are wanted, test documents."""
    several = config.model.multi_label
    training = load_documents(config.data, "train", multi_label=several)
    validation = load_documents(config.data, "validation", training.labels, several)
    documents = {"train": training, "validation": validation}
    if not tested:
        return documents
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
    if test.provenance.split != training.provenance.split:
        return test
    logger.warning(
        "no test split: `erase` would look at documents that the model was trained on; for others give a folder with a "
        "file for each split, such as train.csv and test.csv%s",
        "" if data.test_size is None else UserError("; ", Setting("data.test_size"), " has no effect here"),
    )
    return None
