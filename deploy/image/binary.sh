#!/bin/sh
# Builds the binary: binary.sh OUT. Runs in the root of the repository and needs
# Rust, a C compiler and make. TARGETARCH (amd64, arm64) is the target architecture, by
# default the host's; LIBC (gnu, musl) the C library; TRUNKLINE_COMMIT the commit that
# `trunkline --version` shows.
#
# The build is reproducible: no path of this machine and no time gets in.
set -eu

out=$1
case ${TARGETARCH:-$(uname -m)} in
  amd64 | x86_64) machine=x86_64 ;;
  arm64 | aarch64) machine=aarch64 ;;
  *)
    echo "binary.sh: unsupported architecture: ${TARGETARCH:-$(uname -m)}" >&2
    exit 1
    ;;
esac
libc=${LIBC:-gnu}
triple=$machine-unknown-linux-$libc
target=${CARGO_TARGET_DIR:-target}

sources=$(pwd)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$sources=trunkline --remap-path-prefix=$cargo_home=cargo"
CFLAGS="${CFLAGS:-} -ffile-prefix-map=$sources=trunkline -ffile-prefix-map=$cargo_home=cargo"
export RUSTFLAGS CFLAGS CARGO_INCREMENTAL=0 TRUNKLINE_UI_REQUIRED=1

if [ "$machine" != "$(uname -m)" ]; then
  # The cc crate finds the cross compiler itself; cargo needs the linker's name.
  variable=CARGO_TARGET_$(echo "$triple" | tr 'a-z-' 'A-Z_')_LINKER
  export "$variable=$machine-linux-$libc-gcc"
fi
if command -v rustup >/dev/null; then
  rustup target add "$triple"
fi
cargo build --release --locked --bin trunkline --target "$triple"
install -D -m 0755 "$target/$triple/release/trunkline" "$out"
