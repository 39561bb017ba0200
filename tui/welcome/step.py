"""What the steps share: the line that tells where one is, the line of keys, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.keymap import label
from tui.widgets.sharp import SharpScreen

STEPS = ("Source", "Products", "File", "Check")
ON = Binding("enter", "go_on", "Continue", priority=True)
BACK = Binding("escape", "back", "Back", priority=True)
QUIT = Binding("ctrl+c", "app.leave", "Quit", priority=True)


class Step(SharpScreen[None]):
    """One step of the first run. The bindings that are to be shown stand in its last line, in their order."""

    NUMBER: ClassVar[int] = 1
    BINDINGS: ClassVar[list[BindingType]] = []

    def compose(self) -> ComposeResult:
        """The way, what this step is about, and the keys."""
        yield Static(way(self.NUMBER), id="way", markup=False)
        yield from self.body()
        yield Static(self._keys_line(), id="keys", markup=False)

    def body(self) -> Iterator[Widget]:
        """Yield what this step is about."""
        yield from ()

    def tell_keys(self) -> None:
        """Show anew which keys there are: those that do nothing at the moment are dim."""
        self.query_one("#keys", Static).update(self._keys_line())

    def _keys_line(self) -> Content:
        shown = [one for one in type(self).BINDINGS if isinstance(one, Binding) and one.show]
        entries = [keys_entry(one, able=self.check_action(one.action, ()) is True) for one in shown]
        return Content(" ") + Content("  ").join(entries)

    def action_back(self) -> None:
        """Go to the step before."""
        self.app.pop_screen()


def way(number: int) -> Content:
    """Return the line that names all steps, that of `number` in brackets."""
    steps = [
        Content.styled(f"[{at} {name}]", "bold $text-accent") if at == number else Content(f"{at} {name}")
        for at, name in enumerate(STEPS, 1)
    ]
    return Content(" ") + Content(" ").join(steps) + Content.styled("   mirrortui, the first run", "$text-muted")


def keys_entry(binding: Binding, *, able: bool) -> Content:
    """Return a key with what it does; dim unless it is `able` to do that."""
    key, does = label(binding.key.partition(",")[0]), f" {binding.description}"
    return Content.styled(key, "bold $text-accent") + does if able else Content.styled(key + does, "dim $text-muted")
