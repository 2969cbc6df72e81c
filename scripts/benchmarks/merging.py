"""How much of a LoRA update rounding to bfloat16 changes when it is merged into a base in bfloat16.

python scripts/benchmarks/merging.py

A random Llama (hidden size 256, 2 layers, weights of standard deviation 0.02), LoRA of rank 8 on q and v, cosine
schedule, random tokens. It needs the extra `train`, a CPU, and a minute.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import transformers
from peft import LoraConfig, get_peft_model

from xl_instruct.training.merging import add_updates

HIDDEN, TOKENS = 256, 64


def train(rate: float, steps: int) -> torch.nn.Module:
    torch.manual_seed(0)
    shape = transformers.LlamaConfig(
        vocab_size=512,
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    base = transformers.LlamaForCausalLM(shape).to(torch.bfloat16)
    adapter = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(base, adapter)
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=rate, weight_decay=0.0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        ids = torch.randint(0, TOKENS, (4, 32))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


def main() -> None:
    print(
        "| learning rate | steps | root mean square of the update | changed by rounding |\n| --- | --- | --- | --- |"
    )
    for rate in (1e-4, 1e-3):
        for steps in (10, 100, 400):
            model = train(rate, steps)
            layers: list[Any] = [one for one in model.modules() if hasattr(one, "get_delta_weight")]
            updates = [one.get_delta_weight("default") for one in layers]
            size = math.sqrt(sum(float(u.float().pow(2).mean()) for u in updates) / len(updates))
            print(f"| {rate:g} | {steps} | {size:.1e} | {add_updates(model):.1%} |", flush=True)


if __name__ == "__main__":
    main()
