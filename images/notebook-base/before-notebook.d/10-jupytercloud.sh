#!/bin/bash
# Sourced before the server starts: /cvmfs is named where it is mounted, and its absence stops nobody.
if [ -d /cvmfs ] && [ -n "$(ls -A /cvmfs 2>/dev/null)" ] || [ -r "${CVMFS_SETUP:-}" ]; then
  export JUPYTERCLOUD_CVMFS=/cvmfs
fi
