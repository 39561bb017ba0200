"""What a run tells of things that are not as they should be, and nobody's fault upstream."""

from __future__ import annotations

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.whole.site import Site, fill, register


@pytest.mark.parametrize("what", ["mirror", "product"])
def test_what_is_paused_is_not_called_done(site: Site, datastore: DataStore, what: str) -> None:
    expected = fill(datastore, products=1, filesets=1)
    assert site.once()["exit_code"] == 0
    arguments = {"mirror": ["--mirror", "ps1"], "product": ["--product", "prod0"]}[what]
    site.run("pause", *arguments)
    expected |= register(datastore, "prod0", "new")
    found = site.once()
    assert found["exit_code"] == 7
    mirror = found["mirrors"][0]
    assert mirror["products"][0]["lag_seconds"] is None
    assert mirror["paused" if what == "mirror" else "error"] == ("by root" if what == "mirror" else None)
    assert bool(mirror["products"][0]["paused"]) is (what == "product")
    site.run("resume", *arguments)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_an_index_that_cannot_be_written_is_told_by_its_path_and_holds_up_no_other(
    site: Site, datastore: DataStore
) -> None:
    fill(datastore, products=2, filesets=1)
    (site.data / "prod0/index.txt").mkdir(parents=True)
    (site.data / ".mirrortui").mkdir()
    (site.data / ".mirrortui/replaced").write_text("in the way of what would be set aside")
    ended = site.run("--once")
    assert ended.code == 5
    assert (
        "prod0/index.txt cannot be written: .mirrortui/replaced exists and is not a directory" in ended.out + ended.err
    )
    assert b"prod1|" in (site.data / "index.txt").read_bytes()
    assert (site.data / "prod1/index.txt").is_file()
    (site.data / ".mirrortui/replaced").unlink()
    assert site.once()["exit_code"] == 0
    assert b"o470.chip.0|" in (site.data / "prod0/index.txt").read_bytes()


def test_a_mirror_of_nothing_can_be_mirrored(site: Site, datastore: DataStore) -> None:
    datastore.add_product("prod0")
    assert site.once()["exit_code"] == 0
    assert b"prod0|none|" in (site.data / "index.txt").read_bytes()
    assert (site.data / "prod0/index.txt").is_file()


def test_each_product_that_cannot_be_listed_is_named(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=3, filesets=1)
    for number in (0, 2):
        datastore.fault(f"prod{number}/index.txt", Fault.status(404), times=None)
    found = site.once()
    assert found["exit_code"] == 4
    errors = {one["name"]: one["error"] for one in found["mirrors"][0]["products"]}
    assert errors["prod1"] is None
    assert "404" in errors["prod0"]
    assert "404" in errors["prod2"]
    text = site.run("--once").out
    assert "ps1/prod0: " in text
    assert "ps1/prod2: " in text
