"""The largest difference between the logits of a base with its adapter and of the merged model, on one sentence.

    python scripts/real/merged.py BASE TUNED

prints it; TUNED is a folder of `xl-suite train --merge`.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("tuned", type=Path)
    options = parser.parse_args()
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    sentence = "A small river runs through the old town."
    ids = AutoTokenizer.from_pretrained(options.base)(sentence, return_tensors="pt").input_ids
    with torch.inference_mode():
        base = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.float32)
        adapted = PeftModel.from_pretrained(base, options.tuned / "adapter").eval()(ids).logits
        merged = (
            AutoModelForCausalLM.from_pretrained(options.tuned / "merged", dtype=torch.float32).eval()(ids).logits
        )
    print(float((adapted - merged).abs().max()))


if __name__ == "__main__":
    main()
