#!/usr/bin/env bash
# Redis with its command line, which makes the cluster, from Debian's packages (7.0 on Debian 12).
set -euo pipefail
. "$(dirname "$0")/packages.sh"

packages_for redis-server redis-server
packages_for redis-cli redis-tools
