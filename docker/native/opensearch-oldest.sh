#!/usr/bin/env bash
# The oldest OpenSearch line that is supported, beside the newest.
set -euo pipefail
exec bash "$(dirname "$0")/opensearch.sh" 2.19.1
