"""docs/keys.md tells what the table of commands tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tui.commands import COMMANDS
from tui.keysdoc import document

ROOT = Path(__file__).parents[2]


def test_the_document_is_not_stale() -> None:
    written = (ROOT / "docs/keys.md").read_text()
    assert written == document(), "run: python -m tui.keysdoc > docs/keys.md"


def test_it_is_written_by_the_command_that_it_names() -> None:
    run = subprocess.run([sys.executable, "-m", "tui.keysdoc"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == document()


def test_every_command_has_a_row() -> None:
    text = document()
    for command in COMMANDS:
        assert f"| `{command.id}`" in text
