"""What every kind of source offers to the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from core.model import ListedFile, ListedFileset, ListedProduct, Rejection

RowT_co = TypeVar("RowT_co", covariant=True)


class Listing(Protocol, Generic[RowT_co]):
    """A well-formed index, held outside memory; close it (or use ``with``) to drop what was spooled."""

    @property
    def sha256(self) -> str:
        """Hex digest of the index as it was received."""

    @property
    def partial(self) -> bool:
        """True if only rows after a cursor were asked for (the server may have sent the whole list all the same)."""

    def batches(self) -> Iterator[list[RowT_co | Rejection]]:
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
        or `cursors` is empty, the whole list is returned (then `partial` is False).
        """

    async def files(self, product: str, fileset: str) -> Listing[ListedFile]:
        """List the files of a fileset."""

    def file_url(self, product: str, fileset: str, file: str) -> str:
        """Return the URL of one file's bytes."""

    async def close(self) -> None:
        """Give back connections."""
