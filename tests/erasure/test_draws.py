"""How many random orders there are where each costs a run of the model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from numpy.testing import assert_allclose
from transformers import BertForSequenceClassification

import eraserhead
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.draws import FEW, MANY, WIDEST
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.method.names import BEST_FOUND
from eraserhead.method.statistics import widening
from tiny import random_texts, saved_classifier, tiny_bert_config, tiny_tokenizer

TEXTS = random_texts(24, seed=5, longest=13)


def inside_model(folder):
    """A random two-layer BERT."""
    torch.manual_seed(0)
    config = tiny_bert_config(("a", "b", "c"), num_hidden_layers=2)
    BertForSequenceClassification(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def test_draws_widen_an_interval_by_what_they_vary_more_than_documents():
    """Draws (0, 2) and (4, 6): each varies by 2, the means 1 and 5 by 8, 2 / 2 of it by the draws, so documents by 7.

    Then draws that agree, draws that alone differ, and one document.
    """
    values = np.array([[[0.0, 1.0, 0.0], [2.0, 1.0, 2.0]], [[4.0, 3.0, 2.0], [6.0, 3.0, 0.0]]])
    for draws in (1, 2, 5):
        found = [widening(values[..., quantity], draws) for quantity in range(3)]
        assert_allclose(found, [np.sqrt(1 + 2 / (7 * draws)) - 1, 0.0, np.inf])
    assert np.isnan(widening(values[:1, :, 0], 3))
    assert np.isnan(widening(values[:, :1, 0], 3))


def rows(flips, left_out=()):
    """Rows of a table of flips; of the best sets no order, which is one of several with as much weight in as many."""
    found = flips.drop_columns(list(left_out)).to_pylist()
    return [row | {"order": None} if row["ranking"] == BEST_FOUND else row for row in found]


def without_curves(found):
    return {name: replace(ranking, curves=None) for name, ranking in found.summary.rankings.items()}


def test_more_are_drawn_where_few_would_widen_the_intervals(tmp_path, monkeypatch):
    """The tables are those of as many draws from the start, in one shard or several, also after an interruption."""
    model = inside_model(tmp_path / "model")
    found, few = (eraserhead.erase(model, TEXTS, draws=draws, cpu=True) for draws in (None, FEW))
    orders = found.summary.random_orders
    assert few.summary.random_orders.widening >= WIDEST
    assert (few.summary.random_orders.count, found.summary.setup.draws) == (FEW, None)
    assert FEW < orders.count <= MANY
    asked = eraserhead.erase(model, TEXTS, draws=orders.count, cpu=True)
    assert all(found.tables[name].equals(asked.tables[name]) for name in SCHEMAS if name not in ("flips", "curves"))
    assert rows(found.tables["flips"]) == rows(asked.tables["flips"])
    pd.testing.assert_frame_equal(found.curves, asked.curves, rtol=1e-5, atol=1e-6)
    assert not found.curves.equals(few.curves)
    assert (without_curves(found), orders) == (without_curves(asked), asked.summary.random_orders)
    best = found.flips[found.flips.ranking == BEST_FOUND].removed.fillna(np.inf)
    assert (best.to_numpy() <= few.flips[few.flips.ranking == BEST_FOUND].removed.fillna(np.inf).to_numpy()).all()

    Dataset.from_dict({"text": TEXTS}).to_parquet(tmp_path / "texts.parquet")
    data = DataConfig(path=str(tmp_path / "texts.parquet"))
    config = EraseConfig(model=model, output_dir=str(tmp_path / "results"), data=data, shard_size=7, cpu=True)
    write, written_twice = ResultsFolder.write_shard, []

    def interrupted(results, number, tables):
        if len(tables["flips"]) > len(few.tables["flips"]) // len(TEXTS) * len(tables["documents"]):
            written_twice.append(number)
            if number == 2:
                raise KeyboardInterrupt
        write(results, number, tables)

    with monkeypatch.context() as patch:
        patch.setattr(ResultsFolder, "write_shard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            erase_to_folder(config)
    assert written_twice == [0, 1, 2]
    again = eraserhead.read(erase_to_folder(config).path)
    assert again.summary.run.earlier_shards == 4
    assert again.summary.random_orders == orders
    assert rows(again.tables["flips"], ["id", "mass"]) == rows(found.tables["flips"], ["id", "mass"])


def test_a_site_with_closed_forms_has_as_many_as_asked_or_ten(tmp_path):
    model = saved_classifier(tmp_path)
    counts = {
        draws: eraserhead.erase(model, TEXTS[:3], draws=draws, cpu=True).summary.random_orders.count
        for draws in (None, 2, 13)
    }
    assert counts == {None: MANY, 2: 2, 13: 13}
