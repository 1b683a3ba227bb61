"""Records on disk: what is written is read back, and whatever else lies there gets one line."""

import json
import re
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import xxhash

from eraserhead.erasure.summary import Summary
from eraserhead.errors import UserError
from eraserhead.records import from_json, read_record, to_json, write_record
from summaries import full_summary


@dataclass(frozen=True)
class Inner:
    names: tuple[str, ...]
    share: float | None = None


@dataclass(frozen=True)
class Outer:
    FORMAT: ClassVar[int] = 2

    inner: dict[str, Inner]
    count: int


RECORD = Outer({"a": Inner(("x", "y"), 0.1 + 0.2), "b": Inner(())}, 3)
CONTENT = {"format": 2, "inner": {"a": {"names": ["x", "y"], "share": 0.1 + 0.2}}, "count": 3}


def digest_of(content) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())


def read(tmp_path, content) -> Outer:
    (tmp_path / "outer.json").write_text(json.dumps({**content, "digest": digest_of(content)}))
    return read_record(Outer, tmp_path / "outer.json", "write it again")


def test_a_record_is_read_back_to_the_last_bit(tmp_path):
    write_record(tmp_path / "outer.json", RECORD)
    assert read_record(Outer, tmp_path / "outer.json", "") == RECORD
    assert json.loads((tmp_path / "outer.json").read_text())["format"] == 2


def test_a_summary_is_read_back(tmp_path):
    summary = full_summary()
    assert from_json(Summary, json.loads(json.dumps(to_json(summary))), tmp_path, "") == summary


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 3}, "was written in format 3, newer than the 2 that this version reads: upgrade eraserhead"),
        ({"format": 1}, "was written in format 1, older than the 2 that this version reads; write it again"),
        ({"format": None}, "has no format number; an older eraserhead wrote it, or it is damaged; write it again"),
        ({"count": "3"}, "damaged (count: Input should be a valid integer); write it again"),
        ({"inner": {"a": {}}}, "damaged (inner.a.names: Field required); write it again"),
        ({"inner": {"a": {"names": [1]}}}, "damaged (inner.a.names.0: Input should be a valid string)"),
        ({"inner": {"a": {"names": [], "more": 1}}}, "damaged (unknown keys: inner.a.more); write it again"),
        ({"count": float("inf")}, "damaged (count: no finite number); write it again"),
        ({"inner": {"a": {"names": [float("nan")]}}}, "damaged (inner.a.names.0: no finite number); write it again"),
        ({"another": 1}, "damaged (unknown keys: another); write it again"),
    ],
    ids=str,
)
def test_other_formats_and_damage_are_said_in_one_line(tmp_path, changes, said):
    assert read(tmp_path, CONTENT) == replace(RECORD, inner={"a": RECORD.inner["a"]})
    with pytest.raises(UserError, match=re.escape(f"outer.json: {said}")) as error:
        read(tmp_path, CONTENT | changes)
    assert "\n" not in str(error.value)


def test_no_flipped_bit_is_read(tmp_path):
    """Every bit of the file, one after the other: it is refused, or it stands in white space and changes nothing."""
    path = tmp_path / "outer.json"
    write_record(path, RECORD)
    content, refused = path.read_bytes(), 0
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            found = read_record(Outer, path, "")
        except UserError:
            refused += 1
        else:
            assert found == RECORD
    assert refused > 0.8 * 8 * len(content)


def test_a_record_without_a_digest_is_not_called_damaged(tmp_path):
    (tmp_path / "outer.json").write_text(json.dumps(CONTENT))
    with pytest.raises(
        UserError, match="has no digest of its content; an older eraserhead wrote it, or it was changed"
    ):
        read_record(Outer, tmp_path / "outer.json", "write it again")
