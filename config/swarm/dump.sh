#!/bin/sh
# In the service "backup": dumps of both databases in the volume "dumps".
#   dump                 makes one now and says its name, such as 2026-11-20-0300
#   dump every-night     the service itself
#   dump restore NAME    puts it back (first: hub and services scaled to 0)
set -eu
PGPASSWORD=$(cat /run/secrets/database_password)
export PGPASSWORD PGHOST=db PGUSER=jupytercloud
cd /dumps
databases="jupytercloud jupyterhub"

now() {
  stamp=$(date +%F-%H%M) # with the minute: the first dump of an empty stack must not stand in the place of last night's
  for name in $databases; do
    pg_dump --format custom --file ".$name" "$name"
    mv ".$name" "$name-$stamp.dump"
  done
  echo "$stamp"
  find . -name '*.dump' -mtime +14 -delete
}

case ${1:-} in
  '') now ;;
  every-night)
    while true; do
      if pg_isready --quiet; then
        now && sleep 86400
      else
        sleep 5
      fi
    done
    ;;
  restore)
    for name in $databases; do [ -s "$name-$2.dump" ]; done
    for name in $databases; do pg_restore --clean --if-exists --exit-on-error --single-transaction --dbname "$name" "$name-$2.dump"; done
    ;;
  *)
    echo "dump | dump every-night | dump restore NAME" >&2
    exit 2
    ;;
esac
