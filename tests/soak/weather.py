"""What happens upstream: filesets appear, fail, heal, are withdrawn, hidden, and registered anew with other content."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.model.upstream import Upstream
from tests.servers.datastore import DataStore, Fault
from tests.soak.cast import Actor, Book

FILES = {"a.fits": 700, "b.fits": 12_000}
"""Small, so that there may be thousands."""
PRODUCTS = tuple(f"p{number}" for number in range(6))
BURST = 12
"""Filesets that are registered at once, at most."""
LONGEST_FAULT = 45.0
"""Seconds until what lasts is mended upstream; what it left behind is for operators."""

ON_FILES: dict[str, Callable[[], Fault]] = {
    "missing": lambda: Fault.status(404),
    "denied": lambda: Fault.status(403),
    "internal error": lambda: Fault.status(500),
    "unavailable": lambda: Fault.status(503),
    "too many": lambda: Fault.status(429, retry_after=1),
    "reset": lambda: Fault.reset(after=400),
    "refused": Fault.refuse,
    "cut": lambda: Fault.truncate(after=400),
    "stall": lambda: Fault.stall(after=300),
    "flipped": lambda: Fault.flip(100),
    "longer": lambda: Fault.longer(b"and more"),
    "longer than declared": lambda: Fault.longer(b"HTTP/1.1 200 OK\r\n\r\n", declared=False),
    "short": lambda: Fault.short_length(300),
    "compressed": Fault.gzip,
    "garbage": Fault.garbage,
    "half headers": Fault.half_headers,
    "slow headers": Fault.slow_headers,
    "slow": lambda: Fault.drip(2000.0, after=200),
    "late": lambda: Fault.delay(1.0),
    "no ranges": Fault.no_range,
    "elsewhere": lambda: Fault.redirect("http://127.0.0.1:9/nobody"),
}
ON_INDEXES: dict[str, Callable[[], Fault]] = {
    "missing": lambda: Fault.status(404),
    "unavailable": lambda: Fault.status(503),
    "reset": lambda: Fault.reset(after=20),
    "cut": lambda: Fault.truncate(after=20),
    "stall": lambda: Fault.stall(after=20),
    "page": lambda: Fault.replace(b"<html><body>We are sorry.</body></html>\n"),
    "empty": lambda: Fault.replace(b""),
    "garbage": Fault.garbage,
    "late": lambda: Fault.delay(2.0),
}


class Weather(Actor):
    """Changes what upstream offers, and how it serves it."""

    def __init__(self, book: Book, seed: int, store: DataStore, upstream: Upstream):
        super().__init__("weather", book, seed, (0.2, 1.6))
        self._store = store
        self._upstream = upstream
        self._number = 0
        self._mended_at: dict[str, float] = {}
        self._hidden: list[tuple[str, str]] = []

    def act(self) -> None:
        """One change, most often new filesets; what was broken for long enough heals."""
        self._mend()
        acts = [self._appear, self._again, self._withdraw, self._hide, self._show, self._break_product]
        self.chance.choices(acts, (10, 4, 1, 1, 1, 1))[0]()
        self._store.forget()

    def _appear(self) -> None:
        for _ in range(self.chance.randint(1, BURST)):
            self._number += 1
            self._register(self.chance.choice(PRODUCTS), f"f{self._number:05d}")
            self.book.count("filesets registered")

    def _again(self) -> None:
        for _ in range(self.chance.randint(1, BURST // 2)):
            if found := self._any():
                self._register(*found)
                self.book.count("filesets registered again")

    def _register(self, product: str, fileset: str) -> None:
        """Register a fileset; one of seven is broken from the start."""
        if self.chance.random() < 0.15:
            if self.chance.random() < 0.8:
                self._break(f"{product}/{fileset}/{self.chance.choice(sorted(FILES))}", ON_FILES)
            else:
                self._break(f"{product}/{fileset}/index.txt", ON_INDEXES)
        self._upstream.register(product, fileset)

    def _withdraw(self) -> None:
        for _ in range(self.chance.randint(1, 4)):
            if found := self._any():
                self._upstream.withdraw(*found)
                self.book.count("filesets withdrawn")
                if self.chance.random() < 0.3:
                    self._register(*found)
                    self.book.count("filesets registered again")

    def _hide(self) -> None:
        if found := self._any():
            self._upstream.hide(*found, hidden=True)
            self._hidden.append(found)

    def _show(self) -> None:
        while self._hidden:
            self._upstream.hide(*self._hidden.pop(), hidden=False)

    def _break_product(self) -> None:
        where = self.chance.choice(["index.txt", "p?/index.txt", *(f"{product}/index.txt" for product in PRODUCTS)])
        self._break(where, ON_INDEXES, longest=LONGEST_FAULT / 4)

    def _break(self, path: str, kinds: dict[str, Callable[[], Fault]], longest: float = LONGEST_FAULT) -> None:
        """Let requests for a path go wrong: a few of them, or all until it is mended."""
        self._store.heal(path)
        kind = self.chance.choice(sorted(kinds))
        times = self.chance.choice([1, 2, None])
        self._store.fault(path, kinds[kind](), times)
        self._mended_at[path] = time.monotonic() + self.chance.uniform(1.0, longest)
        self.book.count("faults")

    def _mend(self) -> None:
        for path in [path for path, when in self._mended_at.items() if when < time.monotonic()]:
            del self._mended_at[path]
            self._store.heal(path)

    def _any(self) -> tuple[str, str] | None:
        """Choose a fileset: of the newest, which are still on their way, as often as of all."""
        product = self.chance.choice(PRODUCTS)
        names = list(self._upstream.products.get(product, ()))
        if not names:
            return None
        return product, self.chance.choice(names[-20:] if self.chance.random() < 0.5 else names)
