"""Any configuration is taken, or refused by an error that can be read."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.config import Engine, Mirror, load_config
from core.errors import ConfigError
from tests.fuzz.oracle import assert_readable
from tests.fuzz.profile import examples

GOOD = """[engine]
state = "mirror.db"
min_free = "5%"

[[mirror]]
name = "ps1"
protocol = "ipp"
url = "http://host.example/ds"
destination = "data"
poll_interval = "15m"
max_lag = {"md-*" = "1d"}
headers = {X-Token = "abc"}
"""
FUZZED = settings(examples(150), suppress_health_check=list(HealthCheck))

SCALARS = st.one_of(
    st.booleans().map(lambda value: str(value).lower()),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["nan", "inf", "-inf", "1e400", "1979-05-27", "07:32:00", "[]", "{}", "[[]]", "'*'", '["*", 1]']),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda text: '"""' + _escaped(text) + '"""'),
    st.sampled_from(
        ["http://[", "http://a:b@c/", "..", "/", "", "~", "5%", "-1s", "1" * 400 + "d", "\\u0000", "x\\n"]
    ).map(lambda text: f'"{text}"'),
)
ENGINE_KEYS, MIRROR_KEYS = sorted(Engine.model_fields), sorted(Mirror.model_fields)


def _escaped(text: str) -> str:
    return "".join(f"\\U{ord(char):08x}" for char in text)


def loads_or_refuses(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mirrortui.toml"
        file.write_bytes(content)
        try:
            load_config(file)
        except ConfigError as error:
            for line in str(error).split("\n"):
                assert_readable(line)


@FUZZED
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    loads_or_refuses(content)


@FUZZED
@given(st.data())
def test_a_good_configuration_with_a_wound(data: st.DataObject) -> None:
    good = GOOD.encode()
    start = data.draw(st.integers(0, len(good)))
    loads_or_refuses(good[:start] + data.draw(st.binary(max_size=6)) + good[start + data.draw(st.integers(0, 6)) :])


@FUZZED
@given(st.dictionaries(st.sampled_from(ENGINE_KEYS), SCALARS, max_size=3), st.data())
def test_any_value_of_any_key(engine: dict[str, str], data: st.DataObject) -> None:
    mirror = {"name": '"ps1"', "protocol": '"ipp"', "url": '"http://host.example/ds"', "destination": '"data"'}
    mirror |= data.draw(st.dictionaries(st.sampled_from(MIRROR_KEYS), SCALARS, max_size=4))
    lines = ["[engine]", *(f"{key} = {value}" for key, value in ({"state": '"s.db"'} | engine).items())]
    lines += ["[[mirror]]", *(f"{key} = {value}" for key, value in mirror.items())]
    loads_or_refuses("\n".join(lines).encode())
