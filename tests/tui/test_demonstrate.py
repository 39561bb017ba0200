"""The demo on a terminal: a Data Store, an engine and a dashboard, of which nothing stays."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.terminal import PATIENCE, Terminal
from tests.whole.service import wait_until
from tests.whole.site import HERE

DEMO = """
import sys
from pathlib import Path
from core.config import load_config
from core.errors import ExitCode
from tui import attach
from tui.headless import demonstrate

def dashboard(file):
    config = load_config(file)
    engine = attach.start(file)
    print("engine", engine.pid, "end", flush=True)
    print("store", config.mirrors[0].url, "end", flush=True)
    print("folder", file.parent, "end", flush=True)
    sys.stdin.readline()
    return ExitCode.OK

sys.exit(demonstrate.run(once=False, folder=None, dashboard=dashboard))
"""


def told(terminal: Terminal, word: str) -> str:
    """Return what the dashboard says about one thing."""
    terminal.wait_for(word)
    found = re.search(rf"{word} (\S+) end", "\n".join(terminal.screen()))
    assert found
    return found[1]


def processes(folder: Path) -> list[int]:
    """Return the processes that use `folder` for temporary files, the demo's among them."""
    mine = f"TMPDIR={folder}".encode()
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if mine in _environment(path)]


def _environment(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:
        return []


def test_the_demo_on_a_terminal_shows_its_dashboard_and_leaves_nothing(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(HERE), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    with Terminal([sys.executable, "-c", DEMO], columns=200, env=environment) as terminal:
        engine, folder = int(told(terminal, "engine")), Path(told(terminal, "folder"))
        assert folder.parent == tmp_path
        running = processes(tmp_path)
        assert len(running) == 3, "the dashboard, the engine and the store"
        assert {engine, terminal.process.pid} < set(running)
        wait_until(lambda: list(folder.glob("data/*/*/*")), "something to be mirrored")
        terminal.send("\r")
        assert terminal.wait() == 0
        assert terminal.left_clean() == []
    assert processes(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_the_demo_has_no_dashboard(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DEMO]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Data Store at http://127.0.0.1:")
        assert process.stdout.readline().startswith("look on from another terminal: ")
        wait_until(lambda: list(tmp_path.glob("*/data/*/*/*")), "something to be mirrored")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_store_does_not_outlive_whoever_started_it() -> None:
    command = [sys.executable, "-m", "core.demo", "0", "0"]
    with subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as store:
        assert store.stdin is not None
        assert store.stdout is not None
        url = json.loads(store.stdout.readline())["url"]
        assert httpx.get(f"{url}/index.txt").status_code == 200
        store.stdin.close()
        assert store.wait(PATIENCE) == 0
