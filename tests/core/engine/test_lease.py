"""One engine for one state file, and everybody can see which."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.engine import lease
from core.engine.lease import Holder, Lease
from core.errors import LeaseHeld, StateError

HOLD = """
import sys
from pathlib import Path
from core.engine.lease import Lease
Lease(Path(sys.argv[1])).take()
print("taken", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_elsewhere(state: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold the lease; at the end it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield process
        process.kill()


def test_a_lease_tells_who_holds_it_since_when(tmp_path: Path) -> None:
    state = tmp_path / "mirror.db"
    assert lease.find(state) is None
    mine = Lease(state, starter=4711)
    before = int(time.time())
    mine.take()
    found = lease.find(state)
    assert found is not None
    assert (found.pid, found.host, found.starter) == (os.getpid(), socket.gethostname(), 4711)
    assert found.since is not None
    assert before <= found.since <= time.time()
    assert str(found) == f"pid {os.getpid()} on {socket.gethostname()}"
    mine.release()
    assert lease.find(state) is None
    assert not lease.held(state)


def test_a_second_engine_is_told_who_was_quicker(tmp_path: Path) -> None:
    state = tmp_path / "mirror.db"
    with held_elsewhere(state) as process:
        found = lease.find(state)
        assert found is not None
        assert (found.pid, found.starter) == (process.pid, None)
        with pytest.raises(LeaseHeld, match=f"pid {process.pid} on "):
            Lease(state).take()


def test_a_lease_dies_with_its_holder(tmp_path: Path) -> None:
    state = tmp_path / "mirror.db"
    with held_elsewhere(state):
        pass
    assert lease.find(state) is None
    mine = Lease(state)
    mine.take()
    found = lease.find(state)
    assert found is not None
    assert found.pid == os.getpid()
    mine.release()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}', "\x00\xff"])
def test_a_holder_that_cannot_be_read_is_there_all_the_same(tmp_path: Path, content: str) -> None:
    state = tmp_path / "mirror.db"
    mine = Lease(state)
    mine.take()
    mine.path.write_text(content)
    assert lease.find(state) == Holder()
    assert str(lease.find(state)) == "unknown holder"
    mine.release()


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "mirror.db.lock").symlink_to(victim)
    with pytest.raises(StateError, match=r"mirror\.db\.lock"):
        Lease(tmp_path / "mirror.db").take()
    assert lease.find(tmp_path / "mirror.db") is None
    assert victim.read_text() == "precious"
