#!/bin/sh
# Creates the root file system of the image: rootfs.sh BINARY ROOT. Runs in the root
# of the repository; needs readelf, and the C compiler of the binary's architecture
# (CC) to locate its libraries.
set -eu

binary=$1
root=$2
cc=${CC:-cc}

install -D -m 0755 "$binary" "$root/usr/bin/trunkline"
install -D -m 0644 LICENSE "$root/usr/share/doc/trunkline/LICENSE"
# The working directory, over which a folder with another trunkline.toml may be mounted.
install -D -m 0644 deploy/image/trunkline.toml "$root/etc/trunkline/trunkline.toml"
# A volume for the ledger takes its owner from here.
install -d -m 0755 "$root/var/lib/trunkline"
# Without it glibc queries DNS before /etc/hosts.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

needed() {
  readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'
}

# The loader, and the libraries the binary needs, transitively. A static binary needs
# none.
loader=$(readelf -l "$binary" | sed -n 's/.*interpreter: \(.*\)\]$/\1/p')
wanted="${loader##*/} $(needed "$binary")"
while [ -n "${wanted# }" ]; do
  more=
  for name in $wanted; do
    [ -e "$root/lib/$name" ] && continue
    file=$("$cc" -print-file-name="$name")
    if [ ! -f "$file" ]; then
      echo "rootfs.sh: $cc cannot locate $name" >&2
      exit 1
    fi
    install -D -m 0755 "$file" "$root/lib/$name"
    more="$more $(needed "$file")"
  done
  wanted=$more
done
# Loaders search /lib; x86-64 binaries name the loader itself in /lib64.
case $loader in
  /lib64/*) ln -s lib "$root/lib64" ;;
esac

# Fixed modification times make the layer reproducible.
find "$root" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
