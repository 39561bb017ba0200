"""What a command hits: the marked rows, else the row under the cursor, else the subject of the details."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.model import CommandKind
from core.store import operate
from core.store.database import Database
from core.store.operate import NothingMatches, refusals
from core.store.screens import (
    FailureLine,
    FilesetDetails,
    ProductDetails,
    failed_filesets,
    failure_lines,
    failures_of,
    products_of,
    whole_names,
)
from core.units import counted
from tui.keymap import label
from tui.panes import products
from tui.screens.confirm import NAMED

if TYPE_CHECKING:
    from tui.app import Dashboard
    from tui.screens.main import MainScreen

NOUNS = ("fileset", "product", "mirror", "refused row")
NAMES_AT_A_TIME = 2000
OF_PRODUCTS = frozenset({CommandKind.RETRY, CommandKind.VERIFY})
"""What means nothing to a mirror of which no product is mirrored."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One row that a command is about: its name in full, and what the engine is told."""

    name: str
    product: str
    mirror: str
    fileset: str | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class Filesets:
    """Filesets that are hit: how many, the whole names of the first NAMED, and a way to read those of all.

    There may be a hundred thousand; a question tells their number, and names few.
    """

    number: int
    first: Sequence[str]
    names: Callable[[], Awaitable[Sequence[str]]]
    why: str = ""
    """Why there are no others, in short."""


class Hits:
    """Finds what is hit on the main screen."""

    def __init__(self, app: Dashboard, main: MainScreen):
        self._app = app
        self._main = main

    def keys(self) -> list[Hashable]:
        """Return the keys of the marked rows, from top to bottom, else that of the cursor's."""
        table = self._main.tables.get(self._main.pane)
        if table is None:
            return []
        return table.marked_in_order() or ([table.cursor_key] if table.cursor_key is not None else [])

    def some(self) -> bool:
        """Tell whether there is anything to hit."""
        if self._main.pane == "details":
            return bool(self._subject())
        table = self._main.tables.get(self._main.pane)
        return table is not None and table.cursor_key is not None

    def uncertain(self) -> bool:
        """Tell whether the row of the cursor would be hit, and has just taken the place of another."""
        main = self._main
        table = main.tables.get(main.pane)
        return table is not None and not table.marked_in_order() and main.lists.just_slipped(main.pane)

    def a_fileset(self) -> bool:
        """Tell whether the details are, or would be, about a fileset."""
        subject = self._main.subject
        return subject is not None and subject.noun == "fileset"

    async def found(self, keys: Sequence[Hashable] | None = None) -> list[Hit]:
        """Return what the marked rows, or that of the cursor, stand for; the same thing once."""
        main, chosen = self._main, list(self.keys() if keys is None else keys)
        if main.pane == "details":
            return self._subject()
        if main.pane == "products":
            found = [Hit(mirror.name, "", mirror.name) for mirror in main.lists.mirror_lines(chosen)]
            found += [
                Hit(f"{line.mirror}/{line.name}", line.name, line.mirror) for line in main.lists.product_lines(chosen)
            ]
        elif main.pane == "failed":
            found = await self._failed(chosen)
        else:
            found = [of_name(name) for name in await (await self._of_queue(_ids(chosen))).names()]
        return _once(found)

    async def filesets(self, kind: CommandKind, keys: Sequence[Hashable] | None = None) -> Filesets:
        """Return the filesets among what is hit that a command of this kind can be carried out on."""
        if self._main.pane != "queue":
            found, why = await self.fitting(kind, [hit for hit in await self.found(keys) if hit.fileset is not None])
            return _known(names(found), why)
        ids = _ids(self.keys() if keys is None else keys)
        fitting = await self._app.reading(lambda db: operate.fitting(db, ids, kind))
        if fitting or not ids:
            return await self._of_queue(fitting)
        one = await self._of_queue(ids[:1])
        _, why = await self.fitting(kind, list(map(of_name, one.first)))
        return _known((), why + _more(len(ids) - 1))

    async def products(self) -> tuple[list[Hit], bool]:
        """Return the products of what is hit, and mirrors as they are, each once; and whether filesets were hit."""
        if self._main.pane == "queue":
            ids = _ids(self.keys())
            found = await self._app.reading(lambda db: products_of(db, ids))
            return [Hit(f"{mirror}/{product}", product, mirror) for mirror, product in found], True
        hits = await self.found()
        return of_products(hits), any(hit.fileset is not None for hit in hits)

    async def _of_queue(self, ids: Sequence[int]) -> Filesets:
        first = await self._app.reading(lambda db: whole_names(db, ids[:NAMED]))
        if len(ids) <= NAMED:
            return _known(first)

        async def all_names(db: Database) -> list[str]:
            found: list[str] = []
            for at in range(0, len(ids), NAMES_AT_A_TIME):
                found += await whole_names(db, ids[at : at + NAMES_AT_A_TIME])
            return found

        return Filesets(len(ids), first, lambda: self._app.reading(all_names))

    async def fitting(self, kind: CommandKind, hits: Sequence[Hit]) -> tuple[list[Hit], str]:
        """Return those of `hits` that a command of this kind can be carried out on, and why not the others, in short.

        Of filesets the state is asked; of products and mirrors the screen tells.
        """
        filesets = names(hits)
        try:
            refused = await self._app.reading(lambda db: refusals(db, filesets, kind)) if filesets else {}
        except NothingMatches as error:
            return [], str(error)
        refused |= self._refusals(kind, hits)
        why = next(iter(refused.values()), "").removeprefix("fileset ")
        return [hit for hit in hits if hit.name not in refused], why + _more(len(refused) - 1)

    def _refusals(self, kind: CommandKind, hits: Iterable[Hit]) -> dict[str, str]:
        """Return why a command can't be carried out on some of these products and mirrors, by name."""
        snapshot = self._main.snapshot
        if kind is CommandKind.POLL:
            paused, pause = products.paused(snapshot), label(self._main.keymap["pause"][0])
            return {hit.name: f"{hit.name!r} is paused: {pause} resumes it" for hit in hits if hit.name in paused}
        bare = {mirror.name for mirror in products.bare_mirrors(snapshot)} if kind in OF_PRODUCTS else set()
        return {hit.name: self.without_product(hit.name) for hit in hits if hit.name in bare}

    def without_product(self, mirror: str) -> str:
        """Say that no product of a mirror is mirrored, and what can be done with it."""
        pause, poll = (label(self._main.keymap[id][0]) for id in ("pause", "poll"))
        return f"no product of {mirror!r} is mirrored: {poll} looks at its source, {pause} pauses or resumes it"

    def _subject(self) -> list[Hit]:
        if (mirror := self._main.mirror) is not None:
            return [Hit(mirror.name, "", mirror.name)]
        match self._main.snapshot.details:
            case ProductDetails(line=line):
                return [Hit(f"{line.mirror}/{line.name}", line.name, line.mirror)]
            case FilesetDetails(line=fileset):
                return [Hit(fileset.whole, fileset.product, fileset.mirror, fileset.whole, fileset.state)]
        return []

    def acceptable(self) -> bool:
        """Tell whether any of it is in quarantine with evidence that can be accepted."""
        main, keys = self._main, self.keys()
        if main.pane == "failed":
            lines, groups = main.lists.failure_lines(keys), main.lists.groups(keys)
            return any(line.acceptable for line in lines) or any(group.acceptable for group in groups)
        details = main.snapshot.details
        return isinstance(details, FilesetDetails) and details.acceptable

    async def evidence(self) -> list[FailureLine]:
        """Return those failures of it that can be accepted."""
        main, keys = self._main, self.keys()
        details = main.snapshot.details
        if main.pane == "failed":
            found = main.lists.failure_lines(keys)
            if groups := [group.key for group in main.lists.groups(keys)]:
                found = [*found, *await self._app.reading(lambda db: failure_lines(db, like=self._like, groups=groups))]
        elif isinstance(details, FilesetDetails):
            fileset = details.line.id
            found = await self._app.reading(lambda db: failures_of(db, fileset))
        else:
            found = []
        return list({line.key: line for line in found if line.acceptable}.values())

    @property
    def _like(self) -> str:
        return self._main.preferences.filters.get("failed", "")

    async def all_failed(self) -> list[Hit]:
        """Return all that failed and that the filter lets through."""
        return _once(map(of_failure, await self._app.reading(lambda db: failed_filesets(db, self._like))))

    async def _failed(self, keys: Sequence[Hashable]) -> list[Hit]:
        lines = self._main.lists.failure_lines(keys)
        if groups := [group.key for group in self._main.lists.groups(keys)]:
            lines = [*lines, *await self._app.reading(lambda db: failed_filesets(db, self._like, groups))]
        return [of_failure(line) for line in lines]


def _ids(keys: Iterable[Hashable]) -> list[int]:
    return [key for key in keys if isinstance(key, int)]


def _known(found: Sequence[str], why: str = "") -> Filesets:
    async def all_names() -> Sequence[str]:
        return found

    return Filesets(len(found), found[:NAMED], all_names, why)


def _more(number: int) -> str:
    return f", and {number:,} more" if number > 0 else ""


def _once(hits: Iterable[Hit]) -> list[Hit]:
    return list({hit.name: hit for hit in hits}.values())


def names(hits: Sequence[Hit]) -> list[str]:
    """Return the whole names of the filesets among `hits`."""
    return [hit.fileset for hit in hits if hit.fileset is not None]


def of_failure(line: FailureLine) -> Hit:
    """Return what a failure is about."""
    known = line.fileset_id is not None
    return Hit(line.whole, line.product or "", line.mirror, line.whole if known else None)


def of_name(whole: str) -> Hit:
    """Return the fileset of this whole name."""
    mirror, product, _ = whole.split("/", 2)
    return Hit(whole, product, mirror, whole)


def of_products(hits: Iterable[Hit]) -> list[Hit]:
    """Return the products of what is hit, and mirrors as they are; each once."""
    return _once(Hit("/".join(filter(None, (hit.mirror, hit.product))), hit.product, hit.mirror) for hit in hits)


def amount(hits: Iterable[Hit]) -> str:
    """Return how much is hit, in words: ``"34 filesets and 1 product"``."""
    nouns = Counter(map(_noun, hits))
    return " and ".join(counted(nouns[noun], noun) for noun in NOUNS if nouns[noun])


def _noun(hit: Hit) -> str:
    if hit.fileset is not None:
        return "fileset"
    if hit.name == f"{hit.mirror}/{hit.product}":
        return "product"
    return "mirror" if hit.name == hit.mirror else "refused row"


def literal(name: str) -> str:
    """Return a glob that matches this name alone."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)
