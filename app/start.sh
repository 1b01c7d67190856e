#!/bin/sh
# make run: sets up what the live application needs (no torch) and starts Egret; arguments go to `egret`.
set -eu
cd "$(dirname "$0")/.."
sh app/environment.sh
exec "${EGRET_VENV:-.venv}/bin/python" -m app.cli "$@"
