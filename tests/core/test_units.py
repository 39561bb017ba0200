import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.units import (
    MAX_BYTES,
    MAX_SECONDS,
    Space,
    format_bytes,
    format_duration,
    format_minute,
    format_rate,
    format_time,
    parse_bytes,
    parse_duration,
    parse_rate,
    parse_space,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("50 MB", 50_000_000),
        ("20GB", 20_000_000_000),
        ("1.5 GiB", 1_610_612_736),
        (" 10 kB ", 10_000),
        ("10 KB", 10_000),
        ("0.1 TB", 100_000_000_000),
        ("7 B", 7),
        ("0", 0),
        (0, 0),
        (4096, 4096),
    ],
)
def test_sizes_are_read(text: object, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "50", "50 Mb", "50 mb", "-1 MB", "1e3 MB", "٣ MB", "9" * 40 + " B", "99999 PB", -1, 1.5, True, None]
)
def test_what_is_no_size_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match='expected a size such as "50 MB"'):
        parse_bytes(text)


def test_rates_are_read() -> None:
    assert parse_rate("50 MB/s") == 50_000_000
    assert parse_rate("0") == parse_rate("0 MB/s") == parse_rate(0) == 0
    assert parse_rate("5 MB") == parse_rate("5M") == parse_rate(" 5 M/s ") == parse_rate("5000k") == 5_000_000
    for wrong in ("50", "50/s", "50 Mb", "50 m", "50 MB/h", "fast", "M", "/s", True):
        with pytest.raises(ValueError, match='expected a rate such as "50 MB/s"'):
            parse_rate(wrong)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15m", 900),
        ("2h", 7200),
        ("30s", 30),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1d 2h", 93600),
        ("0.5s", 0.5),
        ("0", 0),
        (90, 90),
        (1.5, 1.5),
    ],
)
def test_durations_are_read(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "m", "15", "soon", "15 minutes", "30m1h", "-5s", -5, float("inf"), float("nan"), True, "9" * 12 + "d"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match='expected a duration such as "15m"'):
        parse_duration(text)


def test_disk_space_is_a_share_or_a_size() -> None:
    assert parse_space("5%").of(2_000) == 100
    assert parse_space("2.5 %") == Space(percent=2.5)
    assert parse_space("20 GB").of(1) == 20_000_000_000
    assert (str(parse_space("5%")), str(parse_space("20 GB"))) == ("5%", "20.0 GB")
    for wrong in ("101%", "%", "-1%", "5 MB%", "much", 0.5):
        with pytest.raises(ValueError, match='"5%", or a size such as "20 GB"'):
            parse_space(wrong)


def test_an_error_shows_no_control_byte() -> None:
    for parse in (parse_bytes, parse_rate, parse_duration, parse_space, parse_time):
        with pytest.raises(ValueError, match="expected") as caught:
            parse("\x1b]0;owned\x07\n" * 50)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 700


def test_times_are_utc_and_read_back() -> None:
    assert format_time(1795247882.9) == "2026-11-21T07:58:02Z"
    assert [format_minute(at) for at in (1795247880, 1795247882.9)] == ["07:58Z", "07:59Z"]
    assert parse_time("2026-11-21T07:58:02Z") == 1795247882
    day = "2026-11-21"
    for wrong in (day, "2026-13-21T07:58:02Z", f"{day}T24:00:00Z", f"{day}T07:58:02", f"{day}T07:58:02+00:00", "null"):
        with pytest.raises(ValueError, match="expected a UTC time"):
            parse_time(wrong)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (0.4, "0s"), (45.9, "45s"), (185, "3m05s"), (3600, "1h00m"), (22_320, "6h12m"), (273_600, "3d04h")],
)
def test_durations_are_written_by_their_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_sizes_and_rates_are_written_in_decimal_units() -> None:
    assert [format_bytes(size) for size in (0, 1, 999, 1000, 83_002_312)] == [
        "0 B",
        "1 B",
        "999 B",
        "1.0 kB",
        "83.0 MB",
    ]
    assert format_rate(0) == "0 B/s"
    assert format_rate(52_400_000.7) == "52.4 MB/s"


@given(st.integers(0, MAX_SECONDS))
def test_a_written_duration_is_read_back_to_its_precision(seconds: int) -> None:
    assert 0 <= seconds - parse_duration(format_duration(seconds)) < 3600


@given(st.text() | st.integers() | st.floats())
def test_any_input_is_read_within_bounds_or_refused_with_a_reason(value: object) -> None:
    for parse, most in ((parse_bytes, MAX_BYTES), (parse_rate, MAX_BYTES), (parse_duration, MAX_SECONDS)):
        try:
            read = parse(value)
        except ValueError as error:
            assert str(error).startswith("expected")  # noqa: PT017 - either way is right
        else:
            assert 0 <= read <= most
