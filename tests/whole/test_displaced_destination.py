"""A destination is moved, replaced or taken away under an engine at work: nothing is published that nobody finds."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.whole.service import PATIENCE, seen, serving, states, wait_until
from tests.whole.site import Site, fill, register

WORDS = "moved, replaced or unmounted while the engine was at work"


def rename(data: Path) -> None:
    data.rename(data.with_name("moved"))


def replace(data: Path) -> None:
    rename(data)
    data.mkdir()


def link_elsewhere(data: Path) -> None:
    rename(data)
    data.with_name("other").mkdir()
    data.symlink_to(data.with_name("other"))


def put_back(data: Path) -> None:
    if data.is_symlink():
        data.unlink()
    elif data.exists():
        data.rmdir()
    data.with_name("moved").rename(data)


@contextmanager
def running(site: Site) -> Iterator[subprocess.Popen[str]]:
    """Let a run go on while something is done to it; whatever becomes of that, the run ends with the block."""
    process = site.start("--once")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("harm", [rename, replace, link_elsewhere])
def test_a_run_whose_destination_goes_says_so_and_the_next_one_completes(
    site: Site, datastore: DataStore, harm: Callable[[Path], None]
) -> None:
    expected = fill(datastore, products=1, filesets=3)
    opened = threading.Event()
    datastore.fault("*/o470.chip.2.*.fits", Fault.gate(opened), times=None)
    with running(site) as process:
        wait_until(lambda: list(states(site).values()).count("published") == 2, "two filesets to be published")
        harm(site.data)
        opened.set()
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 5, out + err
    assert f"{site.data}: {WORDS}" in out
    assert not list((site.folder / "moved/prod0").glob("o470.chip.2"))
    again = site.run("--once")
    assert (again.code, site.published()) == (5, {}), again
    assert harm is not rename or not site.data.exists(), "what will be put back there finds the name free"
    put_back(site.data)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert seen(site, "SELECT ifnull(sum(attempts), 0) FROM files") == [(0,)]


def test_a_run_with_nothing_left_to_do_says_that_its_destination_has_gone(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=1)
    assert site.once()["exit_code"] == 0
    opened = threading.Event()
    datastore.fault("*index.txt*", Fault.gate(opened), times=None)
    datastore.forget()
    with running(site) as process:
        datastore.wait_for("*index.txt*", 1, PATIENCE)
        rename(site.data)
        opened.set()
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 5, out + err
    put_back(site.data)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_service_stops_the_mirror_and_goes_on_when_its_destination_is_back(
    tmp_path: Path, datastore: DataStore
) -> None:
    site = Site(tmp_path / "site", datastore.url, mirror='poll_interval = "1s"')
    expected = fill(datastore, products=1, filesets=3)
    with serving(site):
        wait_until(lambda: list(states(site).values()) == ["published"] * 3, "everything to be published")
        replace(site.data)
        wait_until(lambda: WORDS in str(seen(site, "SELECT message FROM events")), "the mirror to stop")
        expected |= register(datastore, "prod0", "late")
        verified = site.run("verify")
        assert verified.code == 5, verified
        assert "stopped" in site.run("status").out
        assert not list(tmp_path.glob("**/late"))
        put_back(site.data)
        assert site.run("resume").code == 0
        wait_until(lambda: list(states(site).values()) == ["published"] * 4, "everything to be published")
    assert site.published() == expected


def test_a_destination_whose_disk_is_not_there_stops_its_mirror_alone(tmp_path: Path, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=1)
    more = f'[[mirror]]\nname = "away"\nprotocol = "ipp"\nurl = "{datastore.url}"\ndestination = "disk/data"\n'
    site = Site(tmp_path, datastore.url, more=more)
    for _ in range(2):
        ended = site.run("--once")
        assert ended.code == 5
        assert f"there is no {tmp_path / 'disk'}; mount its disk" in ended.out
    assert site.published() == expected
    assert site.run("status").code == 0
    assert f"{tmp_path / 'disk'}: is not there; mount its disk" in site.run("check").out
    (tmp_path / "disk").mkdir()
    assert site.once()["exit_code"] == 0
    assert (tmp_path / "disk/data/prod0").is_dir()
