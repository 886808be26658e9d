"""The store that the manifests bring: Valkey, for limits over several replicas."""

import base64
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import pytest
import yaml

import manifests
import tools
from chart import CI, GATEWAY, SIDECAR, merged, rendered, trunkline_of

STORE = {"store": {"enabled": True}}
PASSWORD = "0123456789abcdef"
SETTINGS = {"maxmemory-policy": "noeviction", "appendonly": "yes"}


def kustomized(directory):
    """The shared overlay with the component, as the component's comment adds it."""
    shutil.copytree(tools.DEPLOY / "kubernetes", directory, dirs_exist_ok=True)
    comment = (directory / "components/store/kustomization.yaml").read_text()
    (line,) = re.findall(r"^#   (components: .*)$", comment, re.M)
    with (directory / "overlays/shared/kustomization.yaml").open("a") as file:
        file.write(f"{line}\n")
    kubectl = tools.tool("kubectl", "install kubectl 1.27 or later")
    return manifests.parse(tools.run([kubectl, "kustomize", directory / "overlays/shared"]))


def both(directory):
    """Name of the way, name of the store's objects, and the manifests."""
    return [
        ("chart", "tl-trunkline-store", rendered(STORE, directory)),
        ("component", "trunkline-store", kustomized(directory / "kubernetes")),
    ]


def store_pod(found):
    return manifests.only(found, "StatefulSet")["spec"]["template"]["spec"]


def store_container(found):
    (container,) = store_pod(found)["containers"]
    return container


def secrets(found):
    """The Secret that the store's container names, with a password."""
    references = [variable["valueFrom"]["secretKeyRef"] for variable in store_container(found)["env"] if "valueFrom" in variable]
    return {(reference["name"], reference["key"]): PASSWORD for reference in references}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextlib.contextmanager
def valkey(command, environment, directory, port):
    """Runs a container's command with the programs of this machine; yields a function that runs other ones beside it."""
    programs, data = directory / "programs", directory / "data"
    programs.mkdir(exist_ok=True)
    data.mkdir(exist_ok=True)
    server, cli = tools.store_programs(programs)
    for name, call in (("valkey-server", f"{server} --bind 127.0.0.1 --port {port}"), ("valkey-cli", f"{cli} -p {port}")):
        (programs / name).write_text(f'#!/bin/sh\nexec {call} "$@"\n')
        (programs / name).chmod(0o755)
    environment = {**environment, "PATH": f"{programs}:{os.environ['PATH']}"}

    def run(command, **more):
        return subprocess.run(command, cwd=data, env={**environment, **more}, capture_output=True, text=True, timeout=30)

    with tools.process(command, cwd=data, env=environment, stdout=subprocess.DEVNULL) as child:
        yield child, run


def await_health(check, run):
    until = time.monotonic() + tools.WAIT_SECONDS
    while run(check).returncode != 0:
        assert time.monotonic() < until, "the store did not become healthy"
        time.sleep(0.02)


def setting(run, name):
    return run(["valkey-cli", "config", "get", name]).stdout.split()[1]


def assert_serves(command, check, environment, directory):
    """It requires its password, keeps its data over a restart, and forgets nothing for room."""
    port = free_port()
    with valkey(command, environment, directory, port) as (child, run):
        await_health(check, run)
        assert {name: setting(run, name) for name in SETTINGS} == SETTINGS
        assert int(setting(run, "maxmemory")) > 0
        assert run(check, REDISCLI_AUTH="wrong").returncode != 0
        assert "NOAUTH" in run(["valkey-cli", "ping"], REDISCLI_AUTH="").stdout
        assert run(["valkey-cli", "set", "used", "7"]).stdout == "OK\n"
        arguments = pathlib.Path(f"/proc/{child.pid}/cmdline").read_text()
        assert str(port) in arguments and PASSWORD not in arguments
    with valkey(command, environment, directory, port) as (child, run):
        await_health(check, run)
        assert run(["valkey-cli", "get", "used"]).stdout == "7\n"
        child.terminate()
        assert child.wait(10) == 0, "the process that gets the signal is not the server"


def test_composes_store_serves_once_it_has_a_password(tmp_path):
    service = tools.compose_service("valkey")
    assert service["profiles"] == tools.compose_service("trunkline-2")["profiles"] == ["store"]
    command = [part.replace("$$", "$") for part in service["command"]]
    kind, check = service["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    assert_serves(command, ["sh", "-c", check], tools.compose_environment("valkey", VALKEY_PASSWORD=PASSWORD), tmp_path)
    with valkey(command, tools.compose_environment("valkey"), tmp_path, free_port()) as (child, _):
        assert child.wait(10) != 0, "it serves without a password"


def test_composes_gateways_use_the_store_if_it_has_a_password(tmp_path):
    for name in ("trunkline", "trunkline-2"):
        without = tools.check("", tmp_path, **tools.compose_environment(name))
        assert "redis://" not in without and "valkey" not in without, without
        output = tools.check("", tmp_path, **tools.compose_environment(name, VALKEY_PASSWORD=PASSWORD))
        assert "valkey:6379" in output and PASSWORD not in output, output
    first, second = (tools.compose_service(name) for name in ("trunkline", "trunkline-2"))
    assert not set(first["ports"]) & set(second["ports"])
    assert not set(first["volumes"]) & set(second["volumes"]), "both would write one ledger"
    assert {**first, "ports": 0, "volumes": 0, "profiles": 0} == {**second, "ports": 0, "volumes": 0, "profiles": 0}


def test_the_manifests_store_serves(tmp_path):
    for way, _, found in both(tmp_path):
        container = store_container(found)
        check = container["readinessProbe"]["exec"]["command"]
        (tmp_path / way).mkdir()
        assert_serves(container["command"], check, manifests.expanded(container, secrets(found)), tmp_path / way)


def test_two_gateways_share_a_limit_by_the_manifests_store(tmp_path):
    """The store as it is rendered, and the variables by which gateways find it, but for the address."""
    found = rendered(STORE, tmp_path)
    container, port = store_container(found), free_port()
    environment, variables = (manifests.expanded(each, secrets(found)) for each in (container, trunkline_of(found)))
    variables = {name: value for name, value in variables.items() if name == "VALKEY_URL" or name.startswith("TRUNKLINE_STORE__")}
    variables["VALKEY_URL"] = variables["VALKEY_URL"].replace("tl-trunkline-store:6379", f"127.0.0.1:{port}")
    config = '[limits.all]\nrequests = ["4/day"]\n'
    with valkey(container["command"], environment, tmp_path, port) as (_, run), contextlib.ExitStack() as stack:
        await_health(container["readinessProbe"]["exec"]["command"], run)
        gateways = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            _, listen, admin = stack.enter_context(tools.gateway(tmp_path / name, config, **variables))
            assert "trunkline_limit_store_up 1" in tools.get(f"http://{admin}/metrics")
            gateways.append(listen)
        statuses = [tools.ask(gateways[turn % 2])[0] for turn in range(6)]
        assert statuses == [200] * 4 + [429] * 2


def test_the_manifests_store_is_valid_and_restricted(tmp_path):
    for way, name, found in both(tmp_path):
        manifests.validate(found)
        pod, container = store_pod(found), store_container(found)
        manifests.assert_restricted(pod, container)
        assert pod["enableServiceLinks"] is False
        (claim,) = manifests.only(found, "StatefulSet")["spec"]["volumeClaimTemplates"]
        assert container["volumeMounts"] == [{"name": claim["metadata"]["name"], "mountPath": container["workingDir"]}]
        memory = manifests.expanded(container, secrets(found))["VALKEY_MEMORY"]
        assert 2 * int(memory.removesuffix("mb")) <= int(container["resources"]["limits"]["memory"].removesuffix("Mi")), way
        assert {probe for probe in container if probe.endswith("Probe")} == {"startupProbe", "readinessProbe", "livenessProbe"}


def test_the_gateways_find_the_store_and_nothing_else_reaches_it(tmp_path):
    for way, name, found in both(tmp_path):
        gateway, pod = manifests.only(found, "Deployment"), manifests.only(found, "StatefulSet")["spec"]["template"]
        variables = manifests.expanded(trunkline_of(found), secrets(found))
        assert variables[variables["TRUNKLINE_STORE__URL_ENV"]] == f"redis://:{PASSWORD}@{name}:6379", way
        manifests.assert_manifests(found, tmp_path)
        service = manifests.named(found, "Service", name)["spec"]
        labels = pod["metadata"]["labels"]
        assert service["selector"].items() <= labels.items()
        assert [port["port"] for port in service["ports"]] == [6379]
        policy = manifests.named(found, "NetworkPolicy", name)["spec"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
        assert policy["policyTypes"] == ["Ingress", "Egress"] and "egress" not in policy
        ((peer,),) = [rule["from"] for rule in policy["ingress"]]
        assert peer["podSelector"]["matchLabels"].items() <= gateway["spec"]["template"]["metadata"]["labels"].items()
        own = manifests.named(found, "NetworkPolicy", gateway["metadata"]["name"])["spec"]
        (rule,) = [rule for rule in own["egress"] if {"port": 6379, "protocol": "TCP"} in rule["ports"]]
        assert [to["podSelector"]["matchLabels"] for to in rule["to"]] == [policy["podSelector"]["matchLabels"]]
        # What selects the gateway's pods does not select the store's.
        for kind in ("Service", "PodDisruptionBudget", "Deployment", "NetworkPolicy"):
            spec = manifests.named(found, kind, gateway["metadata"]["name"])["spec"]
            selector = spec.get("podSelector", spec.get("selector"))
            assert not selector.get("matchLabels", selector).items() <= labels.items(), kind


def test_the_chart_and_the_component_agree(tmp_path):
    first, second = (found for _, _, found in both(tmp_path))
    names = {"tl-trunkline-store": "trunkline-store"}

    def comparable(found):
        text = yaml.safe_dump({key: value for key, value in store_container(found).items() if key != "imagePullPolicy"})
        return yaml.safe_load(re.sub("|".join(names), lambda name: names[name[0]], text))

    assert comparable(first) == comparable(second)
    assert store_pod(first)["securityContext"] == store_pod(second)["securityContext"]
    assert store_container(first)["image"] == tools.compose_service("valkey")["image"]


def test_the_charts_password_is_its_own_or_from_a_secret(tmp_path):
    made = manifests.only(rendered(STORE, tmp_path), "Secret")
    assert re.fullmatch(r"[A-Za-z0-9]{32}", base64.b64decode(made["data"]["password"]).decode())
    found = rendered(merged(STORE, {"store": {"secretName": "ours"}}), tmp_path)
    assert not manifests.of_kind(found, "Secret")
    assert list(secrets(found)) == [("ours", "password")]
    assert "trunkline-store" not in [volume["name"] for volume in manifests.pod_of(found)["volumes"]]


@pytest.mark.parametrize("mode", [GATEWAY, SIDECAR], ids=lambda values: values["mode"])
def test_a_store_of_ones_own_is_named_by_a_value_or_a_secret(mode, tmp_path):
    named = rendered(merged(mode, {"store": {"url": "redis://valkey.example.com:6379"}}), tmp_path)
    assert not manifests.of_kind(named, "StatefulSet") and not manifests.of_kind(named, "Secret")
    assert manifests.environment_of(trunkline_of(named))["TRUNKLINE_STORE__URL"] == "redis://valkey.example.com:6379"
    manifests.assert_manifests(named, tmp_path)
    secret = rendered(merged(mode, {"store": {"secretName": "valkey"}}), tmp_path)
    (volume,) = [volume for volume in manifests.pod_of(secret)["volumes"] if volume["name"] == "trunkline-store"]
    assert volume["secret"]["secretName"] == "valkey"
    manifests.assert_manifests(secret, tmp_path)


def test_the_network_policy_lets_the_gateway_reach_a_store_of_ones_own(tmp_path):
    rules = lambda values: manifests.only(rendered(values, tmp_path), "NetworkPolicy")["spec"]["egress"]
    ports = lambda values: [[port["port"] for port in rule["ports"]] for rule in rules(values)]
    assert [6379] not in ports({})
    for store in ({"url": "redis://valkey"}, {"secretName": "valkey"}):
        assert ports({"store": store})[-1] == [6379]
    (rule,) = [rule for rule in rules(CI["gateway"]) if {"port": 26379, "protocol": "TCP"} in rule["ports"]]
    assert rule["to"] == CI["gateway"]["store"]["to"]


def test_the_stores_user_can_be_left_to_the_namespace(tmp_path):
    """OpenShift refuses a user outside of the namespace's range."""
    pod = store_pod(rendered({"store": {"enabled": True, "user": None}}, tmp_path))
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(pod["securityContext"])
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_long_names_of_releases_leave_room(tmp_path):
    found = rendered(merged(STORE, {"fullnameOverride": "a" * 63}), tmp_path)
    manifests.validate(found)
    assert manifests.only(found, "StatefulSet")["metadata"]["name"] == f"{'a' * 57}-store"
