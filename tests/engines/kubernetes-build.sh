#!/usr/bin/env bash
# Builds Kubernetes 1.20.2 from Debian's source package (its dependencies are vendored: nothing but the Debian mirror is
# asked): one static binary in .cache/engines/kubernetes/bin with a link for each component, and `pause`. Once: some
# minutes and 3 GB of scratch that is removed afterwards. Root, for the chroot that holds the compiler.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build_in_tree() { # runs inside the toolchain's tree, in /build
  set -euo pipefail
  cd /build
  if [ ! -d source ]; then
    apt-get update -qq
    apt-get source -qq --download-only kubernetes 2>/dev/null
    rm -rf source.new
    dpkg-source --no-check -x kubernetes_*.dsc source.new >/dev/null
    mv source.new source
  fi
  cd source

  # The vendored reflect2 1.0.1 does not know the map iterator of Go 1.18 and later: components die of "fatal error:
  # fault" now and then (https://github.com/modern-go/reflect2/issues/26). Debian has the mended one.
  reflect2=vendor/github.com/modern-go/reflect2
  if [ ! -f $reflect2/go_above_118.go ]; then
    (cd /build && apt-get download -qq golang-github-modern-go-reflect2-dev && dpkg-deb -x golang-github-modern-go-reflect2-dev_*.deb reflect2)
    rm -f $reflect2/*.go $reflect2/*.s
    cp /build/reflect2/usr/share/gocode/src/github.com/modern-go/reflect2/*.go $reflect2/
    cp /build/reflect2/usr/share/gocode/src/github.com/modern-go/reflect2/*.s $reflect2/ 2>/dev/null || true
  fi

  # Without CAP_SYS_RESOURCE nobody may lower an oom_score_adj, and runc dies of it: sandboxes and guaranteed pods get 0.
  sed -i 's/defaultSandboxOOMAdj int = -998/defaultSandboxOOMAdj int = 0/' pkg/kubelet/dockershim/docker_sandbox.go
  grep -q 'defaultSandboxOOMAdj int = 0$' pkg/kubelet/dockershim/docker_sandbox.go
  sed -i 's/^\(\t\+\)return guaranteedOOMScoreAdj$/\1return 0/' pkg/kubelet/qos/policy.go
  ! grep -q 'return guaranteedOOMScoreAdj$' pkg/kubelet/qos/policy.go

  mkdir -p cmd/hyperkube
  cp /build/hyperkube.go cmd/hyperkube/main.go
  # its Makefile wants a GOPATH that the tree is linked into; static, stripped, without the clouds' code
  export GOPATH=/build/source/.go PATH=/usr/lib/go-1.19/bin:$PATH CGO_ENABLED=0 GOFLAGS=-tags=providerless HOME=/build
  mkdir -p "$GOPATH/src/k8s.io"
  ln -sfn /build/source "$GOPATH/src/k8s.io/kubernetes"
  # Of all generated files the source lacks this one only: the others are not made anew.
  make -s -f Makefile.generated_files CALLED_FROM_MAIN_MAKEFILE=1 OUT_DIR=_output BIN_DIR=_output/bin \
    PRJ_SRC_PATH=k8s.io/kubernetes GENERATED_FILE_PREFIX=zz_generated. KUBE_VERBOSE=1 \
    pkg/generated/openapi/zz_generated.openapi.go
  KUBE_GIT_TREE_STATE=clean KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20 \
    KUBE_GIT_COMMIT=faecb196815e248d3ecfb03c680a4507229c2a56 hack/make-rules/build.sh cmd/hyperkube
  mkdir -p /build/bin
  install -m 755 _output/local/go/bin/hyperkube /build/bin/hyperkube
  for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
    ln -sf hyperkube "/build/bin/$name"
  done
  gcc -Os -static -s -DVERSION=3.2-test -o /build/bin/pause build/pause/linux/pause.c
  /build/bin/kubelet --version
}

BUILT=$CACHE/kubernetes-$(fingerprint "$(cat "$ENGINES/hyperkube.go")" "$(declare -f build_in_tree)")

make_kubernetes() {
  local work=$CACHE/kubernetes-work
  mkdir -p "$work" "$1"
  cp "$ENGINES/hyperkube.go" "$work/"
  log "building Kubernetes: some minutes, once (log: $CACHE/kubernetes-build.log)"
  IN_TREE_BIND=$work:/build in_tree "$TOOLCHAIN" bash -c "$(declare -f build_in_tree); build_in_tree" >"$CACHE/kubernetes-build.log" 2>&1 ||
    die "the build failed: $CACHE/kubernetes-build.log"
  cp -a "$work/bin" "$1/bin"
  rm -rf "$work"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  need_root
  lock kubernetes
  [ -d "$BUILT" ] || toolchain_tree
  tree "${BUILT##*/}" make_kubernetes
  echo "$BUILT/bin"
fi
