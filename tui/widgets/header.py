"""The two lines above everything: where one is, whether all is well, and how fast it goes."""

from __future__ import annotations

from dataclasses import dataclass

from core.store.screens import MirrorLine
from textual.content import Content
from textual.widget import Widget

from core.text import display
from tui import format as fmt
from tui.snapshot import Snapshot

STYLES = {"good": "$text-success", "warn": "$text-warning bold", "bad": "$text-error bold", "dim": "dim"}
NARROW = 100
SPARK = 60

Piece = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Situation:
    """What the first line tells beside the snapshot: the site, the mode, how many products lag too much."""

    site: str
    state: str
    read_only: bool
    late: int
    unsent: int = 0


class HeaderBar(Widget):
    """Two lines, drawn from a snapshot; the clock goes on with it."""

    DEFAULT_CSS = "HeaderBar { dock: top; height: 2; padding: 0 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._drawn = Content("")
        self._picture: tuple[Snapshot, Situation] | None = None

    def show(self, snapshot: Snapshot, situation: Situation) -> None:
        """Draw anew, if anything has changed."""
        self._picture = snapshot, situation
        self._draw()

    def on_resize(self) -> None:
        """Fit the new width."""
        self._draw()

    def render(self) -> Content:
        """Return what was drawn last."""
        return self._drawn

    def _draw(self) -> None:
        if self._picture is None or not self.content_size.width:
            return
        width = self.content_size.width
        drawn = Content("\n").join([first_line(*self._picture, width), second_line(*self._picture, width)])
        if drawn != self._drawn or drawn.plain != self._drawn.plain:
            self._drawn = drawn
            self.refresh()


def first_line(snapshot: Snapshot, situation: Situation, width: int) -> Content:
    """Say where one is, who moves the bytes, what is wrong, and when this was."""
    left: list[Piece] = [("mirrortui ", "bold")]
    place = situation.site if width < NARROW else f"{situation.site}:{situation.state}"
    left += [(f"{display(place, 40)} ", "dim"), ("[RO]" if situation.read_only else "[RW]", ""), (" ", "")]
    left += [engine_words(snapshot), ("  ", "")]
    for problem in problems(snapshot, situation):
        left += [problem, (" ", "")]
    disk = disk_words(snapshot)
    right: list[Piece] = [*([disk, ("  ", "")] if disk else []), (fmt.clock(snapshot.at), "")]
    return justified(left, right, width)


def engine_words(snapshot: Snapshot) -> Piece:
    """Return who moves the bytes."""
    engine = snapshot.engine
    if engine is None:
        return "NO ENGINE, press E to start one", STYLES["bad"]
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
        (situation.late, f"!{situation.late} lag", "bad"),
        (unlisted, f"?{unlisted} unlisted", "bad"),
        (quarantined, f"q{quarantined} blocked", "bad"),
        (failed, f"x{failed} failed", "warn"),
    )
    limits = [
        (f"limit {fmt.size(overview.limit_bandwidth)}/s", STYLES["warn"]) if overview.limit_bandwidth else None,
        (f"limit {overview.limit_transfers} transfers", STYLES["warn"]) if overview.limit_transfers else None,
    ]
    found = [(words, STYLES[style]) for number, words, style in counted if number]
    return (found or [("all well", STYLES["good"])]) + [limit for limit in limits if limit]


def disk_words(snapshot: Snapshot) -> Piece | None:
    """Return how full the fullest destination is, and when it will be full."""
    mirrors = [one for one in (snapshot.overview.mirrors if snapshot.overview else ()) if one.total]
    if not mirrors:
        return None
    tightest = max(mirrors, key=_used)
    words = f"disk {_used(tightest):.0%}"
    if tightest.full_in is not None:
        words += f", full in {fmt.span(tightest.full_in)}"
    soon = tightest.full_in is not None and tightest.full_in < 86_400
    return words, STYLES["bad"] if soon or _used(tightest) > 0.95 else ""


def _used(mirror: MirrorLine) -> float:
    return 1 - (mirror.free or 0) / mirror.total if mirror.total else 0.0


def second_line(snapshot: Snapshot, _: Situation, width: int) -> Content:
    """Say how fast it goes, and how long that will take."""
    flow = snapshot.throughput
    overview = snapshot.overview
    spark = SPARK if width >= NARROW else 20
    left: list[Piece] = [
        (f"{fmt.rate(flow.now) or '0 B/s':>10} ", "bold"),
        (fmt.sparkline(flow.history, spark), "$accent"),
        (f" 60m, max {fmt.rate(flow.highest) or '0'}", "dim"),
    ]
    if overview is None:
        return justified(left, [], width)
    active = sum(line.active for line in overview.products)
    left_seconds = fmt.eta(overview.left_bytes, flow.now)
    right: list[Piece] = [
        (f"{fmt.amount(active)} transfers  ", "") if width >= NARROW else ("", ""),
        (f"{fmt.amount(overview.queued_filesets)} queued  {fmt.size(overview.left_bytes)}", ""),
        (f"  eta {fmt.span(left_seconds)}" if overview.left_bytes else "", ""),
    ]
    return justified(left, right, width)


def justified(left: list[Piece], right: list[Piece], width: int) -> Content:
    """Put pieces at both ends of a line; the right end gives way, then the left one is cut."""
    beginning, end = Content.assemble(*left), Content.assemble(*right)
    gap = width - beginning.cell_length - end.cell_length
    if gap >= 1:
        return Content.assemble(beginning, " " * gap, end)
    return beginning.truncate(width, ellipsis=True)
