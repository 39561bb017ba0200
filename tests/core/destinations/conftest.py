"""A destination in a real directory, and short ways to put files there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.destinations.base import Expected, Place
from core.destinations.posix import PosixDestination
from core.model import Durability

OWNER = "owner"
PLACE = Place(7, "raw", "a.1")


def expected(files: dict[str, bytes], staged: bool = False, kept: int = 0) -> list[Expected]:
    """Return what a catalogue lists for these files."""
    return [
        Expected(number, name, len(data), hashlib.md5(data).hexdigest(), staged, kept)
        for number, (name, data) in enumerate(files.items(), 1)
    ]


def recorded(root: Path, files: dict[str, bytes]) -> list[Expected]:
    """Return the same, of files of which is recorded that they were staged as they are now."""
    paths = [staging(root) / name for name in files]
    changed = [path.stat().st_ctime_ns if path.exists() else 1 for path in paths]
    return [replace(one, ctime=ctime) for one, ctime in zip(expected(files, staged=True), changed, strict=True)]


def staging(root: Path, place: Place = PLACE) -> Path:
    """Return the staging directory of a fileset."""
    return root / ".mirrortui" / "staging" / OWNER / str(place.fileset_id)


def fill(folder: Path, files: dict[str, bytes]) -> None:
    """Write files, making the folder if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def content(folder: Path) -> dict[str, bytes]:
    """Return what a folder holds."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stage(destination: PosixDestination, files: dict[str, bytes], place: Place = PLACE) -> None:
    """Bring files to the staging area, as transfers do."""
    destination.stage(place)
    fill(staging(destination.root, place), files)


def publish(destination: PosixDestination, files: dict[str, bytes], place: Place = PLACE) -> None:
    """Publish a fileset from beginning to end."""
    stage(destination, files, place)
    sealed = destination.seal(place, [b"index\n"], len(files), in_place=False)
    destination.flush([sealed])
    destination.publish(sealed)
    destination.clear(place)
    destination.settle([place.product])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return where the destination is to be."""
    return tmp_path / "data"


@pytest.fixture
def destination(root: Path) -> Iterator[PosixDestination]:
    """Yield an open destination."""
    one = PosixDestination(root, Durability.FILESET, OWNER)
    one.open()
    yield one
    one.close()
