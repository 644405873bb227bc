"""sealwire.yaml: what it may say, and how a mistake in it is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import Auth, Config, Keys, Limits, Listen, Upstream, load_config
from proxy.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "config" / "sealwire.yaml"


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "sealwire.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def defaults(path: Path) -> Config:
    folder = path.parent
    return Config(
        path=path,
        listen=Listen(),
        upstream=Upstream(),
        keys=Keys(folder / "keyring.json", "file", str(folder / "master.key")),
        columns=folder / "columns.yaml",
        workers=1,
    )


def test_the_example_says_what_an_empty_file_means(write) -> None:
    path = write("")
    assert load_config(path, {}) == defaults(path)
    assert load_config(EXAMPLE, {}) == defaults(EXAMPLE)


def test_every_key_is_read_and_relative_paths_start_at_the_file(write, tmp_path: Path) -> None:
    for name in ("server.crt", "server.key", "ca.crt", "clients.crt", "own.crt", "own.key", "auth.password"):
        (tmp_path / name).touch()
    path = write(
        """
listen:
  {host: /run/sealwire, port: 5433, tls: require, cert: server.crt, key: ./server.key, client_ca: clients.crt,
   keepalive: 0}
upstream:
  {host: db.internal, port: 6000, tls: verify-full, ca: ca.crt, cert: own.crt, key: own.key, negotiation: direct,
   keepalive: 32767}
auth: {mode: scram, user: lookup, password_file: auth.password, database: shop, query: SELECT verifier($1)}
limits: {sealed_value: 8}
keys: {keyring: keys/ring.json, provider: aws-kms, master_key: alias/sealwire}
columns: /etc/sealwire/columns.yaml
workers: 4
"""
    )
    assert load_config(path, {}) == Config(
        path=path,
        listen=Listen(
            "/run/sealwire",
            5433,
            "require",
            tmp_path / "server.crt",
            tmp_path / "server.key",
            client_ca=tmp_path / "clients.crt",
            keepalive=0,
        ),
        upstream=Upstream(
            "db.internal",
            6000,
            "verify-full",
            tmp_path / "ca.crt",
            cert=tmp_path / "own.crt",
            key=tmp_path / "own.key",
            negotiation="direct",
            keepalive=32767,
        ),
        auth=Auth("scram", "lookup", None, tmp_path / "auth.password", "shop", "SELECT verifier($1)"),
        limits=Limits(8),
        keys=Keys(tmp_path / "keys/ring.json", "aws-kms", "alias/sealwire"),
        columns=Path("/etc/sealwire/columns.yaml"),
        workers=4,
    )


def test_a_relative_config_path_gives_absolute_paths(write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("")
    monkeypatch.chdir(path.parent)
    assert load_config(Path("sealwire.yaml"), {}) == defaults(path)


def test_the_environment_overrides_every_section(write, tmp_path: Path) -> None:
    path = write("listen: {port: nonsense}\nworkers: 2")
    environ = {
        "SEALWIRE_LISTEN_PORT": "7000",
        "SEALWIRE_LISTEN_HOST": "0.0.0.0",
        "SEALWIRE_UPSTREAM_HOST": "10",
        "SEALWIRE_UPSTREAM_TLS": "disable",
        "SEALWIRE_KEYS_MASTER_KEY": "other.key",
        "SEALWIRE_COLUMNS": "policy.yaml",
        "SEALWIRE_WORKERS": "",
        "SEALWIRE_TEST_DSN": "not a key of the file",
        "UNRELATED": "1",
    }
    config = load_config(path, environ)
    assert config.listen == Listen("0.0.0.0", 7000)
    assert config.upstream == Upstream("10", tls="disable")
    assert config.keys.master_key == str(tmp_path / "other.key")
    assert config.columns == tmp_path / "policy.yaml"
    assert config.workers == 2


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("listen:\n  prot: 1", 2, "listen.prot", 'unknown key; did you mean "port"?'),
        ("\nlisten: {}\nkes: {}", 3, "kes", 'unknown key; did you mean "keys"?'),
        ("zzz: 1", 1, "zzz", "unknown key; known: listen, upstream, keys, auth, limits, columns, workers"),
        ("listen:\n  port: high", 2, "listen.port", "must be a whole number from 1 to 65535"),
        ("listen:\n  port: 65536", 2, "listen.port", "must be a whole number from 1 to 65535"),
        ("listen:\n  port: -1", 2, "listen.port", "must be a whole number from 1 to 65535"),
        ("listen:\n  port: 6432.0", 2, "listen.port", "must be a whole number from 1 to 65535"),
        ("listen:\n  port: " + "9" * 5000, 2, "listen.port", "must be a whole number from 1 to 65535"),
        ("listen:\n  port: [1]", 2, "listen.port", "must be a whole number from 1 to 65535"),
        ("workers: true", 1, "workers", "must be a whole number from 1 to 1024"),
        ("workers: 0", 1, "workers", "must be a whole number from 1 to 1024"),
        ("listen: 6432", 1, "listen", "must be a mapping with host, port, tls, cert, key"),
        ("- listen", None, None, "must be a mapping of sections"),
        ("upstream:\n  host: 10.5", 2, "upstream.host", "must be text; put quotes around what YAML takes for"),
        ("upstream:\n  host: ''", 2, "upstream.host", "must be text"),
        ("upstream:\n  host: {a: b}", 2, "upstream.host", "must be text"),
        ("upstream: {tls: no}", 1, "upstream.tls", "must be one of disable, prefer, require, verify-ca, verify-full"),
        ("listen: {tls: requires}", 1, "listen.tls", 'did you mean "require"?'),
        ("listen: {tls: prefer}", 1, "listen.tls", "needs listen.cert"),
        ("listen:\n  tls: prefer\n  cert: gone.crt", 3, "listen.cert", "no such file: "),
        ("upstream: {tls: verify-full}", 1, "upstream.tls", "needs upstream.ca"),
        ("upstream:\n  ca: gone.crt", 2, "upstream.ca", "no such file: "),
        ("listen:\n  client_ca: gone.crt", 2, "listen.client_ca", "needs listen.tls: require"),
        ("upstream:\n  cert: gone.crt", 2, "upstream.cert", "needs upstream.key"),
        ("upstream:\n  key: gone.key", 2, "upstream.key", "needs upstream.cert"),
        ("upstream: {cert: gone.crt,\n  key: gone.key}", 1, "upstream.cert", "no such file: "),
        (
            "upstream:\n  negotiation: direct",
            2,
            "upstream.negotiation",
            "direct needs upstream.tls: require, verify-ca",
        ),
        ("listen:\n  keepalive: -1", 2, "listen.keepalive", "must be a whole number from 0 to 32767"),
        ("upstream:\n  keepalive: 32768", 2, "upstream.keepalive", "must be a whole number from 0 to 32767"),
        ("upstream:\n  negotiation: ssl", 2, "upstream.negotiation", "must be one of postgres, direct"),
        ("auth:\n  mode: trust", 2, "auth.mode", "must be one of relay, scram"),
        ("auth:\n  mode: scram", 2, "auth.mode", "scram needs auth.user, the role that looks verifiers up"),
        ("auth: {mode: scram, user: a,\n  password_file: gone}", 2, "auth.password_file", "no such file: "),
        ("auth: {mode: scram, user: a, password: b,\n  password_file: c}", 2, "auth.password_file", "is given too"),
        ("limits:\n  sealed_value: 0", 2, "limits.sealed_value", "must be a whole number from 1 to 1023"),
        ("workers: 1\nworkers: 1", 2, "workers", "stands twice; the first is in line 1"),
        ("listen: {port: 1,\n port: 2}", 2, "listen.port", "stands twice; the first is in line 1"),
        ("listen: [", 1, None, "not YAML: "),
        ("a: b: c", 1, None, "not YAML: mapping values are not allowed here"),
        ("a: *x", 1, None, "not YAML: found undefined alias"),
        ("--- {}\n--- {}", 2, None, "not YAML: "),
        ("? [a, b]\n: 1", 1, None, "a key must be plain text"),
        ("a: \x07", None, None, "not YAML: "),
        (b"a: \xff", None, None, "is not UTF-8: invalid start byte at byte 3"),
        ("[" * 5000, None, None, "not YAML that can be used: nested too deeply"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(write, text, line, key, message) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    error = caught.value
    assert (error.path, error.line, error.key) == (path, line, key)
    assert message in str(error)
    assert str(error).startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SEALWIRE_LISTEN_PORT", "x", "SEALWIRE_LISTEN_PORT: must be a whole number from 1 to 65535"),
        ("SEALWIRE_LISTEN_PROT", "1", 'SEALWIRE_LISTEN_PROT: unknown environment variable; did you mean "SEALWIRE_'),
        ("SEALWIRE_UPSTREAM_TLS", "on", "SEALWIRE_UPSTREAM_TLS: must be one of disable, "),
        ("SEALWIRE_UPSTREAM_CA", "gone", "SEALWIRE_UPSTREAM_CA: no such file: "),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(write, variable: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(""), {variable: value})
    assert str(caught.value).startswith(message)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "gone.yaml", {})
    assert str(caught.value) == f"{tmp_path / 'gone.yaml'}: no such file"
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path, {})
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"
