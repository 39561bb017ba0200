"""`--once` at a real terminal, and with a reader that leaves early."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import termios
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.whole.site import COMMAND, HERE, SECONDS, Site, fill
from tui.headless.progress import CLEAR

COLUMNS = 60
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (DEBUG|INFO |WARN |ERROR) .+")


def read_until(terminal: int, words: str) -> str:
    """Return what the terminal shows until `words` have come, or until its other side is closed."""
    shown = ""
    with suppress(OSError):
        while not words or words not in shown:
            shown += os.read(terminal, 4096).decode()
    return shown


def test_a_terminal_shows_progress_between_log_lines_and_is_left_clean(tmp_path: Path, datastore: DataStore) -> None:
    fill(datastore, products=1)
    opened = threading.Event()
    datastore.fault("*chip.0/*.0.fits", Fault.gate(opened), times=None)
    datastore.fault("*chip.1/*.0.fits", Fault.status(404), times=None)
    site = Site(tmp_path / "site", datastore.url)
    terminal, other_side = pty.openpty()
    termios.tcsetwinsize(other_side, (24, COLUMNS))
    environment = {"PATH": os.environ["PATH"], "HOME": str(site.folder), "PYTHONPATH": str(HERE), "TERM": "xterm"}
    command = [*COMMAND, "--once"]
    with subprocess.Popen(
        command, cwd=site.folder, env=environment, stdout=subprocess.PIPE, stderr=other_side, text=True
    ) as process:
        os.close(other_side)
        shown = read_until(terminal, " files, ")
        opened.set()
        shown += read_until(terminal, "")
        out, _ = process.communicate(timeout=SECONDS)
    os.close(terminal)
    assert process.returncode == 3
    assert out.startswith("published 4 filesets; ")
    *lines, last = [line.split(CLEAR) for line in shown.split("\r\n")]
    assert lines
    assert last[-1] == ""
    assert all(LOG_LINE.fullmatch(line[-1]) for line in lines)
    drawn = [text for line in [*lines, last] for text in line[:-1] if text]
    assert drawn
    assert all(re.match(r"[0-9,]+ files, .* done at ", text) and len(text) < COLUMNS for text in drawn)


@pytest.mark.parametrize("arguments", [["--once"], ["--once", "--json"], ["status"], ["failures"], ["check"]])
def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path, datastore: DataStore, arguments: list[str]) -> None:
    fill(datastore, products=2)
    site = Site(tmp_path / "site", datastore.url)
    assert site.run("--once").code == 0
    process = site.start(*arguments)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process:
        shown = process.stderr.read()
    assert shown == ""
    assert process.returncode == 0


@pytest.mark.parametrize("elsewhere", ["<", ">", "2>"])
def test_no_dashboard_is_drawn_where_nobody_sees_it(tmp_path: Path, elsewhere: str) -> None:
    site = Site(tmp_path / "site", "http://127.0.0.1:1/ds")
    terminal, other_side = pty.openpty()
    with subprocess.Popen(
        ["sh", "-c", f'"$@" {elsewhere}/dev/null; echo ended $?', "sh", *COMMAND],
        cwd=site.folder,
        env=site.environment | {"TERM": "xterm"},
        stdin=other_side,
        stdout=other_side,
        stderr=other_side,
    ) as process:
        os.close(other_side)
        shown = read_until(terminal, "ended")
        shown += read_until(terminal, "")
        process.wait(SECONDS)
    os.close(terminal)
    assert "ended 2" in shown
    assert elsewhere == "2>" or "the dashboard needs a terminal" in shown
