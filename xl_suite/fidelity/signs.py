"""Small word lists that settle what byte n-grams leave open."""

from __future__ import annotations

import re

from xl_suite.fidelity.words import LATIN, OTHER, find_words

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
# The same for Portuguese and Galician, which share most of their spelling.
_PORTUGUESE = """
não são você vocês também em uma umas com já até pelo pela pelos pelas mais muito muita isso num numa nem sem bem tem
têm está estão estava depois então lá há às é ao aos à foram após quando mas disse ainda quem dois duas três mesmo
"""
_GALICIAN = """
non son vostede tamén en unha unhas con xa ata polo pola polos polas máis moi moito moita iso nun nunha nin sen ben
ten teñen está estaba despois entón alá hai ás ao aos á foron cando pero dixo aínda quen dous dúas tres coa co cos
coas un
súa súas dun dunha lle lles xente ano anos
"""
SIGNS: dict[str, frozenset[str]] = {
    "hin": frozenset(_HINDI.split()),
    "mar": frozenset(_MARATHI.split()),
    "nep": frozenset(_NEPALI.split()),
    "por": frozenset(_PORTUGUESE.split()) - frozenset(_GALICIAN.split()),
    "glg": frozenset(_GALICIAN.split()) - frozenset(_PORTUGUESE.split()),
}
DEVANAGARI = ("hin", "mar", "nep")

# Swiss German as it is commonly written, and Standard German, by words that only one of them has.
_SWISS = """
isch hett hät händ hei heig nöd nid ned vo uf ufem ufd mitem gsi gsy gsii gsait gseit gmacht chönne cha chan chunnt
cho sig wäg wi au sis sini ihri ir är mänsche lüt öppis öpper dezue nachdäm usem bim drü dene däm dere bisch bini
tüend tuet git eifach luege chli chlii zämme jetz üs üses dä ds em dr d z o i ha si sy no meh mer me sech schwiiz zit
wärde
gits ischs scho würd sim läbe gäge fürd woner heter worde di het e
"""
_STANDARD = """
der die das und ist nicht von den auf eine ein einen einem einer wird wurde haben hat sind sein war sich auch noch
mehr können diese dieser dieses dem des zu zum zur im für mit bei nach aus über kann sie er wir ihr ich als oder
"""
SWISS, STANDARD = frozenset(_SWISS.split()), frozenset(_STANDARD.split())
LEAST_SWISS = 3  # words

# Spellings that only one of Portuguese and Galician has.
_SPELLINGS = {"por": re.compile("[ãõç]|lh|gem$"), "glg": re.compile("ñ|ción|cións|^x|ll|óns$")}
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

# The most frequent characters of Chinese in either way of writing: half of the characters of any text.
_FREQUENT = (
    "的一和在是人以有可能个個我中他了不生们們嘅为為用这這到要大来來成工学學年方国國发發多对對上会會分提地法通作特于下些自家力出性"
    "时時其技同行种種如机機重理化数數斯过過全它面表而球之公或经經常因系业業利名最主物品关關更现現加使保定高智将將好据动動展影着"
    "子被得新活式程但者与與前目美都文响題题度也合事进進量解供包市制已你等所务務示代当當政从從然及民就变變体體情应應需问問小实實"
    "类類部比明意教造里司产產正间間相说說她感先期入此建受信时科食基天世本帮首日心果算安开開位"
)
_IS_FREQUENT = re.compile(f"[{_FREQUENT}]")
_LATIN, _OTHER = re.compile(f"[{LATIN}]"), re.compile(f"[{OTHER}]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
LEAST_HAN = 30  # Chinese characters from which on their frequency tells
FREQUENT_PART = 0.12  # of any Chinese text of that length at least a fifth was frequent characters
FREQUENT_PART_OF_LONG = 0.18  # of text of twice the length, at least a quarter
FOREIGN_LETTERS = 0.05  # part of the letters in each of two other scripts from which on they are drawn by chance


def has_devanagari(text: str) -> bool:
    return _IN_DEVANAGARI.search(text) is not None


def count_signs(text: str, language: str) -> int:
    """How many words of the text are frequent words of `language`, one of SIGNS."""
    signs, spelling = SIGNS[language], _SPELLINGS.get(language)
    words = find_words(text.lower())
    return sum(word in signs or (spelling is not None and spelling.search(word) is not None) for word in words)


def is_swiss_german(text: str) -> bool:
    """More words that only Swiss German has than such of Standard German, and a few at least."""
    words = find_words(text.lower())
    swiss = sum(word in SWISS for word in words)
    longer = sum(word in SWISS and len(word) > 2 for word in words)
    return swiss >= LEAST_SWISS and longer > 1 and swiss > sum(word in STANDARD for word in words)


def is_romanised_hindi(text: str) -> bool:
    """Hindi in Latin letters: at least three in ten words are on the list, three different, one telling."""
    words = find_words(text.lower())
    hits = [word for word in words if word in ROMANISED_HINDI]
    return 10 * len(hits) >= 3 * len(words) and len(set(hits)) >= 3 and not _TOO_COMMON.issuperset(hits)


def is_traditional_chinese(text: str) -> bool:
    """More characters that only traditional writing has than such of simplified writing, and three at least."""
    traditional = len(_TRADITIONAL.findall(text))
    return traditional >= 3 and traditional > len(_SIMPLIFIED.findall(text))


def is_salad(text: str) -> bool:
    """Characters in no order of any language, as of a random model: hardly any frequent one, or of three scripts."""
    n = len(_HAN.findall(text))
    if n < LEAST_HAN:
        return False
    least = FREQUENT_PART if n < 2 * LEAST_HAN else FREQUENT_PART_OF_LONG
    if len(_IS_FREQUENT.findall(text)) < least * n:
        return True
    latin, other = len(_LATIN.findall(text)), len(_OTHER.findall(text))
    return min(latin, other) > FOREIGN_LETTERS * (3 * n + latin + other)
