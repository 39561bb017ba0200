"""The pane beside the lists: whatever the cursor is on, in full."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.store.screens import FilesetDetails, ProductDetails, ProductLine
from tui.panes import details as pane
from tui.snapshot import Snapshot
from tui.widgets.table import LiveTable

TABS = ("overview", "files", "errors")
LagLimit = Callable[[ProductLine], float | None]


class DetailsPane(Vertical):
    """Three tabs: overview, files, errors."""

    DEFAULT_CSS = """
    DetailsPane > #tabs { height: 1; color: $text-muted; }
    DetailsPane > VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    DetailsPane > LiveTable { height: 1fr; display: none; }
    DetailsPane.-files > VerticalScroll { display: none; }
    DetailsPane.-files > LiveTable { display: block; }
    """

    def __init__(self, limit: LagLimit, permanent: Callable[[ProductLine], str]) -> None:
        super().__init__(id="details")
        self.border_title = "4 Details"
        self.tab = TABS[0]
        self._limit = limit
        self._permanent = permanent
        self._body = Static(pane.nothing(), markup=False)
        self._tabs = Static("", id="tabs", markup=False)
        self.scroll = VerticalScroll(self._body, can_focus=True)
        self.files = LiveTable(pane.FILE_COLUMNS, id="files", empty="no files are known yet")
        self._drawn = ""

    def compose(self) -> ComposeResult:
        """The tabs, and under them what the chosen one shows."""
        yield self._tabs
        yield self.scroll
        yield self.files

    def on_mount(self) -> None:
        """Show the first tab."""
        self.choose(self.tab)

    def choose(self, tab: str) -> None:
        """Show this tab."""
        self.tab = tab
        self.set_class(tab == "files", "-files")
        names = [(f"[{name[0]}]{name[1:]} ", "bold reverse" if name == tab else "dim") for name in TABS]
        self._tabs.update(Content.assemble(*names))

    def take_focus(self) -> None:
        """Give the keyboard to what is shown."""
        (self.files if self.tab == "files" else self.scroll).focus()

    def show(self, snapshot: Snapshot) -> None:
        """Draw what `snapshot` tells of its subject."""
        body = self._text(snapshot)
        drawn = repr((body.plain, body.spans))
        if drawn != self._drawn:
            self._drawn = drawn
            self._body.update(body)
        rows = {line.id: line for line in snapshot.files}
        self.files.show(tuple(rows), lambda key: pane.file_row(rows[key]) if key in rows else None)

    def _text(self, snapshot: Snapshot) -> Content:
        match snapshot.details:
            case ProductDetails() as product:
                return pane.product_overview(snapshot, product, self._limit(product.line), self._permanent)
            case FilesetDetails() as fileset if self.tab == "errors":
                return pane.attempts(snapshot, fileset.attempts)
            case FilesetDetails() as fileset:
                return pane.fileset_overview(snapshot, fileset)
        return pane.nothing()
