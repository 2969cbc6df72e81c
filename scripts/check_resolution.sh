#!/usr/bin/env bash
# Shows that every extra but vllm resolves together with unbabel-comet: nothing is installed.
#   scripts/check_resolution.sh [PYTHON]
# prints the versions that pip would choose, or pip's explanation of the conflict (exit status 1).
set -euo pipefail
cd "$(dirname "$0")/.."
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
# A pip of its own: the resolver of an older one can take hours over this.
"${1:-python3}" -m venv "$scratch/venv"
python="$scratch/venv/bin/python"
report="$scratch/report.json"
"$python" -m pip install --quiet --upgrade pip
"$python" -m pip install --quiet --dry-run --ignore-installed --constraint constraints.txt --report "$report" \
    ".[hf,alpaca-eval,lm-eval,inspect,sat,comet,train,test,dev]"
"$python" - "$report" <<'PYTHON'
import json
import sys

chosen = {item["metadata"]["name"].lower(): item["metadata"]["version"] for item in json.load(open(sys.argv[1]))["install"]}
shown = "alpaca-eval datasets datatrove huggingface-hub lm-eval numpy peft torch transformers trl unbabel-comet wtpsplit"
for name in shown.split():
    print(f"{name:<18}{chosen.get(name) or chosen.get(name.replace('-', '_'), 'not chosen')}")
PYTHON
