"""Operators: each gives the commands that fit what is there, in the state as a dashboard does, or by the program."""

from __future__ import annotations

from core.model import CommandKind as Kind
from core.store.commands import Target
from tests.soak.cast import Actor, Book
from tests.soak.place import Place
from tests.whole.service import seen

PATIENCE = 120.0
DONE_OR_REFUSED = {0, 2}
FITTING: dict[str, tuple[Kind, ...]] = {
    "held": (Kind.RELEASE, Kind.RELEASE, Kind.CANCEL),
    "cancelled": (Kind.REQUEUE,),
    "published": (Kind.VERIFY,),
}
ON_OPEN = (Kind.HOLD, Kind.CANCEL, Kind.NOW, Kind.PRIORITY, Kind.PRIORITY, Kind.MOVE)
VALUES = {Kind.PRIORITY: ("+1", "-1", "7"), Kind.MOVE: ("top", "up", "down")}
SOME = """
    SELECT m.name || '/' || p.name || '/' || s.name, s.state, s.trouble
    FROM filesets s JOIN products p ON p.id = s.product_id JOIN mirrors m ON m.id = p.mirror_id
    WHERE s.state IN ('held', 'cancelled', 'published', 'queued', 'transferring', 'discovered')
    ORDER BY s.state = 'published', random() LIMIT 4"""
BY_PROGRAM: tuple[tuple[tuple[str, ...], set[int]], ...] = (
    (("status", "--json"), {0}),
    (("failures",), {0}),
    (("retry", "--all"), DONE_OR_REFUSED),
    (("poll",), DONE_OR_REFUSED),
    (("verify", "--sample", "5%", "--quiet"), {0, 2, 7, 143}),
    (("backup", "--force", "{beside}/copy.db"), {0}),
    (("pause", "--product", "p1"), DONE_OR_REFUSED),
    (("resume", "--product", "p?"), DONE_OR_REFUSED),
    (("limit", "transfers=3"), {0}),
    (("limit", "transfers="), {0}),
)
"""Commands of the program, and what they may end with.

A verification may be the engine itself, and be told to make way for another. It finds no damage, for there is none.
"""
RESUME_SECONDS = 15.0
"""Nothing stays paused or ignored for longer, whoever wished it."""


class Operators(Actor):
    """Gives commands at a place."""

    def __init__(self, book: Book, seed: int, place: Place, pause: tuple[float, float]):
        super().__init__(f"operators of {place.name}", book, seed, pause)
        self._place = place
        self._resumed = 0.0

    def act(self) -> None:
        """Give one command, or a few on filesets that are there."""
        if not seen(self._place.site, "SELECT 1 FROM mirrors"):
            return
        if self.book.elapsed - self._resumed > RESUME_SECONDS:
            self._resumed = self.book.elapsed
            self._resume()
        self.chance.choices((self._on_filesets, self._on_all, self._by_program), (7, 1, 2))[0]()

    def _resume(self) -> None:
        """Take back what stops everything, or whole products."""
        self._wish(Kind.RESUME, Target())
        self._wish(Kind.RESUME, Target(product="p?"))
        self._wish(Kind.RETRY, Target())
        for (product,) in seen(self._place.site, "SELECT name FROM products WHERE wish = 'ignore'"):
            self._wish(Kind.MIRROR, Target(product=product))

    def _on_filesets(self) -> None:
        for name, state, trouble in seen(self._place.site, SOME):
            kind = Kind.RETRY if trouble else self.chance.choice(FITTING.get(state, ON_OPEN))
            value = self.chance.choice(VALUES[kind]) if kind in VALUES else "" if kind is Kind.VERIFY else None
            self._wish(kind, Target(filesets=(name,), value=value))

    def _on_all(self) -> None:
        """Pause everything, or a product; see what is new; try all again."""
        kind = self.chance.choice((Kind.PAUSE, Kind.POLL, Kind.RETRY))
        product = self.chance.choice((None, "p0", "p2")) if kind is Kind.PAUSE else None
        self._wish(kind, Target(product=product))

    def _wish(self, kind: Kind, target: Target) -> None:
        self._place.mirror.wish(kind, target)
        self.book.count(f"command {kind}")

    def _by_program(self) -> None:
        arguments, codes = self.chance.choice(BY_PROGRAM)
        process = self._place.start(*(one.format(beside=self._place.beside) for one in arguments))
        try:
            code = process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        self.book.count(f"mirrortui {arguments[0]}")
        if code not in codes:
            self.book.complain(f"mirrortui {' '.join(arguments)} at {self._place.name} ended with {code}")
