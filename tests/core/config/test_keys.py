"""What the keys of a configuration hold, and what is said of those that are wrong."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from core.config import Config, Mirror, load_config, matches
from core.config.models import Engine, OnHangup
from core.errors import ConfigError
from core.model import Durability
from core.units import Space
from tests.core.config.written import ENGINE, MIRROR, Write, complaint

pytestmark = pytest.mark.usefixtures("unconfigured")


def test_defaults_are_those_of_the_manual(write: Write, tmp_path: Path) -> None:
    config = load_config(write())
    engine, mirror = config.engine, config.mirrors[0]
    assert (engine.state, engine.log_file) == (tmp_path / "mirror.db", tmp_path / "mirrortui.log")
    assert (engine.transfers, engine.transfers_per_host, engine.bandwidth) == (16, 16, 0)
    assert (engine.min_free, engine.drain_timeout) == (Space(percent=5), 600)
    assert engine.durability is Durability.FILESET
    assert engine.umask is None
    assert (mirror.name, mirror.url, mirror.destination) == ("ps1", "http://127.0.0.1:8080/ds", tmp_path / "data")
    assert (mirror.products, mirror.hidden_products) == (("*",), ())
    assert (mirror.poll_interval, mirror.reconcile_interval) == (900, 86400)
    assert (mirror.connect_timeout, mirror.index_timeout, mirror.stall_timeout) == (30, 60, 60)
    assert mirror.credential_headers() == ()
    assert not mirror.destination.exists()


def test_every_key_is_understood(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PS1_PASSWORD", "s3cret")
    monkeypatch.setenv("PS1_KEY", "k3y")
    (tmp_path / "ca.pem").touch()
    path = write(
        engine='transfers = 4\ntransfers_per_host = 2\nbandwidth = "50 MB/s"\nmin_free = "20 GB"\n'
        'drain_timeout = "1m"\ndurability = "full"\nlog_file = "run.log"\numask = "027"\n',
        mirror='products = ["dist-*"]\nhidden_products = ["secret-1"]\nfilesets = ["*.camera.*"]\n'
        'exclude_filesets = ["test*"]\npoll_interval = "1m"\nreconcile_interval = "12h"\npriority = -5\n'
        'username = "me"\npassword_env = "PS1_PASSWORD"\nca_file = "ca.pem"\nconnect_timeout = "5s"\n'
        'index_timeout = "6s"\nstall_timeout = "7s"\nmin_rate = "1 kB/s"\n'
        'headers = { "X-Key" = "env:PS1_KEY", "X-From" = "here" }\n',
    )
    config = load_config(path)
    engine, mirror = config.engine, config.mirror("ps1")
    assert (engine.transfers, engine.transfers_per_host, engine.bandwidth) == (4, 2, 50_000_000)
    assert (engine.min_free.of(1), engine.drain_timeout, engine.durability) == (20 * 10**9, 60, Durability.FULL)
    assert engine.umask == 0o027
    assert engine.log_file == tmp_path / "run.log"
    assert (mirror.products, mirror.hidden_products) == (("dist-*",), ("secret-1",))
    assert (mirror.filesets, mirror.exclude_filesets) == (("*.camera.*",), ("test*",))
    assert (mirror.poll_interval, mirror.reconcile_interval, mirror.priority) == (60, 43200, -5)
    assert (*mirror.login(), mirror.ca_file) == ("me", "s3cret", tmp_path / "ca.pem")
    assert mirror.credential_headers() == (("X-Key", "k3y"), ("X-From", "here"))
    assert (mirror.connect_timeout, mirror.index_timeout, mirror.stall_timeout, mirror.min_rate) == (5, 6, 7, 1000)


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("transfers = 0", "[engine]: transfers: expected a whole number from 1 to 1024, got 0"),
        ("transfers = 16.0", "[engine]: transfers: expected a whole number from 1 to 1024, got 16.0"),
        ('transfers_per_host = "x"', '[engine]: transfers_per_host: expected a whole number from 1 to 1024, got "x"'),
        ('bandwidth = "fast"', '[engine]: bandwidth: expected a rate such as "50 MB/s", or "0", got "fast"'),
        ('drain_timeout = "soon"', '[engine]: drain_timeout: expected a duration such as "15m" or "1h30m", got "soon"'),
        ('durability = "all"', '[engine]: durability: expected "full" or "fileset" or "none", got "all"'),
        (
            "umask = 22",
            '[engine]: umask: expected octal digits such as "022" or "027", which take nothing from the '
            'owner, or "", got 22',
        ),
        (
            'umask = "700"',
            '[engine]: umask: expected octal digits such as "022" or "027", which take nothing from the '
            'owner, or "", got "700"',
        ),
        ('log_file = "no/x.log"', '[engine]: log_file: expected the folder "{base}/no" to exist'),
        ("transfer = 4", '[engine]: transfer: unknown key; did you mean "transfers"?'),
    ],
)
def test_a_wrong_engine_key_is_one_line(write: Write, tmp_path: Path, engine: str, said: str) -> None:
    assert complaint(write(engine=engine + "\n")) == said.format(base=tmp_path)


@pytest.mark.parametrize(
    ("mirror", "said"),
    [
        ('poll_interval = "soon"', 'poll_interval: expected a duration such as "15m" or "1h30m", got "soon"'),
        ("poll_interval = 0", "poll_interval: expected at least 0.1s, got 0"),
        ('min_free = "1 GB"', "min_free: unknown key; it belongs to [engine]"),
        ('pol_interval = "15m"', 'pol_interval: unknown key; did you mean "poll_interval"?'),
        ('products = "dist"', 'products: expected a list of names or globs such as ["gpc1", "dist-*"], got "dist"'),
        ('hidden_products = ["../x"]', '["dist-200904"], got "../x": the name contains a path separator'),
        ('filesets = ["a["]', '["gpc1", "dist-*"], got "a[": a bracket is not closed'),
        ('exclude_filesets = [""]', '["gpc1", "dist-*"], got "": it is empty'),
        ("priority = 1000", "priority: expected a whole number from -100 to 100, got 1000"),
        ('ca_file = "no.pem"', 'ca_file: expected a file that exists, but there is no "{base}/no.pem"'),
        ('headers = { Range = "x" }', "headers: Range: expected another header; this one is set by mirrortui itself"),
        ('username = "a:b"', 'username: expected a user name without ":"'),
        ('password_env = "NO_SUCH"', "password_env: expected the environment variable NO_SUCH to be set"),
        ('headers = { X-Key = "env:NO_SUCH" }', "headers: X-Key: expected the environment variable NO_SUCH to be set"),
    ],
)
def test_a_wrong_mirror_key_is_one_line(write: Write, tmp_path: Path, mirror: str, said: str) -> None:
    line = complaint(write(mirror=mirror + "\n"))
    assert line.startswith('[[mirror]] "ps1": ')
    assert line.endswith(said.format(base=tmp_path))
    assert "\n" not in line


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('protocol = "ipp"', 'protocol = "ftp"', 'protocol: expected "ipp", got "ftp"'),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", 'expected a URL such as "http://host/ds", got "127.0.0.1:8080/ds"'),
        ("http://", "ftp://", 'url: expected a URL such as "http://host/ds", got "ftp://127.0.0.1:8080/ds"'),
        (":8080", ":80800", 'url: expected a URL such as "http://host/ds", got "http://127.0.0.1:80800/ds"'),
        ("8080/ds", "8080/d s", 'url: expected a URL such as "http://host/ds", got "http://127.0.0.1:8080/d s"'),
        ('destination = "data"', "", 'destination: missing; expected for example destination = "/data/ps1"'),
        ('"data"', '"mirrortui.toml"', 'expected a folder, but "{base}/mirrortui.toml" is something else'),
        ('"data"', '""', 'destination: expected a path such as "/data/ps1", got ""'),
    ],
)
def test_a_wrong_or_missing_necessary_key_is_one_line(
    write: Write, tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = write()
    path.write_text(path.read_text().replace(old, new))
    line = complaint(path)
    assert line.startswith('[[mirror]] "ps1": ')
    assert line.endswith(said.format(base=tmp_path))


def test_a_mirror_without_a_usable_name_is_counted(write: Write) -> None:
    path = write(more='[[mirror]]\nname = "a/b\\u001b"\n[[mirror]]\nname = 3\n')
    said = complaint(path)
    assert '[[mirror]] "a/b\\x1b": name: expected letters, digits and' in said
    assert '[[mirror]] number 3: name: expected letters, digits and ". _ + -", at most 64, got 3' in said


def test_all_that_is_wrong_is_said_at_once(write: Write) -> None:
    said = complaint(write(engine="transfers = 0\nstat = 1\n", mirror='priority = "high"\n', more="[extra]\n"))
    assert [line.split(": expected")[0].split(": unknown")[0] for line in said.splitlines()] == [
        "[engine]: transfers",
        "[engine]: stat",
        '[[mirror]] "ps1": priority',
        "extra",
    ]


def test_a_state_file_needs_its_folder(write: Write, tmp_path: Path) -> None:
    path = write()
    path.write_text(path.read_text().replace('"mirror.db"', '"no/mirror.db"'))
    assert complaint(path) == f'[engine]: state: expected the folder "{tmp_path}/no" to exist'


def test_the_default_state_lies_in_a_folder_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(MIRROR)
    engine = load_config(path).engine
    assert engine.state == tmp_path / "xdg-state" / "mirrortui" / "mirror.db"
    assert engine.log_file == tmp_path / "xdg-state" / "mirrortui" / "mirrortui.log"
    assert stat.S_IMODE(engine.state.parent.stat().st_mode) == 0o700


def test_mirrors_are_kept_apart(write: Write, tmp_path: Path) -> None:
    second = MIRROR.replace('"ps1"', '"other"')
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    assert "another mirror has it too" in complaint(write(more=MIRROR.replace('"data"', '"data2"')))
    for place in ("data", "data/inner", "link", "./data/../data", str(tmp_path)):
        said = complaint(write(more=second.replace('"data"', f'"{place}"')))
        assert '[[mirror]] "other": destination: expected a folder apart from that of mirror "ps1"' in said
    assert len(load_config(write(more=second.replace('"data"', '"data2"'))).mirrors) == 2


def test_the_state_file_stays_out_of_what_is_published(write: Write, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = write()
    path.write_text(path.read_text().replace('"mirror.db"', '"data/mirror.db"'))
    assert '[engine]: state: expected a file outside the destination of mirror "ps1"' in complaint(path)


@pytest.mark.parametrize("text", [ENGINE, "", "mirror = []\n"])
def test_a_configuration_without_mirrors_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    assert complaint(path) == "[[mirror]]: expected at least one mirror, got none"


def test_the_url_is_kept_without_its_user_and_index(write: Write) -> None:
    path = write()
    text = path.read_text()
    path.write_text(text.replace("http://127.0.0.1:8080/ds", "http://me%40x:p%3Aw@127.0.0.1:8080/ds/index.txt"))
    mirror = load_config(path).mirrors[0]
    assert mirror.url == "http://127.0.0.1:8080/ds"
    assert mirror.login() == ("me@x", "p:w")
    path.write_text(text.replace("8080/ds", "8080/ds//"))
    assert load_config(path).mirrors[0].url == "http://127.0.0.1:8080/ds"


def test_a_configuration_cannot_be_changed(write: Write) -> None:
    config = load_config(write())
    with pytest.raises(ValueError, match="frozen"):
        config.engine.transfers = 99
    assert config == load_config(write())


def test_an_unknown_mirror_is_answered_with_the_known_ones(write: Write) -> None:
    config = load_config(write())
    assert config.mirror("ps1") is config.mirrors[0]
    with pytest.raises(ConfigError, match=r'no mirror is called "x\\x1b"; expected one of: ps1'):
        config.mirror("x\x1b")


def test_globs_choose_names_with_their_case() -> None:
    assert matches("dist-200904", ["gpc1", "dist-*"])
    assert not matches("Dist-200904", ["dist-*"])
    assert not matches("o1.camera.5", ["*"], exclude=["*.camera.*"])
    assert not matches("anything", [])


def test_a_lag_limit_is_for_all_products_or_by_glob(write: Write) -> None:
    assert load_config(write()).mirrors[0].lag_limit("md-1") is None
    assert load_config(write(mirror='max_lag = "2h"\n')).mirrors[0].lag_limit("md-1") == 7200
    mirror = load_config(write(mirror='max_lag = { "md-*" = "2h", "sas" = "30s", "*" = "1d" }\n')).mirrors[0]
    assert [mirror.lag_limit(name) for name in ("md-1", "sas", "other")] == [7200, 30, 86400]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"soon"', 'expected a duration such as "15m" or "1h30m", got "soon"'),
        ("0", "expected at least 1s, got 0"),
        ('{ "md-*" = "soon" }', '"md-*": expected a duration such as "15m" or "1h30m", got "soon"'),
        ('{ "md[" = "1h" }', 'expected a name or glob, got "md[": a bracket is not closed'),
    ],
)
def test_a_wrong_lag_limit_is_one_line(write: Write, value: str, said: str) -> None:
    assert complaint(write(mirror=f"max_lag = {value}\n")) == f'[[mirror]] "ps1": max_lag: {said}'


def test_the_dashboard_has_a_table_of_its_own(write: Write) -> None:
    usual = load_config(write()).dashboard
    assert (usual.site, usual.theme, usual.read_only) == (socket.gethostname(), "", False)
    assert (usual.on_hangup, usual.keys) == (OnHangup.DETACH, {})
    lines = 'site = "dc-3"\ntheme = "nord"\nread_only = true\non_hangup = "drain"\n'
    path = write(more=f'[dashboard]\n{lines}keys = {{ retry = "f5", quit = ["q", "ctrl+c"] }}\n')
    dashboard = load_config(path).dashboard
    assert (dashboard.site, dashboard.theme, dashboard.read_only) == ("dc-3", "nord", True)
    assert dashboard.on_hangup is OnHangup.DRAIN
    assert dashboard.keys == {"retry": ("f5",), "quit": ("q", "ctrl+c")}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('read_only = "yes"', 'read_only: expected true or false, got "yes"'),
        ('on_hangup = "go"', 'on_hangup: expected "detach" or "drain" or "stop", got "go"'),
        ("site = 3", "site: expected text in quotes, got 3"),
        ('keys = "r"', 'keys: expected a table such as { retry = ["r", "f5"] }'),
        ("keys = { retry = 5 }", 'keys: retry: expected a key such as "r", or a list of keys, got 5'),
        ('keys = { retry = ["r", ""] }', 'or a list of keys, got "": it is no key'),
        ('sight = "x"', 'sight: unknown key; did you mean "site"?'),
    ],
)
def test_a_wrong_dashboard_key_is_one_line(write: Write, line: str, said: str) -> None:
    told = complaint(write(more=f"[dashboard]\n{line}\n"))
    assert told.startswith("[dashboard]: ")
    assert told.endswith(said)


def test_a_configuration_made_in_code_is_checked_too(tmp_path: Path) -> None:
    mirror = Mirror(name="m", protocol="ipp", url="http://h/ds/", destination=tmp_path / "d")  # type: ignore[arg-type]
    config = Config(engine=Engine(state=tmp_path / "s.db", min_free=Space(bytes=1)), mirror=(mirror,))
    assert config.mirrors[0].url == "http://h/ds"
    assert config.engine.min_free.of(100) == 1
