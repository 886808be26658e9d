"""Judging Kubernetes manifests, whoever rendered them."""

import re
import tomllib

import kubernetes_validate
import yaml

import tools

# What our manifests use came with this version; the newest one must do too.
OLDEST = "1.29"
# Schemas that Kubernetes itself does not know.
FOREIGN = {"monitoring.coreos.com/v1"}
LAST_WORDS_SECONDS = 5
SPARE_SECONDS = 5
USUAL_GRACE_SECONDS = 30


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
    """Strictly: a field that Kubernetes does not know is a fault."""
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


def judge(manifests, directory):
    """What holds of every way to run it in Kubernetes."""
    validate(manifests)
    pod = pod_of(manifests)
    container = container_of(pod)
    restricted(pod, container)
    assert not any("subPath" in mount for mount in container["volumeMounts"])
    assert {volume for mount in container["volumeMounts"] for volume in [mount["name"]]} <= {v["name"] for v in pod["volumes"]}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if probe in container:
            assert ports[container[probe]["httpGet"]["port"]] == 8081, probe
    assert is_sidecar(pod) == (container.get("restartPolicy") == "Always")
    config = resolved(config_of(manifests), container, pod, directory)
    drains_in_time(pod, container, config)
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


def restricted(pod, container):
    """The pod security standard `restricted`, and a root that is read-only."""
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


def drains_in_time(pod, container, config):
    """The kubelet kills nobody who still drains."""
    delay = seconds(config["server"]["drain_delay"])
    # A sidecar is told last, when nobody calls any more.
    assert (delay == 0) == is_sidecar(pod)
    assert "lifecycle" not in container, "the delay would come twice"
    drain = seconds(config["server"]["drain_timeout"])
    assert pod.get("terminationGracePeriodSeconds", USUAL_GRACE_SECONDS) >= delay + drain + LAST_WORDS_SECONDS + SPARE_SECONDS


def seconds(text):
    units = {"s": 1, "m": 60, "h": 3600}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([smh])", text))


def resolved(text, container, pod, directory):
    """What `trunkline` makes of the configuration, the Secret's files in their place."""
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
    said = tools.check(text, directory, **environment)
    assert "warning" not in said, said
    assert re.search(r"^gpt-4o .* ready$", said, re.M), said
    server = parsed.get("server", {})
    delay = environment.get("TRUNKLINE_SERVER__DRAIN_DELAY") or server.get("drain_delay", "0s")
    drain = environment.get("TRUNKLINE_SERVER__DRAIN_TIMEOUT") or server["drain_timeout"]
    listen = re.search(r"^Listening for callers on (\S+)$", said, re.M)[1]
    assert re.search(r"^Listening for operators on 0\.0\.0\.0:8081$", said, re.M)
    keys = 0 if "No client keys" in said else int(re.search(r"^(\d+) client key", said, re.M)[1])
    return {"server": {"listen": listen, "drain_delay": delay, "drain_timeout": drain}, "access": {"client_keys": keys}}
