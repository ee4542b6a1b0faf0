#!/usr/bin/env bash
# The oldest PostgreSQL line that is supported, beside Debian's.
set -euo pipefail
exec bash "$(dirname "$0")/postgres/install" 14.24.0
