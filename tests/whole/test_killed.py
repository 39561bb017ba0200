"""An engine that is killed between what a command does and its answer: it counts once, and is answered."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading

import pytest

from core.model import CommandKind
from core.store.commands import Target
from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen, serving, wait_until, write_wishes
from tests.whole.site import SECONDS, Site, fill

QUEUE = "SELECT name, state, priority FROM filesets ORDER BY priority DESC, place"
COMMAND = "SELECT state, result FROM commands"


def run_to_the_answer(site: Site) -> None:
    """Run ``--once`` in a process that kills itself when it comes to the answer of a command."""
    command = [sys.executable, "-m", "tests.whole.crashing", "before:answer", "1", "--", "--once", "--quiet"]
    ended = subprocess.run(command, cwd=site.folder, env=site.environment, timeout=SECONDS, check=False)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (CommandKind.PRIORITY, "+1", "1 fileset: priority 1"),
        (CommandKind.MOVE, "down", "1 fileset moved down"),
        (CommandKind.HOLD, None, "1 fileset: o470.chip.0"),
        (CommandKind.CANCEL, None, "1 fileset: o470.chip.0"),
        (CommandKind.RETRY, None, "1 fileset tried again"),
    ],
)
def test_a_command_counts_once(
    site: Site, datastore: DataStore, kind: CommandKind, value: str | None, result: str
) -> None:
    fill(datastore, products=1, filesets=3)
    datastore.fault("prod0/*/index.txt", Fault.status(404), times=None)
    site.once()
    before = seen(site, QUEUE)
    asyncio.run(write_wishes(site, (kind, Target(filesets=("o470.chip.0",), value=value))))
    run_to_the_answer(site)
    after = seen(site, QUEUE)
    assert (after == before) == (kind is CommandKind.RETRY), "the command had its effect"
    assert seen(site, COMMAND) == [("new", result)]

    assert site.once()["exit_code"] == 3
    assert seen(site, COMMAND) == [("done", result)]
    assert seen(site, QUEUE) == after


def test_staged_bytes_that_are_altered_before_the_next_run_are_fetched_again(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=1, files=3)
    gate = threading.Event()
    datastore.fault("*.2.fits", Fault.gate(gate, 1000))
    process = site.start("--once")
    wait_until(lambda: seen(site, "SELECT count(*) FROM files WHERE state = 'staged'") == [(2,)], "two staged files")
    process.kill()
    process.communicate()
    gate.set()
    [altered] = (site.data / ".mirrortui/staging").rglob("*.0.fits")
    altered.write_bytes(altered.read_bytes()[::-1])
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert [len(datastore.requested(f"*.{number}.fits")) for number in range(2)] == [2, 1]


def test_the_log_tells_of_engines_that_began_ended_or_died(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=1)
    engine = site.start("run")
    try:
        wait_until(lambda: seen(site, "SELECT 1 FROM filesets WHERE state = 'published'"), "the engine to work")
    finally:
        engine.kill()
        engine.communicate()
    with serving(site) as second:
        wait_until(
            lambda: len(seen(site, "SELECT 1 FROM events WHERE message LIKE 'engine started%'")) == 2, "the next"
        )
    told = [
        message for (message,) in seen(site, "SELECT message FROM events WHERE message LIKE '%engine%' ORDER BY id")
    ]
    assert [words.split(", by")[0] for words in told] == [
        f"engine started: pid {engine.pid}",
        "the engine before this one did not end properly; this one goes on from the state",
        f"engine started: pid {second.pid}",
        f"engine ended: pid {second.pid}",
    ]
