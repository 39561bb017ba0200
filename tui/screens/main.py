"""The main screen: five panes and two lines above them, drawn from one snapshot after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingsMap
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import DescendantFocus, Key
from textual.widgets import Input

from core.config import Config
from core.store.screens import FailureLine, MirrorLine, ProductLine, QueueOrder
from core.text import display
from tui.commands import COMMANDS, PANES, Command, Keymap, by_id
from tui.keymap import bindings, gives_way, label
from tui.messages import Asked
from tui.panes import details, failed, log, products, queue
from tui.panes.products import ProductView
from tui.preferences import Preferences
from tui.snapshot import Snapshot, Subject, View
from tui.widgets.details import DetailsPane
from tui.widgets.footer import FooterBar
from tui.widgets.header import HeaderBar, Situation
from tui.widgets.prose import Piece
from tui.widgets.sharp import SharpScreen
from tui.widgets.table import LiveTable, Row, RowSource

SOURCES = frozenset({"products", "queue", "failed", "log"})
"""The lists whose row the details are about."""
EMPTY = {
    "products": "no product is known yet",
    "queue": "nothing waits",
    "failed": "nothing has failed",
    "log": "nothing has happened yet",
}
NOTHING_MATCHES = "nothing matches; Esc shows all again"
PROBLEMS = frozenset({"products", "queue", "log"})


class MainScreen(SharpScreen[None]):
    """Shows snapshots, and knows what the cursor is on. What keys do is in tui.actions."""

    def __init__(
        self,
        config: Config,
        preferences: Preferences,
        keymap: Keymap,
        unavailable: Callable[[Command], str | None],
        *,
        read_only: bool,
    ):
        super().__init__()
        self._unavailable = unavailable
        ours = BindingsMap(bindings(keymap)).key_to_bindings
        self._bindings = BindingsMap.from_keys({**self._bindings.key_to_bindings, **ours})
        self.config = config
        self.preferences = preferences
        self.keymap = keymap
        self.read_only = read_only
        self.snapshot = Snapshot(0.0)
        self.header = HeaderBar()
        self.products = LiveTable(products.COLUMNS, id="products", empty=EMPTY["products"])
        self.queue = LiveTable(queue.COLUMNS, id="queue", empty=EMPTY["queue"])
        self.failed = LiveTable(failed.COLUMNS, id="failed", empty=EMPTY["failed"])
        self.log_table = LiveTable(log.COLUMNS, id="log", empty=EMPTY["log"])
        self.details = DetailsPane(self.lag_limit, self.permanent)
        self.footer = FooterBar(keymap)
        self.filter = Input(id="filter", placeholder="text to look for; !text for all but that", compact=True)
        self.source = "products"
        self._failures: dict[str, FailureLine] = {}
        self._titles: dict[str, str] = {}
        self._filtered = "products"
        self._untouched = True
        self.following = True
        self.starting = False
        self._products: dict[int, ProductLine] = {}

    def compose(self) -> ComposeResult:
        """Header, lists, details, log, footer."""
        yield self.header
        with Horizontal(id="upper"):
            with Vertical(id="lists"):
                yield self.products
                yield self.queue
                yield self.failed
            yield self.details
        yield self.log_table
        yield self.filter
        yield self.footer

    def on_mount(self) -> None:
        """Go to the pane that was used last."""
        self.filter.display = False
        self.log_table.border_title = Content("5 Log and audit")
        self.go(self.preferences.pane if self.preferences.pane in PANES else "products")

    # Panes.

    @property
    def tables(self) -> dict[str, LiveTable]:
        """The lists, by the name of their pane."""
        return {"products": self.products, "queue": self.queue, "failed": self.failed, "log": self.log_table}

    @property
    def pane(self) -> str:
        """The name of the pane that has the keyboard."""
        return self.preferences.pane

    @property
    def table(self) -> LiveTable | None:
        """The list that has the keyboard."""
        if self.pane == "details" and self.details.tab == "files":
            return self.details.files
        return self.tables.get(self.pane)

    def go(self, pane: str) -> None:
        """Give the keyboard to a pane."""
        self._enter(pane)
        if pane == "details":
            self.details.take_focus()
        else:
            self.tables[pane].focus()

    def _enter(self, pane: str) -> None:
        self.preferences.pane = pane
        if pane in SOURCES:
            self.source = pane
        for name in PANES:
            self.set_class(name == pane, f"-in-{name}")
        self._tell_footer()

    @on(DescendantFocus)
    def _focus_moved(self) -> None:
        focused = self.focused
        for widget in focused.ancestors_with_self if focused is not None else ():
            if widget.id in PANES and widget.id != self.pane:
                self._enter(str(widget.id))
                self.ask()

    # What the cursor is on.

    @property
    def subject(self) -> Subject | None:
        """What the details are about: the row of the list that had the keyboard last."""
        source = self.source
        key = self.tables[source].cursor_key
        if source == "products" and key in self._products and isinstance(key, int):
            return Subject("product", key)
        if source == "queue" and isinstance(key, int):
            return Subject("fileset", key)
        line = self._failures.get(str(key)) if source == "failed" else None
        return Subject("fileset", line.fileset_id) if line is not None and line.fileset_id is not None else None

    def _instead(self) -> Sequence[Sequence[Piece]] | None:
        """Return what the details tell of a row that has no page of its own; None if it has one."""
        key, snapshot = self.tables[self.source].cursor_key, self.snapshot
        if self.source == "products" and (mirrors := self.mirror_lines([key])):
            return details.mirror_text(mirrors[0], snapshot.at)
        if self.source == "failed" and (line := self._failures.get(str(key))) and line.fileset_id is None:
            return details.failure_text(line)
        if self.source == "log":
            found = [line for line in snapshot.events if line.id == key]
            return details.event_text(found[0], snapshot.at) if found else details.nothing()
        return None

    def mirror_lines(self, keys: Sequence[Hashable]) -> list[MirrorLine]:
        """Return the mirrors with these keys: those that have a row of their own."""
        return [mirror for mirror in products.bare_mirrors(self.snapshot) if -mirror.id in keys]

    def product_lines(self, keys: list[Hashable]) -> list[ProductLine]:
        """Return the products with these keys."""
        return [self._products[key] for key in keys if isinstance(key, int) and key in self._products]

    def failure_lines(self, keys: list[Hashable]) -> list[FailureLine]:
        """Return the failures with these keys."""
        return [self._failures[str(key)] for key in keys if str(key) in self._failures]

    def lag_limit(self, line: ProductLine) -> float | None:
        """Return how far a product may lag, in seconds."""
        mirror = next((one for one in self.config.mirrors if one.name == line.mirror), None)
        return mirror.lag_limit(line.name) if mirror is not None else None

    def permanent(self, line: ProductLine) -> str:
        """Return the configuration that would make an operator's wish for a product permanent."""
        choice = next((one.choice for one in self.config.mirrors if one.name == line.mirror), None)
        known = [one.name for one in self._products.values() if one.mirror == line.mirror]
        return display(choice.lines({line.name: line.selected}, known)) if choice is not None else ""

    # Drawing.

    def view(self) -> View:
        """Return what is to be read for this screen."""
        kept = self.preferences
        return View(
            order=QueueOrder(kept.queue_sort),
            reverse=kept.queue_reverse,
            like=kept.filters.get("queue", ""),
            problems=kept.problems,
            visible=tuple(key for key in self.queue.visible_keys() if isinstance(key, int)),
            subject=self.subject,
            files=self.details.tab == "files",
        )

    def ask(self) -> None:
        """Have read what this screen needs now."""
        self.post_message(Asked(self.view()))

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""
        self.snapshot = snapshot
        with self.app.batch_update():
            self._show_header()
            if snapshot.overview is not None:
                self._show_products()
                self._show_queue()
                self._show_failed()
                self._show_log()
                self.details.show(snapshot, self._instead())
        self._tell_footer()
        if self.view() != snapshot.view:
            self.ask()

    def _show_header(self) -> None:
        lines = self.snapshot.overview.products if self.snapshot.overview else ()
        late = sum(products.late(line, self.lag_limit(line)) for line in lines)
        state = display(self.config.engine.state.parent, 40)
        self.header.show(
            self.snapshot, Situation(self.config.dashboard.site, state, self.read_only, late, self.starting)
        )

    def _show_products(self) -> None:
        snapshot, kept = self.snapshot, self.preferences
        lines = snapshot.overview.products if snapshot.overview else ()
        self._products = {line.id: line for line in lines}
        several = len({line.mirror for line in lines}) > 1
        view = ProductView(
            kept.product_sort, kept.product_reverse, kept.filters.get("products", ""), kept.problems, kept.available
        )
        keys = products.keys(snapshot, view, self.lag_limit)
        column = "state" if kept.product_sort == "worst" else kept.product_sort
        self.products.sort_mark = (column, products.falls(kept.product_sort, kept.product_reverse))
        mirrors = {-mirror.id: mirror for mirror in snapshot.overview.mirrors} if snapshot.overview else {}

        def row(key: Hashable) -> Row | None:
            if isinstance(key, int) and key < 0:
                return products.mirror_row(mirrors[key]) if key in mirrors else None
            line = self._products.get(key)  # type: ignore[call-overload]
            return None if line is None else products.row(snapshot, line, self.lag_limit(line), several)

        self._fill(self.products, "products", keys, row)
        selected = sum(line.selected for line in lines)
        more = "" if kept.available else ", others hidden"
        self._title(self.products, "products", f"1 Products {selected}/{len(lines)}{more}", kept.product_sort)

    def _show_queue(self) -> None:
        snapshot, kept = self.snapshot, self.preferences
        self.queue.sort_mark = (kept.queue_sort, kept.queue_reverse)
        lines = snapshot.lines

        def row(key: Hashable) -> Row | None:
            line = lines.get(key)  # type: ignore[call-overload]
            return None if line is None else queue.row(snapshot, line)

        self._fill(self.queue, "queue", snapshot.queue, row)
        self._title(self.queue, "queue", f"2 Queue {len(snapshot.queue):,}", kept.queue_sort)

    def _show_failed(self) -> None:
        snapshot, kept = self.snapshot, self.preferences
        self._failures = {line.key: line for line in snapshot.failures}
        keys = failed.keys(snapshot, kept.failed_sort, kept.failed_reverse, kept.filters.get("failed", ""))
        self.failed.sort_mark = (kept.failed_sort, kept.failed_reverse)
        self._fill(self.failed, "failed", keys, lambda key: failed.row(snapshot, self._failures[str(key)]))
        kinds = Counter(self._failures[key].kind for key in keys)
        told = ", ".join(f"{number:,} {display(kind)}" for kind, number in kinds.most_common())
        self._title(self.failed, "failed", f"3 Failed {len(keys):,}", also=told)

    def _show_log(self) -> None:
        kept, lines = self.preferences, {line.id: line for line in self.snapshot.events}
        keys = log.keys(self.snapshot, kept.filters.get("log", ""), kept.problems)
        self._fill(self.log_table, "log", keys, lambda key: log.row(lines[key]))  # type: ignore[index]
        if self.following and keys and self.log_table.cursor_key != keys[-1]:
            self.log_table.move_to(keys[-1])
        state = ", following" if self.following else f", stopped here: {label(self.keymap['follow'][0])} follows again"
        self._title(self.log_table, "log", f"5 Log and audit{state}")

    def _fill(self, table: LiveTable, pane: str, keys: Sequence[Hashable], row: RowSource) -> None:
        """Show rows; as long as nobody has touched the keyboard the first row, the worst, has the cursor."""
        narrowed = self.preferences.filters.get(pane) or (self.preferences.problems and pane in PROBLEMS)
        empty = NOTHING_MATCHES if narrowed else EMPTY[pane]
        if table.empty != empty:
            table.empty = empty
        table.show(keys, row)
        if self._untouched and keys and table is not self.log_table:
            table.move_to(keys[0])

    def sort_by_next(self) -> None:
        """Sort the list that has the keyboard by its next column."""
        kept = self.preferences
        match self.pane:
            case "queue":
                kept.queue_sort = _after(queue.SORTS, kept.queue_sort)
            case "failed":
                kept.failed_sort = _after(failed.SORTS, kept.failed_sort)
            case _:
                kept.product_sort = _after(products.SORTS, kept.product_sort)
        self.redraw()

    def turn_round(self) -> None:
        """Reverse the list that has the keyboard."""
        kept = self.preferences
        match self.pane:
            case "queue":
                kept.queue_reverse = not kept.queue_reverse
            case "failed":
                kept.failed_reverse = not kept.failed_reverse
            case _:
                kept.product_reverse = not kept.product_reverse
        self.redraw()

    def _title(self, table: LiveTable, pane: str, title: str, sort: str = "", also: str = "") -> None:
        kept = self.preferences
        parts = [title, f"sort:{sort}" if sort else "", "problems only" if kept.problems and pane in PROBLEMS else ""]
        parts.append(f"/{display(kept.filters[pane], 30)}" if kept.filters.get(pane) else "")
        parts.append(f"{len(table.marked):,} marked" if table.marked else "")
        parts.append("FROZEN" if table.frozen else "")
        parts.append(also)
        words = "  ".join(part for part in parts if part)
        if self._titles.get(pane) != words:
            self._titles[pane] = words
            table.retitle(Content(words))

    def _tell_footer(self) -> None:
        here = [command for command in COMMANDS if command.footer and self.pane in command.panes]
        reasons = {command.id: self._unavailable(command) for command in here}
        self.footer.show(self.pane, {id: reason for id, reason in reasons.items() if reason})

    # What the lists tell.

    @on(LiveTable.CursorMoved)
    def _cursor_moved(self, event: LiveTable.CursorMoved) -> None:
        if event.table is self.log_table and self.pane == "log":
            keys = log.keys(self.snapshot, self.preferences.filters.get("log", ""), self.preferences.problems)
            self.following = bool(keys) and event.key == keys[-1]
        self.ask()

    @on(LiveTable.Scrolled)
    def _scrolled(self, event: LiveTable.Scrolled) -> None:
        if event.table is self.queue:
            self.ask()

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let a key that means different things in different panes mean what it does in this one."""
        if action == "command":
            return not gives_way(self.keymap, by_id(str(parameters[0])), self.pane)
        return super().check_action(action, parameters)

    async def action_command(self, id: str) -> None:
        """Carry out a command of the table."""
        await self.app.run_action(f"command('{id}')")

    def choose_tab(self, tab: str) -> None:
        """Show a tab of the details."""
        self.details.choose(tab)
        self.details.take_focus()
        self.ask()

    def redraw(self) -> None:
        """Draw the last snapshot as it is now to be shown, and have read what else is needed."""
        self.show(self.snapshot)

    def edit_filter(self) -> None:
        """Let the operator type a text that the rows of this pane must contain."""
        self.filter.value = self.preferences.filters.get(self.pane, "")
        self.filter.border_title = Content(f"Filter {self.pane}")
        self.filter.display = True
        self._filtered = self.pane
        self.filter.focus()

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        if event.value:
            self.preferences.filters[self._filtered] = event.value
        else:
            self.preferences.filters.pop(self._filtered, None)
        self.redraw()

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.filter.display = False
        self.go(self._filtered)

    def on_key(self, event: Key) -> None:
        """Leave the filter by escape, without it."""
        self._untouched = False
        if event.key == "escape" and self.focused is self.filter:
            event.stop()
            self.filter.value = ""
            self._filter_done()

    @on(LiveTable.Activated)
    def _activated(self, event: LiveTable.Activated) -> None:
        if event.table.id in SOURCES:
            self.go("details")


def _after(names: Sequence[str], name: str) -> str:
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]
