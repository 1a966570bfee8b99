#!/usr/bin/env bash
# Installs what the local system takes from Ubuntu, as its image names it: MariaDB and Redis without a service, which would
# take their ports, and what packs the programs.
set -euo pipefail
apt-get -qq update
apt-get -qq install --yes --no-install-recommends mariadb-server-core-10.6 mariadb-client-core-10.6 mariadb-client-10.6 redis-tools python3-venv zstd >/dev/null
