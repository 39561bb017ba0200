"""The question before leaving: what becomes of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias, cast

from textual.widget import Widget
from textual.widgets import OptionList, Static

from core.units import counted
from tui.screens.dialog import Choice, Choices, Dialog, literal, paragraph

Leaving: TypeAlias = Literal["detach", "drain", "stop"]


class QuitScreen(Dialog[Leaving]):
    """Ask how to leave; None: stay.

    `transfers` are under way, and so many filesets are queued (`waits`); `own`: this dashboard started the engine;
    without `writable` its end is no choice.
    """

    AUTO_FOCUS = "Choices"

    def __init__(self, transfers: int, own: bool, writable: bool = True, waits: int = 0) -> None:
        super().__init__("Leave the dashboard?")
        waiting = f"{counted(waits, 'fileset')} {'waits' if waits == 1 else 'wait'}."
        self._work = f"{counted(transfers, 'transfer')} under way." if transfers or not waits else waiting
        self._choices = _choices(own, writable)

    def body(self) -> Iterator[Widget]:
        """Yield the state of affairs, the choices, and what the one under the cursor leads to."""
        yield paragraph(self._work)
        yield Choices(*self._choices)
        yield paragraph(self._choices[0].hint, "dim", id="hint")

    def choose(self, id: str) -> None:
        """Leave in that way, or stay."""
        self.end(None if id == "stay" else cast("Leaving", id))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Say what the choice leads to."""
        event.stop()
        self.query_one("#hint", Static).update(literal(self._choices[event.option_index].hint))


def _choices(own: bool, writable: bool) -> tuple[Choice, ...]:
    goes_on = "ends by itself when its queue is empty." if own else "was running before you came."
    others = "" if own else " Others who watch lose it too."
    detach = Choice("detach", "d", "Detach; the engine goes on", f"Nothing is interrupted. The engine {goes_on}")
    drain = Choice("drain", "f", "Finish filesets, then end it", f"The engine begins nothing new.{others}")
    stop = Choice("stop", "e", "End the engine now", f"Partial files are kept for the next start.{others}")
    stay = Choice("stay", "s", "Stay here", "Nothing changes.")
    return (detach, drain, stop, stay) if writable else (detach, stay)
