# Sourced: Debian packages, installed only where a program is missing.

# packages_for PROGRAM PACKAGE… : the programs of Debian's packages are not all on the PATH of a user.
packages_for() {
    local program="$1"
    shift
    if PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$program" >/dev/null; then
        return
    fi
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$program is missing: install it, or run this as root on Debian (packages: $*)" >&2
        return 1
    fi
    without_services apt-get install --yes -qq --no-install-recommends "$@"
}

# The packages' own services must not start: the suite starts servers of its own, on free ports.
without_services() {
    local policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        DEBIAN_FRONTEND=noninteractive apt_with_lists "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    DEBIAN_FRONTEND=noninteractive apt_with_lists "$@" || { rm -f "$policy"; return 1; }
    rm -f "$policy"
}

# A machine that never fetched the package lists, or long ago, gets them at the first failure.
apt_with_lists() {
    "$@" >/dev/null 2>&1 || { apt-get update -qq && "$@" >/dev/null; }
}
