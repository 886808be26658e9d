#!/bin/sh
# Lays out all that the image holds: rootfs.sh BINARY ROOT. Runs in the root of
# the repository; wants readelf, and the C compiler of the binary's machine (CC)
# to say where its libraries are.
set -eu

binary=$1
root=$2
cc=${CC:-cc}

install -D -m 0755 "$binary" "$root/usr/bin/trunkline"
install -D -m 0644 LICENSE "$root/usr/share/doc/trunkline/LICENSE"
# Where trunkline.toml may be mounted; it is the working directory too.
install -d -m 0755 "$root/etc/trunkline"
# Without it glibc would ask the name servers before /etc/hosts.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

needed() {
  readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'
}

# The loader, the libraries that the binary names, and those that they name. A
# static binary names none.
loader=$(readelf -l "$binary" | sed -n 's/.*interpreter: \(.*\)\]$/\1/p')
wanted="${loader##*/} $(needed "$binary")"
while [ -n "${wanted# }" ]; do
  more=
  for name in $wanted; do
    [ -e "$root/lib/$name" ] && continue
    file=$("$cc" -print-file-name="$name")
    if [ ! -f "$file" ]; then
      echo "rootfs.sh: $cc does not know where $name is" >&2
      exit 1
    fi
    install -D -m 0755 "$file" "$root/lib/$name"
    more="$more $(needed "$file")"
  done
  wanted=$more
done
# Loaders search /lib; on x86-64 the binary names its own by /lib64.
case $loader in
  /lib64/*) ln -s lib "$root/lib64" ;;
esac

# The same bytes give the same layer.
find "$root" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
