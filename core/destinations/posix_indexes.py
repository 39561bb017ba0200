"""The indexes by which others find what is published in a POSIX file system: of the root, products and filesets."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from core.destinations import aside, below, proof
from core.destinations.below import INDEX
from core.destinations.posix_place import PosixPlace
from core.model import Damage, Durability, Finding
from core.text import display

NO_FOLDER = proof.NO_DIRECTORY | {errno.ENOENT}
"""Errors of opening a folder of which nothing, or something else, is there."""


class PosixIndexes(PosixPlace):
    """Writes indexes, each in one step, and tells whether they are as they were written."""

    def __init__(self, root: Path, durability: Durability, owner: str):
        super().__init__(root, durability, owner)
        self._index_new = threading.Lock()
        """Held by the one thread whose index is being written: all write it under the same name."""

    def write_index(self, product: str | None, lines: Iterable[bytes]) -> str:
        """Write a new index beside the tree and rename it into place; return its stamp."""
        if product is not None:
            self._check(product)
        path = f"{display(product)}/{INDEX}" if product is not None else INDEX
        with self._told(f"{path} cannot be written"):
            target = self._make_product(product) if product is not None else os.dup(self._root)
            try:
                if product is not None:
                    self._check_spelling(self._root, product)
                self._replace_index(target, lines, product or "root")
                return below.stamp(target, INDEX)
            finally:
                os.close(target)

    def _replace_index(self, directory: int, index: Iterable[bytes], folder: str) -> None:
        """Write an index beside the tree and rename it into place, so that readers see the old or the new one.

        What has its name there, and is no file, is set aside.
        """
        with self._index_new:
            below.create(self._private, "index-new", index)
            if self._durability is not Durability.NONE:
                below.sync(self._private, "index-new")
            if below.regular(directory, INDEX) is None and below.there(directory, INDEX):
                aside.keep(self._private, directory, INDEX, f"{folder}.{INDEX}")
            os.rename("index-new", INDEX, src_dir_fd=self._private, dst_dir_fd=directory)
            if self._durability is not Durability.NONE:
                os.fsync(directory)

    def index_stamps(self, products: Sequence[str | None]) -> list[str]:
        """Return the stamps of published indexes: another one than when it was written tells that it was changed."""
        with self._told("the published indexes cannot be examined"):
            return [self._index_stamp(product) for product in products]

    def _index_stamp(self, product: str | None) -> str:
        try:
            with self._folder(product) as folder:
                return below.stamp(folder, INDEX)
        except OSError as error:
            if error.errno not in NO_FOLDER:
                raise
            return "no folder"

    def verify_index(self, product: str | None, lines: Iterable[bytes]) -> list[Finding]:
        """Compare the index of a product, or with None that of the root, with what it should be."""
        with self._told(f"{display(product or 'the root')}: {INDEX} cannot be verified"):
            try:
                with self._folder(product) as folder:
                    found = proof.verify_index(folder, lines)
            except OSError as error:
                if error.errno not in NO_FOLDER:
                    raise
                found = [Finding(INDEX, Damage.MISSING, "it is not there")]
            if found:
                self._demand_marker()
            return found
