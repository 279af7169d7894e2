#!/usr/bin/env bash
# Installs the Debian packages of the engines that the tests start by themselves. Root.
set -euo pipefail

packages=(postgresql chromium haproxy python3-venv prometheus victoria-metrics pebble)
# LemonLDAP::NG with what its OpenID Connect provider loads; the test starts a portal of its own with plackup.
packages+=(lemonldap-ng liblemonldap-ng-portal-perl libplack-perl libgd-securityimage-perl libimage-magick-perl
  libstring-random-perl libcrypt-openssl-x509-perl libcrypt-openssl-rsa-perl libcrypt-openssl-bignum-perl
  libconvert-pem-perl libio-string-perl libcrypt-urandom-perl libxml-libxml-perl libxml-simple-perl libnet-ldap-perl)
# What the machines of the Swarm and of the Kubernetes cluster are made with; their own packages stay inside of them.
packages+=(debootstrap iproute2)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
echo "engines: PostgreSQL $(ls /usr/lib/postgresql | sort -n | tail -1), $(chromium --version 2>/dev/null)"
