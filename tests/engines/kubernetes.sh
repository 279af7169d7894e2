#!/usr/bin/env bash
# A real Kubernetes 1.20 of KUBERNETES_NODES machines (2) on this one: etcd, API server, controller manager and scheduler
# on node 1, kubelet (dockershim) and kube-proxy on each. Pods and services are reached from here by their addresses.
# Root.
#
#   kubernetes.sh up        brings up what is not up; prints the administrator's KUBECONFIG
#   kubernetes.sh status    1 when it is not up
#   kubernetes.sh kubectl ARGUMENT…
#   kubernetes.sh run N COMMAND…
#   kubernetes.sh kill N    node N dies, as by a power cut; `up` makes a new one of its name
#   kubernetes.sh silence N   only the kubelet of node N dies: its pods run on, nobody hears of them
#   kubernetes.sh down      nothing is left
LAB=kubernetes NET=${KUBERNETES_NET:-10.66.0} INTERFACE=${KUBERNETES_INTERFACE:-jckube0}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ENGINES/node.sh"
. "$ENGINES/image/build.sh"
. "$ENGINES/kubernetes-build.sh"
KUBERNETES_NODES=${KUBERNETES_NODES:-2}
PODS=${KUBERNETES_PODS:-10.244} # node n's pods are $PODS.n.0/24
SERVICES=${KUBERNETES_SERVICES:-10.96}
API=https://$(node_address 1):6443

kubectl() { "$BUILT/bin/kubectl" --kubeconfig "$RUN/node1/engine/admin.kubeconfig" --cache-dir "$RUN/kubectl" "$@"; }
status() { [ -x "$BUILT/bin/kubectl" ] && kubectl get --raw /readyz >/dev/null 2>&1 && all_ready; }
all_ready() { [ "$(kubectl get nodes --no-headers 2>/dev/null | awk '$2 == "Ready"' | wc -l)" -ge "$KUBERNETES_NODES" ]; }
runs() { node_run "$1" sh -c 'kill -0 "$(cat "/engine/$0.pid" 2>/dev/null)"' "$2" 2>/dev/null; } # N NAME

# daemon N NAME ARGUMENT…: a component that is to run; NAME is the binary's
daemon() {
  runs "$1" "$2" || node_daemon "$1" "$2" "${@:2}"
}

# Certificates and kubeconfigs, on node 1 in /engine. Runs there. NODES SERVICE_ADDRESS ADDRESS API
make_certificates() {
  set -euo pipefail
  local nodes=$1 service=$2 address=$3 api=$4 name subject
  mkdir -p /engine/pki
  cd /engine/pki
  chmod 700 .
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=engines -keyout ca.key -out ca.crt 2>/dev/null
  certificate() { # NAME SUBJECT EXTENSION…
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    printf '%s\n' basicConstraints=CA:FALSE keyUsage=digitalSignature "${@:3}" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
    rm "$1.csr" "$1.ext"
  }
  certificate server /CN=kube-apiserver extendedKeyUsage=serverAuth \
    "subjectAltName=IP:$address,IP:127.0.0.1,IP:$service,DNS:localhost,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  certificate kubelet-client /O=system:masters/CN=apiserver extendedKeyUsage=clientAuth
  openssl genrsa -out accounts.key 2048 2>/dev/null
  openssl rsa -in accounts.key -pubout -out accounts.pub 2>/dev/null
  for name in admin kube-controller-manager kube-scheduler kube-proxy $(seq -f node%g "$nodes"); do
    case $name in
      admin) subject=/O=system:masters/CN=admin ;;
      node*) subject=/O=system:nodes/CN=system:node:$name ;;
      *) subject=/CN=system:$name ;;
    esac
    certificate "$name" "$subject" extendedKeyUsage=clientAuth
    cat >"/engine/$name.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: engines, cluster: {server: "$api", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $name, user: {client-certificate-data: $(base64 -w0 "$name.crt"), client-key-data: $(base64 -w0 "$name.key")}}]
contexts: [{name: engines, context: {cluster: engines, user: $name}}]
current-context: engines
YAML
    chmod 600 "/engine/$name.kubeconfig"
  done
  touch done
}

control_plane_up() {
  local address
  address=$(node_address 1)
  [ -e "$RUN/node1/engine/pki/done" ] ||
    node_run 1 bash -c "$(declare -f make_certificates); make_certificates \"\$@\"" bash "$KUBERNETES_NODES" "$SERVICES.0.1" "$address" "$API"
  daemon 1 etcd --name engines --data-dir /run/etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster engines=http://127.0.0.1:2380
  wait_for 20 node_run 1 curl -sf http://127.0.0.1:2379/health
  daemon 1 kube-apiserver --bind-address "$address" --advertise-address "$address" --secure-port 6443 --insecure-port 0 \
    --etcd-servers http://127.0.0.1:2379 --service-cluster-ip-range "$SERVICES.0.0/16" --allow-privileged=true \
    --client-ca-file /engine/pki/ca.crt --tls-cert-file /engine/pki/server.crt --tls-private-key-file /engine/pki/server.key \
    --kubelet-client-certificate /engine/pki/kubelet-client.crt --kubelet-client-key /engine/pki/kubelet-client.key \
    --kubelet-preferred-address-types InternalIP \
    --service-account-key-file /engine/pki/accounts.pub --service-account-signing-key-file /engine/pki/accounts.key \
    --service-account-issuer https://kubernetes.default.svc --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction
  wait_for 90 kubectl get --raw /readyz
  daemon 1 kube-controller-manager --kubeconfig /engine/kube-controller-manager.kubeconfig --bind-address 127.0.0.1 --port 0 \
    --leader-elect=false --use-service-account-credentials=true --service-account-private-key-file /engine/pki/accounts.key \
    --root-ca-file /engine/pki/ca.crt --enable-hostpath-provisioner=true --allocate-node-cidrs=false --node-monitor-grace-period 20s
  # the built-in test provisioner makes folders that only root may enter; provisioners of shared storage let all in
  runs 1 open-volumes || node_daemon 1 open-volumes sh -c 'while sleep 0.5; do chmod -f 0777 /srv/shared/hostpath_pv/*; done'
  daemon 1 kube-scheduler --kubeconfig /engine/kube-scheduler.kubeconfig --bind-address 127.0.0.1 --port 0 --leader-elect=false
}

# What kubelet finds on its node. Runs there. N ADDRESS PODS CGROUP OTHER-NODE-NUMBER…
prepare_node() {
  set -euo pipefail
  local n=$1 address=$2 pods=$3 group=$4 place value controller other
  mkdir -p /var/lib/kubelet /engine/kubelet /run/sysctl /tmp/hostpath_pv /srv/shared/hostpath_pv /etc/cni/net.d
  mountpoint -q /var/lib/kubelet || mount --bind /engine/kubelet /var/lib/kubelet
  # volumes of the built-in test provisioner: one folder for all nodes, as NFS would be
  mountpoint -q /tmp/hostpath_pv || mount --bind /srv/shared/hostpath_pv /tmp/hostpath_pv
  # kubelet sets sysctls of the whole machine unless they are already what it wants: let it see them so
  while read -r place value; do
    echo "$value" >"/run/sysctl/${place//\//-}"
    mountpoint -q "/proc/sys/$place" || mount --bind "/run/sysctl/${place//\//-}" "/proc/sys/$place"
  done <<'SYSCTLS'
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
SYSCTLS
  for controller in /sys/fs/cgroup/*/; do
    case $controller in */unified/) continue ;; esac
    for place in "$controller$group" "$controller$group/pods"; do
      mkdir -p "$place"
      for value in cpuset.cpus cpuset.mems; do
        [ ! -e "$place/$value" ] || [ -n "$(cat "$place/$value")" ] || cat "${place%/*}/$value" >"$place/$value"
      done
    done
  done
  for other in "${@:5}"; do
    ip route replace "$pods.$other.0/24" via "${address%.*}.$((10 + other))"
  done
  cat >/etc/cni/net.d/10-engines.conflist <<JSON
{"cniVersion": "0.3.1", "name": "engines", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "$pods.$n.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
  cat >/engine/kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $address
readOnlyPort: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: /engine/pki/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /$group/pods
failSwapOn: false
resolvConf: /etc/resolv.conf
clusterDomain: cluster.local
clusterDNS: [${address%.*}.11]
nodeStatusUpdateFrequency: 2s
maxPods: 110
# images come from no registry: none is ever thrown away, and a full disk of the tests' machine evicts nobody
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 200Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
YAML
}

# the pause binary as an image, and the tests' images
load_pod_images() { # N
  node_docker "$1" image inspect local/pause:3.2 >/dev/null 2>&1 ||
    tar -C "$BUILT/bin" -c pause | node_docker "$1" import --change 'ENTRYPOINT ["/pause"]' - local/pause:3.2 >/dev/null
  load_images node_docker "$1"
}

node_with_docker() { # N
  node_up "$1" "node$1" "$BUILT/bin"
  dockerd_up "$1" --bridge none --iptables=false
  load_pod_images "$1"
}

kubelet_up() { # N
  local n=$1 address others=() other
  address=$(node_address "$n")
  if [ "$n" != 1 ]; then
    mkdir -p "$RUN/node$n/engine/pki"
    cp "$RUN/node1/engine/pki/ca.crt" "$RUN/node$n/engine/pki/"
    cp "$RUN/node1/engine/node$n.kubeconfig" "$RUN/node1/engine/kube-proxy.kubeconfig" "$RUN/node$n/engine/"
  fi
  for other in $(seq "$KUBERNETES_NODES"); do [ "$other" = "$n" ] || others+=("$other"); done
  node_run "$n" bash -c "$(declare -f prepare_node); prepare_node \"\$@\"" bash "$n" "$address" "$PODS" "$INTERFACE-$n" "${others[@]}"
  daemon "$n" kubelet --config /engine/kubelet.yaml --kubeconfig "/engine/node$n.kubeconfig" --hostname-override "node$n" \
    --node-ip "$address" --container-runtime docker --docker-endpoint unix:///engine/docker.sock \
    --network-plugin cni --cni-conf-dir /etc/cni/net.d --cni-bin-dir /usr/lib/cni --pod-infra-container-image local/pause:3.2
  daemon "$n" kube-proxy --kubeconfig /engine/kube-proxy.kubeconfig --hostname-override "node$n" --proxy-mode iptables \
    --cluster-cidr "$PODS.0.0/16" --bind-address "$address" --conntrack-max-per-core 0 \
    --conntrack-tcp-timeout-established 0s --conntrack-tcp-timeout-close-wait 0s
}

up() {
  local started=$SECONDS n jobs=()
  images
  lock kubernetes
  [ -d "$BUILT" ] || toolchain_tree
  tree "${BUILT##*/}" make_kubernetes
  exec 9>&-
  lock machine
  machine_tree
  exec 9>&-
  switch_up
  for n in $(seq "$KUBERNETES_NODES"); do
    node_with_docker "$n" &
    jobs+=($!)
  done
  wait "${jobs[0]}" || die "node 1 did not come up"
  control_plane_up
  for n in "${jobs[@]:1}"; do wait "$n" || die "a node did not come up"; done
  for n in $(seq "$KUBERNETES_NODES"); do
    kubelet_up "$n"
    ip route replace "$PODS.$n.0/24" via "$(node_address "$n")" dev "$INTERFACE"
  done
  ip route replace "$SERVICES.0.0/16" via "$(node_address 1)" dev "$INTERFACE"
  wait_for 90 all_ready || die "nodes are not ready: $(tail -3 "$RUN"/node*/engine/kubelet.log)"
  wait_for 30 kubectl --namespace default get serviceaccount default
  kubectl apply -f - >/dev/null <<'YAML'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: shared, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/host-path
reclaimPolicy: Delete
YAML
  log "Kubernetes of $KUBERNETES_NODES nodes is up in $((SECONDS - started)) s"
  echo "$RUN/node1/engine/admin.kubeconfig"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  need_root
  case ${1:-} in
    up) up ;;
    status) status ;;
    kubectl) kubectl "${@:2}" ;;
    run) node_run "${@:2}" ;;
    kill) end "$(node_folder "$2")/pid" ;;
    silence) node_run "$2" sh -c 'kill -KILL "$(cat /engine/kubelet.pid)"' ;;
    down) lab_down ;;
    *) die "usage: kubernetes.sh up|status|kubectl …|run N COMMAND…|kill N|silence N|down" ;;
  esac
fi
