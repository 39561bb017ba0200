"""What has come to stand in our staging area and is none of ours: it is kept aside, and in nobody's way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore
from tests.whole.site import Site, fill


def entries(folder: Path) -> set[str]:
    """Return the files and links below a folder, without the time in the name of what is kept aside."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {"/".join([one.parts[0].rpartition(".")[0], *one.parts[1:]]) for one in found}


def test_strangers_in_staging_are_kept_aside_and_what_was_ours_goes(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    assert site.once()["exit_code"] == 0
    private = site.data / ".mirrortui"
    [staging] = (private / "staging").iterdir()
    (staging / "foreign").write_text("?")
    (staging / "link").symlink_to(site.folder)
    for name in ("98.old", "99.old"):
        (staging / name).mkdir()
        (staging / name / "listed").write_text("ours")
        (staging / name / "index.txt").write_text("# fileID|bytes|md5sum|type|\nlisted|4||x|\n")
    (staging / "99.old" / "planted").write_text("an operator's")
    assert site.once()["exit_code"] == 0
    assert list(staging.iterdir()) == []
    assert entries(private / "replaced") == {"foreign", "link", "99.old/planted"}
    assert site.published() == expected


def test_strangers_in_what_another_state_has_staged_are_kept_aside(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=1)
    assert site.once()["exit_code"] == 0
    private = site.data / ".mirrortui"
    other = private / "staging" / "another"
    (other / "7").mkdir(parents=True)
    (other / "7" / "half").write_text("ours")
    (other / "8.old").mkdir()
    (other / "8.old" / "planted").write_text("an operator's")
    (private / "staging" / "note").write_text("?")
    assert site.once()["exit_code"] == 0
    assert len(list((private / "staging").iterdir())) == 1
    assert entries(private / "replaced") == {"8.old/planted", "note"}


@pytest.mark.parametrize("path", [".mirrortui", ".mirrortui/staging", ".mirrortui/staging/{owner}"])
def test_what_stands_in_the_place_of_a_folder_of_ours_is_named_with_a_remedy_that_helps(
    site: Site, datastore: DataStore, path: str
) -> None:
    expected = fill(datastore, products=1, filesets=1)
    assert site.once()["exit_code"] == 0
    [staging] = (site.data / ".mirrortui/staging").iterdir()
    blocked = site.data / path.format(owner=staging.name)
    blocked.rename(site.folder / "moved")
    os.mkfifo(blocked)
    ended = site.run("--once")
    assert ended.code == 5
    name = blocked.relative_to(site.data)
    assert f"{site.data}: cannot be used: {name} exists and is not a directory; move it away, then retry" in ended.out
    blocked.unlink()
    (site.folder / "moved").rename(blocked)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
