"""The main screen: five panes and two lines above them, drawn from one snapshot after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingsMap
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import DescendantFocus, Key
from textual.widgets import Input, Label

from core.config import Config
from core.store.screens import FailureGroup, MirrorLine, QueueOrder
from core.text import display
from tui.commands import COMMANDS, PANES, Command, Keymap, by_id
from tui.keymap import bindings, gives_way, label
from tui.messages import Asked
from tui.panes import details
from tui.panes.header import Situation
from tui.preferences import Preferences
from tui.screens.lists import Lists
from tui.snapshot import Snapshot, Subject, View
from tui.widgets.details import DetailsPane
from tui.widgets.footer import FooterBar
from tui.widgets.header import HeaderBar
from tui.widgets.prose import Piece
from tui.widgets.sharp import SharpScreen
from tui.widgets.table import LiveTable

FILTERS = ("like", "failed_like", "problems")
"""What of a View leaves rows out."""
SOURCES = frozenset({"products", "queue", "failed", "log"})
"""The lists whose row the details are about."""


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
        self.lists = Lists(config, preferences, keymap)
        self.details = DetailsPane(self.lists.lag_limit, self.lists.permanent)
        self.footer = FooterBar(keymap)
        self.filter = Input(id="filter", placeholder="text to look for; !text for all but that", compact=True)
        self.filtering = Horizontal(id="filtering")
        self.source = "products"
        self._filtered = "products"
        self.starting = False

    def compose(self) -> ComposeResult:
        """Header, lists, details, log, footer."""
        yield self.header
        with Horizontal(id="upper"):
            with Vertical(id="lists"):
                yield self.lists.products
                yield self.lists.queue
                yield self.lists.failed
            yield self.details
        yield self.lists.log
        with self.filtering:
            yield Label("/")
            yield self.filter
        yield self.footer

    def on_mount(self) -> None:
        """Go to the pane that was used last."""
        self.filtering.display = False
        self.lists.log.border_title = Content("5 Log and audit")
        self.go(self.preferences.pane if self.preferences.pane in PANES else "products")

    # Panes.

    @property
    def tables(self) -> dict[str, LiveTable]:
        """The lists, by the name of their pane."""
        return self.lists.by_pane

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
        elif pane == "details":
            self.tables[self.source].hold()  # what is read there, and worked on, is this row
        for name in PANES:
            self.set_class(name == pane, f"-in-{name}")
        self._tell_footer()

    @on(DescendantFocus)
    def _focus_moved(self) -> None:
        focused = self.focused
        self.filtering.display = focused is self.filter
        self._tell_footer()
        for widget in focused.ancestors_with_self if focused is not None else ():
            if widget.id in PANES and widget.id != self.pane:
                self._enter(str(widget.id))
                self.ask()

    # What the cursor is on.

    @property
    def subject(self) -> Subject | None:
        """What the details are about: the row of the list that had the keyboard last."""
        key, lists = self.tables[self.source].cursor_key, self.lists
        found: Subject | None = None
        if self.source == "products":
            found = next((Subject("product", line.id) for line in lists.product_lines([key])), None)
        elif self.source == "queue" and isinstance(key, int):
            found = Subject("fileset", key)
        elif self.source == "failed":
            filesets = [line.fileset_id for line in lists.failure_lines([key]) if line.fileset_id is not None]
            found = Subject("fileset", filesets[0]) if filesets else None
        return found

    @property
    def mirror(self) -> MirrorLine | None:
        """The mirror that the details are about, if they are: one of which no product is mirrored."""
        mirrors = self.lists.mirror_lines([self.tables[self.source].cursor_key]) if self.source == "products" else []
        return mirrors[0] if mirrors else None

    def _instead(self) -> Sequence[Sequence[Piece]] | None:
        """Return what the details tell of a row that has no page of its own; None if it has one."""
        key, snapshot = self.tables[self.source].cursor_key, self.snapshot
        if self.source == "log":
            events = [line for line in snapshot.events if line.id == key]
            return details.event_text(events[0], snapshot.at) if events else details.nothing()
        if (mirror := self.mirror) is not None:
            return details.mirror_text(mirror, snapshot.at)
        if self.source == "failed" and (groups := self.lists.groups([key])):
            return details.group_text(snapshot, groups[0], opened=groups[0].key in self.lists.opened)
        lines = self.lists.failure_lines([key]) if self.source == "failed" else []
        return details.failure_text(lines[0]) if lines and lines[0].fileset_id is None else None

    # Drawing.

    def view(self) -> View:
        """Return what is to be read for this screen."""
        kept = self.preferences
        key, line = self.lists.queue.steady_row
        return View(
            order=QueueOrder(kept.queue_sort),
            reverse=kept.queue_reverse,
            like=kept.filters.get("queue", ""),
            problems=kept.problems,
            visible=tuple(key for key in self.lists.queue.visible_keys() if isinstance(key, int)),
            anchor=(key if isinstance(key, int) else None, line),
            subject=self.subject,
            files=self.details.tab == "files",
            failed_like=kept.filters.get("failed", ""),
            opened=self.lists.opened,
        )

    def ask(self) -> None:
        """Have read what this screen needs now."""
        self.post_message(Asked(self.view()))

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""
        self.snapshot = snapshot
        with self.app.batch_update():
            if snapshot.overview is not None:
                self.lists.show(snapshot)
                self._explain()
                self.details.show(snapshot, self._instead(), awaited=self.subject is not None)
            else:
                self.lists.lament(self._told)
                self.details.show(snapshot, details.trouble(self._told))
            self._show_header()
        self._tell_footer()
        if self.view() != snapshot.view:
            self.ask()

    @property
    def _told(self) -> Snapshot:
        """The snapshot, without the trouble that an engine which is being started is to end."""
        return replace(self.snapshot, trouble="") if self.starting and not self.snapshot.broken else self.snapshot

    def _explain(self) -> None:
        self.lists.explain(in_border=self.has_class("-narrow"), starts=self._starts)

    def _show_header(self) -> None:
        site, state = self.config.dashboard.site, display(self.config.engine.state.parent, 40)
        standing = self.lists.standing()
        self.header.show(self._told, Situation(site, state, self.read_only, standing, self.starting))

    @property
    def _starts(self) -> bool:
        """Whether a key would start an engine."""
        return self.snapshot.engine is None and not (self.read_only or self.starting or self.snapshot.broken)

    def _tell_footer(self) -> None:
        here = [command for command in COMMANDS if command.in_footer(self.pane)]
        reasons = {command.id: self._unavailable(command) for command in here}
        unavailable = {id: reason for id, reason in reasons.items() if reason}
        typing = self.focused is self.filter
        self.footer.show(self.pane, unavailable, read_only=self.read_only, starts=self._starts, typing=typing)

    # What the lists tell.

    @on(LiveTable.CursorMoved)
    def _cursor_moved(self, event: LiveTable.CursorMoved) -> None:
        if event.table is self.lists.log and event.by_hand:
            self.lists.following = event.key in event.table.keys[-1:]
        self._explain()
        self.ask()

    @on(LiveTable.Scrolled)
    def _scrolled(self, event: LiveTable.Scrolled) -> None:
        if event.table is self.lists.queue:
            self.ask()
        elif event.table is self.lists.products:
            self.lists.entitle_products()

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
        """Show a tab of the details, and go there."""
        self.details.choose(tab)
        self.go("details")
        self.ask()

    def reconfigure(self, config: Config) -> None:
        """Judge by another configuration from now on."""
        self.config = self.lists.config = config
        self.redraw()

    def redraw(self) -> None:
        """Draw the last snapshot as it is now to be shown, and have read what else is needed."""
        self.show(self.snapshot)

    @property
    def filtered(self) -> bool:
        """Whether the lists show what they are to show, or the operator is still typing that."""
        shown, asked = self.snapshot.view, self.view()
        same = all(getattr(shown, name) == getattr(asked, name) for name in FILTERS)
        return same or self.focused is self.filter or bool(self.snapshot.trouble)

    def edit_filter(self) -> None:
        """Let the operator type a text that the rows of this pane must contain."""
        self.filter.value = self.preferences.filters.get(self.pane, "")
        self.filtering.display = True
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
        self.filtering.display = False
        self.go(self._filtered)

    def on_key(self, event: Key) -> None:
        """Leave the filter by escape, without it."""
        self.lists.untouched = False
        known = event.key in self.active_bindings
        key = event.character if event.is_printable and event.character else event.key
        self.footer.hint("" if known else f"{display(label(key), 20)} is no command here")
        if event.key == "escape" and self.focused is self.filter:
            event.stop()
            self.filter.value = ""
            self._filter_done()

    @on(LiveTable.Activated)
    def _activated(self, event: LiveTable.Activated) -> None:
        if event.table is self.lists.failed and (groups := self.lists.groups([event.key])):
            self.open_group(groups[0], groups[0].key not in self.lists.opened)
        elif event.table.id in SOURCES:
            self.go("details")

    @on(LiveTable.Turned)
    def _turned(self, event: LiveTable.Turned) -> None:
        """Open the group under the cursor, or close the one that it is on or in."""
        group = self.lists.group_at_cursor() if event.table is self.lists.failed else None
        if group is not None:
            self.open_group(group, event.to_right)

    def open_group(self, group: FailureGroup, opened: bool) -> None:
        """Show the failures of a group below it, or no more."""
        self.lists.open(group, opened)
        self.redraw()
