#!/usr/bin/env bash
# Builds the images that tests start, without a registry and without a Docker daemon: trees of Debian packed as tar files
# that `docker import` takes, kept in .cache/engines. Root, for chroot.
#
#   local/notebook:test   JupyterHub 6's single-user server with JupyterLab, for uid 1000 or any uid of gid 0;
#                         JupyterHub 5's, without JupyterLab, is /opt/hub5/bin/jupyterhub-singleuser
#   local/light:test      server.c and a static busybox: 3 MB, starts in a moment
#
#   image/build.sh        builds what is not built
#   image/build.sh load   and loads it into the daemon of DOCKER_HOST, for a Swarm that is not the tests' own
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

NOTEBOOK_PACKAGES=("jupyterhub==6.1.1" "jupyterlab>=4.4" "ipykernel>=6.29")
NOTEBOOK_HUB5_PACKAGES=("jupyterhub>=5.3,<6" "jupyter-server>=2")
NOTEBOOK=$CACHE/notebook-$(fingerprint "${NOTEBOOK_PACKAGES[@]}" "${NOTEBOOK_HUB5_PACKAGES[@]}").tar
LIGHT=$CACHE/light-$(fingerprint "$(cat "$ENGINES/image/server.c")").tar

make_notebook_tree() {
  cp -a "$CACHE/base" "$1"
  in_tree "$1" sh -euc '
    packages() { folder=$1; shift; python3 -m venv "$folder"; "$folder/bin/pip" install --quiet --no-cache-dir --no-compile "$@"; }
    packages /opt/hub5 "$1" "$2"
    shift 2
    packages /opt/venv "$@"
    find /opt/venv -name "*.js.map" -delete
    useradd --create-home --uid 1000 --user-group --shell /bin/bash jovyan
    # an arbitrary uid with gid 0, as OpenShift gives, may write the home too
    chgrp -R 0 /home/jovyan && chmod -R g=u /home/jovyan
    /opt/venv/bin/python -m compileall -q /opt/venv/lib /opt/hub5/lib >/dev/null || true' sh "${NOTEBOOK_HUB5_PACKAGES[@]}" "${NOTEBOOK_PACKAGES[@]}"
  rm -rf "$1"/tmp/* "$1/root/.cache"
}

make_light_tree() {
  mkdir -p "$1"/{bin,etc,tmp,home/jovyan,proc,sys,dev}
  cp "$ENGINES/image/server.c" "$1/server.c"
  IN_TREE_BIND=$1:/build in_tree "$TOOLCHAIN" gcc -Os -static -s -Wall -Wextra -o /build/bin/light-server /build/server.c
  rm "$1/server.c"
  cp "$TOOLCHAIN/bin/busybox" "$1/bin/busybox"
  local name
  for name in sh cat ls id echo touch sleep mkdir rm chown chmod stat wget env head tail test printf dd nslookup mount; do ln -s busybox "$1/bin/$name"; done
  printf 'root:x:0:0::/root:/bin/sh\njovyan:x:1000:1000::/home/jovyan:/bin/sh\n' >"$1/etc/passwd"
  printf 'root:x:0:\njovyan:x:1000:\n' >"$1/etc/group"
  chown 1000:0 "$1/home/jovyan"
  chmod 775 "$1/home/jovyan"
  chmod 1777 "$1/tmp"
}

# pack TAR MAKER: a tree as a tar file; the tree goes
pack() {
  local started=$SECONDS scratch=$1.tree
  [ -e "$1" ] && return
  rm -rf "$scratch"
  "$2" "$scratch"
  tar -C "$scratch" --numeric-owner --exclude=./dev --exclude=./run -cf "$1.new" .
  rm -rf "$scratch"
  mv "$1.new" "$1"
  find "$CACHE" -maxdepth 1 -name "$(basename "${1%-*}")-*.tar" ! -name "${1##*/}" -delete # what it was before
  log "built ${1##*/} ($(du -m "$1" | cut -f1) MB) in $((SECONDS - started)) s"
}

images() {
  lock images
  [ -e "$LIGHT" ] || toolchain_tree
  pack "$LIGHT" make_light_tree
  base_tree
  [ -n "${ENGINES_LIGHT_ONLY:-}" ] || pack "$NOTEBOOK" make_notebook_tree
  exec 9>&-
}

# load_image TAG TAR CHANGE…: into the daemon that DOCKER speaks to, unless it holds that very build
load_image() {
  local tag=$1 tar=$2 held line change=()
  shift 2
  held=$("${DOCKER[@]}" image inspect -f '{{index .Config.Labels "build"}}' "$tag" 2>/dev/null || true)
  [ "$held" != "${tar##*/}" ] || return 0
  for line in "LABEL build=${tar##*/}" "$@"; do change+=(--change "$line"); done
  "${DOCKER[@]}" import "${change[@]}" - "$tag" <"$tar" >/dev/null
}

# load_images DOCKER…: all of them; DOCKER… is the client with its options
load_images() {
  local DOCKER=("$@")
  load_image local/light:test "$LIGHT" 'ENV PATH=/bin HOME=/home/jovyan' 'USER 1000' 'WORKDIR /home/jovyan' 'CMD ["/bin/light-server"]'
  [ -z "${ENGINES_LIGHT_ONLY:-}" ] || return 0
  load_image local/notebook:test "$NOTEBOOK" 'ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=/home/jovyan' \
    'USER 1000' 'WORKDIR /home/jovyan' 'ENTRYPOINT ["/usr/bin/tini", "--"]' 'CMD ["jupyterhub-singleuser"]'
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  need_root
  images
  [ "${1:-}" != load ] || load_images docker
fi
