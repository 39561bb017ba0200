"""The files of the state are removed or replaced under an engine that is at work: it ends, and says why."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore
from tests.whole.service import PATIENCE, states, wait_until
from tests.whole.site import Site, fill


def replace(file: Path) -> None:
    """Put a copy in the place of a file, as one who restores it does."""
    copy = file.with_name("copy")
    shutil.copyfile(file, copy)
    copy.rename(file)


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("mirror.db", Path.unlink),
        ("mirror.db", replace),
        ("mirror.db-wal", Path.unlink),
        ("mirror.db.lock", Path.unlink),
    ],
    ids=["removed", "replaced", "without log", "without lock"],
)
def test_an_engine_whose_state_is_taken_away_ends_and_says_what_to_do(
    site: Site, datastore: DataStore, name: str, harm: Callable[[Path], None]
) -> None:
    expected = fill(datastore, products=1, filesets=2)
    process = site.start("run")
    try:
        wait_until(lambda: list(states(site).values()) == ["published"] * 2, "everything to be published")
        harm(site.folder / name)
        _, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 5, err
    [line] = err.splitlines()
    assert f"{site.folder / name}: removed or replaced while the engine was at work" in line
    assert "`mirrortui rebuild`" in line
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
