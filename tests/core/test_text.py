import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import display


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("o4741g0234o.fake.2799.11.1", "o4741g0234o.fake.2799.11.1"),
        ("grüße 星 é", "grüße 星 é"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\tb\r\nc\x00\x7f", "a\\x09b\\x0d\\x0ac\\x00\\x7f"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028\u2029\u200b", "\\u2028\\u2029\\u200b"),
        ("\udc80", "\\udc80"),
        ("\U000e0041", "\\U000e0041"),
        ("a\ufe0f\u200d\u2060", "a\\ufe0f\\u200d\\u2060"),
        ("\u3164\u2800\U000e0100", "\\u3164\\u2800\\U000e0100"),
        (ValueError("bad\nrow"), "bad\\x0arow"),
    ],
)
def test_foreign_text_can_only_be_read(foreign: object, shown: str) -> None:
    assert display(foreign) == shown


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert display("x" * 300) == "x" * 300
    assert display("x" * 301) == "x" * 299 + "…"
    assert display("abcdef", 4) == "abc…"


@given(st.text(st.characters(), max_size=400))
def test_what_comes_out_is_printable_and_encodable(foreign: str) -> None:
    shown = display(foreign)
    assert shown.isprintable()
    assert shown.encode("utf-8").decode() == shown
