"""Links, commands and names in the documentation."""

import pathlib
import re

import pytest
import yaml

import tools

PAGES = sorted([*tools.ROOT.glob("*.md"), *(tools.ROOT / "docs").glob("*.md"), tools.ROOT / "benches/README.md"])
DEPLOY_PAGE = (tools.ROOT / "docs/deploy.md").read_text()


def anchors(page):
    """The anchors that GitHub derives from headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_commands_name_existing_files():
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", DEPLOY_PAGE, re.S))
    paths = set(re.findall(r"(?:^|[\s/])(deploy/[\w./-]+)", commands, re.M)) - {"deploy/.env"}
    assert len(paths) > 5
    for path in paths:
        assert (tools.ROOT / path).exists(), path


def test_names_match_the_manifests():
    kubernetes = tools.DEPLOY / "kubernetes"
    policy = (kubernetes / "overlays/shared/network-policy.yaml").read_text()
    assert "kubectl label namespace default trunkline/client=true" in DEPLOY_PAGE and 'trunkline/client: "true"' in policy
    application = yaml.safe_load((kubernetes / "overlays/sidecar/application.yaml").read_text())
    (container,) = application["spec"]["template"]["spec"]["containers"]
    assert f"deployment/{application['metadata']['name']} -c {container['name']}" in DEPLOY_PAGE
    for overlay in ("base", "components/sidecar"):
        config = (kubernetes / overlay / "trunkline.toml").read_text()
        assert "/run/secrets/trunkline/openai" in config and "--from-file=openai=openai.key" in DEPLOY_PAGE


def test_the_socket_example_is_consistent(tmp_path):
    section = DEPLOY_PAGE.split("### Over a socket instead of a port")[1].split("\n## ")[0]
    config, volumes = (re.search(rf"```{kind}\n(.*?)```", section, re.S)[1] for kind in ("toml", "yaml"))
    path = pathlib.Path(re.search(r'unix:([^"]+)', config)[1])
    assert f"Listening for clients on unix:{path} (0666)" in tools.check(config, tmp_path)
    parsed = yaml.safe_load(volumes)
    assert parsed["volumeMounts"] == [{"name": parsed["volumes"][0]["name"], "mountPath": str(path.parent)}]
    assert f'uds="{path}"' in section and f"--unix-socket {path} " in section


def test_every_alert_is_explained():
    groups = yaml.safe_load((tools.DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert set(re.findall(r"^\| `(Trunkline\w+)` \|", DEPLOY_PAGE, re.M)) == alerts
