#!/bin/sh
# Builds the page: page.sh OUT. Runs in web/ and needs Node.js with npm.
set -eu

out=$1
npm ci --no-audit --no-fund --ignore-scripts
npm run build
mkdir -p "$out"
cp -R dist/. "$out"
