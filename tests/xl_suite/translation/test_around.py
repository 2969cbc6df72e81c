"""What models put around a translation is taken off where it is at the edges, and refused where it is not."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from xl_suite.translation.guards import check_translation, check_translations
from xl_suite.translation.reading import unwrap_translation

SOURCE = "The river flows slowly through the old valley."
ROWS = list(
    csv.DictReader(
        (Path(__file__).parent / "remarks.tsv").open(encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE
    )
)
SOUND = {row["language"]: row["text"] for row in ROWS if row["place"] == "translation"}
# Forms around a translation, that is at {}; what is taken off at the edges as a reader finds it is in EDGES.
EDGES = (
    "{}<|im_end|>", "{}</s>", "[/INST] {}", "<bos>{}", "<｜Assistant｜>{}", "{}<end_of_turn>\n", "<s>{}</s>",
    "{}</text>", "<text>{}", "<translation>{}</translation>", "<output>{}</output>", "```text\n{}\n```", "“{}”",
    "**{}**", "«{}»", '<text>\n"{}"\n</text>', "{}<|eot_id|><|end|>", "<think>A river.</think>{}",
)  # fmt: skip
FORMS = (
    "{}<|im_end|", "<extra_id_0>{}", "{}<eod>", "{} [EOS]", "{} <turn|>", "[SEP] {}", "{}[AVAILABLE_TOOLS]",
    "[gMASK]<sop>{}", "{}<reserved_106>", "{}[|endofturn|]", "{}\nUSER:", "ASSISTANT: {}", "### Antwort:\n{}",
    "<<<{}>>>", "{}[end of text]", "{}<0x0A>", "{}▁", "<Translation lang='x'>{}", "```text\n{}", "{}\n```",
    "‘{}’", "'{}'", "《{}》", '"{}', "*{}*", "_{}_", "> {}", "- {}", "# {}", "<b>{}</b>", "({})", "[{}]", "1. {}",
    "1. {}\n2. {}", "{} / {}", "{}\n{}", "{} (or: {})", "a) {} b) {}", "{}\nOR\n{}", "1. {} 2. {}", "{} | {}",
    "- {}\n- {}", "**{}", "{}\n\n{}",
)  # fmt: skip


@pytest.mark.parametrize("language", SOUND)
def test_forms_around_a_translation(language: str) -> None:
    sound = SOUND[language]
    assert check_translation(SOURCE, sound, language) == []
    assert [form for form in EDGES if unwrap_translation(form.replace("{}", sound), SOURCE) != sound] == []
    texts = [form.replace("{}", sound) for form in (*EDGES, *FORMS)]
    found = check_translations([SOURCE] * len(texts), texts, language, [()] * len(texts))
    assert [text for text, refused in zip(texts, found, strict=True) if not refused] == []


@pytest.mark.parametrize("language", SOUND)
def test_talk_around_a_translation(language: str) -> None:
    own = [row for row in ROWS if row["language"] in (language, "eng")]
    before = [row["text"].replace("\\n", "\n") for row in own if row["place"] == "before"]
    after = [row["text"] for row in own if row["place"] == "after"]
    sound = SOUND[language]
    texts = [f"{text}{space}{sound}" for text in before for space in (" ", "\n")]
    texts += [f"{sound}{space}{text}" for text in after for space in (" ", "\n", "\n\n")]
    found = check_translations([SOURCE] * len(texts), texts, language, [()] * len(texts))
    assert [text for text, refused in zip(texts, found, strict=True) if not refused] == []


@pytest.mark.parametrize(
    ("source", "translation", "language"),
    [
        ("The team won 3 games on March 1.", "Am 1. März gewann die Mannschaft 3 Spiele.", "deu"),
        ("Of course, the dog sleeps.", "Natürlich, der Hund schläft.", "deu"),
        ("They lead, of course, by two goals.", "Natürlich, sie führen mit zwei Toren.", "deu"),
        ("The game ended 1-0 after an hour.", "Nach einer Stunde endete das Spiel mit dem Ergebnis 1:0.", "deu"),
        ("He or she may sign the form.", "Er (oder sie) darf das Formular unterschreiben.", "deu"),
        ("The World Health Organization met today.", "Heute tagte die Weltgesundheitsorganisation (WHO).", "deu"),
        ("I hope you can help me with my questions.", "Ich habe Fragen. Ich hoffe, Sie können mir helfen.", "deu"),
        ('"I do not know.', "„Ich weiß es nicht.“", "deu"),
        ("Titanic sank in one night.", "„Titanic“ sank in einer Nacht.", "deu"),
        ("Replace <name> with your own name.", "Ersetzen Sie <Name> durch Ihren eigenen Namen.", "deu"),
        ("If x < y, then swap them both.", "Wenn x < y, dann vertausche beide.", "deu"),
        ("Unfortunately, I cannot come today.", "Leider kann ich heute nicht kommen.", "deu"),
        ("Note: the shop is closed on Monday.", "Hinweis: Das Geschäft ist am Montag geschlossen.", "deu"),
        ("Result: 5 kg of fresh apples.", "Ergebnis: 5 kg frische Äpfel.", "deu"),
        ("The committee (DCCC) met in spring.", "Der Ausschuss [DCCC] tagte im Frühling.", "deu"),
        ('"Where are you?" she asked him.', "– Hol vagy? – kérdezte tőle.", "hun"),
        ("Use the red and/or the blue door.", "Használja a piros és/vagy a kék ajtót.", "hun"),
        ("It's ten o'clock in the old town.", "L-ħin huwa l-għaxra fil-belt l-antika ta'", "mlt"),
    ],
)
def test_what_a_sound_translation_may_have(source: str, translation: str, language: str) -> None:
    assert check_translation(source, translation, language) == []
    assert unwrap_translation(translation, source) == translation
