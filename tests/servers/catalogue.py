"""What a Data Store on loopback offers: products, filesets, files, and the indexes that tell of them."""

from __future__ import annotations

import calendar
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Literal, TypeAlias

from core.demo.pages import FILE_COLUMNS, FILESET_COLUMNS, PRODUCT_COLUMNS, index
from core.model import Columns
from tests.servers.answers import Resource

LONG_AGO = "2026-11-01T00:00:00Z"
TYPES = {"fits": "fits", "tgz": "tgz", "mdc": "text", "txt": "text"}
UnknownCursor: TypeAlias = Literal["blank", "404", "500", "whole"]


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class ServedFile:
    """A file's bytes, and what its index says of them: the truth, unless `size`, `md5` or `type` are given.

    A file that is not `listed` is served all the same; one that is not `served` is listed and answers 404.
    """

    content: bytes
    md5: str | None = None
    size: int | str | None = None
    type: str | None = None
    columns: Columns = field(default_factory=dict)
    listed: bool = True
    served: bool = True
    revision: int = 0
    _summed: tuple[bytes, str] = field(default=(b"", _md5(b"")), init=False, repr=False, compare=False)

    @property
    def digest(self) -> str:
        """The MD5 of the bytes, computed once for each content."""
        if self._summed[0] is not self.content:
            self._summed = (self.content, _md5(self.content))
        return self._summed[1]

    def cells(self, name: str) -> list[str]:
        """Return the mandatory cells of this file's line in the index."""
        size = len(self.content) if self.size is None else self.size
        digest = self.digest if self.md5 is None else self.md5
        kind = TYPES.get(name.rpartition(".")[2], "notset") if self.type is None else self.type
        return [name, str(size), digest, kind]


@dataclass(slots=True)
class _Fileset:
    registered: str
    type: str
    columns: Columns
    files: dict[str, ServedFile]
    hidden: bool = False


@dataclass(slots=True)
class _Product:
    type: str
    description: str
    hidden: bool
    filesets: dict[str, _Fileset] = field(default_factory=dict)

    def shown(self) -> dict[str, _Fileset]:
        return {name: fileset for name, fileset in self.filesets.items() if not fileset.hidden}


Files: TypeAlias = Mapping[str, bytes | ServedFile]


class Catalogue:
    """Products with filesets in the order of their registration; changed and read from any thread.

    `unknown_cursor` is what an incremental query by an unknown name gets. A `static` store ignores queries and
    serves indexes as plain files.
    """

    def __init__(self) -> None:
        self.unknown_cursor: UnknownCursor = "blank"
        self.static = False
        self._products: dict[str, _Product] = {}
        self._raw: dict[tuple[str, str | None], bytes] = {}
        self._lock = RLock()

    def add_product(self, name: str, type: str = "ipp-dist", description: str = "", hidden: bool = False) -> None:
        """Add a product without filesets."""
        with self._lock:
            self._products[name] = _Product(type, description or f"{name} for tests", hidden)

    def add_fileset(
        self,
        product: str,
        name: str,
        files: Files,
        registered: str = LONG_AGO,
        type: str = "IPP-DIST",
        columns: Columns | None = None,
    ) -> None:
        """Register a fileset as the newest of its product."""
        served = {
            file: content if isinstance(content, ServedFile) else ServedFile(content) for file, content in files.items()
        }
        with self._lock:
            self._products[product].filesets[name] = _Fileset(registered, type, dict(columns or {}), served)

    def register_again(self, product: str, fileset: str, files: Files, registered: str = LONG_AGO) -> None:
        """Withdraw a fileset and register it anew, as the newest of its product, with other files."""
        with self._lock:
            old = self._products[product].filesets.pop(fileset)
            self.add_fileset(product, fileset, files, registered, old.type, old.columns)

    def replace_file(self, product: str, fileset: str, file: str, content: bytes, update_index: bool = False) -> None:
        """Serve other bytes, with other validators; the index tells of them only with `update_index`."""
        with self._lock:
            served = self._products[product].filesets[fileset].files[file]
            _, size, digest, _ = served.cells(file)
            served.size, served.md5 = (None, None) if update_index else (size, digest)
            served.content = content
            served.revision += 1

    def withdraw(self, product: str, fileset: str) -> None:
        """Make a fileset unknown: not listed, no cursor, 404 for its index and its files."""
        with self._lock:
            del self._products[product].filesets[fileset]

    def hide(self, product: str, fileset: str) -> None:
        """List a fileset no longer; it can still be fetched, and be a cursor."""
        with self._lock:
            self._products[product].filesets[fileset].hidden = True

    def show(self, product: str, fileset: str) -> None:
        """List a hidden fileset again, at its old place."""
        with self._lock:
            self._products[product].filesets[fileset].hidden = False

    def raw_index(self, path: str, content: bytes, query: str | None = None) -> None:
        """Serve exactly `content` as the index at `path`: for every query, or only for `query`."""
        with self._lock:
            self._raw[path, query] = content

    def forget_raw(self, path: str) -> None:
        """Serve what is there again as the index at `path`."""
        with self._lock:
            self._raw = {key: content for key, content in self._raw.items() if key[0] != path}

    def index(self, path: str, query: str = "") -> bytes:
        """Return what the index at `path` says now; raises LookupError if there is none."""
        found = self.find(tuple(path.split("/")), query)
        if not isinstance(found, Resource):
            raise LookupError(path)
        return found.body

    def find(self, segments: tuple[str, ...], query: str) -> Resource | int | None:
        """Return what is at a path: a resource, the status of an error, or None."""
        with self._lock:
            path = "/".join(segments)
            raw = self._raw.get((path, query), self._raw.get((path, None)))
            if raw is not None:
                return self._page(raw)
            match segments:
                case ("index.txt",):
                    return self._page(self._root())
                case (*_, "") if len(segments) <= 3:
                    return Resource(b"<html><body><h1>Data Store</h1></body></html>\n", "text/html", static=False)
                case (product, "index.txt"):
                    return self._product_page(self._products.get(product), "" if self.static else query)
                case (product, fileset, "index.txt"):
                    return self._fileset_page(self._fileset(product, fileset))
                case (product, fileset, file):
                    return _data(self._fileset(product, fileset), file)
        return None

    def _page(self, text: bytes | str) -> Resource:
        body = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        if self.static:
            return Resource(body, "text/plain", etag=f'"{_md5(body)}"', modified=_seconds(LONG_AGO))
        return Resource(body, "text/plain", static=False)

    def _fileset(self, product: str, name: str) -> _Fileset | None:
        found = self._products.get(product)
        return found.filesets.get(name) if found else None

    def _root(self) -> str:
        rows = []
        for name, product in self._products.items():
            latest = list(product.shown().items())[-1:]
            recent, when = (latest[0][0], latest[0][1].registered) if latest else ("none", LONG_AGO)
            if not product.hidden:
                rows.append(((name, recent, when, product.type, product.description), Columns()))
        return index(PRODUCT_COLUMNS, rows)

    def _product_page(self, product: _Product | None, cursor: str) -> Resource | int | None:
        if product is None:
            return None
        if cursor and cursor not in product.filesets:
            if self.unknown_cursor != "whole":
                return self._page("\n") if self.unknown_cursor == "blank" else int(self.unknown_cursor)
            cursor = ""
        names = list(product.filesets)
        newer = names[names.index(cursor) + 1 :] if cursor else names
        further = list(dict.fromkeys(key for fileset in product.filesets.values() for key in fileset.columns))
        rows = []
        for name in newer:
            fileset = product.filesets[name]
            if not fileset.hidden:
                columns = {key: fileset.columns.get(key) for key in further}
                rows.append(((name, fileset.registered, fileset.type), columns))
        return self._page(index(FILESET_COLUMNS, rows, further))

    def _fileset_page(self, fileset: _Fileset | None) -> Resource | None:
        if fileset is None:
            return None
        rows = [(file.cells(name), file.columns) for name, file in fileset.files.items() if file.listed]
        return self._page(index(FILE_COLUMNS, rows))


def _data(fileset: _Fileset | None, name: str) -> Resource | None:
    file = fileset.files.get(name) if fileset else None
    if fileset is None or file is None or not file.served:
        return None
    if name.endswith(".txt"):
        return Resource(file.content, "text/plain", static=False)
    tag = f'"{file.digest[:16]}-{file.revision}"'
    return Resource(file.content, etag=tag, modified=_seconds(fileset.registered) + file.revision)


def _seconds(text: str) -> float:
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 0.0
