"""The chart: its values, and what it renders from them."""

import copy
import json
import subprocess
import tomllib

import yaml

import manifests
import tools

CHART = tools.DEPLOY / "helm/trunkline"
# Values for tests, as chart-testing installs them too.
CI = {path.stem.removesuffix("-values"): yaml.safe_load(path.read_text()) for path in sorted((CHART / "ci").glob("*-values.yaml"))}
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
APPLICATION = {"name": "application", "image": "application:1", "env": [{"name": "OWN", "value": "x"}]}
SIDECAR = {"mode": "sidecar", "drainSeconds": 30, "sidecar": {"application": APPLICATION}}
GATEWAY = {"mode": "gateway"}
LEDGER = {"ledger": {"enabled": True}, "autoscaling": {"enabled": False}, "replicas": 1}


def merged(*all_values):
    """Values over others, table by table."""
    result = {}
    for values in all_values:
        for key, value in copy.deepcopy(values).items():
            result[key] = merged(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else value
    return result


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


def config_of(found):
    return tomllib.loads(manifests.config_of(found))


def template_of(found):
    return manifests.only(found, "Deployment")["spec"]["template"]


def trunkline_of(found):
    return manifests.container_of(manifests.pod_of(found))
