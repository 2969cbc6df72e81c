"""The paper's models as alpaca_eval's `models_configs`, for `alpaca_eval evaluate_from_model`."""

from __future__ import annotations

from pathlib import Path

from xl_suite.paper.published import PaperModel, paper_models
from xl_suite.records import write_text
from xl_suite.responding.outputs import name_folder

# A server applies each model's chat template itself: one prompt, in the turns that alpaca_eval reads, serves all.
PROMPT = "<|im_start|>user\n{instruction}\n<|im_end|>"
SERVER = "http://127.0.0.1:8000/v1"


def write_models_configs(out: Path, server: str = SERVER) -> list[Path]:
    """Writes `out/<name>/configs.yaml` and its prompt for each evaluated or trained model; the files.

    server: of an OpenAI-compatible server that has the model (`vllm serve HUB_ID`). Decoding is the paper's
    (section 3, "Models"). The prompt's path is absolute: alpaca_eval takes one that it does not find for the prompt.
    """
    import yaml

    written = []
    for model in paper_models():
        if not {"evaluated", "trained"} & set(model.roles):
            continue
        folder = out.resolve() / name_folder(model.name)
        write_text(folder / "prompt.txt", PROMPT)
        text = yaml.safe_dump({folder.name: _describe(model, folder, server)}, sort_keys=False)
        write_text(folder / "configs.yaml", text)
        written.append(folder / "configs.yaml")
    return written


def _describe(model: PaperModel, folder: Path, server: str) -> dict[str, object]:
    return {
        "prompt_template": str(folder / "prompt.txt"),
        "fn_completions": "openai_completions",
        "completions_kwargs": {
            "model_name": model.hub_id,
            "max_tokens": 2048,
            "temperature": 0.7,
            "requires_chatml": True,
            "price_per_token": 0,
            "client_kwargs": {"base_url": server},
        },
        "pretty_name": model.name,
        "link": f"https://huggingface.co/{model.hub_id}",
    }
