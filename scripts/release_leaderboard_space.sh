#!/usr/bin/env bash
# Builds the leaderboard from folders of results and publishes it as a static Space.
#   scripts/release_leaderboard_space.sh DIR ORG/NAME [publish] RESULTS...
# RESULTS: what `xl-suite leaderboard` takes, such as a clone of the leaderboard's dataset, and its options.
# DIR/site is the leaderboard, DIR/space what is published: the site and a README. Without the word `publish` nothing
# changes on the Hub. Model outputs hold made-up e-mail addresses, so these are listed and let pass.
set -euo pipefail
out=$1 repo=$2
shift 2
dry=--dry-run
if [ "${1:-}" = publish ]; then
    dry=
    shift
fi
echo "== build"
${XL_SUITE:-xl-suite} leaderboard "$@" --out "$out/site"
mkdir -p "$out/space"
# What is hidden stays: .cache remembers which commit was published from here.
find "$out/space" -mindepth 1 -maxdepth 1 -not -name '.*' -exec rm -r {} +
cp -R "$out/site/"* "$out/space/"
cat >"$out/space/README.md" <<'CARD'
---
title: Cross-lingual generation
emoji: 🌍
colorFrom: blue
colorTo: green
sdk: static
pinned: false
license: cc-by-nc-4.0
short_description: Who answers best in a language that is not the question's?
---

# Cross-lingual generation

Win rates of models on XL-AlpacaEval and m-AlpacaEval, built by `xl-suite leaderboard` from the results in the
leaderboard's dataset. The page needs no server and asks for nothing from elsewhere. To submit a model, run
`xl-suite submit` and open a pull request there.
CARD
echo "== ${dry:+dry run of }publish"
exec ${XL_SUITE:-xl-suite} publish "$out/space" --repo "$repo" --allow-emails ${dry:+"$dry"}
