"""What the window says, in the language of its user.

Sources are written in English; `tr` gives the text in the language in use (german.py), the English one where there is none. Texts in
tables, which are built before a language is chosen, are marked with `mark` and translated where they are shown. A test walks the sources
and fails for a text without an entry and for an entry without a text. Sentences of the engine come as they are, in English. One language
a process: `use` is called once, before the window is built.
"""

from app.window.german import GERMAN

LANGUAGES = ("en", "de")
_tables: dict[str, dict[str, str]] = {"en": {}, "de": GERMAN}
_language = "en"


def use(language: str) -> None:
    """Speak `language`, one of LANGUAGES."""
    global _language
    if language not in _tables:
        raise ValueError(f"no texts in {language}")
    _language = language


def language() -> str:
    """The language in use."""
    return _language


def tr(text: str) -> str:
    """`text`, written in English, in the language in use."""
    return _tables[_language].get(text, text)


def mark(text: str) -> str:
    """`text` unchanged: it stands in a table and is translated where it is shown."""
    return text


def number(figure: str) -> str:
    """A figure as Python writes it (1,234.5), as the language in use does: German swaps point and comma."""
    return figure.translate(_SWAPPED) if _language == "de" else figure


_SWAPPED = str.maketrans(".,", ",.")
