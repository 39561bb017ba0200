import json
import os
import re
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from core.config import Config, Mirror, exposed_secret, find_config, load_config, matches
from core.config.models import Dashboard, Engine, OnHangup
from core.config.template import TEMPLATE, write_template
from core.errors import ConfigError, ExitCode
from core.model import Durability
from core.units import Space

Write: TypeAlias = Callable[..., Path]

ENGINE = '[engine]\nstate = "mirror.db"\n'
MIRROR = '[[mirror]]\nname = "ps1"\nprotocol = "ipp"\nurl = "http://127.0.0.1:8080/ds"\ndestination = "data"\n'


pytestmark = pytest.mark.usefixtures("unconfigured")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration: the usual engine, then the usual mirror with further lines, then more."""

    def put(*, mirror: str = "", engine: str = "", more: str = "") -> Path:
        path = tmp_path / "mirrortui.toml"
        path.write_text(ENGINE + engine + MIRROR + mirror + more)
        return path

    return put


def complaint(path: Path, **options: bool) -> str:
    """Return what is said of a configuration, without the path that must begin each line."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, **options)
    assert caught.value.exit_code == ExitCode.USAGE
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") and line.isprintable() for line in lines)
    return "\n".join(line.removeprefix(f"{path}: ") for line in lines)


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
        ('headers = { X-Key = "env:NO_SUCH" }', "headers: expected the environment variable NO_SUCH to be set"),
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
        ('"data"', '"no/data"', 'destination: expected the folder "{base}/no" to exist'),
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[engine]\nstate = \n", "expected TOML: Invalid value (at line 2, column 9)"),
        (b"name = '\xff'\n", "expected UTF-8 text, found another byte at 8"),
        (b"x = " + b"9" * 5000, "expected TOML: "),
        (MIRROR.replace("[[mirror]]", "[mirror]").encode(), "[[mirror]]: expected [[mirror]], in double brackets"),
        (b"engine = 3\n" + MIRROR.encode(), "[engine]: expected a table, [engine]"),
        (b"mirror = [3]\n", "[[mirror]] number 1: expected a table, [[mirror]]"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(text)
    assert complaint(path).startswith(said)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert complaint(tmp_path) == "cannot be read: Is a directory"
    assert complaint(tmp_path / "none.toml") == "cannot be read: No such file or directory"


def test_the_url_is_kept_without_its_user_and_index(write: Write) -> None:
    path = write()
    text = path.read_text()
    path.write_text(text.replace("http://127.0.0.1:8080/ds", "http://me%40x:p%3Aw@127.0.0.1:8080/ds/index.txt"))
    mirror = load_config(path).mirrors[0]
    assert mirror.url == "http://127.0.0.1:8080/ds"
    assert mirror.login() == ("me@x", "p:w")
    path.write_text(text.replace("8080/ds", "8080/ds//"))
    assert load_config(path).mirrors[0].url == "http://127.0.0.1:8080/ds"


def test_secrets_are_never_shown(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PS1_TOKEN", "t0ps3cret")
    config = load_config(write(mirror='bearer_env = "PS1_TOKEN"\nheaders = { X-Key = "k3ys3cret" }\n'))
    shown = f"{config!r} {config} {config.model_dump()} {config.model_dump_json()} {json.dumps(str(config))}"
    assert "s3cret" not in shown
    mirror = config.mirrors[0]
    assert mirror.credential_headers() == (("X-Key", "k3ys3cret"), ("Authorization", "Bearer t0ps3cret"))
    assert set(config.secrets()) == {"t0ps3cret", "k3ys3cret"}


def test_a_header_is_a_secret_by_its_origin_or_by_its_name(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE", "from-the-environment")
    headers = '{ X-V = "1", Accept = "text/plain", X-Site = "env:SITE", Cookie = "sid=1", X-Auth-User = "me" }'
    mirror = load_config(write(mirror=f"headers = {headers}\n")).mirrors[0]
    assert set(mirror.secrets()) == {"from-the-environment", "sid=1", "me"}
    assert ("X-V", "1") in mirror.credential_headers()
    assert ("X-Site", "from-the-environment") in mirror.credential_headers()


def test_secrets_cover_what_basic_authentication_sends(write: Write) -> None:
    path = write()
    path.write_text(path.read_text().replace("http://", "http://Aladdin:open%20sesame@"))
    assert set(load_config(path).secrets()) == {"open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


@pytest.mark.parametrize(
    ("mirror", "url"),
    [
        ('password = "s3cret"\n', ""),
        ('password_env = "s3cret!"\n', ""),
        ('bearer = "s3cret"\n', ""),
        ('headers = { X-Key = "s3cret\\n" }\n', ""),
        ('headers = { X-Key = "env:s3cret!" }\n', ""),
        ('username = "you"\n', "http://me:s3cret@host/ds"),
        ("", "me:s3cret@host/ds"),
        ("", "http://me:s3cret@host:port/ds"),
        ("", "http://me:s3cret@[host/ds"),
        ("", "http://host/ds?token=s3cret"),
        ("", "ftp://me:s3cret@host/ds"),
    ],
)
def test_no_complaint_holds_a_secret(write: Write, mirror: str, url: str) -> None:
    path = write(mirror=mirror)
    if url:
        path.write_text(path.read_text().replace("http://127.0.0.1:8080/ds", url))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    chain = (caught.value, caught.value.__cause__, caught.value.__context__)
    assert "expected" in str(caught.value)
    assert not any("s3cret" in str(error) + repr(error) for error in chain)


def test_there_is_one_way_to_log_in(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    for key in ("password_env", "password_file"):
        private(write().with_name("SECRET"), "x")
        assert f"{key}: expected username beside it" in complaint(write(mirror=f'{key} = "SECRET"\n'))
    both = 'username = "me"\npassword_env = "SECRET"\npassword_file = "SECRET"\n'
    assert "expected only one of password_env and password_file" in complaint(write(mirror=both))
    for two in (
        'username = "me"\npassword_env = "SECRET"\nbearer_env = "SECRET"\n',
        'bearer_env = "SECRET"\nheaders = { authorization = "x" }\n',
        'bearer_env = "SECRET"\nbearer_file = "SECRET"\n',
        'username = "me"\nnetrc = "SECRET"\n',
    ):
        assert "expected only one of username, netrc, bearer_env, bearer_file and a header" in complaint(
            write(mirror=two)
        )
    monkeypatch.setenv("SECRET", "x\ny")
    assert "bearer_env: expected printable ASCII" in complaint(write(mirror='bearer_env = "SECRET"\n'))


def private(path: Path, text: str) -> Path:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def test_a_secret_comes_from_the_first_line_of_a_file(write: Write, tmp_path: Path) -> None:
    private(tmp_path / "ps1.password", "  p@ss wörd \r\nanother line\n")
    mirror = load_config(write(mirror='username = "me"\npassword_file = "ps1.password"\n')).mirrors[0]
    assert mirror.login() == ("me", "p@ss wörd")
    assert "p@ss wörd" in mirror.secrets()
    private(tmp_path / "ps1.token", "t0ken")
    mirror = load_config(write(mirror='bearer_file = "ps1.token"\n')).mirrors[0]
    assert mirror.credential_headers() == (("Authorization", "Bearer t0ken"),)
    assert mirror.secrets() == ("t0ken",)


NETRC = "machine other login you password wrong\nmachine 127.0.0.1\n  login me\n  password s3cret\n"


@pytest.mark.parametrize("named", [False, True])
def test_user_and_password_come_from_netrc_by_the_host(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    private(tmp_path / ("ps1.netrc" if named else ".netrc"), NETRC)
    config = load_config(write(mirror='netrc = "ps1.netrc"\n' if named else "netrc = true\n"))
    assert config.mirrors[0].login() == ("me", "s3cret")
    assert "s3cret" not in f"{config!r} {config.model_dump()} {config.model_dump_json()}"
    assert "s3cret" in config.secrets()


def test_no_netrc_is_read_unless_it_is_asked_for(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    private(tmp_path / ".netrc", NETRC)
    assert load_config(write()).mirrors[0].login() == (None, None)
    assert load_config(write(mirror="netrc = false\n")).mirrors[0].login() == (None, None)


@pytest.mark.parametrize(
    ("key", "content", "said"),
    [
        ("password_file", None, 'password_file: expected a file that exists, but there is no "{file}"'),
        ("bearer_file", b"\ntoken", 'bearer_file: expected the secret in the first line of "{file}"'),
        ("password_file", b"a\x00b", 'password_file: expected the secret in the first line of "{file}"'),
        ("password_file", b"\xff\n", 'password_file: expected UTF-8 text in "{file}"'),
        ("netrc", None, 'netrc: expected a file that exists, but there is no "{file}"'),
        ("netrc", b"s3cret", 'netrc: expected netrc\'s format in "{file}", line 1'),
        ("netrc", b"machine 127.0.0.1 login me s3cret", 'netrc: expected netrc\'s format in "{file}", line 1'),
        (
            "netrc",
            b"machine h login me password s3cret",
            'expected machine 127.0.0.1 with login and password in "{file}"',
        ),
        (
            "netrc",
            b"machine 127.0.0.1 password s3cret",
            'expected machine 127.0.0.1 with login and password in "{file}"',
        ),
    ],
)
def test_a_file_without_a_usable_secret_is_named(
    write: Write, tmp_path: Path, key: str, content: bytes | None, said: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        private(file, "")
        file.write_bytes(content)
    user = 'username = "me"\n' if key == "password_file" else ""
    line = complaint(write(mirror=f'{user}{key} = "secret"\n'))
    assert line.startswith('[[mirror]] "ps1": ')
    assert said.format(file=file) in line
    assert "s3cret" not in line


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
@pytest.mark.parametrize("key", ["password_file", "bearer_file", "netrc"])
def test_a_file_with_a_secret_is_for_its_owner_alone(write: Write, tmp_path: Path, key: str, mode: int) -> None:
    private(tmp_path / "secret", "machine 127.0.0.1 login me password s3cret").chmod(mode)
    user = 'username = "me"\n' if key == "password_file" else ""
    path = write(mirror=f'{user}{key} = "secret"\n')
    expected = f'expected a file that only its owner can read: chmod 600 "{tmp_path / "secret"}"'
    assert complaint(path) == f'[[mirror]] "ps1": {key}: {expected}'
    (tmp_path / "secret").chmod(0o400)
    assert load_config(path).secrets()


def test_a_file_that_never_ends_is_no_secret(write: Write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "expected a file that exists" in complaint(write(mirror='bearer_file = "pipe"\n'))


def test_a_configuration_with_credentials_is_not_for_everybody_to_write_to(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    path = write(mirror='bearer_env = "SECRET"\n')
    path.chmod(0o666)
    assert complaint(path) == f"names credentials, but everybody may write to it: chmod o-w {path}"
    path.chmod(0o664)
    assert load_config(path).secrets()
    path = write()
    path.chmod(0o666)
    assert load_config(path)


@pytest.mark.parametrize("written", ['headers = { Cookie = "sid=1" }\n', "user in the URL"])
def test_a_secret_within_the_configuration_should_be_readable_to_its_owner_alone(write: Write, written: str) -> None:
    path = write(mirror=written if "=" in written else "")
    if "=" not in written:
        path.write_text(path.read_text().replace("http://", "http://me:s3cret@"))
    path.chmod(0o640)
    assert f"{path}: holds a secret, and others can read it: chmod 600" in str(exposed_secret(path, load_config(path)))
    path.chmod(0o600)
    assert exposed_secret(path, load_config(path)) is None


def test_the_passwords_of_proxies_are_secrets(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://Aladdin:open%20sesame@proxy:3128/")
    assert {"open sesame", "open%20sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="} == set(load_config(write()).secrets())


def test_a_process_that_contacts_no_source_needs_no_secrets(write: Write) -> None:
    path = write(
        mirror='username = "me"\npassword_env = "NO_SUCH"\nheaders = { A = "env:NO_SUCH", B = "b" }\n',
        more="".join(
            f'[[mirror]]\nname = "{name}"\nprotocol = "ipp"\nurl = "http://h"\ndestination = "{name}"\n{way}\n'
            for name, way in {
                "b": 'bearer_env = "NO_SUCH"',
                "c": 'bearer_file = "NO_SUCH"',
                "d": 'netrc = "NO_SUCH"',
                "e": 'username = "me"\npassword_file = "NO_SUCH"',
            }.items()
        ),
    )
    mirror = load_config(path, with_secrets=False).mirrors[0]
    assert mirror.login() == ("me", None)
    assert mirror.credential_headers() == (("B", "b"),)
    assert complaint(path, with_secrets=True).count("NO_SUCH") == 6


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


def test_the_configuration_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    places = [tmp_path / "etc", tmp_path / "xdg-config" / "mirrortui", Path()]
    with pytest.raises(ConfigError) as caught:
        find_config(None)
    assert all(str(place / "mirrortui.toml") in str(caught.value) for place in places)
    assert "`mirrortui init` writes one" in str(caught.value)
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / "mirrortui.toml").touch()
        assert find_config(None) == place / "mirrortui.toml"
    for name in ("variable.toml", "option.toml"):
        (tmp_path / name).touch()
    monkeypatch.setenv("MIRRORTUI_CONFIG", str(tmp_path / "variable.toml"))
    assert find_config(None) == tmp_path / "variable.toml"
    assert find_config(tmp_path / "option.toml") == tmp_path / "option.toml"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_another_user_left_in_the_current_folder_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mirrortui.toml").touch()
    os.chown("mirrortui.toml", 12345, 12345)
    with pytest.raises(ConfigError, match="belongs to another user; name it by --config if it is meant"):
        find_config(None)
    assert find_config(Path("mirrortui.toml")) == Path("mirrortui.toml")


def test_a_named_configuration_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"none.toml: no such file \(named by --config\)"):
        find_config(tmp_path / "none.toml")
    monkeypatch.setenv("MIRRORTUI_CONFIG", "none.toml")
    with pytest.raises(ConfigError, match=r"none.toml: no such file \(named by \$MIRRORTUI_CONFIG\)"):
        find_config(None)


def test_globs_choose_names_with_their_case() -> None:
    assert matches("dist-200904", ["gpc1", "dist-*"])
    assert not matches("Dist-200904", ["dist-*"])
    assert not matches("o1.camera.5", ["*"], exclude=["*.camera.*"])
    assert not matches("anything", [])


def test_the_template_is_a_configuration_of_defaults(tmp_path: Path) -> None:
    write_template(tmp_path / "mirrortui.toml")
    config = load_config(tmp_path / "mirrortui.toml")
    assert stat.S_IMODE((tmp_path / "mirrortui.toml").stat().st_mode) == 0o600
    assert [mirror.name for mirror in config.mirrors] == ["ps1"]
    assert config.engine == Engine()

    defaults = re.sub(r"^# (?=[a-z_]+ = (?!.*default))", "", TEMPLATE, flags=re.MULTILINE)
    assert len(tomllib.loads(defaults)["mirror"][0]) > len(tomllib.loads(TEMPLATE)["mirror"][0]) + 10
    (tmp_path / "defaults.toml").write_text(defaults)
    assert load_config(tmp_path / "defaults.toml") == config


def test_the_template_shows_every_key() -> None:
    everything = tomllib.loads(re.sub(r"^# (?=[a-z_]+ = )", "", TEMPLATE, flags=re.MULTILINE))
    assert set(everything["engine"]) == set(Engine.model_fields)
    assert set(everything["mirror"][0]) == set(Mirror.model_fields) - {"password", "bearer"}
    assert set(everything["dashboard"]) == set(Dashboard.model_fields)
    assert set(everything) == {"engine", "dashboard", "mirror"}


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


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mirrortui.toml"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="never overwritten"):
        write_template(path)
    assert path.read_text() == "mine"
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        write_template(tmp_path / "no" / "mirrortui.toml")


def test_reading_a_configuration_imports_nothing_heavy() -> None:
    code = "import sys, core.config; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"asyncio", "httpx", "sqlite3", "textual", "rich", "pycurl", "logging"} & set(loaded)


def test_a_configuration_made_in_code_is_checked_too(tmp_path: Path) -> None:
    mirror = Mirror(name="m", protocol="ipp", url="http://h/ds/", destination=tmp_path / "d")  # type: ignore[arg-type]
    config = Config(engine=Engine(state=tmp_path / "s.db", min_free=Space(bytes=1)), mirror=(mirror,))
    assert config.mirrors[0].url == "http://h/ds"
    assert config.engine.min_free.of(100) == 1
