"""Who may read what: published files by the umask, the state and all that belongs to it by nobody else in any case."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore
from tests.whole.service import seen, serving, wait_until
from tests.whole.site import Site, fill

PRIVATE = {"mirror.db", "mirror.db-wal", "mirror.db-shm", "mirror.db.lock", "mirror.db.ballast", "mirrortui.log"}


def demand_success(site: Site, *arguments: str, umask: int) -> None:
    process = site.start(*arguments, umask=umask)
    _, told = process.communicate(timeout=100)
    assert process.returncode == 0, told


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of everything below `folder`, by path."""
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("engine", "started_with", "folders", "files"),
    [
        ("", 0o022, 0o755, 0o644),
        ("", 0o027, 0o750, 0o640),
        ("", 0o277, 0o700, 0o600),
        ("", 0o372, 0o705, 0o604),
        ('umask = "022"', 0o077, 0o755, 0o644),
        ('umask = "002"', 0o022, 0o775, 0o664),
    ],
)
def test_what_is_published_goes_by_the_umask_and_the_state_is_private(
    tmp_path: Path, datastore: DataStore, engine: str, started_with: int, folders: int, files: int
) -> None:
    fill(datastore, products=1, filesets=1, size=2_000_000, files=2)
    site = Site(tmp_path / "site", datastore.url, engine=engine)
    demand_success(site, "--once", umask=started_with)
    tree = {path: mode for path, mode in modes(site.data).items() if not path.startswith(".mirrortui")}
    published = {path: mode for path, mode in tree.items() if (site.data / path).is_file()}
    assert set(published.values()) == {files}
    assert {mode for path, mode in tree.items() if path not in published} == {folders}
    beside = {name: mode for name, mode in modes(site.folder).items() if name.startswith("mirror.db")}
    assert set(beside.values()) == {0o600}


def test_the_state_its_log_and_its_backups_are_private_whatever_the_umask(tmp_path: Path, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=1)
    site = Site(tmp_path / "site", datastore.url, engine='umask = "000"')
    with serving(site):
        wait_until(lambda: seen(site, "SELECT 1 FROM filesets WHERE state = 'published'"), "a fileset to be published")
        demand_success(site, "backup", "copy.db", umask=0)
        found = {name: mode for name, mode in modes(site.folder).items() if name in PRIVATE | {"copy.db"}}
    assert found == dict.fromkeys(PRIVATE | {"copy.db"}, 0o600)
