"""Replays from the read-out position, in families of the attention interface: what they do not run again."""

import pytest
from torch.testing import assert_close

from families import VARIANTS, batch_of, documents, in_float64, tiny
from inside_sites import keep_without, passes_of, positions_run, reading_of, site_of
from readings import evaluated

# Positions that pass through each layer's feed-forward part in a replay of 2 documents of up to 7 tokens, 3 erasures
# each: all 42 positions of 6 rows, the 6 that are read, or none.
RUN = {"layer:-1": [0, 0, 6], "layer:-1:all": [0, 0, 6], "layer:1": [0, 6, 6], "layer:0": [6, 42, 6]}


@pytest.mark.parametrize("place", RUN)
def test_no_layer_runs_that_an_erasure_does_not_reach(place):
    assert positions_run("bert", place) == RUN[place]


def test_the_last_layer_runs_on_single_tokens_whatever_the_length():
    """And a lower one first on single tokens, then those above it on whole rows, the last for its keys and values."""
    model, texts = tiny("bert"), documents((7, 5))
    for place, widths in (("layer:-1", [1]), ("layer:-1:all", [1]), ("layer:1", [1, 7, 1])):
        reading = site_of("bert", place).read(batch_of(model, texts), ())
        with passes_of(model) as passes:
            evaluated(reading, keep_without(reading, [[{0}, {1}, {2}]] * 2))
        assert passes == [(6, width) for width in widths]


@pytest.mark.parametrize("name", ["llama", "qwen2, in windows"])
def test_heads_that_share_keys_and_windows_are_masked_as_one_document_each(name):
    """Erasures of one document share its scores and values, in whatever order documents are named."""
    assert VARIANTS[name]
    reading, rows = reading_of(name, "layer:-1", (1,)), [2, 0, 2, 1, 0]
    sets = [[{0}, {1, 2}], [{3}, {2}], [{1}, {3, 4}], [{0, 1}, {2}], [{5}, {6, 7}]]
    keep = keep_without(reading, sets, rows)
    with in_float64():
        together = evaluated(reading, keep, rows)
        for at, row in enumerate(rows):
            assert_close(together[at : at + 1], evaluated(reading, keep[at : at + 1], [row]), rtol=0, atol=1e-12)
