"""The real program, each run of it a process of its own, forked from one that has imported it: a run costs little.

Waits are shortened to hundredths of seconds; what the policies say of hours stays.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from core.engine import engine, indexer, parts
from core.errors import POLICIES, FailureKind
from core.transfer import hosts
from tui import cli

PATIENCE = 60.0
SHORT = (0.01, 0.02)
"""The first waits of a failure that may pass; later ones are of hours, and left to the next run."""

WAITS = {
    "LONGEST_SUSPICION": 0.02,
    "FIRST_REST": 0.05,
    "LONGEST_REST": 0.05,
    "TICK_SECONDS": 0.02,
    "DUE_SECONDS": 0.05,
}

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["__main__", __name__, "tui.headless.work"])


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[BaseProcess]:
    """Run ``mirrortui ARGUMENTS`` in a folder for the time of the block, at whose end it has to have ended by itself.

    What it prints is in ``out`` and ``err`` of that folder.
    """
    process = _forks.Process(target=run, args=(folder, arguments))
    process.start()
    try:
        yield process
        process.join(PATIENCE)
        assert process.exitcode is not None, "the program does not end"
    finally:
        process.kill()
        process.join()


def run(folder: Path, arguments: tuple[str, ...]) -> None:
    """Be the program. Called in the new process."""
    os.chdir(folder)
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    hurry()
    sys.argv = ["mirrortui", *arguments]
    cli.main()


def hurry() -> None:
    """Shorten the waits of an engine that are there for the sake of a server."""
    for kind in (FailureKind.TRANSIENT, FailureKind.MALFORMED):
        later = [seconds for seconds in POLICIES[kind].delays if seconds > 3600]
        POLICIES[kind] = replace(POLICIES[kind], delays=(*SHORT, *later), jittered=len(SHORT))
    for module in (hosts, indexer, parts, engine):
        for name, seconds in WAITS.items():
            if hasattr(module, name):
                setattr(module, name, seconds)
