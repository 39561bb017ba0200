"""From a TOML file to a Config, or to one ConfigError with a line for each thing that is wrong."""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from pathlib import Path
from typing import Any, cast

from platformdirs import user_config_path
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.config.models import Config, Dashboard, Engine, Mirror, default_state
from core.errors import ConfigError
from core.text import display
from core.units import quoted

FILE_NAME = "mirrortui.toml"
VARIABLE = "MIRRORTUI_CONFIG"
SYSTEM_FOLDER = Path("/etc/mirrortui")

_TABLES: dict[str, type[BaseModel]] = {"engine": Engine, "dashboard": Dashboard, "mirror": Mirror}


def find_config(explicit: Path | None) -> Path:
    """Return the configuration file to use.

    `explicit`, or else what $MIRRORTUI_CONFIG names, must be there. Otherwise it is the first that exists in the
    current folder, the user's configuration folder and SYSTEM_FOLDER. Raises ConfigError that says where it looked,
    or that what it found in the current folder is another user's: it could send our secrets, and write, anywhere.
    """
    named = os.environ.get(VARIABLE)
    if explicit is not None or named:
        path = explicit or Path(named or "")
        if os.access(path, os.F_OK):
            return path
        raise ConfigError(f"{display(path)}: no such file (named by {'--config' if explicit else '$' + VARIABLE})")
    places = search_places()
    for path in places:
        if os.access(path, os.F_OK):
            if not path.is_absolute() and path.stat().st_uid not in {0, os.geteuid()}:
                raise ConfigError(f"{display(path)}: belongs to another user; name it by --config if it is meant")
            return path
    looked = ", ".join(display(path) for path in places)
    raise ConfigError(f"no configuration found (looked for {looked}); `mirrortui init` writes one")


def search_places() -> tuple[Path, ...]:
    """Return where a configuration is looked for unless it is named, in this order."""
    return Path(FILE_NAME), user_config_path("mirrortui") / FILE_NAME, SYSTEM_FOLDER / FILE_NAME


def nothing_configured(explicit: Path | None) -> bool:
    """Tell whether no configuration is named, by `explicit` or by $MIRRORTUI_CONFIG, and none is found."""
    named = explicit is not None or os.environ.get(VARIABLE)
    return not named and not any(os.access(path, os.F_OK) for path in search_places())


def load_config(path: Path, *, with_secrets: bool = True) -> Config:
    """Return the validated configuration in `path`; relative paths in it start from its folder.

    With `with_secrets` False, no environment variable or file with a secret need be there: for processes that contact
    no source. Creates the folder of the state file if that is the default one. Raises ConfigError, also for a file
    with credentials that everybody may write to: its URLs tell where they are sent.
    """
    config = parse_config(_read(path), path, with_secrets=with_secrets)
    if any(mirror.secrets() for mirror in config.mirrors) and _mode(path) & stat.S_IWOTH:
        raise ConfigError(
            f"{display(path)}: names credentials, but everybody may write to it: chmod o-w {display(path)}"
        )
    _create_default_folder(config.engine.state)
    return config


def exposed_secret(path: Path, config: Config) -> str | None:
    """Return what is to be said if a secret stands in the file itself, and others than its owner can read it."""
    if not any(mirror.written_secret for mirror in config.mirrors) or not _mode(path) & (stat.S_IRGRP | stat.S_IROTH):
        return None
    return f"{display(path)}: holds a secret, and others can read it: chmod 600, or name a variable or file instead"


def parse_config(text: str, path: Path, *, with_secrets: bool = True) -> Config:
    """Return what `load_config` would if `text` stood in `path`; touches no file. Raises ConfigError."""
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"{display(path)}: expected TOML: {display(error)}") from None
    context = {"base": path.parent.absolute(), "secrets": with_secrets}
    try:
        return Config.model_validate(data, context=context)
    except ValidationError as error:
        lines = _complaints(error, data)
    # Raised outside the handler: the validation error holds the input, secrets and all.
    raise ConfigError("\n".join(f"{display(path)}: {line}" for line in lines))


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"{display(path)}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{display(path)}: expected UTF-8 text, found another byte at {error.start}") from None


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _create_default_folder(state: Path) -> None:
    if state != default_state():
        return
    try:
        state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{display(state.parent)}: cannot be created: {error.strerror}") from None


def _complaints(error: ValidationError, data: dict[str, Any]) -> list[str]:
    lines = []
    for detail in error.errors(include_url=False, include_input=False):
        if detail["type"] != "default_factory_not_called":  # the consequence of another complaint
            place = _place(detail["loc"], data)
            lines += [place + text for text in _expectation(detail).split("\n")]
    return lines


def _place(location: tuple[int | str, ...], data: dict[str, Any]) -> str:
    """Return the table and key at `location`, as its author would look for them."""
    if location[:1] != ("mirror",):
        table, keys = (f"[{location[0]}]: ", location[1:]) if location and location[0] in _TABLES else ("", location)
    elif len(location) == 1:
        table, keys = "[[mirror]]: ", ()
    else:
        index = cast(int, location[1])
        mirror = data["mirror"][index]
        name = mirror.get("name") if isinstance(mirror, dict) else None
        table, keys = f"[[mirror]] {quoted(name) if isinstance(name, str) else f'number {index + 1}'}: ", location[2:]
    return table + "".join(f"{display(key)}: " for key in keys)


def _expectation(detail: ErrorDetails) -> str:
    location = detail["loc"]
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"])
        case "extra_forbidden":
            return f"unknown key; {_suggestion(location)}"
        case "missing":
            example = Mirror.model_fields[str(location[-1])].examples or [""]
            return f'missing; expected for example {location[-1]} = "{example[0]}"'
        case _ if location == ("mirror",):
            return "expected [[mirror]], in double brackets"
        case _:
            return f"expected a table, {'[[mirror]]' if location[0] == 'mirror' else f'[{location[0]}]'}"


def _suggestion(location: tuple[int | str, ...]) -> str:
    key, model = str(location[-1]), _TABLES.get(str(location[0])) if len(location) > 1 else None
    for table, other in _TABLES.items():
        if model is not None and key in _keys(other):
            return f"it belongs to {'[[mirror]]' if table == 'mirror' else f'[{table}]'}"
    known = list(_TABLES) if model is None else _keys(model)
    near = difflib.get_close_matches(key, known, n=1)
    return f'did you mean "{near[0]}"?' if near else f"expected one of: {', '.join(known)}"


def _keys(model: type[BaseModel]) -> list[str]:
    return [key for key, field in model.model_fields.items() if not field.exclude]
