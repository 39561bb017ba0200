import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.names import unsafe_name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        (".", "reserved"),
        ("..", "reserved"),
        (".mirrortui", "reserved"),
        ("index.txt", "reserved"),
        ("a/b", "path separator"),
        ("/etc/passwd", "path separator"),
        ("..\\x", "path separator"),
        ("-rf", "begins with '-'"),
        ("a\x00b", "control"),
        ("a\nb", "control"),
        ("\x1b[2J", "control"),
        ("\u202etxt", "control"),
        ("\udcff", "control"),
        ("x" * 256, "longer than 255 bytes"),
        ("ü" * 128, "longer than 255 bytes"),
    ],
)
def test_a_hostile_name_is_refused_with_its_reason(name: str, reason: str) -> None:
    assert reason in (unsafe_name(name) or "")


@pytest.mark.parametrize(
    "name", ["o4741g0234o.fake.2799.11.1", "Grism 2_a:b+c-d", "...", ".hidden", "INDEX.TXT", "x" * 255, "星", "[x]"]
)
def test_an_ordinary_name_passes(name: str) -> None:
    assert unsafe_name(name) is None


@given(st.text(st.characters(), max_size=300))
def test_a_name_that_passes_stays_directly_below_its_folder(name: str) -> None:
    if unsafe_name(name) is None:
        joined = os.path.normpath(Path("/destination") / name)
        assert os.path.dirname(joined) == "/destination"
        assert os.path.basename(joined) == name
