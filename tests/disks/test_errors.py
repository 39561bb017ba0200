"""Single calls of the system fail: an I/O error, a quota that is used up; at the destination, and at the state file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks.sites import DiskSite, stopped
from tests.servers.datastore import DataStore
from tests.whole.service import seen
from tests.whole.site import Ended, fill, register

LARGE = 3_000_000
WORDS = {"EIO": "input/output error", "EDQUOT": "disk quota exceeded"}
STAGING = ".mirrortui/staging/{owner}"
AREA = f"{STAGING}/{{fileset}}"


@pytest.fixture(scope="module", autouse=True)
def strace() -> None:
    """Skip where no program may be traced."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this process may not trace another: {done.stderr.strip()}")


@pytest.fixture(scope="module")
def store() -> Iterator[DataStore]:
    """Yield the Data Store of all tests here."""
    with DataStore() as store:
        store.add_product("p")
        register(store, "p", "first")
        yield store


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, store: DataStore) -> DiskSite:
    """Return the site of all tests here, which has mirrored what there is."""
    folder = tmp_path_factory.mktemp("errors")
    site = DiskSite(folder / "site", folder / "data", store)
    assert site.once()["exit_code"] == 0
    return site


def add_more(site: DiskSite, store: DataStore, product: str = "p") -> dict[str, bytes]:
    """Register a fileset with a large file, and one with small ones; return all that there is."""
    before, number = site.published(), seen(site, "SELECT max(id) FROM filesets")[0][0]
    files = {"large": {"large.dat": os.urandom(LARGE)}, "small": {f"s{n}.dat": os.urandom(1000) for n in range(4)}}
    for kind, contents in files.items():
        store.add_fileset(product, f"{kind}{number}", dict(contents))
    more = {f"{product}/{kind}{number}/{name}": body for kind, one in files.items() for name, body in one.items()}
    return before | more


def place(site: DiskSite, pattern: str) -> Path:
    """Return the path in the destination that `pattern` means; {fileset} is the next one that will be known."""
    (owner,) = [one.name for one in (site.data / ".mirrortui" / "staging").iterdir()]
    return site.data / pattern.format(owner=owner, fileset=seen(site, "SELECT max(id) + 1 FROM filesets")[0][0])


def injected(site: DiskSite, call: str, error: str, path: Path, when: str) -> Ended:
    """Run ``--once --json`` while `call` fails at `path`, at those times that `when` says; see strace(1)."""
    trace = site.folder / "trace"
    tracer = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", str(trace), "-P", str(path), "-e", f"trace={call}"]
    ended = site.run_under([*tracer, "-e", f"inject={call}:error={error}:when={when}"], "--once", "--json")
    assert "INJECTED" in trace.read_text(), ended
    return ended


def demand_that_the_next_run_completes(site: DiskSite, expected: dict[str, bytes]) -> None:
    assert site.published().items() <= expected.items(), "nothing wrong is published"
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert seen(site, "SELECT sum(attempts) FROM files") == [(0,)]
    site.demand_sound()


@pytest.mark.parametrize(
    ("call", "where", "error"),
    [
        ("pwrite64", f"{AREA}/large.dat", "EIO"),
        ("pwrite64", f"{AREA}/large.dat", "EDQUOT"),
        ("openat", AREA, "EDQUOT"),
        ("fsync", f"{AREA}/large.dat", "EIO"),
        ("renameat,renameat2", "p", "EIO"),
        ("mkdirat", STAGING, "EDQUOT"),
    ],
)
def test_an_error_at_the_destination_costs_no_try_and_the_next_run_goes_on(
    site: DiskSite, store: DataStore, call: str, where: str, error: str
) -> None:
    path, expected = place(site, where), add_more(site, store)
    ended = injected(site, call, error, path, "1+")
    why = stopped(json.loads(ended.out))
    assert ended.code == 5
    assert str(site.data) in why
    assert WORDS[error] in why.lower()
    if call == "fsync":
        assert not path.parent.exists(), "what could not be flushed is not believed to be there"
    demand_that_the_next_run_completes(site, expected)


@pytest.mark.parametrize(
    ("call", "error", "when"), [("pwrite64", "EIO", "20+"), ("pwrite64", "EDQUOT", "20"), ("fdatasync", "EIO", "3+")]
)
def test_an_error_at_the_state_file_is_told_and_the_next_run_goes_on(
    site: DiskSite, store: DataStore, call: str, error: str, when: str
) -> None:
    expected = add_more(site, store)
    ended = injected(site, call, error, site.folder / "mirror.db-wal", when)
    found = json.loads(ended.out)
    assert ended.code == found["exit_code"] == 5
    assert str(site.folder / "mirror.db") in (found["error"] or stopped(found))
    demand_that_the_next_run_completes(site, expected)


def test_a_file_that_could_not_be_flushed_is_fetched_again(site: DiskSite, store: DataStore) -> None:
    path, expected = place(site, f"{AREA}/large.dat"), add_more(site, store)
    usual = site.config.read_text()
    site.config.write_text(usual.replace("[engine]", '[engine]\ndurability = "full"'))
    assert "large.dat" in stopped(json.loads(injected(site, "fsync", "EIO", path, "1").out))
    site.config.write_text(usual)
    assert not path.exists()
    demand_that_the_next_run_completes(site, expected)


def test_a_file_too_large_for_the_file_system_fails_alone(tmp_path: Path, datastore: DataStore) -> None:
    site = DiskSite(tmp_path / "site", tmp_path / "data", datastore)
    expected = fill(datastore, products=1, filesets=1)
    site.once()
    path = place(site, f"{AREA}/large.dat")
    expected |= add_more(site, datastore, "prod0")
    found = json.loads(injected(site, "pwrite64", "EFBIG", path, "1+").out)
    assert found["exit_code"] == 3
    [failure] = found["failures"]
    assert (failure["file"], failure["kind"]) == ("large.dat", "unsafe")
    assert f"can't hold a file of {LARGE} bytes: file too large" in failure["detail"]
    assert site.published() == {name: body for name, body in expected.items() if "large" not in name}


def test_a_log_that_cannot_be_taken_into_the_state_file_is_kept(site: DiskSite, store: DataStore) -> None:
    expected = add_more(site, store)
    ended = injected(site, "pwrite64", "EIO", site.folder / "mirror.db", "1+")
    assert ended.code == 0
    assert site.published() == expected
    store.forget()
    demand_that_the_next_run_completes(site, expected)
    assert not store.requested("*.dat"), "all of it is known"
