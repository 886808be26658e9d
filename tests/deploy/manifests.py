"""Assertions on rendered Kubernetes manifests."""

import re
import tomllib

import kubernetes_validate
import yaml

import tools

# Oldest supported version of Kubernetes; manifests must also be valid for the newest.
OLDEST = "1.29"
# API groups that are not part of Kubernetes.
FOREIGN = {"monitoring.coreos.com/v1"}
CLOSE_SECONDS = 5
MARGIN_SECONDS = 5
DEFAULT_GRACE_SECONDS = 30


def parse(text):
    manifests = [manifest for manifest in yaml.safe_load_all(text) if manifest]
    assert manifests, "nothing was rendered"
    return manifests


def of_kind(manifests, kind):
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def only(manifests, kind):
    (found,) = of_kind(manifests, kind)
    return found


def validate(manifests):
    """Strict: a field that Kubernetes does not know is an error."""
    for manifest in manifests:
        if manifest["apiVersion"] in FOREIGN:
            continue
        for version in (OLDEST, kubernetes_validate.latest_version()):
            kubernetes_validate.validate(manifest, version, strict=True)


def pod_of(manifests):
    return only(manifests, "Deployment")["spec"]["template"]["spec"]


def container_of(pod):
    containers = pod["containers"] + pod.get("initContainers", [])
    (found,) = [container for container in containers if container["name"] == "trunkline"]
    return found


def is_sidecar(pod):
    return container_of(pod) not in pod["containers"]


def config_of(manifests):
    (text,) = [manifest["data"]["trunkline.toml"] for manifest in of_kind(manifests, "ConfigMap")]
    return text


def environment_of(container):
    return {variable["name"]: variable["value"] for variable in container.get("env", [])}


def assert_manifests(manifests, directory):
    """What every way to run it in Kubernetes must fulfil."""
    validate(manifests)
    pod = pod_of(manifests)
    container = container_of(pod)
    assert_restricted(pod, container)
    assert not any("subPath" in mount for mount in container["volumeMounts"])
    assert {volume for mount in container["volumeMounts"] for volume in [mount["name"]]} <= {v["name"] for v in pod["volumes"]}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if probe in container:
            assert ports[container[probe]["httpGet"]["port"]] == 8081, probe
    assert is_sidecar(pod) == (container.get("restartPolicy") == "Always")
    config = resolved(config_of(manifests), container, pod, directory)
    assert_drains_in_time(pod, container, config)
    if is_sidecar(pod):
        assert config["server"]["listen"] == "127.0.0.1:8080"
        assert config["access"]["client_keys"] == 0
        for other in pod["containers"]:
            assert environment_of(other)["OPENAI_BASE_URL"] == "http://127.0.0.1:8080/v1"
            mounts = {mount["name"] for mount in other.get("volumeMounts", [])}
            assert not any("trunkline" in name for name in mounts), "the application can read the keys"
    else:
        assert config["server"]["listen"] == "0.0.0.0:8080"
        assert config["access"]["client_keys"] == 1


def assert_restricted(pod, container):
    """The pod security standard `restricted`, and a read-only root."""
    both = {**pod.get("securityContext", {}), **container["securityContext"]}
    assert both["runAsNonRoot"] is True
    assert both["runAsUser"] > 0
    assert both["seccompProfile"] == {"type": "RuntimeDefault"}
    assert both["allowPrivilegeEscalation"] is False
    assert both["readOnlyRootFilesystem"] is True
    assert both["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False or is_sidecar(pod)
    assert not pod.get("hostNetwork") and not pod.get("hostPID")
    assert all(set(volume) <= {"name", "configMap", "secret", "emptyDir"} for volume in pod["volumes"])


def assert_drains_in_time(pod, container, config):
    """The grace period covers the whole drain."""
    delay = seconds(config["server"]["drain_delay"])
    # A sidecar is stopped last, when no client is left.
    assert (delay == 0) == is_sidecar(pod)
    assert "lifecycle" not in container, "the delay would apply twice"
    drain = seconds(config["server"]["drain_timeout"])
    assert pod.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS) >= delay + drain + CLOSE_SECONDS + MARGIN_SECONDS


def seconds(text):
    units = {"s": 1, "m": 60, "h": 3600}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([smh])", text))


def resolved(text, container, pod, directory):
    """The configuration as `trunkline check` sees it, with the Secret's files replaced by local ones."""
    parsed = tomllib.loads(text)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    secrets = {volume["name"] for volume in pod["volumes"] if "secret" in volume}
    for name, provider in parsed.get("providers", {}).items():
        file = provider["api_key_file"]
        folder, _, key = file.rpartition("/")
        assert mounts[folder] in secrets, f"{name} reads its key from outside of the Secret"
        (directory / key).write_text("sk-test")
        text = text.replace(file, str(directory / key))
    environment = environment_of(container)
    output = tools.check(text, directory, **environment)
    assert "warning" not in output, output
    assert re.search(r"^gpt-4o .* ready$", output, re.M), output
    server = parsed.get("server", {})
    delay = environment.get("TRUNKLINE_SERVER__DRAIN_DELAY") or server.get("drain_delay", "0s")
    drain = environment.get("TRUNKLINE_SERVER__DRAIN_TIMEOUT") or server["drain_timeout"]
    listen = re.search(r"^Listening for clients on (\S+)$", output, re.M)[1]
    assert re.search(r"^Admin listener on 0\.0\.0\.0:8081$", output, re.M)
    keys = 0 if "No client keys" in output else int(re.search(r"^(\d+) client key", output, re.M)[1])
    return {"server": {"listen": listen, "drain_delay": delay, "drain_timeout": drain}, "access": {"client_keys": keys}}
