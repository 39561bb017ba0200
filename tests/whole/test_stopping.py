"""How an engine ends, or is ended, and how the next one goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.whole.service import PATIENCE, seen, states, wait_until
from tests.whole.site import COMMAND, Site, fill, register


def assert_whole(site: Site, expected: dict[str, bytes]) -> None:
    """Every fileset at its final place is complete and right, at any moment."""
    there = site.published()
    filesets = {path.rpartition("/")[0] for path in there}
    assert there == {path: body for path, body in expected.items() if path.rpartition("/")[0] in filesets}
    assert all((site.data / fileset / "index.txt").exists() for fileset in filesets)


def test_killed_at_random_nothing_half_is_ever_visible_and_the_next_run_completes(
    tmp_path: Path, datastore: DataStore
) -> None:
    expected = fill(datastore, products=2, filesets=40, files=8, size=20_000)
    site = Site(tmp_path, datastore.url, engine="transfers = 4")
    chance = random.Random(4711)
    grown = []
    for _ in range(6):
        datastore.forget()
        enough = chance.randrange(20, 120)
        datastore.fault("*.fits", Fault("none"), times=enough)
        datastore.fault("*.fits", Fault.gate(threading.Event()), times=None)
        process = site.start("--once", "--quiet")
        datastore.wait_for("*.fits", enough, PATIENCE)
        process.kill()
        process.communicate()
        datastore.heal()
        assert process.returncode == -signal.SIGKILL
        assert_whole(site, expected)
        grown.append(len(site.published()))
    assert grown == sorted(grown), "what was published stays"
    assert len(set(grown) - {0, len(expected)}) >= 2, "each run adds to it, and none completes it"
    found = site.once()
    assert found["exit_code"] == 0, found["failures"]
    assert site.published() == expected
    assert not list((site.data / ".mirrortui/staging").glob("*/*"))


def test_a_large_file_goes_on_after_a_kill_where_it_was(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    body = random.Random(1).randbytes(6_000_000)
    datastore.add_fileset("p", "f", {"big.fits": body})
    held = threading.Event()
    datastore.fault("p/f/big.fits", Fault.gate(held, after=4_000_000))
    process = site.start("--once")
    try:
        state = site.folder / "mirror.db"
        wait_until(lambda: state.exists() and kept(state) > 2_000_000, "the partial file to be noted")
    finally:
        process.kill()
        process.communicate()
        held.set()
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert site.published() == {"p/f/big.fits": body}
    (request,) = datastore.requested("p/f/big.fits")
    assert int(request.headers["range"].removeprefix("bytes=").removesuffix("-")) > 2_000_000
    assert request.status == 206


def kept(state: Path) -> int:
    try:
        with sqlite3.connect(f"file:{state}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT ifnull(max(kept), 0) FROM files").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_a_second_engine_is_told_who_holds_the_lease(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    held = threading.Event()
    datastore.fault("*.fits", Fault.gate(held), times=None)
    first = site.start("--once", "--json")
    try:
        datastore.wait_for("*.fits", 1, PATIENCE)
        second = site.run("--once")
        assert second.code == 6
        assert f"pid {first.pid}" in second.err
        status = site.run("status")
        assert f"pid {first.pid}" in status.out
    finally:
        held.set()
    out, _ = first.communicate(timeout=60)
    assert json.loads(out)["exit_code"] == 0
    assert site.once()["exit_code"] == 0, "the lock of a process that is gone is no obstacle"


def test_two_state_files_cannot_publish_into_one_destination(tmp_path: Path, datastore: DataStore) -> None:
    fill(datastore, products=1)
    held = threading.Event()
    datastore.fault("*.fits", Fault.gate(held), times=None)
    site = Site(tmp_path, datastore.url)
    first = site.start("--once")
    try:
        datastore.wait_for("*.fits", 1, PATIENCE)
        other = tmp_path / "other.toml"
        other.write_text(site.config.read_text().replace('"mirror.db"', '"other.db"'))
        assert site.run("--config", "other.toml", "--once").code == 6
    finally:
        held.set()
    first.communicate(timeout=60)


def start_with_one_file_under_way(
    site: Site, datastore: DataStore, *command: str
) -> tuple[subprocess.Popen[str], threading.Event]:
    """Start an engine in which one fileset waits for its last file, and others could follow."""
    held = threading.Event()
    datastore.fault("*.0.fits", Fault.gate(held, after=100), times=None)
    process = site.start(*command)
    datastore.wait_for("*.0.fits", 1, PATIENCE)
    return process, held


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_first_signal_finishes_what_is_under_way_and_begins_nothing(
    tmp_path: Path, datastore: DataStore, number: signal.Signals
) -> None:
    site = Site(tmp_path, datastore.url, engine="transfers = 1")
    datastore.add_product("p")
    expected = register(datastore, "p", "first", files=3)
    process, held = start_with_one_file_under_way(site, datastore, "run")
    process.send_signal(number)
    wait_until(lambda: "no new work" in site.log(), "the drain to begin")
    register(datastore, "p", "second", files=3)
    held.set()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert site.published() == expected


def test_once_that_is_drained_with_work_left_is_code_7(tmp_path: Path, datastore: DataStore) -> None:
    site = Site(tmp_path, datastore.url, engine="transfers = 1\ndrain_timeout = '0s'")
    expected = fill(datastore, products=1)
    process, held = start_with_one_file_under_way(site, datastore, "--once", "--json")
    process.terminate()
    out, _ = process.communicate(timeout=30)
    held.set()
    assert (process.returncode, json.loads(out)["exit_code"]) == (7, 7)
    datastore.heal()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_at_once_and_keeps_what_came(
    tmp_path: Path, datastore: DataStore, number: signal.Signals, code: int
) -> None:
    site = Site(tmp_path, datastore.url)
    datastore.add_product("p")
    body = random.Random(1).randbytes(3_000_000)
    datastore.add_fileset("p", "f", {"big.0.fits": body})
    held = threading.Event()
    datastore.fault("*.0.fits", Fault.gate(held, after=2_500_000))
    process = site.start("--once")
    wait_until(lambda: kept(site.folder / "mirror.db") > 1_000_000, "the first bytes")
    process.send_signal(number)
    wait_until(lambda: "no new work" in site.log(), "the drain to begin")
    process.send_signal(number)
    process.communicate(timeout=30)
    held.set()
    assert process.returncode == code
    datastore.forget()
    assert site.once()["exit_code"] == 0
    (request,) = datastore.requested("*.0.fits")
    assert request.status == 206


def test_a_service_polls_by_interval_obeys_commands_and_is_seen(tmp_path: Path, datastore: DataStore) -> None:
    site = Site(tmp_path, datastore.url, mirror='poll_interval = "0.2s"')
    expected = fill(datastore, products=1, filesets=1)
    process = site.start("run")
    try:
        wait_until(lambda: site.data.exists() and site.published() == expected, "the first fileset")
        assert "running" not in site.run("status").out.splitlines()[0]
        assert site.run("pause", "--product", "prod0").code == 0
        held_back = register(datastore, "prod0", "later")
        time.sleep(0.4)
        assert site.published() == expected
        answer = site.run("resume", "--product", "prod0")
        assert "1 product" in answer.out
        wait_until(lambda: site.published() == expected | held_back, "the resumed product")
        refused = site.run("hold", "prod0/nothing-like-it")
        assert refused.code == 2
        assert "nothing-like-it" in refused.err
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_drain_gives_back_what_was_admitted_and_not_begun(tmp_path: Path, datastore: DataStore) -> None:
    site = Site(tmp_path, datastore.url, engine="transfers = 2")
    expected = fill(datastore, products=1, filesets=40, files=2)
    held = threading.Event()
    datastore.fault("*.fits", Fault.gate(held, after=10), times=None)
    process = site.start("--once", "--json")
    datastore.wait_for("*.fits", 2, PATIENCE)
    wait_until(lambda: len(in_state(site, "transferring")) > 20, "many filesets to be admitted")
    wait_until(lambda: len(states(site)) == 40 and not in_state(site, "discovered"), "every index to be read")
    process.send_signal(signal.SIGINT)
    wait_until(lambda: len(in_state(site, "transferring")) <= 2, "the others to be given back")
    held.set()
    out, _ = process.communicate(timeout=60)
    found = json.loads(out)
    assert (process.returncode, found["exit_code"]) == (7, 7)
    begun = {request.path.rsplit("/", 1)[0] for request in datastore.requested("*.fits")}
    assert 1 <= len(begun) <= 2
    assert site.published() == {path: body for path, body in expected.items() if path.rsplit("/", 1)[0] in begun}
    assert len(in_state(site, "queued")) == 40 - len(begun)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_that_comes_before_there_is_anything_to_save(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    pipe = tmp_path / "mirrortui.toml"
    os.mkfifo(pipe)
    command = [*COMMAND, "--config", str(pipe), "--once"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with pipe.open("w"):  # the program has begun to read its configuration
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (code, "", "")


def in_state(site: Site, state: str) -> list[str]:
    return [name for name, other in states(site).items() if other == state]


def test_a_signal_that_comes_when_all_is_told_changes_nothing(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=1)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        process = site.start("--once", "--json")
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == told["exit_code"] == 0, err


def test_a_hangup_means_nothing_to_who_was_started_to_outlive_the_terminal(
    tmp_path: Path, datastore: DataStore
) -> None:
    site = Site(tmp_path, datastore.url, engine="transfers = 1")
    expected = fill(datastore, products=1, filesets=3)
    held = threading.Event()
    datastore.fault("*.0.fits", Fault.gate(held), times=None)
    process = site.start("--once", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    datastore.wait_for("*.0.fits", 1, PATIENCE)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    held.set()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert site.published() == expected


def test_a_verification_beside_another_states_engine_is_code_6_and_not_made_up_for(
    site: Site, datastore: DataStore
) -> None:
    fill(datastore, products=1, filesets=1)
    site.once()
    other = Site(site.folder.parent / "other", datastore.url)
    other.data.symlink_to(site.data)
    datastore.forget()
    held = threading.Event()
    datastore.fault("*", Fault.gate(held), times=None)
    engine = other.start("--once")
    try:
        datastore.wait_for("*", 1, PATIENCE)
        ended = site.run("verify", "--repair")
    finally:
        held.set()
        engine.communicate(timeout=PATIENCE)
    assert ended.code == 6, ended
    assert "another engine, with another state file, publishes here" in ended.err
    assert seen(site, "SELECT count(*) FROM commands WHERE state = 'new'") == [(0,)]
