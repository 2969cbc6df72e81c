#!/usr/bin/env bash
# Translates XL-AlpacaEval's prompts and publishes them as m-AlpacaEval.
#   scripts/release_m_alpacaeval.sh DIR ORG/NAME [publish] [options of xl-suite publish]
# BENCHMARK: XL-AlpacaEval's folder (default: xl-alpacaeval).
# BUILD: options of `xl-suite build m-alpacaeval` (default: --budget 30). A look at the cost first:
#   xl-suite build m-alpacaeval --benchmark xl-alpacaeval --out DIR --estimate
# Translations that were set aside end the release: mend them in DIR/review.jsonl and run it again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
echo "== build"
# shellcheck disable=SC2086  # several words
${XL_SUITE:-xl-suite} build m-alpacaeval --benchmark "${BENCHMARK:-xl-alpacaeval}" --out "$1" ${BUILD:---budget 30}
exec "$here/release_dataset.sh" "$@"
