"""The page of a product: where it stands, and what of it failed."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import FailureKind
from core.store import reasons
from core.store.screens import FailureGroup, MirrorLine, ProductDetails, ProductLine
from core.text import display
from core.units import counted
from core.urls import host_words
from tui import format as fmt
from tui import remedies, states
from tui.panes import due, failed, products
from tui.panes.details import LABEL, Line, fact, heading
from tui.snapshot import Snapshot

NO_ENGINE = "no engine runs"


def overview(
    snapshot: Snapshot,
    details: ProductDetails,
    limit: float | None,
    permanent: Callable[[ProductLine], str],
    width: int,
) -> list[Line]:
    """Tell all of one product in lines of `width` cells.

    `permanent` gives the configuration line that would keep an operator's wish.
    """
    line = details.line
    mirror = products.mirror_of(snapshot, line)
    found = products.mark(line, mirror, limit)
    lines: list[Line] = [
        heading(display(f"{line.mirror}/{line.name}"), str(found), found.style),
        *([[(display(line.description, 200), "dim")]] if line.description else []),
    ]
    why = reason(snapshot, line, limit) if line.selected else ""
    if why:
        lines.append(fact("why", display(why), found.style))
    if line.selected and (then := remedy(snapshot, line, mirror)):
        lines.append(fact("then", then))
    lines += _figures(snapshot, line, limit, details)
    said = (("error", line.error), ("alarm", line.alarm), ("stopped", mirror.stopped if mirror is not None else None))
    lines += [fact(label, display(words), "bad") for label, words in said if words and display(words) not in why]
    if snapshot.details_history and line.selected:
        spark = fmt.sparkline(snapshot.details_history, max(1, width - LABEL))
        lines.append([(f"{'1 h':<{LABEL}}", "dim"), (spark, "accent")])
    if mirror is not None:
        lines += [
            fact("source", display(mirror.url)),
            fact("into", display(mirror.destination)),
            fact("free", fmt.size(mirror.free) if mirror.free is not None else fmt.UNKNOWN),
        ]
    if line.wish:
        word = "mirrored" if line.wish == "mirror" else "ignored"
        lines += [fact("wish", f"{word} by an operator; to make it permanent:", "warn"), [(permanent(line), "")]]
    lines += [fact("rejected", f"{failed.what(one)}: {display(one.detail)}", "bad") for one in details.rejections]
    return lines


def reason(snapshot: Snapshot, line: ProductLine, limit: float | None) -> str:
    """Say why a product that may lag `limit` seconds is not current: how fast it comes, or what holds it up."""
    if snapshot.engine is None and line.backlog_filesets:
        return NO_ENGINE
    left = products.remaining(snapshot, line)
    aside = _aside(line)
    if line.active and line.backlog_bytes and left is not None:
        return _pace(snapshot, line, limit) + (aside or f"; current in {fmt.span(left)}")
    if line.paused:
        return line.why + aside
    return _cause(snapshot, line) if line.failing else line.why


def _pace(snapshot: Snapshot, line: ProductLine, limit: float | None) -> str:
    """Tell how fast a product comes, and how fast all that is left of it had to come to be here within `limit`."""
    speed, needed = snapshot.rates.get(line.id, 0.0), line.backlog_bytes / limit if limit else 0.0
    more = f", {fmt.rate(needed)} needed" if needed > speed else ""
    return f"{_limit(snapshot) or f'{_host(snapshot, line)} gives {fmt.rate(speed)}'}{more}"


def _host(snapshot: Snapshot, line: ProductLine) -> str:
    mirror = products.mirror_of(snapshot, line)
    return host_words(mirror.url) if mirror is not None else "the source"


def _aside(line: ProductLine) -> str:
    """Tell what of a product doesn't come with the rest."""
    numbers = ((line.counts.get("failed", 0), "failing"), (line.counts.get("quarantined", 0), "in quarantine"))
    return "".join(f"; {fmt.amount(number)} {words}" for number, words in numbers if number)


def errors(snapshot: Snapshot, line: ProductLine) -> list[Line]:
    """Tell what of a product failed, by kind, the worst first; and what happens to it."""
    groups = _failing(snapshot, line)
    if not groups:
        return [[("Nothing of it has failed.", "dim")]]
    lines: list[Line] = []
    for group in groups:
        style = "bad" if group.quarantined else "warn"
        lines += [
            [(failed.number(group), "bold"), ("  ", ""), (f"x {display(group.kind)}", style)],
            fact("why", display(group.detail, 1000)),
            fact("tries", failed.tries(group)),
            fact("then", _next(snapshot, group)),
            [],
        ]
    return [*lines, [("3 Failed lists them one by one.", "dim")]]


def _failing(snapshot: Snapshot, line: ProductLine) -> list[FailureGroup]:
    return [group for group in snapshot.failing if (group.mirror, group.product) == (line.mirror, line.name)]


def _next(snapshot: Snapshot, group: FailureGroup) -> str:
    """Tell what becomes of failures by themselves."""
    if group.kind == FailureKind.REJECTED:
        return "the rest of the catalogue is mirrored; tell the source"
    retried = group.failures - group.quarantined
    then = "" if group.next_try is None else f", the next {due.in_full(snapshot, group)}"
    parts = (
        (retried, f"{fmt.amount(retried)} to be tried again{then}"),
        (group.quarantined, f"{fmt.amount(group.quarantined)} in quarantine: only an operator or the source can help"),
    )
    return "; ".join(words for number, words in parts if number)


def remedy(snapshot: Snapshot, line: ProductLine, mirror: MirrorLine | None) -> str:
    """Say what to do about what keeps a product from being current, and what goes on then; empty if nothing does."""
    if mirror is not None and mirror.stopped:
        return remedies.of_stop(mirror.stopped_kind)
    if line.paused or (mirror is not None and mirror.paused):
        return ""
    if line.error:
        return remedies.of_list(line.error_kind)
    if mirror is not None and mirror.error:
        return remedies.of_source(mirror.error_kind)
    if line.alarm:
        return remedies.of_alarm()
    most = _most(snapshot, line)
    return remedies.of_failures(most.kind, most.quarantined > 0) if most is not None else ""


def _most(snapshot: Snapshot, line: ProductLine) -> FailureGroup | None:
    """Return what failed in most of the filesets that hold a product up; of what is in quarantine, if something is."""
    blocked = line.counts.get("quarantined", 0) > 0
    groups = [
        group
        for group in _failing(snapshot, line)
        if group.filesets and group.kind != FailureKind.REJECTED and (group.quarantined > 0) is blocked
    ]
    return max(groups, key=lambda group: (group.filesets, group.failures), default=None)


def _cause(snapshot: Snapshot, line: ProductLine) -> str:
    """Say what most of the failures say that hold a product up, how many that are if not all, and what comes next."""
    blocked = line.counts.get("quarantined", 0)
    number = blocked or line.counts.get("failed", 0)
    most = _most(snapshot, line)
    if most is None:
        return line.why
    said = most.detail if most.same == most.failures else f"such as: {most.detail}"
    said = f"{said} ({fmt.amount(most.filesets)} of them)" if most.filesets < number else said
    if blocked:
        return f"{line.why}: {said}"
    then = "tried again now" if line.next_try is None else f"next try {fmt.moment(line.next_try, snapshot.at)}"
    return f"{counted(number, 'fileset')} failing: {said}; {then} at {_host(snapshot, line)}"


def _limit(snapshot: Snapshot) -> str:
    overview = snapshot.overview
    if overview is None:
        return ""
    active = sum(line.active for line in overview.products)
    return reasons.limit_reached(active, snapshot.rate, overview.limit_transfers, overview.limit_bandwidth)


def _figures(snapshot: Snapshot, line: ProductLine, limit: float | None, details: ProductDetails) -> list[Line]:
    if not line.selected:
        return [fact("type", display(line.type)), fact("mirror", "press m to begin mirroring it")]
    counts = line.counts
    sla = "" if limit is None else f" of {fmt.span(limit)} allowed"
    aside = ", ".join(
        f"{fmt.amount(counts[state])} {states.TROUBLES.get(state, state)}"
        for state in (*states.TROUBLES, "held", "excluded", "withdrawn", "cancelled")
        if counts.get(state)
    )
    speed = fmt.rate(snapshot.rates.get(line.id, 0.0)) or "idle"
    left = (
        f"{counted(line.backlog_filesets, 'fileset')}, {counted(line.backlog_files, 'file')}, "
        f"{fmt.size(line.backlog_bytes)}" + (f"; {fmt.amount(line.unread)} not read yet" if line.unread else "")
    )
    lines = [
        fact("lag", f"{fmt.span(line.lag)}{sla}", "bad" if states.late(line, limit) else ""),
        fact("to go", left if line.backlog_filesets else "nothing"),
        fact("rate", f"{speed}, {counted(line.active, 'transfer')}" if line.active else speed),
        fact("eta", fmt.span(products.remaining(snapshot, line))),
        fact("mirrored", f"{counted(line.published_filesets, 'fileset')}, {fmt.size(line.published_bytes)}"),
        fact("polled", fmt.ago(line.polled_at, snapshot.at)),
    ]
    if details.proven_since is not None:
        lines.append(fact("verified", f"all files since {fmt.moment(details.proven_since, snapshot.at)}"))
    if aside:
        lines.append(fact("aside", aside, "warn"))
    if line.next_try is not None:
        lines.append(fact("next try", fmt.moment(line.next_try, snapshot.at)))
    if details.latency is not None:
        median, most = details.latency
        lines.append(fact("latency", f"{fmt.span(median)} median, {fmt.span(most)} for 90 %"))
    return lines
