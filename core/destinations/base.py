"""What every kind of destination offers to the engine. Its methods block: call them in a thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from core.model import Finding

Gate: TypeAlias = Callable[[int], bool]
"""Told how many bytes were read; may take its time, and answers whether to go on."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A file that a fileset is to hold; `kept` bytes of it may already be in staging, to be continued.

    `staged` tells that it was recorded as complete, and `ctime` when its inode was last changed, in ns: it need not be
    read again if it was not changed since. `blake3` is known of one that was staged or published before.
    """

    id: int
    name: str
    size: int
    digest: str | None
    staged: bool
    kept: int
    ctime: int | None = None
    blake3: str | None = None


class Adopted(NamedTuple):
    """A file that is complete and verified; `ctime` tells when its inode was last changed, in ns."""

    blake3: str
    ctime: int | None = None


@dataclass(slots=True)
class Found:
    """What is there of a fileset already.

    `adopted` files are complete, verified and in staging; `lost` ones were believed to be staged and are not; `kept`
    tells how many bytes of a file can be continued. With `in_place` the whole fileset stands, verified, at its final
    place.
    """

    adopted: dict[int, Adopted] = field(default_factory=dict)
    lost: list[int] = field(default_factory=list)
    kept: dict[int, int] = field(default_factory=dict)
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A fileset's staging area and final place."""

    fileset_id: int
    product: str
    fileset: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A complete fileset, flushed and ready to appear; `inode` identifies its directory across a crash."""

    place: Place
    inode: str
    in_place: bool


@dataclass(slots=True)
class Verified:
    """What came of reading a published fileset again.

    `blake3` has those of files that were proven by the catalogue's digest, or by none, for want of one of our own.
    """

    files: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    blake3: dict[int, str] = field(default_factory=dict)


class Destination(Protocol):
    """Where published filesets live. Every method may raise DiskError."""

    @property
    def device(self) -> int:
        """Which disk it is on, while it is open: destinations of the same number share their free space."""

    @property
    def folds(self) -> bool:
        """Tell, while it is open, whether names are one there that differ only in case or in Unicode's spelling."""

    def open(self) -> None:
        """Make the destination ready and lock it, unless it is. Raises LeaseHeld if another engine uses it.

        One that was displaced is opened anew.
        """

    def leave(self) -> None:
        """Give the lock back, to open it anew; what other threads are about to do at the place as it was may end."""

    def close(self) -> None:
        """Give back locks and descriptors."""

    def marker(self) -> str | None:
        """Return what tells this place from any other, be it open or not; None if nothing does, or nothing is there."""

    def mark(self, marker: str) -> None:
        """Make this place known by `marker`."""

    def others(self) -> list[str]:
        """Return what is there of other state files that have published here."""

    def drop_others(self) -> None:
        """Remove what other state files have left that was not published."""

    def demand_in_place(self) -> None:
        """Raise DiskError if what is open is displaced: not what stands at its path any more."""

    def space(self) -> tuple[int, int]:
        """Return the bytes that are free for us, and the total."""

    def stage(self, place: Place) -> bool:
        """Make the staging directory of a fileset; tell whether there is nothing of it anywhere yet."""

    def area(self, fileset_id: int) -> int:
        """Open the staging directory of a fileset; the descriptor is the caller's."""

    def inspect(self, place: Place, expected: Sequence[Expected]) -> Found:
        """Verify what is there of a fileset, in staging or at its final place, and adopt what is right."""

    def seal(self, place: Place, index: Iterable[bytes], files: int, in_place: bool) -> Sealed:
        """Complete a staged fileset with its index; refuse one in which there are not so many files."""

    def flush(self, sealed: Iterable[Sealed]) -> None:
        """Bring sealed filesets to disk, as the durability policy demands; drop those of which that failed."""

    def publish(self, sealed: Sealed) -> None:
        """Make a sealed fileset visible at its final place, in one step; what it replaces is set aside."""

    def clear(self, place: Place) -> None:
        """Clear away what a fileset that stands has replaced; if that can't be done, it stays for later."""

    def replaced(self) -> list[int]:
        """Return the filesets that have replaced something which is not cleared away yet."""

    def settle(self, products: Iterable[str]) -> None:
        """Bring the publications below `products` to disk."""

    def folder_stamps(self, products: Sequence[str]) -> list[str | None]:
        """Return what tells whether anything was added to, or taken from, the folders of products; None: not there."""

    def standing(self, product: str, filesets: Iterable[str]) -> dict[str, str]:
        """Return what identifies the directories (device:inode:mtime) of those filesets that stand at their places."""

    def lacks(self, place: Place, expected: Sequence[Expected]) -> Finding | None:
        """Return what a published fileset lacks at first sight: a file that is not there, or has another size."""

    def is_published(self, place: Place, inode: str) -> bool:
        """Tell, after a crash, whether the directory that was about to appear did; what it replaced is set aside."""

    def verify(self, place: Place, expected: Sequence[Expected], index: Iterable[bytes], gate: Gate) -> Verified:
        """Read a published fileset again, and compare. Raises Stopped when `gate` says so."""

    def strangers(self, product: str, known: Collection[str]) -> list[str]:
        """Return the entries below a product that are none of its `known` filesets."""

    def tidy(self, known: Collection[int]) -> None:
        """Clear what is in staging and can be no area: what none of the `known` filesets replaced, and strangers."""

    def areas(self) -> list[int]:
        """Return the filesets that have a staging area."""

    def drop(self, fileset_id: int) -> None:
        """Remove the staging area of a fileset."""

    def write_index(self, product: str | None, lines: Iterable[bytes]) -> str:
        """Replace the index of a product, or with None that of the root, in one step; return its stamp."""

    def index_stamps(self, products: Sequence[str | None]) -> list[str]:
        """Return the stamps of published indexes: another one than when it was written tells that it was changed."""

    def verify_index(self, product: str | None, lines: Iterable[bytes]) -> list[Finding]:
        """Compare the index of a product, or with None that of the root, with what it should be."""
