#!/bin/sh
# Makes or refreshes the virtual environment .venv in the project's folder:  sh app/environment.sh [EXTRA,EXTRA]
# Does nothing when it is up to date. EGRET_PYTHON names the Python to build it from; EGRET_VENV another place for it.
set -eu
cd "$(dirname "$0")/.."
extras=${1:-}
venv=${EGRET_VENV:-.venv}

fail() { echo "egret: $1" >&2; exit 1; }

find_python() {
    for python in ${EGRET_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# The stamp holds what the environment was made from; it is up to date when that is the same and has the extras asked for.
wanted=$(cat pyproject.toml constraints.txt | cksum)
for extra in $(echo "$extras" | tr ',' ' '); do
    grep -qx "extra $extra" "$venv/egret.stamp" 2>/dev/null || wanted="missing $extra"
done
if [ -x "$venv/bin/python" ] && grep -qxF "$wanted" "$venv/egret.stamp" 2>/dev/null; then
    exit 0
fi

python=$(find_python) || fail "Python 3.11 to 3.14 is needed and was not found: install it (Debian: apt-get install python3 python3-venv) or set EGRET_PYTHON."
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "Python's venv module is missing: install it (Debian: apt-get install python3-venv)."
echo "egret: setting up $venv (once, some minutes) ..." >&2
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || fail "the virtual environment $venv could not be made: is the disk full or the folder read-only?"

install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$@" ||
        fail "an install step failed (see above): check the network connection and run the same command again."
}
# torch first: what depends on it then takes the build that is there instead of one of its own choosing.
case ",$extras," in *,train,*) install torch ;; esac
if [ -n "$extras" ]; then install --editable ".[$extras]"; else install --editable .; fi

previous=$(grep '^extra ' "$venv/egret.stamp" 2>/dev/null || true)
{
    cat pyproject.toml constraints.txt | cksum
    { echo "$previous"; for extra in $(echo "$extras" | tr ',' ' '); do echo "extra $extra"; done; } | sort -u | sed '/^$/d'
} >"$venv/egret.stamp.new"
mv "$venv/egret.stamp.new" "$venv/egret.stamp"
