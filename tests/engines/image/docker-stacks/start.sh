#!/bin/bash
# Stands for docker-stacks' start.sh: runs the hooks, then the command.
set -e
for folder in start-notebook.d before-notebook.d; do
  for hook in /usr/local/bin/$folder/*; do
    [ -f "$hook" ] || continue
    case $hook in
      *.sh) . "$hook" ;;
      *) [ ! -x "$hook" ] || "$hook" ;;
    esac
  done
done
exec "${@:-bash}"
