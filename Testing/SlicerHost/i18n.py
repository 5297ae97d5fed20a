"""slicer.i18n: translations. English comes back as it went in; a test may put a dictionary in its place."""

import types
from typing import Dict

translations: Dict[str, str] = {}
"""English -> translated; empty: no translation is installed."""


def translate(context: str, text: str) -> str:
    """The text in the language of the application.

    Raises:
        TypeError: the text is not a str, or was put together before (real Slicer finds no translation then).
    """
    if not isinstance(text, str):
        raise TypeError(f"tr() wants a text, not {text!r}")
    return translations.get(text, text)


def tr(text: str) -> str:
    """The text in the language of the application; the context is found from the caller."""
    return translate("", text)


def as_module() -> types.ModuleType:
    """slicer.i18n."""
    module = types.ModuleType("slicer.i18n")
    module.tr, module.translate = tr, translate
    return module
