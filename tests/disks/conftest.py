"""Disks for tests; where this process may not mount any, these tests are skipped and say why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from tests.disks.disk import CannotMount, Disk, Ext4, ext4, tmpfs

DiskT = TypeVar("DiskT", bound=Disk)
SMALL, VERY_SMALL = 16 << 20, 8 << 20


def _mounted(
    stack: ExitStack, disk: Callable[[Path, int], AbstractContextManager[DiskT]], root: Path, size: int = SMALL
) -> DiskT:
    try:
        return stack.enter_context(disk(root, size))
    except CannotMount as reason:
        pytest.skip(f"no file system can be mounted here: {str(reason).splitlines()[0]}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Yield a small tmpfs."""
    with ExitStack() as stack:
        yield _mounted(stack, tmpfs, tmp_path / "disk")


@pytest.fixture
def second_disk(tmp_path: Path) -> Iterator[Disk]:
    """Yield another small tmpfs."""
    with ExitStack() as stack:
        yield _mounted(stack, tmpfs, tmp_path / "second")


@pytest.fixture
def very_small_disk(tmp_path: Path) -> Iterator[Disk]:
    """Yield a very small tmpfs."""
    with ExitStack() as stack:
        yield _mounted(stack, tmpfs, tmp_path / "very-small", VERY_SMALL)


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[Ext4]:
    """Yield a small ext4, which can fail."""
    with ExitStack() as stack:
        yield _mounted(stack, ext4, tmp_path / "failing")
