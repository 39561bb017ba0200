"""What an operator has set on the screen, kept from one start to the next: per user and state file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from platformdirs import user_state_path
from pydantic import AfterValidator, BaseModel, ValidationError

from tui.commands import PANES
from tui.panes import failed, products, queue


def _one_of(names: Sequence[str]) -> AfterValidator:
    """Refuse a name that this version doesn't know: another one may have kept it."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"expected one of {', '.join(names)}")
        return name

    return AfterValidator(check)


class Preferences(BaseModel):
    """Sorting, filters, the pane last used, the theme."""

    pane: Annotated[str, _one_of(PANES)] = "products"
    theme: str = ""
    product_sort: Annotated[str, _one_of(products.SORTS)] = "worst"
    product_reverse: bool = False
    queue_sort: Annotated[str, _one_of(queue.SORTS)] = "turn"
    queue_reverse: bool = False
    failed_sort: Annotated[str, _one_of(failed.SORTS)] = "kind"
    failed_reverse: bool = False
    filters: dict[str, str] = {}
    problems: bool = False
    available: bool = True


def path_for(state: Path) -> Path:
    """Return where the preferences for a state file are kept."""
    return user_state_path("mirrortui") / f"screen-{sha256(os.fsencode(state)).hexdigest()[:12]}.json"


def load(path: Path) -> Preferences:
    """Return what was kept; what can't be read is as if nothing had been."""
    try:
        return Preferences.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError):
        return Preferences()


def save(path: Path, preferences: Preferences) -> None:
    """Keep `preferences`, as far as the disk allows: a screen does not fail for want of them."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        new.write_text(preferences.model_dump_json(), encoding="utf-8")
        new.replace(path)
    except OSError:
        return
