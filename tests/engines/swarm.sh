#!/usr/bin/env bash
# A real Docker Swarm of SWARM_NODES machines (2) on this one: node 1 is the manager, node 2 says that it has a GPU. Root.
#
#   swarm.sh up       brings up what is not up; prints the manager's DOCKER_HOST
#   swarm.sh status   1 when it is not up
#   swarm.sh run N COMMAND…
#   swarm.sh kill N   node N dies, as by a power cut
#   swarm.sh down     nothing is left
LAB=swarm NET=${SWARM_NET:-10.67.0} INTERFACE=${SWARM_INTERFACE:-jcswarm0}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ENGINES/node.sh"
. "$ENGINES/image/build.sh"
SWARM_NODES=${SWARM_NODES:-2}

status() { node_docker 1 node ls >/dev/null 2>&1; }

node_loaded() { # N: node and dockerd with the images
  local options=()
  [ "$1" != 2 ] || options=(--node-generic-resource "${SWARM_GPU:-GPU=1}")
  node_up "$1" "node$1"
  dockerd_up "$1" "${options[@]}"
  load_images node_docker "$1"
}

up() {
  local started=$SECONDS n token jobs=()
  images
  lock machine
  machine_tree
  exec 9>&-
  switch_up
  for n in $(seq 2 "$SWARM_NODES"); do # a node that died comes back under its name as a new one
    if status && ! node_pid "$n" >/dev/null; then
      node_docker 1 node demote "node$n" >/dev/null 2>&1 || true # a manager can't be removed
      node_docker 1 node rm --force "node$n" >/dev/null 2>&1 || true
    fi
  done
  for n in $(seq "$SWARM_NODES"); do
    node_loaded "$n" &
    jobs+=($!)
  done
  for n in "${jobs[@]}"; do wait "$n" || die "a node did not come up"; done
  if ! status; then
    # the default pool 10.0.0.0/8 collides with everything
    node_docker 1 swarm init --advertise-addr "$(node_address 1)" --default-addr-pool 10.200.0.0/16 --default-addr-pool-mask-length 22 >/dev/null
  fi
  token=$(node_docker 1 swarm join-token -q worker)
  for n in $(seq 2 "$SWARM_NODES"); do
    [ "$(node_docker "$n" info -f '{{.Swarm.LocalNodeState}}')" = active ] ||
      node_docker "$n" swarm join --token "$token" --advertise-addr "$(node_address "$n")" "$(node_address 1):2377" >/dev/null
  done
  wait_for 20 all_ready
  [ "$SWARM_NODES" -lt 2 ] || node_docker 1 node update --label-add gpu=a100 node2 >/dev/null
  log "Swarm of $SWARM_NODES nodes is up in $((SECONDS - started)) s"
  node_socket 1
  echo
}
all_ready() { [ "$(node_docker 1 node ls --format '{{.Status}}' | grep -c Ready)" = "$SWARM_NODES" ]; }

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  need_root
  case ${1:-} in
    up) up ;;
    status) status ;;
    run) node_run "${@:2}" ;;
    kill) end "$(node_folder "$2")/pid" ;;
    down) lab_down ;;
    *) die "usage: swarm.sh up|status|run N COMMAND…|kill N|down" ;;
  esac
fi
