"""The last step: what is written is tried, as `mirrortui check` does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from core.check import Finding, Verdict, examine
from core.config import load_config
from core.config.template import take_back
from core.errors import MirrorError
from core.logs import hide_secrets, redact_secrets
from core.text import display
from core.units import counted
from tui.welcome.step import QUIT, Step
from tui.widgets.prose import Piece, Prose

STYLES = {Verdict.GOOD: "good", Verdict.ASIDE: "dim", Verdict.BAD: "bad"}


class CheckStep(Step):
    """Shows what the check finds. `open_dashboard` takes the file."""

    NUMBER = 4
    AUTO_FOCUS = "Prose"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "Open the dashboard", priority=True),
        Binding("escape", "back", "Back, without the file", priority=True),
        QUIT,
        Binding("q", "app.leave", show=False),
    ]

    def __init__(self, file: Path, text: str, open_dashboard: Callable[[Path], None]) -> None:
        super().__init__()
        self._file = file
        self._text = text
        self._open = open_dashboard
        self._findings: list[Finding] = []
        self._aside = 0
        self._last: list[Piece] = [("checking the destination and the source", "dim")]
        self._found = Prose(id="found", hang=2)

    def body(self) -> Iterator[Widget]:
        """Yield the findings."""
        yield self._found

    def on_mount(self) -> None:
        """Begin to check."""
        self._show()
        self.run_worker(self._check(), group="checking", exit_on_error=False)

    async def _check(self) -> None:
        try:
            config = await asyncio.to_thread(load_config, self._file)
            hide_secrets(config.secrets())
            async with aclosing(examine(config.mirrors[0], config.engine.min_free)) as findings:
                async for finding in findings:
                    self._take(finding)
        except MirrorError as error:
            self._findings.append(Finding(Verdict.BAD, display(redact_secrets(str(error))), error.exit_code))
        problems = sum(finding.verdict is Verdict.BAD for finding in self._findings)
        self._last = [("All is well. Enter opens the dashboard, whose engine begins to mirror.", "good")]
        if problems:
            told = f"{counted(problems, 'problem')}. Enter opens the dashboard all the same; "
            self._last = [(f"{told}Esc takes the file away again.", "warn")]
        self._show()

    def _take(self, finding: Finding) -> None:
        if finding.verdict is Verdict.ASIDE:
            self._aside += 1
        else:
            self._findings.append(finding)
            self._show()

    def _show(self) -> None:
        lines: list[list[Piece]] = [
            [
                (f"{one.verdict} ", STYLES[one.verdict]),
                (redact_secrets(one.words), "bad" if one.verdict is Verdict.BAD else ""),
            ]
            for one in self._findings
        ]
        if self._aside:
            lines.append([("- ", "dim"), (f"{counted(self._aside, 'product')} available, not mirrored", "dim")])
        self._found.show([(f"wrote {display(self._file)}", "bold")], [*lines, [("", "")], self._last])

    def action_go_on(self) -> None:
        """Open the dashboard."""
        self._open(self._file)

    def action_back(self) -> None:
        """Take the file away again, unless somebody has changed it, and go to the step before."""
        if take_back(self._file, self._text):
            super().action_back()
        else:
            self._last = [(f"{display(self._file)} has been changed, or can't be removed: it stays.", "bad")]
            self._show()
