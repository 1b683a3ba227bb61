"""Files as people have them: each gives the right rows, or one line whose setting leads to them."""

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from eraserhead.data import files as file_readers
from eraserhead.data.config import DataConfig
from eraserhead.data.delimited import delimited_tables
from eraserhead.data.dialects import Dialect
from eraserhead.data.documents import load_documents
from eraserhead.data.quick_csv import NotPlainError, _quotes_fit, quick_tables
from eraserhead.errors import UserError
from hub_server import Hub

pytestmark = pytest.mark.usefixtures("datasets_cache")

ROOT = Path(__file__).parents[2]
TWO = [("good", "x"), ("bad", "y")]  # what most files here say


def written(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read(path: Path, role="test", **settings) -> list[tuple[str, str | None]]:
    """Return the texts, and the names of their classes."""
    documents = load_documents(DataConfig(path=str(path), **settings), role)
    names = documents.labels.names if documents.labels else ()
    return [(row["text"], None if row["label"] is None else names[row["label"]]) for row in documents.rows]


def refusal(path: Path, role="test", **settings) -> str:
    with pytest.raises(UserError) as caught:
        read(path, role, **settings)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"data.path='{path}': cannot be read (")


# --- what is read without a word ---------------------------------------------------------------------------------

PLAIN = "text,label\ngood,x\nbad,y\n"
READ = {
    "carriage returns.csv": PLAIN.replace("\n", "\r\n"),
    "old line ends.csv": PLAIN.replace("\n", "\r"),
    "no last line end.csv": PLAIN.rstrip(),
    "quoted header and mark.csv": b"\xef\xbb\xbf" + b'"text","label"\n"good","x"\n"bad","y"\n',
    "spaces around names.csv": " text , label\ngood,x\nbad,y\n",
    "blank lines.csv": "\n\ntext,label\n\ngood,x\n\nbad,y\n\n\n",
    "comments.csv": "# of today\n# by me\ntext,label\ngood,x\nbad,y\n",
    "separator at the end.csv": "text,label,\ngood,x,\nbad,y,\n",
    "separator behind rows alone.csv": "text,label\ngood,x,\nbad,y,\n",
    "index without a name.csv": ",text,label\n0,good,x\n1,bad,y\n",
    "short rows.csv": "text,label,,,\ngood,x,,,\nbad,y\n",
    "excel.csv": "sep=;\r\ntext;label\r\ngood;x\r\nbad;y\r\n",
    "UPPER.CSV": PLAIN,
    "utf 16.csv": PLAIN.encode("utf-16"),
    "utf 32.csv": PLAIN.encode("utf-32"),
    "spaces in front of quotes.csv": 'text, label, note\ngood, x, "a, b"\nbad, y, ""\n',
    "a.tsv": "text\tlabel\ngood\tx\nbad\ty\n",
    "a.tab": "text\tlabel\ngood\tx\nbad\ty\n",
    "a.psv": "text|label\ngood|x\nbad|y\n",
    "tabs.txt": "text\tlabel\ngood\tx\nbad\ty\n",
    "single quotes.csv": "'text','label'\n'good','x'\n'bad','y'\n",
    "single quotes.tsv": "'text'\t'label'\n'good'\t'x'\n'bad'\t'y'\n",
    "fasttext.txt": "__label__x good\n\n__label__y\tbad\n",
    "fasttext.train": "\ufeff__label__x   good\r\n__label__y bad",
    "quoted.tsv": '"text"\t"label"\n"good"\t"x"\n"bad"\t"y"\n',
    "utf 16.tsv": "text\tlabel\ngood\tx\nbad\ty\n".encode("utf-16"),
    "a.csv.gz": gzip.compress(PLAIN.encode()),
    "a.csv.bz2": bz2.compress(PLAIN.encode()),
    "a.csv.xz": lzma.compress(PLAIN.encode()),
    "no gzip.csv.gz": PLAIN,
    "gzip without saying so.csv": gzip.compress(PLAIN.encode()),
    "a.ndjson": '{"text": "good", "label": "x"}\n{"label": "y", "text": "bad"}\n',
    "mark.jsonl": b"\xef\xbb\xbf" + b'{"text": "good", "label": "x"}\n{"text": "bad", "label": "y"}\n',
    "list.json": '[{"text": "good", "label": "x"},\n {"text": "bad", "label": "y"}]',
    "columns.json": '{"text": ["good", "bad"], "label": ["x", "y"]}',
    "columns of pandas.json": '{"text": {"0": "good", "1": "bad"}, "label": {"0": "x", "1": "y"}}',
    "rows of pandas.json": '{"0": {"text": "good", "label": "x"}, "1": {"text": "bad", "label": "y"}}',
    "rows with lists.json": '{"a": {"text": "good", "label": "x", "tags": [1]}, "b": {"text": "bad", "label": "y"}}',
    "split of pandas.json": '{"columns": ["text", "label"], "index": [0, 1], "data": [["good", "x"], ["bad", "y"]]}',
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read_as_it_is(tmp_path, name):
    assert read(written(tmp_path / name, READ[name])) == TWO


def test_zips_of_one_file(tmp_path):
    for inner, content in {"a.csv": PLAIN, "a.json": READ["list.json"]}.items():
        with zipfile.ZipFile(tmp_path / f"{inner}.zip", "w") as archive:
            archive.writestr(inner, content)
            archive.writestr("__MACOSX/._a", "x")
            archive.writestr("in/.DS_Store", "x")
        assert read(tmp_path / f"{inner}.zip") == TWO
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", PLAIN)
        archive.writestr("b.csv", PLAIN)
    assert refusal(tmp_path / "two.zip").startswith("the zip holds 2 files (a.csv, b.csv); unpack it")
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("a.csv.gz", gzip.compress(PLAIN.encode()))
    assert refusal(tmp_path / "a.csv.zip").startswith("the zip holds a compressed file (a.csv.gz): unpack it")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\x89PNG\r\n\x1a\n", "inside it is an image: unpack it"),
        (b"PAR1....", "inside it is a parquet file: unpack it"),
        (gzip.compress(PLAIN.encode()), "inside it is another compressed file: unpack it"),
        (b"a.csv".ljust(257, b"\0") + b"ustar", "it is a tar archive: unpack it"),
    ],
    ids=["image", "parquet", "gzip", "tar"],
)
def test_other_kinds_inside_a_compressed_file_are_named(tmp_path, content, line):
    assert refusal(written(tmp_path / "a.csv.gz", gzip.compress(content))).startswith(line)


def test_texts_are_kept_to_the_letter(tmp_path):
    rows = [["007", "01"], ["1.50", "02"], ["True", "01"], [" a ", "02"], ["a\0b", "01"], ['"q", \\n\nnew', "02"]]
    stream = io.StringIO()
    csv.writer(stream).writerows([["text", "label"], *rows])
    assert read(written(tmp_path / "a.csv", stream.getvalue())) == [tuple(row) for row in rows]
    for long in ("a" * 300_000, "a\n" * 600_000):
        for header, settings in (("text,label\n", {}), ("", {"column_names": ["text", "label"]})):
            path = written(tmp_path / "long.csv", f'{header}"{long}",x\n')
            assert read(path, **settings) == [(long, "x")]


def test_thousands_of_columns(tmp_path):
    names, values = [f"c{number}" for number in range(3001)], ["1"] * 3001
    content = f"text,{','.join(names)},label\ngood,{','.join(values)},x\nbad,{','.join(values)},y\n"
    assert read(written(tmp_path / "a.csv", content)) == TWO
    line = refusal(tmp_path / "a.csv", label_column="lable")
    assert "has the columns text, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, ... (3003 in all)" in line


def test_texts_one_a_line(tmp_path):
    path = written(tmp_path / "a.txt", "one text, yes\r\n\r\nanother\tone\r\n")
    assert read(path) == [("one text, yes", None), ("another\tone", None)]
    assert "if it has several columns, give data.separator" in refusal(path, label_column="label")


def test_lines_that_look_like_rows_are_pointed_out(tmp_path, caplog):
    caplog.set_level("INFO", "eraserhead")
    assert len(read(written(tmp_path / "b.txt", "so, it is\nbad, that\n"))) == 2
    assert caplog.messages == ["b.txt: each line is read as one text"]
    read(written(tmp_path / "c.txt", "good|x\nbad|y\n"))
    assert "each line is read as one text, and each has as many columns: separated by '|'? give data.sep" in caplog.text
    path = written(tmp_path / "d.txt", "text\ngood, yes\nbad\n")
    assert len(read(path)) == 3
    line = "d.txt: the first line is 'text', and is read as a text; if it is a header line, give data.separator='tab'"
    assert line in caplog.messages
    assert [text for text, _ in read(path, separator="tab")] == ["good, yes", "bad"]


def test_labels_of_fasttext(tmp_path, caplog):
    caplog.set_level("INFO", "eraserhead")
    path = written(tmp_path / "a.txt", "__label__x __label__y good\n__label__y a __label__x\nbad\n__label__x\n")
    found = load_documents(DataConfig(path=str(path)), "test", multi_label=True)
    assert found.rows["text"][:] == ["good", "a __label__x", "bad", ""]
    assert found.rows["labels"][:] == [[0, 1], [1], None, [0]]
    assert "a.txt: read as a file of fastText: each line's labels (__label__...), then its text" in caplog.messages
    assert "data.column_names=('a',): without meaning for a file of fastText" in refusal(path, column_names=["a"])


def test_single_quotation_marks(tmp_path, caplog):
    caplog.set_level("INFO", "eraserhead")
    path = written(tmp_path / "a.csv", "text,label\n'it''s, good',x\n'a\nb',y\n")
    line = (
        "line 2 ('it''s, good',x) has 3 fields, and the header has 2; if fields stand in single quotation marks, give "
    )
    assert refusal(path) == f"{line}data.quoting='single')"
    assert read(path, quoting="single") == [("it's, good", "x"), ("a\nb", "y")]
    path = written(tmp_path / "b.csv", "text,label\n'good',x\n")
    assert read(path) == [("'good'", "x")]
    assert "1 fields of the first rows stand in single quotation marks" in caplog.text
    assert refusal(written(tmp_path / "c.csv", "text,label\n'it's',x\n"), quoting="single").startswith(
        "line 2: text follows a closing quotation mark"
    )
    assert "header has 2; put a field" in refusal(written(tmp_path / "d.csv", "text,label\n'tis, good,x\n"))


COLUMNS_IN_TXT = {  # content, settings, the separator in the log
    "tabs, by their number": ("text\tlabel\ngood\tx\nbad\ty\n", {}, "a tab"),
    "by the usual name": (PLAIN, {}, "','"),
    "by a quoted name": ('"label";"text"\n"x";"good"\n"y";"bad"\n', {}, "';'"),
    "by the texts": ("kind|tweet\nx|good\ny|bad\n", {"text_columns": ["tweet"], "label_column": "kind"}, "'|'"),
    "by the labels": ("text;kind\ngood;x\nbad;y\n", {"label_column": "kind"}, "';'"),
    "by the names of columns": ("x,good\ny,bad\n", {"column_names": ["label", "text"]}, "','"),
    "as a spreadsheet says": ("sep=;\nlabel;text\nx;good\ny;bad\n", {}, "';'"),
}  # fmt: skip


@pytest.mark.parametrize("case", COLUMNS_IN_TXT)
def test_columns_in_a_text_file_are_known_by_their_header(tmp_path, caplog, case):
    content, settings, shown = COLUMNS_IN_TXT[case]
    caplog.set_level("INFO", "eraserhead")
    assert read(written(tmp_path / "a.txt", content), **settings) == TWO
    assert f"a.txt: read as columns separated by {shown}: " in caplog.text


def test_a_row_of_another_length_is_no_reason_to_read_lines(tmp_path, caplog):
    caplog.set_level("INFO", "eraserhead")
    path = written(tmp_path / "a.txt", "text\tlabel\ngood\tx\nbad\ty\tand more\n")
    assert refusal(path).startswith("line 3 (bad y and more) has 3 fields, and the header has 2")
    read(written(tmp_path / "b.txt", "so\nit is\n"))
    assert caplog.messages == ["b.txt: each line is read as one text"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt", "a.parquet"])
def test_a_pointer_of_git_lfs_is_no_data(tmp_path, name):
    content = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    assert refusal(written(tmp_path / name, content)).startswith("it is a pointer of Git LFS, and not the file itself")


# --- one line, and the setting in it -------------------------------------------------------------------------------

LEADS = {  # name: content, the line, and the settings that it gives
    "semicolon.csv": (
        "text;label\ngood;x\nbad;y\n",
        "one column 'text;label': separated by ';'? give data.separator=';')",
        {"separator": ";"},
    ),
    "tab.csv": (
        "text\tlabel\ngood\tx\nbad\ty\n",
        "one column 'text label': separated by a tab? give data.separator='tab')",
        {"separator": "tab"},
    ),
    "comma.tsv": (PLAIN, "one column 'text,label': separated by ','? give data.separator=',')", {"separator": ","}),
    "semicolon and comma.csv": (
        "text;label;note\ngood;x;a, b\nbad;y;\n",
        "one column 'text;label;note': separated by ';'? give data.separator=';')",
        {"separator": ";"},
    ),
    "pipe.dat": (
        "text|label\ngood|x\nbad|y\n",
        "'.dat' is none of .parquet, .csv, .tsv, .tab, .psv, .json, .jsonl, .ndjson, .txt, .text, also with .gz, .bz2, "
        ".xz, .zip behind; if it is text with separated columns, give data.separator)",
        {"separator": "|"},
    ),
    "without a mark.csv": (
        PLAIN.encode("utf-16-le"),
        "looks like UTF-16 without a mark; give data.encoding='utf-16-le')",
        {"encoding": "utf-16-le"},
    ),
    "backslashes.csv": (
        'text,label,note\ngood,x,"say \\"hi\\", you"\nbad,y,""\n',
        'line 2: text follows a closing quotation mark (good,x,"say \\"hi\\", you"); if they are escaped (\\"), give '
        "data.quoting='backslash')",
        {"quoting": "backslash"},
    ),
    "quotes in texts.csv": (
        'text,label,note\ngood,x,"a" b\nbad,y,c\n',
        'line 2: text follows a closing quotation mark (good,x,"a" b); if they belong to the texts, give '
        "data.quoting='none')",
        {"quoting": "none"},
    ),
    "never closed.csv": (
        'note,text,label\n"a,good,x\nb,bad,y\n',
        "line 2: a quotation mark is never closed (\"a,good,x); if they belong to the texts, give data.quoting='none')",
        {"quoting": "none"},
    ),
    "merged.csv": (
        'label,note,text\nx,"a,good\ny,b"\ty,bad\n'.replace('"\ty,bad', ',bad"').replace(",good\n", ",good\n"),
        None,
        {"quoting": "none"},
    ),
    "twice.csv": (
        "text,text,label\ngood,a,x\nbad,b,y\n",
        "the header names the column 'text' twice; give other names for all columns with data.column_names, and "
        "data.header=True)",
        {"column_names": ["text", "more", "label"], "header": True},
    ),
    "names replaced.csv": ("comment,class\ngood,x\nbad,y\n", None, {"column_names": ["text", "label"], "header": True}),
    "a row of names.csv": (
        "good,x\nbad,y\n",
        None,
        {"column_names": ["good", "x"], "header": False, "text_columns": ["good"], "label_column": "x"},
    ),
    "names of rows.csv": (
        "text,label\n1,good,x\n2,bad,y\n",
        "line 2 (1,good,x) has 3 fields, and the header has 2; put a field that holds ',' in quotation marks in the "
        "file, or, if every row has that many, name all columns with data.column_names)",
        {"column_names": ["row", "text", "label"]},
    ),
    "quoted where needed.tsv": (
        'text\tlabel\tnote\ngood\tx\t"a\tb"\nbad\ty\tc\n',
        'line 2 (good x "a b") has 4 fields, and the header has 3; if fields stand in quotation marks, give '
        "data.quoting='double')",
        {"quoting": "double"},
    ),
    "inside.json": (
        '{"version": 1, "data": [{"text": "good", "label": "x"}, {"text": "bad", "label": "y"}]}',
        "an object with the keys version, data: say which one holds the rows; give data.field='data' or another)",
        {"field": "data"},
    ),
    "deeper.json": (
        '{"a": {"b.c": [{"text": "good", "label": "x"}, {"text": "bad", "label": "y"}]}}',
        None,
        {"field": "a.b.c"},
    ),
    "lists.json": (
        '[["good", "x"], ["bad", "y"]]',
        'rows are lists of 2 values (["good", "x"]): name their columns; give data.column_names)',
        {"column_names": ["text", "label"]},
    ),
    "splits.json": (
        '{"train": {"text": ["a"], "label": ["x"]}, "test": {"text": ["good", "bad"], "label": ["x", "y"]}}',
        "an object with the keys train, test: say which one holds the rows; give data.field='train' or another of "
        "these)",
        {"field": "test"},
    ),
    "lists.jsonl": ('["good", "x"]\n["bad", "y"]\n', None, {"column_names": ["text", "label"]}),
    "bars.txt": ("good ||| x\nbad ||| y\n", None, {"separator": " ||| ", "column_names": ["text", "label"]}),
}


@pytest.mark.parametrize("name", LEADS)
def test_the_line_leads_to_the_rows(tmp_path, name):
    content, line, settings = LEADS[name]
    path = written(tmp_path / name, content)
    if line is not None:
        assert refusal(path) == line
    rows = read(path, **settings)
    assert rows == TWO or name == "merged.csv"


@pytest.mark.parametrize("separator", ["\t", "\\t", "tab", "TAB"])
def test_every_spelling_of_the_tab_reads_quotation_marks_as_text(tmp_path, separator):
    path = written(tmp_path / "a.txt", 'text\tlabel\n"good\tx\nbad\ty\n')
    assert read(path, separator=separator) == [('"good', "x"), ("bad", "y")]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Win £100 \u2019now\u2019"),
        ("cp1251", "Привет мир это хороший фильм"),
        ("cp1252", "déjà vu crème brûlée"),
    ],
)
def test_another_encoding_is_named(tmp_path, encoding, text):
    path = written(tmp_path / "a.csv", f"text,label\n{text},x\nb,y\n", encoding)
    assert refusal(path).startswith(f"line 2 is not UTF-8; looks like {encoding}")
    assert refusal(path).endswith(f"; give data.encoding='{encoding}')")
    assert read(path, encoding=encoding) == [(text, "x"), ("b", "y")]
    assert "line 2 is not ascii" in refusal(path, encoding="ascii")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_the_line_of_another_encoding_is_counted_by_any_line_end(tmp_path, end):
    path = written(tmp_path / "a.csv", end.join(["text,label", "good,x", "caf\u00e9,y", ""]), "cp1252")
    assert refusal(path).startswith("line 3 is not UTF-8")


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_or_an_end(tmp_path, order):
    path = written(tmp_path / "a.csv", PLAIN, order)
    assert refusal(path, encoding="utf-16") == (
        f"data.encoding='utf-16': there is no byte order mark; give data.encoding='{order}')"
    )
    assert read(path, encoding=order) == TWO
    path = written(tmp_path / "b.csv", PLAIN.encode(order)[:-1])
    assert refusal(path, encoding=order).startswith(f"is cut short: its last character in {order} is not whole")


def test_two_encodings_in_one_file_are_told_apart(tmp_path):
    path = written(tmp_path / "a.csv", "text,label\ncafé,x\n".encode() + "thé,y\n".encode("cp1252"))
    assert refusal(path).startswith(
        "line 3 is not UTF-8, and 1 other lines beyond ASCII are: two encodings in one file"
    )


def test_a_file_without_a_header_line(tmp_path):
    path = written(tmp_path / "a.csv", "x,good\ny,bad\n")
    assert refusal(path).endswith("has the columns x, good; if the file has no header line, name its columns with "
                                  "data.column_names")  # fmt: skip
    assert read(path, column_names=["label", "text"]) == TWO
    assert refusal(path, column_names=["label", "text", "more"]).startswith(
        "line 1 (x,good) has 2 fields, and data.column_names names 3; "
    )


def test_settings_that_mean_nothing_are_refused(tmp_path):
    path = written(tmp_path / "a.csv", PLAIN)
    assert refusal(path, field="data").startswith(
        "data.field='data': without meaning for text with separated columns; leave it out; what counts is data.encoding"
    )
    as_json = written(tmp_path / "a.jsonl", READ["a.ndjson"])
    for name, value in {"separator": ";", "quoting": "none", "column_names": ["text", "label"], "header": True}.items():
        assert f"data.{name}" in refusal(as_json, **{name: value})
    pa.parquet.write_table(pa.table({"text": ["a"], "label": ["x"]}), tmp_path / "a.parquet")
    assert "data.encoding='cp1252': without meaning for a parquet file" in refusal(
        tmp_path / "a.parquet", encoding="cp1252"
    )
    assert "data.header=False: name the columns with data.column_names" in refusal(path, header=False)
    problems = refusal(path, encoding="klingon", separator="", quoting="some", column_names=["a", "a"])
    for part in ("data.encoding='klingon': no", "data.separator='': give", "data.quoting='some': must", "names=['a', "):
        assert part in problems


# --- no row is lost or merged --------------------------------------------------------------------------------------


def test_rows_that_a_quotation_mark_merged_are_found(tmp_path):
    path = written(tmp_path / "a.csv", 'label,text\nham,"Hi\nspam,win\nham,bye"\nham,x\nspam,y\n')
    line = "lines 2 to 4 are one row by their quotation marks, and look like several; if quotation marks belong to the "
    assert refusal(path).startswith(line)
    assert [text for text, _ in read(path, quoting="none")] == ['"Hi', "win", 'bye"', "x", "y"]
    assert read(path, quoting="double")[0] == ("Hi\nspam,win\nham,bye", "ham")
    legitimate = 'text,label\n"Great, really.\nI liked it, a lot.",pos\n"Bad",neg\n'
    assert read(written(tmp_path / "b.csv", legitimate))[0] == ("Great, really.\nI liked it, a lot.", "pos")


def test_an_unquoted_file_keeps_its_quotation_marks(tmp_path, caplog):
    caplog.set_level("INFO", "eraserhead")
    path = written(tmp_path / "a.tsv", 'label\ttext\nx\t"stray\ny\t"whole"\nx\tlast"\n')
    assert read(path) == [('"stray', "x"), ('"whole"', "y"), ('last"', "x")]
    assert "1 fields of the first rows stand in quotation marks" in caplog.text
    caplog.clear()
    read(path, quoting="none")
    assert caplog.text == ""


@pytest.mark.parametrize(("row", "count"), [("a,b,x", 3), ("a", 1)])
def test_rows_of_another_length_are_named(tmp_path, row, count):
    path = written(tmp_path / "a.csv", f"text,label\ngood,x\n\n{row}\nbad,y\n")
    fields = "1 field" if count == 1 else f"{count} fields"
    assert refusal(path).startswith(f"line 4 ({row}) has {fields}, and the header has 2; ")


def careful(path: Path, dialect: Dialect) -> list[dict]:
    return pa.concat_tables(delimited_tables(path, dialect)).to_pylist()


@pytest.mark.parametrize("seed", range(40))
def test_the_quick_reader_agrees_with_the_careful_one(tmp_path, seed, monkeypatch):
    """The careful one is the standard library's; blocks of a few bytes put every quotation mark at some edge."""
    draw = random.Random(seed)
    pieces = ["a", "bc", '"', '""', ",", "\n", " ", "é", "", "\r\n", ";"]
    rows = [["".join(draw.choices(pieces, k=draw.randrange(5))) for _ in range(3)] for _ in range(29)]
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=draw.choice(["\n", "\r\n"])).writerows(
        [["p", "q", "r"], *[row for row in rows if any(row)]]
    )
    path = written(tmp_path / "a.csv", stream.getvalue())
    dialect = Dialect("utf-8", ",", "double", ("p", "q", "r"), 1, headed=True, chosen=True)
    monkeypatch.setattr("eraserhead.data.quick_csv.BLOCK", draw.choice([1 << 10, 1 << 22]))
    assert pa.concat_tables(quick_tables(path, dialect)).to_pylist() == careful(path, dialect)


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 22])
def test_quotation_marks_that_fit_do_so_at_every_edge(block, monkeypatch):
    monkeypatch.setattr("eraserhead.data.quick_csv.BLOCK", block)
    content = b'\xef\xbb\xbf"p","q"\n"a ""x"", b",\r\n"""",""\n"""a""",b\n"c","d\n,e"'
    assert _quotes_fit(io.BytesIO(content), ",")
    assert not _quotes_fit(io.BytesIO(content[:-1]), ",")


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 22])
@pytest.mark.parametrize("line", ['a,"b" c', '"a,b', 'a",b', 'a,b"c"', '"a"b"",c'])
def test_the_quick_reader_leaves_doubtful_quotation_marks(tmp_path, line, block, monkeypatch):
    path = written(tmp_path / "a.csv", f'p,q\n"x","y"\n{line}\n"x","y"\n')
    monkeypatch.setattr("eraserhead.data.quick_csv.BLOCK", block)
    with pytest.raises(NotPlainError):
        list(quick_tables(path, Dialect("utf-8", ",", "double", ("p", "q"), 1, headed=True)))


def test_a_file_is_read_once(tmp_path, monkeypatch):
    path = written(tmp_path / "a.csv", PLAIN)
    assert read(path) == TWO
    for reader in ("quick_tables", "delimited_tables"):
        monkeypatch.setattr(file_readers, reader, lambda file, dialect: pytest.fail(f"{file} is read again"))
    assert read(path) == TWO


# --- folders -------------------------------------------------------------------------------------------------------


def test_folders_in_the_layout_of_the_hub(tmp_path):
    for split in ("train", "test"):
        written(tmp_path / "semicolons" / f"{split}.csv", "text;label\ngood;x\nbad;y\n")
        written(tmp_path / "upper" / f"{split}.CSV", PLAIN)
        written(tmp_path / "packed" / f"{split}.ndjson.gz", gzip.compress(READ["a.ndjson"].encode()))
        written(tmp_path / "texts" / f"{split}.txt", "good\tx\nbad\ty\n")
        written(tmp_path / "parts" / split / "1.csv", "text,label\ngood,x\n")
        written(tmp_path / "parts" / split / "2.csv", "label,text\ny,bad\n")
    line = "split 'train': one column 'text;label': separated by ';'? give data.separator=';')"
    assert refusal(tmp_path / "semicolons") == line
    assert read(tmp_path / "semicolons", separator=";") == TWO
    assert read(tmp_path / "texts", column_names=["text", "label"]) == TWO
    for folder in ("upper", "packed", "parts"):
        assert read(tmp_path / folder) == TWO
    written(tmp_path / "parts" / "train" / "3.csv", "review,label\nso,y\n")
    assert "3.csv has the columns review, label, and 1.csv text, label" in refusal(tmp_path / "parts")


def card(said: str, features: str = "") -> str:
    declared = f"dataset_info:\n  features:\n{features}" if features else ""
    data = "  data_files:\n  - split: test\n    path: a.csv"
    return f"---\nconfigs:\n- config_name: default\n{said}{data}\n{declared}---\n"


NAMES = "  names: [text, label]\n"
CARDS = {  # what the card says, and the file
    "separator": ("  sep: ';'\n", "text;label\ngood;x\nbad;y\n"),
    "tab": ("  sep: \"\\t\"\n", "text\tlabel\ngood\tx\nbad\ty\n"),
    "no header": (f"  header: null\n{NAMES}", "good,x\nbad,y\n"),
    "other names": (f"  header: 0\n{NAMES}", "a,b\ngood,x\nbad,y\n"),
    "names alone": (NAMES, "good,x\nbad,y\n"),
    "single quotation marks": ("  quotechar: \"'\"\n", "text,label\n'good','x'\nbad,y\n"),
    "backslashes": ("  escapechar: \"\\\\\"\n", 'text,label\n"good","x"\nbad,y\n'),
    "no quotation marks": ("  quoting: 3\n", 'text,label\ngood,x\nbad,y\n'),
    "encoding": ("  encoding: utf-16-le\n", "text,label\ngood,x\nbad,y\n".encode("utf-16-le")),
}  # fmt: skip


@pytest.mark.parametrize("case", CARDS)
def test_a_card_says_how_a_folder_is_read(tmp_path, case):
    said, content = CARDS[case]
    written(tmp_path / "README.md", card(said))
    written(tmp_path / "a.csv", content)
    assert read(tmp_path) == TWO


def test_a_card_without_effect_is_pointed_out(tmp_path, caplog):
    for folder, said in {"a": "  skiprows: 1\n", "b": "  header: null\n", "c": "  header: 2\n"}.items():
        written(tmp_path / folder / "README.md", card(said))
        written(tmp_path / folder / "a.csv", PLAIN)
    assert read(tmp_path / "a") == TWO
    assert caplog.messages == ["skiprows of the data set's card has no effect here; see whether the rows are right"]
    line = "its card says that there is no header line; name all columns with data.column_names"
    assert refusal(tmp_path / "b").startswith(line)
    assert len(read(tmp_path / "b", column_names=["text", "label"])) == 3
    assert "its card says that the header is in line 2; leave out the lines above" in refusal(tmp_path / "c")


def test_columns_that_are_not_what_a_card_says_are_read_as_they_are(tmp_path, caplog):
    features = "".join(f"  - name: {name}\n    dtype: {kind}\n" for name, kind in (("text", "string"), ("n", "int64")))
    names = "  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': y\n          '1': x\n"
    written(tmp_path / "README.md", card("", features + names))
    written(tmp_path / "a.csv", "n,text,label\n1,good,1\n2.5,bad,0\n")
    assert read(tmp_path) == TWO
    assert "column 'n' is not what the card says" in caplog.text


def test_folders_named_after_labels(tmp_path, caplog):
    caplog.set_level("INFO", "eraserhead")
    for name in (
        "train/neg/0_3.txt",
        "train/pos/0_9.txt",
        "train/unsup/0_0.txt",
        "test/neg/1_1.txt",
        "test/pos/1_8.txt",
    ):
        written(tmp_path / "set" / name, f"a text of {name}\nand more\n")
    for name in (
        "test/pos/desktop.ini",
        "test/neg/.DS_Store",
        "README",
        "imdb.vocab",
        "train/urls_neg.txt",
        "train/labeledBow.feat",
    ):
        written(tmp_path / "set" / name, "x")
    assert read(tmp_path / "set") == [
        ("a text of test/neg/1_1.txt\nand more", "neg"), ("a text of test/pos/1_8.txt\nand more", "pos"),
    ]  # fmt: skip
    assert [label for _, label in read(tmp_path / "set" / "train")] == ["neg", "pos"]
    assert "train/unsup: its texts have no label, and are left out" in caplog.text
    written(tmp_path / "set" / "test" / "pos" / "2_8.txt", b"caf\xe9")
    assert refusal(tmp_path / "set").startswith("pos/2_8.txt: line 1 is not UTF-8")
    assert read(tmp_path / "set", encoding="cp1252")[-1] == ("café", "pos")
    for name in ("alt.atheism/51119", "comp.graphics/38"):
        written(tmp_path / "news" / name, "x")
    assert [label for _, label in read(tmp_path / "news")] == ["alt.atheism", "comp.graphics"]


# --- JSON ----------------------------------------------------------------------------------------------------------


def test_columns_inside_objects_are_named_with_a_dot(tmp_path):
    path = written(
        tmp_path / "a.jsonl", '{"r": {"text": "good"}, "l": {"of": 1}}\n{"r": {"text": "bad"}, "l": {"of": 0}}'
    )
    assert "a column inside an object is named with both names and a dot" in refusal(path)
    assert read(path, text_columns=["r.text"], label_column="l.of") == [("good", "1"), ("bad", "0")]


def test_lists_in_place_of_a_text_or_a_label_are_named(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"text": ["a", "b"], "label": ["x"]}\n{"text": ["c"], "label": ["y"]}\n')
    assert refusal(path).startswith("data.text_columns='text': holds lists and no text; join each list into one text")
    path = written(tmp_path / "b.jsonl", '{"text": "a", "label": ["x"]}\n{"text": "c", "label": ["y"]}\n')
    assert refusal(path).endswith("; name another column with data.label_column, or give a multi-label model")


def test_one_line_is_one_row(tmp_path):
    for own in ({"spans": [{"of": 1}]}, {"more": {"a": 1}}):
        path = written(tmp_path / "a.jsonl", json.dumps({"text": "good", "label": "x", **own}))
        assert read(path) == [("good", "x")]
    assert read(written(tmp_path / "b.jsonl", READ["columns.json"])) == TWO


def test_rows_of_another_field_have_other_ids(tmp_path):
    path = written(tmp_path / "a.json", json.dumps({"train": [{"text": "a"}], "test": [{"text": "b"}]}))
    ids = [load_documents(DataConfig(path=str(path), field=field), "test").rows["id"][0] for field in ("train", "test")]
    assert ids == ["a.train/0", "a.test/0"]


@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_labels_of_several_types_in_one_column_are_labels(tmp_path, ending):
    rows = [{"text": "a", "label": 1}, {"label": "2", "text": "b"}, {"text": "c"}, {"text": "d", "label": "1"}]
    content = json.dumps(rows) if ending == "json" else "\n".join(map(json.dumps, rows))
    assert read(written(tmp_path / f"a.{ending}", content)) == [("a", "1"), ("b", "2"), ("c", None), ("d", "1")]


def test_a_type_that_changes_far_below(tmp_path):
    rows = [{"text": "a", "label": number % 2} for number in range(10_007)] + [{"text": "b", "label": "x", "more": 1}]
    path = written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert read(path)[-2:] == [("a", "0"), ("b", "x")]


@pytest.mark.parametrize(
    "content", ["[" * 10_000 + "]" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000, '{"text": ' + "[" * 10_000]
)
def test_json_nested_without_end_is_one_line(tmp_path, content):
    for name in ("a.json", "a.jsonl"):
        assert refusal(written(tmp_path / name, content)).startswith("it is nested too deep")
    line = '{"text": "a", "label": 1}\n'
    assert refusal(written(tmp_path / "b.jsonl", line + content + "\n")).startswith("it is nested too deep")


OBJECT = '{"text": "good", "label": "x"}'


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", f"{OBJECT},\n{OBJECT},\n", "line 1 is no JSON: a comma stands behind the object; write each"),
        (
            "a.jsonl",
            f"{OBJECT[:-1]}\n}}\n{OBJECT}\n",
            "line 3 is no JSON: one object follows another",
        ),
        (
            "a.jsonl",
            f"{{'text': 'good'}}\n{OBJECT}\n",
            "line 1 is no JSON: it has single quotes",
        ),
        ("a.json", f"[{OBJECT},\n{OBJECT},]", "line 2 is no JSON: a comma stands in front of"),
        ("a.json", PLAIN, "line 1 is no JSON: it begins with text,label; name it .csv"),
        ("a.csv", f"{OBJECT}\n{OBJECT}\n", 'it is JSON ({"text": "good", "label": "x"}); name it .json, or .jsonl'),
        ("a.csv", f"[\n{OBJECT}\n]\n", "it is JSON ([); name it .json"),
    ],
)
def test_json_written_otherwise_is_named(tmp_path, name, content, line):
    assert refusal(written(tmp_path / name, content)).startswith(line)


# --- labels --------------------------------------------------------------------------------------------------------


def test_whole_floats_are_numbers_and_leading_zeros_are_kept(tmp_path):
    labels = [label for _, label in read(written(tmp_path / "a.csv", "text,label\na,1.0\nb,0.0\nc,\n"))]
    assert labels == ["1", "0", None]
    assert [label for _, label in read(written(tmp_path / "b.csv", "text,label\na,01\nb,1\n"))] == ["01", "1"]
    path = written(tmp_path / "c.csv", "text,label\na,0.5\nb,1\n")
    assert "document c/0 has 0.5; expected integers, whole floats" in refusal(path)


def test_labels_that_mean_none(tmp_path, caplog):
    caplog.set_level("INFO", "eraserhead")
    path = written(tmp_path / "a.csv", "text,label\na,x\nb,-\nc,y\nd,x\ne,y\n")
    assert [label for _, label in read(path)] == ["x", "-", "y", "x", "y"]
    assert "the label '-' is read as a class; if it means that there is none, give data.no_label=['-']" in caplog.text
    assert [label for _, label in read(path, no_label=["-"])] == ["x", None, "y", "x", "y"]
    config = {"no_label": ["-"], "validation_size": 1}
    assert {text for role in ("train", "validation") for text, _ in read(path, role, **config)} == set("acde")
    assert "1 of the 5 rows of split 'a' have no label, and are left out, the first is a/1" in caplog.text
    recorded = [load_documents(DataConfig(path=str(path), **config), role).record for role in ("train", "test")]
    assert [record.without_label for record in recorded] == [1, 0]


def test_minus_one_is_a_class_where_something_else_means_none(tmp_path):
    path = written(tmp_path / "a.csv", "text,label\na,-1\nb,0\nc,1\n")
    assert [label for _, label in read(path)] == [None, "0", "1"]
    assert "give data.no_label=['-1']" in refusal(path, "train")
    assert [label for _, label in read(path, no_label=[""])] == ["-1", "0", "1"]


def test_classes_that_differ_in_case_or_spaces_are_pointed_out(tmp_path, caplog):
    path = written(tmp_path / "a.csv", "text,label\na,pos\nb,pos \nc,Pos\nd, neg\ne,neg\nf,other\n")
    read(path)
    assert [record.getMessage() for record in caplog.records] == [
        "the data has 2 classes that differ in case or spaces alone: ' neg', 'neg'",
        "the data has 3 classes that differ in case or spaces alone: 'Pos', 'pos', 'pos '",
    ]


def test_sets_of_labels_that_are_read_as_classes_are_pointed_out(tmp_path, caplog):
    read(written(tmp_path / "numbered.csv", "text,label\na,[1] one\nb,[2] two\n"))  # no sets
    rows = [f'a,"{labels}"' for labels in ("[]", "['pos']", "['pos', 'long']")]
    read(written(tmp_path / "a.csv", "\n".join(["text,label", *rows])))
    [said] = [record.getMessage() for record in caplog.records]
    assert said == (
        "labels such as ['pos', 'long'] are read as classes of their own; if they are sets of labels, train with "
        "model.problem_type='multi_label_classification'"
    )


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_label_column_without_labels_is_pointed_out(tmp_path, caplog, multi_label):
    caplog.set_level("INFO", "eraserhead")
    path = written(tmp_path / "a.csv", "text,label\ngood,\nbad,\n")
    config = DataConfig(path=str(path))
    load_documents(config, "test", multi_label=multi_label)
    assert "no accuracy is reported: label column 'label' is without any label in split 'a'" in caplog.text
    with pytest.raises(UserError, match=r"2 of the 2 rows .* have no label .*; name the column of the labels"):
        load_documents(config, "train", multi_label=multi_label)


def test_documents_without_text_are_counted(tmp_path, caplog):
    path = written(tmp_path / "a.csv", "text,label\ngood,x\n,y\n \u00a0 ,y\n")
    assert len(read(path)) == 3
    assert "2 documents have no text, of 3; the first is a/1" in caplog.text
    path = written(tmp_path / "b.jsonl", '{"text": null, "label": "x"}\n{"text": "", "label": "y"}\n')
    line = "data.text_columns=['text']: none of the 2 documents has any text; name a column that has"
    assert refusal(path) == line


# --- what is no file -----------------------------------------------------------------------------------------------


def test_devices_pipes_and_odd_paths_are_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.csv").symlink_to("/dev/zero")
    for path in ("/dev/zero", tmp_path / "pipe.csv"):
        assert "neither a file nor a folder, but a device or a pipe" in refusal(Path(path))
    assert refusal(tmp_path / "set").startswith("train.csv is neither a file nor a folder")
    for path in ("a\0b", "a" * 300):
        assert "no path of a file or folder" in refusal(Path(path))


@pytest.mark.parametrize("name", ["../../etc", "/etc", "a b", "x/y/z", "a\0b"])
def test_a_path_is_no_name(name):
    with pytest.raises(UserError, match=r"no name of a data set; a folder or a file is read with data\.path"):
        load_documents(DataConfig(name=name), "test")


def test_a_folder_is_not_read_in_place_of_the_hub(tmp_path, monkeypatch):
    written(tmp_path / "reviews" / "test.csv", PLAIN)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"also a folder or file of that name here; to read it, give data\.path"):
        load_documents(DataConfig(name="reviews"), "test")


def test_a_damaged_file_is_one_line(tmp_path):
    cut = written(tmp_path / "a.csv.gz", gzip.compress(random.Random(0).randbytes(997).hex().encode())[:-9])
    assert refusal(cut).startswith("the compressed file is damaged (Compressed file ended before the end-of-stream")
    wrong = gzip.compress(PLAIN.encode())
    assert refusal(written(tmp_path / "b.csv.gz", wrong[:-8] + bytes(8))).endswith("; fetch or write it again)")
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("a.csv", PLAIN)
    locked = bytearray((tmp_path / "a.csv.zip").read_bytes())
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(written(tmp_path / "locked.csv.zip", bytes(locked))).startswith(
        "the zip needs a password; unpack it"
    )
    assert refusal(written(tmp_path / "p.csv", b"PAR1....")).startswith("it is a parquet file and no text")
    assert refusal(written(tmp_path / "h.csv", "text,label\n")).startswith("there are no rows")
    assert refusal(written(tmp_path / "e.csv.gz", gzip.compress(b""))).startswith("the file is empty")
    assert refusal(written(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": \n')).startswith("line 2 is no JSON")


def test_files_that_are_not_what_their_names_say_are_named(tmp_path, capfd):
    table = pa.table({"text": ["good"], "label": ["x"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    parquet.write_table(table.slice(0, 0), tmp_path / "none.parquet")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("a.parquet", content)
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    with zipfile.ZipFile(tmp_path / "folder.zip", "w") as archive:
        archive.writestr("inside/", "")
    lines = {
        written(tmp_path / "text.parquet", PLAIN): "it is no parquet file: it begins with text,label; name it as what",
        written(tmp_path / "cut.parquet", content[:-9]): "the parquet file is damaged, or was not written to its end",
        written(tmp_path / "b.parquet.gz", gzip.compress(content)): "it is compressed, and a parquet file inside would",
        tmp_path / "packed.zip": "it is a zip, and a parquet file inside would have to be unpacked first",
        tmp_path / "none.parquet": "there are no rows",
        tmp_path / "empty.zip": "the zip holds no files; write it again",
        tmp_path / "folder.zip": "the zip holds no files; write it again",
        written(tmp_path / "a.txt", READ["a.ndjson"]): "it is JSON (",
        written(tmp_path / "p.json", content): "it is a parquet file and no text",
        written(tmp_path / "blank.txt", "\n \n"): "there are no rows",
    }
    for path, line in lines.items():
        assert refusal(path).startswith(line)
    assert capfd.readouterr().err == ""


# --- data sets of the hub ------------------------------------------------------------------------------------------

ASK = """
import json, sys
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.errors import UserError
for settings in json.loads(sys.argv[1]):
    try:
        documents = load_documents(DataConfig(**settings), "test")
        print([documents.rows["text"][:], [documents.labels.names[label] for label in documents.rows["label"]]])
    except UserError as error:
        print(error)
"""


@pytest.mark.hub
def test_the_settings_hold_for_the_hub_and_for_its_cache(tmp_path):
    sets = {
        "semi": ("test.csv", b"text;label\na, b;x\nc;y\n"),
        "latin": ("test.csv", "label,text\nx,caf\u00e9\ny,c\n".encode("cp1252")),
        "nested": ("test.json", b'{"data":[{"text":"a","label":"x"}]}'),
        "bare": ("test.tsv", b'x\t"a\ny\tb"\n'),
        "merged": ("test.csv", b'text,label\n"good,x\nso",y\nbad,x\n'),
        "headed": ("test.csv", b"a,b\nc,x\n"),
        "carded": ("a.csv", b"a;1\nb;0\n"),
    }
    names = (
        "  - name: text\n    dtype: string\n  - name: label\n    dtype:\n      class_label:\n        names: [x, y]\n"
    )
    said = card(f"  sep: ';'\n  header: null\n{NAMES}", names.replace("[x, y]", "{'0': x, '1': y}"))
    right = [
        {"name": "u/semi", "separator": ";"}, {"name": "u/latin", "encoding": "cp1252"},
        {"name": "u/nested", "field": "data"}, {"name": "u/bare", "column_names": ["label", "text"]},
        {"name": "u/headed", "column_names": ["text", "label"], "header": True},
        {"name": "u/headed", "column_names": ["text", "label"], "header": False},
        {"name": "u/merged", "quoting": "double"}, {"name": "u/carded"},
    ]  # fmt: skip
    with Hub() as hub:
        for name, (file, content) in sets.items():
            written(tmp_path / name / file, content)
            if name == "carded":
                written(tmp_path / name / "README.md", said)
            hub.add(f"u/{name}", tmp_path / name, "dataset")
        environment = hub.environment(tmp_path / "home") | {"PYTHONPATH": str(ROOT / "src")}
        asked = [*({"name": f"u/{name}"} for name in sets), {"name": "u/nested", "separator": ";"}]
        lines = asked_of(environment, asked)
        assert lines[0].startswith(
            "u/semi: cannot be read (split 'test': one column 'text;label': separated by ';'? give"
        )
        assert lines[1].startswith("u/latin: cannot be read (split 'test': line 2 is not UTF-8; looks like cp1252 or")
        assert "give data.field" in lines[2] or "no such column" in lines[2]
        assert "if the file has no header line, name its columns with data.column_names" in lines[3]
        assert "lines 2 to 3 are one row by their quotation marks, and look like several" in lines[4]
        assert "data.separator=';': mean nothing for the files of u/nested" in lines[7]
        for more in ({}, {"HF_HUB_OFFLINE": "1"}):
            assert asked_of(environment | more, right) == [
                "[['a, b', 'c'], ['x', 'y']]", "[['caf\u00e9', 'c'], ['x', 'y']]", "[['a'], ['x']]",
                "[['\"a', 'b\"'], ['x', 'y']]", "[['c'], ['x']]", "[['a', 'c'], ['b', 'x']]",
                "[['good,x\\nso', 'bad'], ['y', 'x']]", "[['a', 'b'], ['y', 'x']]",
            ]  # fmt: skip


def asked_of(environment: dict[str, str], settings: list[dict]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(settings)],
        env=environment | {"PYTHONIOENCODING": "utf-8"}, capture_output=True, text=True, encoding="utf-8", check=True,
    )  # fmt: skip
    return done.stdout.splitlines()
