"""One machine: compose, and the systemd unit."""

import json
import re
import subprocess

import pytest
import yaml

import tools

COMPOSE = tools.DEPLOY / "compose.yaml"
UNIT = tools.DEPLOY / "systemd/trunkline.service"
MAX_EXPOSURE = 1.5


def schema(name, *files):
    checker = tools.tool("check-jsonschema", "pip install check-jsonschema")
    tools.run([checker, "--builtin-schema", name, *files])


def service(name):
    return tools.compose_service(name)


def test_compose_matches_its_schema():
    schema("vendor.compose-spec", COMPOSE)


def test_compose_publishes_on_loopback_only():
    for name in yaml.safe_load(COMPOSE.read_text())["services"]:
        assert all(port.startswith("127.0.0.1:") for port in service(name).get("ports", [])), name


def test_compose_mounts_existing_files():
    for name in ("prometheus", "grafana"):
        for volume in service(name)["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or (tools.DEPLOY / source).exists(), volume


def test_compose_accepts_the_variables_of_the_example(tmp_path):
    """The gateway accepts compose's settings together with every variable of .env.example."""
    lines = (tools.DEPLOY / ".env.example").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines if re.match(r"^[A-Z_]+=", line))
    assert {"OPENAI_API_KEY", "GROQ_API_KEY", "MISTRAL_API_KEY", "GEMINI_API_KEY", "FIREWORKS_API_KEY", "ROOT_PATH"} <= set(variables)
    assert not any(value for name, value in variables.items() if name.endswith("_KEY"))
    environment = tools.compose_environment("trunkline", **variables)
    output = tools.check("", tmp_path, **environment, **{**variables, "OPENAI_API_KEY": "sk-test"})
    assert re.search(r"^gpt-4o .* ready$", output, re.M), output
    assert "Listening for clients on 0.0.0.0:8080" in output


def test_compose_waits_for_the_drain():
    grace = int(service("trunkline")["stop_grace_period"].removesuffix("s"))
    default = re.search(r'^drain_timeout = "(\d+)([sm])"', (tools.ROOT / "config/trunkline.toml").read_text(), re.M)
    assert grace >= int(default[1]) * {"s": 1, "m": 60}[default[2]] + 5


def test_memory_is_limited():
    """Otherwise a burst could end in the kernel killing another program."""
    assert service("trunkline")["mem_limit"] == "768m"
    assert re.search(r"^MemoryMax=50%$", UNIT.read_text(), re.M)
    memory = re.search(r"(?s)### Memory\n(.*?)\n##", (tools.ROOT / "docs/deploy.md").read_text())[1]
    assert "768 MiB" in memory and "`MemoryMax=50%`" in memory


def test_the_unit_is_valid_and_confined(tmp_path):
    """The unit, with the path of the binary under test."""
    analyze = tools.tool("systemd-analyze", "install systemd")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/trunkline", str(tools.binary())))
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    scored = subprocess.run(
        [analyze, "security", "--offline=true", "--json=short", unit], capture_output=True, text=True
    )
    overall = subprocess.run([analyze, "security", "--offline=true", unit], capture_output=True, text=True)
    assert json.loads(scored.stdout)
    exposure = float(re.search(r"Overall exposure level for .*: ([\d.]+)", overall.stdout)[1])
    assert exposure <= MAX_EXPOSURE


def test_the_units_configuration_is_valid(tmp_path):
    text = (UNIT.parent / "trunkline.toml").read_text()
    unit = UNIT.read_text()
    files = re.findall(r'api_key_file = "(.+)"', text)
    assert files
    for file in files:
        folder, _, name = file.rpartition("/")
        assert folder == "/run/credentials/trunkline.service"
        assert re.search(rf"^LoadCredential={name}:/", unit, re.M)
        (tmp_path / name).write_text("sk-test")
        text = text.replace(file, str(tmp_path / name))
    assert "warning" not in tools.check(text, tmp_path)


@pytest.mark.parametrize("example", sorted((tools.ROOT / "config/examples").glob("*.toml")), ids=lambda path: path.stem)
def test_the_examples_are_valid(example, tmp_path):
    text = example.read_text()
    if "/run/tls/" in text:
        make_certificate(tmp_path)
        text = text.replace("/run/tls/", f"{tmp_path}/")
    variables = {name: "rediss://trunkline:secret@valkey.internal:6380" for name in re.findall(r'^url_env = "(\w+)"', text, re.M)}
    tools.check(text, tmp_path, **variables)


def make_certificate(folder):
    """A self-signed certificate, which is its own authority."""
    openssl = tools.tool("openssl", "install openssl")
    key, certificate = folder / "tls.key", folder / "tls.crt"
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate]
    tools.run([openssl, "req", "-x509", "-days", "2", "-subj", "/CN=gateway.test", *made])
    (folder / "ca.crt").write_bytes(certificate.read_bytes())
