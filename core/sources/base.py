"""What every kind of source offers to the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from core.model import ListedFile, ListedFileset, ListedProduct, Rejection

RowT = TypeVar("RowT")


class Listing(Protocol, Generic[RowT]):
    """A well-formed index, held outside memory; close it (or use ``with``) to drop what was spooled."""

    @property
    def sha256(self) -> str:
        """Hex digest of the index as it was received."""

    @property
    def cursor(self) -> str | None:
        """The fileset after which rows were asked for (the server may have sent all the same); None: all rows."""

    @property
    def rows(self) -> int:
        """How many rows it has, refused and repeated ones included."""

    @property
    def conflicts(self) -> set[str]:
        """Names that were listed with unequal rows; complete when `batches` has come to its end."""

    def batches(self) -> Iterator[list[RowT | Rejection]]:
        """Yield the rows in the catalogue's order; each batch takes well under 10 ms to parse."""

    def close(self) -> None:
        """Drop the spooled index."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Source(Protocol):
    """A remote catalogue of products, filesets and files. Every method raises SourceError."""

    async def products(self) -> Listing[ListedProduct]:
        """List the products that the root of the source shows (hidden ones are not among them)."""

    async def filesets(self, product: str, cursors: Sequence[str]) -> Listing[ListedFileset]:
        """List a product's filesets registered after the first of `cursors` that the source still knows.

        `cursors` are fileset names seen in earlier listings, newest first. If none is known to the source,
        or `cursors` is empty, the whole list is returned (then `cursor` is None). Raises CursorRefused where it can't
        be told whether a cursor is unknown or something else is wrong.
        """

    async def files(self, product: str, fileset: str) -> Listing[ListedFile]:
        """List the files of a fileset."""

    def file_url(self, product: str, fileset: str, file: str) -> str:
        """Return the URL of one file's bytes."""

    async def close(self) -> None:
        """Give back connections."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Where a catalogue is and how it is reached; times in seconds. The secrets are left out of its repr.

    `url` holds neither user nor password. `ca_file` None stands for the default authorities. An index that comes
    slower than `min_rate` bytes a second over `stall_seconds` is given up as stalled. Indexes that are too large for
    memory are held in `spool_folder` while they are read; None: in the system's folder for such files.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    connect_seconds: float = 30.0
    index_seconds: float = 30.0
    stall_seconds: float = 60.0
    min_rate: int = 1
    spool_folder: Path | None = None
