#!/usr/bin/env bash
# The last steps of a release: verify, card, dry run, and, where asked, publish.
#   scripts/release_dataset.sh DIR ORG/NAME [publish] [options of xl-suite publish]
# DIR is a dataset's folder; release_xl_alpacaeval.sh and the others build one and call this. Without the word
# `publish` nothing changes on the Hub. XL_SUITE and PYTHON are the commands (default: xl-suite, python3).
set -euo pipefail
folder=$1 repo=$2
shift 2
publish=no
if [ "${1:-}" = publish ]; then
    publish=yes
    shift
fi
echo "== verify: datasets loads every config"
HF_HUB_OFFLINE=1 ${PYTHON:-python3} - "$folder" <<'PYTHON'
import sys
import tempfile

from datasets import get_dataset_config_names, load_dataset

with tempfile.TemporaryDirectory() as cache:
    for config in get_dataset_config_names(sys.argv[1]):
        loaded = load_dataset(sys.argv[1], config, cache_dir=cache)
        print(config, {split: len(rows) for split, rows in loaded.items()})
PYTHON
echo "== card: what the Hub reads of it"
sed -n '2,/^---$/{/^---$/!p;}' "$folder/README.md" | head -n 20
echo "== dry run"
${XL_SUITE:-xl-suite} publish "$folder" --repo "$repo" --dry-run "$@"
if [ "$publish" = no ]; then
    echo "Nothing was published. The word publish after ORG/NAME does it."
    exit 0
fi
echo "== publish"
${XL_SUITE:-xl-suite} publish "$folder" --repo "$repo" "$@"
