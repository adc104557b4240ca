"""kubectl builds the manifests; they are held against the API's fields and against what Pod Security calls restricted.

No cluster is asked.
"""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from needs import ROOT, require
from proxy.config import load
from schemas import unknown

FOLDER = ROOT / "deploy/kubernetes"


@cache
def manifests() -> list[dict[str, Any]]:
    done = subprocess.run([require("kubectl"), "kustomize", str(FOLDER)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(YAML(typ="safe").load_all(done.stdout))


def test_every_field_is_one_of_the_api() -> None:
    for manifest in manifests():
        assert list(unknown(manifest, manifest["kind"])) == [], manifest["kind"]


def test_a_misspelt_field_is_found() -> None:
    pod = {"template": {"spec": {"containers": [{"name": "x", "readinesProbe": {}}]}}}
    assert list(unknown({"kind": "StatefulSet", "spec": pod}, "StatefulSet")) == [
        "spec.template.spec.containers[0].readinesProbe"
    ]


def pods() -> list[dict[str, Any]]:
    """The pod templates."""
    found = {manifest["kind"]: manifest.get("spec", {}) for manifest in manifests()}
    return [found["StatefulSet"]["template"], found["CronJob"]["jobTemplate"]["spec"]["template"]]


def test_kustomize_puts_everything_into_one_namespace() -> None:
    kinds = {manifest["kind"] for manifest in manifests()}
    assert kinds >= {"Namespace", "StatefulSet", "Service", "PersistentVolumeClaim", "CronJob", "NetworkPolicy"}
    assert {m["metadata"].get("namespace", m["metadata"]["name"]) for m in manifests()} == {"sluice"}


@pytest.mark.parametrize("index", [0, 1], ids=["proxy", "finetune"])
def test_a_pod_may_do_nothing_it_need_not(index: int) -> None:
    spec = pods()[index]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"]
    assert spec["automountServiceAccountToken"] is False
    for container in spec["containers"]:
        allowed = container["securityContext"]
        assert allowed["readOnlyRootFilesystem"] and not allowed["allowPrivilegeEscalation"]
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_probes_ask_what_the_admin_port_answers() -> None:
    (container,) = pods()[0]["spec"]["containers"]
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {"startupProbe": "/-/ready", "readinessProbe": "/-/ready", "livenessProbe": "/-/healthy"}
    assert {container[name]["httpGet"]["port"] for name in paths} == {"admin"}


def test_a_pod_is_given_longer_to_end_than_its_flows_are() -> None:
    from proxy.channel import DRAIN

    spec = pods()[0]["spec"]
    pause = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["terminationGracePeriodSeconds"] > pause + DRAIN


def test_the_configuration_is_one_that_the_proxy_takes(tmp_path: Path) -> None:
    (config,) = (manifest["data"] for manifest in manifests() if manifest["kind"] == "ConfigMap")
    (tmp_path / "sluice.toml").write_text(config["sluice.toml"])
    settings = load(tmp_path / "sluice.toml")
    ports = {port["name"]: port["containerPort"] for port in pods()[0]["spec"]["containers"][0]["ports"]}
    assert ports == {"proxy": settings.proxy.listen.port, "admin": settings.proxy.admin.port}


def test_policies_and_services_find_their_pods() -> None:
    labels = [pod["metadata"]["labels"] for pod in pods()]
    selectors = [m["spec"]["selector"] for m in manifests() if m["kind"] == "Service"]
    selectors += [m["spec"]["podSelector"]["matchLabels"] for m in manifests() if m["kind"] == "NetworkPolicy"]
    assert all(any(selector.items() <= found.items() for found in labels) for selector in selectors)
