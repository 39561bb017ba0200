"""The four lists of the main screen: what they show, in which order, and under which title."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from math import inf

from rich.cells import cell_len
from textual.content import Content

from core.config import Config
from core.store.screens import FailureGroup, FailureLine, MirrorLine, ProductLine, QueueLine
from core.text import display
from core.units import counted
from tui import states
from tui.commands import Keymap
from tui.format import Mark
from tui.keymap import label
from tui.panes import failed, log, product_page, products, queue
from tui.panes.products import ProductView
from tui.preferences import Preferences
from tui.snapshot import Snapshot
from tui.states import ProductState
from tui.widgets.table import LiveTable, Row, RowSource

EMPTY = {
    "products": "no product is known yet\n{engine} starts an engine, which asks the source",
    "queue": "nothing waits\n{poll} in the products asks the source for what is new, {mirror} mirrors a product",
    "failed": "nothing has failed\nwhat fails is listed here, by its cause; {retry} tries it again",
    "log": "nothing has happened yet\nwhat the engine does, and what operators want of it, is listed here",
}
"""What is said in a list without rows, and what to do; each name in braces stands for the key of that command."""
SLIP_SECONDS = 1.0
"""So long after its row went away a key may have been meant for it, and not for the one that came in its place."""
COMMANDED_SECONDS = 3.0
"""So long if it went away soon after a command, which probably was why: whoever gave it may be about to repeat it."""
REMEMBERED = 1000
"""So many rows of the queue stand as they were last read until they are read again."""
FRAME = 6
"""Cells of a border that its title can't have."""
WIDE = 100
"""With fewer cells a line of the log names what it is about in short."""
READING = "reading the state ..."
NOT_KNOWN = "not known"
TITLES = {"products": "1 Products", "queue": "2 Queue", "failed": "3 Failed"}
ASKED = "reading {urls} ...\nwhat comes of it stands in the log ({go_log}); {poll} reads again"
NOTHING_MATCHES = "nothing matches; Esc shows all again"
ONLY_HELD = (
    "nothing has failed, but {held} held\n"
    "{go_queue} shows what is, at its end if sorted ({sort}) by state; {hold} releases it"
)
ALL_HIDDEN = "no product is mirrored\n{available} shows those that are available, {mirror} mirrors one"
PROBLEMS = frozenset({"products", "queue", "log"})


class Lists:
    """The tables, drawn from a snapshot as the preferences say.

    `untouched`: nobody has used the keyboard yet; `following`: the log stays at its newest line; `opened`: the keys of
    the groups of failures that are shown line by line.
    """

    def __init__(self, config: Config, preferences: Preferences, keymap: Keymap):
        self.config = config
        self.preferences = preferences
        self.keymap = keymap
        self._empty = {pane: words.format_map(_labels(keymap)) for pane, words in EMPTY.items()}
        self.products = LiveTable(products.COLUMNS, id="products", empty=self._empty["products"])
        self.queue = LiveTable(queue.COLUMNS, id="queue", empty=self._empty["queue"])
        self.failed = LiveTable(failed.COLUMNS, id="failed", empty=self._empty["failed"])
        self.log = LiveTable(log.COLUMNS, id="log", empty=self._empty["log"])
        self.by_pane: dict[str, LiveTable] = {
            "products": self.products,
            "queue": self.queue,
            "failed": self.failed,
            "log": self.log,
        }
        self.untouched = True
        self.following = True
        self._snapshot = Snapshot(0.0)
        self._products: dict[int, ProductLine] = {}
        self._marks: dict[int, Mark] = {}
        self._late = 0
        self._queued: dict[int, QueueLine] = {}
        self._failures: dict[str, FailureLine] = {}
        self._groups: dict[str, FailureGroup] = {}
        self.opened: frozenset[str] = frozenset()
        self._titles: dict[str, str] = {}
        self._filters_before: dict[str, tuple[object, ...]] = {}
        self._slipped: dict[str, tuple[float, Hashable]] = {}
        self._commanded = -inf

    def show(self, snapshot: Snapshot) -> None:
        """Draw all lists."""
        self._snapshot = snapshot
        self._show_products()
        self._show_queue()
        self._show_failed()
        self._show_log()

    def lament(self, snapshot: Snapshot) -> None:
        """Tell why nothing is known, where products would be; what was drawn before stays."""
        then = "\n{engine} ends it, and starts one of this version".format_map(_labels(self.keymap))
        for pane, title in TITLES.items():
            if pane not in self._titles:
                self._title(self.by_pane[pane], pane, title)
            self.by_pane[pane].empty = NOT_KNOWN
        self.products.empty = (snapshot.trouble or READING) + (then if snapshot.outdated else "")

    # What stands in them.

    def mirror_lines(self, keys: Sequence[Hashable]) -> list[MirrorLine]:
        """Return the mirrors with these keys: those that have a row of their own."""
        return [mirror for mirror in products.bare_mirrors(self._snapshot) if -mirror.id in keys]

    def product_lines(self, keys: Sequence[Hashable]) -> list[ProductLine]:
        """Return the products with these keys."""
        return [self._products[key] for key in keys if isinstance(key, int) and key in self._products]

    def failure_lines(self, keys: Sequence[Hashable]) -> list[FailureLine]:
        """Return the failures with these keys."""
        return [self._failures[str(key)] for key in keys if str(key) in self._failures]

    def groups(self, keys: Sequence[Hashable]) -> list[FailureGroup]:
        """Return the groups of failures with these keys."""
        return [self._groups[str(key)] for key in keys if str(key) in self._groups]

    def group_at_cursor(self) -> FailureGroup | None:
        """Return the group of failures that the cursor is on, or in."""
        key = self.failed.cursor_key
        line = self._failures.get(str(key))
        return self._groups.get(line.group if line else str(key))

    def open(self, group: FailureGroup, opened: bool) -> None:
        """Show the failures of a group below it, or no more."""
        self.opened = self.opened | {group.key} if opened else self.opened - {group.key}
        self.failed.move_to(group.key)

    def lag_limit(self, line: ProductLine) -> float | None:
        """Return how far a product may lag, in seconds."""
        mirror = next((one for one in self.config.mirrors if one.name == line.mirror), None)
        return mirror.lag_limit(line.name) if mirror is not None else None

    def permanent(self, line: ProductLine) -> str:
        """Return the configuration that would make an operator's wish for a product permanent."""
        choice = next((one.choice for one in self.config.mirrors if one.name == line.mirror), None)
        known = [one.name for one in self._products.values() if one.mirror == line.mirror]
        return display(choice.lines({line.name: line.selected}, known)) if choice is not None else ""

    def standing(self) -> Counter[str]:
        """Return how many products, and mirrors that have a row of their own, stand how, by ProductState.

        What lags more than it may counts as that too, whatever else is the matter with it.
        """
        return Counter([mark.word for mark in self._marks.values()]) | Counter[str]({ProductState.LAG: self._late})

    def why(self, pane: str) -> str:
        """Return in one line what is wrong with the row under the cursor of a list; empty if nothing is."""
        snapshot, key = self._snapshot, self.by_pane[pane].cursor_key
        words: str | None = ""
        if mirrors := self.mirror_lines([key]) if pane == "products" else []:
            words = products.mirror_reason(mirrors[0])
        elif lines := self.product_lines([key]) if pane == "products" else []:
            line = lines[0]
            words = product_page.reason(snapshot, line, self.lag_limit(line)) if line.selected else line.description
        elif pane == "queue" and isinstance(key, int) and key in snapshot.lines:
            words = snapshot.lines[key].failure
        elif groups := self.groups([key]) if pane == "failed" else []:
            where = f"{counted(groups[0].filesets, 'fileset')}, " if groups[0].filesets else ""
            words = f"{where}Enter lists them: {groups[0].detail}"
        elif failures := self.failure_lines([key]) if pane == "failed" else []:
            words = failures[0].detail
        return display(words or "")

    def explain(self, *, in_border: bool, starts: bool) -> None:
        """Tell below each list but the log why its row is as it is, where no pane beside it does.

        `starts`: a key would start an engine, and is named if there is none.
        """
        then = ": {engine} starts one".format_map(_labels(self.keymap)) if starts else ""
        for pane in ("products", "queue", "failed"):
            why = self.why(pane) if in_border else ""
            self.by_pane[pane].resubtitle(Content(why + then if why == product_page.NO_ENGINE else why))

    # Drawing.

    def _show_products(self) -> None:
        snapshot, kept = self._snapshot, self.preferences
        lines = snapshot.overview.products if snapshot.overview else ()
        self._products = {line.id: line for line in lines}
        several = len({line.mirror for line in lines}) > 1
        view = ProductView(
            kept.product_sort, kept.product_reverse, kept.filters.get("products", ""), kept.problems, kept.available
        )
        limits = {line.id: self.lag_limit(line) for line in lines}
        self._late = sum(states.late(line, limits[line.id]) for line in lines)
        self._marks = products.marks_of(snapshot, limits)
        keys = products.keys(snapshot, view, self._marks)
        column = "state" if kept.product_sort == "worst" else kept.product_sort
        self.products.sort_mark = (column, products.falls(kept.product_sort, kept.product_reverse))
        mirrors = {-mirror.id: mirror for mirror in snapshot.overview.mirrors} if snapshot.overview else {}

        def row(key: Hashable) -> Row | None:
            if isinstance(key, int) and key < 0:
                return products.mirror_row(mirrors[key]) if key in mirrors else None
            line = self._products.get(key)  # type: ignore[call-overload]
            return None if line is None else products.row(snapshot, line, limits[line.id], several)

        self._fill(self.products, "products", keys, row, products.worst_of(keys, self._marks))
        self.entitle_products()

    def entitle_products(self) -> None:
        """Tell in the title how many products there are, and how many that need an operator are out of sight."""
        kept, lines = self.preferences, self._products.values()
        selected = sum(line.selected for line in lines)
        more = "" if kept.available else ", others hidden"
        title = f"1 Products {selected}/{len(lines)}{more}{self._out_of_sight()}"
        self._title(self.products, "products", title, kept.product_sort)

    def _out_of_sight(self) -> str:
        table = self.products
        places = [at for at, key in enumerate(table.keys) if products.troubled(self._marks[key])]  # type: ignore[index]
        above, below = sum(at < table.top for at in places), sum(at >= table.top + table.page for at in places)
        words = ", ".join(f"{number} {where}" for number, where in ((above, "above"), (below, "below")) if number)
        return f"  ! {words}" if words else ""

    def _show_queue(self) -> None:
        snapshot, lines = self._snapshot, self._remembered(self._snapshot.lines)
        self.queue.sort_mark = (snapshot.view.order, snapshot.view.reverse)

        def row(key: Hashable) -> Row | None:
            line = lines.get(key)  # type: ignore[call-overload]
            return None if line is None else queue.row(snapshot, line)

        self._fill(self.queue, "queue", snapshot.queue, row)
        self._title(self.queue, "queue", f"2 Queue {len(snapshot.queue):,}", snapshot.view.order)

    def _remembered(self, read: Mapping[int, QueueLine]) -> Mapping[int, QueueLine]:
        """Return the rows of the queue that were just read, and before them those that were read last."""
        for key, line in read.items():
            self._queued.pop(key, None)
            self._queued[key] = line
        while len(self._queued) > REMEMBERED:
            del self._queued[next(iter(self._queued))]
        return self._queued

    def _show_failed(self) -> None:
        snapshot, kept = self._snapshot, self.preferences
        before = self._failures.get(str(self.failed.cursor_key))
        self._failures = {line.key: line for line in snapshot.failures}
        self._groups = {group.key: group for group in snapshot.groups if group.many}
        keys = failed.keys(snapshot, kept.failed_sort, kept.failed_reverse, self.opened)
        self.failed.sort_mark = (kept.failed_sort, kept.failed_reverse)

        def row(key: Hashable) -> Row | None:
            if (group := self._groups.get(str(key))) is not None:
                return failed.group_row(snapshot, group, group.key in self.opened)
            line = self._failures.get(str(key))
            return None if line is None else failed.row(snapshot, line, line.group in self._groups)

        self._fill(self.failed, "failed", keys, row)
        gone = before is not None and before.key not in self._failures and not self.failed.at_first
        if before is not None and gone and before.group in self._groups:
            self.failed.move_to(before.group)  # what the cursor was on has become part of a group
        number = sum(group.failures for group in snapshot.groups)
        lines = f" in {counted(len(keys), 'line')}" if len(keys) < number else ""
        sort = kept.failed_sort if kept.failed_sort != "kind" else ""
        self._title(self.failed, "failed", f"3 Failed {number:,}{lines}", sort, failed.summary(snapshot.groups))

    def _show_log(self) -> None:
        kept, lines = self.preferences, {line.id: line for line in self._snapshot.events}
        self.log.columns = log.COLUMNS if self.log.outer_size.width >= WIDE else log.NARROW
        keys = log.keys(self._snapshot, kept.filters.get("log", ""), kept.problems)
        self._fill(self.log, "log", keys, lambda key: log.row(lines[key]))  # type: ignore[index]
        if self.following and keys and self.log.cursor_key != keys[-1]:
            self.log.move_to(keys[-1])
        state = ", following" if self.following else f", stopped here: {label(self.keymap['follow'][0])} follows again"
        self._title(self.log, "log", f"5 Log and audit{state}")

    def _fill(
        self, table: LiveTable, pane: str, keys: Sequence[Hashable], row: RowSource, worst: Hashable | None = None
    ) -> None:
        """Show rows; as long as nobody has touched the keyboard the `worst` row, if there is one, has the cursor."""
        narrowed = self.preferences.filters.get(pane) or (self.preferences.problems and pane in PROBLEMS)
        empty = NOTHING_MATCHES if narrowed else self._empty[pane]
        if pane == "products" and not narrowed:
            empty = self._without_products()
        elif pane == "failed" and not narrowed:
            empty = self._without_failures()
        if table.empty != empty:
            table.empty = empty
        before, filters = table.cursor_key, self._filters(pane)
        table.show(keys, row, narrowed=any(filters))
        if table.cursor_key != before and before is not None and self._filters_before.get(pane) == filters:
            self._slipped[pane] = time.monotonic(), table.cursor_key
        elif table.cursor_key != before and table is not self.log:
            table.action_first()  # the filter hides the row that the cursor was on
        self._filters_before[pane] = filters
        if self.untouched and worst is not None:
            table.move_to(worst)

    def _filters(self, pane: str) -> tuple[object, ...]:
        """Return what hides rows of a pane, as it was when they were read."""
        kept, view = self.preferences, self._snapshot.view
        match pane:
            case "products":
                return kept.filters.get(pane, ""), kept.problems, not kept.available
            case "queue":
                return view.like, view.problems
            case "failed":
                return (view.failed_like,)
        return kept.filters.get(pane, ""), kept.problems

    def just_slipped(self, pane: str) -> bool:
        """Tell whether the row under the cursor went away in this moment, so that the cursor is on another one."""
        at, instead = self._slipped.get(pane, (-inf, None))
        unsure = COMMANDED_SECONDS if at - self._commanded < COMMANDED_SECONDS else SLIP_SECONDS
        return self.by_pane[pane].cursor_key == instead and time.monotonic() - at < unsure

    def commanded(self) -> None:
        """Take note that a command was given in this moment, which may make rows go away."""
        self._commanded = time.monotonic()

    def _without_products(self) -> str:
        """Return what is said when no product is shown, though none is filtered out."""
        labels = _labels(self.keymap)
        if self._products:
            return ALL_HIDDEN.format_map(labels)
        if self._snapshot.engine is None:
            return self._empty["products"]
        urls = ", ".join(dict.fromkeys(display(mirror.url) for mirror in self.config.mirrors))
        return ASKED.format_map({**labels, "urls": urls})

    def _without_failures(self) -> str:
        """Return what is said when nothing has failed: what failed and is held doesn't count as failed."""
        held = sum(line.counts.get("held", 0) for line in self._products.values() if line.selected)
        if not held:
            return self._empty["failed"]
        are = "is" if held == 1 else "are"
        return ONLY_HELD.format_map({**_labels(self.keymap), "held": f"{counted(held, 'fileset')} {are}"})

    def sort_by_next(self, pane: str) -> None:
        """Sort the list of a pane by its next column."""
        kept = self.preferences
        match pane:
            case "queue":
                kept.queue_sort = _after(queue.SORTS, kept.queue_sort, self.queue)
            case "failed":
                kept.failed_sort = _after(failed.SORTS, kept.failed_sort, self.failed)
            case _:
                kept.product_sort = _after(products.SORTS, kept.product_sort, self.products)

    def turn_round(self, pane: str) -> None:
        """Reverse the list of a pane."""
        kept = self.preferences
        match pane:
            case "queue":
                kept.queue_reverse = not kept.queue_reverse
            case "failed":
                kept.failed_reverse = not kept.failed_reverse
            case _:
                kept.product_reverse = not kept.product_reverse

    def _title(self, table: LiveTable, pane: str, title: str, sort: str = "", also: str = "") -> None:
        kept = self.preferences
        parts = [title, f"sort:{sort}" if sort else "", "problems only" if kept.problems and pane in PROBLEMS else ""]
        parts.append(f"/{display(kept.filters[pane], 30)}" if kept.filters.get(pane) else "")
        parts.append(_marked(len(table.marked), len(table.marked_in_order())))
        parts.append("FROZEN" if table.frozen else "")
        words = "  ".join(part for part in parts if part)
        words += _fitting(f"  {also}", table.outer_size.width - FRAME - cell_len(words)) if also else ""
        if self._titles.get(pane) != words:
            self._titles[pane] = words
            table.retitle(Content(words))


def _labels(keymap: Keymap) -> dict[str, str]:
    return {id: label(keys[0]) for id, keys in keymap.items()}


def _marked(marked: int, shown: int) -> str:
    hidden = f", {marked - shown:,} hidden" if marked > shown else ""
    return f"{marked:,} marked{hidden}" if marked else ""


def _fitting(words: str, room: int) -> str:
    """Return `words` without the last of its parts, which stand after commas and double blanks, that have no room."""
    while cell_len(words) > room and words:
        words = words[: max(0, words.rfind(", "), words.rfind("  "))]
    return words


def _after(sorts: Sequence[str], sort: str, table: LiveTable) -> str:
    """Return the order that follows `sort`; those by a column for which there is no room are passed over."""
    out_of_sight = {column.key for column in table.columns} - table.columns_shown
    at = sorts.index(sort) + 1 if sort in sorts else 0
    return next((one for one in (*sorts[at:], *sorts[:at]) if one not in out_of_sight), sorts[0])
