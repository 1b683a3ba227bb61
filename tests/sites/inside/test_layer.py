"""Replays of one layer and those above it: what they do not run again."""

import pytest

from inside_sites import positions_run

# As in test_read_out: of the layer itself every position runs.
RUN = {
    "bert": {"layer:1:all": [0, 42, 6]},
    "mpnet": {"layer:-1": [0, 0, 42], "layer:1": [0, 42, 42], "layer:0": [42, 42, 42], "layer:1:all": [0, 42, 42]},
}


@pytest.mark.parametrize(("name", "place"), [(name, place) for name in RUN for place in RUN[name]])
def test_no_layer_runs_that_an_erasure_does_not_reach(name, place):
    assert positions_run(name, place) == RUN[name][place]
