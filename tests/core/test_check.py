"""Whether a mirror can work is tried, and nothing of the trial is left."""

from __future__ import annotations

import os
from contextlib import aclosing
from pathlib import Path

from core.check import Verdict, examine
from core.config import Mirror
from core.config.models import Protocol
from core.errors import ExitCode
from core.units import Space
from tests.servers.datastore import DataStore

ANY = Space()


async def said(url: str, destination: Path, min_free: Space = ANY) -> list[str]:
    """Return what is said to be wrong with a destination."""
    mirror = Mirror(name="ps1", protocol=Protocol.IPP, url=url, destination=destination, products=("*",))
    async with aclosing(examine(mirror, min_free)) as findings:
        return [one.words async for one in findings if (one.verdict, one.code) == (Verdict.BAD, ExitCode.DISK)]


async def test_a_destination_is_tried_and_left_as_it_was(datastore: DataStore, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    assert await said(datastore.url, folder) == []
    assert not folder.exists()
    folder.mkdir()
    (folder / "of another").touch()
    assert await said(datastore.url, folder) == []
    assert os.listdir(folder) == ["of another"]


async def test_where_nothing_can_be_made_that_is_said(datastore: DataStore) -> None:
    """Root may write to /proc, as far as permissions go; others may not."""
    [words] = await said(datastore.url, Path("/proc/mirror"))
    assert words.startswith("/proc")
    assert "choose another destination" in words


async def test_a_disk_without_room_is_a_finding(datastore: DataStore, tmp_path: Path) -> None:
    [words] = await said(datastore.url, tmp_path / "mirror", Space(percent=100.0))
    assert "no room: " in words
    assert " free, min_free keeps " in words
