"""How a value is written in each kind of file, so that it comes out there as what it was.

Every expression of a template passes through `checked` and the function of its file, wherever its value comes from.
"""

from __future__ import annotations

import json
import re
import typing as t
import unicodedata
from collections.abc import Sequence
from xml.sax.saxutils import escape as escape_text

Escape = t.Callable[[t.Any], str]

_NGINX_WORD = re.compile(r"[A-Za-z0-9._:/*\[\]-]+", re.ASCII)


class EscapeError(ValueError):
    """A value that this kind of file cannot hold; the text is for the user."""


def checked(value: object) -> object:
    """Return a value that is one line of text. Raises EscapeError for control characters and line breaks.

    APPSEC: no escape of every format here can be trusted with them, and a line break would begin an instruction.
    """
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in str(value)):
        raise EscapeError(
            f"{value!a:.100} has a line break or a control character, which cannot be written into a file"
        )
    return value


class Ready(str):
    """A piece of text that is written as it stands: what one of the functions here has made already."""


def xml(value: object) -> str:
    """Write a value in an attribute between double quotes, or between tags (XML 1.0, section 2.4).

    IIS and WinSW put variables of the environment in for %NAME%, and have no way to write a percent sign itself.
    """
    if "%" in str(value):
        raise EscapeError(
            f"{value!s:.100} holds a percent sign, which this file would take for a variable; choose another path"
        )
    return escape_text(str(value), {'"': "&quot;"})


def systemd(value: object) -> str:
    """Write a word of a unit file (systemd.syntax(7)), where % begins a specifier."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if re.search(r"[^A-Za-z0-9._:/=,@%+-]", text) or not text else text


def systemd_command(words: Sequence[object]) -> Ready:
    """Write a command line of a unit file, where $ begins a variable too (systemd.service(5), "Command lines")."""
    return Ready(" ".join(systemd(str(checked(word)).replace("$", "$$")) for word in words))


def nginx(value: object) -> str:
    """Write a word of an nginx.conf. Only words that need no escape are possible, because $ has none there."""
    if not _NGINX_WORD.fullmatch(str(value)):
        raise EscapeError(f"{value!s:.100} is no word for an nginx.conf")
    return str(value)


def yaml(value: object) -> str:
    """Write a value in YAML: as JSON, but a character beyond U+FFFF is one escape instead of two."""

    def escaped(found: re.Match[str]) -> str:
        code = ord(found[0])
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return re.sub(r"[^ -~]", escaped, json.dumps(value, ensure_ascii=False))


def kubernetes(value: object) -> str:
    """Write a value of a container's `args` or `env`, where $(NAME) stands for a variable and $$ for $."""
    # One $ alone stays as it is. Several are doubled, and those before a parenthesis.
    text = re.sub(r"\$+(?=\()|\${2,}", lambda found: found[0] * 2, value) if isinstance(value, str) else value
    return yaml(text)


def python(value: object) -> str:
    """Write a literal of Python."""
    return ascii(value)


def dockerfile(value: object) -> str:
    """Write a word of an instruction between double quotes; quotes, backslashes and variables in it are escaped."""
    text = re.sub(r'(["\\$])', r"\\\1", str(value))
    return f'"{text}"' if re.search(r"[^A-Za-z0-9._:/=,@+-]", text) or not text else text


def json_words(words: Sequence[object]) -> Ready:
    """Write the exec form of an instruction of a Dockerfile, which knows no variables."""
    return Ready(json.dumps([str(checked(word)) for word in words]))
