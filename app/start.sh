#!/bin/sh
# make run: sets up what the live application needs (no torch) and starts Egret; arguments go to `egret`, and paths among them are
# relative to the caller's folder.
set -eu
unset CDPATH
project=$(cd "$(dirname "$0")/.." && pwd)
venv=${EGRET_VENV:-.venv}
case $venv in /*) ;; *) venv=$project/$venv ;; esac
sh "$project/app/environment.sh"
exec "$venv/bin/egret" "$@"
