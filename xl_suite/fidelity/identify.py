"""In which language is a piece of text? py3langid's model, run over many pieces at once.

The model is a naive Bayes classifier over byte n-grams (142 classes). py3langid walks its automaton in Python, one
byte of one text at a time; here the automaton takes one step in all texts together, and the scores of a batch are
one numpy sum, which gives the same numbers (a test compares them) several times faster.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from xl_suite.errors import XLSuiteError

# ISO 639-3 codes of the model's two-letter labels (a test compares them with ISO's own table, slow to load).
_LABELS = """
af:afr am:amh ar:ara as:asm az:aze be:bel bg:bul bn:ben br:bre bs:bos ca:cat cs:ces cy:cym da:dan de:deu el:ell
en:eng eo:epo es:spa et:est eu:eus fa:fas fi:fin fr:fra fy:fry ga:gle gd:gla gl:glg gu:guj ha:hau he:heb hi:hin
hr:hrv ht:hat hu:hun hy:hye id:ind ig:ibo is:isl it:ita ja:jpn jv:jav ka:kat kk:kaz km:khm kn:kan ko:kor ku:kur
ky:kir la:lat lg:lug ln:lin lo:lao lt:lit lv:lav mg:mlg mk:mkd ml:mal mn:mon mr:mar ms:msa my:mya ne:nep nl:nld
no:nor om:orm or:ori pa:pan pl:pol ps:pus pt:por qu:que ro:ron ru:rus sa:san si:sin sk:slk sl:slv so:som sq:sqi
sr:srp sv:swe sw:swa ta:tam te:tel th:tha tl:tgl tr:tur ug:uig uk:ukr ur:urd uz:uzb vi:vie xh:xho yo:yor zh:zho
zu:zul dz:dzo rw:kin se:sme sn:sna st:sot an:arg fo:fao lb:ltz wa:wln ba:bak mt:mlt nn:nno oc:oci tg:tgk tk:tuk
tt:tat vo:vol
"""
_PART3 = dict(pair.split(":") for pair in _LABELS.split())

BATCH_BYTES = 1 << 18  # texts scored together: keeps the working memory near 100 MB
_TOGETHER = 160  # texts from which on their bytes are read all at once

# Classes of the model that are members of the macrolanguage Chinese, whose
# standard written form they share.
MEMBERS = {"wuu": "zho", "yue": "zho"}
VERSION = "0.4"  # of py3langid
NO_LANGUAGE = "zxx"  # the model's class for numbers, names of files and other noise


class Identifier:
    """Scores of texts for every language that the model knows.

    languages: ISO 639-3 codes, one a column of the scores.
    """

    def __init__(self) -> None:
        _check_version()
        import numpy as np
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        model: Any = LanguageIdentifier.from_model_file(MODEL_FILE)
        self._table = np.asarray(model.nb_ptc, dtype=np.float32)
        self._prior = np.asarray(model.nb_pc, dtype=np.float32)
        self._next = np.asarray(model.tk_nextmove)
        self._row = np.asarray(model.tk_row, dtype=np.int32) << 8
        self._feature = np.asarray(model.tk_output, dtype=np.int32)
        codes = [_to_iso639_3(label) for label in model.nb_classes]
        self.languages: tuple[str, ...] = tuple(dict.fromkeys(codes))
        columns = [[i for i, code in enumerate(codes) if code == language] for language in self.languages]
        self._first = [own[0] for own in columns]
        self._several = [(place, own) for place, own in enumerate(columns) if len(own) > 1]
        # Single numbers are read from these much faster than from arrays.
        self._views = self._next.data, self._row.data, self._feature.data

    def score(self, texts: Sequence[str]) -> Any:
        """Log scores, float32[n, languages], divided by the root of the bytes as py3langid does before a softmax.

        A text without any feature scores 0 for every language.
        """
        import numpy as np

        encoded = [_encode(text) for text in texts]
        scores = np.zeros((len(texts), len(self.languages)), dtype=np.float32)
        lengths = np.array([len(text) for text in encoded], dtype=np.int64)
        order = np.argsort(-lengths, kind="stable").tolist()  # like lengths together
        batch: list[int] = []
        size = 0
        for i in order:
            batch.append(i)
            size += len(encoded[i])
            if size >= BATCH_BYTES:
                scores[batch] = self._score_batch([encoded[j] for j in batch])
                batch, size = [], 0
        if batch:
            scores[batch] = self._score_batch([encoded[j] for j in batch])
        return scores

    def _score_batch(self, texts: list[bytes]) -> Any:
        """The same for texts that are sorted by length, longest first."""
        import numpy as np

        lengths = np.array([len(text) for text in texts])
        width = len(self._table)
        find = self._find_together if len(texts) >= _TOGETHER else self._find_alone
        hits = find(texts)  # owner x width + feature
        raw = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        if len(hits):
            keys, counts = np.unique(hits, return_counts=True)
            owner, feature = np.divmod(keys, width)
            weight = np.log1p(counts.astype(np.float32))
            ends = np.append(np.flatnonzero(np.diff(owner)) + 1, len(owner)).tolist()
            # One product a text, over rows gathered into one buffer: several times faster than sums over a batch.
            rows = np.empty((max(map(int.__sub__, ends, [0, *ends])), self._table.shape[1]), dtype=np.float32)
            low = 0
            for high in ends:
                taken = self._table.take(feature[low:high], axis=0, out=rows[: high - low], mode="clip")
                raw[owner[low]] = weight[low:high] @ taken
                low = high
            raw[np.unique(owner)] += self._prior
        raw /= np.sqrt(np.maximum(lengths, 1))[:, None].astype(np.float32)
        scores = raw[:, self._first]
        for place, columns in self._several:
            scores[:, place] = np.logaddexp.reduce(raw[:, columns], axis=1)
        scores[~raw.any(axis=1)] = 0.0  # no feature, no language
        return scores

    def _find_together(self, texts: list[bytes]) -> Any:
        """The features of many texts, byte by byte of all of them at once."""
        import numpy as np

        lengths = np.array([len(text) for text in texts])
        starts = np.cumsum(lengths) - lengths
        data = np.frombuffer(b"".join(texts), dtype=np.uint8)
        state = np.zeros(len(texts), dtype=np.int32)
        hits = []
        active = len(texts)
        for step in range(int(lengths[0]) if len(texts) else 0):
            while lengths[active - 1] <= step:
                active -= 1
            state = self._next[self._row[state[:active]] + data[starts[:active] + step]]
            feature = self._feature[state]
            hit = np.flatnonzero(feature >= 0)
            hits.append(hit * len(self._table) + feature[hit])
        return np.concatenate(hits) if hits else np.zeros(0, dtype=np.int64)

    def _find_alone(self, texts: list[bytes]) -> Any:
        """The same text by text, which is faster for few."""
        import numpy as np

        following, rows, features, width = *self._views, len(self._table)
        hits: list[int] = []
        add = hits.append
        for owner, text in enumerate(texts):
            base, state = owner * width, 0
            for byte in text:
                state = following[rows[state] + byte]
                feature = features[state]
                if feature >= 0:
                    add(base + feature)
        return np.array(hits, dtype=np.int64)


def _check_version() -> None:
    """Raises XLSuiteError under another py3langid than the one whose model the verdicts were measured with."""
    from importlib.metadata import version

    found = version("py3langid")
    if not found.startswith(VERSION + "."):
        raise XLSuiteError(
            f"py3langid {found} is installed, and languages are told apart with the model of {VERSION}: another one "
            "would give other verdicts. An environment with unbabel-comet has numpy 1, for which there is no "
            f'{VERSION}; in one without it, install: pip install "py3langid=={VERSION}.*"'
        )


@cache
def load_identifier() -> Identifier:
    """The one Identifier of this process (0.7 s to load)."""
    return Identifier()


def find_column_language(code: str, languages: Sequence[str]) -> str | None:
    """The language among the model's that stands for ISO 639-3 `code`: itself or its macrolanguage; None if none.

    So `nob` (Norwegian Bokmål) is judged as `nor`, `cmn` as `zho`, `ekk` as `est`.
    """
    if code in languages:
        return code
    from iso639 import Language, LanguageNotFoundError

    try:
        macro = Language.from_part3(code).macrolanguage
    except LanguageNotFoundError:
        return None
    return macro if macro in languages else None


def _to_iso639_3(label: str) -> str:
    code = _PART3.get(label, label)
    return MEMBERS.get(code, code)


def _encode(text: str) -> bytes:
    if text.isupper():
        text = text.lower()
    return unicodedata.normalize("NFC", text).encode("utf-8", errors="surrogatepass")
