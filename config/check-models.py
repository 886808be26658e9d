#!/usr/bin/env python3
"""Asks the providers whether they still list the models of the built-in table.

Needs Python 3.11 and, in the environment, the keys of the providers to ask. Runs
`trunkline check --online`, of the binary in TRUNKLINE_BIN or else by `cargo run`,
with one alias for each built-in alias and each price, and exits with its code.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

TABLES = Path(__file__).resolve().parent


def models() -> dict[str, tuple[str, str]]:
    """Provider and name of each model, by an alias that says where it is listed."""
    providers = tomllib.loads((TABLES / "providers.toml").read_text())
    prices = tomllib.loads((TABLES / "prices.toml").read_text())
    found = {}
    for alias, row in providers["models"].items():
        found[f"providers.toml: {alias}"] = (row["provider"], row.get("model", alias))
    for key in prices["prices"]:
        provider, model = key.split("/", 1)
        # A pattern stands for no model in particular.
        if not any(wildcard in model for wildcard in "*?"):
            found[f"prices.toml: {key}"] = (provider, model)
    return found


def configuration(found: dict[str, tuple[str, str]]) -> str:
    """A quoted JSON string is a TOML string as well."""
    lines = ["[discovery]", 'timeout = "20s"']
    for alias, (provider, model) in found.items():
        lines += [
            f"[models.{json.dumps(alias)}]",
            f"provider = {json.dumps(provider)}",
            f"model = {json.dumps(model)}",
        ]
    return "\n".join(lines) + "\n"


def main() -> int:
    binary = os.environ.get("TRUNKLINE_BIN")
    command = [binary] if binary else ["cargo", "run", "--quiet", "--"]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "trunkline.toml"
        file.write_text(configuration(models()))
        command += ["check", "--online", "--config", str(file)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    # What comes before is the table of all aliases.
    _, separator, online = done.stdout.partition("\nAsked the providers")
    print((separator + online).strip() or done.stdout.strip())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
