"""What the source offers, what is wrong with it, and all that it ever served."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from tests.servers.datastore import DataStore, Fault

FILES = {"a.fits": 900, "b.fits": 40_000}
"""The files of each fileset, and their sizes: one is fetched plainly, the other can be continued."""
FIRST_DAY = 1_790_000_000

FAULTS = {
    "missing": Fault.status(404),
    "failing": Fault.status(503),
    "reset": Fault.reset(after=400),
    "cut": Fault.truncate(after=400),
    "flipped": Fault.flip(100),
}
PASSING = ("failing", "reset", "cut")
"""What a second try cures."""


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def rows(index: bytes) -> list[list[str]]:
    """Return the cells of an index, row by row; written apart from what is tested."""
    lines = [line for line in index.decode().split("\n") if line and not line.startswith("#")]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


@dataclass
class Offer:
    """A fileset as upstream has it. Once it was `hidden`, only a whole list is sure to tell of it."""

    registered: int
    files: dict[str, bytes]
    hidden: bool = False
    ever_hidden: bool = False


class Upstream:
    """The Data Store, changed step by step."""

    def __init__(self, store: DataStore, files: Mapping[str, int] = FILES):
        self.products: dict[str, dict[str, Offer]] = {}
        self.passing: set[str] = set()
        """Paths that may fail once."""
        self.changed: set[tuple[str, str]] = set()
        """Filesets that are not what they were when they were registered."""
        self._untold: set[tuple[str, str, str]] = set()
        self._lasting: dict[str, str] = {}
        self._served: defaultdict[str, set[str]] = defaultdict(set)
        self._store = store
        self._files = files
        self._numbers = count(1)

    # What changes.

    def add_product(self, product: str) -> None:
        if product not in self.products:
            self.products[product] = {}
            self._store.add_product(product)

    def register(self, product: str, fileset: str) -> None:
        """Register a fileset, or register it again with other content."""
        self.add_product(product)
        offers = self.products[product]
        self.changed.discard((product, fileset))
        self._untold -= {(product, fileset, file) for file in self._files}
        again = offers.pop(fileset, None) is not None
        offer = Offer(
            FIRST_DAY + next(self._numbers), {name: self._content(size) for name, size in self._files.items()}
        )
        offers[fileset] = offer
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(offer.registered))
        if again:
            self._store.register_again(product, fileset, offer.files, when)
        else:
            self._store.add_fileset(product, fileset, offer.files, when)
        for name in self._files:
            self._serves(product, fileset, name)

    def withdraw(self, product: str, fileset: str) -> None:
        if self.offer(product, fileset):
            del self.products[product][fileset]
            self._store.withdraw(product, fileset)

    def empty(self, product: str) -> None:
        for fileset in list(self.products.get(product, ())):
            self.withdraw(product, fileset)

    def hide(self, product: str, fileset: str, hidden: bool) -> None:
        if offer := self.offer(product, fileset):
            offer.hidden, offer.ever_hidden = hidden, True
            (self._store.hide if hidden else self._store.show)(product, fileset)

    def change(self, product: str, fileset: str, file: str, told: bool) -> None:
        """Serve another file of the same size without registering it anew, and tell of it in the index or not."""
        if offer := self.offer(product, fileset):
            self.changed.add((product, fileset))
            (self._untold.discard if told else self._untold.add)((product, fileset, file))
            offer.files[file] = self._content(self._files[file])
            self._store.replace_file(product, fileset, file, offer.files[file], update_index=told)
            self._serves(product, fileset, file)

    def break_(self, path: str, fault: str) -> None:
        """Let every request for a path go wrong in one way, until it is healed."""
        self.heal(path)
        self._lasting[path] = fault
        self._store.fault(path, FAULTS[fault], times=None)
        parts = path.split("/")
        if parts[-1] in self._files and self.offer(parts[0], parts[1]):
            self._serves(*parts)

    def break_once(self, path: str, fault: str) -> None:
        if path not in self._lasting and path not in self.passing:
            self.passing.add(path)
            self._store.fault(path, FAULTS[fault])

    def heal(self, path: str = "*") -> None:
        self._store.heal(path)
        for gone in [path] if path != "*" else list(self._lasting):
            self._lasting.pop(gone, None)
        self.passing -= {path} if path != "*" else self.passing.copy()

    def tell(self) -> None:
        """Let the indexes tell the truth again."""
        for product, fileset, file in sorted(self._untold):
            self.change(product, fileset, file, told=True)
        self._untold.clear()

    # What there is.

    def offer(self, product: str, fileset: str) -> Offer | None:
        return self.products.get(product, {}).get(fileset)

    def listed(self, product: str) -> dict[str, Offer]:
        """Return what the index of a product lists, in the order of registration."""
        return {name: offer for name, offer in self.products.get(product, {}).items() if not offer.hidden}

    def lists(self, product: str) -> bool:
        """Tell whether the index of a product can be had."""
        return f"{product}/index.txt" not in self._lasting

    def index(self, product: str, fileset: str) -> bytes | None:
        """Return the index of a fileset, if it can be had."""
        path = f"{product}/{fileset}/index.txt"
        known = self.offer(product, fileset) is not None and path not in self._lasting
        return self._store.index(path) if known else None

    def comes(self, product: str, fileset: str, file: str) -> str | None:
        """Return the digest of what comes when a file is asked for; None if it can't be had as a whole."""
        offer = self.offer(product, fileset)
        fault = self._lasting.get(f"{product}/{fileset}/{file}")
        if offer is None or fault not in (None, "flipped"):
            return None
        content = offer.files[file]
        return md5(content if fault is None else _flipped(content))

    def ever_served(self, path: str, digest: str) -> bool:
        return digest in self._served[path]

    def _serves(self, product: str, fileset: str, file: str) -> None:
        """Note what is served of a file, by a fault as well as in its absence."""
        offer = self.products[product][fileset]
        comes = self.comes(product, fileset, file)
        self._served[f"{product}/{fileset}/{file}"] |= {md5(offer.files[file]), *([comes] if comes else [])}

    def _content(self, size: int) -> bytes:
        return (b"%06d|" % next(self._numbers) * size)[:size]


def _flipped(content: bytes) -> bytes:
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]
