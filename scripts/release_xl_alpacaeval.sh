#!/usr/bin/env bash
# Builds XL-AlpacaEval, compares it with the release that is on the Hub, and publishes it.
#   scripts/release_xl_alpacaeval.sh DIR ORG/NAME [publish] [options of xl-suite publish]
# SOURCE: AlpacaEval's prompts, a file or a Hub ID (default: tatsu-lab/alpaca_eval).
# VERIFY: the release that the rows are compared with (default: viyer98/XL-AlpacaEval). The differences are printed;
# a comparison that cannot be made ends the release. An empty VERIFY leaves it out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
verify=${VERIFY-viyer98/XL-AlpacaEval}
echo "== build"
${XL_SUITE:-xl-suite} build xl-alpacaeval --source "${SOURCE:-tatsu-lab/alpaca_eval}" --out "$1" \
    ${verify:+--verify "$verify"}
exec "$here/release_dataset.sh" "$@"
