"""The page of a fileset: where it stands, its files, and what was tried."""

from __future__ import annotations

from collections.abc import Sequence

from core.model import FileState
from core.store.screens import AttemptLine, FileLine, FilesetDetails
from core.text import display
from tui import format as fmt
from tui import states
from tui.panes import due, queue
from tui.panes.details import LABEL, Line, fact, heading
from tui.snapshot import Snapshot
from tui.widgets.table import Cell, Column, Row

LAST_TRIES = 3
FILE_COLUMNS = (
    Column("name", "file", 16, grow=True, tail=7),
    Column("state", "state", 12),
    Column("size", "size", 8, "right", rank=1),
    Column("tries", "try", 3, "right", rank=2),
)
_FILE_STYLES = {
    FileState.QUARANTINED: "bad",
    FileState.RETRY_WAIT: "warn",
    FileState.ACTIVE: "accent",
    FileState.STAGED: "good",
    FileState.PUBLISHED: "good",
}


def overview(snapshot: Snapshot, details: FilesetDetails) -> list[Line]:
    """Tell all of one fileset."""
    line = details.line
    found = queue.mark(line, snapshot.at)
    lines: list[Line] = [
        heading(display(line.name), str(found), found.style),
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
    if line.next_try is not None and (line.next_try > snapshot.at or not line.active):
        lines.append(fact("next try", due.in_full(snapshot, line)))
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
    elif state is FileState.RETRY_WAIT and line.next_try is not None and line.next_try > now:
        words = f"retry {fmt.span(line.next_try - now)}"
    return (
        Cell(display(line.name)),
        Cell(f"{words} (accepted)" if line.accepted else words, style),
        Cell(fmt.size(line.size)),
        Cell(str(line.attempts) if line.attempts else ""),
    )
