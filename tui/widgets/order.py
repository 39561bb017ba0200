"""The keys of a table in their order, and where a row has gone when the order changes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from itertools import chain

Key = Hashable

NEAR = 64
"""How many places around the old one are looked at before all keys are indexed."""


class Order:
    """Keys in their order. They are kept by reference, and must not be changed afterwards."""

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        self.keys = keys

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def places(self) -> dict[Key, int]:
        """The place of every key; costs time in proportion to their number, once."""
        return {key: place for place, key in enumerate(self.keys)}

    def place(self, key: Key, near: int = 0) -> int | None:
        """Return the place of `key`, which is probably near to `near`; None if it isn't there."""
        for place in self._around(near):
            if self.keys[place] == key:
                return place
        return self.places.get(key)

    def _around(self, near: int) -> Sequence[int]:
        if near < len(self.keys) and "places" in self.__dict__:
            return (near,)
        below = range(max(0, near - NEAR), min(near, len(self.keys)))
        above = range(near, min(near + NEAR, len(self.keys)))
        return (*above, *below)

    def follow(self, old: Order, place: int) -> int:
        """Return where the row at `place` of `old` is now.

        If it is gone: where the nearest row below it is that still exists, else the nearest one above.
        """
        if not self.keys or not old.keys:
            return 0
        below, above = range(place, len(old)), range(place - 1, -1, -1)
        for at in chain(below, above):
            found = self.place(old.keys[at], near=place)
            if found is not None:
                return found
        return min(place, len(self) - 1)

    def keeping(self, keys: Sequence[Key]) -> Order:
        """Return the order in which those of `keys` that are here already stay as they are, and new ones go last."""
        present = frozenset(keys)
        kept = [key for key in self.keys if key in present]
        return Order(kept + [key for key in keys if key not in self.places])
