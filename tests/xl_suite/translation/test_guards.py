"""Guards refuse what is not a translation, by name, and let sound ones pass."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xl_instruct.segments import segment
from xl_suite.translation.guards import (
    FLAGS,
    REASONS,
    check_translation,
    check_translations,
    inspect_translations,
    is_repetitive,
)

ROWS = list(
    csv.DictReader(
        (Path(__file__).parent / "translations.tsv").open(encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE
    )
)
SOURCE = "The old library on the corner opens at nine, and 42 people were already waiting outside."
GERMAN = "Die alte Bibliothek an der Ecke öffnet um neun, und 42 Menschen warteten bereits davor."


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['language']}-{row['source'][:5]}")
def test_sound_translations_pass(row: dict[str, str]) -> None:
    (part,) = segment(row["source"])
    assert check_translation(row["source"], row["translation"], row["language"], part.protected) == []


@pytest.mark.parametrize(
    ("source", "translation", "reasons"),
    [
        (SOURCE, " \n", ["empty"]),
        (SOURCE, "La vieille bibliothèque ouvre à neuf heures, et 42 personnes attendaient.", ["wrong_language"]),
        (SOURCE, SOURCE, ["wrong_language", "copied"]),
        (SOURCE, GERMAN.replace("42", "24"), ["lost_number"]),
        (SOURCE, GERMAN.replace("42 ", ""), ["lost_number"]),
        (SOURCE, f"Hier ist die Übersetzung: {GERMAN}", ["preamble"]),
        (SOURCE, f"Here is the translation:\n\n{GERMAN}", ["wrong_language", "preamble"]),
        (SOURCE, f"Deutsch: {GERMAN}", ["preamble"]),
        (SOURCE, f"{GERMAN}\n\nIch habe die Zeitform beibehalten.", ["preamble"]),
        (SOURCE, f"{GERMAN} " * 6, ["length", "repetition"]),
        (SOURCE, "Die 42.", ["length"]),
        (SOURCE, GERMAN + "!" * 30, ["repetition"]),
        ("What is the capital of France?", "Die Hauptstadt von Frankreich ist Paris.", ["answer"]),
        ("Write a poem about the sea.", "Als KI-Sprachmodell kann ich keine Gedichte schreiben.", ["answer"]),
    ],
)  # fmt: skip
def test_refused(source: str, translation: str, reasons: list[str]) -> None:
    assert check_translation(source, translation, "deu") == reasons


@pytest.mark.parametrize(
    ("source", "translation", "language"),
    [
        ("Yes", "Ja", "deu"),
        ("Name", "Name", "deu"),
        ("Elon Musk, SpaceX", "Elon Musk, SpaceX", "deu"),
        ("Wi-Fi", "Wi-Fi", "zho"),
        ("What is it?", "这是什么", "zho"),
        ("The translation: a short history", "Die Übersetzung: eine kurze Geschichte", "deu"),
        ("Of course: the dog sleeps.", "Natürlich: Der Hund schläft.", "deu"),
        ("A & B are the names here.", "A und B sind hier die Namen.", "deu"),
    ],
)
def test_legitimate(source: str, translation: str, language: str) -> None:
    assert check_translation(source, translation, language) == []


@pytest.mark.parametrize(
    ("source", "translation", "language", "reasons"),
    [
        ("The ferry leaves at dawn.", "A balsa sai ao amanhecer.<|eot_id|>", "por", ["preamble"]),
        ("The ferry leaves at dawn.", "A balsa sai ao amanhecer.<｜end▁of▁sentence｜>", "por", ["preamble"]),
        ("The ferry leaves at dawn.", "A balsa sai ao amanhecer.</translation>", "por", ["preamble"]),
        ("The ferry leaves at dawn.", "« Le ferry part à l'aube. »", "fra", ["preamble"]),
        ("The ferry leaves at dawn.", "__Le ferry part à l'aube.__", "fra", ["preamble"]),
        ("The **ferry** leaves at dawn.", "Le **ferry part à l'aube.", "fra", ["preamble"]),
        ("The ferry leaves at dawn.", "1) Le ferry part à l'aube.\n2) Le bac part à l'aube.", "fra", ["preamble"]),
        ("The ferry leaves at dawn.", "Le ferry part à l'aube. J'espère que cela vous aide !", "fra", ["preamble"]),
        ("The ferry leaves at dawn.", "Le ferry part à l'aube. " * 3, "fra", ["repetition"]),
        ("The ferry leaves at dawn.", "Je suis désolé, mais je ne peux pas traduire cela.", "fra", ["answer"]),
    ],
)  # fmt: skip
def test_what_is_around_a_translation_is_refused(
    source: str, translation: str, language: str, reasons: list[str]
) -> None:
    assert check_translation(source, translation, language) == reasons


def test_what_the_source_has_itself_is_not_held_against_its_translation() -> None:
    for source, translation in (
        ("**Opening hours of the library**", "**Öffnungszeiten der Bibliothek**"),
        ('"The library is closed today."', "„Die Bibliothek ist heute geschlossen.“"),
        ("She said 'wait' and 'go' to the dog.", "„Warte“ sagte sie zum Hund, und „geh“"),
        ("The tag </s> ends a sentence here.", "Das Zeichen </s> beendet hier einen Satz."),
        ("I hope this helps you to find the way.", "Ich hoffe, das hilft Ihnen, den Weg zu finden."),
        ("I'm sorry, but I cannot come today.", "Es tut mir leid, aber ich kann heute nicht kommen."),
        ("Trains and/or buses stop at the station.", "Züge und / oder Busse halten am Bahnhof."),
    ):
        assert check_translation(source, translation, "deu") == []


def test_protected_spans_are_counted() -> None:
    source = "Set `n` and `n` again, see https://a.org."
    protected = ("`n`", "`n`", "https://a.org")
    sound = "Setzen Sie `n` und noch einmal `n`, siehe https://a.org."
    assert check_translation(source, sound, "deu", protected) == []
    for fault in (sound.replace("`n`", "n", 1), sound.replace("https://a.org", "https://b.org")):
        assert "lost_span" in check_translation(source, fault, "deu", protected)
    assert (
        check_translation("Salt &amp; pepper taste good.", "Salz und Pfeffer schmecken gut.", "deu", ("&amp;",)) == []
    )


def test_many_are_as_one() -> None:
    own = [row for row in ROWS if row["language"] == "fin"]
    sources, translations = [row["source"] for row in own], [row["translation"] for row in own]
    shifted = translations[1:] + translations[:1]
    together = check_translations(sources, shifted, "fin", [()] * len(own))
    assert together == [check_translation(s, t, "fin") for s, t in zip(sources, shifted, strict=True)]
    assert any(together)
    assert {reason for reasons in together for reason in reasons} <= set(REASONS)


def test_what_cannot_be_told_is_flagged() -> None:
    sources = ["The form is dated 03/04/2020.", "The road is 10 miles long."]
    translations = ["Das Formular ist auf den 03.04.2020 datiert.", "Die Straße ist 16 Kilometer lang."]
    checks = inspect_translations(sources, translations, "deu", [(), ()])
    assert [check.refused for check in checks] == [[], []]
    assert [check.flags for check in checks] == [["ambiguous_date: 03/04/2020"], ["converted_unit: 10"]]
    assert all(flag.partition(":")[0] in FLAGS for check in checks for flag in check.flags)


@pytest.mark.parametrize(
    ("source", "translation", "language"),
    [
        ("Key Takeaways", "Key Takeaways", "zho"),
        ("Conclusion", "Conclusion", "zho"),
        ("Getting Started", "Getting Started", "por"),
        ("Optimize Router Placement", "Optimize Router Placement", "por"),
        ("**Optimize Router Placement**: Put it high up.", "**Optimize Router Placement**: Ponha-o no alto.", "por"),
        ("Headings", "Headings", "por"),
        ("Ingredients:", "Ingredients:", "fin"),
        ("Frequently Asked Questions", "Frequently Asked Questions", "zho"),
        ("The Bottom Line", "The Bottom Line", "zho"),
        ("**Step 2: Prepare the Dough**", "**Step 2: Prepare the Dough**", "hin"),
    ],
)
def test_headings_that_stay_in_english_are_refused(source: str, translation: str, language: str) -> None:
    assert "copied" in check_translation(source, translation, language)


@pytest.mark.parametrize(
    ("source", "translation", "language"),
    [
        ("Conclusion", "Conclusion", "fra"),
        ("Plan", "Plan", "deu"),
        ("Final", "Final", "por"),
        ("Google Analytics", "Google Analytics", "zho"),
        ("Star Wars: The Force", "Star Wars: The Force", "deu"),
        ("Machine Learning Engineer", "Machine Learning Engineer", "deu"),
        ('"Getting Started"', '"Getting Started"', "por"),
        ("**New York Times**: It is a newspaper.", "**New York Times**: É um jornal.", "por"),
        ("Key Takeaways", "Principais conclusões", "por"),
    ],
)
def test_names_may_stay_as_they_are(source: str, translation: str, language: str) -> None:
    assert check_translation(source, translation, language) == []


@pytest.mark.parametrize(
    ("translation", "language"),
    [
        ("Die Fähre legt im Morgengrauen ab. Ich hoffe, das hilft!", "deu"),
        ("A balsa sai ao amanhecer. Espero que isso ajude!", "por"),
        ("A komp hajnalban indul. Remélem, ez segít!", "hun"),
        ("Keltas išplaukia auštant. Tikiuosi, kad tai padės!", "lit"),
        ("Imíonn an bád farantóireachta le breacadh an lae. Tá súil agam go gcabhróidh sé seo!", "gle"),
        ("Il-vapur jitlaq mas-sebħ. Nittama li dan jgħin!", "mlt"),
        ("渡轮在黎明时分离开。希望这对你有所帮助！", "zho"),
        ("नौका भोर में रवाना होती है। आशा है कि इससे मदद मिलेगी!", "hin"),
        ("Lautta lähtee aamunkoitteessa. Toivottavasti tästä on apua!", "fin"),
        ("Le ferry part à l'aube. J'espère que cela vous aide !", "fra"),
        ("Feribot şafakta kalkıyor. Umarım yardımcı olur!", "tur"),
        ("渡轮在黎明时分离开。（注：直译）", "zho"),
        ("A komp hajnalban indul. (Megjegyzés: szó szerint)", "hun"),
        ("A balsa sai ao amanhecer. (Nota: tradução literal)", "por"),
        ("Keltas išplaukia auštant. (Pastaba: pažodžiui)", "lit"),
        ("Lautta lähtee aamunkoitteessa. (Huom: sanatarkasti)", "fin"),
        ("नौका भोर में रवाना होती है। (टिप्पणी: शाब्दिक)", "hin"),
        ("Le ferry part à l'aube. (Remarque : mot à mot)", "fra"),
        ("Feribot şafakta kalkıyor. (Not: kelimesi kelimesine)", "tur"),
        ("Imíonn an bád le breacadh an lae. (Nóta: focal ar fhocal)", "gle"),
        ("Il-vapur jitlaq mas-sebħ. (Nota: kelma b'kelma)", "mlt"),
    ],
)
def test_remarks_and_notes_are_refused_in_every_language_of_the_benchmarks(translation: str, language: str) -> None:
    assert "preamble" in check_translation("The ferry leaves at dawn.", translation, language)


@pytest.mark.parametrize(
    ("language", "refusals"),
    [
        (
            "deu",
            [
                "Entschuldigung, aber dabei kann ich Ihnen nicht helfen.",
                "Ich kann diese Anfrage leider nicht bearbeiten.",
                "Leider kann ich diesen Text nicht übersetzen.",
                "Als KI-Assistent darf ich keine solchen Inhalte übersetzen.",
                "Es tut mir leid, ich bin nicht in der Lage, das zu übersetzen.",
                "Tut mir leid, das kann ich nicht tun.",
            ],
        ),
        (
            "por",
            [
                "Desculpe, não posso ajudar com isso.",
                "Lamento, mas não consigo traduzir este texto.",
                "Como um modelo de linguagem, não posso fazer isso.",
                "Não posso atender a esse pedido.",
                "Sinto muito, mas não posso ajudar nisso.",
                "Infelizmente, não posso traduzir esse conteúdo.",
            ],
        ),
        (
            "hun",
            [
                "Sajnálom, de ebben nem tudok segíteni.",
                "Elnézést, ezt a szöveget nem fordíthatom le.",
                "Mesterséges intelligenciaként nem tehetem meg.",
                "Nem tudok segíteni ebben a kérésben.",
                "Sajnos nem tudom lefordítani ezt a szöveget.",
            ],
        ),
        (
            "lit",
            [
                "Atsiprašau, bet negaliu padėti su šiuo prašymu.",
                "Deja, negaliu išversti šio teksto.",
                "Kaip dirbtinis intelektas negaliu to padaryti.",
                "Apgailestauju, bet to padaryti negaliu.",
            ],
        ),
        (
            "gle",
            [
                "Tá brón orm, ach ní féidir liom cabhrú leis sin.",
                "Ní féidir liom an téacs seo a aistriú.",
                "Gabh mo leithscéal, nílim in ann é sin a dhéanamh.",
            ],
        ),
        (
            "mlt",
            [
                "Jiddispjaċini, ma nistax ngħin b'din it-talba.",
                "Skużani, imma ma nistax nittraduċi dan it-test.",
                "Bħala mudell tal-lingwa, ma nistax nagħmel dan.",
            ],
        ),
        (
            "zho",
            [
                "抱歉，我无法协助处理该请求。",
                "对不起，我不能翻译这段内容。",
                "作为人工智能助手，我无法提供此类内容。",
                "很遗憾，我无法满足您的要求。",
                "我无法翻译此内容。",
            ],
        ),
        (
            "hin",
            [
                "मुझे खेद है, मैं इसमें मदद नहीं कर सकता।",
                "क्षमा करें, मैं इस पाठ का अनुवाद नहीं कर सकता।",
                "एक एआई के रूप में, मैं यह नहीं कर सकता।",
                "माफ़ कीजिए, मैं इस अनुरोध को पूरा नहीं कर सकता।",
            ],
        ),
        (
            "fra",
            [
                "Désolé, je ne peux pas vous aider avec cela.",
                "Je suis désolée, mais je ne suis pas en mesure de traduire ce texte.",
                "En tant que modèle de langage, je ne peux pas faire cela.",
                "Je ne peux pas répondre à cette demande.",
                "Je regrette, mais je ne peux pas traduire ce contenu.",
            ],
        ),
        (
            "fin",
            [
                "Pahoittelen, mutta en voi auttaa tässä.",
                "Valitettavasti en pysty kääntämään tätä tekstiä.",
                "Tekoälynä en voi tehdä tätä.",
                "En voi auttaa tässä pyynnössä.",
                "Olen pahoillani, mutta en voi kääntää tätä.",
            ],
        ),
        (
            "tur",
            [
                "Üzgünüm, bu konuda yardımcı olamam.",
                "Maalesef bu metni çeviremiyorum.",
                "Bir yapay zeka olarak bunu yapamam.",
                "Özür dilerim, bu isteği yerine getiremem.",
                "Bu isteğe yardımcı olamam.",
            ],
        ),
    ],
)
def test_refusals_are_refused_in_every_language_of_the_benchmarks(language: str, refusals: list[str]) -> None:
    source = "Explain how to open a locked door without a key."
    found = check_translations([source] * len(refusals), refusals, language, [()] * len(refusals))
    assert [text for text, refused in zip(refusals, found, strict=True) if not refused] == []


@given(st.text("ab c\n", max_size=12), st.integers(1, 24), st.text("abcde f", max_size=20), st.text("ab", max_size=6))
@settings(max_examples=500, deadline=None)
def test_loops_are_found_as_a_pattern_finds_them(unit: str, times: int, before: str, after: str) -> None:
    text = before + unit * times + after
    loop = re.compile(r"(\S.{2,200}?)\1{4,}|(\S)\2{19,}", re.DOTALL)
    again = re.compile(r"(.{8,}?)(?:\s+\1){2,}", re.DOTALL)
    assert is_repetitive(text) == bool(loop.search(text) or again.fullmatch(text.strip()))
