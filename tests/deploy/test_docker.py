"""The images and the composition name files, stages and options that exist. Nothing is built: that needs a daemon."""

import re
import subprocess
from typing import Any

import pytest
from ruamel.yaml import YAML

from needs import ROOT, require
from schemas import unknown

FOLDER = ROOT / "deploy/docker"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = YAML(typ="safe").load((FOLDER / "compose.yaml").read_text())


def test_every_field_of_the_composition_is_one_of_the_specification() -> None:
    services = COMPOSE["services"].values()
    assert list(unknown(COMPOSE, "Composition")) == []
    assert [field for service in services for field in unknown(service, "Service of Compose")] == []


def test_docker_compose_reads_the_composition() -> None:
    program = require("docker")
    if subprocess.run([program, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker has no compose here; only names, paths and fields were held against the files")
    command = [program, "compose", "--file", str(FOLDER / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_is_copied_is_there_and_not_ignored() -> None:
    sources = [
        word.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    ]
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert set(sources) == set(kept)
    assert [name for name in sources if not (ROOT / name).exists()] == []


def test_packages_come_from_the_locks_with_their_hashes() -> None:
    installs = re.findall(r"pip install (.+)$", DOCKERFILE, re.MULTILINE)
    locks = [line.split()[-1] for line in installs if "--require-hashes" in line]
    assert [line for line in installs if "--require-hashes" not in line] == ["--no-deps ."]
    assert all((ROOT / lock).is_file() for lock in locks)


def test_nothing_runs_as_root() -> None:
    base = DOCKERFILE.split("FROM python:3.12-slim AS base")[1]
    assert "\nUSER 10001\n" in base
    assert "USER root" not in base


def test_the_composition_builds_stages_that_exist_and_mounts_files_that_exist() -> None:
    stages = set(re.findall(r" AS (\S+)$", DOCKERFILE, re.MULTILINE))
    for service in COMPOSE["services"].values():
        if "build" in service:
            assert service["build"]["target"] in stages
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (FOLDER / source).exists(), volume


def test_the_admin_port_answers_to_the_name_that_prometheus_uses() -> None:
    proxy = COMPOSE["services"]["sluice"]
    address = proxy["command"][proxy["command"].index("--admin") + 1]
    assert address.split(":")[0] == proxy["hostname"] == "sluice"
    scraped = YAML(typ="safe").load((FOLDER / "prometheus.yml").read_text())
    assert scraped["scrape_configs"][0]["static_configs"][0]["targets"] == [address]


@pytest.mark.parametrize("name", ["sluice", "finetune"])
def test_a_service_runs_a_command_that_there_is(name: str) -> None:
    from test_docs import commands, options

    words = COMPOSE["services"][name]["command"]
    command = " ".join(words[: next(i for i, word in enumerate(words) if word.startswith("--"))])
    assert {word for word in words if word.startswith("--")} <= options(commands()[command]).keys()


def test_only_the_proxy_is_open_to_other_machines() -> None:
    open_ports = [
        port
        for service in COMPOSE["services"].values()
        for port in service.get("ports", [])
        if not port.startswith("127.0.0.1:")
    ]
    assert open_ports == ["8080:8080"]
