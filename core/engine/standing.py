"""What stands of a mirror at its destination, by the indexes there, and which of it is right."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain
from threading import Event, Lock

from core.destinations.base import Expected
from core.destinations.below import INDEX
from core.destinations.published import PublishedTree
from core.errors import DiskError, FailureKind, SourceError, Stopped
from core.model import ListedFile, ListedFileset, ListedProduct, Rejection
from core.names import unsafe_name
from core.sources.index_file import read_index
from core.sources.ipp import IndexListing
from core.sources.ipp_parse import FILES, FILESETS, PRODUCTS
from core.store.rebuilding import packed

TOLD_OF_FILESET = 10
"""Findings of one fileset that are told one by one."""
TOLD = 1000
"""Omissions of one mirror that are kept; the others are counted."""


@dataclass(frozen=True, slots=True)
class Omission:
    """Something below a destination that was not taken, and why; None stands for the whole of what is named."""

    product: str | None
    fileset: str | None
    file: str | None
    reason: str


@dataclass(slots=True)
class Omissions:
    """What was not taken of one mirror: the first of them, and how many there were."""

    told: list[Omission] = field(default_factory=list)
    count: int = 0

    def add(self, *found: Omission) -> None:
        """Note what was not taken."""
        self.count += len(found)
        self.told += found[: TOLD - len(self.told)]


@dataclass(frozen=True, slots=True)
class StandingProduct:
    """A product with its index, to be closed, and the names of all that is in its folder."""

    listing: IndexListing[ListedFileset]
    entries: set[str]


@dataclass(frozen=True, slots=True)
class StandingFileset:
    """A fileset whose files are right; `packed` are its file rows in windows, as the store takes them."""

    listed: ListedFileset
    files: int
    bytes: int
    published_at: float
    packed: list[str]


class Reading:
    """How far the reading of published trees has come; told from several threads, and the word to stop it."""

    def __init__(self) -> None:
        self.place = ""
        self.filesets = self.files = self.bytes = self.expected = 0
        """`filesets` of about `expected` of this place are done; files and bytes are those of all places."""
        self.stop = Event()
        self._lock = Lock()

    def enter(self, place: str, expected: int) -> None:
        """Begin with a product."""
        self.place, self.filesets, self.expected = place, 0, expected

    def gate(self, count: int) -> bool:
        """Count bytes that were read; tell whether to go on."""
        with self._lock:
            self.bytes += count
        return not self.stop.is_set()

    def done(self, files: int) -> None:
        """Count a fileset."""
        with self._lock:
            self.filesets += 1
            self.files += files


class TreeReader:
    """Reads the tree of one mirror. Every method blocks, and may be called from several threads."""

    def __init__(self, tree: PublishedTree, reading: Reading, *, by_size: bool):
        self._tree = tree
        self._reading = reading
        self._by_size = by_size

    def products(self, named: Collection[str]) -> tuple[list[ListedProduct], list[Omission]]:
        """Return the products of the root index, and those that it hides: `named` ones, or all if it is damaged.

        Raises DiskError if the root can't be read.
        """
        found, omitted, whole = self._listed_products()
        for name in sorted(self._tree.entries() - found.keys()):
            if unsafe_name(name):
                continue
            if name in named or (not whole and self._tree.has_index(name)):
                found[name] = ListedProduct(name)
            elif self._tree.has_index(name):
                omitted.append(Omission(name, None, None, "the root index does not list it"))
        return list(found.values()), omitted

    def _listed_products(self) -> tuple[dict[str, ListedProduct], list[Omission], bool]:
        """Return what the root index lists, what it should not, and whether it is whole."""
        found: dict[str, ListedProduct] = {}
        omitted: list[Omission] = []
        try:
            with self._tree.index() as (file, _), read_index(file, PRODUCTS) as listing:
                for row in chain.from_iterable(listing.batches()):
                    if isinstance(row, Rejection):
                        omitted.append(refused(None, row))
                    else:
                        found.setdefault(row.name, row)
        except (DiskError, SourceError) as error:
            omitted.append(Omission(None, None, None, _reason(error)))
            return found, omitted, False
        return found, omitted, True

    def product(self, name: str) -> StandingProduct | Omission:
        """Open the index of a product."""
        try:
            entries = self._tree.entries(name)
            with self._tree.index(name) as (file, _):
                return StandingProduct(read_index(file, FILESETS), entries)
        except (DiskError, SourceError) as error:
            return Omission(name, None, None, _reason(error))

    def fileset(self, product: str, listed: ListedFileset) -> StandingFileset | list[Omission]:
        """Return a fileset all of whose files are right, or why it can't be taken. Raises Stopped."""
        if self._reading.stop.is_set():
            raise Stopped
        try:
            with self._tree.index(product, listed.name) as (file, written), read_index(file, FILES) as listing:
                expected = list(_expected(listing))
                found = self._tree.verify(product, listed.name, expected, self._reading.gate, by_size=self._by_size)
                self._reading.done(found.files)
                if not found.findings:
                    rows = list(_packed(listing, found.blake3))
                    return StandingFileset(listed, found.files, found.bytes, written, rows)
        except (DiskError, SourceError) as error:
            self._reading.done(0)
            return [Omission(product, listed.name, None, _reason(error))]
        omitted = [Omission(product, listed.name, one.name, one.detail) for one in found.findings[:TOLD_OF_FILESET]]
        if more := len(found.findings) - len(omitted):
            omitted.append(Omission(product, listed.name, None, f"{more:,} more of its files are not right"))
        return omitted


def refused(product: str | None, row: Rejection) -> Omission:
    """Return what is told of a row of an index that is not usable."""
    return Omission(product, None, None, f"{INDEX}, line {row.line}: {row.name}: {row.reason}")


def _reason(error: DiskError | SourceError) -> str:
    return f"{INDEX}: {error.detail}" if isinstance(error, SourceError) else str(error)


def _expected(listing: IndexListing[ListedFile]) -> Iterator[Expected]:
    """Yield the files of a fileset, by their position. Raises SourceError at a row that we would not have written."""
    for position, row in enumerate(chain.from_iterable(listing.batches())):
        if isinstance(row, Rejection):
            raise SourceError(FailureKind.REJECTED, f"line {row.line}: {row.name}: {row.reason}")
        yield Expected(position, row.name, row.size, row.digest, staged=False, kept=0)


def _packed(listing: IndexListing[ListedFile], blake3: dict[int, str]) -> Iterator[str]:
    position = 0
    for batch in listing.batches():
        files = [row for row in batch if isinstance(row, ListedFile)]
        if files:
            yield packed((row, blake3.get(position + at)) for at, row in enumerate(files))
        position += len(files)
