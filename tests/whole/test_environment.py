"""What a process is started with: descriptors that are closed, or few; an encoding that holds few names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore
from tests.whole.service import PATIENCE, wait_until
from tests.whole.site import Site, fill

CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]


def shell(line: str) -> list[str]:
    """Return how a program is run as `line` says, in which "$@" stands for it."""
    return ["sh", "-c", line, "sh"]


@pytest.mark.parametrize("closed", CLOSED)
def test_everything_is_mirrored_whatever_standard_descriptors_are_closed(
    site: Site, datastore: DataStore, closed: str
) -> None:
    expected = fill(datastore, products=1)
    speaks = ">&-" not in closed.split()
    ended = site.run_under(shell(f'"$@" {closed}'), "--once")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("published 5 filesets" if speaks else "")
    assert site.published() == expected
    assert "internal error" not in site.log()
    status = site.run_under(shell(f'"$@" {closed}'), "status")
    assert (status.code, status.err) == (0, "")
    assert ("prod0" in status.out) is speaks


def test_a_limit_of_open_files_that_may_be_raised_is_raised(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    ended = site.run_under(shell('ulimit -S -n 20; exec "$@"'), "--once")
    assert (ended.code, ended.err) == (0, "")
    assert site.published() == expected


@pytest.mark.parametrize("most", [12, 40])
def test_too_few_open_files_for_an_engine_are_told_as_such(site: Site, datastore: DataStore, most: int) -> None:
    expected = fill(datastore, products=1)
    limited = shell(f'ulimit -n {most}; exec "$@"')
    ended = site.run_under(limited, "--once")
    assert ended.code == 5, ended
    assert f"only {most} files may be open at once" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert "Traceback" not in site.log()


def test_a_service_with_all_standard_descriptors_closed_works(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    process = site.start("run", preexec_fn=lambda: os.closerange(0, 3))
    try:
        wait_until(lambda: site.data.exists() and site.published() == expected, "everything to be published")
        process.terminate()
        assert process.wait(PATIENCE) == 0, site.log()
    finally:
        process.kill()
        process.communicate()


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("command", [("--once", "--json"), ("status", "--json")])
def test_where_names_are_not_utf8_nothing_is_begun(site: Site, datastore: DataStore, command: tuple[str, ...]) -> None:
    fill(datastore, products=1)
    ended = site.run(*command, env=ASCII)
    assert (ended.code, ended.json["exit_code"]) == (2, 2)
    assert "PYTHONUTF8=1" in ended.err
    assert not site.data.exists()
    assert site.run("--once", env=ASCII | {"PYTHONUTF8": "1"}).code == 0


def test_names_are_told_in_escapes_where_they_cannot_be_printed(site: Site, datastore: DataStore) -> None:
    datastore.add_product("Ωmega")
    site.once()
    ended = site.run("status", env={"PYTHONIOENCODING": "latin-1"})
    assert ended.code == 0, ended
    assert r"\u03a9mega" in ended.out


def put(kind: str, place: Path) -> None:
    """Have something stand in a place that is no file."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(place.parent / "nowhere")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_stands_in_the_place_of_a_log_or_of_the_ballast_holds_up_nothing(
    site: Site, datastore: DataStore, kind: str
) -> None:
    expected = fill(datastore, products=1, filesets=1)
    for name in ("mirrortui.log", "mirror.db.ballast"):
        put(kind, site.folder / name)
    ended = site.run("--once")
    assert ended.code == 0, ended
    assert f"mirrortui.log: cannot be opened (it is a {kind}, no file; remove it); logging to stderr" in ended.err
    assert site.published() == expected
    assert not (site.folder / "nowhere").exists()


@pytest.mark.parametrize(("place", "code"), [("mirror.db.lock", 2), ("data/.mirrortui/lock", 5)])
@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_stands_in_the_place_of_a_lock_is_named_with_a_remedy_that_helps(
    site: Site, datastore: DataStore, place: str, code: int, kind: str
) -> None:
    fill(datastore, products=1, filesets=1)
    lock = site.folder / place
    put(kind, lock)
    ended = site.run("--once")
    assert ended.code == code, ended
    told = ended.out + ended.err
    assert str(lock) in told
    assert f"it is a {kind}, no file; remove it" in told
    lock.rmdir() if kind == "folder" else lock.unlink()
    assert site.once()["exit_code"] == 0
