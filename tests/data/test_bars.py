"""Bars of `datasets` are left out, and stay as whoever uses this package has them."""

import datasets
import pytest

from eraserhead.data.bars import without_bars
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.tokens import tokenize
from tiny import labelled_file, tiny_tokenizer


@pytest.fixture(autouse=True)
def bars():
    """On, as they are before anybody turns them off."""
    datasets.enable_progress_bars()
    yield
    datasets.enable_progress_bars()


def test_nothing_is_printed_while_documents_are_read_and_tokenised(tmp_path, capfd):
    path = labelled_file(tmp_path / "train.jsonl", 20)
    documents = load_documents(DataConfig(path=str(path)), "train")
    tokenize(documents.rows, tiny_tokenizer(), 16)
    assert capfd.readouterr().err == ""
    assert not datasets.are_progress_bars_disabled()
    documents.rows.map(lambda row: {"more": row["text"]})  # positive control
    assert "Map" in capfd.readouterr().err


def test_bars_stay_off_for_whoever_has_turned_them_off():
    datasets.disable_progress_bars()
    with without_bars():
        pass
    assert datasets.are_progress_bars_disabled()
