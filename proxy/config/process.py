"""sealwire.yaml -> `Config`.

Every key may be overridden by an environment variable, SEALWIRE_<SECTION>_<KEY>, which is read as if its text stood in
the file. A variable that starts like a section and names no key is an error, as a misspelt key in the file is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast, get_args

import yaml

from proxy.config.model import (
    DEFAULT_KEYSET,
    PROVIDERS,
    Auth,
    AuthMode,
    Config,
    Keys,
    Limits,
    Listen,
    Negotiation,
    TlsMode,
    Upstream,
    UpstreamTlsMode,
)
from proxy.config.nodes import Entry, read_document, require_known, suggestion
from proxy.errors import ConfigError

_PREFIX: Final = "SEALWIRE_"
_MAX_PORT: Final = 65535
_KEYSET_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_OPTIONAL_TLS: Final = ("disable", "prefer")
_MAX_MEGABYTES: Final = 1023  # PostgreSQL's own bound for a message
_MAX_KEEPALIVE: Final = 32767  # the system's own bound, MAX_TCP_KEEPIDLE of Linux
_MAX_WORKERS: Final = 1024  # far above any machine's use; catches a port number in the wrong place


def _port(entry: Entry) -> int:
    return entry.integer(1, _MAX_PORT)


def _path(entry: Entry) -> Path:
    return Path(os.path.abspath(entry.path.parent / entry.text()))


def _text(entry: Entry) -> str:
    return entry.text()


def _listen_tls(entry: Entry) -> str:
    return entry.choice(get_args(TlsMode))


def _upstream_tls(entry: Entry) -> str:
    return entry.choice(get_args(UpstreamTlsMode))


def _provider(entry: Entry) -> str:
    return entry.choice(PROVIDERS)


def _workers(entry: Entry) -> int:
    return entry.integer(1, _MAX_WORKERS)


def _negotiation(entry: Entry) -> str:
    return entry.choice(get_args(Negotiation))


def _auth_mode(entry: Entry) -> str:
    return entry.choice(get_args(AuthMode))


def _keepalive(entry: Entry) -> int:
    return entry.integer(0, _MAX_KEEPALIVE)


def _megabytes(entry: Entry) -> int:
    return entry.integer(1, _MAX_MEGABYTES)


_Reader = Callable[[Entry], object]
_SECTIONS: Final[Mapping[str, Mapping[str, _Reader]]] = {
    "listen": {
        "host": _text,
        "port": _port,
        "tls": _listen_tls,
        "cert": _path,
        "key": _path,
        "client_ca": _path,
        "keepalive": _keepalive,
    },
    "upstream": {
        "host": _text,
        "port": _port,
        "tls": _upstream_tls,
        "ca": _path,
        "cert": _path,
        "key": _path,
        "negotiation": _negotiation,
        "keepalive": _keepalive,
    },
    "keys": {"keyring": _path, "provider": _provider, "master_key": _text},
    "auth": {
        "mode": _auth_mode,
        "user": _text,
        "password": _text,
        "password_file": _path,
        "database": _text,
        "query": _text,
    },
    "limits": {"sealed_value": _megabytes},
}
_KEYSETS: Final = "keysets"
DEFAULT_VARIABLE: Final = "SEALWIRE_MASTER_KEY"
"""`master_key` of the provider `env`, unless another is named."""
_TOP: Final[Mapping[str, _Reader]] = {"columns": _path, "workers": _workers}


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """The process configuration in `path`, with the overrides in `environ`. Every key has a default.

    Raises ConfigError: unknown key, wrong type, a TLS mode without its files, an unreadable file. That `columns` exists
    is for `load_policy` to say, and that the key files exist for whoever opens them.
    """
    path = Path(os.path.abspath(path))
    root = read_document(path)
    top = root.mapping("a mapping of sections")
    require_known(top, [*_SECTIONS, *_TOP, _KEYSETS])
    _require_known_variables(environ)

    found = {name: _section(name, top.get(name), path, environ) for name in _SECTIONS}
    _require_files(found)
    loose = {name: entry for name, entry in top.items() if name in _TOP}
    loose |= _overrides("", _TOP, path, environ)
    rest = _values(loose, _TOP)
    return Config(
        path=path,
        listen=Listen(**_values(found["listen"], _SECTIONS["listen"])),  # type: ignore[arg-type]  # by _SECTIONS
        upstream=Upstream(**_values(found["upstream"], _SECTIONS["upstream"])),  # type: ignore[arg-type]
        keys=_keys(found["keys"], path.parent / "keyring.json", path),
        columns=cast("Path", rest.get("columns", path.parent / "columns.yaml")),
        workers=cast("int", rest.get("workers", 1)),
        keysets=_keysets(top.get(_KEYSETS), path, found["keys"]),
        auth=Auth(**_values(found["auth"], _SECTIONS["auth"])),  # type: ignore[arg-type]
        limits=Limits(**_values(found["limits"], _SECTIONS["limits"])),  # type: ignore[arg-type]
    )


def _keys(entries: Mapping[str, Entry], keyring: Path, path: Path) -> Keys:
    """The section `keys`, or one of `keysets`. `keyring` is the keyring's path unless it is given."""
    values = _values(entries, _SECTIONS["keys"])
    provider = cast("str", values.get("provider", "file"))
    master = cast("str | None", values.get("master_key"))
    if provider == "file":
        master = os.path.abspath(path.parent / (master or "master.key"))
    elif provider == "env":
        master = master or DEFAULT_VARIABLE
    elif master is None:
        raise entries["provider"].error(f"{provider} needs master_key: {PROVIDERS[provider]}")
    return Keys(cast("Path", values.get("keyring", keyring)), provider, master)


def _keysets(entry: Entry | None, path: Path, default: Mapping[str, Entry]) -> Mapping[str, Keys]:
    """`keysets:`, name -> what stands in `keys`. Each has a keyring of its own: NAME.json unless it is given."""
    entries = {} if entry is None else entry.mapping("a mapping: name -> keys, as in the section keys")
    keyrings = {os.path.realpath(_keys(default, path.parent / "keyring.json", path).keyring): "keys"}
    keysets = {}
    for name, body in entries.items():
        if not _KEYSET_NAME.fullmatch(name) or name == DEFAULT_KEYSET:
            raise body.error('a keyset is named by letters, digits, "-" and "_"; "default" is the section keys')
        fields = body.mapping(f"a mapping with {', '.join(_SECTIONS['keys'])}")
        require_known(fields, _SECTIONS["keys"])
        if not fields:
            raise body.error("is empty: a keyset names its own provider and master_key")
        keys = _keys(fields, path.parent / f"{name}.json", path)
        if keys.provider == "file" and "master_key" not in fields:
            raise body.error("needs master_key: a keyset has a master key of its own")
        first = keyrings.setdefault(os.path.realpath(keys.keyring), f"{_KEYSETS}.{name}")
        if first != f"{_KEYSETS}.{name}":
            raise body.error(f"has the keyring of {first}; each keyset has its own")
        keysets[name] = keys
    return MappingProxyType(keysets)


def _section(name: str, entry: Entry | None, path: Path, environ: Mapping[str, str]) -> dict[str, Entry]:
    readers = _SECTIONS[name]
    entries = {} if entry is None else entry.mapping(f"a mapping with {', '.join(readers)}")
    require_known(entries, readers)
    return entries | _overrides(f"{name}_", readers, path, environ)


def _overrides(prefix: str, readers: Mapping[str, _Reader], path: Path, environ: Mapping[str, str]) -> dict[str, Entry]:
    """The entries that environment variables stand for. An empty variable is one that is not set."""
    entries: dict[str, Entry] = {}
    for key in readers:
        variable = f"{_PREFIX}{prefix}{key}".upper()
        if text := environ.get(variable):
            tag = "tag:yaml.org,2002:int" if text.isdecimal() else "tag:yaml.org,2002:str"
            entries[key] = _Override(path, variable, 0, yaml.ScalarNode(tag, text))
    return entries


class _Override(Entry):
    """A value from the environment: errors name the variable, not the file. Paths are relative to the file still."""

    def error(self, message: str) -> ConfigError:
        return ConfigError(message, key=self.key)

    def text(self) -> str:
        """The variable as it is: it needs no quotes to be text. It is not empty, see `_overrides`."""
        return str(cast("yaml.ScalarNode", self.node).value)


def _require_known_variables(environ: Mapping[str, str]) -> None:
    known = [f"{_PREFIX}{s}_{k}".upper() for s, readers in _SECTIONS.items() for k in readers]
    starts = tuple(f"{_PREFIX}{section}_".upper() for section in _SECTIONS)
    for variable in environ:
        if variable.startswith(starts) and variable not in known:
            raise ConfigError(f"unknown environment variable{suggestion(variable, known)}", key=variable)


def _require_files(found: Mapping[str, Mapping[str, Entry]]) -> None:
    """TLS modes name the files they need, and these exist: better said here, with a line, than at the first client."""
    listen = found["listen"]
    serves_tls = "tls" in listen and _listen_tls(listen["tls"]) != "disable"
    if serves_tls:
        for needed in ("cert", "key"):
            if needed not in listen:
                raise listen["tls"].error(f"needs listen.{needed}")
            _require_file(listen[needed])
    if "client_ca" in listen:
        if not serves_tls or _listen_tls(listen["tls"]) != "require":
            raise listen["client_ca"].error("needs listen.tls: require, or clients could come without a certificate")
        _require_file(listen["client_ca"])
    _require_upstream_files(found["upstream"])
    _require_lookup(found["auth"])


def _require_upstream_files(upstream: Mapping[str, Entry]) -> None:
    mode = _upstream_tls(upstream["tls"]) if "tls" in upstream else Upstream().tls
    if mode in ("verify-ca", "verify-full") and "ca" not in upstream:
        raise upstream["tls"].error("needs upstream.ca")
    for one, other in (("cert", "key"), ("key", "cert")):
        if one in upstream and other not in upstream:
            raise upstream[one].error(f"needs upstream.{other}")
    if mode != "disable":
        for name in ("ca", "cert", "key"):
            if name in upstream:
                _require_file(upstream[name])
    if "negotiation" in upstream and _negotiation(upstream["negotiation"]) == "direct" and mode in _OPTIONAL_TLS:
        raise upstream["negotiation"].error("direct needs upstream.tls: require, verify-ca or verify-full")


def _require_lookup(auth: Mapping[str, Entry]) -> None:
    """auth.mode: scram looks verifiers up, as somebody."""
    if "mode" not in auth or _auth_mode(auth["mode"]) != "scram":
        return
    if "user" not in auth:
        raise auth["mode"].error("scram needs auth.user, the role that looks verifiers up")
    if "password_file" in auth:
        if "password" in auth:
            raise auth["password_file"].error("auth.password is given too; one of them is enough")
        _require_file(auth["password_file"])


def _require_file(entry: Entry) -> None:
    if not (file := _path(entry)).is_file():
        raise entry.error(f"no such file: {file}")


def _values(entries: Mapping[str, Entry], readers: Mapping[str, _Reader]) -> dict[str, object]:
    return {name: readers[name](entry) for name, entry in entries.items()}
