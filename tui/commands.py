"""The one table of what an operator can do: keys, palette, help, footer and docs/keys.md all come from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

PANES = ("products", "queue", "failed", "details", "log")
ALL = frozenset(PANES)
LISTS = frozenset({"products", "queue", "failed"})
FILESETS = frozenset({"queue", "failed", "details"})
SUBJECTS = LISTS | FILESETS

GROUPS = ("Work", "View", "Move", "Program")

Keymap = Mapping[str, tuple[str, ...]]
"""The keys of each command, by its id."""


@dataclass(frozen=True, slots=True)
class Command:
    """Something an operator can do.

    `keys` are characters, or names such as ``ctrl+p``. `footer` is what the footer calls it, or empty: not shown there;
    neighbours of the same `footer` share one entry; it is shown in the panes `shown`. `panes` are those where it has a
    meaning; `writes` tells that it asks the engine for a change, which a dashboard that is read-only doesn't do.
    """

    id: str
    keys: tuple[str, ...]
    title: str
    help: str
    group: str
    panes: frozenset[str] = ALL
    writes: bool = False
    footer: str = ""
    shown: frozenset[str] = ALL

    @property
    def words(self) -> str:
        """What operators may call it beside its title: the palette and the help find it by these words, too."""
        return _WORDS.get(self.id, "")

    def in_footer(self, pane: str) -> bool:
        """Tell whether the footer of a pane shows it, if it has room."""
        return bool(self.footer) and pane in self.panes & self.shown


class Commanding(Protocol):
    """An app that carries out commands."""

    @property
    def keymap(self) -> Keymap:
        """The keys in force."""

    def unavailable(self, command: Command) -> str | None:
        """Return why `command` can't be given now, in words fit for a screen, or None: it can."""

    async def run_action(self, action: str) -> bool:
        """Run ``command('ID')``."""


def _work(
    id: str, keys: str, title: str, help: str, panes: frozenset[str], footer: str = "", shown: frozenset[str] = ALL
) -> Command:
    return Command(id, tuple(keys.split()), title, help, "Work", panes, writes=True, footer=footer, shown=shown)


def _view(
    id: str,
    keys: str,
    title: str,
    help: str,
    panes: frozenset[str] = ALL,
    footer: str = "",
    shown: frozenset[str] = ALL,
) -> Command:
    return Command(id, tuple(keys.split()), title, help, "View", panes, footer=footer, shown=shown)


def _move(id: str, keys: str, title: str, help: str) -> Command:
    return Command(id, tuple(keys.split()), title, help, "Move")


_PRODUCTS = frozenset({"products"})
_QUEUE = frozenset({"queue"})
_DETAILS = frozenset({"details"})
_FAILED = frozenset({"failed"}) | _DETAILS

# Within its group the most wanted comes first.
COMMANDS: tuple[Command, ...] = (
    Command(
        "mark", ("space",), "Mark", "Mark the row, or take its mark away; marks that a filter hides are kept, not hit.",
        "Work", LISTS, footer="Mark",
    ),
    Command("mark_all", ("*",), "Mark all", "Mark all rows that the filter lets through, or none.", "Work", LISTS),
    _work("retry", "r", "Retry", "Try at once what failed or is in quarantine.", SUBJECTS, "Retry"),
    _work("retry_all", "R", "Retry all", "Retry all rows that the filter lets through.", LISTS, "Retry"),
    _work(
        "accept", "A", "Accept", "Take the size and digest that were seen as the wanted ones; for files in quarantine.",
        _FAILED, "Accept",
    ),
    _work("now", "a", "Queue now", "Fetch this next, before all others, without waiting.", FILESETS, "Now"),
    _work("hold", "h", "Hold or release", "Stop a fileset until it is released; release a held one.", FILESETS, "Hold"),
    _work("pause", "p", "Pause or resume", "Stop the row's product, or let it or its mirror go on.", SUBJECTS, "Pause"),
    _work("cancel", "x", "Cancel", "Give a fileset up, and drop what was fetched of it.", FILESETS, "Cancel"),
    _work("poll", "u", "Poll now", "Look at once for what is new in the source.", SUBJECTS, "Poll", LISTS - _QUEUE),
    _work("verify", "v", "Verify", "Read again what is published, and compare it with its digests.", SUBJECTS),
    _work("mirror", "m", "Mirror or stop", "Begin or end mirroring a product.", _PRODUCTS | _DETAILS, "Mirror"),
    _work("move_down", "J", "Move down", "Let the next fileset of the product go first.", _QUEUE, "Move"),
    _work("move_up", "K", "Move up", "Go before the previous fileset of the product.", _QUEUE, "Move"),
    _work("raise", "+", "Raise priority", "Filesets of a higher priority are fetched first.", FILESETS, "Priority"),
    _work("lower", "-", "Lower priority", "Filesets of a lower priority are fetched last.", FILESETS, "Priority"),
    _work("pause_all", "P", "Pause or resume all", "Stop all fetching, or let all go on.", ALL),
    _work(
        "limits", "L", "Limits", "Change the number of transfers, or the bandwidth, while they run.", ALL, "Limits",
        _PRODUCTS | _QUEUE,
    ),
    _work("engine", "E", "Start the engine", "Start an engine if none runs, or in the place of an older version.", ALL),
    _view("filter", "/", "Filter", "Show only rows that contain a text.", ALL - _DETAILS, "Filter"),
    _view(
        "problems", "!", "Problems only", "Show in all lists only what needs attention, or all again.", ALL,
        "Problems", ALL - _FAILED,
    ),
    _view("sort", "s", "Sort", "Sort by the next column.", LISTS, "Sort"),
    _view("reverse", "S", "Reverse", "Turn the order round.", LISTS),
    _view("available", "n", "Available", "Show or hide products that nobody mirrors.", _PRODUCTS, "Available"),
    _view("follow", "F", "Follow", "Stay at the newest line, or stop there.", frozenset({"log"}), "Follow"),
    _view("details", "enter", "Details", "Show all of the row; open a group of failures.", ALL - _DETAILS, "Details"),
    _view("copy", "y", "Copy", "Copy the name, or the line, to the clipboard of your terminal.", footer="Copy"),
    _view("freeze", "z", "Freeze", "Keep the rows in their order while numbers change.", LISTS, "Freeze"),
    _view("overview", "o", "Overview", "Details: the state in short.", footer="Show"),
    _view("files", "f", "Files", "Details: the files of the fileset.", footer="Show"),
    _view("errors", "e", "Errors", "Details: what failed, why, and what comes next.", footer="Show"),
    _view("back", "escape", "Back", "Take back the filter, then the marks, then go to the list."),
    _move("down", "j", "Next row", "Also the arrow key."),
    _move("up", "k", "Previous row", "Also the arrow key."),
    _move("first", "g", "First row", "Also Home."),
    _move("last", "G", "Last row", "Also End."),
    _move("go_products", "1", "Go to products", "The first pane."),
    _move("go_queue", "2", "Go to queue", "The second pane."),
    _move("go_failed", "3", "Go to failed", "The third pane."),
    _move("go_details", "4", "Go to details", "The fourth pane."),
    _move("go_log", "5", "Go to log", "The fifth pane."),
    _move("next_pane", "tab", "Next pane", "Round after the last one."),
    _move("previous_pane", "shift+tab", "Previous pane", "Round before the first one."),
    Command("help", ("?",), "Help", "Show all commands and their keys.", "Program", footer="Help"),
    Command("palette", ("ctrl+p", ":"), "Palette", "Find a command by its name.", "Program", footer="All"),
    Command("theme", ("T",), "Theme", "Choose the colours: dark, light, high contrast, the terminal's own.", "Program"),
    Command("redraw", ("ctrl+l",), "Redraw", "Paint the screen anew.", "Program"),
    Command(
        "suspend", ("ctrl+z",), "Suspend", "Give the terminal back to the shell; its `fg` shows the dashboard again.",
        "Program",
    ),
    Command("quit", ("q", "ctrl+c"), "Quit", "Leave; asks what becomes of the engine while transfers run.", "Program"),
)  # fmt: skip

_WORDS: Mapping[str, str] = {
    "mark": "select tick unmark unselect",
    "mark_all": "select unmark everything",
    "retry": "again repeat restart",
    "retry_all": "again repeat restart everything",
    "accept": "approve override trust checksum",
    "now": "urgent first immediately",
    "hold": "unhold skip suspend block",
    "pause": "unpause stop continue suspend",
    "cancel": "abort remove delete kill skip drop",
    "poll": "refresh rescan sync update check",
    "verify": "check scrub integrity checksum audit",
    "mirror": "ignore add remove subscribe unsubscribe",
    "raise": "urgent sooner",
    "lower": "later",
    "pause_all": "unpause continue everything emergency",
    "limits": "speed throttle rate slow fast",
    "engine": "run restart attach",
    "filter": "search find grep",
    "problems": "trouble alerts errors lag late worst",
    "sort": "order lag late worst",
    "available": "products catalogue",
    "follow": "tail",
    "copy": "yank",
    "back": "clear unmark unselect",
    "go_log": "audit history events",
    "help": "keys shortcuts",
    "theme": "color colors",
    "redraw": "refresh clear repaint",
    "suspend": "background shell",
    "quit": "exit detach stop kill close leave",
}

WANTED: Mapping[str, tuple[str, ...]] = {
    "products": ("Retry", "Pause", "Mirror", "Filter", "Problems", "Sort", "Poll"),
    "queue": ("Now", "Hold", "Cancel", "Move", "Priority", "Filter", "Pause"),
    "failed": ("Mark", "Retry", "Accept", "Hold", "Filter", "Details"),
    "details": ("Show", "Retry", "Accept", "Hold", "Pause", "Cancel", "Mirror"),
}
"""What the footer shows first in a pane: a narrow screen has room for little more. All else follows as in the table."""

_BY_ID = {command.id: command for command in COMMANDS}

FREELY = {"cancel": 0, "mirror": 1}
"""How many rows a command may hit without a question, where that is not `FREELY_ELSE`."""
FREELY_ELSE = 20
TYPED_ABOVE = 100
"""With more rows than these the operator types their number."""
ALWAYS_ASKED = frozenset({"pause_all", "accept"})
"""What stops everything, and what overrides a proof."""
NEVER_TYPED = frozenset({"retry", "retry_all", "pause", "pause_all", "poll", "verify"})
"""Trying again, looking again, and pausing harm nothing that is there: one key is enough however much is hit."""


def by_id(id: str) -> Command:
    """Return the command called `id`; raises KeyError."""
    return _BY_ID[id]


def confirm_needed(command: Command, count: int, *, always: bool = False) -> Literal["ask", "type"] | None:
    """Return how `command` on `count` rows is confirmed: not at all, by a key, or by typing the number.

    `always`: however little that is, as when it ends the mirroring of products, or stops a whole one from the row of a
    fileset.
    """
    asked = always or command.id in ALWAYS_ASKED
    if not command.writes or (not asked and count <= FREELY.get(command.id, FREELY_ELSE)):
        return None
    return "type" if count > TYPED_ABOVE and command.id not in NEVER_TYPED else "ask"
