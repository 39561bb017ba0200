"""A service over hours and days, and runs one after another: what changes around them is followed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from core.model import CommandKind
from tests.servers.datastore import DataStore, Fault
from tests.whole.service import serving, states, wait_until, wish
from tests.whole.site import Site, counts, fill, register


def listed(site: Site, product: str) -> list[str]:
    """Return the filesets that our own index of a product tells of."""
    path = site.data / product / "index.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split("|")[0].strip() for line in lines if not line.startswith("#")]


def left_in_staging(site: Site) -> list[Path]:
    return list((site.data / ".mirrortui/staging").glob("*/*/*"))


def test_an_unusable_destination_is_code_5(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    site.data.mkdir()
    (site.data / ".mirrortui").write_text("in the way")
    found = site.once()
    assert found["exit_code"] == 5
    assert str(site.data) in found["mirrors"][0]["error"]
    assert (site.data / ".mirrortui").read_text() == "in the way"


def test_a_service_goes_on_when_its_destination_is_mended_and_it_is_resumed(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    site.data.mkdir()
    (site.data / ".mirrortui").write_text("in the way")
    with serving(site):
        wait_until(lambda: "stopped:" in site.log(), "the mirror to be stopped")
        (site.data / ".mirrortui").unlink()
        answer = site.run("resume")
        assert (answer.code, answer.out.strip()) == (0, "resume: 1 mirror")
        wait_until(lambda: site.published() == expected, "the mirror to go on")
    assert site.once()["exit_code"] == 0


def test_a_published_fileset_enters_our_index_without_any_other_following(tmp_path: Path, datastore: DataStore) -> None:
    site = Site(tmp_path, datastore.url, mirror='poll_interval = "0.3s"')
    datastore.add_product("p")
    register(datastore, "p", "first")
    with serving(site):
        wait_until(lambda: listed(site, "p") == ["first"], "the first fileset in our index")
        register(datastore, "p", "second")
        wait_until(lambda: listed(site, "p") == ["first", "second"], "the second fileset in our index")


def test_a_withdrawn_fileset_leaves_our_index_and_enters_it_again(tmp_path: Path, datastore: DataStore) -> None:
    site = Site(tmp_path, datastore.url, mirror='reconcile_interval = "0.1s"')
    datastore.add_product("p")
    for fileset in "abc":
        register(datastore, "p", fileset)
    site.once()
    datastore.hide("p", "a")
    site.once()
    assert listed(site, "p") == ["b", "c"]
    datastore.show("p", "a")
    datastore.forget()
    found = site.once()
    assert sorted(listed(site, "p")) == ["a", "b", "c"]
    assert counts(found, "p")["published"] == 3
    assert not datastore.requested("*.fits"), "its bytes were there all the time"


def test_nothing_stays_staged_of_filesets_that_are_not_wanted_any_more(tmp_path: Path, datastore: DataStore) -> None:
    reconciled = 'reconcile_interval = "0.1s"'
    site = Site(tmp_path, datastore.url, mirror=reconciled)
    datastore.add_product("p")
    for fileset in ("superseded", "withdrawn", "excluded", "cancelled", "stays"):
        datastore.add_fileset("p", fileset, {"a.dat": b"x" * 5000, "b.dat": b"y" * 100})
    datastore.fault("p/*/b.dat", Fault.status(404), times=None)
    assert site.once()["exit_code"] == 3
    assert len(left_in_staging(site)) == 5
    datastore.register_again("p", "superseded", {"a.dat": b"z" * 500}, registered="2026-11-05T00:00:00Z")
    datastore.withdraw("p", "withdrawn")
    site.configure(datastore.url, mirror=f'{reconciled}\nexclude_filesets = ["excluded"]')
    assert site.run("cancel", "cancelled").code == 0
    found = site.once()
    assert found["exit_code"] == 3
    assert [one["fileset"] for one in found["failures"]] == ["stays"]
    assert site.published() == {"p/superseded/a.dat": b"z" * 500}
    assert [path.name for path in left_in_staging(site)] == ["a.dat"], "only that of the one that is still wanted"


def test_the_lag_of_a_mirror_that_is_refused_is_unknown(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    assert site.once()["mirrors"][0]["products"][0]["lag_seconds"] == 0
    datastore.fault("index.txt", Fault.status(401), times=None)
    register(datastore, "prod0", "new")
    found = site.once()
    assert found["exit_code"] == 4
    assert "401" in found["mirrors"][0]["error"]
    assert found["mirrors"][0]["products"][0]["lag_seconds"] is None


def test_a_command_of_a_newer_version_is_refused_and_harms_nothing(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    with serving(site):
        wait_until(lambda: site.published() == expected, "the filesets")
        with closing(sqlite3.connect(site.folder / "mirror.db")) as db, db:
            db.execute(
                "INSERT INTO commands (kind, target, who, host, at) VALUES ('dance', '{\"how\": 1}', 'I', 'h', 1)"
            )
        wait_until(lambda: "does not know this command" in site.log(), "the refusal")
        wish(site, CommandKind.PAUSE)
        with closing(sqlite3.connect(site.folder / "mirror.db")) as db:
            assert db.execute("SELECT state FROM commands ORDER BY id").fetchall() == [("refused",), ("done",)]


def test_conflicting_rows_by_the_thousand_are_dealt_with(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {})
    rows = "".join(f"f{n}|{size}|{'0' * 32}|t|\n" for n in range(50_000) for size in (10, 11))
    datastore.raw_index("p/f/index.txt", f"# fileID|bytes|md5sum|type|\n{rows}".encode())
    found = site.once()
    assert found["exit_code"] == 3
    assert {one["kind"] for one in found["failures"]} == {"conflict"}
    assert not datastore.requested("p/f/f*")


def test_two_hundred_thousand_excluded_filesets_fit_in_memory(tmp_path: Path, datastore: DataStore) -> None:
    datastore.add_product("p")
    rows = "".join(f"o{n:06d}.chip.{n}|2026-11-01T00:00:00Z|t|\n" for n in range(200_000))
    datastore.raw_index("p/index.txt", f"# filesetID|time registered|type|\n{rows}".encode())
    site = Site(tmp_path, datastore.url, mirror='filesets = ["none-of-these"]')
    code, peak = site.measured("--once", "--quiet")
    assert code == 0
    assert peak < 300e6
    assert set(states(site).values()) == {"excluded"}
    assert len(states(site)) == 200_000
