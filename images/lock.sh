#!/bin/sh
# Freezes the short lists (requirements.in, package.json) into the long ones, with hashes, for every Python from 3.11.
#   images/lock.sh [hub|notebook-base|pycoa…]      needs uv (PyPI) and npm
set -eu
cd "$(dirname "$0")/.."

for image in ${*:-hub notebook-base pycoa}; do
  also=
  if [ "$image" = hub ]; then
    also=pyproject.toml
    npm install --prefix images/hub --package-lock-only --no-audit --no-fund --silent
  fi
  ${UV:-uv} pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
    --no-strip-extras --no-header --output-file "images/$image/requirements.txt" "images/$image/requirements.in" $also
done
