"""What an operator orders of the engine: on the marked rows, else on the row under the cursor."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from core.model import CommandKind
from core.store.commands import Target
from core.store.operate import RELEASE_FIRST
from core.store.screens.overview import Overview
from core.text import display
from core.units import counted
from tui import attach
from tui.commands import TYPED_ABOVE, by_id, confirm_needed
from tui.hits import Filesets, Hit, Hits, amount, literal, names, of_failure
from tui.keymap import label
from tui.panes import failed
from tui.screens.confirm import NAMED, ConfirmScreen
from tui.screens.limits import LimitsScreen
from tui.wishes import PATIENCE_WITH_MANY

if TYPE_CHECKING:
    from tui.app import Dashboard
    from tui.screens.main import MainScreen


TRIED = "They are tried again at once."
DOING = {
    CommandKind.RETRY: "retrying",
    CommandKind.NOW: "putting first",
    CommandKind.HOLD: "holding",
    CommandKind.RELEASE: "releasing",
    CommandKind.CANCEL: "cancelling",
    CommandKind.PRIORITY: "changing the priority of",
    CommandKind.MOVE: "moving",
    CommandKind.VERIFY: "having verified",
}
"""What is told of a command on many filesets until it is answered."""


class Halt(NamedTuple):
    """A product, or a whole mirror if none is named, that can be halted; `by` tells what has done so already."""

    mirror: str
    product: str
    by: str | None


class Orders:
    """Carries out the commands that write: asks where much is hit, then sends wishes."""

    def __init__(self, app: Dashboard, main: MainScreen, hits: Hits):
        self._app = app
        self._main = main
        self._hits = hits

    async def _confirmed(
        self,
        command: str,
        title: str,
        hits: Sequence[Hit],
        consequence: str,
        *,
        lines: Sequence[str] | None = None,
        always: bool = False,
    ) -> bool:
        """Ask, if so much is hit that it has to be; in `title`, braces stand for how much that is.

        `lines` are shown in the place of the names; `always` as with `confirm_needed`.
        """
        named = [hit.name for hit in hits[:NAMED]] if lines is None else lines
        more = len(hits) - len(named) if lines is None else 0
        return await self._asked(
            command, title.format(amount(hits)), len(hits), named, more, consequence, always=always
        )

    async def _asked(
        self,
        command: str,
        title: str,
        number: int,
        named: Sequence[str],
        more: int,
        consequence: str,
        *,
        always: bool = False,
    ) -> bool:
        """Ask about a `number` of things: those `named`, and `more`; in `consequence`, braces stand for it or them."""
        need = confirm_needed(by_id(command), number, always=always)
        if need is None:
            return True
        words = consequence.format("it" if number == 1 else "them")
        typed = str(number) if need == "type" else None
        return await self._app.asked(ConfirmScreen(title, list(map(display, named)), words, typed, more)) is True

    async def _on_filesets(
        self,
        command: str,
        kind: CommandKind,
        title: str,
        consequence: str,
        value: str | None = None,
        filesets: Filesets | None = None,
        *,
        always: bool = False,
    ) -> None:
        filesets = await self._hits.filesets(kind) if filesets is None else filesets
        if not filesets.number:
            self._refuse(command, filesets.why or "put the cursor on a fileset")
            return
        number, first, words = filesets.number, filesets.first, counted(filesets.number, "fileset")
        more = number - len(first)
        if await self._asked(command, title.format(words), number, first, more, consequence, always=always):
            self._clear_marks()
            if number > TYPED_ABOVE:
                self._app.tell(f"{DOING[kind]} {words} ...", seconds=PATIENCE_WITH_MANY)
            self._app.wish(kind, Target(filesets=tuple(await filesets.names()), value=value))

    async def _of_found(
        self, command: str, kind: CommandKind, title: str, consequence: str, keys: Sequence[Hashable] | None = None
    ) -> None:
        if self._main.pane == "queue":
            filesets = await self._hits.filesets(kind, keys)
            await self._on_filesets(command, kind, title, consequence, filesets=filesets)
        else:
            await self._of_each(command, kind, title, await self._hits.found(keys), consequence)

    async def _fitting(self, command: str, kind: CommandKind, hits: Sequence[Hit]) -> list[Hit]:
        """Return what the engine would not refuse; if that is nothing, say why."""
        fitting, why = await self._hits.fitting(kind, hits)
        if hits and not fitting:
            self._refuse(command, why)
        return fitting

    def _refuse(self, command: str, why: str) -> None:
        release = f"{label(self._main.keymap['hold'][0])} releases it"
        self._app.refuse(by_id(command), why.replace(RELEASE_FIRST, release))

    def _clear_marks(self) -> None:
        table = self._main.tables.get(self._main.pane)
        if table is not None:
            table.unmark_shown()

    async def do_retry(self) -> None:
        """Retry what is hit: filesets by name, products as a whole."""
        await self._of_found("retry", CommandKind.RETRY, "Retry {}?", TRIED)

    async def do_retry_all(self) -> None:
        """Retry all that the filter lets through."""
        main = self._main
        if main.pane == "failed":
            hits = await self._hits.all_failed()
            if main.preferences.filters.get("failed"):
                await self._of_each("retry_all", CommandKind.RETRY, "Retry {}?", hits, TRIED)
            elif await self._confirmed("retry_all", "Retry {}?", hits, "All that failed is tried again at once."):
                self._app.wish(CommandKind.RETRY, Target())
            return
        table = main.tables.get(main.pane)
        keys = list(table.keys) if table is not None else []
        await self._of_found("retry_all", CommandKind.RETRY, "Retry {}?", TRIED, keys)

    async def _of_each(
        self, command: str, kind: CommandKind, title: str, hits: Sequence[Hit], consequence: str
    ) -> None:
        """Give a command for all filesets that are hit at once, and for each product or mirror."""
        hits = await self._fitting(command, kind, hits)
        if not hits or not await self._confirmed(command, title, hits, consequence):
            return
        filesets = tuple(hit.fileset for hit in hits if hit.fileset is not None)
        if filesets:
            self._app.wish(kind, Target(filesets=filesets))
        for mirror, product in sorted({(hit.mirror, hit.product) for hit in hits if hit.fileset is None}):
            self._app.wish(kind, Target(mirror=mirror, product=literal(product) if product else None))
        self._clear_marks()

    async def do_accept(self) -> None:
        """Take what was seen for what is wanted, against the catalogue."""
        lines = await self._hits.evidence()
        hits = list(dict.fromkeys(map(of_failure, lines)))
        evidence = [
            f"{failed.whole(line)}: listed {line.listed_size} bytes, MD5 {display(line.listed_digest)}; "
            f"came {line.seen_size} bytes, MD5 {display(line.seen_digest)}"
            for line in lines
        ]
        words = "What came counts from now on, not what the catalogue says. It is fetched again, and published."
        if lines and await self._confirmed("accept", "Accept what came of {}?", hits, words, lines=evidence):
            self._app.wish(CommandKind.ACCEPT, Target(filesets=tuple(names(hits))))
            self._clear_marks()

    async def do_now(self) -> None:
        """Fetch next."""
        await self._on_filesets("now", CommandKind.NOW, "Fetch {} next?", "They are fetched before all others.")

    async def do_hold(self) -> None:
        """Hold filesets, or release them if all of them are held; of both it is asked whether that was meant."""
        filesets, held = [await self._hits.filesets(kind) for kind in (CommandKind.HOLD, CommandKind.RELEASE)]
        if held.number and not filesets.number:
            await self._on_filesets("hold", CommandKind.RELEASE, "Release {}?", "They go on.", filesets=held)
            return
        words = "They stop until they are released."
        words += f" {held.number:,} are held already." if held.number else ""
        mixed = held.number > 0
        await self._on_filesets("hold", CommandKind.HOLD, "Hold {}?", words, filesets=filesets, always=mixed)

    async def do_cancel(self) -> None:
        """Give filesets up."""
        words = "No more of {} is fetched, and what was fetched is dropped."
        await self._on_filesets("cancel", CommandKind.CANCEL, "Cancel {}?", words)

    async def do_raise(self) -> None:
        """Raise the priority."""
        title, words = "Raise the priority of {} by 1?", "They are fetched before those of a lower priority."
        await self._on_filesets("raise", CommandKind.PRIORITY, title, words, "+1")

    async def do_lower(self) -> None:
        """Lower the priority."""
        title, words = "Lower the priority of {} by 1?", "They are fetched after those of a higher priority."
        await self._on_filesets("lower", CommandKind.PRIORITY, title, words, "-1")

    async def do_move_up(self) -> None:
        """Go before the previous fileset of the product."""
        words = "They go before the fileset that is before them."
        await self._on_filesets("move_up", CommandKind.MOVE, "Move {} up?", words, "up")

    async def do_move_down(self) -> None:
        """Let the next fileset of the product go first."""
        words = "They let the fileset that is after them go first."
        await self._on_filesets("move_down", CommandKind.MOVE, "Move {} down?", words, "down")

    async def do_pause(self) -> None:
        """Pause the products that are hit, and mirrors that have a row of their own; resume them if all are paused.

        What is not paused, and stands because its mirror was stopped, is resumed with that.
        """
        found, of_filesets = await self._hits.products()
        overview = self._main.snapshot.overview
        halts = _halts(overview, {(hit.mirror, hit.product) for hit in found}) if overview else []
        paused = bool(halts) and all(halt.by for halt in halts)
        halts = [halt for halt in halts if bool(halt.by) is paused]
        hits = [Hit("/".join(filter(None, (halt.mirror, halt.product))), halt.product, halt.mirror) for halt in halts]
        title = "Resume {}?" if paused else "Pause {}?"
        whole = not paused and of_filesets
        words = "They go on." if paused else "Nothing of {} is fetched until resumed."
        words += " To stop one fileset alone, hold it." if whole else ""
        if await self._confirmed("pause", title, hits, words, always=whole):
            kind = CommandKind.RESUME if paused else CommandKind.PAUSE
            for halt in halts:
                product = literal(halt.product) if halt.product else None
                self._app.wish(kind, Target(mirror=halt.mirror, product=product))
            self._clear_marks()

    async def do_pause_all(self) -> None:
        """Pause everything; resume it if everything is paused."""
        overview = self._main.snapshot.overview
        mirrors = overview.mirrors if overview else ()
        paused = bool(mirrors) and all(mirror.paused for mirror in mirrors)
        hits = [Hit(mirror.name, "", mirror.name) for mirror in mirrors]
        title = "Resume everything, {}?" if paused else "Pause everything, {}?"
        words = "All mirrors go on." if paused else "Nothing is fetched until resumed."
        if await self._confirmed("pause_all", title, hits, words):
            self._app.wish(CommandKind.RESUME if paused else CommandKind.PAUSE, Target())

    async def do_poll(self) -> None:
        """Look at the source of the products that are hit; at all sources if there is no row to hit."""
        products, _ = await self._hits.products()
        if not products:
            self._app.wish(CommandKind.POLL, Target())
            return
        words = "Their source is asked for each of them at once."
        await self._of_each("poll", CommandKind.POLL, "Look at {} now?", products, words)

    async def do_verify(self) -> None:
        """Have what is published of what is hit read again: filesets by name, products as a whole."""
        words = "All that is published of them is read again, and compared with its digests."
        await self._of_found("verify", CommandKind.VERIFY, "Verify {}?", words)

    async def do_mirror(self) -> None:
        """Begin mirroring products, or end it if all of them are mirrored."""
        hits = await self._hits.found()
        chosen = {(hit.mirror, hit.product) for hit in hits}
        overview = self._main.snapshot.overview
        lines = [line for line in (overview.products if overview else ()) if (line.mirror, line.name) in chosen]
        ends = bool(lines) and all(line.selected for line in lines)
        lines = [line for line in lines if line.selected is ends]
        kind, title, words = (
            (CommandKind.IGNORE, "Stop mirroring {}?", "No more of {} is fetched; what is published stays.")
            if ends
            else (CommandKind.MIRROR, "Begin mirroring {}?", "All that the source offers of them is fetched.")
        )
        if hits and not lines:
            self._refuse("mirror", self._hits.without_product(hits[0].mirror))
            return
        named = [Hit(f"{line.mirror}/{line.name}", line.name, line.mirror) for line in lines]
        if await self._confirmed("mirror", title, named, words, always=ends):
            for line in lines:
                self._app.wish(kind, Target(mirror=line.mirror, product=line.name))
            self._clear_marks()

    async def do_limits(self) -> None:
        """Ask for other limits."""
        engine, overview = self._main.config.engine, self._main.snapshot.overview
        now = (overview.limit_transfers, overview.limit_bandwidth) if overview else (None, None)
        chosen = await self._app.asked(LimitsScreen(now[0], now[1], engine.transfers, engine.bandwidth))
        if chosen is not None:
            for name, before, after in (
                ("transfers", now[0], chosen.transfers),
                ("bandwidth", now[1], chosen.bandwidth),
            ):
                if before != after:
                    value = "" if after is None else str(after)
                    self._app.wish(CommandKind.LIMIT, Target(value=f"{name}={value}"))

    async def do_engine(self) -> None:
        """Start an engine; one of an older version is ended first, if the operator agrees."""
        snapshot = self._main.snapshot
        if not snapshot.outdated:
            self._app.start_engine()
            return
        title = "End the engine of an older version, and start one of this?"
        words = "What came is kept; from then on the state is of this version."
        if await self._app.asked(ConfirmScreen(title, [snapshot.trouble], words)) is True:
            self._app.start_engine(attach.replace)


def _halts(overview: Overview, chosen: Collection[tuple[str, str]]) -> list[Halt]:
    """Return what is paused or resumed with the rows chosen, as (mirror, product).

    A product that stands only because its mirror was stopped goes on with that one, not by itself.
    """
    stopped = {mirror.name for mirror in overview.mirrors if mirror.stopped}
    lines = [line for line in overview.products if (line.mirror, line.name) in chosen]
    whole = {line.mirror for line in lines if line.mirror in stopped and not line.paused}
    return [
        *(Halt(line.mirror, line.name, line.paused) for line in lines if line.paused or line.mirror not in whole),
        *(
            Halt(mirror.name, "", mirror.paused or mirror.stopped)
            for mirror in overview.mirrors
            if mirror.name in whole or (mirror.name, "") in chosen
        ),
    ]
