"""The lookup's password: where it comes from, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from proxy.config import Auth
from proxy.errors import ConfigError
from proxy.server.verifiers import lookup_password
from tests.server.fakes import make_config

AUTH = Auth(mode="scram", user="lookup")


def test_the_password_is_given_or_read_from_a_file_without_its_line_end(config_file: Path, tmp_path: Path) -> None:
    config = make_config(config_file)
    assert lookup_password(config) is None
    assert lookup_password(replace(config, auth=replace(AUTH, password="given"))) == "given"
    file = tmp_path / "auth.password"
    file.touch(mode=0o600)
    file.write_text("from a file \r\n")
    assert lookup_password(replace(config, auth=replace(AUTH, password_file=file))) == "from a file "


@pytest.mark.parametrize(("mode", "content", "message"), [
    (0o640, b"secret", "is open to group or others; chmod 600 it"),
    (0o600, b"secret \xff", "cannot read"),
    (None, b"", "cannot read"),
])  # fmt: skip
def test_a_password_file_that_is_open_or_unreadable_is_an_error(
    config_file: Path, tmp_path: Path, mode: int | None, content: bytes, message: str
) -> None:
    file = tmp_path / "auth.password"
    if mode is not None:
        file.write_bytes(content)
        file.chmod(mode)
    with pytest.raises(ConfigError, match=message) as caught:
        lookup_password(replace(make_config(config_file), auth=replace(AUTH, password_file=file)))
    assert caught.value.key == "auth.password_file"
    assert "secret" not in str(caught.value)


def test_the_password_is_not_printed() -> None:
    assert "given" not in repr(replace(AUTH, password="given"))
