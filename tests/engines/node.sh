# Machines on this machine. Sourced, after lib.sh; LAB names the group (swarm, kubernetes).
#
# A node is a set of namespaces (processes, mounts, network, host name, IPC) around a file tree of its own: Debian with
# dockerd, below a layer that goes when the node goes. Everything in it ends with its first process, so that killing a
# node is one signal and nothing can be left over. The nodes of a group hang on one switch, in a network namespace of
# its own too: this machine gets one interface (NET.1), and neither its firewall nor its sysctls are touched. Nodes reach
# this machine and each other, and nothing else; there is no route to the world.
#
#   /srv/shared   the same folder on all nodes of the group and here ($RUN/shared): what NFS is elsewhere
#   /engine       sockets and logs of the node, here $RUN/node<n>/engine
#   /cvmfs        empty; cvmfs.sh mounts it

RUN=$ENGINES_RUN/$LAB
IMAGES_OF_NODES=${ENGINES_NODES:-$CACHE/nodes} # what dockerd keeps of images, so that the second start is quick
NODE_ENVIRONMENT=(HOME=/root LANG=C.UTF-8 PATH=/opt/tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)

node_folder() { printf '%s' "$RUN/node$1"; }
node_address() { printf '%s' "$NET.$((10 + $1))"; }
node_socket() { printf '%s' "unix://$RUN/node$1/engine/docker.sock"; }
node_docker() { node_run "$1" docker -H unix:///engine/docker.sock "${@:2}"; } # the client is the node's own

# A process is remembered with the time of its start: an id that was given to another process is never signalled.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
remember() { printf '%s %s\n' "$2" "$(started_at "$2")" >"$1"; }
remembered() { # FILE: the process id, when it still is that process
  local pid start
  [ -s "$1" ] && read -r pid start <"$1" && [ -n "$start" ] && [ "$(started_at "$pid")" = "$start" ] && printf '%s' "$pid"
}
ended() { ! remembered "$1" >/dev/null; }
end() { # FILE: kill that process and wait for its end
  local pid
  if pid=$(remembered "$1"); then
    kill -KILL "$pid" 2>/dev/null || true
    wait_for 20 ended "$1"
  fi
  rm -f "$1"
}

node_pid() { remembered "$(node_folder "$1")/pid"; }

# node_run N COMMAND…: on the node
node_run() {
  local pid
  pid=$(node_pid "$1") || {
    log "node $1 of $LAB is not up"
    return 1
  }
  shift
  nsenter --target "$pid" --mount --net --uts --pid --ipc -- env -i "${NODE_ENVIRONMENT[@]}" "$@"
}

# node_daemon N NAME COMMAND…: on the node, in the background; /engine/NAME.log and /engine/NAME.pid are on the node
node_daemon() {
  local n=$1 name=$2
  shift 2
  node_run "$n" setsid --fork sh -c 'echo $$ >"/engine/$0.pid"; exec "$@" >>"/engine/$0.log" 2>&1 </dev/null' "$name" "$@"
}

# The file tree of a node, then its first process; runs in the new namespaces.
node_first() {
  set -eu
  local folder=$1 machine=$2 data=$3 shared=$4 name=$5 tools=$6 root=$1/root place
  mount --make-rprivate /
  mkdir -p "$folder"/{upper,work,root,engine} "$data" "$shared"
  mount -t overlay overlay -o "lowerdir=$machine,upperdir=$folder/upper,workdir=$folder/work" "$root"
  mkdir -p "$root"/{run,proc,sys,dev,srv/shared,engine,cvmfs,opt/tools,var/lib/docker,.old}
  mount -t tmpfs tmpfs "$root/run"
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
  mount --rbind /dev "$root/dev"
  mount --bind "$folder/engine" "$root/engine"
  mount --bind "$data" "$root/var/lib/docker"
  mount --bind "$shared" "$root/srv/shared"
  [ -z "$tools" ] || mount --bind "$tools" "$root/opt/tools"
  # dockerd asks for an image at a registry before it takes its own: let that fail at once
  rm -f "$root/etc/resolv.conf"
  echo 'nameserver 127.0.0.1' >"$root/etc/resolv.conf"
  echo "$name" >"$root/etc/hostname"
  hostname "$name"
  printf '127.0.0.1 localhost %s\n' "$name" >"$root/etc/hosts"
  cd "$root"
  pivot_root . .old
  umount -l /.old
  rmdir /.old 2>/dev/null || true
  mount --make-rshared /
  exec env -i "${@:7}" tini -s -- sleep infinity
}

switch_up() {
  mkdir -p "$RUN"
  ended "$RUN/switch.pid" || return 0
  ! ip link show "$INTERFACE" >/dev/null 2>&1 ||
    die "the interface $INTERFACE exists: the engines of another checkout are up (make engines-down there)"
  setsid --fork unshare --net sh -c 'echo $$ >"$0"; exec sleep infinity' "$RUN/switch.new" </dev/null >/dev/null 2>&1
  wait_for 5 test -s "$RUN/switch.new"
  local pid
  pid=$(cat "$RUN/switch.new")
  remember "$RUN/switch.pid" "$pid"
  rm "$RUN/switch.new"
  nsenter --target "$pid" --net sh -euc 'ip link set lo up; ip link add switch type bridge; ip link set switch up'
  ip link add "$INTERFACE" type veth peer name host netns "$pid"
  nsenter --target "$pid" --net ip link set host master switch up
  ip addr add "$NET.1/24" dev "$INTERFACE"
  ip link set "$INTERFACE" up
}

# node_up N NAME [TOOLS]: the node without dockerd; TOOLS is a folder that it sees as /opt/tools
node_up() {
  local n=$1 name=$2 tools=${3:-} folder unshare pid switch
  folder=$(node_folder "$n")
  ended "$folder/pid" || return 0
  rm -rf "$folder"
  mkdir -p "$folder/engine" "$IMAGES_OF_NODES/$LAB-$n"
  setsid --fork unshare --net --mount --uts --ipc --pid --fork --kill-child=KILL \
    bash -c "$(declare -f node_first); node_first \"\$@\"" bash \
    "$folder" "$MACHINE" "$IMAGES_OF_NODES/$LAB-$n" "$RUN/shared" "$name" "$tools" "${NODE_ENVIRONMENT[@]}" \
    </dev/null >"$folder/engine/first.log" 2>&1
  wait_for 20 node_is_there "$folder" || die "node $n: $(cat "$folder/engine/first.log")"
  switch=$(remembered "$RUN/switch.pid")
  pid=$(node_pid "$n")
  ip link add "n$n" netns "$switch" type veth peer name eth0 netns "$pid"
  nsenter --target "$switch" --net ip link set "n$n" master switch up
  node_run "$n" sh -euc "ip link set lo up; ip addr add $(node_address "$n")/24 dev eth0; ip link set eth0 up
    echo 1 >/proc/sys/net/ipv4/ip_forward"
}

# The node's first process as this machine sees it: the tini whose namespaces hold the node's tree.
node_is_there() {
  local process
  for process in /proc/[0-9]*; do
    [ "$(cat "$process/comm" 2>/dev/null)" = tini ] || continue
    tr '\0' ' ' <"$process/cmdline" 2>/dev/null | grep -q '^tini -s -- sleep infinity' || continue
    grep -qF "upperdir=$1/upper" "$process/mountinfo" 2>/dev/null || continue
    remember "$1/pid" "${process#/proc/}"
    return 0
  done
  return 1
}

# forget_containers DATA: all but images, of a daemon that does not run
forget_containers() {
  local data=$1 mount
  for mount in "$data"/image/overlay2/layerdb/mounts/*/; do
    [ ! -d "$mount" ] || rm -rf "$data/overlay2/$(cat "$mount/mount-id")" "$data/overlay2/$(cat "$mount/init-id")" "$mount"
  done
  rm -rf "$data"/{swarm,containers,volumes,network,runtimes,trust,tmp}
}

# dockerd_up N OPTION…: the node's dockerd, with the images of earlier times and nothing else of them
dockerd_up() {
  local n=$1
  shift
  ! node_docker "$n" info >/dev/null 2>&1 || return 0
  forget_containers "$IMAGES_OF_NODES/$LAB-$n"
  node_daemon "$n" dockerd dockerd -H unix:///engine/docker.sock --exec-root /run/docker --pidfile /run/docker.pid \
    --storage-driver overlay2 --cgroup-parent "/$INTERFACE-$n" "$@"
  wait_for 60 node_docker "$n" info || die "dockerd of node $n: $(tail -5 "$(node_folder "$n")/engine/dockerd.log")"
  # dockerd forbids forwarding; pods and tasks of other nodes come in over eth0
  node_run "$n" iptables -w -P FORWARD ACCEPT
}

# node_down N: the node and everything in it
node_down() {
  local n=$1 group
  end "$(node_folder "$n")/pid"
  for group in /sys/fs/cgroup/*/"$INTERFACE-$n" /sys/fs/cgroup/"$INTERFACE-$n"; do
    [ ! -d "$group" ] || wait_for 10 cgroup_gone "$group" || log "processes are left in $group"
  done
}
cgroup_gone() {
  find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
  [ ! -d "$1" ]
}

# lab_down: all nodes, the switch, the interface, the run folder
lab_down() {
  local folder
  for folder in "$RUN"/node[0-9]*; do
    [ ! -d "$folder" ] || node_down "${folder##*/node}"
  done
  end "$RUN/switch.pid"
  ! ip link show "$INTERFACE" >/dev/null 2>&1 || ip link del "$INTERFACE"
  rm -rf "$RUN" "$RUN-users"
  rmdir "$ENGINES_RUN" 2>/dev/null || true
}
