"""The line format of the IPP Data Store's indexes: bytes in, rows and rejections out; no I/O.

Protocol: "Three levels of index" and "Line format" of the IPP Data Store (the Pan-STARRS ``dsrootindex``,
``dsprodindex`` and ``dsfsindex``). Text is UTF-8; bytes that are not stay reversible (surrogateescape).
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.errors import FailureKind, SourceError
from core.logs import holds_secret, redact_secrets
from core.model import Columns, ListedFile, ListedFileset, ListedProduct, Rejection
from core.names import unsafe_name
from core.text import display
from core.units import parse_time

RowT = TypeVar("RowT", bound=ListedProduct | ListedFileset | ListedFile)

BATCH_LINES = 250
BATCH_BYTES = 128 * 1024
"""A batch ends at the first of these, so that neither many lines nor long ones hold the event loop."""

MAX_SIZE = 2**50
"""Largest size of a file that is believed, in bytes (1 PiB): sums of real sizes stay far within 64 bits."""

MAX_COLUMNS = 100
"""Most further columns of a header; real ones have at most eight."""

MAX_PRODUCTS = 10_000
MAX_FILESETS = 2_000_000
MAX_FILES = 500_000
"""Most rows of an index of each level: no catalogue has as many. Of files, what is known of each is held in memory."""

MAX_CONFLICTS = 50_000
"""Most names that an index may list with unequal rows: they are held in memory."""

BLANKS = " \t"
MARKED_COMMENT = BOM_UTF8 + b"#"
SIZE = re.compile(r"[0-9]{1,19}")
MD5 = re.compile(r"[0-9a-f]{32}")


class Refused(Exception):
    """A row breaks a rule; the text says which."""


@dataclass(frozen=True, slots=True)
class Level(Generic[RowT]):
    """One of the three kinds of index: its mandatory columns in order, and how its rows are read.

    `distinct`: a name stands for one thing only, so that rows are compared with earlier ones of that name.
    """

    label: str
    mandatory: tuple[str, ...]
    read: Callable[[int, Sequence[str], Columns], RowT]
    """Takes the number of the line, its fields, and the further ones by name."""
    distinct: bool = False
    max_rows: int | None = None


class Shape(Generic[RowT]):
    """What decides whether an index as a whole is well-formed; it is told of every line, in order.

    `columns` are the further columns named by the header in force, None before the first header; `blank` tells that
    there was nothing but white space so far; `rows` counts all rows, also those that will be refused.
    """

    def __init__(self, level: Level[RowT]):
        self.level = level
        self.columns: tuple[str, ...] | None = None
        self.blank = True
        self.rows = 0

    @property
    def width(self) -> int:
        """How many fields a row has under the header in force."""
        return len(self.level.mandatory) + len(self.columns or ())

    def check(self, line: bytes) -> str | None:
        """Take one complete line; return why the index is malformed, or None."""
        text = bare(line)
        if not text:
            return None
        first, self.blank = self.blank, False
        if text.startswith(b"#"):
            return self._comment(text)
        if self.columns is None:
            return _not_an_index(text) if first else f"rows come before any header of {self.level.label}"
        self.rows += 1
        if self.level.max_rows is not None and self.rows > self.level.max_rows:
            return f"the index lists more than {self.level.max_rows:,} {self.level.label}"
        return None

    def finish(self, tail: bytes) -> str | None:
        """Take what came after the last line end; return why the index is malformed, or None."""
        tail = bare(tail)
        if self.blank:
            return "the answer is empty" if not tail else self.check(tail) or "the last line is cut off"
        if tail and not self._complete(tail):
            return "the last line is cut off"
        if self.columns is None:
            return f"the index has no header of {self.level.label}"
        return self.check(tail)

    def _comment(self, text: bytes) -> str | None:
        text = text.lstrip(b"# \t")
        mandatory = self.level.mandatory
        if b"|" not in text or _plain(split(text.partition(b"|")[0])[0]) != _plain(mandatory[0]):
            return None
        if text.count(b"|") > len(mandatory) + MAX_COLUMNS:
            return f"the header has more than {MAX_COLUMNS} further columns"
        names = split(text)
        if len(names) > 1 and not names[-1]:
            names.pop()
        if [_plain(name) for name in names[: len(mandatory)]] != [_plain(name) for name in mandatory]:
            return f"the header is not {'|'.join(mandatory)}: '{quoted('|'.join(names), 80)}'"
        if holds_secret("|".join(names)):
            return "the header holds a secret of ours, which would be published"
        self.columns = _distinct(names[len(mandatory) :])
        return None

    def _complete(self, tail: bytes) -> bool:
        # Without a line end only a closing bar shows that the last field is whole; a header may lack a column.
        if self.columns is None or tail.startswith(b"#"):
            return False
        return tail.endswith(b"|") and tail.count(b"|") == self.width


class Parser(Generic[RowT]):
    """Reads the lines of one index. After the last, `conflicts` holds names that were listed with unequal rows."""

    def __init__(self, level: Level[RowT]):
        self.shape = Shape(level)
        self.conflicts: set[str] = set()
        self._level = level
        self._seen: dict[int, int] = {}
        """Hashes of names, and of what was listed of them: names can be long, and there may be many."""

    def batches(self, lines: Iterable[bytes]) -> Iterator[list[RowT | Rejection]]:
        """Yield rows and rejections in order. Raises SourceError (MALFORMED) at a line that no index can have."""
        batch: list[RowT | Rejection] = []
        count = size = 0
        for number, line in enumerate(lines, 1):
            item = self.line(number, line)
            if item is not None:
                batch.append(item)
            count += 1
            size += len(line)
            if count >= BATCH_LINES or size >= BATCH_BYTES:
                yield batch
                batch, count, size = [], 0, 0
        if batch:
            yield batch

    def line(self, number: int, line: bytes) -> RowT | Rejection | None:
        """Read one line, of this number from 1; None if it says nothing new."""
        if reason := self.shape.check(line):
            raise SourceError(FailureKind.MALFORMED, f"line {number}: {reason}")
        text = bare(line)
        if not text or text.startswith(b"#"):
            return None
        fields = split(text)
        try:
            row = self._row(number, fields)
            return row if self._is_new(row) else None
        except Refused as refusal:
            return Rejection(number, quoted(fields[0]), quoted(refusal))

    def _row(self, number: int, fields: list[str]) -> RowT:
        if holds_secret("|".join(fields)):
            raise Refused("it holds a secret of ours, which would be published")
        width = self.shape.width
        if len(fields) == width + 1 and not fields[-1]:
            fields.pop()
        if any("#" in field for field in fields):
            raise Refused("'#' within a row")
        if len(fields) != width:
            raise Refused(f"{len(fields)} fields where the header has {width}")
        further = fields[len(self._level.mandatory) :]
        values = (None if value == "null" else value for value in further)
        return self._level.read(number, fields, dict(zip(self.shape.columns or (), values, strict=True)))

    def _is_new(self, row: RowT) -> bool:
        if not self._level.distinct:
            return True
        name, content = hash(row.name), hash(repr(row))
        first = self._seen.get(name)
        if first is None:
            self._seen[name] = content
            return True
        if first != content:
            self._note_conflict(row.name)
            raise Refused("listed twice with different size, digest, type or columns")
        return False

    def _note_conflict(self, name: str) -> None:
        self.conflicts.add(name)
        if len(self.conflicts) > MAX_CONFLICTS:
            reason = f"the index lists more than {MAX_CONFLICTS:,} {self._level.label} twice, with unequal rows"
            raise SourceError(FailureKind.MALFORMED, reason)


def bare(line: bytes) -> bytes:
    """Return a line without blanks round it, and a comment without the byte order mark that some editors begin with."""
    text = line.strip()
    return text.removeprefix(BOM_UTF8) if text.startswith(MARKED_COMMENT) else text


def split(text: bytes) -> list[str]:
    """Return what stands between the bars of a line, without its padding."""
    return [field.strip(BLANKS) for field in text.decode("utf-8", "surrogateescape").split("|")]


def quoted(text: object, limit: int = 300) -> str:
    """Return `text` from an index, fit to be told: whoever wrote it may have sent back secrets that we told it."""
    return display(redact_secrets(str(text)), limit)


def _product(_: int, fields: Sequence[str], __: Columns) -> ListedProduct:
    """Read a row of the root; what further columns say of a product is not kept."""
    name, most_recent, registered, kind, description = fields[:5]
    return ListedProduct(
        name=_name(name),
        most_recent=None if most_recent == "none" else most_recent,
        registered=None if registered == "none" else _time(registered),
        type=kind,
        description=description,
    )


def _fileset(line: int, fields: Sequence[str], columns: Columns) -> ListedFileset:
    return ListedFileset(_name(fields[0]), _time(fields[1]), fields[2], columns, line)


def _file(_: int, fields: Sequence[str], columns: Columns) -> ListedFile:
    return ListedFile(_name(fields[0]), _size(fields[1]), _digest(fields[2]), fields[3], columns)


def _name(text: str) -> str:
    if not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text):
        raise Refused("the name is not UTF-8")
    if reason := unsafe_name(text):
        raise Refused(reason)
    return text


def _time(text: str) -> int:
    try:
        return parse_time(text)
    except ValueError:
        raise Refused(f"the time is not YYYY-MM-DDThh:mm:ssZ: '{quoted(text, 40)}'") from None


def _size(text: str) -> int:
    if SIZE.fullmatch(text) and (size := int(text)) <= MAX_SIZE:
        return size
    raise Refused(f"the size is not a number of bytes from 0 to 2^50: '{quoted(text, 40)}'")


def _digest(text: str) -> str | None:
    digest = text.lower()
    if not digest:
        return None
    if MD5.fullmatch(digest):
        return digest
    raise Refused(f"the md5sum is not 32 hex digits: '{quoted(text, 40)}'")


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Give nameless and repeated columns a name by their place, so that no value hides another."""
    known: dict[str, None] = {}
    for place, name in enumerate(names, 1):
        label = name or f"column {place}"
        while label in known:
            label += f" #{place}"
        known[label] = None
    return tuple(known)


def _not_an_index(text: bytes) -> str:
    return f"the server sent text that is not an index: '{quoted(text[:400].decode('utf-8', 'surrogateescape'), 80)}'"


PRODUCTS = Level(
    "products", ("productID", "Most recent", "Time registered", "type", "Description"), _product, max_rows=MAX_PRODUCTS
)
FILESETS = Level("filesets", ("filesetID", "time registered", "type"), _fileset, max_rows=MAX_FILESETS)
FILES = Level("files", ("fileID", "bytes", "md5sum", "type"), _file, distinct=True, max_rows=MAX_FILES)
