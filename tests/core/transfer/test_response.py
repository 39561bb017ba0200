import pytest

from core.transfer.response import parse_head


def test_interim_answers_are_passed_over() -> None:
    head = parse_head(
        [
            b"HTTP/1.1 103 Early Hints\r\n",
            b'ETag: "no"\r\n',
            b"\r\n",
            b"HTTP/1.1 200 OK: fine\r\n",
            b"A: b\r\n",
            b"\r\n",
        ]
    )
    assert (head.status, head.fields) == (200, {"a": "b"})


def test_lines_may_end_in_a_line_feed_alone() -> None:
    head = parse_head([b"HTTP/1.1 206 Partial\n", b"Content-Range:bytes 5-9/10\n", b"\n"])
    assert head.status == 206
    assert head.continues(5, 10)


@pytest.mark.parametrize(
    ("fields", "validator"),
    [
        ([b'ETag: "abc"'], '"abc"'),
        ([b'ETag: "abc"', b"Last-Modified: Sat, 21 Nov 2026 07:58:02 GMT"], '"abc"'),
        ([b'ETag: W/"abc"', b"Last-Modified: Sat, 21 Nov 2026 07:58:02 GMT"], "Sat, 21 Nov 2026 07:58:02 GMT"),
        ([b'ETag: W/"abc"'], None),
        ([b'ETag: "a"', b'ETag: "b"'], None),
        ([b"Date: Sat, 21 Nov 2026 07:58:02 GMT", b"Last-Modified: Sat, 21 Nov 2026 07:58:02 GMT"], None),
        ([b"ETag: abc"], None),
        ([b'ETag: "'], None),
        ([b'ETag: "a\x00b"'], None),
        ([b"Last-Modified: \xff"], None),
        ([], None),
    ],
)
def test_validators(fields: list[bytes], validator: str | None) -> None:
    assert parse_head([b"HTTP/1.1 200 OK\r\n", *(field + b"\r\n" for field in fields)]).validator == validator


@pytest.mark.parametrize(
    "told",
    [
        "bytes 5-8/10",
        "bytes 5-9/11",
        "bytes 5-9/*",
        "bytes 0-9/10",
        "bytes 4-9/10",
        "bytes 5-9",
        "items 5-9/10",
        "bytes -5-9/10",
        "",
        "bytes 5-9/10, bytes 1-2/3",
    ],
)
def test_only_the_exact_range_continues_a_file(told: str) -> None:
    assert not parse_head([b"HTTP/1.1 206 OK\r\n", f"Content-Range: {told}\r\n".encode()]).continues(5, 10)


def test_a_range_with_another_length_does_not_continue_a_file() -> None:
    lines = [b"HTTP/1.1 206 OK\r\n", b"Content-Range: bytes 5-9/10\r\n", b"Content-Length: 4\r\n"]
    assert not parse_head(lines).continues(5, 10)


@pytest.mark.parametrize("told", [b"-1", b"1e3", b"9" * 30, "٣".encode(), b"", b"0x10"])
def test_a_length_that_is_no_number_is_no_length(told: bytes) -> None:
    assert parse_head([b"HTTP/1.1 200 OK\r\n", b"Content-Length: " + told + b"\r\n"]).length is None
