"""Small word lists that settle what byte n-grams leave open."""

from __future__ import annotations

import re

from xl_suite.fidelity.words import find_words

# Very frequent words that tell the languages in Devanagari apart. They share most content words, and their
# letters take three bytes each, so that the classifier's margins between them are the smallest of all.
_HINDI = """
है हैं था थी थे हो होगा होगी होंगे होता होती होते का की के को से में पर और या यह ये वह वे इस उस इन
उन किसी कि जो तो भी ही नहीं ने लिए साथ द्वारा कर करना करने करता किया गया गई गए जाता जाए जाएगा सकता
सकते आप हम मैं मेरा अपने अपना कोई कुछ बहुत तथा क्या कैसे
"""
_MARATHI = """
आहे आहेत नाही नाहीत व आणि किंवा हे हा त्या त्याला त्याच्या त्यांच्या तिला तो ती ते मी तू आम्ही
तुम्ही आपण आपल्या मध्ये साठी पासून पर्यंत वर चा ची चे च्या ला असे असा अशी असेल कोणत्याही प्रत्येकास
करणे करण्याचा करण्यात येईल पाहिजे म्हणून काय कसे खूप मला त्यांना
"""
_NEPALI = """
छ छन् छैन हो हुन् हुन्छ हुनेछ थियो थिए भएको भएकोले गर्न गर्ने गरेको गरी गरिने र वा यो यी त्यो ती यस
त्यस म हामी तपाईं उनी उनले पनि मात्र लागि देखि सम्म बाट लाई हरू कसैलाई अनि तर धेरै कुनै के
"""
DEVANAGARI: dict[str, frozenset[str]] = {
    "hin": frozenset(_HINDI.split()),
    "mar": frozenset(_MARATHI.split()),
    "nep": frozenset(_NEPALI.split()),
}
_IN_DEVANAGARI = re.compile("[\u0904-\u0939]")

# Hindi words as they are commonly written in Latin letters, without those that are English words too.
_ROMANISED = """
hai hain hoon tha thi nahi nahin aur ka ki ke ko se mein mujhe mera meri mere tum tumhara aap aapka aapke
aapko hum hamare hamara yeh ye woh wo iska iske iski uska uske uski unka kya kyon kyun kaise kahan kab jab tab
agar lekin bhi sabhi bahut accha acha achha karna karne karta karte karti kar kiya kiye raha rahe rahi gaya
gaye gayi hota hote hoti hona hone liye saath sakta sakte sakti chahiye apne apna apni kuch koi ek jo jaise
phir toh bina zyada yaha waha baat din samay log logon wala wale wali dena dete lena lete jata jate jati diya
"""
ROMANISED_HINDI = frozenset(_ROMANISED.split())
_TOO_COMMON = frozenset(
    {"ka", "ki", "ke", "ko", "se", "jo", "ek", "kar", "din", "wo", "ye"}
)  # in other languages too

# Frequent characters that only one of the two ways of writing Chinese has.
_TRADITIONAL = re.compile(
    "[這個們來時國說對發學經過還後種樣與為無長點東車見門問間電話開關業華應動實現當麼嗎讓從將該體會兩幾氣愛廣義書買賣機權]"
)
_SIMPLIFIED = re.compile(
    "[这个们来时国说对发学经过还后种样与为无长点东车见门问间电话开关业华应动实现当么吗让从将该体会两几气爱广义书买卖机权]"
)


def has_devanagari(text: str) -> bool:
    return _IN_DEVANAGARI.search(text) is not None


def count_signs(text: str, language: str) -> int:
    """How many words of the text are frequent words of `language` (hin, mar or nep)."""
    signs = DEVANAGARI[language]
    return sum(word in signs for word in find_words(text))


def is_romanised_hindi(text: str) -> bool:
    """Hindi in Latin letters: at least three in ten words are on the list, three different, one telling."""
    words = find_words(text.lower())
    hits = [word for word in words if word in ROMANISED_HINDI]
    return 10 * len(hits) >= 3 * len(words) and len(set(hits)) >= 3 and not _TOO_COMMON.issuperset(hits)


def is_traditional_chinese(text: str) -> bool:
    """More characters that only traditional writing has than such of simplified writing, and three at least."""
    traditional = len(_TRADITIONAL.findall(text))
    return traditional >= 3 and traditional > len(_SIMPLIFIED.findall(text))
