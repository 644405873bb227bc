"""Dockerfile and docker-compose.yml, as far as they can be tested without a Docker engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.config import load_config
from tests.support.servers import Server

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def stages() -> dict[str, str]:
    """Stage name -> its instructions."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[1::3], parts[2::3], strict=True))


def test_services_wait_for_what_they_need(services: dict[str, Any]) -> None:
    waits = {
        name: {other: need["condition"] for other, need in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    assert waits == {
        "postgres": {},
        "init": {"postgres": "service_healthy"},
        "proxy": {"postgres": "service_healthy", "init": "service_completed_successfully"},
        "tests": {"postgres": "service_healthy"},
    }
    assert all("healthcheck" in services[name] for name in ("postgres", "proxy"))


def test_every_build_target_and_volume_exists(services: dict[str, Any]) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for service in services.values():
        assert service.get("build", {"target": "proxy"})["target"] in stages()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_dir() if source.startswith(".") else source in compose["volumes"]
    assert list(stages())[-1] == "proxy", "`docker build .` makes the last stage"


def test_everything_ends_up_as_an_ordinary_user() -> None:
    for name in ("proxy", "tests"):
        assert re.search(r"^USER sealwire$", stages()[name], re.MULTILINE)


def test_what_the_image_copies_exists() -> None:
    for sources in re.findall(r"^COPY (?:--\S+ )*(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        assert all((ROOT / source).exists() for source in sources.split())


def test_the_environment_of_image_and_services_is_one_that_the_configuration_takes(services: dict[str, Any]) -> None:
    image = dict(re.findall(r"(SEALWIRE_\w+)=(\S+)", stages()["proxy"]))
    config = load_config(ROOT / "config" / "sealwire.yaml", image | services["proxy"]["environment"])
    assert (config.listen.host, config.listen.port) == ("0.0.0.0", 6432)
    assert config.upstream.host == "postgres"
    assert Path(config.keys.master_key).parent == config.keys.keyring.parent == Path("/var/lib/sealwire")


def test_the_health_check_of_the_proxy_is_a_query(services: dict[str, Any], embedded18: Server) -> None:
    command = services["proxy"]["healthcheck"]["test"]
    assert command[:3] == ["CMD", "python", "-c"]
    offset = embedded18.log_size()
    environment = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(embedded18.port),
        "PGUSER": "postgres",
        "PGDATABASE": "postgres",
    }
    subprocess.run([sys.executable, "-c", command[3]], env=environment, check=True)
    assert b"SELECT 1" in embedded18.log_since(offset)
    failed = subprocess.run(
        [sys.executable, "-c", command[3]], env=environment | {"PGPORT": "1"}, check=False, capture_output=True
    )
    assert failed.returncode != 0
