"""Which labels documents have that a trained model is erased on: its run's own classes, or those of other data."""

from dataclasses import replace

import pytest

from eraserhead.data.config import DataConfig
from eraserhead.data.labels import LabelTable
from eraserhead.data.provenance import LabelsRead
from eraserhead.errors import UserError
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.loading.opened import documents_for
from tiny import saved_classifier

ROWS = "text,label,mood\na fine cast,{0},{1}\nit was bad,{1},{0}\nso it goes,{0},{1}\n"


@pytest.fixture
def trained(tmp_path):
    """A model of a run on `yelp`, of which the folder has a copy, and another task's documents."""
    checkpoint = load_checkpoint(saved_classifier(tmp_path, ("1 star", "2 stars")))
    (tmp_path / "own.csv").write_text(ROWS.format("1 star", "2 stars"))
    (tmp_path / "other.csv").write_text(ROWS.format("neg", "pos"))
    data = DataConfig(name="yelp", path=str(tmp_path / "own.csv"))
    table = LabelTable(("1 star", "2 stars"), {"1 star": 0, "2 stars": 1})
    return replace(checkpoint, data=data, labels=table)


def test_the_runs_own_set_has_its_classes(trained):
    found = documents_for(trained, trained.data)
    assert found.rows["label"] == [0, 1, 0]
    assert found.labels_read == LabelsRead("training")
    with pytest.raises(UserError, match="the model's classes already"):
        documents_for(trained, trained.data, ["1 star=2 stars"])


@pytest.mark.parametrize("changes", [{"path": "other.csv"}, {"path": "other.csv", "label_column": "mood"}], ids=str)
def test_other_data_under_the_same_name_is_matched_and_says_how_to_mend_it(trained, changes, tmp_path, caplog):
    other = replace(trained.data, **{**changes, "path": str(tmp_path / changes["path"])})
    with caplog.at_level("INFO", "eraserhead"):
        found = documents_for(trained, other)
    assert found.labels_read.by == "unmatched"
    assert "label_map" in caplog.text
    mapped = documents_for(trained, other, ["neg=1 star", "pos=2 stars"])
    assert mapped.rows["label"] == ([1, 0, 1] if "label_column" in changes else [0, 1, 0])
