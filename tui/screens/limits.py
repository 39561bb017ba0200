"""The limits that hold while the engine runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import HorizontalGroup
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from core.config.fields import whole_number
from core.units import format_rate, parse_rate
from tui.screens.dialog import Dialog, literal, paragraph

_slots = whole_number(1, 1024)


def _transfers(text: str) -> int:
    return _slots(int(text) if text.isascii() and text.isdecimal() else text)


_PARSERS: dict[str, Callable[[str], int]] = {"transfers": _transfers, "bandwidth": parse_rate}

_FORMS = {"transfers": "8", "bandwidth": "50 MB/s"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Transfers at a time, and bytes a second (0: no limit); None: as configured."""

    transfers: int | None
    bandwidth: int | None


class LimitsScreen(Dialog[Limits]):
    """Ask for new limits; None: they stay as they are. An empty field means: as configured."""

    DEFAULT_CSS = """
    LimitsScreen {
        Label { width: 14; }
        Input { width: 1fr; }
        .under { margin-left: 14; }
    }
    """
    AUTO_FOCUS = "#transfers"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(
        self, transfers: int | None, bandwidth: int | None, configured_transfers: int, configured_bandwidth: int
    ) -> None:
        super().__init__("Limits")
        self._values = {
            "transfers": "" if transfers is None else str(transfers),
            "bandwidth": "" if bandwidth is None else _exact_rate(bandwidth),
        }
        configured = format_rate(configured_bandwidth) if configured_bandwidth else "0, no limit"
        self._hints = {
            "transfers": f"configured: {configured_transfers}",
            "bandwidth": f"configured: {configured}",
        }

    def body(self) -> Iterator[Widget]:
        """Yield the two fields, each with its hint or error below."""
        for name in _PARSERS:
            field = Input(self._values[name], f"such as {_FORMS[name]}", compact=True, id=name, max_length=30)
            yield HorizontalGroup(Label(_label(name, False), id=f"{name}-label"), field)
            yield paragraph(self._hints[name], "under dim", id=f"{name}-hint")
        yield paragraph("Empty: as configured. Enter applies, Tab goes on, Esc changes nothing.", "dim")

    def on_descendant_focus(self) -> None:
        """Point at the field that has the keyboard: also without colours one sees where a text goes."""
        for name in _PARSERS:
            has_keyboard = self.focused is not None and self.focused.id == name
            self.query_one(f"#{name}-label", Label).update(_label(name, has_keyboard))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Check the field as it is typed."""
        event.stop()
        self._is_right(event.input)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Apply both, or go to the field that is wrong."""
        event.stop()
        fields = [self.query_one(f"#{name}", Input) for name in _PARSERS]
        if wrong := [field for field in fields if not self._is_right(field)]:
            wrong[0].focus()
        else:
            self.end(Limits(*map(_value, fields)))

    def _is_right(self, field: Input) -> bool:
        name = field.id or ""
        try:
            _value(field)
        except ValueError as error:
            text, classes = str(error), "under bad"
        else:
            text, classes = self._hints[name], "under dim"
        hint = self.query_one(f"#{name}-hint", Static)
        hint.update(literal(text))
        hint.set_classes(classes)
        return hint.has_class("dim")


def _label(name: str, has_keyboard: bool) -> str:
    return f"{'>' if has_keyboard else ' '} {name.capitalize()}"


def _value(field: Input) -> int | None:
    text = field.value.strip()
    return _PARSERS[field.id or ""](text) if text else None


def _exact_rate(rate: int) -> str:
    """Return the rate so that it is the same when it is read again."""
    text = format_rate(rate) if rate else "0"
    return text if parse_rate(text) == rate else f"{rate} B/s"
