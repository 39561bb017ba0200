"""How a run ends that was stopped before it knew what there is to do, or whose terminal is gone."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.whole.service import PATIENCE, seen, wait_until
from tests.whole.site import HERE, Site, fill, register

TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from tui.cli import main; main()"


@pytest.mark.parametrize("awaited", ["index.txt", "prod0/index.txt"])
def test_a_stop_before_the_source_was_listed_is_code_7(site: Site, datastore: DataStore, awaited: str) -> None:
    fill(datastore, products=1)
    opened = threading.Event()
    datastore.fault(awaited, Fault.gate(opened), times=None)
    process = site.start("--once", "--json")
    try:
        datastore.wait_for(awaited)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)
    finally:
        opened.set()
    assert (process.returncode, json.loads(out)["exit_code"]) == (7, 7)


def test_products_that_were_not_asked_for_when_the_run_ended_are_work_left(
    tmp_path: Path, datastore: DataStore
) -> None:
    with DataStore() as late:
        datastore.add_product("p")
        expected = register(datastore, "p", "f", files=1)
        fill(late, products=2, filesets=1, files=1)
        coming, listed = threading.Event(), threading.Event()
        datastore.fault("*.fits", Fault.gate(coming))
        late.fault("index.txt", Fault.gate(listed))
        other = f'[[mirror]]\nname = "late"\nprotocol = "ipp"\nurl = "{late.url}"\ndestination = "late"'
        site = Site(tmp_path, datastore.url, more=other)
        process = site.start("--once", "--json")
        try:
            datastore.wait_for("*.fits")
            late.wait_for("index.txt")
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: "stopping" in site.log(), "the signal to be heard")
            listed.set()
            wait_until(lambda: seen(site, "SELECT 1 FROM products WHERE name = 'prod1'"), "the root to be read")
            coming.set()
            out, _ = process.communicate(timeout=PATIENCE)
        finally:
            coming.set()
            listed.set()
        assert (process.returncode, json.loads(out)["exit_code"]) == (7, 7)
        assert site.published() == expected
        assert site.once()["exit_code"] == 0
        assert len(list((tmp_path / "late").rglob("*.fits"))) == 2


def test_a_run_that_is_ended_before_it_begins_says_so_in_json(site: Site, datastore: DataStore) -> None:
    os.mkfifo(site.folder / "slow.toml")  # the configuration is waited for
    process = site.start("--config", "slow.toml", "--once", "--json")
    try:
        with open(site.folder / "slow.toml", "w"):  # opened as soon as the program reads
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 143
    assert json.loads(out)["exit_code"] == 143
    assert "before the work began" in json.loads(out)["error"]


def test_a_service_whose_terminal_is_gone_drains_and_ends(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    expected = register(datastore, "p", "f")
    opened = threading.Event()
    datastore.fault("*.0.fits", Fault.gate(opened))
    master, terminal = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(site.folder), "PYTHONPATH": str(HERE), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, "run"],
        cwd=site.folder, env=environment, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    try:
        datastore.wait_for("*.0.fits")
        os.close(master)
        opened.set()
        assert process.wait(PATIENCE) == 0, site.log()
    finally:
        opened.set()
        process.kill()
        process.wait()
    assert site.published() == expected
    assert site.run("status").code == 0
    assert site.once()["exit_code"] == 0
