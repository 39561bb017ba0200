"""Small file systems of their own: they fill up, go read-only, come back."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.whole.service import wait_until

BLOCK = 1 << 16
FILLING = "filling"
"""A file of somebody else, which takes the room away."""


class CannotMount(Exception):
    """This process may not mount a file system, or the system has none of that kind."""


class Disk:
    """A mounted file system, at `root`."""

    def __init__(self, root: Path):
        self.root = root

    @property
    def free(self) -> int:
        """The bytes that are free."""
        figures = os.statvfs(self.root)
        return figures.f_bavail * figures.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Have somebody else write until nothing is left, or `leave` bytes, rounded down to blocks."""
        piece = BLOCK
        with (self.root / FILLING).open("ab", buffering=0) as file:
            while piece and (not leave or self.free > leave):
                try:
                    file.write(b"f" * (min(piece, self.free - leave) if leave else piece))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    piece //= 2

    def make_room(self) -> None:
        """Remove what `fill` wrote."""
        (self.root / FILLING).unlink()

    def hold_files(self, more: int) -> None:
        """Have room for `more` files than there are, and for no other; for a tmpfs."""
        figures = os.statvfs(self.root)
        run("mount", "-o", f"remount,nr_inodes={figures.f_files - figures.f_ffree + more}", self.root)

    def read_only(self) -> None:
        """Take writing away from all; nothing may be open for writing."""
        run("mount", "-o", "remount,ro", self.root)

    def writable(self) -> None:
        """Allow writing again."""
        run("mount", "-o", "remount,rw", self.root)


class Ext4(Disk):
    """An ext4 in a file, which can fail as a disk does."""

    def __init__(self, root: Path, image: Path):
        super().__init__(root)
        self._image = image

    def fail(self) -> None:
        """Have the file system find an error: it refuses all writing, also to files that are open, until `mend`."""
        run("mount", "-o", "remount,abort", self.root)

    def mend(self) -> None:
        """Repair it, and mount it again; nobody may have files open there."""
        run("umount", self.root)
        # whatever runs in a mount namespace of its own has it mounted still: it would be the failed one that comes back
        wait_until(lambda: not run("losetup", "-j", self._image), "the image to be let go")
        run("e2fsck", "-p", "-f", self._image, good=(0, 1))
        run("mount", "-o", "loop", self._image, self.root)


def run(*command: str | Path, good: tuple[int, ...] = (0,)) -> str:
    """Run a program of the system; return what it prints.

    Raises CannotMount if it ends with another code than `good`, or is not there.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise CannotMount(f"{command[0]} is not installed") from error
    if done.returncode not in good:
        raise CannotMount(done.stderr.strip() or f"{command[0]}: exit code {done.returncode}")
    return done.stdout


@contextmanager
def tmpfs(root: Path, size: int) -> Iterator[Disk]:
    """Mount an empty tmpfs of `size` bytes at the new folder `root` for the time of the block. Raises CannotMount."""
    root.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", root)
    with _unmounted(root):
        yield Disk(root)


@contextmanager
def ext4(root: Path, size: int) -> Iterator[Ext4]:
    """Mount an empty ext4 of `size` bytes at the new folder `root` for the time of the block. Raises CannotMount."""
    image = root.with_name(f"{root.name}.img")
    root.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    run("mkfs.ext4", "-q", "-m", "0", image)
    run("mount", "-o", "loop", image, root)
    with _unmounted(root):
        yield Ext4(root, image)


@contextmanager
def _unmounted(root: Path) -> Iterator[None]:
    """Unmount what is at `root` at the end, also if somebody still has it open."""
    try:
        yield
    finally:
        with suppress(CannotMount):
            run("umount", "--lazy", root)
