"""A small exFAT, for which names that differ only in case are one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.disks.disk import CannotMount, Disk, run


@contextmanager
def exfat(root: Path, size: int) -> Iterator[Disk]:
    """Mount a new exFAT. Raises CannotMount."""
    root.mkdir()
    image = root.with_suffix(".exfat")
    with image.open("wb") as file:
        file.truncate(size)
    run("mkfs.exfat", image)
    loop = _loop(image)
    try:
        run("mount.exfat-fuse", loop, root)
        try:
            yield Disk(root)
        finally:
            run("umount", root)
    finally:
        run("losetup", "--detach", loop)


def _loop(image: Path) -> str:
    command = ["losetup", "--find", "--show", str(image)]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotMount(str(error)) from None
