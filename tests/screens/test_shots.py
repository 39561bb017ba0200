"""Every picture in screenshots/ is what the dashboard looks like; the folder holds these pictures, and no others."""

from __future__ import annotations

from difflib import unified_diff
from itertools import islice
from pathlib import Path

import pytest

from tests.screens import picture
from tests.screens.shots import PICTURES, TARGET

RENEW = "if it is meant to look like that: make screenshots"
SHOWN = 200


@pytest.mark.parametrize("name", PICTURES)
async def test_the_dashboard_looks_as_its_picture(name: str, tmp_path: Path) -> None:
    kept = (TARGET / f"{name}.svg").read_text()
    drawn = await PICTURES[name].draw(tmp_path)
    if drawn != kept:
        pytest.fail(f"{name} looks different; {RENEW}\n{difference(kept, drawn)}", pytrace=False)


def test_there_is_a_picture_of_each_scene_and_of_nothing_else() -> None:
    for kind in ("svg", "png"):
        assert sorted(file.stem for file in TARGET.glob(f"*.{kind}")) == sorted(PICTURES), RENEW


def difference(kept: str, drawn: str) -> str:
    """Return what differs, as an operator would see it; colours and places only if the text is the same."""
    old, new = picture.text_of(kept), picture.text_of(drawn)
    if old == new:
        old, new = kept.splitlines(), drawn.splitlines()
    return "\n".join(islice(unified_diff(old, new, "kept", "drawn", lineterm=""), SHOWN))
