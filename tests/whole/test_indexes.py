"""The published indexes of products and of the root: changed, gone or blocked, they are told and written anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.model import CommandKind
from tests.servers.datastore import DataStore
from tests.whole.service import serving, wish
from tests.whole.site import Site, fill
from tests.whole.test_verify import found, verify

ROOT, PRODUCT = "index.txt", "prod0/index.txt"


@pytest.fixture(name="indexes")
def mirrored_indexes(site: Site, datastore: DataStore) -> dict[str, bytes]:
    """Mirror two products; return the published indexes, by path."""
    fill(datastore, filesets=2)
    assert site.once()["exit_code"] == 0
    return read(site)


def read(site: Site) -> dict[str, bytes]:
    """Return what can be read of the published indexes of products and of the root, by path."""
    files = [site.data / ROOT, *site.data.glob("*/index.txt")]
    return {str(file.relative_to(site.data)): file.read_bytes() for file in files if file.is_file()}


def cut(file: Path) -> None:
    os.truncate(file, 40)


def block(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "foreign").write_text("?")


HARMS = pytest.mark.parametrize("harm", [cut, Path.unlink, block], ids=["cut", "gone", "blocked"])


@HARMS
@pytest.mark.parametrize("index", [ROOT, PRODUCT])
def test_the_next_run_writes_an_index_anew_that_was_changed(
    site: Site, indexes: dict[str, bytes], index: str, harm: Callable[[Path], None]
) -> None:
    harm(site.data / index)
    ended = site.run("--once")
    assert ended.code == 0, ended
    assert read(site) == indexes
    what = "the root" if index == ROOT else "prod0"
    assert f"the published index of {what} was changed or taken away; it is written anew" in site.log()
    before = site.log()
    assert site.once()["exit_code"] == 0
    assert "written anew" not in site.log().removeprefix(before)


@HARMS
def test_verify_tells_of_indexes_that_are_not_right(
    site: Site, indexes: dict[str, bytes], harm: Callable[[Path], None]
) -> None:
    for repair, code in ((), 3), (("--repair",), 0):
        harm(site.data / ROOT)
        harm(site.data / PRODUCT)
        outcome = verify(site, *repair)
        assert outcome["exit_code"] == code
        assert {path for _, path in found(outcome)} == {ROOT, PRODUCT}
        assert not any(one["stranger"] for one in outcome["findings"])
        assert read(site) == indexes
    assert verify(site)["findings"] == []
    kept = [path.name for path in (site.data / ".mirrortui").rglob("foreign")]
    assert len(kept) == (4 if harm is block else 0), "what is not ours is kept aside"


@pytest.mark.parametrize("command", ["verify", "--once"])
def test_an_index_that_was_touched_and_is_right_stays(site: Site, indexes: dict[str, bytes], command: str) -> None:
    for number, index in enumerate(indexes):
        (site.folder / f"linked{number}").hardlink_to(site.data / index)
    inode = (site.data / PRODUCT).stat().st_ino
    for _ in range(2):
        ended = site.run(command)
        assert ended.code == 0, ended
    assert "written anew" not in site.log()
    assert (site.data / PRODUCT).stat().st_ino == inode


def test_a_service_mends_an_index_when_it_is_verified(site: Site, indexes: dict[str, bytes]) -> None:
    with serving(site):
        wish(site, CommandKind.POLL)
        cut(site.data / PRODUCT)
        assert verify(site)["exit_code"] == 3
    assert read(site) == indexes


def test_a_text_names_the_indexes_and_what_is_done(site: Site, indexes: dict[str, bytes]) -> None:
    cut(site.data / PRODUCT)
    ended = site.run("verify")
    assert ended.code == 3
    assert ended.out == (
        "changed    ps1/prod0/index.txt\n"
        "           it is not the one that was published; written anew\n"
        "verified 4 filesets, 16 files, 48.0 kB: 1 of the indexes wrong\n"
    )
