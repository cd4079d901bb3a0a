"""The container files, checked as far as a machine without Docker allows."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
ROLES = {"api", "detect", "work"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_the_roles_run_commands_that_exist(compose: dict[str, Any]) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "recoup", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for role in ROLES:
        assert compose["services"][role]["command"] == [role]
        assert re.search(rf"\b{role}\b", listed)


def test_every_setting_in_the_compose_file_exists(compose: dict[str, Any]) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "recoup", "settings", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    ).stdout
    known = {row["name"] for row in json.loads(shown)} | {"RECOUP_CONFIG"}
    used = set(compose["services"]["api"]["environment"])
    assert used <= known


def test_services_depend_only_on_services(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name


def test_no_secret_has_a_value_in_the_compose_file(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|PWD|KEY", name):
                assert value.startswith("${"), name


def test_nothing_is_published_beyond_loopback(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_the_image_installs_from_the_lock_and_runs_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r requirements.lock" in text
    assert re.search(r"^USER recoup$", text, flags=re.MULTILINE)
    assert "*" not in re.findall(r"^EXPOSE (.*)$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_locks_are_hashed_name_no_host_and_cover_every_platform(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    pins = re.findall(r"^([a-z0-9._\[\]-]+)==", text, flags=re.MULTILINE)
    blocks = re.split(r"^(?=[a-z0-9._\[\]-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins)
    assert all("--hash=sha256:" in block for block in blocks)
    numpy = next(block for block in blocks if block.startswith("numpy=="))
    assert numpy.count("--hash=") > 20


def test_both_locks_pin_the_same_versions() -> None:
    pins = [
        dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), flags=re.MULTILINE))
        for lock in ("requirements.lock", "requirements-dev.lock")
    ]
    assert pins[0].items() <= pins[1].items()
