"""The kustomizations, rendered."""

import re

import pytest
import yaml

import manifests
import tools

FOLDER = tools.DEPLOY / "kubernetes"


def rendered(overlay):
    kubectl = tools.tool("kubectl", "install kubectl 1.27 or later")
    return manifests.parse(tools.run([kubectl, "kustomize", FOLDER / overlay]))


@pytest.mark.parametrize("overlay", ["base", "overlays/shared", "overlays/sidecar"])
def test_rendered_manifests_are_valid_and_restricted(overlay, tmp_path):
    manifests.assert_manifests(rendered(overlay), tmp_path)


def test_the_shared_gateway_is_complete():
    shared = rendered("overlays/shared")
    kinds = {manifest["kind"] for manifest in shared}
    assert kinds == {
        "Namespace", "ConfigMap", "ServiceAccount", "Service", "Deployment",
        "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy",
    }
    assert manifests.only(shared, "ServiceAccount")["automountServiceAccountToken"] is False
    namespace = manifests.only(shared, "Namespace")["metadata"]
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert all(manifest["metadata"].get("namespace") == namespace["name"] for manifest in shared if manifest["kind"] != "Namespace")
    labels = manifests.only(shared, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for selector in (
        manifests.only(shared, "Service")["spec"]["selector"],
        manifests.only(shared, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        manifests.only(shared, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        manifests.only(shared, "Deployment")["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert "replicas" not in manifests.only(shared, "Deployment")["spec"], "conflicts with the autoscaler"


def test_a_changed_config_reaches_running_pods():
    """The ConfigMap's name is constant, so running pods see the file change."""
    pod = manifests.pod_of(rendered("overlays/shared"))
    (volume,) = [volume for volume in pod["volumes"] if "configMap" in volume]
    assert volume["configMap"]["name"] == "trunkline"


def test_the_network_policy_allows_name_servers_and_providers_but_not_the_metadata_service():
    policy = manifests.only(rendered("overlays/shared"), "NetworkPolicy")
    manifests.assert_names_resolve(policy)
    manifests.assert_metadata_is_unreachable(policy)


def with_components(directory, components, *deployments):
    """Renders Deployments with components in a new kustomization."""
    (directory / "deployments.yaml").write_text(yaml.safe_dump_all(deployments))
    tools.run(["cp", "-r", FOLDER / "components", directory])
    kustomization = {"resources": ["deployments.yaml"], "components": [f"components/{name}" for name in components]}
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    kubectl = tools.tool("kubectl", "install kubectl 1.27 or later")
    return manifests.parse(tools.run([kubectl, "kustomize", directory]))


def application():
    return yaml.safe_load((FOLDER / "overlays/sidecar/application.yaml").read_text())


def test_the_sidecars_admin_listener_is_opened_by_a_component_of_its_own(tmp_path):
    closed = manifests.container_of(manifests.pod_of(with_components(tmp_path, ["sidecar"], application())))
    assert "ports" not in closed
    found = with_components(tmp_path, ["sidecar", "sidecar-metrics"], application())
    manifests.assert_manifests(found, tmp_path)
    opened = manifests.container_of(manifests.pod_of(found))
    assert manifests.ports_of(opened) == {"tl-admin": 8081}
    assert manifests.environment_of(opened) == {"TRUNKLINE_ADMIN__LISTEN": "0.0.0.0:8081"}
    assert {**opened, "env": None, "ports": None} == {**closed, "env": None, "ports": None}


def test_the_sidecar_is_added_to_labelled_deployments_only(tmp_path):
    """A second application without the label is unchanged."""
    found = with_components(tmp_path, ["sidecar", "sidecar-metrics"], application(), {**application(), "metadata": {"name": "plain"}})
    pods = {item["metadata"]["name"]: item["spec"]["template"]["spec"] for item in manifests.of_kind(found, "Deployment")}
    assert [container["name"] for container in pods["application"]["initContainers"]] == ["trunkline"]
    assert "initContainers" not in pods["plain"]


def test_the_image_has_one_name_and_version():
    version = re.search(r'^version = "(.+)"$', (tools.ROOT / "Cargo.toml").read_text(), re.M)[1]
    for overlay in ("overlays/shared", "overlays/sidecar"):
        assert manifests.container_of(manifests.pod_of(rendered(overlay)))["image"] == f"trunkline:{version}"
