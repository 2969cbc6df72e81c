#!/usr/bin/env bash
# Generates XL-Instruct and publishes it.
#   scripts/release_xl_instruct.sh DIR ORG/NAME [publish] [options of xl-suite publish]
# CONFIG: of `xl-suite generate` (default: permissive, whose teacher and translators let the data be published).
# GENERATE: further options, such as --budget 500. A look at the cost first:
#   xl-suite generate permissive --out DIR --estimate
# Rows in quarantine end the release: the same command tries them again. With ALLOW_QUARANTINE=1 they are left out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
echo "== build"
status=0
# shellcheck disable=SC2086  # several words
${XL_SUITE:-xl-suite} generate "${CONFIG:-permissive}" --out "$1" ${GENERATE:-} || status=$?
if [ "$status" -gt 1 ] || { [ "$status" = 1 ] && [ -z "${ALLOW_QUARANTINE:-}" ]; }; then
    exit "$status"
fi
exec "$here/release_dataset.sh" "$@"
