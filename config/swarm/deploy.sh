#!/bin/sh
# Deploys the stack, or what changed of it. Configs and secrets are named by their content: what was edited gets a new name,
# and only the services that use it are updated. More files: ./deploy.sh -c grafana.yaml -c portainer.yaml
set -eu
cd "$(dirname "$0")"

if [ ! -s secrets/client_secret ]; then
  echo "secrets/client_secret manque : écrivez-y le secret que le fournisseur d'identité vous a donné (umask 077)." >&2
  echo "secrets/client_secret is missing: put the secret there that the identity provider gave you (umask 077)." >&2
  exit 1
fi
content() { sha256sum "$1" | cut -c1-12; }

CONFIG_JUPYTERCLOUD=$(content jupytercloud.yaml); export CONFIG_JUPYTERCLOUD
CONFIG_JUPYTERHUB_CONFIG=$(content jupyterhub_config.py); export CONFIG_JUPYTERHUB_CONFIG
CONFIG_DATABASE_INIT=$(content database_init.sql); export CONFIG_DATABASE_INIT
CONFIG_DUMP=$(content dump.sh); export CONFIG_DUMP
CONFIG_SOCKET_TRAEFIK=$(content socket_traefik.cfg); export CONFIG_SOCKET_TRAEFIK
CONFIG_SOCKET_HUB=$(content socket_hub.cfg); export CONFIG_SOCKET_HUB
CONFIG_PROMETHEUS=$(content prometheus.yml); export CONFIG_PROMETHEUS
CONFIG_RECORDING=$(content recording.yml); export CONFIG_RECORDING
CONFIG_ALERTS=$(content alerts.yml); export CONFIG_ALERTS
CONFIG_GRAFANA_SOURCE=$(content grafana_source.yml); export CONFIG_GRAFANA_SOURCE
CONFIG_GRAFANA_BOARDS=$(content grafana_boards.yml); export CONFIG_GRAFANA_BOARDS
CONFIG_BOARD_SITE=$(content board_site.json); export CONFIG_BOARD_SITE
CONFIG_BOARD_USAGE=$(content board_usage.json); export CONFIG_BOARD_USAGE

SECRET_CLIENT_SECRET=$(content secrets/client_secret); export SECRET_CLIENT_SECRET
SECRET_COOKIE_SECRET=$(content secrets/cookie_secret); export SECRET_COOKIE_SECRET
SECRET_CRYPT_KEY=$(content secrets/crypt_key); export SECRET_CRYPT_KEY
SECRET_DATABASE_PASSWORD=$(content secrets/database_password); export SECRET_DATABASE_PASSWORD
SECRET_PROXY_TOKEN=$(content secrets/proxy_token); export SECRET_PROXY_TOKEN
SECRET_QUOTAS_TOKEN=$(content secrets/quotas_token); export SECRET_QUOTAS_TOKEN
SECRET_CULLER_TOKEN=$(content secrets/culler_token); export SECRET_CULLER_TOKEN
SECRET_HUB_CLIENT_TOKEN=$(content secrets/hub_client_token); export SECRET_HUB_CLIENT_TOKEN
SECRET_PROMETHEUS_TOKEN=$(content secrets/prometheus_token); export SECRET_PROMETHEUS_TOKEN
SECRET_GRAFANA_PASSWORD=$(content secrets/grafana_password); export SECRET_GRAFANA_PASSWORD

exec ${DOCKER:-docker stack deploy --with-registry-auth --prune} -c stack.yaml "$@" ${STACK-jupytercloud}
