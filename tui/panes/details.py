"""Everything about one product or one fileset, as text; and the files of a fileset, as rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.errors import FailureKind
from core.model import FileState
from core.store import reasons
from core.store.screens import (
    AttemptLine,
    EventLine,
    FailureGroup,
    FailureLine,
    FileLine,
    FilesetDetails,
    MirrorLine,
    ProductDetails,
    ProductLine,
)
from core.store.screens.failed import LIMIT
from core.text import display
from core.units import counted
from core.urls import host_words
from tui import format as fmt
from tui import states
from tui.panes import failed, log, products, queue
from tui.snapshot import Snapshot
from tui.widgets.prose import Piece
from tui.widgets.table import Cell, Column, Row

LABEL = 11
LAST_TRIES = 3
FILE_COLUMNS = (
    Column("name", "file", 16, grow=True, tail=7),
    Column("state", "state", 12),
    Column("size", "size", 8, "right", rank=1),
    Column("tries", "tries", 5, "right", rank=2),
)
_FILE_STYLES = {
    FileState.QUARANTINED: "bad",
    FileState.RETRY_WAIT: "warn",
    FileState.ACTIVE: "accent",
    FileState.STAGED: "good",
    FileState.PUBLISHED: "good",
}

Line = Sequence[Piece]


def fact(label: str, words: str, style: str = "") -> Line:
    """Return one line: a label, and what there is to say."""
    return [(f"{label:<{LABEL}}", "dim"), (words, style)]


def trouble(snapshot: Snapshot) -> list[Line]:
    """Return why nothing is known, in full."""
    return [[(snapshot.trouble, "bad")]] if snapshot.trouble else nothing()


def nothing() -> list[Line]:
    """Return what is shown when the cursor is on nothing."""
    return [[("Put the cursor on a product, a fileset or a failure.", "dim")]]


# Products.


def product_overview(
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
        [(display(f"{line.mirror}/{line.name}"), "bold"), ("  ", ""), (str(found), found.style)],
        *([[(display(line.description, 200), "dim")]] if line.description else []),
    ]
    if line.selected and (why := reason(snapshot, line, limit)):
        lines.append(fact("why", display(why), found.style))
    lines += _figures(snapshot, line, limit, details)
    if snapshot.details_history and line.selected:
        spark = fmt.sparkline(snapshot.details_history, max(1, width - LABEL))
        lines.append([(f"{'1 h':<{LABEL}}", "dim"), (spark, "accent")])
    if mirror is not None:
        lines += [
            fact("source", display(mirror.url)),
            fact("into", display(mirror.destination)),
            fact("free", fmt.size(mirror.free) if mirror.free is not None else fmt.UNKNOWN),
        ]
        if mirror.stopped:
            lines.append(fact("stopped", display(mirror.stopped), "bad"))
    if line.wish:
        word = "mirrored" if line.wish == "mirror" else "ignored"
        lines += [fact("wish", f"{word} by an operator; to make it permanent:", "warn"), [(permanent(line), "")]]
    lines += [fact("rejected", f"{failed.what(one)}: {display(one.detail)}", "bad") for one in details.rejections]
    return lines


def reason(snapshot: Snapshot, line: ProductLine, limit: float | None) -> str:
    """Say why a product that may lag `limit` seconds is not current: how fast it comes, or what holds it up."""
    if snapshot.engine is None and line.backlog_filesets:
        return "no engine runs"
    left = products.remaining(snapshot, line)
    if line.active and line.backlog_bytes and left is not None:
        return f"{_pace(snapshot, line, limit)}; current in {fmt.span(left)}{_aside(line)}"
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


def _cause(snapshot: Snapshot, line: ProductLine) -> str:
    """Say what most of the failures say that hold a product up, how many that are if not all, and what comes next."""
    blocked = line.counts.get("quarantined", 0)
    number = blocked or line.counts.get("failed", 0)
    groups = [group for group in snapshot.groups if (group.mirror, group.product) == (line.mirror, line.name)]
    groups = [
        group
        for group in groups
        if group.filesets and group.kind != FailureKind.REJECTED and (group.quarantined > 0) is (blocked > 0)
    ]
    if not groups:
        return line.why
    most = max(groups, key=lambda group: (group.filesets, group.failures))
    said = f"{most.detail} ({fmt.amount(most.filesets)} of them)" if most.filesets < number else most.detail
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
        f"{fmt.size(line.backlog_bytes)}"
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
        lines.append(fact("proven", f"each file read since {fmt.moment(details.proven_since, snapshot.at)}"))
    if aside:
        lines.append(fact("aside", aside, "warn"))
    if line.next_try is not None:
        lines.append(fact("next try", fmt.moment(line.next_try, snapshot.at)))
    if details.latency is not None:
        median, most = details.latency
        lines.append(fact("latency", f"{fmt.span(median)} median, {fmt.span(most)} for 90 %"))
    if line.error:
        lines.append(fact("error", display(line.error), "bad"))
    if line.alarm:
        lines.append(fact("alarm", display(line.alarm), "bad"))
    return lines


# What has no page of its own.


def mirror_text(mirror: MirrorLine, now: float) -> list[Line]:
    """Tell of a mirror of which no product is mirrored."""
    found = products.mirror_mark(mirror)
    lines: list[Line] = [[(display(mirror.name), "bold"), ("  ", ""), (str(found), found.style)]]
    if why := mirror.stopped or mirror.error or mirror.paused:
        lines.append(fact("why", display(why, 1000), found.style))
    lines += [
        fact("source", display(mirror.url)),
        fact("into", display(mirror.destination)),
        fact("polled", fmt.ago(mirror.polled_at, now)),
        fact("then", "when the cause is mended: r tries again, p resumes a paused one, u looks at the source"),
    ]
    return lines


def failure_text(line: FailureLine) -> list[Line]:
    """Tell of a row of a catalogue that was refused, and never became a fileset."""
    return [
        [(failed.what(line), "bold"), ("  ", ""), (f"x {display(line.kind)}", "bad")],
        fact("mirror", display(line.mirror)),
        fact("product", display(line.product or fmt.UNKNOWN)),
        fact("why", display(line.detail, 1000), "bad"),
        fact("then", "the rest of the catalogue was mirrored; tell the source. r has the list read again"),
    ]


def group_text(group: FailureGroup, now: float, *, opened: bool) -> list[Line]:
    """Tell of the failures of one kind in one product."""
    style = "bad" if group.quarantined else "warn"
    others = group.failures - group.same
    where = f" in {counted(group.filesets, 'fileset')}" if group.filesets else ""
    lines: list[Line] = [
        [(display(group.product or group.mirror), "bold"), ("  ", ""), (f"x {display(group.kind)}", style)],
        fact("mirror", display(group.mirror)),
        fact("failed", f"{failed.number(group)}{where}", style),
        fact("why", display(group.detail, 1000), style),
    ]
    if others:
        words = f"{fmt.amount(group.same)} of them" if group.same > 1 else "one of them"
        lines.append(fact("", f"so says {words}; the others say something else", "dim"))
    lines.append(fact("tries", failed.tries(group)))
    if group.quarantined:
        lines.append(
            fact("aside", f"{fmt.amount(group.quarantined)} in quarantine: only an operator moves them", "bad")
        )
    if group.next_try is not None:
        lines.append(fact("next try", fmt.moment(group.next_try, now)))
    verb = "closes" if opened else "opens"
    lines.append(fact("then", f"r tries all of them again, Enter {verb} the list"))
    if opened and group.failures > LIMIT:
        lines.append(fact("listed", f"the first {fmt.amount(LIMIT)}; / finds others", "dim"))
    return lines


def event_text(line: EventLine, now: float) -> list[Line]:
    """Tell an event in full."""
    return [
        [(fmt.moment(line.at, now), "dim"), (f"  {line.level}", log.STYLES.get(line.level, ""))],
        *([fact("where", log.where(line))] if log.where(line) else []),
        [(display(line.message, 4000), "")],
    ]


# Filesets.


def fileset_overview(snapshot: Snapshot, details: FilesetDetails) -> list[Line]:
    """Tell all of one fileset."""
    line = details.line
    found = queue.mark(line, snapshot.at)
    lines: list[Line] = [
        [(display(line.name), "bold"), ("  ", ""), (str(found), found.style)],
        fact("product", display(f"{line.mirror}/{line.product}")),
        fact("files", f"{fmt.amount(line.files)}, {fmt.size(line.bytes)}"),
        fact("registered", fmt.moment(line.registered, snapshot.at)),
        fact("published", fmt.moment(details.published_at, snapshot.at)),
        fact("priority", f"{line.priority:+d}" if line.priority else "0", "accent" if line.priority else ""),
    ]
    if details.verified_at is not None:
        lines.append(fact("verified", fmt.moment(details.verified_at, snapshot.at)))
    if line.bytes and not details.published_at:
        lines.append(
            [(f"{'done':<{LABEL}}", "dim"), (f"{fmt.bar(queue.share(line), 20)} {int(queue.share(line) * 100)}%", "")]
        )
    if line.failure:
        lines.append(fact("failure", display(line.failure), "bad"))
    if line.next_try is not None:
        lines.append(fact("next try", fmt.moment(line.next_try, snapshot.at)))
    by_state = ", ".join(
        f"{fmt.amount(number)} {states.FILES[FileState(state)]}"
        for state, number in details.counts_by_file_state.items()
        if number
    )
    lines += [fact("states", by_state or "its index has not been read yet")]
    if details.revision > 1:
        lines.append(fact("revision", str(details.revision), "accent"))
    if details.attempts:
        lines += [[], [("last tries", "dim")], *_tries(snapshot, details.attempts[:LAST_TRIES]), []]
    lines += [fact("source", display(details.source_url)), fact("into", display(details.destination_path))]
    if details.type:
        lines.append(fact("type", display(details.type)))
    lines += [fact(display(name, LABEL), display(value)) for name, value in details.columns.items()]
    return lines


def attempts(snapshot: Snapshot, lines: Sequence[AttemptLine]) -> list[Line]:
    """Tell the tries of a fileset and its files, the newest first."""
    if not lines:
        return [[("Nothing has failed here.", "dim")]]
    return _tries(snapshot, lines)


def _tries(snapshot: Snapshot, lines: Sequence[AttemptLine]) -> list[Line]:
    shown: list[Line] = []
    for one in lines:
        style = "good" if one.kind is None else "warn"
        shown.append(
            [
                (f"{fmt.moment(one.at, snapshot.at)}  ", "dim"),
                (f"try {one.number} ", ""),
                (f"{one.kind or 'ok'}  ", style),
                (display(one.file or "its index"), "bold"),
            ]
        )
        shown.append([("  ", ""), (display(one.detail), "")])
        if one.digest:
            size = "" if one.size is None else f"{fmt.amount(one.size)} bytes, "
            shown.append([(f"  seen: {size}MD5 {display(one.digest)}", "dim")])
    return shown


def file_row(line: FileLine, now: float) -> Row:
    """Return the cells of one file."""
    state = FileState(line.state)
    style = _FILE_STYLES.get(state, "")
    words = states.FILES[state]
    if state is FileState.ACTIVE and line.size:
        words = f"{line.received / line.size:.0%}"
    elif state is FileState.RETRY_WAIT and line.next_try is not None:
        words = f"retry {fmt.span(line.next_try - now)}"
    return (
        Cell(display(line.name)),
        Cell(f"{words} (accepted)" if line.accepted else words, style),
        Cell(fmt.size(line.size)),
        Cell(str(line.attempts) if line.attempts else ""),
    )
