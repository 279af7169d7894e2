#!/usr/bin/env bash
# Builds all that the engines are made of, so that bringing them up takes seconds: the machines' file tree, the images,
# Kubernetes, the hub's image. Some ten minutes on two cores, once; kept in .cache/engines. Root.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_root
"$ENGINES/image/build.sh"
lock machine
machine_tree
exec 9>&-
"$ENGINES/kubernetes-build.sh" >/dev/null
STAND_IN=1 "$CHECKOUT/images/build.sh" hub >/dev/null
"$ENGINES/image/builder.sh" down
echo "engines are built in $CACHE"
