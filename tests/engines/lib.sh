# What all engine scripts share: where things are, logging, trees of Debian, waiting. Sourced, never run.
#
# Two places hold everything. Builds that are worth keeping stand in the checkout's .cache/engines; what runs (sockets,
# process ids, logs, the nodes' own file trees) stands in ENGINES_RUN, whose path is short because a socket's must be.
set -euo pipefail

ENGINES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CHECKOUT=$(cd "$ENGINES/../.." && pwd)
CACHE=${ENGINES_CACHE:-$CHECKOUT/.cache/engines}
ENGINES_RUN=${ENGINES_RUN:-/tmp/jupytercloud-engines}
SUITE=bookworm # the last Debian whose Docker and whose Kubernetes source package the tests were written on

log() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }

die() {
  log "$*"
  exit 1
}

need_root() {
  [ "$(id -u)" = 0 ] || die "${0##*/} makes namespaces and mounts: run it as root"
}

# wait_for SECONDS COMMAND…: until the command succeeds
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { log "waited in vain for: $*"; return 1; }
    sleep 0.2
  done
}

# lock NAME: one builder of a thing at a time, also of several test runs
lock() {
  mkdir -p "$CACHE"
  exec 9>"$CACHE/$1.lock"
  flock 9
}

# fingerprint WORD…: short name of what a cached thing was made from
fingerprint() { printf '%s\n' "$@" | sha256sum | cut -c1-12; }

# The Debian mirror that this machine uses, so that nothing here names a host.
mirror() {
  local found=
  ! command -v apt-get >/dev/null || found=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 2>/dev/null | head -n 1)
  found=${DEBIAN_MIRROR:-$found}
  [ -n "$found" ] || die "no Debian mirror is configured here: set DEBIAN_MIRROR"
  printf '%s' "$found"
}

# in_tree TREE COMMAND…: run in a tree of Debian with the machine's network, in namespaces of its own: mounts and
# daemons end with it. The machine's CA bundle is lent at /run/ca.crt (TLS may be re-signed), never left behind.
# IN_TREE_BIND=host-folder:tree-folder lends a folder.
in_tree() {
  local tree=$1
  shift
  env -i TREE="$tree" LEND="${IN_TREE_BIND:-}" CA="${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    unshare --mount --pid --ipc --uts --fork --kill-child=KILL sh -euc '
      mkdir -p "$TREE/run" "$TREE/proc" "$TREE/dev"
      mount -t tmpfs tmpfs "$TREE/run"
      mount -t proc proc "$TREE/proc"
      mount --rbind /dev "$TREE/dev"
      cp /etc/resolv.conf "$TREE/run/resolv.conf"
      [ -e "$TREE/etc/resolv.conf" ] || : >"$TREE/etc/resolv.conf"
      mount --bind "$TREE/run/resolv.conf" "$TREE/etc/resolv.conf"
      [ ! -e "$CA" ] || cp "$CA" "$TREE/run/ca.crt"
      if [ -n "$LEND" ]; then
        mkdir -p "$TREE${LEND#*:}"
        mount --bind "${LEND%%:*}" "$TREE${LEND#*:}"
      fi
      exec nice -n 15 chroot "$TREE" env HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 \
        PIP_DEFAULT_TIMEOUT=180 PIP_CERT=/run/ca.crt "$@"' sh "$@"
}

# install_in TREE PACKAGE…: Debian packages, whose services stay off
install_in() {
  local tree=$1
  shift
  printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
  chmod +x "$tree/usr/sbin/policy-rc.d"
  in_tree "$tree" sh -euc 'apt-get update -qq; apt-get install -y -qq --no-install-recommends "$@" >/dev/null; apt-get clean' sh "$@"
}

# tree NAME COMMAND…: the cached tree $CACHE/NAME; made by the command in a folder beside it when it is not there
tree() {
  local name=$1 started=$SECONDS
  shift
  [ -d "$CACHE/$name" ] && return
  rm -rf "$CACHE/$name.new"
  "$@" "$CACHE/$name.new"
  mv "$CACHE/$name.new" "$CACHE/$name"
  log "built $name in $((SECONDS - started)) s"
}

# Trees of Debian: `base` is what images and machines have in common.
make_base() {
  command -v debootstrap >/dev/null || die "debootstrap is missing: make engines installs it"
  nice -n 15 debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv,tini "$SUITE" "$1" "$(mirror)" >"$CACHE/debootstrap.log" 2>&1 ||
    die "debootstrap failed: $CACHE/debootstrap.log"
  rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/usr/share/{doc,man,locale,info}/* "$1"/var/log/* "$1/etc/resolv.conf"
  echo "deb $(mirror) $SUITE main" >"$1/etc/apt/sources.list"
}
base_tree() { tree base make_base; }

# `machine`: what a node is made of.
MACHINE_PACKAGES=(docker.io iptables iproute2 procps kmod fuse3 squashfuse squashfs-tools autofs etcd-server
  containernetworking-plugins conntrack socat openssl curl util-linux mount)
make_machine() {
  cp -a "$CACHE/base" "$1"
  install_in "$1" "${MACHINE_PACKAGES[@]}"
  rm -rf "$1"/var/lib/apt/lists/* "$1"/usr/share/{doc,man,locale}/*
}
machine_tree() {
  base_tree
  MACHINE=$CACHE/machine-$(fingerprint "${MACHINE_PACKAGES[@]}")
  tree "${MACHINE##*/}" make_machine
}

# `toolchain`: what compiles the light image and Kubernetes.
TOOLCHAIN_PACKAGES=(golang-1.19-go make gcc libc6-dev dpkg-dev rsync busybox-static)
make_toolchain() {
  cp -a "$CACHE/base" "$1"
  echo "deb-src $(mirror) $SUITE main" >>"$1/etc/apt/sources.list"
  install_in "$1" "${TOOLCHAIN_PACKAGES[@]}"
}
toolchain_tree() {
  base_tree
  TOOLCHAIN=$CACHE/toolchain-$(fingerprint "${TOOLCHAIN_PACKAGES[@]}")
  tree "${TOOLCHAIN##*/}" make_toolchain
}
