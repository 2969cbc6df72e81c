"""A real llama.cpp server for one GGUF file, from the package xllamacpp: chat completions with log-probabilities.

    python scripts/real/llama.py FILE --port 8080 --name SmolLM2-135M-Instruct

serves http://127.0.0.1:8080/v1 until it is stopped. A model without a chat template gets the server's own.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--name", default="", help="the model's name in requests and answers; default: the file's")
    parser.add_argument("--slots", type=int, default=2, help="requests at a time (default: 2)")
    parser.add_argument("--context", type=int, default=2048, help="tokens per request (default: 2048)")
    parser.add_argument(
        "--plain", action="store_true", help="a base model: the messages' text alone, to be continued"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(options.gguf)
    settings.model_alias = {options.name or options.gguf.stem}
    settings.n_parallel = options.slots
    settings.n_ctx = options.context * options.slots
    settings.hostnames = ["127.0.0.1"]
    settings.port = options.port
    settings.cpuparams.n_threads = options.threads
    if options.plain:
        settings.use_jinja = True
        settings.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    server = xllamacpp.Server(settings)
    print(f"{server.listening_address}/v1", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main())
