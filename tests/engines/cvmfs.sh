#!/usr/bin/env bash
# /cvmfs on the nodes of a group, by the mechanism of a CVMFS client: autofs asks a program which file system belongs to
# a name, and mounts a read-only FUSE file system when somebody looks. Only the FUSE file system is another one
# (squashfuse). Repositories: lpnhe.in2p3.fr and sft.cern.ch; each has NAME and lib/jctest/__init__.py. Root.
#
#   cvmfs.sh up GROUP       on every node of the group that is up
#   cvmfs.sh mounted GROUP N   the repositories that node N has mounted
#   cvmfs.sh down GROUP     as when the client's daemon is ended: /cvmfs goes, what holds it keeps a dead mount
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

REPOSITORIES=(lpnhe.in2p3.fr sft.cern.ch)

# runs on the node
start_on_node() {
  set -euo pipefail
  local work=/var/lib/cvmfs-test name tree
  if mountpoint -q /cvmfs; then return; fi
  mkdir -p "$work"
  for name in "$@"; do
    tree=$(mktemp -d)
    mkdir -p "$tree/lib/jctest"
    echo "$name" >"$tree/NAME"
    echo '__version__ = "1.0"' >"$tree/lib/jctest/__init__.py"
    chmod -R a+rX "$tree"
    mksquashfs "$tree" "$work/$name.squashfs" -noappend -quiet -no-progress >/dev/null
    rm -r "$tree"
  done
  printf '#!/bin/sh\n[ ! -f "%s/$1.squashfs" ] || echo "-fstype=fuse.squashfuse,ro,allow_other,nodev,nosuid :%s/$1.squashfs"\n' "$work" "$work" >"$work/map"
  chmod 755 "$work/map"
  echo "/cvmfs program:$work/map --timeout=600" >"$work/master"
  printf '[ autofs ]\nmaster_map_name = %s/master\nbrowse_mode = no\n' "$work" >/etc/autofs.conf
  setsid --fork automount --foreground --verbose --pid-file /run/automount.pid "$work/master" </dev/null >/engine/automount.log 2>&1
  for _ in $(seq 50); do
    ! mountpoint -q /cvmfs || return 0
    sleep 0.1
  done
  echo "automount did not mount /cvmfs: $(cat /engine/automount.log)" >&2
  return 1
}

stop_on_node() {
  [ ! -s /run/automount.pid ] || kill "$(cat /run/automount.pid)" || true
  sleep 0.5
  ! mountpoint -q /cvmfs || umount --lazy --recursive /cvmfs
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  need_root
  [ $# -ge 2 ] || die "usage: cvmfs.sh up|down GROUP | mounted GROUP N"
  LAB=$2 NET='' INTERFACE=''
  . "$ENGINES/node.sh"
  case $1 in
    up | down)
      [ "$1" = up ] && part=start_on_node || part=stop_on_node
      for folder in "$RUN"/node[0-9]*; do
        [ -d "$folder" ] || die "$LAB is not up"
        node_run "${folder##*/node}" bash -c "$(declare -f "$part"); $part \"\$@\"" bash "${REPOSITORIES[@]}"
      done
      ;;
    mounted) node_run "$3" sh -c "awk '\$3 == \"fuse.squashfuse\" {print \$2}' /proc/self/mounts" ;;
    *) die "usage: cvmfs.sh up|down GROUP | mounted GROUP N" ;;
  esac
fi
