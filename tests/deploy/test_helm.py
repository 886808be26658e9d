"""The chart, rendered with valid values."""

import re
import socket
import urllib.error

import pytest
import yaml

import manifests
import tools
from chart import APPLICATION, CHART, CI, GATEWAY, LEDGER, SIDECAR, config_of, merged, rendered, template, template_of, trunkline_of

EVERYTHING = {
    "image": {"repository": "registry.example.com/trunkline", "tag": "1.2.3", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "pull"}],
    "autoscaling": {"enabled": False},
    "replicas": 3,
    "drainDelaySeconds": 15,
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "podLabels": {"team": "a"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "networkPolicy": {"egress": [{"to": [{"podSelector": {"matchLabels": {"app": "vllm"}}}], "ports": [{"port": 8000, "protocol": "TCP"}]}]},
    "service": {"type": "LoadBalancer", "port": 8080, "nodePort": 30080, "loadBalancerSourceRanges": ["192.0.2.0/24"], "externalTrafficPolicy": "Local"},
    "deploymentStrategy": {"type": "Recreate"},
}
# Values of the pod that both modes take, and where they are in its template.
POD_VALUES = {
    "priorityClassName": ("high", lambda template: template["spec"]["priorityClassName"]),
    "runtimeClassName": ("gvisor", lambda template: template["spec"]["runtimeClassName"]),
    "nodeSelector": ({"disk": "ssd"}, lambda template: template["spec"]["nodeSelector"]),
    "tolerations": ([{"key": "gpu", "operator": "Exists"}], lambda template: template["spec"]["tolerations"]),
    "affinity": ({"nodeAffinity": {}}, lambda template: template["spec"]["affinity"]),
    "hostAliases": ([{"ip": "192.0.2.1", "hostnames": ["llm"]}], lambda template: template["spec"]["hostAliases"]),
    "dnsPolicy": ("Default", lambda template: template["spec"]["dnsPolicy"]),
    "dnsConfig": ({"nameservers": ["192.0.2.53"]}, lambda template: template["spec"]["dnsConfig"]),
    "imagePullSecrets": ([{"name": "pull"}], lambda template: template["spec"]["imagePullSecrets"]),
    "podSecurityContext": ({"fsGroup": 2000, "runAsNonRoot": True}, lambda template: template["spec"]["securityContext"]),
    "topologySpreadConstraints": (
        [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
        lambda template: template["spec"]["topologySpreadConstraints"],
    ),
    "podAnnotations": ({"example.com/a": "b"}, lambda template: {k: v for k, v in template["metadata"]["annotations"].items() if k == "example.com/a"}),
    "podLabels": ({"team": "a"}, lambda template: {k: v for k, v in template["metadata"]["labels"].items() if k == "team"}),
    "initContainers": ([{"name": "first", "image": "first:1"}], lambda template: [c for c in template["spec"]["initContainers"] if c["name"] == "first"]),
    "extraContainers": ([{"name": "more", "image": "more:1"}], lambda template: [c for c in template["spec"]["containers"] if c["name"] == "more"]),
    "extraVolumes": ([{"name": "tls", "secret": {"secretName": "tls"}}], lambda template: [v for v in template["spec"]["volumes"] if v["name"] == "tls"]),
}
# Values of Trunkline's container.
CONTAINER_VALUES = {
    "env": ([{"name": "A_KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}], lambda found: found["env"][-1:]),
    "envFrom": ([{"prefix": "P_", "secretRef": {"name": "keys"}}], lambda found: found["envFrom"]),
    "extraVolumeMounts": ([{"name": "tls", "mountPath": "/run/tls", "readOnly": True}], lambda found: found["volumeMounts"][-1:]),
    "securityContext": ({"seLinuxOptions": {"level": "s0"}}, lambda found: {k: v for k, v in found["securityContext"].items() if k == "seLinuxOptions"}),
}


def test_the_chart_passes_lint():
    helm = tools.tool("helm", "npm ci in tests/deploy")
    for values in ([], *(["--values", path] for path in (CHART / "ci").glob("*"))):
        output = tools.run([helm, "lint", "--strict", CHART, *values])
        assert "[INFO]" not in output, output


def test_the_package_is_without_values_for_tests(tmp_path):
    helm = tools.tool("helm", "npm ci in tests/deploy")
    tools.run([helm, "package", CHART, "--destination", tmp_path])
    (archive,) = tmp_path.glob("*.tgz")
    names = tools.run(["tar", "tzf", archive]).split()
    assert "trunkline/values.schema.json" in names
    assert not [name for name in names if "/ci/" in name]


def test_the_icon_is_the_pages():
    icon = yaml.safe_load((CHART / "Chart.yaml").read_text())["icon"]
    assert f'<link rel="icon" href="{icon}">' in (tools.ROOT / "web/index.html").read_text()


@pytest.mark.parametrize(
    "values", [{}, EVERYTHING, SIDECAR, *CI.values()], ids=["defaults", "everything", "sidecar", *(f"ci-{name}" for name in CI)]
)
def test_rendered_manifests_are_valid_and_restricted(values, tmp_path):
    manifests.assert_manifests(rendered(values, tmp_path), tmp_path)


def test_both_modes_and_the_store_have_test_values():
    assert {name: values.get("mode", "gateway") for name, values in CI.items()} == {"gateway": "gateway", "sidecar": "sidecar", "store": "gateway"}
    assert CI["store"]["store"]["enabled"] and CI["gateway"]["store"]["url"]


def test_values_are_applied(tmp_path):
    found = rendered(EVERYTHING, tmp_path)
    kinds = {manifest["kind"] for manifest in found}
    assert "HorizontalPodAutoscaler" not in kinds and "PodMonitor" in kinds
    assert manifests.only(found, "PodMonitor")["metadata"]["labels"]["release"] == "prometheus"
    deployment = manifests.only(found, "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (3, {"type": "Recreate"})
    assert trunkline_of(found)["image"] == "registry.example.com/trunkline:1.2.3"
    assert manifests.environment_of(trunkline_of(found))["TRUNKLINE_SERVER__DRAIN_DELAY"] == "15s"
    policy = manifests.only(found, "NetworkPolicy")
    assert policy["spec"]["egress"][-1] == EVERYTHING["networkPolicy"]["egress"][0]
    service = manifests.only(found, "Service")["spec"]
    assert (service["type"], service["externalTrafficPolicy"], service["loadBalancerSourceRanges"]) == ("LoadBalancer", "Local", ["192.0.2.0/24"])
    assert (service["ports"][0]["port"], service["ports"][0]["nodePort"]) == (8080, 30080)


def test_the_gateways_test_values_are_applied(tmp_path):
    values = CI["gateway"]
    found = rendered(values, tmp_path)
    assert {manifest["metadata"]["name"] for manifest in found} == {"ai-gateway", "gateway"}
    account = manifests.only(found, "ServiceAccount")
    assert (account["metadata"]["name"], account["metadata"]["annotations"]) == ("gateway", values["serviceAccount"]["annotations"])
    assert manifests.pod_of(found)["serviceAccountName"] == "gateway"
    assert manifests.only(found, "Deployment")["metadata"]["annotations"] == values["deploymentAnnotations"]
    service = manifests.only(found, "Service")
    assert service["metadata"]["annotations"] == values["service"]["annotations"]
    assert service["spec"]["ports"][0]["port"] == 8000
    policy = manifests.only(found, "NetworkPolicy")
    assert policy["spec"]["ingress"][-1] == values["networkPolicy"]["ingress"][0]
    assert manifests.allows(policy, "10.96.0.10", 53) and not manifests.allows(policy, "10.96.0.11", 53)
    assert list(config_of(found)["access"]["keys"]) == ["team.a"]


@pytest.mark.parametrize("mode", [GATEWAY, SIDECAR], ids=lambda values: values["mode"])
@pytest.mark.parametrize("name", POD_VALUES)
def test_the_pod_of_both_modes_takes(name, mode, tmp_path):
    value, where = POD_VALUES[name]
    found = rendered(merged(mode, {name: value}), tmp_path)
    manifests.validate(found)
    assert where(template_of(found)) == value


@pytest.mark.parametrize("mode", [GATEWAY, SIDECAR], ids=lambda values: values["mode"])
@pytest.mark.parametrize("name", CONTAINER_VALUES)
def test_trunklines_container_of_both_modes_takes(name, mode, tmp_path):
    value, where = CONTAINER_VALUES[name]
    found = rendered(merged(mode, {name: value}), tmp_path)
    manifests.validate(found)
    assert where(trunkline_of(found)) == value


@pytest.mark.parametrize("mode", [GATEWAY, SIDECAR], ids=lambda values: values["mode"])
def test_the_service_account_is_the_charts_or_an_existing_one(mode, tmp_path):
    found = rendered(merged(mode, {"serviceAccount": {"automount": True, "annotations": {"a": "b"}}}), tmp_path)
    account = manifests.only(found, "ServiceAccount")
    assert manifests.pod_of(found)["serviceAccountName"] == account["metadata"]["name"] == "tl-trunkline"
    assert account["metadata"]["annotations"] == {"a": "b"}
    assert account["automountServiceAccountToken"] is manifests.pod_of(found)["automountServiceAccountToken"] is True
    for name, used in (("existing", "existing"), ("", "default")):
        found = rendered(merged(mode, {"serviceAccount": {"create": False, "name": name}}), tmp_path)
        assert not manifests.of_kind(found, "ServiceAccount")
        pod = manifests.pod_of(found)
        assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == (used, False)


def test_the_ledger_has_a_volume_that_one_pod_writes(tmp_path):
    found = rendered(merged(LEDGER, {"ledger": {"size": "5Gi", "storageClassName": "fast", "retentionDays": 90}}), tmp_path)
    manifests.assert_manifests(found, tmp_path)
    claim = manifests.only(found, "PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
    assert claim["spec"]["storageClassName"] == "fast"
    assert manifests.only(found, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    pod, container = manifests.pod_of(found), trunkline_of(found)
    (volume,) = [volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == volume["name"]]
    variables = manifests.environment_of(container)
    assert variables["TRUNKLINE_LEDGER__PATH"].startswith(f"{mount['mountPath']}/") and not mount.get("readOnly")
    assert variables["TRUNKLINE_LEDGER__RETENTION_DAYS"] == "90"
    assert pod["securityContext"]["fsGroup"] == container["securityContext"]["runAsGroup"]
    ours = rendered(merged(LEDGER, {"ledger": {"existingClaim": "ours"}}), tmp_path)
    assert not manifests.of_kind(ours, "PersistentVolumeClaim")
    assert {"claimName": "ours"} in [volume.get("persistentVolumeClaim") for volume in manifests.pod_of(ours)["volumes"]]


def test_labels_that_select_the_pods_are_not_replaced(tmp_path):
    found = rendered({"podLabels": {"app.kubernetes.io/name": "mine", "team": "a"}}, tmp_path)
    labels = template_of(found)["metadata"]["labels"]
    assert (labels["app.kubernetes.io/name"], labels["team"]) == ("trunkline", "a")


def test_an_image_can_be_named_by_digest(tmp_path):
    digest = f"sha256:{'0' * 64}"
    assert trunkline_of(rendered({"image": {"digest": digest, "tag": "1"}}, tmp_path))["image"] == f"trunkline@{digest}"


def test_the_user_can_be_left_to_the_namespace(tmp_path):
    """OpenShift refuses a user outside of the namespace's range."""
    helm = tools.tool("helm", "npm ci in tests/deploy")
    page = (tools.ROOT / "docs/deploy.md").read_text()
    options = re.search(r"On OpenShift, .*`(--set [^`]+)`", page)[1].split()
    found = manifests.parse(tools.run([helm, "template", "tl", CHART, "--kube-version", "1.31.0", *options]))
    assert not {"runAsUser", "runAsGroup"} & set(trunkline_of(found)["securityContext"])
    assert trunkline_of(found)["securityContext"]["runAsNonRoot"] is True


def test_ports_are_values(tmp_path):
    found = rendered({"ports": {"proxy": 9000, "admin": 9001}}, tmp_path)
    manifests.assert_manifests(found, tmp_path)
    assert manifests.ports_of(trunkline_of(found)) == {"http": 9000, "tl-admin": 9001}
    variables = manifests.environment_of(trunkline_of(found))
    assert (variables["TRUNKLINE_SERVER__LISTEN"], variables["TRUNKLINE_ADMIN__LISTEN"]) == ("0.0.0.0:9000", "0.0.0.0:9001")
    assert manifests.only(found, "Service")["spec"]["ports"][0]["targetPort"] == "http"
    assert template_of(found)["metadata"]["annotations"]["prometheus.io/port"] == "9001"
    (clients, prometheus) = manifests.only(found, "NetworkPolicy")["spec"]["ingress"]
    assert (clients["ports"], prometheus["ports"]) == ([{"port": "http"}], [{"port": "tl-admin"}])


def test_pods_with_ipv6_addresses_only_can_be_reached(tmp_path):
    found = rendered({"listenAddress": "[::]", "config": "", "secretName": ""}, tmp_path)
    output = tools.check(manifests.config_of(found), tmp_path, **manifests.environment_of(trunkline_of(found)))
    assert "Listening for clients on [::]:8080" in output and "Admin listener on [::]:8081" in output


def test_a_sidecar_fits_beside_an_application_on_its_port(tmp_path):
    """Containers of a pod share its ports."""
    application = {**APPLICATION, "ports": [{"containerPort": 8080}]}
    values = merged(SIDECAR, {"sidecar": {"application": application}})
    done = template(values, tmp_path)
    assert done.returncode != 0
    assert "ports: the container application of the same pod has the port 8080; set ports.proxy" in done.stderr
    found = rendered(merged(values, {"ports": {"proxy": 8090}}), tmp_path)
    manifests.assert_manifests(found, tmp_path)
    (application,) = manifests.pod_of(found)["containers"]
    assert manifests.environment_of(application)["OPENAI_BASE_URL"] == "http://127.0.0.1:8090/v1"


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [free.getsockname()[1] for free in sockets]
    for free in sockets:
        free.close()
    return ports


@pytest.mark.parametrize("exposed", [False, True], ids=["closed", "exposed"])
def test_a_sidecars_probes_succeed_while_no_other_pod_reaches_its_admin_listener(exposed, tmp_path):
    """The rendered configuration, variables and probes, run on this machine."""
    proxy, admin = free_ports(2)
    values = merged(CI["sidecar"], {"ports": {"proxy": proxy, "admin": admin}, "sidecar": {"exposeAdmin": exposed}})
    found = rendered(values, tmp_path)
    container = trunkline_of(found)
    variables = manifests.environment_of(container)
    with tools.gateway(tmp_path, manifests.config_of(found), **variables) as (_, listen, _admin):
        assert listen == f"127.0.0.1:{proxy}"
        for probe in ("startupProbe", "livenessProbe"):
            command = container[probe]["exec"]["command"]
            assert command[0] == "/usr/bin/trunkline"
            # A broken file must not end a container that serves.
            (tmp_path / "trunkline.toml").write_text("[server")
            assert "200 OK" in tools.run([tools.binary(), *command[1:]], cwd=tmp_path, env={})
        # Every address of 127.0.0.0/8 is this machine's, but only 127.0.0.1 is listened on.
        if exposed:
            assert tools.get(f"http://127.0.0.2:{admin}/livez") == "ok\n"
        else:
            with pytest.raises(urllib.error.URLError, match="refused"):
                tools.get(f"http://127.0.0.2:{admin}/livez")


def test_a_sidecars_admin_listener_is_opened_only_on_request(tmp_path):
    closed = rendered(SIDECAR, tmp_path)
    assert manifests.environment_of(trunkline_of(closed))["TRUNKLINE_ADMIN__LISTEN"] == "127.0.0.1:8081"
    assert "ports" not in trunkline_of(closed)
    assert "annotations" not in template_of(closed)["metadata"]
    opened = rendered(merged(SIDECAR, {"sidecar": {"exposeAdmin": True}}), tmp_path)
    manifests.assert_manifests(opened, tmp_path)
    assert manifests.environment_of(trunkline_of(opened))["TRUNKLINE_ADMIN__LISTEN"] == "0.0.0.0:8081"
    assert template_of(opened)["metadata"]["annotations"] == {"prometheus.io/scrape": "true", "prometheus.io/port": "8081"}


@pytest.mark.parametrize("mode", [GATEWAY, merged(SIDECAR, {"sidecar": {"exposeAdmin": True}})], ids=lambda values: values["mode"])
def test_prometheus_annotations_can_be_left_out_or_replaced(mode, tmp_path):
    for off in ({"prometheusAnnotations": False}, {"podMonitor": {"enabled": True}}):
        assert "annotations" not in template_of(rendered(merged(mode, off), tmp_path))["metadata"]
    own = {"prometheus.io/port": "9999", "prometheus.io/path": "/own"}
    found = template_of(rendered(merged(mode, {"podAnnotations": own}), tmp_path))["metadata"]["annotations"]
    assert found == {"prometheus.io/scrape": "true", **own}


def test_the_application_gets_our_variables_and_keeps_its_own(tmp_path):
    pod = manifests.pod_of(rendered(SIDECAR, tmp_path))
    (application,) = pod["containers"]
    assert manifests.environment_of(application) == {
        "OPENAI_BASE_URL": "http://127.0.0.1:8080/v1", "OPENAI_API_KEY": "none", "OWN": "x",
    }


def test_a_variable_occurs_once(tmp_path):
    """Of two with one name Kubernetes keeps the last, and `kubectl apply` may drop either."""
    own = [{"name": "OPENAI_BASE_URL", "value": "http://127.0.0.1:8080/api/v1"}]
    listen = [{"name": "TRUNKLINE_SERVER__LISTEN", "value": "unix:/run/trunkline/trunkline.sock"}]
    pod = manifests.pod_of(rendered(merged(SIDECAR, {"env": listen, "sidecar": {"application": {"env": own}}}), tmp_path))
    for container, variable in ((pod["containers"][0], own[0]), (manifests.container_of(pod), listen[0])):
        assert [entry for entry in container["env"] if entry["name"] == variable["name"]] == [variable]


def test_the_application_keeps_its_token_and_volumes(tmp_path):
    pod = manifests.pod_of(rendered(CI["sidecar"], tmp_path))
    assert pod["automountServiceAccountToken"] is True
    (application,) = pod["containers"]
    assert application["volumeMounts"] == [{"name": "data", "mountPath": "/data"}]
    assert {"name": "data", "emptyDir": {}} in pod["volumes"]
    assert pod["securityContext"] == {"fsGroup": 1000}
    assert [container["name"] for container in pod["initContainers"]] == ["trunkline", "prepare"]


def test_limits_are_in_the_file_and_single_ones_can_be_replaced(tmp_path):
    """Variables go before the file: a limit among them would override the file silently."""
    listeners = {"TRUNKLINE_SERVER__LISTEN", "TRUNKLINE_ADMIN__LISTEN", "TRUNKLINE_SERVER__DRAIN_DELAY", "TRUNKLINE_SERVER__DRAIN_TIMEOUT"}
    for mode in (GATEWAY, SIDECAR):
        before, after = rendered(mode, tmp_path), rendered(merged(mode, {"server": {"max_buffered": "12MiB", "page": False, "workers": 3}}), tmp_path)
        assert set(manifests.environment_of(trunkline_of(after))) <= listeners
        limits = config_of(before)["server"]
        assert config_of(after)["server"] == {**limits, "max_buffered": "12MiB", "page": False, "workers": 3}


def test_values_of_every_type_reach_the_file(tmp_path):
    server = {"max_connections": 1000000, "allowed_hosts": ["a.example.com", "b.example.com"], "server_timing": False, "spool_dir": "/var/<tmp>", "keepalive_comments": "15s"}
    found = rendered({"server": server}, tmp_path)
    assert config_of(found)["server"] == {"max_buffered": "192MiB", **server}
    manifests.assert_manifests(found, tmp_path)


def test_tables_below_server_belong_in_the_configuration(tmp_path):
    """The example of the documentation: TLS, with the certificate from a Secret."""
    page = (tools.ROOT / "docs/deploy.md").read_text()
    values = yaml.safe_load(re.search(r"### Values of the chart.*?```yaml\n(.*?)```", page, re.S)[1])
    found = rendered(values, tmp_path)
    manifests.validate(found)
    config = config_of(found)["server"]
    assert config == {"tls": {"cert_file": "/run/tls/tls.crt", "key_file": "/run/tls/tls.key"}, "max_buffered": "192MiB"}
    mounts = {mount["mountPath"]: mount["name"] for mount in trunkline_of(found)["volumeMounts"]}
    assert {"name": mounts["/run/tls"], "secret": {"secretName": "trunkline-tls"}} in manifests.pod_of(found)["volumes"]
    assert "/run/secrets/trunkline" not in mounts
    (port,) = manifests.only(found, "Service")["spec"]["ports"]
    assert (port["port"], port["appProtocol"]) == (443, "https")
    assert manifests.ports_of(trunkline_of(found)) == {"http": 8443, "tl-admin": 8081}


def test_the_network_policy_allows_name_servers_and_providers_but_not_the_metadata_service(tmp_path):
    policy = manifests.only(rendered({}, tmp_path), "NetworkPolicy")
    manifests.assert_names_resolve(policy)
    manifests.assert_metadata_is_unreachable(policy)
    dns = {"namespaces": ["dns"], "addresses": ["192.168.0.53/32"], "ports": [53]}
    policy = manifests.only(rendered({"networkPolicy": {"dns": dns}}, tmp_path), "NetworkPolicy")
    assert manifests.namespaces_allowed(policy, 53) == {"dns"}
    assert manifests.allows(policy, "192.168.0.53", 53) and not manifests.allows(policy, "169.254.20.10", 53)


def test_the_chart_and_the_kustomization_agree(tmp_path):
    """Both render the same sidecar, except for where its listeners and drain times are."""
    kubectl = tools.tool("kubectl", "install kubectl 1.27 or later")
    for values, overlay in ((SIDECAR, "overlays/sidecar"), (GATEWAY, "base")):
        kustomized = manifests.parse(tools.run([kubectl, "kustomize", tools.DEPLOY / "kubernetes" / overlay]))
        found = rendered(values, tmp_path)
        ours, theirs = (config_of(each)["server"] for each in (found, kustomized))
        assert ours == {key: value for key, value in theirs.items() if key not in ("listen", "drain_delay", "drain_timeout")}
        if values is SIDECAR:
            ours, theirs = (
                {key: trunkline_of(each)[key] for key in ("image", "resources", "securityContext", "startupProbe", "livenessProbe")}
                for each in (found, kustomized)
            )
            assert ours == theirs
    version = re.search(r'^version = "(.+)"$', (tools.ROOT / "Cargo.toml").read_text(), re.M)[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)
