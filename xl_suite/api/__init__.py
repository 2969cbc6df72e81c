"""The Python API: what a notebook uses, and what the command line is a thin layer over.

    import xl_suite as xl

    bench = xl.load_benchmark("xl-alpacaeval")  # a folder or a Hub ID
    mine = xl.respond(bench, "vllm:Qwen/Qwen2.5-7B-Instruct", languages=["deu"], out="outputs", budget=10)
    judged = xl.judge(mine, xl.read_outputs("outputs/gpt-4o-mini"), annotator="xl_gpt4o", out="annotations")
    xl.score(judged, benchmark=bench)

A function that calls models takes the keywords of `ChatSettings` too, and has a method `estimate` with the same
arguments, which makes no call: `xl.respond.estimate(bench, "gpt-4o-2024-08-06", out="outputs")`. Errors are children
of `XLSuiteError`. What ends a run early raises; the same call goes on from there.
"""

from __future__ import annotations

from xl_suite.api.answers import fidelity, read_outputs, respond
from xl_suite.api.audits import audit
from xl_suite.api.benchmarks import build_m_alpacaeval, build_prompts, build_xl_alpacaeval, load_benchmark
from xl_suite.api.bridges import apply_bridge, archive_bridge, collect_bridge, fit_bridge, plan_bridge
from xl_suite.api.jobs import ChatSettings, Job, Languages, Paid, Place, chat_options
from xl_suite.api.judgements import judge, judge_panel, read_annotations
from xl_suite.api.people import annotate, check_judge, import_judgements, import_labels
from xl_suite.api.ratings import rate
from xl_suite.api.releases import plan_publish, publish, submit
from xl_suite.api.scores import compare, leaderboard, score, watch_leaderboard
from xl_suite.api.training import generate, preferences, subset, train

__all__ = [
    "ChatSettings",
    "Job",
    "Languages",
    "Paid",
    "Place",
    "annotate",
    "apply_bridge",
    "archive_bridge",
    "audit",
    "build_m_alpacaeval",
    "build_prompts",
    "build_xl_alpacaeval",
    "chat_options",
    "check_judge",
    "collect_bridge",
    "compare",
    "fidelity",
    "fit_bridge",
    "generate",
    "import_judgements",
    "import_labels",
    "judge",
    "judge_panel",
    "leaderboard",
    "load_benchmark",
    "plan_bridge",
    "plan_publish",
    "preferences",
    "publish",
    "rate",
    "read_annotations",
    "read_outputs",
    "respond",
    "score",
    "submit",
    "subset",
    "train",
    "watch_leaderboard",
]
