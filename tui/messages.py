"""Messages between the bridge, the screen and the app."""

from __future__ import annotations

from textual.message import Message

from tui.snapshot import Snapshot, View


class Pictured(Message):
    """A new snapshot is there. Over a slow line older ones that were not drawn yet are dropped."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot

    def can_replace(self, message: Message) -> bool:
        """Tell whether `message` is out of date with this one."""
        return isinstance(message, Pictured)


class Asked(Message):
    """The screen needs something else to be read."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view
