"""``mirrortui backup`` beside a real engine, on disks that refuse."""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.whole.service import PATIENCE
from tests.whole.site import SECONDS, Site, fill


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_copy_made_while_an_engine_works_is_a_state_that_status_reads_and_an_engine_goes_on_from(
    site: Site, datastore: DataStore, tmp_path: Path
) -> None:
    expected = fill(datastore, filesets=10)
    held = threading.Event()
    datastore.fault("prod1/o471.chip.9/*.fits", Fault.gate(held), times=None)
    engine = site.start("--once")
    try:
        datastore.wait_for("prod1/o471.chip.9/*.fits", 1, PATIENCE)
        ended = site.run("backup", str(tmp_path / "copy.db"))
        assert ended.code == 0, ended
        assert str(tmp_path / "copy.db") in ended.out
        assert engine.poll() is None
    finally:
        held.set()
        _, err = engine.communicate(timeout=SECONDS)
    assert engine.returncode == 0, err

    site.config.write_text(site.config.read_text().replace('"mirror.db"', f'"{tmp_path / "copy.db"}"'))
    status = site.run("status", "--json")
    assert status.code in {0, 3, 7}
    assert {product["name"] for product in status.json["mirrors"][0]["products"]} == {"prod0", "prod1"}
    assert "not running" in site.run("status").out
    datastore.forget()
    found = site.once()
    assert (found["exit_code"], found["files"]) == (0, 0), "what was published after the copy is adopted"
    assert site.published() == expected
    assert datastore.requested("*.fits") == []


def test_into_a_folder_and_over_a_file(site: Site, datastore: DataStore, tmp_path: Path) -> None:
    fill(datastore, products=1)
    site.once()
    folder = tmp_path / "copies"
    folder.mkdir()
    assert site.run("backup", str(folder)).code == 0
    [copy] = folder.iterdir()
    assert copy.name.startswith("mirror-20")
    again = site.run("backup", str(copy))
    assert again.code == 2
    assert "--force" in again.err
    assert site.run("backup", "--force", str(copy)).code == 0
    assert names(folder) == {copy.name}


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("the destination", ["data/prod0/o470.chip.0/o470.chip.0.0.fits", "data/.mirrortui/marker"]),
        ("the destination", ["data", "way/copy"]),
        ("the configuration", ["mirrortui.toml"]),
        ("a log", ["mirrortui.log", "mirrortui.log.1"]),
        ("the state file", ["mirror.db", "mirror.db.rebuilding"]),
    ],
)
def test_what_is_published_and_what_an_engine_needs_is_never_replaced(
    site: Site, datastore: DataStore, words: str, places: list[str]
) -> None:
    fill(datastore, products=1, filesets=1)
    site.once()
    (site.folder / "way").symlink_to(site.data / "prod0")

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in site.folder.rglob("*") if path.is_file()}

    before = files()
    for place in places:
        ended = site.run("backup", "--force", place)
        assert (ended.code, ended.err.count("\n")) == (2, 1), ended
        assert words in ended.err
    assert files() == before


def no_such_folder(folder: Path) -> Path:
    return folder / "none" / "copy"


def no_such_name(folder: Path) -> Path:
    return folder / ("n" * 256)


def no_files_there(_: Path) -> Path:
    return Path("/proc/copy")


@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        (no_such_folder, 2, "no such folder"),
        (no_such_name, 2, "File name too long"),
        (no_files_there, 5, "cannot be written"),
    ],
)
def test_where_it_cannot_be_written_one_message_says_so(
    site: Site, datastore: DataStore, tmp_path: Path, place: object, code: int, words: str
) -> None:
    fill(datastore, products=1)
    site.once()
    target = place(tmp_path)  # type: ignore[operator]
    ended = site.run("backup", str(target))
    assert ended.code == code
    assert ended.err.count("\n") == 1
    assert words in ended.err
    assert str(target.parent) in ended.err


def take_no_large_files() -> None:
    """Let this process write no file beyond 50,000 bytes: the kernel answers EFBIG."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))


def test_a_disk_that_takes_no_more(site: Site, datastore: DataStore, tmp_path: Path) -> None:
    fill(datastore)
    site.once()
    assert (site.folder / "mirror.db").stat().st_size > 100_000
    folder = tmp_path / "copies"
    folder.mkdir()
    process = site.start("backup", str(folder / "copy"), preexec_fn=take_no_large_files)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 5, err
    assert err.count("\n") == 1
    assert f"{folder / 'copy'}: the copy cannot be written" in err
    assert names(folder) == set()


def test_a_folder_that_this_user_may_not_write_to(site: Site, datastore: DataStore, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    fill(datastore, products=1)
    site.once()
    (tmp_path / "closed").mkdir(mode=0o500)
    ended = site.run("backup", str(tmp_path / "closed" / "copy"))
    assert ended.code == 5
    assert "Permission denied" in ended.err


def test_without_a_state_there_is_nothing_to_copy(site: Site, tmp_path: Path) -> None:
    ended = site.run("backup", str(tmp_path / "copy"))
    assert ended.code == 2
    assert "nothing to copy" in ended.err
    assert not (tmp_path / "copy").exists()
