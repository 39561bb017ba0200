"""The two lines above everything: where one is, whether all is well, and how fast it goes."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from core.store.screens import MirrorLine
from core.text import display
from tui import format as fmt
from tui.snapshot import Snapshot

STYLES = {"good": "$text-success", "warn": "$text-warning bold", "bad": "$text-error bold", "dim": "dim"}
SHORTEST_GRAPH = 10
NEARLY_FULL = 0.95
DAY = 86_400

Piece = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Situation:
    """What the first line tells beside the snapshot: the site, the mode, how many products lag too much."""

    site: str
    state: str
    read_only: bool
    late: int
    starting: bool = False
    """An engine is being started."""


class HeaderBar(Widget):
    """Two lines, drawn from a snapshot; the clock goes on with it."""

    DEFAULT_CSS = "HeaderBar { dock: top; height: 2; padding: 0 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._drawn = [Content(""), Content("")]
        self._picture: tuple[Snapshot, Situation] | None = None

    def show(self, snapshot: Snapshot, situation: Situation) -> None:
        """Draw anew, and paint what has changed."""
        self._picture = snapshot, situation
        self._draw()

    def on_resize(self) -> None:
        """Fit the new width."""
        self._draw()

    def render(self) -> Content:
        """Return what was drawn last."""
        return Content("\n").join(self._drawn)

    def _draw(self) -> None:
        width = self.content_size.width
        if self._picture is None or not width:
            return
        old = self._drawn
        self._drawn = [first_line(*self._picture, width), second_line(self._picture[0], width)]
        for y, (before, after) in enumerate(zip(old, self._drawn, strict=True)):
            if not before.is_same(after):
                same = _same(before.plain, after.plain)
                begin = same if _looks(before, same) == _looks(after, same) else 0
                left = cell_len(after.plain[:begin])
                self.refresh(Region(left, y, width - left, 1))


def _same(old: str, new: str) -> int:
    """Return how many characters at the beginning are the same."""
    return next((at for at, (before, after) in enumerate(zip(old, new, strict=False)) if before != after), 0)


def _looks(line: Content, end: int) -> list[object]:
    """Return how the first `end` characters look."""
    return [(span.start, min(span.end, end), span.style) for span in line.spans if span.start < end]


def first_line(snapshot: Snapshot, situation: Situation, width: int) -> Content:
    """Say where one is, who moves the bytes, what is wrong, and when this was; what fits least is left out first."""
    wrong: list[Piece] = []
    for problem in problems(snapshot, situation):
        wrong += [problem, (" ", "")]
    mode = ("[RO]" if situation.read_only else "[RW]", "")
    now = (fmt.clock(snapshot.at), "")
    disk, forecast = disk_words(snapshot)
    site = display(situation.site, 20)
    for place, right in (
        (f"{site}:{situation.state}", [disk, forecast, now]),
        (site, [disk, forecast, now]),
        (site, [disk, now]),
        (site, [now]),
    ):
        left = [
            ("mirrortui ", "bold"),
            (f"{place} ", "dim"),
            mode,
            (" ", ""),
            engine_words(snapshot, situation),
            ("  ", ""),
            *wrong,
        ]
        if cells(left) + cells(right) < width:
            return justified(left, right, width)
    words, style = engine_words(snapshot, situation)
    short = [(f"{site} ", "dim"), mode, (f" {words.partition(' pid ')[0]} ", style), *wrong]
    return justified(short, [now] if cells(short) + cells([now]) < width else [], width)


def engine_words(snapshot: Snapshot, situation: Situation) -> Piece:
    """Return who moves the bytes."""
    engine = snapshot.engine
    if engine is None:
        return ("starting an engine ...", "") if situation.starting else ("NO ENGINE, E starts one", STYLES["bad"])
    overview = snapshot.overview
    verb = "DRAINING" if overview is not None and overview.phase == "draining" else "LIVE"
    return f"{verb} pid {engine.pid}@{display(engine.host, 20)}", STYLES["warn" if verb == "DRAINING" else "good"]


def problems(snapshot: Snapshot, situation: Situation) -> list[Piece]:
    """Return what needs an operator, the worst first; nothing if all is well."""
    if snapshot.overview is None:
        return [
            (display(snapshot.trouble or "reading the state ...", 200), STYLES["bad"] if snapshot.trouble else "dim")
        ]
    overview = snapshot.overview
    quarantined = sum(line.counts.get("quarantined", 0) for line in overview.products if line.selected)
    stopped = sum(mirror.stopped is not None for mirror in overview.mirrors)
    unlisted = sum(bool(line.selected and line.error) for line in overview.products)
    failed = sum(overview.failures_by_kind.values())
    counted = (
        (stopped, f"x{stopped} stopped", "bad"),
        (situation.late, f"!{fmt.amount(situation.late)} lag", "bad"),
        (unlisted, f"?{fmt.amount(unlisted)} unlisted", "bad"),
        (quarantined, f"q{fmt.amount(quarantined)} blocked", "bad"),
        (failed, f"x{fmt.amount(failed)} failed", "warn"),
    )
    limits = [
        (f"limit {fmt.size(overview.limit_bandwidth)}/s", STYLES["warn"]) if overview.limit_bandwidth else None,
        (f"limit {overview.limit_transfers} transfers", STYLES["warn"]) if overview.limit_transfers else None,
    ]
    found = [(words, STYLES[style]) for number, words, style in counted if number]
    well = ("all well", STYLES["good"]) if overview.products else ("no product is known yet", STYLES["dim"])
    return (found or [well]) + [limit for limit in limits if limit]


def disk_words(snapshot: Snapshot) -> tuple[Piece, Piece]:
    """Return how full the fullest destination is, and when it will be full."""
    mirrors = [one for one in (snapshot.overview.mirrors if snapshot.overview else ()) if one.total]
    if not mirrors:
        return ("", ""), ("", "")
    tightest = max(mirrors, key=_used)
    soon = tightest.full_in is not None and tightest.full_in < DAY
    style = STYLES["bad"] if soon or _used(tightest) > NEARLY_FULL else ""
    forecast = "" if tightest.full_in is None else f", full in {fmt.span(tightest.full_in)}"
    return (f"disk {_used(tightest):.0%}", style), (f"{forecast}  ", style)


def _used(mirror: MirrorLine) -> float:
    return 1 - (mirror.free or 0) / mirror.total if mirror.total else 0.0


def second_line(snapshot: Snapshot, width: int) -> Content:
    """Say how fast it goes, and how long that will take; the graph takes what room is left."""
    flow = snapshot.throughput
    now = fmt.UNKNOWN if snapshot.engine is None else fmt.rate(flow.now) or "0 B/s"
    most = fmt.rate(flow.highest) or "0"
    for right in (work_words(snapshot, True), work_words(snapshot, False)):
        room = width - len(f"{now:>10} ") - len(f" 60m, max {most}") - cells(right) - 2
        if room >= SHORTEST_GRAPH:
            break
    graph = fmt.sparkline(flow.history, max(0, min(room, len(flow.history))))
    left = [(f"{now:>10} ", "bold"), (graph, "$accent"), (f" 60m, max {most}", "dim")]
    return justified(left, right, width)


def work_words(snapshot: Snapshot, in_full: bool) -> list[Piece]:
    """Return what is to be done, and how long that takes at this rate."""
    overview = snapshot.overview
    if overview is None:
        return []
    active = sum(line.active for line in overview.products)
    seconds = None if overview.unread else fmt.eta(overview.left_bytes, snapshot.throughput.now)
    transfers = f"{fmt.amount(active)} transfers  " if in_full else ""
    eta = f"  eta {fmt.span(seconds)}" if overview.left_bytes or overview.unread else ""
    return [(f"{transfers}{fmt.amount(overview.queued_filesets)} queued  {fmt.size(overview.left_bytes)}{eta}", "")]


def cells(pieces: list[Piece]) -> int:
    """Return how wide pieces are."""
    return sum(cell_len(words) for words, _ in pieces)


def justified(left: list[Piece], right: list[Piece], width: int) -> Content:
    """Put pieces at both ends of a line; the right end gives way, then the left one is cut."""
    beginning, end = Content.assemble(*left), Content.assemble(*right)
    gap = width - beginning.cell_length - end.cell_length
    if gap >= 1:
        return Content.assemble(beginning, " " * gap, end)
    return beginning.truncate(width, ellipsis=True)
