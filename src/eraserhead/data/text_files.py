"""Text out of a file: what it is compressed with, and how its characters are encoded."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, Any, TextIO

from charset_normalizer import from_bytes

from eraserhead.errors import Setting, UserError
from eraserhead.files import POINTER

COMPRESSED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open,
}  # fmt: skip
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".zip")
ZIP = b"PK\x03\x04"
ZIPS = (ZIP, b"PK\x05\x06")  # the other one is empty
NO_TEXT = {
    b"PAR1": "a parquet file", b"\xd0\xcf\x11\xe0": "an Excel workbook", b"%PDF": "a PDF",
    b"\x89PNG": "an image", b"\xff\xd8\xff": "an image",
}  # fmt: skip
INSIDE = {
    **dict.fromkeys(COMPRESSED, "another compressed file"),
    ZIP: "a zip",
}  # of what is no text only inside another
SAVE = "name it so, or save its texts as CSV"
TAR, TAR_AT = b"ustar", 257
SAMPLE_OF_KIND = TAR_AT + len(TAR)  # bytes
MARKS = {  # byte order marks, the longer ones first: that of UTF-16 begins that of UTF-32
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
MARKED = ("utf-16", "utf-32")  # which need a mark
LIKELY = (  # in the order of how common they are; the first of equally good guesses is named first
    "cp1252", "cp1251", "gb18030", "shift_jis", "cp1250", "euc_kr", "big5", "koi8_r", "cp1256", "cp1254", "cp1253",
    "cp1255", "euc_jp",
)  # fmt: skip
MOST_GUESSES = 3
SAMPLE = 1 << 16  # bytes that a guess is made from
LEFT = ("desktop.ini", "thumbs.db")  # which systems leave in folders
FEWEST_NULS = 4  # from which on a file may be UTF-16 without a mark


def named_format(file: Path) -> str:
    """Return the ending that tells a file's format, in lower case: without ``.gz``; in a zip, that of its one file.

    Raises:
        UserError: A zip holds several files, or a compressed one.
    """
    name = PurePath(file.name)
    if name.suffix.lower() in COMPRESSED_SUFFIXES:
        if _head(file).startswith(ZIPS):
            with zipfile.ZipFile(file) as archive:
                member = PurePath(_only_member(archive))
            if member.suffix.lower() in COMPRESSED_SUFFIXES:
                raise UserError(f"the zip holds a compressed file ({member.name}): unpack it, and give that")
            return member.suffix.lower()
        name = name.with_suffix("")
    return name.suffix.lower()


def refuse_pointer(file: Path) -> None:
    """Raise `UserError` where a file is a pointer to what Git LFS has not fetched."""
    if _head(file) == POINTER:
        raise UserError("it is a pointer of Git LFS, and not the file itself; fetch that with `git lfs pull`")


@contextmanager
def open_bytes(file: Path) -> Iterator[IO[bytes]]:
    """Open a file, decompressed by what it begins with, whatever its name is.

    Raises:
        UserError: It is a zip of several files, or no text.
    """
    refuse_pointer(file)
    head = _head(file)
    opener = next((each for magic, each in COMPRESSED.items() if head.startswith(magic)), open)
    try:
        with _member(file) if head.startswith(ZIPS) else opener(file, "rb") as stream:
            _refuse_other_kinds(stream, inside=head.startswith(ZIPS) or opener is not open)
            yield stream
    except (EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"the compressed file is damaged ({error}); fetch or write it again") from error
    except RuntimeError as error:
        if "encrypted" not in str(error):
            raise
        raise UserError("the zip needs a password; unpack it, and give what is in it") from error


@contextmanager
def _member(file: Path) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(file) as archive, archive.open(_only_member(archive)) as stream:
        yield stream


def _refuse_other_kinds(stream: Any, inside: bool) -> None:
    """Refuse what is no text by what a stream begins with; leaves the stream at its beginning."""
    head = stream.read(SAMPLE_OF_KIND)
    stream.seek(0)
    for magic, what in (*NO_TEXT.items(), *(INSIDE.items() if inside else ())):
        if head.startswith(magic):
            raise UserError(f"inside it is {what}: unpack it" if inside else f"it is {what} and no text: {SAVE}")
    if head[TAR_AT:].startswith(TAR):
        raise UserError("it is a tar archive: unpack it, and give the folder or one file")


@contextmanager
def open_text(file: Path, encoding: str) -> Iterator[TextIO]:
    r"""Open a file as text, its line ends (``\n``, ``\r\n`` or ``\r``) as they are.

    Raises:
        UserError: Something read inside the context is not in this encoding.
    """
    with open_bytes(file) as stream:
        try:
            yield io.TextIOWrapper(stream, encoding, newline="")
        except UnicodeDecodeError as error:
            raise undecodable(file, encoding) from error


def encoding_of(file: Path, asked: str | None) -> str:
    """Return the encoding of a file: as its byte order mark says, else as asked, else UTF-8.

    Raises:
        UserError: It looks like UTF-16 without a mark, or has none where the encoding asked for needs one.
        ValueError: It is empty.
    """
    with open_bytes(file) as stream:
        head = stream.read(SAMPLE)
    if not head:
        raise ValueError("the file is empty")
    marked = next((encoding for mark, encoding in MARKS.items() if head.startswith(mark)), None)
    if asked is not None:
        if marked is None and (name := codecs.lookup(asked).name) in MARKED:
            guess = _unmarked_utf16(head) if name == "utf-16" else None
            order = f"{name}-be" if guess == "utf-16-be" else f"{name}-le"
            raise UserError(Setting("data.encoding", asked), ": there is no byte order mark; give ",
                            Setting("data.encoding", order), *(() if guess else (f" or {name}-be",)))  # fmt: skip
        same = marked is not None and codecs.lookup(marked.removesuffix("-sig")).name in codecs.lookup(asked).name
        return marked if marked is not None and same else asked
    if marked is None and (guess := _unmarked_utf16(head)) is not None:
        raise UserError("looks like UTF-16 without a mark; give ", Setting("data.encoding", guess))
    return marked or "utf-8"


def undecodable(file: Path, encoding: str) -> UserError:
    """Say which line of a file is not in an encoding, and in which it seems to be."""
    with open_bytes(file) as stream:
        content = stream.read()
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        if "truncated" in error.reason:
            return UserError(f"is cut short: its last character in {_shown(encoding)} is not whole; write it again")
        line = _lines_in(content[: error.start].decode(encoding, "ignore")) + 1
    else:
        return UserError(f"is not {_shown(encoding)} throughout")
    lines = [each for each in content.splitlines() if not each.isascii()]
    foreign = [each for each in lines if not _decodes(each, encoding)]
    guesses = likely_encodings(b"\n".join(foreign or lines)[:SAMPLE])
    looks = f"; looks like {' or '.join(guesses)}" if guesses else ""
    if len(foreign) < len(lines) and encoding.startswith("utf-8"):
        return UserError(
            f"line {line} is not UTF-8, and {len(lines) - len(foreign)} other lines beyond ASCII are: two encodings in "
            f"one file{looks}; save it in one, or give ",
            Setting("data.encoding", guesses[0] if guesses else "latin-1"),
            ", in which the others come out wrong",
        )
    give = Setting("data.encoding", guesses[0]) if guesses else Setting("data.encoding")
    return UserError(f"line {line} is not {_shown(encoding)}{looks}; give ", give)


def likely_encodings(content: bytes) -> list[str]:
    """Return the encodings that bytes are likely in, the likeliest first; none where nothing is likely."""
    found = list(from_bytes(content, cp_isolation=list(LIKELY)))
    if not found:
        return []
    least = min(match.chaos for match in found)
    names = {name for match in found if match.chaos == least for name in (match.encoding, *match.could_be_from_charset)}
    return [name for name in LIKELY if name in names][:MOST_GUESSES]


def _unmarked_utf16(head: bytes) -> str | None:
    """Return the byte order that NULs at every second place tell of; null where there are few, or anywhere."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if even + odd < max(FEWEST_NULS, len(head) // 100) or min(even, odd) * 10 > even + odd:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def left_there(path: str) -> bool:
    """Tell whether a file is one that systems and editors leave beside others."""
    parts = PurePath(path).parts
    return "__MACOSX" in parts or any(part.startswith(".") or part.lower() in LEFT for part in parts)


def _only_member(archive: zipfile.ZipFile) -> str:
    """Return the name of the one file in a zip; what macOS and editors leave there does not count."""
    names = [name for name in archive.namelist() if not name.endswith("/") and not left_there(name)]
    if "[Content_Types].xml" in names:
        raise UserError("it is an Excel workbook: save it as CSV")
    if not names:
        raise UserError("the zip holds no files; write it again")
    if len(names) != 1:
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise UserError(f"the zip holds {len(names)} files ({shown}); unpack it, and give the folder or one file")
    return names[0]


def compression_of(file: Path) -> str | None:
    """Return what a file is compressed as, by what it begins with; null where it is not."""
    head = _head(file)
    return "a zip" if head.startswith(ZIPS) else "compressed" if head.startswith(tuple(COMPRESSED)) else None


def _head(file: Path) -> bytes:
    with open(file, "rb") as stream:
        return stream.read(len(POINTER))


def _lines_in(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _shown(encoding: str) -> str:
    return "UTF-8" if encoding.startswith("utf-8") else encoding
