"""The tracer itself: what it notes of a program, and when exactly it kills it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.whole.site import HERE

PROGRAM = """
import os, sys, threading
folder = sys.argv[1]
def work(name):
    with open(f"{folder}/data/{name}", "wb") as file:
        file.write(b"12345678")
    os.rename(f"{folder}/data/{name}", f"{folder}/data/{name}.done")
for name in "ab":
    thread = threading.Thread(target=work, args=(name,))
    thread.start()
    thread.join()
fd = os.open(f"{folder}/data/large", os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b"12345678", 0)
os.pwrite(fd, b"12345678", 8)
os.fsync(fd)
os.mkdir("sub", dir_fd=os.open(f"{folder}/data", os.O_RDONLY))
os.mkdir(f"{folder}.elsewhere")
sys.exit(3)
"""
CALLS = [
    "write published\tdata/a",
    "rename published\tdata/a.done",
    "write published\tdata/b",
    "rename published\tdata/b.done",
    "write published\tdata/large",
    "write published\tdata/large",
    "fsync published\tdata/large",
    "mkdir published\tdata/sub",
]


def traced(folder: Path, *point: str) -> tuple[int, list[str], dict[str, bytes]]:
    """Run the program; return its exit code, the calls that were noted, and the files that it left."""
    (folder / "data").mkdir()
    record = folder / "record"
    tracer = [sys.executable, "-m", "tests.crash.tracer"]
    ended = subprocess.run(
        [*tracer, str(folder), str(record), *point, "--", sys.executable, "-c", PROGRAM, str(folder)],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not ended.stderr, ended.stderr
    files = {path.name: path.read_bytes() for path in sorted((folder / "data").iterdir()) if path.is_file()}
    return ended.returncode, record.read_text().splitlines(), files


def test_every_change_below_the_folder_is_noted_in_its_order(tmp_path: Path) -> None:
    code, calls, _ = traced(tmp_path)
    assert (code, calls) == (3, CALLS)


@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("rename published 2 before", {"a.done": b"12345678", "b": b"12345678"}),
        ("rename published 2 after", {"a.done": b"12345678", "b.done": b"12345678"}),
        ("write published 1 before", {"a": b""}),
        ("write published 1 midway", {"a": b"1234"}),
        ("write published 1 after", {"a": b"12345678"}),
        ("write published 4 midway", {"a.done": b"12345678", "b.done": b"12345678", "large": b"123456781234"}),
    ],
)
def test_a_program_is_killed_at_the_moment_that_was_asked_for(
    tmp_path: Path, point: str, left: dict[str, bytes]
) -> None:
    code, calls, files = traced(tmp_path, *point.split())
    assert (code, files) == (128 + 9, left)
    assert calls == CALLS[: len(calls)]


def test_a_program_that_does_not_come_to_the_point_ends_as_ever(tmp_path: Path) -> None:
    assert traced(tmp_path, "rename", "published", "3", "before")[:2] == (3, CALLS)
