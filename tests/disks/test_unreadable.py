"""`mirrortui verify` on a disk that can't read a file any more."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore
from tests.whole.site import COMMAND, Site, fill

FILE = "prod0/o470.chip.0/o470.chip.0.1.fits"


@pytest.fixture
def site(tmp_path: Path, datastore: DataStore) -> Site:
    return Site(tmp_path / "site", datastore.url)


def test_a_file_that_cannot_be_read_is_found_and_the_others_are_read(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    assert site.once()["exit_code"] == 0
    failing = ["-P", str(site.data / FILE), "-e", "trace=read,pread64", "-e", "inject=read,pread64:error=EIO"]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(site.folder / "trace"), *failing, *COMMAND, "verify", "--json"],
        cwd=site.folder,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    found = json.loads(done.stdout)
    assert (done.returncode, found["files"], found["damaged"]) == (3, 8, 1)
    [finding] = found["findings"]
    assert (finding["fileset"], finding["file"], finding["damage"]) == (
        "o470.chip.0", FILE.rpartition("/")[2], "unreadable",
    )  # fmt: skip
    assert "input/output error" in finding["detail"].lower()
    assert site.once()["exit_code"] == 3, "it is damaged until somebody has it mended"
    assert site.run("retry", "--all").code == 0
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
