"""Progress where there is no terminal, with the clock in the test's hand."""

import logging
from types import SimpleNamespace

import pytest

from eraserhead.loading import progress
from eraserhead.loading.progress import Progress, duration, written_bytes


def test_a_line_every_half_minute_says_what_is_left(monkeypatch, caplog):
    """A document a second, 100 of them: after 30 s and 61 s; of four processes the first speaks of its own share."""
    caplog.set_level(logging.INFO, "eraserhead")
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for processes, who in ((1, "erasing"), (4, "erasing, process 1 of 4")):
        caplog.clear()
        now[0] = 0.0
        main = SimpleNamespace(is_main_process=True, num_processes=processes)
        with Progress("erasing", 100, main) as shown:
            for now[0] in (29.0, 30.0, 59.9, 61.0):
                shown.advance(int(now[0]) - shown.done)
            shown.tell("; and more")
        assert caplog.messages == [
            f"{who}: 30 of 100 documents in 30 s, about 1 min 10 s left",
            f"{who}: 61 of 100 documents in 1 min 1 s, about 39 s left",
            f"{who}: 61 of 100 documents in 1 min 1 s, about 39 s left; and more",
        ]


def test_other_processes_and_unknown_numbers(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "eraserhead")
    for main in (False, True):
        with Progress("erasing", None, SimpleNamespace(is_main_process=main, num_processes=1)) as shown:
            shown.advance(7)
            shown.tell()
            assert shown.left is None
    assert caplog.messages == ["erasing: 7 documents in 0 s"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (12_000, "3 h 20 min"), (190_800, "2 d 5 h")],
)
def test_time_spans_have_two_units(seconds, text):
    assert duration(seconds) == text


def test_bytes():
    assert [written_bytes(count) for count in (999, 3.25e6, 4e9, 1e12)] == ["1.0 kB", "3.2 MB", "4.0 GB", "1.0 TB"]
