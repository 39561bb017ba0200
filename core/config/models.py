"""The configuration as frozen values: what its keys are called, what they hold, and their defaults."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import unquote, urlsplit, urlunsplit

from platformdirs import user_state_path
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from core.config import credentials, fields
from core.config.choice import ProductChoice
from core.errors import ConfigError
from core.model import Durability
from core.units import Space, parse_rate, parse_space, quoted


class Protocol(StrEnum):
    """The kinds of source."""

    IPP = "ipp"


class OnHangup(StrEnum):
    """What a dashboard does with the engine when its terminal is lost."""

    DETACH = "detach"
    DRAIN = "drain"
    STOP = "stop"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def default_state() -> Path:
    """Return where the state file is unless the configuration says otherwise."""
    return user_state_path("mirrortui") / "mirror.db"


def _default_log(data: dict[str, Any]) -> Path:
    state: Path = data.get("state", default_state())
    return state.parent / "mirrortui.log"


Interval = Annotated[float, BeforeValidator(fields.at_least(0.1))]
Timeout = Annotated[float, BeforeValidator(fields.at_least(0.01))]
Rate = Annotated[int, BeforeValidator(parse_rate)]
Globs = Annotated[tuple[str, ...], BeforeValidator(fields.globs)]
Slots = Annotated[int, BeforeValidator(fields.whole_number(1, 1024))]
Variable = Annotated[str | None, BeforeValidator(credentials.variable)]
SecretFile = Annotated[Path | None, BeforeValidator(credentials.secret_file)]

WAYS = ("username", "netrc", "bearer_env", "bearer_file")
"""To log in, beside a header Authorization."""
PASSWORDS = ("password_env", "password_file")


class Engine(_Table):
    """What holds for all mirrors together: bytes a second, seconds, and absolute paths."""

    state: Annotated[Path, BeforeValidator(fields.file_path)] = Field(default_factory=default_state)
    log_file: Annotated[Path, BeforeValidator(fields.file_path)] = Field(default_factory=_default_log)
    transfers: Slots = 16
    transfers_per_host: Slots = 16
    bandwidth: Rate = 0
    min_free: Annotated[Space, BeforeValidator(parse_space)] = Space(percent=5.0)
    drain_timeout: Annotated[float, BeforeValidator(fields.at_least(0.0))] = 600.0
    durability: Annotated[Durability, BeforeValidator(fields.one_of(Durability))] = Durability.FILESET
    umask: Annotated[int | None, BeforeValidator(fields.umask)] = None


class Mirror(_Table):
    """One source, one destination, a choice of products; bytes a second, seconds, and absolute paths.

    `username` and `password` may come from the URL, which is kept without them. `password` and `bearer` are taken
    from the environment variables or files that keys such as `password_env` name, and can't be written as keys.
    """

    name: Annotated[str, BeforeValidator(fields.mirror_name), Field(examples=["ps1"])]
    protocol: Annotated[Protocol, BeforeValidator(fields.one_of(Protocol)), Field(examples=["ipp"])]
    url: Annotated[str, BeforeValidator(fields.source_url), Field(examples=["http://host/ds"])]
    destination: Annotated[Path, BeforeValidator(fields.folder), Field(examples=["/data/ps1"])]
    products: Globs = ("*",)
    exclude_products: Globs = ()
    hidden_products: Annotated[tuple[str, ...], BeforeValidator(fields.product_names)] = ()
    filesets: Globs = ("*",)
    exclude_filesets: Globs = ()
    poll_interval: Interval = 900.0
    reconcile_interval: Interval = 86400.0
    scrub: Annotated[float, BeforeValidator(fields.at_least(0.0))] = 0.0
    scrub_rate: Rate = 0
    max_lag: Annotated[tuple[tuple[str, float], ...], BeforeValidator(fields.lag_limits)] = ()
    priority: Annotated[int, BeforeValidator(fields.whole_number(-100, 100))] = 0
    username: Annotated[str | None, BeforeValidator(fields.username)] = None
    password_env: Variable = None
    password_file: SecretFile = None
    password: SecretStr | None = Field(default=None, validate_default=True, exclude=True)
    netrc: Annotated[Path | None, BeforeValidator(credentials.netrc_file)] = None
    bearer_env: Variable = None
    bearer_file: SecretFile = None
    bearer: SecretStr | None = Field(default=None, validate_default=True, exclude=True)
    ca_file: Annotated[Path | None, BeforeValidator(fields.existing_file)] = None
    headers: Annotated[tuple[tuple[str, str | SecretStr], ...], BeforeValidator(credentials.headers)] = ()
    connect_timeout: Timeout = 30.0
    index_timeout: Timeout = 60.0
    stall_timeout: Timeout = 60.0
    min_rate: Rate = 100

    _of_netrc: credentials.Login | None = PrivateAttr(default=None)

    @property
    def choice(self) -> ProductChoice:
        """Which products are mirrored."""
        return ProductChoice(self.products, self.exclude_products, self.hidden_products)

    def lag_limit(self, product: str) -> float | None:
        """Return the most seconds that `product` may lag: those of the first glob that matches, or None."""
        return next((seconds for glob, seconds in self.max_lag if fnmatchcase(product, glob)), None)

    def login(self) -> tuple[str | None, str | None]:
        """Return user and password for HTTP Basic authentication; None where there is none."""
        user, password = self._of_netrc or (self.username, self.password)
        return user, credentials.revealed(password) if password else None

    def credential_headers(self) -> tuple[tuple[str, str], ...]:
        """Return the configured headers and the bearer token as request headers, with their secrets."""
        configured = tuple((name, credentials.revealed(value)) for name, value in self.headers)
        if not self.bearer:
            return configured
        return (*configured, ("Authorization", f"Bearer {credentials.revealed(self.bearer)}"))

    def secrets(self) -> tuple[str, ...]:
        """Return every text that must never be shown, also as it looks on the wire."""
        found = [credentials.revealed(value) for _, value in self.headers if isinstance(value, SecretStr)]
        if self.bearer:
            found.append(credentials.revealed(self.bearer))
        user, password = self.login()
        if password:
            found += [password, credentials.wire_form(user or "", password)]
        return tuple(found)

    @property
    def written_secret(self) -> bool:
        """Whether a secret stands in the configuration itself: in the URL, or in a header."""
        return any(
            isinstance(held, credentials.Written) for held in (self.password, *(value for _, value in self.headers))
        )

    @model_validator(mode="before")
    @classmethod
    def _take_user_out_of_url(cls, data: Any) -> Any:
        url = data.get("url") if isinstance(data, dict) else None
        if not isinstance(url, str) or {*WAYS, *PASSWORDS} & data.keys():
            return data
        try:
            parts = urlsplit(url)
        except ValueError:
            return data
        if "@" not in parts.netloc:
            return data
        user, _, host = parts.netloc.rpartition("@")
        name, colon, password = user.partition(":")
        taken = {"url": urlunsplit(parts._replace(netloc=host)), "username": unquote(name)}
        return data | taken | ({"password": credentials.Written(unquote(password))} if colon else {})

    @field_validator("password", "bearer", mode="plain")
    @classmethod
    def _secret(cls, value: object, info: ValidationInfo) -> SecretStr | None:
        if value is None:
            if not credentials.wanted(info):
                return None
            if variable := info.data.get(f"{info.field_name}_env"):
                return credentials.from_environment(variable)
            file = info.data.get(f"{info.field_name}_file")
            return credentials.from_file(file) if file else None
        if isinstance(value, SecretStr):
            return value
        raise ValueError(
            f"expected no secret here; name what holds it in {info.field_name}_env or {info.field_name}_file"
        )

    @model_validator(mode="after")
    def _one_way_to_log_in(self, info: ValidationInfo) -> Self:
        ways = [key for key in WAYS if getattr(self, key)]
        if len(ways) + any(name.lower() == "authorization" for name, _ in self.headers) > 1:
            raise ValueError(f"expected only one of {', '.join(WAYS)} and a header Authorization")
        given = [key for key in PASSWORDS if getattr(self, key)]
        if given and not self.username:
            raise ValueError(f"{given[0]}: expected username beside it")
        if len(given) > 1:
            raise ValueError(f"expected only one of {' and '.join(PASSWORDS)}")
        if self.bearer:
            credentials.demand_header_text("bearer_env" if self.bearer_env else "bearer_file", self.bearer)
        if self.netrc and credentials.wanted(info):
            self._of_netrc = self._found_in_netrc(self.netrc)
        return self

    def _found_in_netrc(self, file: Path) -> credentials.Login:
        try:
            return credentials.from_netrc(file, urlsplit(self.url).hostname or "")
        except ValueError as error:
            raise ValueError(f"netrc: {error}") from None


class Dashboard(_Table):
    """What the dashboard looks like and does; `keys` are those that replace a command's own."""

    site: Annotated[str, BeforeValidator(fields.text)] = Field(default_factory=socket.gethostname)
    theme: Annotated[str, BeforeValidator(fields.text)] = ""
    read_only: Annotated[bool, BeforeValidator(fields.yes_or_no)] = False
    on_hangup: Annotated[OnHangup, BeforeValidator(fields.one_of(OnHangup))] = OnHangup.DETACH
    keys: Annotated[Mapping[str, tuple[str, ...]], BeforeValidator(fields.keys)] = Field(default_factory=dict)


class Config(_Table):
    """A whole configuration; `mirrors` is spelt ``[[mirror]]`` in the file."""

    engine: Engine = Field(default_factory=Engine)
    dashboard: Dashboard = Field(default_factory=Dashboard)
    mirrors: tuple[Mirror, ...] = Field(default=(), alias="mirror")

    def mirror(self, name: str) -> Mirror:
        """Return the mirror called `name`; raises ConfigError, which lists those that there are."""
        for mirror in self.mirrors:
            if mirror.name == name:
                return mirror
        known = ", ".join(mirror.name for mirror in self.mirrors)
        raise ConfigError(f"no mirror is called {quoted(name)}; expected one of: {known}")

    def secrets(self) -> tuple[str, ...]:
        """Return every text that must never be shown, the passwords of proxies included."""
        return (*credentials.of_proxies(), *(secret for mirror in self.mirrors for secret in mirror.secrets()))

    @model_validator(mode="after")
    def _mirrors_apart(self) -> Self:
        troubles = [] if self.mirrors else ["[[mirror]]: expected at least one mirror, got none"]
        for first, second in combinations(self.mirrors, 2):
            place = f"[[mirror]] {quoted(second.name)}"
            if first.name == second.name:
                troubles.append(f"{place}: name: expected a name of its own; another mirror has it too")
            elif _overlap(first.destination, second.destination):
                other = f"{quoted(first.name)} ({quoted(str(first.destination))})"
                troubles.append(f"{place}: destination: expected a folder apart from that of mirror {other}")
        for mirror in self.mirrors:
            for key in ("state", "log_file"):
                if getattr(self.engine, key).is_relative_to(mirror.destination):
                    place = f"the destination of mirror {quoted(mirror.name)}"
                    troubles.append(f"[engine]: {key}: expected a file outside {place}")
        if troubles:
            raise ValueError("\n".join(troubles))
        return self


def _overlap(first: Path, second: Path) -> bool:
    return first.is_relative_to(second) or second.is_relative_to(first)
