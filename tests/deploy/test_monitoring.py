"""Metrics, rules, alerts and the dashboard, checked by promtool and a running Prometheus."""

import contextlib
import http.server
import json
import re
import socket
import subprocess
import time
import urllib.parse

import pytest
import yaml

import tools

PROMETHEUS = tools.DEPLOY / "prometheus"
DASHBOARD = tools.DEPLOY / "grafana/trunkline.json"
CURE = "install Prometheus, such as by `apt-get install prometheus`"
# Values that Grafana substitutes.
VARIABLES = {"$__rate_interval": "5m", "$__range": "5m", "$job": ".*", "$instance": ".*", "$model": ".*", "$provider": ".*"}


def documented():
    """Every metric of docs/metrics.md: its kind and labels."""
    text = (tools.ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `((?:trunkline|process)_\w+)` \| (\w+)[^|]* \| ([^|]*) \|", text, re.M)
    assert len(rows) > 20
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def series_names(metrics):
    """The names of their series in Prometheus."""
    names = set()
    for name, (kind, _) in metrics.items():
        names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return names


def queries():
    """Every query of the dashboard with its panel's title and its variables substituted."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = []
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            found.append((panel["title"], target["expr"]))
    return [(title, fill(expr)) for title, expr in found]


def fill(expr):
    for name, value in sorted(VARIABLES.items(), key=lambda item: -len(item[0])):
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr


@pytest.fixture(scope="module")
def promtool():
    return tools.tool("promtool", CURE)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A gateway after requests with several outcomes."""
    directory = tmp_path_factory.mktemp("gateway")
    with tools.provider() as port:
        config = f"""
[providers.up]
base_url = "http://127.0.0.1:{port}/v1"
api_key = "k"
[providers.dead]
base_url = "http://127.0.0.1:9/v1"
api_key = "k"
[models.good]
provider = "up"
[prices."up/good"]
input = "1"
output = "2"
[models.broken]
targets = [{{ provider = "dead", model = "a" }}, {{ provider = "dead", model = "b" }}]
[models.saved]
provider = "dead"
fallbacks = ["good"]
[limits.dollars]
models = ["good"]
budget = ["100/day"]
[limits.trial]
requests = ["1/day"]
at_limit = "observe"
"""
        with tools.gateway(directory, config) as (_, listen, admin):
            exercise(listen)
            yield listen, admin


def exercise(listen):
    for model in ("good", "saved", "broken", "unknown"):
        tools.ask(listen, model)
    code, body = tools.ask(listen, "good", stream=True)
    assert code == 200 and "[DONE]" in body


@pytest.fixture(scope="module")
def prometheus(running, tmp_path_factory):
    """A Prometheus with our rules and alerts that scrapes the gateway every second."""
    with scraping(running[1], tmp_path_factory.mktemp("prometheus")) as address:
        ask = lambda query: evaluate(address, query)
        exercise(running[0])
        # Rates need increments between scrapes.
        until("a rate", lambda: ask('rate(trunkline_requests_total{outcome="ok"}[1m]) > 0'))
        until("the rules", lambda: ask("model_provider:trunkline_requests:rate5m"))
        yield address


@contextlib.contextmanager
def scraping(admin, directory, *options):
    """A Prometheus with our rules and alerts; yields its address after two scrapes."""
    program = tools.tool("prometheus", CURE)
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [admin]}]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:%d" % free.getsockname()[1]
    command = [
        program, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address={address}", "--log.level=warn", *options,
    ]
    with tools.process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        until("two scrapes", lambda: evaluate(address, "count_over_time(trunkline_build_info[1m]) > 1"))
        yield address


def until(what, look):
    end = time.monotonic() + tools.WAIT_SECONDS
    while time.monotonic() < end:
        try:
            if look():
                return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail(f"timed out waiting for {what}")


def evaluate(address, query):
    response = tools.get(f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
    return json.loads(response)["data"]["result"]


def test_the_scrape_is_well_formed(running, promtool):
    scrape = tools.get(f"http://{running[1]}/metrics")
    done = subprocess.run([promtool, "check", "metrics"], input=scrape, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout


def test_every_scraped_metric_is_documented_with_its_labels(running):
    metrics = documented()
    scrape = tools.get(f"http://{running[1]}/metrics")
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", scrape, re.M))
    for name, kind in kinds.items():
        assert metrics[name][0] == kind, name
    for line in scrape.splitlines():
        if line.startswith("#"):
            continue
        name, labels = re.match(r"(\w+)(?:\{(.*)\})? ", line).groups()
        name = name if name in metrics else re.sub(r"_(bucket|sum|count)$", "", name)
        found = set(re.findall(r'(\w+)="', labels or "")) - {"le"}
        assert found == metrics[name][1], name


def test_rules_and_alerts_are_valid(promtool):
    for name in ("rules.yml", "alerts.yml"):
        tools.run([promtool, "check", "rules", "--lint-fatal", PROMETHEUS / name])
    tools.run([promtool, "check", "config", PROMETHEUS / "prometheus.yml"])


def test_rules_and_alerts_evaluate_as_expected(promtool):
    tools.run([promtool, "test", "rules", "rules_test.yml", "alerts_test.yml"], cwd=PROMETHEUS)


def test_every_alert_is_tested():
    alerts = [rule["alert"] for rule in rules("alerts.yml")]
    tested = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    fires = {test["alertname"] for group in tested for test in group["alert_rule_test"] if test.get("exp_alerts")}
    assert fires == set(alerts)


def test_every_recording_is_tested():
    tested = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
    asked = " ".join(case["expr"] for group in tested for case in group["promql_expr_test"])
    for rule in rules("rules.yml"):
        assert rule["record"] in asked, rule["record"]


def rules(file):
    return [rule for group in yaml.safe_load((PROMETHEUS / file).read_text())["groups"] for rule in group["rules"]]


def test_every_queried_metric_exists():
    known = series_names(documented()) | {rule["record"] for rule in rules("rules.yml")}
    asked = queries() + [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules("rules.yml") + rules("alerts.yml")]
    assert len(asked) > 50
    for title, expr in asked:
        for name in re.findall(r"[\w:]*(?:trunkline|process)_[\w:]+", expr):
            assert name in known, f"{title} queries {name}"


def test_every_series_of_an_alert_exists_before_the_first_request(tmp_path):
    """An increment is not seen in a series that appears with it."""
    config = f"""
[providers.up]
base_url = "http://127.0.0.1:9/v1"
api_key = "k"
health = {{ interval = "10s" }}
[models.m]
provider = "up"
[prices."up/m"]
input = "1"
output = "2"
[limits.dollars]
models = ["m"]
budget = ["100/day"]
[ledger]
path = "{tmp_path}/usage.db"
[store]
url = "redis://127.0.0.1:9"
[traces]
endpoint = "http://127.0.0.1:9"
"""
    with tools.gateway(tmp_path, config) as (_, _, admin):
        scrape = tools.get(f"http://{admin}/metrics")
    found = set(re.findall(r"^(\w+)", scrape, re.M))
    recorded = {rule["record"]: rule["expr"] for rule in rules("rules.yml")}
    pending, asked = [rule["expr"] for rule in rules("alerts.yml")], set()
    while pending:
        for name in re.findall(r"[\w:]*trunkline_[\w:]+", pending.pop()):
            if name in recorded:
                pending.append(recorded[name])
            else:
                asked.add(name)
    assert len(asked) > 8
    assert asked <= found, asked - found


class Forbidding(http.server.BaseHTTPRequestHandler):
    """Refuses every key."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(403)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_the_first_request_that_calls_for_an_alert_raises_it(tmp_path):
    with tools.provider(Forbidding) as port:
        config = f"""
[providers.up]
base_url = "http://127.0.0.1:{port}/v1"
api_key = "k"
[models.refused]
provider = "up"
[providers.lacking]
base_url = "http://127.0.0.1:9/v1"
api_key_env = "LACKING_KEY"
[models.lacking]
provider = "lacking"
"""
        directory = tmp_path / "prometheus"
        directory.mkdir()
        with tools.gateway(tmp_path, config) as (_, listen, admin), scraping(admin, directory) as address:
            firing = lambda: {alert["metric"]["alertname"] for alert in evaluate(address, 'ALERTS{alertstate="firing"}')}
            assert firing() == set()
            assert tools.ask(listen, "refused")[0] == 403
            assert tools.ask(listen, "lacking")[0] == 503
            expected = {"TrunklineKeyUnauthorized", "TrunklineNotConfigured"}
            until("both alerts", lambda: expected <= firing())


def test_every_metric_is_on_the_dashboard():
    shown = " ".join(expr for _, expr in queries())
    for name in documented():
        assert name in shown, f"{name} is not on the dashboard"


def test_panels_are_described_and_do_not_overlap():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        position = panel["gridPos"]
        cells = {(position["x"] + x, position["y"] + y) for x in range(position["w"]) for y in range(position["h"])}
        assert position["x"] + position["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["targets"] and panel["fieldConfig"] is not None, panel["title"]


def test_prometheus_finds_the_gateway_up(prometheus):
    (result,) = evaluate(prometheus, 'up{job="trunkline"}')
    assert result["value"][1] == "1"


def test_prometheus_evaluates_every_query_of_the_dashboard(prometheus):
    empty = [title for title, expr in queries() if not evaluate(prometheus, expr)]
    # Queries for events that did not happen here are empty; they must be few.
    print(f"empty: {empty}")
    assert len(empty) <= len(queries()) / 4, empty


def test_prometheus_runs_every_rule_without_an_error(prometheus):
    response = json.loads(tools.get(f"http://{prometheus}/api/v1/rules"))
    ran = [rule for group in response["data"]["groups"] for rule in group["rules"]]
    assert len(ran) == len(rules("rules.yml")) + len(rules("alerts.yml"))
    for rule in ran:
        assert rule["health"] == "ok", f"{rule['name']}: {rule.get('lastError')}"


def test_a_scrape_is_compressed_and_its_head_can_be_asked_for(running):
    url = f"http://{running[1]}/metrics"
    head = tools.run(["curl", "--silent", "--show-error", "--fail", "--head", url])
    assert "text/plain; version=0.0.4" in head
    compressed = tools.run(["curl", "--silent", "--show-error", "--fail", "--compressed", url])
    assert "trunkline_build_info{" in compressed


@pytest.fixture(scope="module")
def protobuf_binary():
    """A gateway built with the feature `protobuf`."""
    tools.tool("protoc", "install the protobuf compiler, such as by `apt-get install protobuf-compiler`")
    target = tools.ROOT / "target/protobuf"
    tools.run(
        ["cargo", "build", "--quiet", "--locked", "--no-default-features", "--features", "protobuf", "--target-dir", target],
        cwd=tools.ROOT, timeout=900,
    )
    return target / "debug/trunkline"


def test_prometheus_stores_native_histograms_from_protobuf(protobuf_binary, tmp_path):
    gateway, scraper = tmp_path / "gateway", tmp_path / "prometheus"
    gateway.mkdir()
    scraper.mkdir()
    with tools.gateway(gateway, command=[protobuf_binary]) as (_, listen, admin):
        for _ in range(3):
            assert tools.ask(listen, "demo")[0] == 200
        with scraping(admin, scraper, "--enable-feature=native-histograms") as address:
            ask = lambda query: evaluate(address, query)
            count = 'histogram_count(trunkline_request_duration_seconds{model="demo"})'
            until("a native histogram", lambda: ask(f"{count} == 3"))
            assert ask('histogram_sum(trunkline_request_duration_seconds{model="demo"}) > 0')
            assert not ask("trunkline_request_duration_seconds_bucket")
            (requests,) = ask('trunkline_requests_total{model="demo",outcome="ok",status="2xx",endpoint="chat_completions"}')
            assert requests["value"][1] == "3"
            assert ask("process_cpu_seconds_total > 0")
    # Without the feature flag, Prometheus asks for text and gets it.
    with tools.gateway(gateway, command=[protobuf_binary]) as (_, listen, admin):
        assert tools.ask(listen, "demo")[0] == 200
        assert "trunkline_request_duration_seconds_bucket" in tools.get(f"http://{admin}/metrics")
