#!/bin/sh
# Holds our CometKiwi scores to unbabel-comet's. Its pins clash with ours, so it gets an environment of its own,
# .venv-comet (or $VENV_COMET). Usage: scripts/test_comet.sh [pytest's arguments]
set -eu
cd "$(dirname "$0")/.."
venv=${VENV_COMET:-.venv-comet}
stamp=$venv/.installed
if [ ! -e "$stamp" ] || [ setup.cfg -nt "$stamp" ] || [ tests/comet/constraints.txt -nt "$stamp" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --constraint tests/comet/constraints.txt --editable ".[comet,test]"
    touch "$stamp"
fi
# One thread: more of them mostly wait for each other on networks this small.
OMP_NUM_THREADS=1 exec "$venv/bin/python" -m pytest tests/comet "$@"
