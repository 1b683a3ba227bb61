"""Entries of caches: whole and undamaged, or made again."""

import pytest

from eraserhead.caches import is_cached, new_entry, tidy


def make(entry, mark, content="rows"):
    with new_entry(entry, mark) as unfinished:
        unfinished.mkdir()
        (unfinished / "rows").write_text(content)


def test_an_entry_is_there_when_it_is_complete_and_the_first_stays(tmp_path):
    entry = tmp_path / "cache" / "entry"
    assert not is_cached(entry)
    make(entry, "-1")
    assert is_cached(entry)
    make(entry, "-2", "others")
    assert (entry / "rows").read_text() == "rows"
    assert [path.name for path in entry.parent.iterdir()] == ["entry"]


@pytest.mark.parametrize("damage", ["changed", "missing", "no seal"])
def test_a_damaged_entry_is_removed_and_the_log_names_the_file(tmp_path, caplog, damage):
    entry = tmp_path / "entry"
    make(entry, "-1")
    file = entry / ("digests.json" if damage == "no seal" else "rows")
    if damage == "changed":
        file.write_text("rowt")
    else:
        file.unlink()
    with caplog.at_level("INFO", "eraserhead"):
        assert not is_cached(entry)
    assert f"{file}: damaged (" in caplog.text
    assert "it is made again" in caplog.text
    assert not entry.exists()
    make(entry, "-1")
    assert is_cached(entry)


def test_what_a_living_process_writes_stays_and_what_a_dead_one_left_goes(tmp_path):
    (tmp_path / "a.unfinished-1-0").mkdir()
    (tmp_path / ".c.unfinished-3-0.lock").write_text("killed before it made the folder")
    with new_entry(tmp_path / "b", "-2-0") as unfinished:
        unfinished.mkdir()
        tidy(tmp_path)
        tidy(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {unfinished.name, f".{unfinished.name}.lock"}
    assert is_cached(tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
