#!/usr/bin/env bash
# A fresh Debian in which a newcomer, no root, walks the tutorial: `tutorial.sh tree` makes it and prints where it is,
# `tutorial.sh in TREE COMMAND…` runs a shell's words there as her, `tutorial.sh down TREE` removes it. Root.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_root

make_tutorial() {
  cp -a "$CACHE/base" "$1"
  install_in "$1" git make procps
  chroot "$1" useradd --create-home --shell /bin/bash newcomer
}

case ${1:-} in
tree)
  lock tutorial
  base_tree
  cached=tutorial-$(fingerprint git make procps)
  tree "$cached" make_tutorial
  mkdir -p "$ENGINES_RUN"
  fresh=$(mktemp -d "$ENGINES_RUN/tutorial-XXXXXX")
  cp -a "$CACHE/$cached/." "$fresh"
  # What the tutorial clones is this checkout as it is committed, under the address that stands in the tutorial.
  git clone -q --bare "$CHECKOUT" "$fresh/srv/jupytercloud-hub"
  chroot "$fresh" git config --system url."/srv/".insteadOf https://github.com/jupytercloud/
  chroot "$fresh" git config --system --add safe.directory '*'
  echo "$fresh"
  ;;
in)
  fresh=$2 words=$3
  mkdir -p "$CACHE/tutorial-downloads" # what came down once need not come again
  chmod 777 "$CACHE/tutorial-downloads"
  IN_TREE_BIND=$CACHE/tutorial-downloads:/srv/cache in_tree "$fresh" setpriv --reuid=newcomer --regid=newcomer --init-groups env \
    HOME=/home/newcomer USER=newcomer NODE_EXTRA_CA_CERTS=/run/ca.crt SSL_CERT_FILE=/run/ca.crt GIT_SSL_CAINFO=/run/ca.crt \
    sh -euc "$words"
  ;;
down) rm -rf "$2" ;;
*) die "tree | in TREE WORDS | down TREE" ;;
esac
