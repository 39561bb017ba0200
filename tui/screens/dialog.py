"""What dialogs share: a box over the dashboard, choices by letter or arrow, and Esc, which changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Generic

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen, ScreenResultType
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.text import display
from tui.widgets.columns import CURSOR


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: its id, the letter that gives it, its text, and what it leads to."""

    id: str
    letter: str
    text: str
    hint: str = ""


class Choices(OptionList):
    """Answers, one a line; the first one is the safe one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]

    def __init__(self, *choices: Choice) -> None:
        super().__init__(
            *(Option(_line(choice, at == 0), choice.id) for at, choice in enumerate(choices)),
            compact=True,
            markup=False,
        )
        self.choices = choices

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Point to what Enter chooses, also where there are no colours."""
        for at, choice in enumerate(self.choices):
            self.replace_option_prompt_at_index(at, _line(choice, at == event.option_index))


def _line(choice: Choice, chosen: bool) -> Content:
    return Content.assemble(CURSOR if chosen else " ", (choice.letter, "bold"), f"  {choice.text}")


class Dialog(ModalScreen[ScreenResultType], Generic[ScreenResultType]):
    """A box with a title, and within it what `body` yields. Esc ends it with `None`, and so changes nothing."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        #box {
            width: 100%;
            max-width: 76;
            height: auto;
            max-height: 100%;
            overflow-y: auto;
            padding: 0 1;
            border: round $primary;
            background: $surface;
        }
        #names { height: auto; max-height: 3; }
        &.-tall {
            #box { padding: 1 2; }
            #names { max-height: 11; margin-bottom: 1; }
            Choices, #hint { margin-top: 1; }
        }
        .dim { color: $text-muted; }
        .bad { color: $text-error; text-style: bold; }
        Choices, Choices:focus { background: transparent; background-tint: transparent; }
    }
    """
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-tall")]  # noqa: RUF012 - typed as a variable by its base
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stay", "Stay", show=False)]

    def __init__(self, heading: str) -> None:
        super().__init__()
        self._heading = heading

    def compose(self) -> ComposeResult:
        """Put the body into its box."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._heading)
            yield from self.body()

    def on_mount(self) -> None:
        """Look at once as the size of the screen asks for; else the box would grow before one's eyes."""
        height = self.app.size.height
        name = max((least, name) for least, name in self.VERTICAL_BREAKPOINTS if height >= least)[1]
        self.add_class(name)

    def body(self) -> Iterator[Widget]:
        """Yield what stands in the box."""
        yield from ()

    def choose(self, id: str) -> None:
        """Answer with the choice called `id`."""

    def end(self, result: ScreenResultType | None) -> None:
        """Close the dialog; further keys that were under way to it do nothing."""
        if self.is_current:
            self.dismiss(result)

    def action_stay(self) -> None:
        """Close the dialog, and change nothing."""
        self.end(None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with the line under the cursor."""
        event.stop()
        self.choose(event.option_id or "")

    def on_key(self, event: Key) -> None:
        """Answer by letter, and by nothing else: Esc and a letter at once arrive as Alt and that letter."""
        for choice in (choice for choices in self.query(Choices) for choice in choices.choices):
            if event.key == choice.letter:
                event.stop()
                self.choose(choice.id)


def literal(text: str) -> Content:
    """Return foreign text as what is shown: nothing in it is markup, or does anything."""
    return Content(display(text, limit=1000))


def paragraph(text: str, classes: str = "", id: str | None = None) -> Static:
    """Return a widget that shows `text` as it stands."""
    return Static(literal(text), classes=classes, id=id, markup=False)
