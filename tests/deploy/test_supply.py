"""The supply chain: workflows, and lock files that pin what they fetch."""

import json
import re
import tomllib

import yaml

import tools

WORKFLOWS = sorted((tools.ROOT / ".github/workflows").glob("*.yml"))


def test_workflows_match_their_schema():
    checker = tools.tool("check-jsonschema", "pip install check-jsonschema")
    tools.run([checker, "--builtin-schema", "vendor.github-workflows", *WORKFLOWS])


def test_actions_are_pinned_by_commit():
    uses = [use for file in WORKFLOWS for use in re.findall(r"uses: (.+)", file.read_text())]
    assert len(uses) > 5
    for use in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", use), use
    by_action = {}
    for use in uses:
        by_action.setdefault(use.split("@")[0], set()).add(use)
    assert all(len(versions) == 1 for versions in by_action.values()), by_action


def test_workflows_have_least_privilege():
    for file in WORKFLOWS:
        workflow = yaml.safe_load(file.read_text())
        assert workflow["permissions"] == {"contents": "read"}, file.name
        for name, job in workflow["jobs"].items():
            assert job["timeout-minutes"] <= 60, name
            for step in job["steps"]:
                # Untrusted input must not become part of a command.
                assert "${{" not in step.get("run", ""), f"{name}: {step['run']}"


def test_workflows_call_existing_files():
    text = " ".join(file.read_text() for file in WORKFLOWS)
    for path in set(re.findall(r"(?:deploy|tests|\.ci)/[\w./-]+", text)):
        assert (tools.ROOT / path).exists(), path


def test_npm_packages_are_pinned_by_hash():
    locks = [path for path in tools.ROOT.rglob("package-lock.json") if "node_modules" not in path.parts]
    locks = [path for path in locks if not path.is_relative_to(tools.ROOT / "target")]
    assert len(locks) >= 4
    for lock in locks:
        locked = json.loads(lock.read_text())
        manifest = json.loads((lock.parent / "package.json").read_text())
        for kind in ("dependencies", "devDependencies"):
            assert locked["packages"][""].get(kind) == manifest.get(kind), f"{lock}: run npm install"
        for name, package in locked["packages"].items():
            if name and not package.get("link"):
                assert package["integrity"].startswith("sha512-"), f"{lock}: {name}"
                # Set only for archives and repositories, not for a registry's packages.
                assert "resolved" not in package, f"{lock}: {name} comes from {package['resolved']}"


def test_python_packages_are_pinned():
    for requirements in (tools.ROOT / "tests").rglob("requirements.txt"):
        for line in requirements.read_text().split():
            assert re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+", line), f"{requirements}: {line}"


def test_crates_come_from_the_registry_only():
    for lock in (tools.ROOT / "Cargo.lock", tools.ROOT / "fuzz/Cargo.lock"):
        for package in tomllib.loads(lock.read_text())["package"]:
            source = package.get("source", "")
            if package["name"] not in ("trunkline", "trunkline-fuzz"):
                assert source.startswith("registry+https://github.com/rust-lang/crates.io-index"), package["name"]
                assert package.get("checksum"), package["name"]
