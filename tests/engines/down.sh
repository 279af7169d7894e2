#!/usr/bin/env bash
# Ends what a test run that was killed left behind: PostgreSQL clusters in /tmp/jupytercloud-pg-*.
set -u
shopt -s nullglob
for folder in /tmp/jupytercloud-pg-*; do
  [ -f "$folder/data/postmaster.pid" ] && kill -QUIT "$(head -1 "$folder/data/postmaster.pid")" 2>/dev/null
  rm -rf "$folder"
done
echo "nothing of the engines is left"
