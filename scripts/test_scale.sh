#!/bin/sh
# Runs ranks by real engines, in an environment of their own, .venv-scale (or $VENV_SCALE): the tests of the executors,
# then scripts/scale/check.py. Usage: scripts/test_scale.sh [its arguments]
set -eu
cd "$(dirname "$0")/.."
venv=${VENV_SCALE:-.venv-scale}
stamp=$venv/.installed
if [ ! -e "$stamp" ] || [ setup.cfg -nt "$stamp" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --constraint constraints.txt --editable ".[ray,parsl,test]"
    touch "$stamp"
fi
# Slurm comes from Debian; where it cannot be installed, check.py says that it leaves it out.
if [ "$(id -u)" = 0 ] && ! command -v sbatch > /dev/null && command -v apt-get > /dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge > /dev/null || true
fi
"$venv/bin/python" -m pytest -n 0 tests/xl_suite/executors/test_engines.py
exec "$venv/bin/python" -m scripts.scale.check "$@"
