"""The first run on a real terminal: from no configuration to published filesets."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore
from tests.terminal import Terminal
from tests.whole.screen import (
    CLEAR_FIELD,
    ENTER,
    ESCAPE,
    LOG,
    PRODUCTS,
    TAB,
    assert_left_clean,
    leave,
    wait_for_row,
    wait_on,
)
from tests.whole.service import wait_until
from tests.whole.site import COMMAND, HERE, fill
from tui import attach

INTERRUPT = "\x03"


class Nowhere:
    """A folder without a configuration, which is also the home of its user."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.file = folder / "mirrortui.toml"
        self.state = folder / ".local" / "state" / "mirrortui" / "mirror.db"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(HERE)}

    @contextmanager
    def terminal(
        self, *arguments: str, columns: int = 120, lines: int = 40, env: Mapping[str, str] | None = None
    ) -> Iterator[Terminal]:
        with Terminal(
            [*COMMAND, *arguments], columns, lines, {**self.environment, **(env or {})}, self.folder
        ) as terminal:
            yield terminal


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[Nowhere]:
    """Yield an empty folder; no engine that was started from it outlives the test."""
    folder = tmp_path / "home"
    folder.mkdir()
    place = Nowhere(folder)
    yield place
    while (engine := attach.find(place.state)) is not None:
        if engine.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(engine.pid, signal.SIGKILL)


def sees(terminal: Terminal, *words: str) -> None:
    wait_on(terminal, lambda: all(any(word in line for line in terminal.screen()) for word in words), f"{words}")


def published(folder: Path) -> dict[str, bytes]:
    """Return every data file of a published tree by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*.fits")
        if ".mirrortui" not in path.parts
    }


@pytest.mark.parametrize(
    ("columns", "lines", "env"), [(120, 40, {}), (80, 24, {"NO_COLOR": "1"}), (80, 24, {"TERM": "linux"})]
)
def test_from_no_configuration_to_published_filesets(
    nowhere: Nowhere, datastore: DataStore, columns: int, lines: int, env: dict[str, str]
) -> None:
    expected = fill(datastore, products=2, filesets=3)
    with nowhere.terminal(columns=columns, lines=lines, env=env) as terminal:
        sees(terminal, "[1 Source]", "No configuration was found in this folder")
        terminal.send(datastore.url)
        sees(terminal, "its index.txt lists the products", str(nowhere.folder / "127.0.0.1")[:40])
        terminal.send(f"{TAB}{TAB}")
        terminal.send(CLEAR_FIELD)
        wait_on(terminal, lambda: "expected a path" in "\n".join(terminal.screen()), "an empty destination")
        terminal.send("data")
        sees(terminal, "will be created; ")
        terminal.send(ENTER)
        sees(terminal, "[2 Products]", "0 of 2 marked")
        terminal.send(" ")
        sees(terminal, "1 of 2 marked")
        terminal.send(ENTER)
        sees(terminal, "[3 File]", 'products = ["prod0"]')
        assert not nowhere.file.exists()
        terminal.send(ENTER)
        sees(terminal, "[4 Check]", "+ prod0: 3 filesets", "All is well. Enter opens the dashboard")
        terminal.send(ENTER)
        terminal.wait_for("LIVE pid ")
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        wait_for_row(terminal, PRODUCTS, "prod1", ". available")
        terminal.send("5")
        wait_for_row(terminal, LOG, "hip.2", "published")
        leave(terminal)
    wanted = {path: body for path, body in expected.items() if path.startswith("prod0/")}
    assert published(nowhere.folder / "data") == wanted
    assert nowhere.file.stat().st_mode & 0o777 == 0o600
    with nowhere.terminal() as terminal:
        terminal.wait_for(" pid ")
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        leave(terminal)


def test_leaving_leaves_nothing_behind_but_a_clean_terminal(nowhere: Nowhere, datastore: DataStore) -> None:
    datastore.add_product("prod0")
    with nowhere.terminal() as terminal:
        sees(terminal, "[1 Source]")
        terminal.send(datastore.url)
        sees(terminal, "its index.txt lists the products")
        terminal.send(ENTER)
        sees(terminal, "0 of 1 marked")
        terminal.send(ESCAPE)
        sees(terminal, "[1 Source]", datastore.url)
        terminal.send(INTERRUPT)
        assert_left_clean(terminal)
    assert list(nowhere.folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(nowhere: Nowhere, number: signal.Signals) -> None:
    with nowhere.terminal() as terminal:
        sees(terminal, "[1 Source]")
        terminal.process.send_signal(number)
        wait_until(lambda: terminal.process.poll() is not None, "the end")
        assert terminal.process.returncode == 0
        if number is signal.SIGTERM:
            assert terminal.left_clean() == []


@pytest.mark.parametrize("arguments", [("--read-only",), ("--config", "nothing.toml")])
def test_it_is_only_for_who_has_no_configuration_and_may_write_one(
    nowhere: Nowhere, arguments: tuple[str, ...]
) -> None:
    with nowhere.terminal(*arguments) as terminal:
        assert terminal.wait() == 2
        said = " ".join(terminal.screen())
    assert "no configuration found" in said or "nothing.toml: no such file (named by --config)" in said


def test_without_a_terminal_there_is_a_message(nowhere: Nowhere) -> None:
    nothing = subprocess.DEVNULL
    ended = subprocess.run(
        COMMAND, check=False, cwd=nowhere.folder, env=nowhere.environment, stdin=nothing, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "the dashboard needs a terminal" in ended.stderr
