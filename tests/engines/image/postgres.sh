#!/bin/sh
# Stands for the entry point of Docker Hub's postgres image: a new cluster gets the user, her password, her database and the
# files of /docker-entrypoint-initdb.d.
set -eu
data=/var/lib/postgresql/data
if [ "${1:-}" != postgres ]; then exec "$@"; fi
mkdir -p "$data" /run/postgresql
chown -R postgres "$data" /run/postgresql
chmod 700 "$data"
as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
if [ ! -s "$data/PG_VERSION" ]; then
  as initdb --pgdata "$data" --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" --auth-host scram-sha-256 --auth-local trust >/dev/null
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
  as pg_ctl --pgdata "$data" --wait --silent --options "-c listen_addresses=''" start
  as createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
  for file in /docker-entrypoint-initdb.d/*.sql; do
    as psql --quiet -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$file"
  done
  as pg_ctl --pgdata "$data" --wait --silent --mode fast stop
fi
shift
exec setpriv --reuid postgres --regid postgres --clear-groups postgres -D "$data" -c listen_addresses='*' "$@"
