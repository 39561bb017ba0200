"""The second step: what the source offers, and which of it is wanted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.worker import Worker

from core import survey
from core.config import Mirror
from core.config.draft import Draft
from core.destinations.outlook import outlook
from core.engine.mirrors import source_options
from core.errors import SourceError
from core.logs import redact_secrets
from core.model import ListedProduct
from core.sources import open_source
from core.survey import Offer, Told
from core.text import display
from core.urls import redact
from tui import remedies
from tui.welcome import offered
from tui.welcome.offered import Offered
from tui.welcome.step import BACK, ON, QUIT, Step
from tui.widgets.prose import Piece, Prose
from tui.widgets.table import LiveTable, Row

Chosen = Callable[[Draft], None]
NOTHING_OFFERED = "The source lists no product yet. Enter mirrors all that will come; Esc goes back."
NOTHING_MARKED = "Mark what is to be mirrored, with Space; * marks all, also what will come."

CHOOSING = frozenset({"mark", "mark_all", "sort", "go_on"})


class ProductsStep(Step):
    """Lists the products of the root index, and looks into them meanwhile. `chosen` takes the draft with the choice."""

    NUMBER = 2
    AUTO_FOCUS = "LiveTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        ON,
        Binding("space", "mark", "Mark"),
        Binding("*", "mark_all", "All"),
        Binding("s", "sort", "Sort"),
        Binding("r", "read", "Reread"),
        Binding("x", "stop", show=False),
        BACK,
        QUIT,
        Binding("q", "app.leave", show=False),
        Binding("j", "move('cursor_down')", show=False),
        Binding("k", "move('cursor_up')", show=False),
        Binding("g", "move('first')", show=False),
        Binding("G", "move('last')", show=False),
    ]

    def __init__(self, draft: Draft, mirror: Mirror, chosen: Chosen, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._draft = draft
        self._mirror = mirror
        self._chosen = chosen
        self._table = LiveTable(offered.COLUMNS)
        self._about = Prose(id="about")
        self._about.can_focus = False
        self._offered: Offered | None = None
        self._products = dict[str, ListedProduct]()
        self._sort = "product"
        self._free: int | None = None
        self._reading: Worker[None] | None = None
        self._since = 0.0
        self._trouble: list[list[Piece]] = []

    def body(self) -> Iterator[Widget]:
        """Yield the table, and what is known of the row under the cursor."""
        yield self._table
        yield self._about

    def on_mount(self) -> None:
        """Begin to read, and tell how long it takes."""
        self.action_read()
        self.set_interval(1.0, self._tick)
        self.run_worker(self._look_at_room(), group="room", exit_on_error=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let nothing be chosen as long as nothing is offered."""
        if self._offered is None and action in CHOOSING:
            return None
        return super().check_action(action, parameters)

    # Reading.

    def action_read(self) -> None:
        """Read the root index, from the beginning; what is known stays until it has come."""
        self._trouble, self._since = [], time.monotonic()
        self._reading = self.run_worker(self._read(), group="reading", exclusive=True, exit_on_error=False)
        self._show()

    def action_stop(self) -> None:
        """Stop reading; what is known stays."""
        if self._reading is not None and self._reading.is_running:
            self._reading.cancel()
            if self._offered is None:
                self._trouble = [[("stopped before the list was complete; r reads again, Esc goes back", "warn")]]
            self._done()

    async def _read(self) -> None:
        source = open_source(self._mirror.protocol, source_options(self._mirror))
        try:
            self._take(await survey.offer(source))
            await survey.measure(source, offered.to_measure(list(self._products.values())), self._told)
        except SourceError as error:
            self._trouble = [[(redact_secrets(error.detail), "bad")], [(remedies.at_first(error.kind), "")]]
        finally:
            await source.close()
        self._done()

    def _take(self, offer: Offer) -> None:
        self._offered = Offered(offer)
        self._products = {product.name: product for product in offer.products}
        self.tell_keys()
        self._show()

    def _told(self, name: str, told: Told) -> None:
        if self._offered is not None:
            self._offered.told[name] = told
            self._show()

    def _done(self) -> None:
        self._reading = None
        self._show()

    async def _look_at_room(self) -> None:
        self._free = (await asyncio.to_thread(outlook, self._mirror.destination)).free
        self._show()

    def _tick(self) -> None:
        if self._reading is not None:
            self._show()

    # Drawing.

    def _show(self) -> None:
        now = self._clock()
        found = self._offered
        if found is None:
            self._table.columns = ()  # what is said is no product
            self._table.empty = "\n".join(self._empty())
            self._table.show((), lambda _: None)
        else:

            def row(key: Hashable) -> Row | None:
                product = self._products.get(str(key))
                return None if product is None else offered.row(product, found.told.get(product.name), now)

            self._table.columns = offered.COLUMNS
            self._table.empty = NOTHING_OFFERED
            self._table.sort_mark = (self._sort, self._sort != "product")
            self._table.show(offered.ordered(found, self._sort), row)
        self._show_words()

    def _empty(self) -> list[str]:
        if self._trouble:
            first, *others = ("".join(words for words, _ in line) for line in self._trouble)
            return [f"! {first}", *others]
        seconds = int(time.monotonic() - self._since)
        return [f"reading {display(redact(self._mirror.url))}, {seconds} s; x stops that"]

    def _show_words(self) -> None:
        found, key = self._offered, self._table.cursor_key
        title = f"{display(self._mirror.name)}: {'not listed' if self._trouble else 'being listed'}"
        if found is not None:
            title = offered.chosen_words(found, [str(one) for one in self._table.marked], self._free)
        self._table.retitle(Content(title))
        if found is None or key is None:
            self._about.show((), [])
            return
        product = self._products[str(key)]
        heading, *lines = offered.about(product, found.told.get(product.name))
        self._about.show(heading, [*self._trouble, *lines, *offered.notes(found, self._reading is not None)])

    def on_live_table_cursor_moved(self) -> None:
        """Tell of the row under the cursor."""
        self._show_words()

    # Choosing.

    def action_mark(self) -> None:
        """Mark the row, and go on to the next."""
        self._table.toggle_mark()
        self._table.action_cursor_down()
        self._trouble = []
        self._show_words()

    def action_mark_all(self) -> None:
        """Mark all rows, or none if all are marked."""
        if len(self._table.marked) == len(self._table.keys):
            self._table.clear_marks()
        else:
            self._table.mark(self._table.keys)
        self._trouble = []
        self._show_words()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._sort = offered.SORTS[(offered.SORTS.index(self._sort) + 1) % len(offered.SORTS)]
        self._show()

    async def action_move(self, action: str) -> None:
        """Move the cursor as another key does."""
        getattr(self._table, f"action_{action}")()

    def action_go_on(self) -> None:
        """Go on with what is marked."""
        if self._offered is None:
            return
        marked = [name for name in self._table.keys if name in self._table.marked]
        if self._table.keys and not marked:
            self._trouble = [[(f"! {NOTHING_MARKED}", "warn")]]
            self._show_words()
            return
        everything = len(marked) == len(self._table.keys) and not self._offered.offer.more
        self._chosen(replace(self._draft, products=None if everything else tuple(map(str, marked))))
