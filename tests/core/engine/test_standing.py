"""What a published tree is believed to hold, and how much is told of what it should not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.destinations.published import PublishedTree
from core.engine.standing import (
    TOLD,
    TOLD_OF_FILESET,
    Omission,
    Omissions,
    Reading,
    StandingFileset,
    StandingProduct,
    TreeReader,
)
from core.errors import LeaseHeld, Stopped
from core.model import ListedFileset

ROOT = "# productID|Most recent|Time registered|type|Description|\n"
PRODUCT = "# filesetID|time registered|type|\n"
FILESET = "# fileID|bytes|md5sum|type|\n"
LISTED = ListedFileset("a.1", 1_793_491_200, "T")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a tree with one product of one fileset of forty files."""
    root = tmp_path / "data"
    folder = root / "raw" / "a.1"
    folder.mkdir(parents=True)
    rows = []
    for number in range(40):
        content = b"x" * number
        (folder / f"f{number}").write_bytes(content)
        rows.append(f"f{number}|{number}|{hashlib.md5(content).hexdigest()}|fits|\n")
    (folder / "index.txt").write_text(FILESET + "".join(rows))
    (root / "raw" / "index.txt").write_text(PRODUCT + "a.1|2026-11-01T00:00:00Z|T|\n")
    (root / "index.txt").write_text(ROOT + "raw|a.1|2026-11-01T00:00:00Z|t|what it is|\n")
    return root


@pytest.fixture
def tree(root: Path) -> Iterator[PublishedTree]:
    tree = PublishedTree(root)
    tree.open()
    yield tree
    tree.close()


@pytest.fixture
def reader(tree: PublishedTree) -> TreeReader:
    return TreeReader(tree, Reading(), by_size=False)


def test_a_fileset_that_is_right(reader: TreeReader, root: Path) -> None:
    found = reader.fileset("raw", LISTED)
    assert isinstance(found, StandingFileset)
    assert (found.files, found.bytes) == (40, sum(range(40)))
    assert found.published_at == (root / "raw/a.1/index.txt").stat().st_mtime


def test_of_many_wrong_files_some_are_named_and_the_others_counted(reader: TreeReader, root: Path) -> None:
    for file in (root / "raw" / "a.1").glob("f*"):
        file.unlink()
    found = reader.fileset("raw", LISTED)
    assert isinstance(found, list)
    assert len(found) == TOLD_OF_FILESET + 1
    assert found[-1] == Omission("raw", "a.1", None, "30 more of its files are not right")


def test_of_many_omissions_the_first_are_kept_and_all_counted() -> None:
    omissions = Omissions()
    for number in range(TOLD + 500):
        omissions.add(Omission("p", str(number), None, "it is not there"))
    omissions.add(*omissions.told)
    assert (len(omissions.told), omissions.count) == (TOLD, 2 * TOLD + 500)


def test_products_are_those_of_the_root_index_and_those_that_are_named(reader: TreeReader, root: Path) -> None:
    for name in ("hidden", "copy of raw", "nothing"):
        (root / name).mkdir()
        (root / name / "index.txt").write_text(PRODUCT)
    (root / "nothing" / "index.txt").unlink()
    (root / "lost+found").mkdir(mode=0o700)
    os.mkdir(os.fsencode(root) + b"/\xff\xfe")
    found, omitted = reader.products({"hidden", "absent"})
    assert [(one.name, one.description) for one in found] == [("raw", "what it is"), ("hidden", "")]
    assert omitted == [Omission("copy of raw", None, None, "the root index does not list it")]


def test_without_a_root_index_every_folder_with_an_index_is_a_product(reader: TreeReader, root: Path) -> None:
    (root / "index.txt").write_text("<html>")
    (root / "lost+found").mkdir()
    found, omitted = reader.products(set())
    assert [one.name for one in found] == ["raw"]
    assert len(omitted) == 1


def test_entries_of_a_product_are_told_as_they_are(reader: TreeReader, root: Path) -> None:
    os.mkdir(os.fsencode(root / "raw") + b"/\xff")
    found = reader.product("raw")
    assert isinstance(found, StandingProduct)
    found.listing.close()
    assert found.entries == {"a.1", "\udcff"}


def test_once_it_is_stopped_nothing_is_read(tree: PublishedTree) -> None:
    reading = Reading()
    reading.stop.set()
    with pytest.raises(Stopped):
        TreeReader(tree, reading, by_size=False).fileset("raw", LISTED)


def test_a_stop_is_obeyed_between_blocks(tree: PublishedTree) -> None:
    class StopsAtOnce(Reading):
        def gate(self, count: int) -> bool:
            self.stop.set()
            return super().gate(count)

    with pytest.raises(Stopped):
        TreeReader(tree, StopsAtOnce(), by_size=False).fileset("raw", LISTED)


def test_only_one_reads_a_tree_or_publishes_into_it(tree: PublishedTree, root: Path) -> None:
    with pytest.raises(LeaseHeld, match="another engine"):
        PublishedTree(root).open()
    tree.close()
    again = PublishedTree(root)
    again.open()
    again.close()
