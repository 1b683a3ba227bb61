"""Atomic writes: the final name has the former content or the new one, never a part."""

import pytest

from eraserhead.errors import UserError
from eraserhead.files import moving_into, previous, refuse_foreign, remove_at_once, replacing


def tree(folder) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_file_is_replaced_when_all_of_it_is_written(tmp_path):
    final = tmp_path / "new" / "file"
    for content in ("first", "second"):
        with replacing(final) as unfinished:
            unfinished.write_text(content)
        assert tree(tmp_path) == {"new/file": content}


def half_written(final, interruption, folder):
    with replacing(final) as unfinished:
        if folder:
            unfinished.mkdir()
        (unfinished / "inside" if folder else unfinished).write_text("half")
        raise interruption


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_an_interruption_leaves_what_was_there_and_nothing_beside_it(tmp_path, interruption):
    for name in ("file", "folder/inside"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
    for name in ("file", "folder"):
        with pytest.raises(interruption):
            half_written(tmp_path / name, interruption, name == "folder")
    assert tree(tmp_path) == {"file": "old", "folder/inside": "old"}


def test_a_folder_takes_the_place_of_another(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    with replacing(tmp_path / "folder") as unfinished:
        unfinished.mkdir()
        (unfinished / "new").write_text("new")
        assert tree(tmp_path / "folder") == {"old": "old"}
    assert tree(tmp_path) == {"folder/new": "new"}
    assert not previous(tmp_path / "folder").exists()


def test_what_came_there_meanwhile_stays_where_it_may(tmp_path):
    with replacing(tmp_path / "folder", mark="-7", keep=True) as unfinished:
        assert unfinished.name == "folder.unfinished-7"
        for folder in (unfinished, tmp_path / "folder"):
            folder.mkdir()
            (folder / "by").write_text(folder.name)
    assert tree(tmp_path) == {"folder/by": "folder"}


def test_left_overs_of_a_killed_process_are_not_taken_over(tmp_path):
    (tmp_path / "folder.unfinished").mkdir()
    (tmp_path / "folder.unfinished" / "half").write_text("half")
    with replacing(tmp_path / "folder") as unfinished:
        assert not unfinished.exists()
        unfinished.mkdir()
    assert tree(tmp_path) == {}


def test_files_move_into_a_folder_that_keeps_its_own_and_the_named_one_comes_last(tmp_path, monkeypatch):
    (tmp_path / "own").write_text("own")
    moved = []
    with moving_into(tmp_path, last="a") as unfinished:
        for name in ("a", "b", "c"):
            (unfinished / name).write_text(name)
        replace = __import__("os").replace
        monkeypatch.setattr("os.replace", lambda *paths: (moved.append(paths[1].name), replace(*paths)))
    assert moved == ["b", "c", "a"]
    assert tree(tmp_path) == {"a": "a", "b": "b", "c": "c", "own": "own"}


def test_a_folder_is_removed_at_once(tmp_path):
    remove_at_once(tmp_path / "none")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    remove_at_once(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["run.yaml.unfinished", "files.unfinished", "KEY.unfinished-77-0", "latest.previous", ".lock"]
)
def test_marks_of_our_own_are_not_foreign_and_other_files_are(tmp_path, name):
    (tmp_path / name).write_text("left by a process that was killed")
    refuse_foreign(tmp_path, "results")
    for foreign in ("unfinished", "notes.unfinished.txt", "previous"):
        (tmp_path / foreign).write_text("mine")
        with pytest.raises(UserError, match="holds files that are not results; choose another output_dir"):
            refuse_foreign(tmp_path, "results")
        (tmp_path / foreign).unlink()
