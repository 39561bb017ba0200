"""``mirrortui --once`` on a source that fails, lies, or means harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.whole.service import seen
from tests.whole.site import Site, counts, fill, register

BIG = 40_000


def failure(found: Any, kind: str) -> Any:
    hits = [one for one in found["failures"] if one["kind"] == kind]
    assert len(hits) == 1, found["failures"]
    return hits[0]


def test_passing_faults_end_published_and_what_broke_off_is_continued(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, size=BIG)
    datastore.fault("prod0/o470.chip.0/o470.chip.0.0.fits", Fault.status(503), times=2)
    datastore.fault("prod0/o470.chip.1/o470.chip.1.1.fits", Fault.reset(after=15_000))
    datastore.fault("prod0/o470.chip.2/o470.chip.2.2.fits", Fault.truncate(after=20_000))
    datastore.fault("prod0/o470.chip.3/o470.chip.3.3.fits", Fault.flip(777))
    found = site.once()
    assert found["exit_code"] == 0, found["failures"]
    assert site.published() == expected
    for path, offset in (("o470.chip.1/o470.chip.1.1.fits", 15_000), ("o470.chip.2/o470.chip.2.2.fits", 20_000)):
        first, second = datastore.requested(f"prod0/{path}")
        assert "range" not in first.headers
        assert second.headers["range"] == f"bytes={offset}-"
        assert second.status == 206
    first, second = datastore.requested("prod0/o470.chip.3/o470.chip.3.3.fits")
    assert "range" not in second.headers


def test_lasting_faults_block_their_filesets_alone_until_they_are_mended(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore)
    datastore.fault("prod0/o470.chip.1/o470.chip.1.1.fits", Fault.flip(3), times=None)
    datastore.fault("prod1/o471.chip.2/o471.chip.2.0.fits", Fault.status(404), times=None)
    found = site.once()
    assert found["exit_code"] == 3
    blocked = ("prod0/o470.chip.1/", "prod1/o471.chip.2/")
    assert site.published() == {path: body for path, body in expected.items() if not path.startswith(blocked)}
    assert counts(found, "prod0")["quarantined"] == 1
    assert counts(found, "prod1")["failed"] == 1
    wrong = failure(found, "integrity")
    assert (wrong["product"], wrong["fileset"], wrong["file"]) == ("prod0", "o470.chip.1", "o470.chip.1.1.fits")
    assert "MD5" in wrong["detail"]
    assert wrong["attempts"] == 2
    assert wrong["next_try"] is None
    missing = failure(found, "missing")
    assert (missing["fileset"], missing["file"]) == ("o471.chip.2", "o471.chip.2.0.fits")
    assert missing["next_try"] is not None

    datastore.forget()
    assert site.once()["exit_code"] == 3
    assert not datastore.requested("*.fits"), "nothing is due yet"

    listed = site.run("failures").out
    assert "o470.chip.1.1.fits" in listed
    assert "404" in listed
    datastore.heal()
    assert site.run("retry", "--all").code == 0
    found = site.once()
    assert found["exit_code"] == 0, found["failures"]
    assert site.published() == expected
    assert len(datastore.requested("*.fits")) == 2, "only what had failed was fetched again"


def test_a_digest_that_is_mended_in_the_index_is_read_again_by_retry(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": ServedFile(b"right", md5="0" * 32), "b.dat": b"other"})
    assert site.once()["exit_code"] == 3
    datastore.replace_file("p", "f", "a.dat", b"right", update_index=True)
    site.run("retry", "--kind", "integrity")
    assert site.once()["exit_code"] == 0
    assert site.published() == {"p/f/a.dat": b"right", "p/f/b.dat": b"other"}
    assert len(datastore.requested("p/f/b.dat")) == 1


HOSTILE = [
    "..",
    ".",
    "../../evil",
    "/etc/evil",
    "a\\b",
    "a\0b",
    "x" * 256,
    ".mirrortui",
    "index.txt",
    "-rf",
    "\x1b[31mred",
    "\x9b31m",
    "a\u202eb",
]


def with_hostile_rows(index: bytes, good: str) -> bytes:
    """Return `index` with a copy of the row of `good` for every hostile name."""
    lines = index.decode().splitlines()
    row = next(line for line in lines if line.startswith(good))
    return "\n".join([*lines, *(row.replace(good, name) for name in HOSTILE), ""]).encode()


def test_hostile_file_names_are_refused_one_by_one(tmp_path: Path, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"good.dat": b"good"})
    datastore.raw_index("p/f/index.txt", with_hostile_rows(datastore.index("p/f/index.txt"), "good.dat"))
    site = Site(tmp_path / "deep" / "site", datastore.url)
    found = site.once()
    assert found["exit_code"] == 3
    assert site.published() == {"p/f/good.dat": b"good"}
    assert [(one["kind"], one["fileset"]) for one in found["failures"]] == [("rejected", "f")] * len(HOSTILE)
    assert_harmless(tmp_path, site)


def test_hostile_fileset_and_product_names_are_refused_one_by_one(tmp_path: Path, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "good", {"good.dat": b"good"})
    datastore.raw_index("p/index.txt", with_hostile_rows(datastore.index("p/index.txt"), "good"))
    datastore.raw_index("index.txt", with_hostile_rows(datastore.index("index.txt"), "p"))
    site = Site(tmp_path / "deep" / "site", datastore.url)
    found = site.once()
    assert found["exit_code"] == 3
    assert site.published() == {"p/good/good.dat": b"good"}
    assert [one["kind"] for one in found["failures"]] == ["rejected"] * 2 * len(HOSTILE)
    assert_harmless(tmp_path, site)


def assert_harmless(tmp_path: Path, site: Site) -> None:
    """Nothing was written outside the site, and nothing that is printed or logged can do anything but be read."""
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["site"]
    assert {path.name for path in site.data.iterdir()} == {".mirrortui", "index.txt", "p"}
    printed = site.run("failures").out + site.run("status").out + site.run("--once").out + site.log()
    assert all(char.isprintable() or char == "\n" for char in printed), ascii(printed)


def test_ids_that_differ_in_case_or_normalisation_only_are_kept_apart(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    expected = {"a.dat": b"1", "A.dat": b"2", "caf\u00e9": b"3", "cafe\u0301": b"4"}
    datastore.add_fileset("p", "f", dict(expected))
    assert site.once()["exit_code"] == 0
    assert site.published() == {f"p/f/{name}": body for name, body in expected.items()}


def test_a_file_listed_twice_is_taken_once_or_blocks_its_fileset(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    for fileset in ("equal", "unequal"):
        datastore.add_fileset("p", fileset, {"a.dat": b"body", "b.dat": b"other"})
        index = datastore.index(f"p/{fileset}/index.txt").decode().rstrip("\n") + "\n"
        row = next(line for line in index.splitlines() if line.startswith("a.dat"))
        datastore.raw_index(
            f"p/{fileset}/index.txt",
            (index + (row if fileset == "equal" else row.replace("4", "5", 1)) + "\n").encode(),
        )
    found = site.once()
    assert found["exit_code"] == 3
    assert site.published() == {"p/equal/a.dat": b"body", "p/equal/b.dat": b"other"}
    assert failure(found, "conflict")["file"] == "a.dat"


def test_a_fileset_listed_twice_with_different_times_is_told_and_the_later_one_counts(
    site: Site, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=2)
    index = datastore.index("prod0/index.txt").rstrip(b"\n") + b"\n"
    row = next(line for line in index.splitlines(keepends=True) if line.startswith(b"o470.chip.0"))
    datastore.raw_index("prod0/index.txt", index + row.replace(b"2026-11-01", b"2026-10-01"), query="")
    found = site.once()
    assert (found["exit_code"], site.published()) == (3, expected)
    [refused] = [one for one in found["failures"] if one["kind"] == "rejected"]
    assert "o470.chip.0" in str(refused)
    assert "line 4: listed twice, with another time" in refused["detail"], refused
    assert seen(site, "SELECT registered FROM filesets WHERE name = 'o470.chip.0'") == [(1793491200,)]

    datastore.forget_raw("prod0/index.txt")
    assert site.run("retry", "--all").code == 0
    assert site.once()["exit_code"] == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html><body>It works!</body></html>", id="html"),
        pytest.param(b"", id="empty"),
        pytest.param(b"# filesetID|time registered|type|\nfs1|2026-11-01T00:00:00Z|t|\nfs2|2026-11-", id="cut"),
        pytest.param(b"# filesetID|time registered|type|\n" + b"x" * 200_000, id="endless line"),
    ],
)
def test_a_malformed_listing_moves_nothing(site: Site, datastore: DataStore, body: bytes) -> None:
    expected = fill(datastore, products=1, filesets=2)
    site.once()
    register(datastore, "prod0", "late")
    datastore.raw_index("prod0/index.txt", body)
    found = site.once()
    assert found["exit_code"] == 4
    assert "prod0" in found["mirrors"][0]["error"]
    assert found["mirrors"][0]["products"][0]["lag_seconds"] is None
    assert site.published() == expected
    datastore.raw_index("prod0/index.txt", datastore.index("prod0/index.txt", query="o470.chip.1"))


@pytest.mark.parametrize("answer", ["blank", "404", "500", "whole"])
def test_a_cursor_that_upstream_forgot_loses_nothing(
    site: Site, datastore: DataStore, answer: Literal["blank", "404", "500", "whole"]
) -> None:
    datastore.unknown_cursor = answer
    expected = fill(datastore, products=1)
    site.once()
    datastore.withdraw("prod0", "o470.chip.4")
    expected |= register(datastore, "prod0", "after")
    datastore.forget()
    found = site.once()
    assert found["exit_code"] == 0
    assert site.published() == expected, "what was withdrawn stays"
    assert sorted(request.path for request in datastore.requested("*.fits")) == sorted(
        path for path in expected if "/after/" in path
    )


def test_a_fileset_that_is_registered_again_replaces_the_older_one(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"same.dat": b"same", "new.dat": b"old"}, registered="2026-11-01T00:00:00Z")
    datastore.add_fileset("p", "last", {"a.dat": b"a"})
    site.once()
    datastore.register_again("p", "f", {"same.dat": b"same", "new.dat": b"new!"}, registered="2026-11-02T00:00:00Z")
    datastore.forget()
    found = site.once()
    assert found["exit_code"] == 0
    assert site.published() == {"p/f/same.dat": b"same", "p/f/new.dat": b"new!", "p/last/a.dat": b"a"}
    assert [request.path for request in datastore.requested("*.dat")] == ["p/f/new.dat"]


def test_what_a_replaced_fileset_listed_goes_and_what_nobody_listed_is_kept(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"v0.dat": b"0"}, registered="2026-11-01T00:00:00Z")
    site.once()
    kept = site.data / ".mirrortui/replaced"
    for number in (1, 2):
        datastore.register_again("p", "f", {f"v{number}.dat": b"!"}, registered=f"2026-11-0{number + 1}T00:00:00Z")
        assert site.once()["exit_code"] == 0
        assert site.published() == {f"p/f/v{number}.dat": b"!"}
        assert not kept.exists()
    (site.data / "p/f/notes").write_text("mine")
    datastore.register_again("p", "f", {"v3.dat": b"!"}, registered="2026-11-04T00:00:00Z")
    assert site.once()["exit_code"] == 0
    assert site.published() == {"p/f/v3.dat": b"!"}
    assert [path.name for path in kept.glob("*/*")] == ["notes"]


def test_what_a_new_index_lists_no_more_goes_though_all_else_is_the_same(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    files = {"kept.dat": b"kept", "gone.dat": b"gone"}
    datastore.add_fileset("p", "f", files, registered="2026-11-01T00:00:00Z")
    site.once()
    datastore.register_again("p", "f", {"kept.dat": b"kept"}, registered="2026-11-02T00:00:00Z")
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert site.published() == {"p/f/kept.dat": b"kept"}
    assert not datastore.requested("p/f/*.dat"), "what is right is kept"
    assert site.run("verify").code == 0


def test_reconciliation_finds_what_was_hidden_when_its_number_passed_by(tmp_path: Path, datastore: DataStore) -> None:
    site = Site(tmp_path, datastore.url, mirror='reconcile_interval = "0.1s"')
    datastore.add_product("p")
    expected = register(datastore, "p", "early")
    hidden = register(datastore, "p", "hidden")
    datastore.hide("p", "hidden")
    expected |= register(datastore, "p", "late")
    site.once()
    assert site.published() == expected
    datastore.show("p", "hidden")
    site.once()
    assert site.published() == expected | hidden


@pytest.mark.parametrize("static", [False, True])
def test_an_upstream_that_is_suddenly_empty_raises_an_alarm_and_deletes_nothing(
    site: Site, datastore: DataStore, static: bool
) -> None:
    datastore.static = static
    expected = fill(datastore, products=1)
    site.once()
    for number in range(5):
        datastore.withdraw("prod0", f"o470.chip.{number}")
    found = site.once()
    assert found["exit_code"] == 4
    assert "nothing was deleted" in found["mirrors"][0]["error"]
    assert counts(found, "prod0")["published"] == 5
    assert site.published() == expected


def test_a_source_that_is_down_is_code_4_and_the_next_run_goes_on(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    datastore.fault("*", Fault.status(500), times=None)
    found = site.once()
    assert found["exit_code"] == 4
    assert "500" in found["mirrors"][0]["error"]
    datastore.heal()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_mirror_that_is_refused_is_stopped_and_the_other_goes_on(tmp_path: Path, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    with DataStore(username="me", password="right") as closed:
        closed.add_product("q")
        expected_closed = register(closed, "q", "f")
        more = (
            f'[[mirror]]\nname = "shut"\nprotocol = "ipp"\nurl = "{closed.url}"\ndestination = "shut"\n'
            'username = "me"\npassword_env = "SECRET"'
        )
        site = Site(tmp_path / "site", datastore.url, more=more)
        ended = site.run("--once", "--json", env={"SECRET": "canary-wrong"})
        assert ended.code == 4
        assert [mirror["error"] is None for mirror in ended.json["mirrors"]] == [True, False]
        assert site.published() == expected
        state = b"".join(path.read_bytes() for path in site.folder.glob("mirror.db*"))
        for place in (ended.out, ended.err, site.log(), state.decode("latin-1")):
            assert "canary" not in place
        ended = site.run("--once", "--json", env={"SECRET": "right"})
        assert ended.code == 0, ended
        assert len(expected_closed) == len(list((site.folder / "shut/q/f").glob("*.fits")))


def test_fifty_thousand_files_in_one_fileset_do_not_cost_a_commit_each(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    rows = "".join(f"f{n:05d}|0|d41d8cd98f00b204e9800998ecf8427e|t|\n" for n in range(50_000))
    datastore.add_fileset("p", "huge", {})
    datastore.raw_index("p/huge/index.txt", f"# fileID|bytes|md5sum|type|\n{rows}".encode())
    assert "50,000 files" in site.run("--once", "--dry-run").out
