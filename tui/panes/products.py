"""Products: all that the sources offer, where each stands, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.store.screens import MirrorLine, ProductLine
from core.text import display
from tui import format as fmt
from tui import states
from tui.format import Mark
from tui.snapshot import Snapshot
from tui.states import ProductState, late
from tui.widgets.table import Cell, Column, Row

COLUMNS = (
    Column("product", "product", 17, grow=True, tail=7),
    Column("state", "state", 11),
    Column("lag", "lag", 6, "right"),
    Column("limit", "sla", 6, "right", rank=4),
    Column("filesets", "filesets", 8, "right", rank=6),
    Column("left", "to go", 8, "right", rank=3),
    Column("rate", "B/s", 6, "right", rank=2),
    Column("eta", "eta", 6, "right", rank=1),
    Column("polled", "polled", 6, "right", rank=5),
)
SORTS = ("worst", "lag", "product", "state", "filesets", "left", "rate", "eta")
"""The columns by which one can sort, in the order in which the key goes through them."""

_MARKS: Mapping[str, Mark] = {
    mark.word: mark
    for mark in (
        Mark(".", ProductState.AVAILABLE, "dim"),
        Mark(".", ProductState.IGNORED, "dim"),
        Mark("x", ProductState.STOPPED, "bad"),
        Mark("=", ProductState.PAUSED, "warn"),
        Mark("!", ProductState.ALARM, "bad"),
        Mark("?", ProductState.UNLISTED, "bad"),
        Mark("?", ProductState.UNKNOWN, "warn"),
        Mark("!", ProductState.LAG, "bad"),
        Mark("x", ProductState.BLOCKED, "bad"),
        Mark("x", ProductState.FAILING, "warn"),
        Mark("x", ProductState.REFUSED, "warn"),
        Mark(">", ProductState.FETCHING, "accent"),
        Mark("~", ProductState.BEHIND, "accent"),
        Mark("=", ProductState.HELD, "warn"),
        Mark("+", ProductState.CURRENT, "good"),
    )
}
"""The glyph and the style of each state."""

NO_FIGURE = -1.0
"""Less than any figure."""

_PLACES: Mapping[str, int] = {state: place for place, state in enumerate(states.WORST)}

Rank: TypeAlias = Any
"""A figure, a text, or several: the same kind for all rows of one sorting."""


@dataclass(frozen=True, slots=True)
class ProductView:
    """How the products are to be shown."""

    sort: str = "worst"
    reverse: bool = False
    like: str = ""
    problems: bool = False
    available: bool = True


def mark(line: ProductLine, mirror: MirrorLine | None, limit: float | None) -> Mark:
    """Return where a product stands, the worst first."""
    return _MARKS[states.of_product(line, mirror, limit)]


def troubled(found: Mark) -> bool:
    """Tell whether an operator should look at it."""
    return found.style in {"bad", "warn"}


def mirror_of(snapshot: Snapshot, line: ProductLine) -> MirrorLine | None:
    """Return the mirror of a product."""
    mirrors = snapshot.overview.mirrors if snapshot.overview else ()
    return next((mirror for mirror in mirrors if mirror.name == line.mirror), None)


def title_of(line: ProductLine, several: bool) -> str:
    """Return the name of a product, with its mirror where there are `several`."""
    return display(f"{line.mirror}/{line.name}" if several else line.name)


def remaining(snapshot: Snapshot, line: ProductLine) -> float | None:
    """Return the seconds until a product is current, at the present rate; None if that can't be told.

    It can't where an index is unread, so that nobody knows its bytes, and where something is left and nothing moves.
    """
    if line.lag is None or line.unread or (line.backlog_filesets and not _moves(line, mirror_of(snapshot, line))):
        return None
    return fmt.eta(line.backlog_bytes, snapshot.rates.get(line.id, 0.0))


def _moves(line: ProductLine, mirror: MirrorLine | None) -> bool:
    """Tell whether a product is fetched, and goes on being fetched."""
    stands = mirror is not None and (mirror.paused or mirror.stopped or mirror.rest)
    return bool(line.active) and not line.paused and not stands


def bare_mirrors(snapshot: Snapshot) -> list[MirrorLine]:
    """Return the mirrors that are in trouble and have no mirrored product that could show it."""
    overview = snapshot.overview
    if overview is None:
        return []
    shown = {line.mirror for line in overview.products if line.selected}
    return [one for one in overview.mirrors if one.name not in shown and (one.stopped or one.error or one.paused)]


def paused(snapshot: Snapshot) -> set[str]:
    """Return the names of what an operator has paused: mirrors, and products with that of their mirror before it."""
    overview = snapshot.overview
    if overview is None:
        return set()
    mirrors = {one.name for one in overview.mirrors if one.paused}
    return mirrors | {f"{line.mirror}/{line.name}" for line in overview.products if line.paused}


def mirror_mark(mirror: MirrorLine) -> Mark:
    """Return where a mirror stands of which no product is mirrored."""
    if mirror.stopped:
        return _MARKS[ProductState.STOPPED]
    return _MARKS[ProductState.PAUSED if mirror.paused else ProductState.UNLISTED]


def mirror_reason(mirror: MirrorLine) -> str:
    """Say why a mirror stands as it does; empty if nothing is wrong with it."""
    if mirror.stopped:
        return mirror.stopped
    return f"paused {mirror.paused}" if mirror.paused else mirror.error or ""


def mirror_row(mirror: MirrorLine) -> Row:
    """Return the cells of a mirror of which no product is mirrored."""
    found = mirror_mark(mirror)
    return (Cell(f"{display(mirror.name)}/", "bold"), Cell(str(found), found.style), *(Cell("") for _ in COLUMNS[2:]))


def marks_of(snapshot: Snapshot, limits: Mapping[int, float | None]) -> dict[int, Mark]:
    """Return where all products stand, and the mirrors that have a row of their own, by the keys of their rows.

    `limits` are the seconds that each may lag.
    """
    if snapshot.overview is None:
        return {}
    mirrors = {mirror.name: mirror for mirror in snapshot.overview.mirrors}
    found = {line.id: mark(line, mirrors.get(line.mirror), limits[line.id]) for line in snapshot.overview.products}
    return found | {-mirror.id: mirror_mark(mirror) for mirror in bare_mirrors(snapshot)}


def keys(snapshot: Snapshot, view: ProductView, marks: Mapping[int, Mark]) -> list[int]:
    """Return the keys of the rows, in order: mirrored products and mirrors in trouble (their id, negative), others."""
    lines = snapshot.overview.products if snapshot.overview else ()
    rows = [
        *((line.selected, title_of(line, True), line.id, _rank(snapshot, line, view.sort, marks)) for line in lines),
        *((True, f"{one.name}/", -one.id, _rank_of_mirror(one, view.sort, marks)) for one in bare_mirrors(snapshot)),
    ]
    shown = [row for row in rows if _fits(row[1], view, marks[row[2]])]
    shown.sort(key=lambda row: row[1])
    shown.sort(key=lambda row: row[3], reverse=falls(view.sort, view.reverse))
    first = [key for mirrored, _, key, _ in shown if mirrored]
    return [*first, *(key for mirrored, _, key, _ in shown if not mirrored and view.available)]


def _fits(name: str, view: ProductView, found: Mark) -> bool:
    inverted = view.like.startswith("!")
    if view.like and (view.like.removeprefix("!").casefold() in name.casefold()) == inverted:
        return False
    return troubled(found) or not view.problems


def falls(sort: str, reverse: bool) -> bool:
    """Tell whether the highest comes first, as it does for figures, unless that is turned round."""
    return (sort not in {"product", "state"}) != reverse


def worst_of(keys: Sequence[int], marks: Mapping[int, Mark]) -> int | None:
    """Return the first of the rows that stand worst; None if there are no rows."""
    return min(keys, key=lambda key: _PLACES[marks[key].word], default=None)


def _rank(snapshot: Snapshot, line: ProductLine, sort: str, marks: Mapping[int, Mark]) -> Rank:
    return _RANKS[sort](snapshot, line, marks[line.id].word)


_RANKS: Mapping[str, Callable[[Snapshot, ProductLine, str], Rank]] = {
    "worst": lambda _snapshot, line, word: (-_PLACES[word], _or_endless(line.lag)),
    "product": lambda _snapshot, line, _word: line.name,
    "state": lambda _snapshot, _line, word: word,
    "lag": lambda _snapshot, line, _word: _or_endless(line.lag),
    "filesets": lambda _snapshot, line, _word: line.filesets,
    "left": lambda _snapshot, line, _word: line.backlog_bytes,
    "rate": lambda snapshot, line, _word: snapshot.rates.get(line.id, 0.0),
    "eta": lambda snapshot, line, _word: _or_endless(remaining(snapshot, line)),
}
"""By what a product is sorted. What is not known may be anything: it is shown where the worst is."""


def _rank_of_mirror(mirror: MirrorLine, sort: str, marks: Mapping[int, Mark]) -> Rank:
    """Return the rank of a mirror of which no product is mirrored: it has a state, and no figures."""
    word = marks[-mirror.id].word
    ranks: dict[str, Rank] = {"worst": (-_PLACES[word], NO_FIGURE), "product": mirror.name, "state": word}
    return ranks.get(sort, NO_FIGURE)


def _or_endless(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds


def row(snapshot: Snapshot, line: ProductLine, limit: float | None, several: bool) -> Row:
    """Return the cells of one product."""
    found = mark(line, mirror_of(snapshot, line), limit)
    if not line.selected:
        return (Cell(title_of(line, several), "dim"), Cell(str(found), found.style), *(Cell("") for _ in COLUMNS[2:]))
    return (
        Cell(title_of(line, several), "bold" if found.style == "bad" else ""),
        Cell(str(found), found.style),
        Cell(fmt.span(line.lag) if line.lag != 0 else "0", "bad" if late(line, limit) else ""),
        Cell("" if limit is None else fmt.span(limit), "dim"),
        Cell(fmt.amount(line.published_filesets)),
        Cell(fmt.at_least(line.backlog_bytes, line.unread) if line.backlog_bytes else ""),
        Cell(fmt.short_rate(snapshot.rates.get(line.id, 0.0))),
        Cell(fmt.span(remaining(snapshot, line)) if line.backlog_bytes else ""),
        Cell("never" if line.polled_at is None else fmt.span(snapshot.at - line.polled_at), "dim"),
    )
