#!/usr/bin/env bash
# PostgreSQL and PgBouncer, from Debian's packages (15 and 1.18 on Debian 12).
set -euo pipefail
. "$(dirname "$0")/packages.sh"

packages_for postgres postgresql
packages_for pgbouncer pgbouncer
