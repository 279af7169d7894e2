#!/usr/bin/env bash
# Ends what `make engines-up` or a test run that was killed left behind: the Swarm, the Kubernetes cluster, the builder
# of images, and PostgreSQL clusters in /tmp/jupytercloud-pg-*. What was built stays in .cache/engines.
set -u
shopt -s nullglob
cd "$(dirname "$0")" || exit 1
run=${ENGINES_RUN:-/tmp/jupytercloud-engines}
for group in swarm kubernetes; do
  [ ! -d "$run/$group" ] && [ ! -d "$run/$group-users" ] || "./$group.sh" down || exit 1
done
[ ! -d "$run/builder" ] || image/builder.sh down || exit 1
for folder in /tmp/jupytercloud-pg-*; do
  [ -f "$folder/data/postmaster.pid" ] && kill -QUIT "$(head -1 "$folder/data/postmaster.pid")" 2>/dev/null
  rm -rf "$folder"
done
echo "nothing of the engines is left"
