#!/bin/sh
# Makes or refreshes the virtual environment .venv in the project's folder:  sh app/environment.sh [EXTRA,EXTRA]
# Does nothing when it is up to date; makes a half-made one anew. An extra that was asked for once is kept up to date from then on.
#   EGRET_PYTHON       the Python to build it from (default: the first of python3, python3.14 to python3.11 that is new enough)
#   EGRET_VENV         another place for it; a relative one is relative to the project's folder
#   EGRET_PIP_OPTIONS  options for every `pip install`. PyTorch's ordinary build for x86-64 brings gigabytes of CUDA libraries that
#                      nothing here uses: point pip at PyTorch's index of CPU builds with "--extra-index-url ADDRESS", or at a folder of
#                      wheels with "--find-links FOLDER".
set -euf
unset CDPATH
cd "$(dirname "$0")/.."
venv=${EGRET_VENV:-.venv}
stamp=$venv/egret.stamp

fail() { echo "egret: $1" >&2; exit 1; }

# major.minor of the Python $1; nothing if it does not run or is not one that Egret can use
version_of() {
    "$1" -I -S -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 14) and print("%d.%d" % v)' 2>/dev/null || true
}

# The stamp is written last and says what the environment was made from: exactly these lines, so anything that changes is noticed.
# The place is among them because the scripts in bin/ hold their full path.
extras=$({ echo "${1:-}" | tr ',' '\n'; sed -n 's/^extra //p' "$stamp" 2>/dev/null || true; } | sed '/^$/d' | sort -u)
describe() {
    echo "packages $(cat pyproject.toml constraints.txt | cksum)"
    echo "python $1"
    echo "place $(pwd)"
    for extra in $extras; do echo "extra $extra"; done
}
current=$(version_of "$venv/bin/python")
if [ -n "${EGRET_PYTHON:-}" ] && [ "$(version_of "$EGRET_PYTHON")" != "$current" ]; then current=; fi
if [ -n "$current" ] && [ "$(describe "$current")" = "$(cat "$stamp" 2>/dev/null)" ]; then exit 0; fi

[ -w . ] || fail "the folder $(pwd) is read-only for this user: run this as its owner, or from a copy of your own."
mkdir -p "$venv" 2>/dev/null && [ -w "$venv" ] ||
    fail "the virtual environment $venv cannot be written by this user: run this as its owner, or name another place in EGRET_VENV."
echo "egret: setting up $venv (once, some minutes) ..." >&2

# Kept are the packages of an environment that works and was made here with the same Python.
if [ -z "$current" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 ||
    { [ -f "$stamp" ] && ! { grep -qxF "python $current" "$stamp" && grep -qxF "place $(pwd)" "$stamp"; }; }; then
    python=
    for candidate in ${EGRET_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        current=$(version_of "$candidate")
        if [ -n "$current" ]; then python=$candidate; break; fi
    done
    [ -n "$python" ] ||
        fail "Python 3.11 to 3.14 is needed and was not found: install it (Debian: apt-get install python3 python3-venv) or set EGRET_PYTHON."
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "Python's venv module is missing: install it (Debian: apt-get install python3-venv)."
    clear=
    if [ -f "$venv/pyvenv.cfg" ]; then clear=--clear; fi # a folder that is no environment is never emptied
    "$python" -m venv $clear "$venv" || fail "the virtual environment $venv could not be made (see above): is the disk full?"
fi

install() {
    # shellcheck disable=SC2086 # several options are several words
    PYTHONWARNINGS=ignore "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        ${EGRET_PIP_OPTIONS:-} --constraint constraints.txt "$@" ||
        fail "an install step failed (see above): check the network connection and run the same command again."
}
# torch first: what depends on it then takes the build that is there instead of one of its own choosing.
case " $(echo $extras) " in *" train "*) install torch ;; esac
list=$(echo $extras | tr ' ' ',')
install --editable ".${list:+[$list]}"

describe "$current" >"$stamp.new"
mv "$stamp.new" "$stamp"
