"""Foreign text and headers: shown safely, and understood or passed over."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote_to_bytes, urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from core.http import LONGEST_RETRY_AFTER, retry_after, same_origin
from core.text import display
from core.transfer.response import Head, parse_head
from core.urls import Reach, RedirectRefused, follow, host_key, quote_segment, reach, redact
from tests.fuzz.oracle import INVISIBLE, assert_readable
from tests.fuzz.profile import examples

ANY = st.text(st.characters(exclude_categories=[]), max_size=400)
ODD = st.text(st.sampled_from("\x1b[]\x07\r\n\t\x9b\u202e\u2066\u200b\ufeff\ud800\U000e0041\u0301a星é|"), max_size=60)
FUZZED = settings(examples(300))


@FUZZED
@given(ANY | ODD, st.integers(1, 400))
def test_what_is_displayed_can_only_be_read(text: str, limit: int) -> None:
    shown = display(text, limit)
    assert_readable(shown)
    assert shown.encode().decode() == shown
    assert display(shown, len(shown) + 1) == shown


@FUZZED
@given(st.text(st.characters(exclude_categories=[*INVISIBLE, "Mn", "Me", "Zs"]), max_size=300))
def test_what_can_be_shown_is_shown_as_it_is_and_as_wide(text: str) -> None:
    assert display(text) == text
    assert cell_len(display(text)) == cell_len(text)


@FUZZED
@given(st.text(st.characters(categories=INVISIBLE), min_size=1, max_size=20))
def test_an_escape_is_as_wide_as_it_is_long(text: str) -> None:
    assert all(unicodedata.category(char) in INVISIBLE for char in text)
    assert display(text).isascii()
    assert cell_len(display(text)) == len(display(text))


DATES = st.one_of(
    st.from_regex(r"\A(Mon|Xyz), [0-9]{1,2} (Nov|Foo) [0-9]{1,6} [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|[+-][0-9]{4,9}|)\Z"),
    st.from_regex(r"\A-?[0-9]{1,30}(\.[0-9]+)?\Z"),
    ANY,
)


@FUZZED
@given(DATES)
def test_a_retry_after_is_a_sane_time_or_nothing(text: str) -> None:
    seconds = retry_after(text)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER


NUMBER = st.integers(-5, 30).map(str) | st.sampled_from(["", "*", "+1", " 1", "1_0", "1" * 25, "\uff11"])


@FUZZED
@given(NUMBER, NUMBER, NUMBER, NUMBER, st.integers(0, 20), st.integers(1, 20))
def test_a_range_is_taken_only_if_it_is_just_the_one_that_was_asked_for(
    first: str, last: str, total: str, length: str, offset: int, size: int
) -> None:
    head = Head(206, {"content-range": f"bytes {first}-{last}/{total}", "content-length": length})
    if head.continues(offset, size):
        assert (int(first), int(last), int(total)) == (offset, size - 1, size)
        assert not length.isdecimal() or int(length) == size - offset or len(length) > 19


@FUZZED
@given(st.lists(st.binary(max_size=80) | st.sampled_from([b"HTTP/1.1 206 x\r\n", b'ETag: "a"\r\n', b":\r\n"])))
def test_any_head_is_read(lines: list[bytes]) -> None:
    head = parse_head(lines)
    assert head.status >= 0
    assert head.validator is None or (head.validator.isascii() and head.validator.isprintable())
    assert head.length is None or 0 <= head.length < 10**20
    assert isinstance(head.framed, bool)
    assert head.encoding != "identity"


@FUZZED
@given(ANY | ODD)
def test_a_name_is_one_segment_of_a_url_and_comes_back(name: str) -> None:
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return  # no parser makes such a name
    quoted = quote_segment(name)
    assert unquote_to_bytes(quoted) == raw
    parts = urlsplit(f"http://host/ds/{quoted}/index.txt")
    assert (parts.netloc, parts.query, parts.fragment) == ("host", "", "")
    assert parts.path.count("/") == 3


LOCATIONS = st.one_of(
    ANY,
    st.from_regex(r"\A(https?|ftp|file|//|)(:|)/{0,3}([a-z@:0-9.\[\]%]{0,12})(:[0-9]{0,7})?(/[a-z?#.]{0,9})?\Z"),
    st.sampled_from(["http://[::1", "http://[::ffff:127.0.0.1]/", "http://0x7f.1/", "http://a:99999/", "http:///x"]),
)


@FUZZED
@given(LOCATIONS, st.integers(1, 7))
def test_a_redirect_leads_to_a_usable_public_place_or_is_refused(location: str, hops: int) -> None:
    source = "https://archive.example/ds/p/f"
    assert_readable(display(redact(location)))
    try:
        target = follow(source, location, hops)
    except RedirectRefused as refusal:
        assert_readable(display(refusal))
        return
    assert target.startswith("https://")
    assert hops <= 5
    host = host_key(target).rpartition(":")[0]
    assert host
    assert reach(host) is Reach.PUBLIC
    assert same_origin(target, target)


@FUZZED
@given(st.from_regex(r"\A[a-z]{1,5}\Z"), st.from_regex(r"\A[a-z%@:]{0,8}\Z"))
def test_a_password_in_a_url_is_never_told(user: str, password: str) -> None:
    shown = redact(f"http://{user}:SECRET{password}@host:80/ds?token=SECRET#SECRET")
    assert "SECRET" not in shown
