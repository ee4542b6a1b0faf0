#!/usr/bin/env bash
# The newest PostgreSQL line that is out, beside Debian's.
set -euo pipefail
exec bash "$(dirname "$0")/postgres/install" 18.6.0
