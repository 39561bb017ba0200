"""The adapter for the IPP Data Store of Pan-STARRS, and for plain web servers that hold a copy of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Generic, Self
from urllib.parse import urlsplit, urlunsplit

from core.errors import ConfigError, CursorRefused, FailureKind, SourceError
from core.model import ListedFile, ListedFileset, ListedProduct, Rejection
from core.sources.base import SourceOptions
from core.sources.catalogue import CatalogueClient, without_userinfo
from core.sources.ipp_parse import FILES, FILESETS, PRODUCTS, Level, Parser, RowT, Shape
from core.sources.spool import Spool
from core.text import display
from core.urls import DEFAULT_PORTS, quote_segment, redact

INDEX = "index.txt"
MAX_CURSORS = 3
"""How many cursors are tried before the whole list is taken."""
NOT_OF_THE_CURSOR = frozenset({401, 407, 408, 425, 429})
"""What a server answers about credentials and its load, whatever is asked for."""


class IndexListing(Generic[RowT]):
    """A well-formed index of one level; see core.sources.base.Listing."""

    def __init__(self, spool: Spool, shape: Shape[RowT], cursor: str | None = None):
        self.sha256 = spool.sha256
        self.rows = shape.rows
        self.cursor = cursor
        self.conflicts: set[str] = set()
        self._spool = spool
        self._level = shape.level

    def batches(self) -> Iterator[list[RowT | Rejection]]:
        """Yield the rows in the catalogue's order; a batch may be empty."""
        parser = Parser(self._level)
        self.conflicts = parser.conflicts
        return parser.batches(self._spool.lines())

    def close(self) -> None:
        """Drop the spooled index."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class IppSource:
    """A Data Store at `url`: its root, with or without a final slash or ``index.txt``."""

    def __init__(self, url: str, client: CatalogueClient):
        self._root = _root(url)
        self._client = client

    async def products(self) -> IndexListing[ListedProduct]:
        """List the products that the root index shows."""
        return await self._index(PRODUCTS, self._url(INDEX))

    async def filesets(self, product: str, cursors: Sequence[str]) -> IndexListing[ListedFileset]:
        """List the filesets after the first cursor that the store still knows, else all of them.

        A store forgets a fileset that it withdrew, and then answers a query by it with a blank page, 404 or an
        internal error: none of these means "nothing new" (protocol: "Incremental listing"). Servers in between, or of
        another make, may say it by any other 4xx, by 204, or by a page that is no index.
        """
        url = self._url(product, INDEX)
        for cursor in cursors[:MAX_CURSORS]:
            listing = await self._newer(url, cursor)
            if listing is not None:
                return listing
        return await self._index(FILESETS, url)

    async def files(self, product: str, fileset: str) -> IndexListing[ListedFile]:
        """List the files of a fileset."""
        return await self._index(FILES, self._url(product, fileset, INDEX))

    def file_url(self, product: str, fileset: str, file: str) -> str:
        """Return the URL of one file's bytes."""
        return self._url(product, fileset, file)

    async def close(self) -> None:
        """Give back connections."""
        await self._client.close()

    def _url(self, *names: str) -> str:
        return "/".join((self._root, *map(quote_segment, names)))

    async def _index(self, level: Level[RowT], url: str) -> IndexListing[RowT]:
        shape = Shape(level)
        return IndexListing(await self._client.fetch(url, shape), shape)

    async def _newer(self, url: str, cursor: str) -> IndexListing[ListedFileset] | None:
        shape = Shape(FILESETS)
        try:
            spool = await self._client.fetch(f"{url}?{quote_segment(cursor)}", shape)
        except SourceError as error:
            if _cursor_unknown(error, shape.blank):
                return None
            if _query_refused(error):
                raise CursorRefused(
                    error.kind, error.detail, error.retry_after, error.status, error.elsewhere
                ) from None
            raise
        return IndexListing(spool, shape, cursor)


def open_ipp(options: SourceOptions) -> IppSource:
    """Return the Data Store that `options` lead to. Raises ConfigError if the URL is not one."""
    return IppSource(options.url, CatalogueClient(options))


def _cursor_unknown(error: SourceError, blank: bool) -> bool:
    if error.kind is FailureKind.MALFORMED:
        return blank
    # A server that says when to come back is overloaded, not ignorant of the cursor.
    failed = error.status is not None and error.status >= 500 and error.retry_after is None
    return failed or error.kind is FailureKind.MISSING


def _query_refused(error: SourceError) -> bool:
    """Tell whether the same server may have the whole list for whoever asks for nothing newer than a cursor."""
    status = error.status or 0
    refused = 400 <= status < 500 and status not in NOT_OF_THE_CURSOR
    return refused or status == 204 or error.kind is FailureKind.MALFORMED


def _root(url: str) -> str:
    unusable = ConfigError(f"not the URL of a Data Store, like http://HOST/ds: '{display(redact(url))}'")
    try:
        parts = urlsplit(without_userinfo(url))
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise unusable from None
    if not host or parts.scheme not in DEFAULT_PORTS or parts.query:
        raise unusable
    path = parts.path.rstrip("/").removesuffix(f"/{INDEX}").rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))
