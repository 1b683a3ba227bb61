"""A few of the kills and flipped bits that `make thorough` repeats at length."""

import pytest

from robustness.test_bits import Stages, flip_bits
from robustness.test_kills import kill, kill_one_of_two
from robustness.work import erasing

pytestmark = pytest.mark.slow


def test_a_sample_of_what_can_happen_to_a_command(forks, tmp_path):
    """One test, since starting its interpreter costs more than the commands."""
    places = [tmp_path / name for name in ("erased", "damaged")]
    for place in places:
        place.mkdir()
    work = erasing(places[0])
    kill(forks, work, places[0], 2)
    kill_one_of_two(forks, work, places[0], 1)
    flip_bits(forks, places[1], Stages.unfinished_run, 2)
