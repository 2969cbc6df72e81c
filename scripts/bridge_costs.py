"""What the last verdicts of a judge cost, and what precision they buy, for docs/succession.md.

    python scripts/bridge_costs.py --judge gpt-4o-2024-08-06 --models 12 --families 6

Assumed: both orders of every row, a tenth of the rows judged three times, TOKENS prompt tokens per judgement and one
token of verdict. TOKENS is what `xl-suite bridge plan` counts (UTF-8 bytes / 4) for answers of gpt4_1106_preview
against those of gpt-4o-mini-2024-07-18 on AlpacaEval's 805 prompts with xl_gpt4o: 1,365. Short answers cost less (950
for alpaca-7b); `bridge plan` counts those that you have.
"""

from __future__ import annotations

import argparse
import sys

from xl_suite.bridging.design import REPEATS
from xl_suite.bridging.plan import BATCH_SHARE, ORDERS
from xl_suite.bridging.precision import foresee
from xl_suite.chat.budget import prices

PROMPTS, LANGUAGES, TOKENS, REPEAT_SHARE = 797, 11, 1365, 0.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", default="gpt-4o-2024-08-06", help="a model of the price list")
    parser.add_argument("--models", type=int, default=12)
    parser.add_argument("--families", type=int, default=6)
    parser.add_argument("--rows", default="50,100,200,400,797", help="per model and language, with commas between")
    args = parser.parse_args()
    price = next((one for one in prices() if one.model == args.judge), None)
    if price is None:
        print(f"{args.judge} has no price. Priced: {', '.join(one.model for one in prices())}.", file=sys.stderr)
        return 2
    models = [(f"m{place:03}", f"f{place % args.families:03}") for place in range(args.models)]
    print(
        f"{args.judge}: ${price.prompt:g} and ${price.completion:g} per million tokens ({price.source}, {price.date})"
    )
    print("| rows per model and language | calls | $ | $ in batches | one model, points | many models, points |")
    print("| --- | --- | --- | --- | --- | --- |")
    for rows in map(int, args.rows.split(",")):
        calls = round(args.models * LANGUAGES * rows * ORDERS * (1 + (REPEATS - 1) * REPEAT_SHARE))
        dollars = price.of(calls * TOKENS, calls)
        found = foresee(models, {f"l{place:02}": rows for place in range(LANGUAGES)})
        one, many = found.languages["l00"]
        print(
            f"| {rows} | {calls:,} | {dollars:,.0f} | {dollars * BATCH_SHARE:,.0f} "
            f"| {one:.0f} / {found.overall[0]:.0f} | {many:.1f} / {found.overall[1]:.1f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
