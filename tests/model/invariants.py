"""What holds after every run, however it ended."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

from core.model import FilesetState
from tests.model.mirror import Mirror, Seen, check_counters
from tests.model.upstream import Upstream, md5, rows

OURS = {"mirrortui.toml", "out", "err", "data"}
GROWING = ("mirror.db", "mirrortui.log")
"""What has companions of the same name: logs of the state, older logs."""
STATES = {str(state) for state in FilesetState}


def check(mirror: Mirror, upstream: Upstream, seen: Seen) -> None:
    """Fail if anything wrong is published or written, or if the state contradicts itself or the disk."""
    asyncio.run(check_counters(mirror.state))
    assert {path.name for path in mirror.site.folder.parent.iterdir()} == {"site"}
    assert {path.name for path in mirror.site.folder.iterdir() if not path.name.startswith(GROWING)} <= OURS
    for product in _entries(mirror.data):
        for folder in _entries(product):
            _check_fileset(folder, upstream)
    for (name, fileset_name), fileset in seen.filesets.items():
        assert fileset.state in STATES
        if fileset.state == "published":
            stands = {path.name: md5(path.read_bytes()) for path in _entries(mirror.data / name / fileset_name)}
            assert stands == {file: row.wanted for file, row in fileset.files.items()}
            assert {row.state for row in fileset.files.values()} == {"published"}


def check_lists(mirror: Mirror, seen: Seen) -> None:
    """Fail if the indexes of products do not list just what is published: so it is when no run was cut off."""
    for product in seen.products:
        index = mirror.data / product / "index.txt"
        told = [row[0] for row in rows(index.read_bytes())] if index.exists() else []
        published = {name for (of, name), one in seen.filesets.items() if (of, one.state) == (product, "published")}
        assert set(told) == published
        assert len(told) == len(published)


def _check_fileset(folder: Path, upstream: Upstream) -> None:
    """Every file is listed, and is what its index says and upstream once served."""
    listed = {}
    for name, size, digest, *_ in rows((folder / "index.txt").read_bytes()):
        listed[name] = (int(size), digest)
    found = {}
    for path in _entries(folder):
        content = path.read_bytes()
        found[path.name] = (len(content), md5(content))
        assert upstream.ever_served(f"{folder.parent.name}/{folder.name}/{path.name}", md5(content)), path
    assert found == listed, folder


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder beside its index; only real files and directories may be there."""
    found = [path for path in sorted(folder.glob("*")) if path.name not in {"index.txt", ".mirrortui"}]
    for path in found:
        mode = path.lstat().st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode), path
    return found
