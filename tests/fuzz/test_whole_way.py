"""A broken or hostile catalogue through the whole program: served, listed, stored, fetched, published, told."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.sources.ipp_parse import FILES, FILESETS, PRODUCTS
from tests.fuzz.indexes import CONTENT, AnyLevel, nearly_valid
from tests.fuzz.oracle import check_index, stays_inside
from tests.fuzz.profile import examples
from tests.model.invariants import GROWING, OURS
from tests.model.mirror import Mirror
from tests.model.upstream import md5, rows
from tests.servers.answers import Resource
from tests.servers.datastore import DataStore

PLACES = {PRODUCTS.label: "index.txt", FILESETS.label: "p/index.txt", FILES.label: "p/good/index.txt"}


class Obliging(DataStore):
    """A store that has whatever its indexes make up: so names that are let in do reach the disk."""

    def find(self, segments: tuple[str, ...], query: str) -> Resource | int | None:
        found = super().find(segments, query)
        if found is not None or len(segments) != 3:
            return found
        return super().find(("p", "good", "index.txt"), "") if segments[-1] == "index.txt" else Resource(CONTENT)


@pytest.fixture(scope="module")
def store() -> Iterator[DataStore]:
    with Obliging() as store:
        store.add_product("p")
        store.add_fileset("p", "good", {"name-0": CONTENT})
        yield store


@pytest.mark.parametrize("level", [PRODUCTS, FILESETS, FILES], ids=lambda level: level.label)
@settings(examples(7), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_escapes_and_nothing_is_dropped(level: AnyLevel, store: DataStore, data: st.DataObject) -> None:
    body = data.draw(nearly_valid(level))
    store.raw_index(PLACES[level.label], body)
    try:
        _mirror_it(store, level, body)
    finally:
        store.forget_raw(PLACES[level.label])


def _mirror_it(store: DataStore, level: AnyLevel, body: bytes) -> None:
    items = check_index(level, body, 1000)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "canary").write_bytes(b"nobody touches this")
        mirror = Mirror(Path(folder), store.url)
        ended = mirror.once()
        assert ended.code in {0, 3, 4}, ended
        assert items is not None or ended.code in {3, 4}
        assert {path.name for path in Path(folder).iterdir()} == {"canary", "site"}
        assert Path(folder, "canary").read_bytes() == b"nobody touches this"
        assert {path.name for path in mirror.site.folder.iterdir() if not path.name.startswith(GROWING)} <= OURS
        _check_tree(mirror.data)
        if level is FILESETS and items is not None:
            _check_told(mirror.state, {item.name for item in items})


def _check_tree(data: Path) -> None:
    """What is published has safe names, and is what its index says."""
    for path in data.rglob("*"):
        parts = path.relative_to(data).parts
        if parts[0] == ".mirrortui" or path.name == "index.txt":
            continue
        assert len(parts) <= 3
        assert not path.is_symlink()
        assert all(map(stays_inside, parts))
        if path.is_file():
            told = {row[0]: row[1:3] for row in rows((path.parent / "index.txt").read_bytes())}
            size, digest = told[path.name]
            assert int(size) == path.stat().st_size
            assert digest in {"", md5(path.read_bytes())}


def _check_told(state: Path, listed: set[str]) -> None:
    """Each row of a product's index became a fileset, or a rejection that is shown."""
    with closing(sqlite3.connect(state)) as db:
        known = db.execute("SELECT name FROM filesets UNION SELECT name FROM rejections").fetchall()
    assert listed <= {name for (name,) in known}
