"""Every picture in screenshots/ is what the dashboard looks like; the folder holds these pictures, and no others."""

from __future__ import annotations

from difflib import unified_diff
from itertools import islice
from pathlib import Path

import pytest

from tests.screens import picture
from tests.screens.shots import PICTURES, TARGET, draw, has_png, names

RENEW = "if it is meant to look like that: make screenshots"
SHOWN = 200


@pytest.mark.parametrize("stem", PICTURES)
async def test_the_dashboard_looks_as_its_pictures(stem: str, tmp_path: Path) -> None:
    for name, drawn in (await draw(stem, tmp_path)).items():
        kept = (TARGET / f"{name}.svg").read_text()
        if drawn != kept:
            pytest.fail(f"{name} looks different; {RENEW}\n{difference(kept, drawn)}", pytrace=False)


def test_there_is_a_picture_of_each_scene_and_of_nothing_else() -> None:
    assert sorted(file.stem for file in TARGET.glob("*.svg")) == sorted(names()), RENEW
    assert sorted(file.stem for file in TARGET.glob("*.png")) == sorted(filter(has_png, names())), RENEW


def test_each_png_was_made_of_the_svg_beside_it() -> None:
    beside = {file: file.with_suffix(".svg").read_text() for file in TARGET.glob("*.png")}
    stale = [file.name for file, svg in beside.items() if not picture.was_made_of(file.read_bytes(), svg)]
    assert stale == [], RENEW


def difference(kept: str, drawn: str) -> str:
    """Return what differs, as an operator would see it; colours and places only if the text is the same."""
    old, new = picture.text_of(kept), picture.text_of(drawn)
    if old == new:
        old, new = kept.splitlines(), drawn.splitlines()
    return "\n".join(islice(unified_diff(old, new, "kept", "drawn", lineterm=""), SHOWN))
