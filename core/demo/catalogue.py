"""The demo's catalogue: synthetic, growing, and the same for the same seed."""

from __future__ import annotations

import hashlib
import random
import threading
from dataclasses import dataclass, field

from core.demo import pages
from core.demo.series import (
    FIELD_COLUMNS,
    RUN_COLUMNS,
    PlannedFile,
    PlannedFileset,
    Series,
    deep_fields,
    differences,
    exposures,
    stacks,
)

SPACING = 420
"""Seconds between the registrations of the first filesets; each time two are registered within one second."""
HIDDEN_PRODUCT = "mops-diff-200910"


@dataclass(slots=True)
class Product:
    """A named series of filesets, those registered so far by name in the order of their registration."""

    name: str
    description: str
    series: Series | None
    columns: tuple[str, ...] = RUN_COLUMNS
    hidden: bool = False
    filesets: dict[str, Fileset] = field(default_factory=dict)


@dataclass(slots=True)
class Fileset:
    """A registered fileset; `registered` is in seconds since the epoch."""

    plan: PlannedFileset
    registered: int
    sums: dict[str, tuple[int, str]] = field(default_factory=dict)

    def sum(self, file: PlannedFile) -> tuple[int, str]:
        """Return size and MD5 of a file, from its bytes when they are asked for first."""
        if file.name not in self.sums:
            content = file.make()
            self.sums[file.name] = len(content), hashlib.md5(content, usedforsecurity=False).hexdigest()
        return self.sums[file.name]


@dataclass(frozen=True, slots=True)
class ServedFile:
    """What a server needs to serve one file; `modified` is in seconds since the epoch."""

    content: bytes
    digest: str
    modified: int


def _products() -> list[Product]:
    return [
        Product("gpc1-dist-200904", "GPC1 distribution, April 2009", exposures),
        Product("threepi-all-200908", "3 pi survey, all stages", exposures),
        Product("md-all-rel-200907", "Medium deep fields, release of July 2009", deep_fields, FIELD_COLUMNS),
        Product("md-stack-200909", "Medium deep stacks", stacks),
        Product("sas-diff-200910", "Small area survey, difference images", differences),
        Product("ps1-empty-200912", "Nothing here yet", None),
        Product(HIDDEN_PRODUCT, "For the moving objects group", differences, hidden=True),
    ]


class Catalogue:
    """Products with `filesets` filesets each, the newest registered at `now` (seconds since the epoch).

    Use from any thread. Bytes and digests of files are made when they are asked for.
    """

    def __init__(self, seed: int, filesets: int, now: float) -> None:
        self._seed = seed
        self._draw = random.Random(seed)  # noqa: S311 - synthetic, and the same each time
        self._started = int(now)
        self._products = {product.name: product for product in _products()}
        self._lock = threading.Lock()
        for product, series in self._growing():
            for place in range(filesets):
                self._register(product, series, now - SPACING * ((filesets - 1 - place) // 2))

    def grow(self, now: float) -> tuple[str, str]:
        """Register one more fileset at `now`; return the names of its product and of itself."""
        product, series = self._draw.choice(self._growing())
        return product.name, self._register(product, series, now)

    def root(self) -> str:
        """Return the index of the products that are not hidden."""
        with self._lock:
            rows: list[pages.Row] = [
                (self._product_cells(product), {}) for product in self._products.values() if not product.hidden
            ]
        return pages.index(pages.PRODUCT_COLUMNS, rows)

    def filesets(self, product: str, cursor: str = "") -> str | None:
        """Return the index of the filesets registered after `cursor`; None if there is no such product.

        A cursor that is not known gets one blank line, as from the real server.
        """
        if (found := self._products.get(product)) is None:
            return None
        with self._lock:
            listed = list(found.filesets.values())
        names = [fileset.plan.name for fileset in listed]
        if cursor and cursor not in names:
            return "\n"
        newer = listed[names.index(cursor) + 1 :] if cursor else listed
        rows = [((each.plan.name, pages.utc(each.registered), "IPP-DIST"), each.plan.columns) for each in newer]
        return pages.index(pages.FILESET_COLUMNS, rows, found.columns)

    def files(self, product: str, fileset: str) -> str | None:
        """Return the index of a fileset's files, or None if there is no such fileset."""
        if (found := self._fileset(product, fileset)) is None:
            return None
        rows: list[pages.Row] = []
        for file in found.plan.files:
            size, digest = found.sum(file)
            rows.append(((file.name, str(size), digest, file.type), file.columns))
        return pages.index(pages.FILE_COLUMNS, rows)

    def file(self, product: str, fileset: str, name: str) -> ServedFile | None:
        """Return a file's bytes, or None if there is no such file."""
        found = self._fileset(product, fileset)
        planned = next((file for file in found.plan.files if file.name == name), None) if found else None
        if found is None or planned is None:
            return None
        return ServedFile(planned.make(), found.sum(planned)[1], found.registered)

    def _growing(self) -> list[tuple[Product, Series]]:
        return [(product, product.series) for product in self._products.values() if product.series is not None]

    def _register(self, product: Product, series: Series, now: float) -> str:
        with self._lock:
            plan = series(f"{self._seed}/{product.name}", len(product.filesets))
            product.filesets[plan.name] = Fileset(plan, int(now))
        return plan.name

    def _fileset(self, product: str, fileset: str) -> Fileset | None:
        found = self._products.get(product)
        return found.filesets.get(fileset) if found else None

    def _product_cells(self, product: Product) -> tuple[str, ...]:
        latest = next(reversed(product.filesets.values()), None)
        name, when = (latest.plan.name, latest.registered) if latest else ("none", self._started)
        return product.name, name, pages.utc(when), "ipp-dist", product.description
