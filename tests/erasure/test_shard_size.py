"""How many documents make a shard, worked out by hand for tiny models."""

from types import SimpleNamespace

import pytest
from torch import nn

from eraserhead.erasure import shard_size
from eraserhead.erasure.shard_size import automatic_size, parameters


def opened(site: str, search: str = "none", layers: int = 6):
    """A model of 1,000,000 weights beside its embeddings, at a site."""
    model = nn.Sequential(nn.Embedding(50, 7), nn.Linear(1000, 1000, bias=False))
    model.config = SimpleNamespace(num_hidden_layers=layers)
    return SimpleNamespace(checkpoint=SimpleNamespace(model=model), setup=SimpleNamespace(site=site, search=search))


def test_embeddings_are_looked_up_and_not_multiplied():
    assert parameters(opened("pooling").checkpoint.model) == 1_000_000


@pytest.mark.parametrize(
    ("site", "search", "passes"),
    [
        ("pooling", "none", 1),
        ("layer:5", "none", 1 + 13 / 6),  # 13 erasures a component, of one position in one of six layers each
        ("layer:5:all", "none", 1 + 1300 / 6),
        ("layer:2", "none", 1 + 1300 * 4 / 6),
        ("all", "none", 1 + 1300),
        ("encoder:5", "none", 1 + 1300),
        ("cross:5", "none", 1 + 13 / 6),
        ("words", "none", 1 + 13),
        ("words", "greedy", 1 + 13 * 25),
    ],
)
def test_a_shard_is_the_same_work_at_every_site(monkeypatch, site, search, passes):
    """Documents of 100 tokens take 2e8 operations to read; the power of two below the work of 1,000 readings."""
    monkeypatch.setattr(shard_size, "WORK", 1000 * 2e8)
    expected = 2 ** int.bit_length(max(1, int(1000 / passes))) // 2
    assert automatic_size(opened(site, search), [50, 150], 10**6, orders=13 - 1) == expected


@pytest.mark.parametrize(("documents", "size"), [(1, 512), (9_000, 512), (20_000, 1024), (70_000, 4096), (10**7, 4096)])
def test_there_are_shards_for_several_devices_where_there_are_documents(documents, size):
    """With little work a document, the number of documents decides: a sixteenth of them, from 512 to 4,096."""
    assert automatic_size(opened("pooling"), [3], documents, 10) == size
