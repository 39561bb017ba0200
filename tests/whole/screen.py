"""The dashboard as an operator has it: `mirrortui` on a real terminal, its panes read row by row."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.cells import cell_len

from tests.terminal import Terminal
from tests.whole.service import PATIENCE, wait_until
from tests.whole.site import COMMAND, Site
from tui import attach
from tui.attach import Engine

ENTER, ESCAPE, TAB = "\r", "\x1b", "\t"
CLEAR_FIELD = "\x15"
PRODUCTS, QUEUE, FAILED, DETAILS, LOG = PANES = ("1 Products", "2 Queue", "3 Failed", "4 Details", "5 Log")
CURSOR = ">"
QUESTION = "Leave the dashboard?"
FOOTER_OF = {
    PRODUCTS: ("n Available",),
    QUEUE: ("J/K Move",),
    FAILED: ("A Accept", "/ Filter"),
    DETAILS: ("o/f/e Show",),
    LOG: ("F Follow",),
}
"""What the last line says when a pane has the keyboard, and only then, on a screen of 120 columns."""


def state_of(site: Site) -> Path:
    return site.folder / "mirror.db"


def engine_of(site: Site) -> Engine | None:
    return attach.find(state_of(site))


def pid_of(site: Site) -> int:
    """Return the process of the engine, which has to be there."""
    engine = engine_of(site)
    assert engine is not None
    assert engine.pid is not None
    return engine.pid


def end_engine(site: Site) -> None:
    """End whatever engine is at work, without mercy."""
    while (engine := engine_of(site)) is not None:
        if engine.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(engine.pid, signal.SIGKILL)


def wait_until_ended(site: Site) -> None:
    wait_until(lambda: engine_of(site) is None, "the engine to end")


@contextmanager
def dashboard(
    site: Site, *arguments: str, columns: int = 120, lines: int = 40, env: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Show the dashboard for the time of the block; the engine may go on after it."""
    environment = {**site.environment, "XDG_STATE_HOME": str(site.folder / "screen"), **(env or {})}
    with Terminal([*COMMAND, *arguments], columns, lines, environment, site.folder) as terminal:
        yield terminal


def leave(terminal: Terminal) -> None:
    """Quit, let the engine go on if that is asked, and find the terminal as it was."""
    terminal.send("q")
    wait_on(terminal, lambda: terminal.process.poll() is not None or asks(terminal), "the end, or a question")
    if terminal.process.poll() is None:
        terminal.send("d")
    assert_left_clean(terminal)


def asks(terminal: Terminal) -> bool:
    return any(QUESTION in line for line in terminal.screen())


def assert_left_clean(terminal: Terminal) -> None:
    assert terminal.wait() == 0, terminal.screen()
    assert terminal.left_clean() == []


# Panes.


def pane(terminal: Terminal, title: str) -> list[str]:
    """Return what stands within the border of a pane, from its title on; nothing if it isn't on the screen."""
    lines = [_cells(line) for line in terminal.screen()]
    for top, line in enumerate(lines):
        begin = _place("".join(line), f"╭─ {title}")
        if begin is not None and "╮" in line[begin:]:
            end = line.index("╮", begin)
            rows = ["".join(one[begin + 1 : end]) for one in lines[top:]]
            bottom = next((at for at, row in enumerate(rows) if row.startswith("─") and at), len(rows))
            return [rows[0].strip("─ "), *rows[1:bottom]]
    return []


def wait_for_row(terminal: Terminal, title: str, *words: str) -> str:
    """Return the first row of a pane, or its title, that contains all `words`, as soon as there is one."""
    found: list[str] = []

    def there() -> bool:
        found[:] = [row for row in pane(terminal, title) if all(word in row for word in words)]
        return bool(found)

    wait_on(terminal, there, f"{words} in pane {title}")
    return found[0]


def wait_for_no_row(terminal: Terminal, title: str, *words: str) -> None:
    """Wait until no row of a pane that is there contains all `words`."""

    def gone() -> bool:
        rows = pane(terminal, title)
        return bool(rows) and not any(all(word in row for word in words) for row in rows)

    wait_on(terminal, gone, f"{words} to leave pane {title}")


def wait_on(terminal: Terminal, true: Callable[[], bool], what: str) -> None:
    """Wait until something is true of a screen; fail with the screen if it never is."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "\n".join([f"waited in vain for {what}:", *terminal.screen()])
        time.sleep(0.02)


def go(terminal: Terminal, title: str) -> None:
    """Go to a pane by its number."""
    terminal.send(title[0])
    wait_for_keyboard(terminal, title)


def wait_for_keyboard(terminal: Terminal, title: str) -> None:
    """Wait until a pane has the keyboard."""
    words = FOOTER_OF[title]
    wait_on(terminal, lambda: all(word in terminal.screen()[-1] for word in words), f"{title} to have the keyboard")


def put_cursor(terminal: Terminal, title: str, word: str) -> None:
    """Go to a list, and there to the row with `word`, as an operator does: step by step."""
    go(terminal, title)
    wait_for_row(terminal, title, word)
    rows = pane(terminal, title)
    at = next(place for place, row in enumerate(rows) if row.startswith(CURSOR))
    goal = next(place for place, row in enumerate(rows) if place and word in row)
    terminal.send(("j" if goal > at else "k") * abs(goal - at))
    wait_on(
        terminal,
        lambda: any(row.startswith(CURSOR) and word in row for row in pane(terminal, title)),
        f"the cursor on {word}",
    )


def _place(line: str, text: str) -> int | None:
    at = line.find(text)
    return None if at < 0 else cell_len(line[:at])


def _cells(line: str) -> list[str]:
    """Return what is in each cell of a line; the second cell of a wide character is empty."""
    cells: list[str] = []
    for char in line:
        cells += [char, *[""] * (cell_len(char) - 1)] if cell_len(char) else []
    return cells
