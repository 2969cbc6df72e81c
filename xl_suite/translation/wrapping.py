"""What translators put around a translation: tokens of chat templates, quotes, bold, alternatives, closing remarks.

Each check compares with the source: what the source has itself is never held against its translation.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|<｜[^｜<>]{1,40}｜>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|"
    r"<(?:bos|eos|pad|unk)>|</?(?:text|context|translation|source)>|</?think>|"
    r"^#{2,4} ?(?:instruction|response|input|assistant|user)s?:",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTES = '"“”„«»「」『』'
_MARKS = (("**", "**"), ("__", "__"), ("```", "```"), ("`", "`"))
_ALTERNATIVES = re.compile(r"\A\s*(?:1[.)]|\(1\)|[aA]\))\s.+\n\s*(?:2[.)]|\(2\)|[bB]\))\s", re.DOTALL)
_CLOSING = re.compile(
    r"\b(?:i hope (?:this|that|it) helps|let me know if|ich hoffe,? (?:das|dies|es) hilft|"
    r"lass(?:en sie)? (?:es )?mich wissen,? (?:wenn|falls|ob)|espero que (?:isso|isto|esto) (?:ajude|ayude)|"
    r"j['’]espère que (?:cela|ça) (?:vous |t['’])?aide|remélem,? (?:ez|hogy) (?:ez )?segít|"
    r"toivottavasti (?:tämä|tästä) (?:auttaa|on apua)|umarım (?:bu )?yardımcı olur|"
    r"tikiuosi,? kad (?:tai |šis )?pad(?:ės|eda)|tá súil agam go gcabhr(?:óidh|aíonn)|"
    r"nittama li (?:dan |din )?(?:i?jgħin|tgħin))|希望(?:这|以上)?.{0,6}有(?:所)?帮助|"
    r"आशा है (?:कि )?(?:यह|इससे|ये).{0,20}(?:मदद|सहायता|उपयोगी)",
    re.IGNORECASE,
)
_CLOSING_SOURCE = re.compile(r"\bhop(?:e|ing)\b|\blet (?:me|us) know\b", re.IGNORECASE)


def has_template_tokens(source: str, translation: str) -> bool:
    """Whether the translation holds a token of a chat template or a tag of a prompt that the source does not hold."""
    own = {token.casefold() for token in _TOKEN.findall(source)}
    return any(token.casefold() not in own for token in _TOKEN.findall(translation))


def is_wrapped(source: str, translation: str) -> bool:
    """Whether the whole translation is in quotes, bold or code, and the source has none of that; or bold is open."""
    source, translation = source.strip(), translation.strip()
    quoted = len(translation) > 2 and translation[0] in _QUOTES and translation[-1] in _QUOTES
    if quoted and not any(quote in source for quote in (*_QUOTES, "'", "‘", "’")):
        return True
    for opening, closing in _MARKS:
        inside = translation.startswith(opening) and translation.endswith(closing)
        if inside and len(translation) > len(opening + closing) and opening not in source:
            return True
    return translation.count("**") % 2 == 1 and source.count("**") % 2 == 0


def has_alternatives(source: str, translation: str) -> bool:
    """Whether there are several translations: numbered, or with a slash between them."""
    if _ALTERNATIVES.search(translation) and not _ALTERNATIVES.search(source):
        return True
    sides = translation.split(" / ")
    return len(sides) > 1 and "/" not in source and all(len(side) >= max(8, len(source) // 3) for side in sides)


def has_closing_remark(source: str, translation: str) -> bool:
    """Whether the translation ends with a remark to its reader, as chat models add it."""
    return bool(_CLOSING.search(translation[-120:])) and not _CLOSING_SOURCE.search(source)
