"""A line to type in, and below it what is said of the text."""

from __future__ import annotations

import asyncio

from textual.app import ComposeResult
from textual.containers import HorizontalGroup, VerticalGroup
from textual.widgets import Input, Label, Static

from tui.screens.dialog import literal
from tui.welcome.judging import Judge, Verdict


class Field(VerticalGroup):
    """Asks for a text; `judge` is called in a thread whenever the text changes."""

    DEFAULT_CSS = """
    Field {
        Label { width: 13; }
        Input { width: 1fr; }
        #said { margin-left: 13; color: $text-muted; }
        &.-warn #said { color: $text-warning; }
        &.-bad #said { color: $text-error; text-style: bold; }
    }
    """

    def __init__(self, label: str, judge: Judge, value: str = "", *, id: str) -> None:
        super().__init__(id=id)
        self._label = label
        self._judge = judge
        self._first = value

    def compose(self) -> ComposeResult:
        """The label, the text, and what is said of it."""
        field = Input(self._first, compact=True, max_length=1000, select_on_focus=False)
        yield HorizontalGroup(Label(self._label), field)
        yield Static(markup=False, id="said")

    def on_mount(self) -> None:
        """Judge what stands there from the beginning."""
        self.look_again()

    @property
    def input(self) -> Input:
        """The line that is typed in."""
        return self.query_one(Input)

    @property
    def value(self) -> str:
        """The text, without blanks around it."""
        return self.input.value.strip()

    @value.setter
    def value(self, text: str) -> None:
        self.input.value = text
        self.input.cursor_position = len(text)

    def on_input_changed(self) -> None:
        """Judge the text as it is typed."""
        self.look_again()

    def look_again(self) -> None:
        """Judge the text once more, beside the screen."""
        self.run_worker(self.judged(), group="judging", exclusive=True, exit_on_error=False)

    async def judged(self) -> Verdict:
        """Judge the text now, show the verdict, and return it."""
        verdict = await asyncio.to_thread(self._judge, self.value)
        self.say(verdict)
        return verdict

    def say(self, verdict: Verdict) -> None:
        """Show what is said."""
        self.query_one("#said", Static).update(literal(verdict.words))
        self.set_class(verdict.style == "bad", "-bad")
        self.set_class(verdict.style == "warn", "-warn")
