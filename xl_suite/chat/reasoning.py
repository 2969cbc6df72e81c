"""The one reader of reasoning: what a model thought before its answer is taken off and kept apart.

Read are blocks before the answer (`<think>`, `<thinking>`, `<thought>`, `<reasoning>`, `[THINK]`), also without their
opening or closing tag, and harmony's channels. A mention of such a tag inside an answer is left alone.
"""

from __future__ import annotations

import re

# Texts without any of these hold no reasoning; looked for because almost all texts are such.
_MARKS = ("think", "THINK", "<|channel|>", "<thought>", "<reasoning>", "assistantfinal")
_OPEN = re.compile(
    r"\s*(?:<(think|thinking|thought|reasoning|seed:think)>|\[(THINK)\]|\u25c1(think)\u25b7)", re.IGNORECASE
)
_CLOSE = re.compile(r"</(?:think|thinking|seed:think)>|\[/THINK\]|\u25c1/think\u25b7", re.IGNORECASE)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>(.*?)(?=<\|end\|>|<\|return\|>|<\|start\|>|<\|channel\|>|\Z)", re.DOTALL
)
# Harmony whose special tokens a server has taken out.
_BARE = re.compile(r"\s*analysis(.*?)assistantfinal(.*)\Z", re.DOTALL)
_ANSWER = re.compile(r"\s*<answer>(.*?)(?:</answer>\s*)?\Z", re.DOTALL | re.IGNORECASE)


def split_reasoning(text: str) -> tuple[str, str | None]:
    """(the answer, the reasoning before it): the text as it is and None where it holds no reasoning.

    Where the reasoning never ends, the answer is empty.
    """
    if not any(mark in text for mark in _MARKS):
        return text, None
    if "<|channel|>" in text:
        parts = [(name.lower(), part) for name, part in _CHANNEL.findall(text)]
        if parts:
            final = "".join(part for name, part in parts if name == "final")
            thought = "\n".join(part.strip() for name, part in parts if name != "final")
            return final.strip(), thought
    bare = _BARE.match(text)
    if bare is not None:
        return bare[2].strip(), bare[1].strip()
    thoughts: list[str] = []
    rest = text
    while opened := _OPEN.match(rest):
        close = _closing(opened)
        end = close.search(rest, opened.end())
        if end is None:
            thoughts.append(rest[opened.end() :].strip())
            return "", "\n".join(filter(None, thoughts))
        thoughts.append(rest[opened.end() : end.start()].strip())
        rest = rest[end.end() :]
    if not thoughts:
        end = _CLOSE.search(text)
        if end is None or re.search(r"<think|\[THINK\]", text[: end.start()], re.IGNORECASE):
            return text, None
        thoughts.append(text[: end.start()].strip())
        rest = text[end.end() :]
    answer = _ANSWER.match(rest)
    return (answer[1] if answer else rest).strip(), "\n".join(filter(None, thoughts))


def _closing(opened: re.Match[str]) -> re.Pattern[str]:
    if opened[2]:
        return re.compile(r"\[/THINK\]", re.IGNORECASE)
    if opened[3]:
        return re.compile("\u25c1/think\u25b7")
    return re.compile(rf"</{re.escape(opened[1])}>", re.IGNORECASE)
