"""Assertions on rendered Kubernetes manifests."""

import collections
import ipaddress
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


def named(manifests, kind, name):
    (found,) = [manifest for manifest in of_kind(manifests, kind) if manifest["metadata"]["name"] == name]
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
    """Variables with a value of their own."""
    return {variable["name"]: variable["value"] for variable in container.get("env", []) if "value" in variable}


def expanded(container, secrets):
    """Variables as the kubelet sets them, of whose entries of Secrets these are the values."""
    values = {}
    for variable in container.get("env", []):
        value, entry = variable.get("value"), variable.get("valueFrom", {}).get("secretKeyRef")
        if entry is not None:
            value = secrets[entry["name"], entry["key"]]
        if value is not None:
            values[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda found: values.get(found[1], found[0]), value)
    return values


def ports_of(container):
    return {port["name"]: port["containerPort"] for port in container.get("ports", [])}


def allows(policy, address, port):
    """Whether a pod may connect to an address that is no pod's."""
    address = ipaddress.ip_address(address)

    def contains(block):
        networks = [ipaddress.ip_network(cidr) for cidr in [block["cidr"], *block.get("except", [])]]
        first, *rest = [address in network for network in networks]
        return first and not any(rest)

    return any(
        contains(peer["ipBlock"])
        for rule in policy["spec"]["egress"]
        if port in [entry["port"] for entry in rule["ports"]]
        for peer in rule["to"]
        if "ipBlock" in peer
    )


def namespaces_allowed(policy, port):
    """Namespaces to which a pod may connect over UDP and TCP."""
    return {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in policy["spec"]["egress"]
        if {(port, "UDP"), (port, "TCP")} <= {(entry["port"], entry["protocol"]) for entry in rule["ports"]}
        for peer in rule["to"]
        if "namespaceSelector" in peer
    }


def assert_names_resolve(policy):
    """Name servers in kube-system and of OpenShift, and NodeLocal DNSCache."""
    assert "kube-system" in namespaces_allowed(policy, 53)
    assert "openshift-dns" in namespaces_allowed(policy, 5353)
    assert allows(policy, "169.254.20.10", 53)


def assert_metadata_is_unreachable(policy):
    """The cloud's metadata service has credentials."""
    assert allows(policy, "192.0.2.1", 443), "providers cannot be reached"
    for address in ("169.254.169.254", "fe80::a9fe:a9fe"):
        assert not any(allows(policy, address, port) for port in (53, 80, 443)), address


def assert_manifests(manifests, directory):
    """What every way to run it in Kubernetes must fulfil."""
    validate(manifests)
    pod = pod_of(manifests)
    container = container_of(pod)
    assert_restricted(pod, container)
    assert not any("subPath" in mount for mount in container["volumeMounts"])
    assert {volume for mount in container["volumeMounts"] for volume in [mount["name"]]} <= {v["name"] for v in pod["volumes"]}
    assert is_sidecar(pod) == (container.get("restartPolicy") == "Always")
    config = resolved(config_of(manifests), container, pod, directory)
    assert_drains_in_time(pod, container, config)
    assert_probed(pod, container, config)
    if is_sidecar(pod):
        assert config["server"]["listen"].startswith("127.0.0.1:")
        assert config["access"]["client_keys"] == 0
        for other in pod["containers"]:
            assert environment_of(other)["OPENAI_BASE_URL"] == f"http://{config['server']['listen']}/v1"
            mounts = {mount["name"] for mount in other.get("volumeMounts", [])}
            assert not any("trunkline" in name for name in mounts), "the application can read the keys"
    else:
        assert config["server"]["listen"] == f"0.0.0.0:{ports_of(container)['http']}"
        assert config["access"]["client_keys"] == 1
        # Its Service is named like the prefix of our variables.
        assert pod["enableServiceLinks"] is False


def assert_probed(pod, container, config):
    """Probes reach the admin listener, which a sidecar has on loopback unless its port is declared."""
    address, port = config["admin"]["listen"].split(":")
    ports = ports_of(container)
    exposed = [name for name in ports if name != "http"]
    assert address == ("0.0.0.0" if exposed else "127.0.0.1")
    assert [ports[name] for name in exposed] == [int(port)] * len(exposed)
    for probe, path in (("startupProbe", "readyz"), ("livenessProbe", "livez"), ("readinessProbe", "readyz")):
        if probe in container and is_sidecar(pod):
            assert container[probe]["exec"]["command"] == ["/usr/bin/trunkline", "probe", "--url", f"http://127.0.0.1:{port}/{path}"]
        elif probe in container:
            assert container[probe]["httpGet"] == {"path": f"/{path}", "port": exposed[0]}
    assert {"startupProbe", "livenessProbe"} <= set(container)
    assert ("readinessProbe" in container) != is_sidecar(pod)


def assert_restricted(pod, container):
    """The pod security standard `restricted`, and a read-only root."""
    both = {**pod.get("securityContext", {}), **container["securityContext"]}
    assert both["runAsNonRoot"] is True
    assert both["runAsUser"] > 0
    assert both["seccompProfile"] == {"type": "RuntimeDefault"}
    assert both["allowPrivilegeEscalation"] is False
    assert both["readOnlyRootFilesystem"] is True
    assert both["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False or container not in pod["containers"]
    assert not pod.get("hostNetwork") and not pod.get("hostPID")
    allowed = {"name", "configMap", "secret", "emptyDir", "persistentVolumeClaim"}
    assert all(set(volume) <= allowed for volume in pod.get("volumes", []))


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
        if "api_key_file" not in provider:
            continue
        file = provider["api_key_file"]
        folder, _, key = file.rpartition("/")
        assert mounts[folder] in secrets, f"{name} reads its key from outside of the Secret"
        (directory / key).write_text("sk-test")
        text = text.replace(file, str(directory / key))
    environment = expanded(container, collections.defaultdict(lambda: "secret"))
    if "TRUNKLINE_STORE__URL_FILE" in environment:
        folder, _, name = environment["TRUNKLINE_STORE__URL_FILE"].rpartition("/")
        assert mounts[folder] in secrets, "the store's URL is outside of its Secret"
        (directory / name).write_text("rediss://:secret@valkey.example.com:6380")
        environment["TRUNKLINE_STORE__URL_FILE"] = str(directory / name)
    if "TRUNKLINE_LEDGER__PATH" in environment:
        claims = {volume["name"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume}
        folder, _, name = environment["TRUNKLINE_LEDGER__PATH"].rpartition("/")
        assert mounts[folder] in claims, "the ledger is outside of its volume"
        environment["TRUNKLINE_LEDGER__PATH"] = str(directory / name)
    output = tools.check(text, directory, **environment)
    assert "warning" not in output, output
    assert re.search(r"^gpt-4o .* ready$", output, re.M), output
    server = parsed.get("server", {})
    delay = environment.get("TRUNKLINE_SERVER__DRAIN_DELAY") or server.get("drain_delay", "0s")
    drain = environment.get("TRUNKLINE_SERVER__DRAIN_TIMEOUT") or server["drain_timeout"]
    listen = re.search(r"^Listening for clients on (\S+)$", output, re.M)[1]
    admin = re.search(r"^Admin listener on (\S+)$", output, re.M)[1]
    keys = 0 if "No client keys" in output else int(re.search(r"^(\d+) client key", output, re.M)[1])
    return {
        "server": {"listen": listen, "drain_delay": delay, "drain_timeout": drain},
        "admin": {"listen": admin},
        "access": {"client_keys": keys},
    }
