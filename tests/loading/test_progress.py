"""Progress where there is no terminal, with the clock in the test's hand."""

import logging
import time
from types import SimpleNamespace

import pytest

from eraserhead.loading import devices, progress, waiting
from eraserhead.loading.progress import Progress, duration, no_bar, written_bytes


def test_lines_at_growing_intervals_say_what_is_left(monkeypatch, caplog):
    """A document a second, 100 of them: after 2 s, then 4, 8, 16 and 30 s later; of four processes the first speaks."""
    caplog.set_level(logging.INFO, "eraserhead")
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for processes, who in ((1, "erasing"), (4, "erasing, process 1 of 4")):
        caplog.clear()
        now[0] = 0.0
        main = SimpleNamespace(is_main_process=True, num_processes=processes)
        with Progress("erasing", 100, main) as shown:
            for now[0] in (1.9, 2.0, 5.9, 6.0, 13.9, 14.0, 29.0, 30.0, 59.9, 61.0, 90.0, 91.0):
                shown.advance(int(now[0]) - shown.done)
            shown.tell("; and more")
        assert caplog.messages == [
            f"{who}: 2 of 100 documents in 2 s, about 1 min 38 s left",
            f"{who}: 6 of 100 documents in 6 s, about 1 min 34 s left",
            f"{who}: 14 of 100 documents in 14 s, about 1 min 26 s left",
            f"{who}: 30 of 100 documents in 30 s, about 1 min 10 s left",
            f"{who}: 61 of 100 documents in 1 min 1 s, about 39 s left",
            f"{who}: 91 of 100 documents in 1 min 31 s, about 9 s left",
            f"{who}: 91 of 100 documents in 1 min 31 s, about 9 s left; and more",
        ]


def test_items_of_any_kind_are_counted_as_they_are_taken(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "eraserhead")
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    main = SimpleNamespace(is_main_process=True, num_processes=1)
    taken = []
    for item in devices.progress([5, 7, 11], main, "encoding", "batch"):
        taken.append(item)
        now[0] += 2.0
    assert taken == [5, 7, 11]
    assert caplog.messages == [
        "encoding: 1 of 3 batches in 2 s, about 4 s left",
        "encoding: 3 of 3 batches in 6 s, about 0 s left",
    ]


def test_nothing_is_shown_where_only_results_are_asked_for(caplog):
    caplog.set_level(logging.INFO, "eraserhead")
    assert (no_bar(True), no_bar(False)) == (None, True)
    caplog.set_level(logging.WARNING, "eraserhead")
    assert (no_bar(True), no_bar(False)) == (True, True)


def test_what_takes_long_is_said_once_and_again(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "eraserhead")
    monkeypatch.setattr(waiting, "FIRST", 0.05)
    with waiting.waiting("reading"):
        pass
    assert caplog.messages == []
    with waiting.waiting("reading"):
        time.sleep(0.12)
    assert caplog.messages == ["reading ..."]
    with waiting.waiting("reading"):
        time.sleep(0.3)
    assert caplog.messages[1:3] == ["reading ...", "reading ... (0 s so far)"]
    monkeypatch.setenv("RANK", "1")
    caplog.clear()
    with waiting.waiting("reading"):
        time.sleep(0.12)
    assert caplog.messages == []


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
