#!/bin/sh
# make test: sets up what the tests need and runs them all: style, types, import arrows, then pytest. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
sh app/environment.sh train,test
bin=${EGRET_VENV:-.venv}/bin
"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"
"$bin/lint-imports"
exec "$bin/python" -m pytest "$@"
