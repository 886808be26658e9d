"""The chart's schema, and values that it rejects."""

import json
import re

import pytest

import manifests
import tools
from chart import APPLICATION, CHART, LEDGER, SCHEMA, SIDECAR, VALUES, config_of, merged, rendered, template


def test_every_key_of_server_is_a_value(tmp_path):
    """deploy/helm/trunkline/values.schema.json lists the keys of [server] that the chart does not set."""
    theirs = json.loads(tools.run([tools.binary(), "schema"], cwd=tmp_path, env={}))["$defs"]["Server"]["properties"]
    ours = SCHEMA["definitions"]["server"]["properties"]
    assert set(ours) == set(theirs) - {"listen", "drain_delay", "drain_timeout", "tls"}, "definitions.server lacks a key, or has one too many"
    for name, schema in ours.items():
        kind = schema.get("type") or SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]["type"]
        assert kind == theirs[name]["type"], name


@pytest.mark.parametrize("name", ["team.a", "Team_A-1", "a" * 64])
def test_client_keys_have_the_names_that_the_configuration_allows(name, tmp_path):
    found = rendered({"clientKeys": {"team-a": None, name: f"{1:064}"}}, tmp_path)
    assert list(config_of(found)["access"]["keys"]) == [name]
    manifests.assert_manifests(found, tmp_path)


def test_a_client_key_has_the_fields_of_the_configuration(tmp_path):
    theirs = json.loads(tools.run([tools.binary(), "schema"], cwd=tmp_path, env={}))["$defs"]["ClientKey"]["properties"]
    assert set(SCHEMA["definitions"]["clientKey"]["properties"]) == set(theirs)
    key = {"sha256": f"{1:064}", "team": "search", "models": ["gpt-*"], "expires": "2099-12-31", "may_name_users": True}
    found = rendered({"clientKeys": {"team-a": None, "web": key}}, tmp_path)
    assert config_of(found)["access"]["keys"] == {"web": key}
    manifests.assert_manifests(found, tmp_path)


def test_values_and_schema_have_the_same_keys():
    """Except optional fields, which values.yaml shows in comments."""
    text = (CHART / "values.yaml").read_text()

    def compare(values, schema, path):
        properties = schema.get("properties", {})
        for name in properties:
            # Helm's own, and fields that the chart leaves to Kubernetes.
            if f"{path}{name}" != "global" and path not in ("resources.", "securityContext.", "sidecar.resources."):
                assert name in values or re.search(rf"^  # {name}: ", text, re.M), f"{path}{name}"
        for name, value in values.items():
            assert name in properties, f"{path}{name}"
            # An empty one takes Kubernetes' own fields.
            if value and isinstance(value, dict) and "properties" in properties[name]:
                compare(value, properties[name], f"{path}{name}.")
    compare(VALUES, SCHEMA, "")


def test_no_table_of_the_schema_takes_unknown_keys():
    """Except maps of names, and objects that only Kubernetes checks."""

    def closed(schema):
        if "properties" in schema:
            assert schema["additionalProperties"] is False, schema
        for name in ("properties", "definitions"):
            for inner in schema.get(name, {}).values():
                closed(inner)
        if isinstance(schema.get("items"), dict):
            closed(schema["items"])

    closed({key: value for key, value in SCHEMA.items() if key not in ("if", "then")})


@pytest.mark.parametrize(
    "values, named",
    [
        ({"mode": "daemonset"}, "mode"),
        ({"drainSeconds": "5m"}, "drainSeconds"),
        ({"replica": 3}, "replica"),
        ({"service": {"port": 0}}, "port"),
        ({"clientKeys": {"team-a": "sk-tl-the-key-itself"}}, "team-a"),
        ({"clientKeys": {"team a": f"{1:064}"}}, "team a"),
        ({"clientKeys": {"web": {"team": "search"}}}, "web"),
        ({"clientKeys": {"web": {"sha256": f"{1:064}", "tema": "search"}}}, "web"),
        ({"resources": {"limits": {"memory": "lots"}}}, "memory"),
        ({"image": {"repository": ""}}, "repository"),
        ({"image": {"digest": "1.2.3"}}, "digest"),
        ({"mode": "sidecar"}, "application"),
        ({**SIDECAR, "sidecar": {"application": {**APPLICATION, "name": "trunkline"}}}, "name"),
        ({**SIDECAR, "sidecar": {"application": {**APPLICATION, "volumeMount": []}}}, "volumeMount"),
        ({**SIDECAR, "sidecar": {"exposeadmin": True}}, "exposeadmin"),
        ({"ports": {"http": 8080}}, "http"),
        ({"ports": {"proxy": 70000}}, "proxy"),
        ({"listenAddress": "example.com"}, "listenAddress"),
        ({"server": {"max_bodies": "1MiB"}}, "max_bodies"),
        ({"server": {"max_in_flight": "128"}}, "max_in_flight"),
        ({"server": {"listen": "0.0.0.0:1"}}, "listen"),
        ({"server": {"drain_timeout": "5m"}}, "drain_timeout"),
        ({"server": {"max_body": "huge"}}, "max_body"),
        ({"env": [{"name": "A", "valeFrom": {}}]}, "valeFrom"),
        ({"env": [{"name": "A", "value": 1}]}, "value"),
        ({"envFrom": [{"secretref": {"name": "keys"}}]}, "secretref"),
        ({"extraVolumes": [{"name": "tls", "secrets": {}}]}, "secrets"),
        ({"extraVolumes": [{"name": "trunkline-keys", "emptyDir": {}}]}, "extraVolumes"),
        ({"extraVolumeMounts": [{"name": "tls", "mountpath": "/run/tls"}]}, "mountpath"),
        ({"extraContainers": [{"name": "more", "image": "more:1", "comand": []}]}, "comand"),
        ({"podAnnotations": {"a": 1}}, "podAnnotations"),
        ({"serviceAccount": {"annotation": {}}}, "annotation"),
        ({"securityContext": {"runAsRoot": True}}, "runAsRoot"),
        ({"podSecurityContext": {"fsgroup": 1}}, "fsgroup"),
        ({"networkPolicy": {"dns": {"namespace": []}}}, "namespace"),
        ({"networkPolicy": {"dns": {"addresses": ["169.254.20.10"]}}}, "addresses"),
        ({"networkPolicy": {"egress": [{"too": []}]}}, "too"),
        ({"tolerations": [{"keys": "gpu"}]}, "keys"),
        ({"affinity": {"nodeaffinity": {}}}, "nodeaffinity"),
        ({"ledger": {"path": "/var/lib"}}, "path"),
        ({"ledger": {"size": "much"}}, "size"),
        ({"store": {"urls": []}}, "urls"),
        ({"store": {"url": "redis://:password@valkey:6379"}}, "url"),
        ({"store": {"image": {"tag": ""}}}, "image"),
        ({"store": {"user": 0}}, "user"),
        ({"store": {"maxMemory": "128Mi"}}, "maxMemory"),
        ({"store": {"to": [{"pods": {}}]}}, "pods"),
    ],
)
def test_invalid_values_are_rejected_by_name(values, named, tmp_path):
    done = template(values, tmp_path)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
    assert named in done.stderr


@pytest.mark.parametrize(
    "values, reason",
    [
        ({"ports": {"proxy": 8081}}, "ports: proxy and admin are both 8081"),
        (merged(SIDECAR, {"podMonitor": {"enabled": True}}), "podMonitor.enabled: Prometheus cannot reach a sidecar's admin listener without sidecar.exposeAdmin"),
        ({"ledger": {"enabled": True}}, "ledger.enabled: one process writes a ledger; set autoscaling.enabled to false and replicas to 1"),
        ({"ledger": {"enabled": True}, "autoscaling": {"enabled": False}}, "replicas to 1"),
        ({**LEDGER, "config": "[ledger]\npath = \"/tmp/usage.db\""}, "config: the table [ledger] is set by the values ledger"),
        (merged(SIDECAR, {"ledger": {"enabled": True}}), "ledger.enabled: only in mode gateway"),
        (merged(SIDECAR, {"store": {"enabled": True}}), "store.enabled: only in mode gateway"),
        ({"store": {"enabled": True, "url": "redis://valkey"}}, "store: enabled is a Valkey of the chart's own, url is another one"),
        ({"store": {"url": "redis://valkey", "secretName": "valkey"}}, "store: url and the entry `url` of secretName"),
        (
            merged(SIDECAR, {"extraContainers": [{"name": "more", "image": "more:1", "ports": [{"containerPort": 8081}]}]}),
            "ports: the container more of the same pod has the port 8081",
        ),
    ],
)
def test_values_that_contradict_each_other_are_rejected_with_the_cure(values, reason, tmp_path):
    done = template(values, tmp_path)
    assert done.returncode != 0
    assert reason in done.stderr


@pytest.mark.parametrize("table", ["[server]", "  [ admin ]  # ours"])
def test_a_configuration_that_the_values_would_override_is_rejected(table, tmp_path):
    done = template({"config": f'strict_models = true\n{table}\nlisten = "127.0.0.1:1"\n'}, tmp_path)
    assert done.returncode != 0
    assert "config: the tables [server] and [admin] are set by the values" in done.stderr
