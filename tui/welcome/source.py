"""The first step: where the data come from, and where they go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input

from core.config import Mirror
from core.config.draft import Draft, proposed_destination, proposed_name
from core.config.loading import parse_config, search_places
from core.errors import ConfigError
from core.text import display
from tui.screens.dialog import paragraph
from tui.welcome import judging
from tui.welcome.field import Field
from tui.welcome.judging import Verdict
from tui.welcome.step import ON, QUIT, Step

Described = Callable[[Draft, Mirror], None]


class SourceStep(Step):
    """Asks for the URL; all else is proposed. `described` takes a draft that is right, and the mirror that it makes."""

    NUMBER = 1
    AUTO_FOCUS = "#url Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        ON,
        Binding("tab,down", "app.focus_next", "Next field"),
        Binding("shift+tab,up", "app.focus_previous", "Previous field"),
        QUIT,
    ]

    def __init__(self, place: Path, described: Described) -> None:
        super().__init__()
        self._place = place
        self._described = described
        name = proposed_name("")
        self._proposed = Draft(name=name, destination=proposed_destination(name))
        self._typed = {
            "url": Field("URL", judging.judge_url, id="url"),
            "name": Field("Name", judging.judge_name, name, id="name"),
            "destination": Field(
                "Destination", judging.judge_destination, self._proposed.destination, id="destination"
            ),
            "username": Field("User", judging.judge_username, id="username"),
            "variable": Field("Secret in $", judging.judge_variable, id="variable"),
        }

    def body(self) -> Iterator[Widget]:
        """Yield the fields."""
        _, *elsewhere = (display(place.parent) for place in search_places())
        words = f"No configuration was found in this folder, {' or '.join(elsewhere)}. The fields below make one."
        with VerticalScroll(can_focus=False, classes="box") as box:
            box.border_title = "What shall be mirrored, and where to?"
            yield paragraph(words, "intro")
            yield from self._typed.values()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Let the proposals follow what is typed, as long as nobody has changed them."""
        old, (url, name, destination, *_) = self._proposed, self._typed.values()
        if event.input is url.input and name.value == old.name:
            self._proposed = replace(old, name=proposed_name(url.value))
            name.value = self._proposed.name
        elif event.input is name.input and destination.value == old.destination:
            self._proposed = replace(old, destination=proposed_destination(name.value))
            destination.value = self._proposed.destination

    def action_go_on(self) -> None:
        """Go on if all is right, else to the field that isn't."""
        self.run_worker(self._go_on(), group="going on", exclusive=True, exit_on_error=False)

    async def _go_on(self) -> None:
        for field in self._typed.values():
            if not (await field.judged()).usable:
                field.input.focus()
                return
        url, name, destination, username, variable = (field.value for field in self._typed.values())
        draft = Draft(url, name, destination, username, variable).apart()
        try:
            mirror = parse_config(draft.text(), self._place).mirrors[0]
        except ConfigError as error:
            words = str(error).replace(f"{display(self._place)}: ", "")
            self._typed["destination"].say(Verdict(display(words), "bad"))
            self._typed["destination"].input.focus()
        else:
            self._described(draft, mirror)
