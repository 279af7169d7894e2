#!/usr/bin/env bash
# Builds the images.
#
#   images/build.sh [hub|hub-kubernetes|notebook-base|pycoa…]     all but hub-kubernetes where none is named
#
# With Docker: from the bases that the Dockerfiles name. Without Docker, or with STAND_IN=1, on a machine that has no
# container registry (root): a Docker daemon of its own, and bases made of Debian and PyPI.
#
#   REGISTRY, VERSION           the images are REGISTRY/NAME:VERSION
#   BASE_HUB, BASE_NODE, BASE_HUB_KUBERNETES, BASE_NOTEBOOK     other bases, such as those of a mirror
#   PIP_INDEX_URL, NPM_REGISTRY mirrors of PyPI and npm
#   PYCOA_DATA, PYCOA_LINE      see pycoa/Dockerfile
#   PUSH=1                      pushes what was built
set -euo pipefail
cd "$(dirname "$0")/.."

REGISTRY=${REGISTRY:-registry.jupytercloud.example.fr/jupytercloud}
VERSION=${VERSION:-$(sed -n 's/^__version__ = "\(.*\)"/\1/p' jupytercloud_hub/__init__.py)}
VERSION=${VERSION%.dev*}
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)

if [ -n "${STAND_IN:-}" ] || ! command -v docker >/dev/null; then
  also=()
  [[ " ${*:-pycoa} " != *\ @(notebook-base|pycoa)\ * ]] || also+=(notebook)
  [[ " $* " != *" hub-kubernetes "* ]] || also+=(k8s_hub)
  tests/engines/image/builder.sh up "${also[@]}" >&2
  DOCKER=(tests/engines/image/builder.sh docker)
  BASE_HUB=${BASE_HUB:-stand-in/python} BASE_NODE=${BASE_NODE:-stand-in/node} BASE_NOTEBOOK=${BASE_NOTEBOOK:-stand-in/notebook}
  BASE_HUB_KUBERNETES=${BASE_HUB_KUBERNETES:-stand-in/k8s-hub}
  NETWORK=(--network host)
else
  DOCKER=(docker)
  NETWORK=()
fi

# build NAME OPTION…
build() {
  local name=$1 started=$SECONDS options=() argument
  shift
  for argument in PIP_INDEX_URL NPM_REGISTRY PYCOA_DATA PYCOA_LINE; do
    [ -z "${!argument:-}" ] || options+=(--build-arg "$argument=${!argument}")
  done
  "${DOCKER[@]}" build --quiet "${NETWORK[@]}" "${options[@]}" --build-arg "VERSION=$VERSION" --build-arg "REVISION=$REVISION" \
    --tag "$REGISTRY/$name:$VERSION" "$@" . >/dev/null
  printf '%s %s MB in %s s\n' "$REGISTRY/$name:$VERSION" \
    "$(($("${DOCKER[@]}" image inspect -f '{{.Size}}' "$REGISTRY/$name:$VERSION") / 1000000))" $((SECONDS - started))
  [ -z "${PUSH:-}" ] || "${DOCKER[@]}" push --quiet "$REGISTRY/$name:$VERSION"
}

base() { [ -z "$2" ] || printf -- '--build-arg\n%s=%s\n' "$1" "$2"; }

for image in "${@:-hub notebook-base pycoa}"; do
  for name in $image; do
    options=()
    case $name in
      hub) mapfile -t options < <(base BASE "${BASE_HUB:-}"; base BASE_NODE "${BASE_NODE:-}"; printf -- '--target\nhub\n') ;;
      hub-kubernetes)
        mapfile -t options < <(base BASE "${BASE_HUB_KUBERNETES:-quay.io/jupyterhub/k8s-hub:4.4.0}"; printf -- '--target\nhub-kubernetes\n')
        ;;
      notebook-base) mapfile -t options < <(base BASE "${BASE_NOTEBOOK:-}") ;;
      pycoa) mapfile -t options < <(base BASE "$REGISTRY/notebook-base:$VERSION") ;;
      *)
        echo "no image is called $name: hub, hub-kubernetes, notebook-base, pycoa" >&2
        exit 2
        ;;
    esac
    build "$name" --file "images/${name%-kubernetes}/Dockerfile" "${options[@]}"
  done
done
