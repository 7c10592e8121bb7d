"""Which language a text is in: by its script, and of those in Latin letters by the small words. Code is left out."""

from __future__ import annotations

import re
from collections import Counter

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\S*[/_\\=<>{}]\S*", re.DOTALL)
_SCRIPTS = {
    "ja": "\u3040-\u30ff",
    "ko": "\uac00-\ud7af",
    "zh": "\u4e00-\u9fff",
    "ru": "\u0400-\u04ff",
    "el": "\u0370-\u03ff",
    "he": "\u0590-\u05ff",
    "ar": "\u0600-\u06ff",
    "hi": "\u0900-\u097f",
    "th": "\u0e00-\u0e7f",
}
_WORDS = {
    "en": "the and is are of to in that it was for with this not you have be now all on by from which as at will when",
    "de": "der die das und ist nicht ein eine mit für auf von zu wird sind den im auch es ich wurde werden jetzt dem",
    "fr": "le la les des est et une un dans pour pas que qui sur avec ce cette au aux du sont été je il elle ces",
    "es": "el la los las es y una un en para no que por con se del al lo está son ahora como esta este ha más",
    "it": "il lo gli la le è e una un di per non che con del della sono ora nel questo questa al come più si",
    "pt": "o os as é e uma um em para não que por com se do da no na está são agora como esta este foi mais ao",
    "nl": "de het een en is niet van voor met op dat die te zijn wordt nu ook er aan bij naar deze dit als",
}
_VOTES = {
    word: [code for code, words in _WORDS.items() if word in words.split()]
    for word in " ".join(_WORDS.values()).split()
}
_SHARE = 0.15
"""Of the letters, from which a script decides: identifiers are Latin in every language."""


def language_of(text: str) -> str | None:
    """A two-letter code; None where too little is said to tell."""
    prose = _CODE.sub(" ", text)
    letters = sum(map(str.isalpha, prose))
    for code, script in _SCRIPTS.items():  # kana before Han: Japanese has both
        if letters and len(re.findall(f"[{script}]", prose)) >= max(2, _SHARE * letters):
            return code
    words = re.findall(r"[^\W\d_]+", prose.lower())
    votes = Counter(code for word in words for code in _VOTES.get(word, ()))
    (best, most), (_, second) = [*votes.most_common(2), ("", 0), ("", 0)][:2]
    return best if most >= 2 and most > second else None
