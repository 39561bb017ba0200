"""The two lines above everything: where one is, whether all is well, and how fast it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.cells import cell_len

from core.store.screens import MirrorLine, Overview
from core.text import display
from core.units import counted
from core.urls import host_words
from tui import format as fmt
from tui.snapshot import Snapshot
from tui.states import ProductState

GAP, BETWEEN = "  ", " │ "
"""What stands between the words of a part, and between parts."""
SHORTEST_GRAPH = 10
NEARLY_FULL, HIGH = 0.95, 0.9
DAY = 86_400

Piece = tuple[str, str]
"""A text, and how it looks: good, warn, bad, dim, accent, bold, or nothing."""
Words = Sequence[Piece]
Forms = Sequence[Words]
"""What a part says, and what it says instead as room gets scarce: the longest first."""

ALL = 0
"""As many forms as there are problems: of these the first tells all of them, though in few letters."""
SHRINKS = (
    ("place", 3), ("disk", 2), ("place", 2), ("limits", 2), ("clock", 1), ("problems", ALL), ("engine", 1),
    ("limits", 1), ("disk", 1), ("problems", 1), ("place", 1),
)  # fmt: skip
"""Which part of the first line gives way first, and how many of its forms it keeps for later."""
LENGTHENS = ("problems", "disk", "clock", "engine", "limits", "place")
"""Which part first gets the room that is left in the end."""
TIGHT = {"stopped": "stop", "damaged": "dam", "unlisted": "unl", "blocked": "block", "failed": "fail"}
"""Words for which there is little room; others are short as they are."""


class Problem(NamedTuple):
    """What needs an operator, in words, in fewer, and in few letters; and how it looks."""

    words: str
    brief: str
    tight: str
    style: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What the first line tells beside the snapshot: the site, the mode, and how many products stand how."""

    site: str
    state: str
    read_only: bool
    standing: Mapping[str, int] = field(default_factory=dict)
    """By ProductState."""
    starting: bool = False
    """An engine is being started."""


def first_line(snapshot: Snapshot, situation: Situation, width: int) -> tuple[Words, Words]:
    """Say where one is, who moves the bytes, what is wrong, and when this was: what stands left, and what right.

    What fits least is shortened, then left out: the worst problem and the engine are told as long as there is room.
    """
    site = display(situation.site, 20)
    wrong, limits = problems(snapshot, situation), limit_words(snapshot.overview)
    forms: dict[str, Forms] = {
        "place": [
            [("mirrortui ", "bold"), (f"{site}:{situation.state} ", "dim")],
            [("mirrortui ", "bold"), (f"{site} ", "dim")],
            [(f"{site} ", "dim")],
            [],
        ],
        "mode": [[("[RO]" if situation.read_only else "[RW]", "")]],
        "engine": engine_words(snapshot, situation),
        "problems": problem_forms(wrong),
        "limits": [[(limits, "warn")], [("limited", "warn")], []] if limits else [[]],
        "disk": disk_words(snapshot),
        "clock": [[(fmt.clock(snapshot.at), "")], []],
    }
    shown = dict(forms)
    for name, kept in SHRINKS:
        while len(shown[name]) > (kept or len(wrong)) and not _fits(shown, width):
            shown[name] = shown[name][1:]
    for name in LENGTHENS:  # a short form that came late may have made room for others
        while len(shown[name]) < len(forms[name]) and _fits(more := _longer(shown, forms, name), width):
            shown = more
    return _laid(shown)


def _longer(shown: Mapping[str, Forms], forms: Mapping[str, Forms], name: str) -> dict[str, Forms]:
    return {**shown, name: forms[name][-len(shown[name]) - 1 :]}


def _fits(forms: Mapping[str, Forms], width: int) -> bool:
    left, right = _laid(forms)
    return cells(left) + len(GAP) + cells(right) <= width


def _laid(forms: Mapping[str, Forms]) -> tuple[Words, Words]:
    """Return what stands left, and what right, with each part in the first of its forms."""
    shown = {name: found[0] for name, found in forms.items()}
    place = [*shown["place"], *shown["mode"]]
    left = joined([place, shown["engine"], shown["problems"], shown["limits"]], BETWEEN)
    return left, joined([shown["disk"], shown["clock"]], GAP)


def engine_words(snapshot: Snapshot, situation: Situation) -> Forms:
    """Return who moves the bytes: an engine that this dashboard has started, or the one to which it is attached."""
    engine, overview = snapshot.engine, snapshot.overview
    if engine is None:
        if situation.starting:
            return [[("starting an engine ...", "")]]
        if situation.read_only or snapshot.broken:
            return [[("NO ENGINE", "bad")]]
        return [[("NO ENGINE, E starts one", "bad")], [("NO ENGINE: E", "bad")]]
    draining = overview is not None and overview.phase == "draining"
    style = "warn" if draining else "good"
    if engine.own:
        return [[(f"{'DRAINING' if draining else 'LIVE'} pid {engine.pid}", style)]]
    if engine.pid is None:
        return [[("attached", style)]]
    host, drains = engine.host or "", ", draining" if draining else ""
    where, short = (f"{engine.pid}@{display(name, 20)}{drains}" for name in (host, host.partition(".")[0]))
    return [[(f"attached pid {where}", style)], [(f"attached {where}", style)], [(f"attached {short}", style)]]


def problems(snapshot: Snapshot, situation: Situation) -> list[Problem]:
    """Return what needs an operator, the worst first; one word if all is well."""
    overview, standing = snapshot.overview, situation.standing
    if overview is None:
        return _plain(display(snapshot.trouble or "reading the state ...", 200), "bad" if snapshot.trouble else "dim")
    products = [line for line in overview.products if line.selected]
    failures = sum(overview.failures_by_kind.values())
    damaged = overview.failures_by_kind.get("damaged", 0)
    quarantined = sum(line.counts.get("quarantined", 0) for line in products)
    unlisted = [line.mirror for line in products if line.error is not None]
    unlisted += [one.name for one in overview.mirrors if _unread(one) and one.name not in unlisted]
    found = [
        *_some(sum(mirror.stopped is not None for mirror in overview.mirrors), "x", "stopped", "bad"),
        *_some(sum(line.alarm is not None for line in products), "!", "alarm", "bad"),
        *_some(damaged, "x", "damaged", "bad"),
        *_some(standing.get(ProductState.LAG, 0), "!", "lag", "bad"),
        *_some(len(unlisted), "?", "unlisted", "bad"),
        *_some(quarantined - damaged, "x", "blocked", "bad"),
        *_some(failures - damaged, "x", "failed", "warn"),
        *_rests(overview),
        *_some(standing.get(ProductState.UNKNOWN, 0), "?", "unknown", "warn"),
        *_some(standing.get(ProductState.PAUSED, 0), "=", "paused", "warn"),
        *_some(sum(line.counts.get("held", 0) for line in products), "=", "held", "warn"),
    ]
    return found or (_plain("all well", "good") if overview.products else _plain("no product is known yet", "dim"))


def _plain(words: str, style: str) -> list[Problem]:
    return [Problem(words, words, words, style)]


def _unread(mirror: MirrorLine) -> bool:
    """Tell whether the list of a source, which should be read, can't be."""
    return mirror.error is not None and mirror.stopped is None and mirror.paused is None


def _some(number: int, glyph: str, word: str, style: str) -> list[Problem]:
    words = f"{glyph}{fmt.amount(number)} {word}"
    return [Problem(words, words, f"{TIGHT.get(word, word)}{number}", style)] if number > 0 else []


def _rests(overview: Overview) -> list[Problem]:
    """Return which host is left alone, and for how long; of several, how many are."""
    rests = {host_words(one.url): one.rest.until for one in overview.mirrors if one.rest is not None}
    if not rests:
        return []
    (host, until), *others = rests.items()
    brief = f"~{len(rests)} hosts rest" if others else "~1 host rests"
    words = brief if others else f"~ {display(host, 24)} rests {fmt.span(until - overview.at)}"
    return [Problem(words, brief, f"rest{len(rests)}", "warn")]


def problem_forms(wrong: Sequence[Problem]) -> Forms:
    """Return all problems in words, in fewer, and in few letters; then the worst, with the number of the others."""
    words = joined(([(one.words, one.style)] for one in wrong), GAP)
    brief = joined(([(one.brief, one.style)] for one in wrong), GAP)
    return [words, brief, *(_tight(wrong, number) for number in range(len(wrong), 0, -1))]


def _tight(wrong: Sequence[Problem], number: int) -> Words:
    more = [[(f"+{len(wrong) - number}", wrong[number].style)]] if number < len(wrong) else []
    return joined([*([(one.tight, one.style)] for one in wrong[:number]), *more], " ")


def limit_words(overview: Overview | None) -> str:
    """Return what operators have limited; empty if nothing."""
    if overview is None:
        return ""
    bandwidth = f"{fmt.size(overview.limit_bandwidth)}/s" if overview.limit_bandwidth else ""
    transfers = counted(overview.limit_transfers, "transfer") if overview.limit_transfers else ""
    words = ", ".join(filter(None, (bandwidth, transfers)))
    return f"limit {words}" if words else ""


def disk_words(snapshot: Snapshot) -> Forms:
    """Return how full the destination is that is full first, and when; it is told on any screen if that matters."""
    mirrors = [one for one in (snapshot.overview.mirrors if snapshot.overview else ()) if one.total]
    if not mirrors:
        return [[]]
    tightest = max(mirrors, key=lambda mirror: (_urgent(mirror), _used(mirror)))
    style = "bad" if _urgent(tightest) else ""
    told = tightest.stopped_kind != "disk" or _used(tightest) > HIGH
    disk = f"disk {_used(tightest):.0%}" if told else "disk fails"  # not for want of room, or that is not measured yet
    full = "" if tightest.full_in is None else f"full in {fmt.span(tightest.full_in)}"
    forms = [[(", ".join(filter(None, (disk, full))), style)], [(disk, style)], []]
    if not style:
        return forms
    return [forms[0], [(f"disk {full}", style)] if _soon(tightest) else forms[1]]


def _urgent(mirror: MirrorLine) -> bool:
    return _soon(mirror) or _used(mirror) > NEARLY_FULL or mirror.stopped_kind == "disk"


def _soon(mirror: MirrorLine) -> bool:
    return mirror.full_in is not None and mirror.full_in < DAY


def _used(mirror: MirrorLine) -> float:
    return 1 - (mirror.free or 0) / mirror.total if mirror.total else 0.0


def second_line(snapshot: Snapshot, width: int) -> tuple[Words, Words]:
    """Say how fast it goes, of how fast it may, and how long that will take; the graph takes what room is left.

    The limits in force stay longer than the highest rate of the hour, and than the graph.
    """
    flow, overview = snapshot.throughput, snapshot.overview
    now = fmt.UNKNOWN if snapshot.engine is None else fmt.rate(flow.now) or "0 B/s"
    allowed = f"of {fmt.rate(overview.limit_bandwidth)} " if overview and overview.limit_bandwidth else ""
    most = f" 60m, max {fmt.rate(max(flow.peak, flow.now)) or '0'}"
    full, short = work_words(snapshot, True), work_words(snapshot, False)
    least = full if overview and overview.limit_transfers else short
    for right, peak in ((full, most), (least, most), (least, "")):
        room = width - len(f"{now:>10} {allowed}{peak}") - cells(right) - 2
        if room >= SHORTEST_GRAPH:
            break
    graph = fmt.sparkline(flow.history, max(0, min(room, len(flow.history))))
    return [(f"{now:>10} ", "bold"), (allowed, "warn"), (graph, "accent"), (peak, "dim")], right


def work_words(snapshot: Snapshot, in_full: bool) -> Words:
    """Return what is to be done, and how long that takes at this rate, which nobody knows if nothing of it moves."""
    overview = snapshot.overview
    if overview is None:
        return []
    active = sum(line.active for line in overview.products)
    known = active and not overview.unread
    seconds = fmt.eta(overview.left_bytes, snapshot.throughput.now) if known else None
    limited = (
        f"{fmt.amount(active)} of {counted(overview.limit_transfers, 'transfer')}" if overview.limit_transfers else ""
    )
    transfers = f"{limited or counted(active, 'transfer')}  " if in_full else ""
    eta = f"  eta {fmt.span(seconds)}" if overview.left_bytes or overview.unread else ""
    left = fmt.at_least(overview.left_bytes, overview.unread)
    return [(f"{transfers}{fmt.amount(overview.queued_filesets)} queued  {left}{eta}", "")]


def joined(parts: Iterable[Words], between: str) -> list[Piece]:
    """Return parts in a line, but for those that are empty."""
    line: list[Piece] = []
    for part in parts:
        if part:
            line += [*([(between, "dim")] if line else []), *part]
    return line


def cells(words: Words) -> int:
    """Return how wide words are."""
    return sum(cell_len(text) for text, _ in words)
