#!/usr/bin/env bash
# Writes CycloneDX bills of materials to FOLDER: the crates in the binary, and the npm
# packages in its page. Needs npm and cargo-cyclonedx
# (cargo install --locked cargo-cyclonedx@0.5.9).
#
#   deploy/sbom.sh FOLDER
set -euo pipefail

mkdir -p "$1"
folder="$(cd "$1" && pwd)"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

name="trunkline-sbom-$$"
trap 'rm -f "$name.json"' EXIT
cargo cyclonedx --quiet --format json --spec-version 1.5 --override-filename "$name"
mv "$name.json" "$folder/trunkline.cdx.json"
(
  cd web
  npm sbom --sbom-format cyclonedx --package-lock-only --omit dev
) >"$folder/trunkline-page.cdx.json"
