"""The pane beside the lists: whatever the cursor is on, in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from core.store.screens import FilesetDetails, ProductDetails, ProductLine
from core.text import display
from tui.panes import fileset_page, product_page
from tui.panes.details import LABEL, nothing
from tui.snapshot import Snapshot
from tui.widgets.prose import Piece, Prose
from tui.widgets.table import LiveTable

TABS = ("overview", "files", "errors")
LagLimit = Callable[[ProductLine], float | None]


class DetailsPane(Vertical):
    """Three tabs: overview, files, errors."""

    DEFAULT_CSS = """
    DetailsPane > LiveTable { height: 1fr; display: none; }
    DetailsPane.-files > Prose { height: 1; }
    DetailsPane.-files > LiveTable { display: block; }
    """

    def __init__(self, limit: LagLimit, permanent: Callable[[ProductLine], str]) -> None:
        super().__init__(id="details")
        self.border_title = "4 Details"
        self._named = ""
        self.tab = TABS[0]
        self._limit = limit
        self._permanent = permanent
        self.text = Prose(hang=LABEL, id="text")
        self.files = LiveTable(
            fileset_page.FILE_COLUMNS, id="files", empty="no files are known until the index is read"
        )

    def compose(self) -> ComposeResult:
        """The tabs, and under them what the chosen one shows."""
        yield self.text
        yield self.files

    def on_mount(self) -> None:
        """Show the first tab."""
        self.text.show(self._heading(), ())

    def choose(self, tab: str) -> None:
        """Show this tab, with the next snapshot."""
        self.tab = tab

    def take_focus(self) -> None:
        """Give the keyboard to what is shown."""
        (self.files if self.has_class("-files") else self.text).focus()

    def show(self, snapshot: Snapshot, instead: Sequence[Sequence[Piece]] | None, *, awaited: bool = False) -> None:
        """Draw what `snapshot` tells of its subject, or, if that has no page of its own, `instead`.

        If there is neither, and a page is `awaited`, the old one stays.
        """
        if awaited and instead is None and snapshot.details is None:
            return
        self.set_class(self.tab == "files" and isinstance(snapshot.details, FilesetDetails), "-files")
        self._entitle(snapshot)
        if instead is None:
            self.text.show(self._heading(snapshot.details), self._lines(snapshot))
        else:
            self.text.show(self._heading(None, TABS[:1]), instead)
        rows = {line.id: line for line in snapshot.files}
        self.files.show(tuple(rows), lambda key: fileset_page.file_row(rows[key], snapshot.at) if key in rows else None)

    def _entitle(self, snapshot: Snapshot) -> None:
        """Name the fileset on the tabs that don't tell it."""
        fileset = snapshot.details if self.tab != TABS[0] else None
        name = f"  {display(fileset.line.name, 60)}" if isinstance(fileset, FilesetDetails) else ""
        if name != self._named:
            self._named = name
            self.border_title = Content(f"4 Details{name}")

    def _heading(
        self, subject: ProductDetails | FilesetDetails | None = None, among: Sequence[str] = TABS
    ) -> list[Piece]:
        tabs = [tab for tab in among if tab != "files" or isinstance(subject, FilesetDetails)]
        shown = self.tab if self.tab in tabs else TABS[0]
        return [(f"[{tab[0]}]{tab[1:]} ", "bold" if tab == shown else "dim") for tab in tabs]

    def _lines(self, snapshot: Snapshot) -> Sequence[Sequence[Piece]]:
        match snapshot.details:
            case ProductDetails() as product if self.tab == "errors":
                return product_page.errors(snapshot, product.line)
            case ProductDetails() as product:
                limit, width = self._limit(product.line), self.text.line_width
                return product_page.overview(snapshot, product, limit, self._permanent, width)
            case FilesetDetails() as fileset if self.tab == "errors":
                return fileset_page.attempts(snapshot, fileset.attempts)
            case FilesetDetails() as fileset:
                return fileset_page.overview(snapshot, fileset)
        return nothing()
