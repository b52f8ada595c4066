"""Escape functions for each file format. A program that reads the file gets the original value.

The value of each expression in a template is passed to `checked`, and then to the escape function of the target. Only
values of the type `Ready` are written unchanged.
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
    """Raised if a target cannot use a value. The message is for the user."""


def checked(value: object) -> object:
    """Return the value. Raises EscapeError if its text has a line break, a control character or a lone surrogate.

    APPSEC: some of the file formats cannot escape control characters, and a line break would begin a new instruction.
    """
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in str(value)):
        raise EscapeError(
            f"{value!a:.100} has a line break or a control character, which cannot be written into a file"
        )
    return value


class Ready(str):
    """Text that is written into a file unchanged, because it is already escaped or needs no escape."""


def xml(value: object) -> str:
    """Escape a value for an attribute in double quotes, or for text between tags (XML 1.0, section 2.4).

    Raises EscapeError for a percent sign: IIS and WinSW replace %NAME% by the value of an environment variable, and
    have no escape for %.
    """
    if "%" in str(value):
        raise EscapeError(
            f"{value!s:.100} contains a percent sign, which begins a variable in this file; choose another path"
        )
    return escape_text(str(value), {'"': "&quot;"})


def systemd(value: object) -> str:
    """Escape a word of a unit file (systemd.syntax(7)), where % begins a specifier."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if re.search(r"[^A-Za-z0-9._:/=,@%+-]", text) or not text else text


def systemd_command(words: Sequence[object]) -> Ready:
    """Return a command line for a unit file, where $ also begins a variable (systemd.service(5), "Command lines").

    Raises EscapeError if the path of the program begins with a character that is a prefix for systemd. For example, the
    prefix + starts the program with full privileges.
    """
    if str(words[0])[:1] in tuple("@-:+!|"):
        raise EscapeError(f"{words[0]!s:.100} begins with {str(words[0])[0]!r}, which has a meaning in a unit file")
    return Ready(" ".join(systemd(str(checked(word)).replace("$", "$$")) for word in words))


def nginx(value: object) -> str:
    """Return the value unchanged, as a word for nginx.conf.

    Raises EscapeError if the word has a character other than ASCII letters, digits and ._:/*[]-. Quotes would not help,
    because nginx replaces variables in quotes, too, and has no escape for $.
    """
    if not _NGINX_WORD.fullmatch(str(value)):
        raise EscapeError(f"{value!s:.100} cannot be written into an nginx.conf")
    return str(value)


def yaml(value: object) -> str:
    """Return a value as YAML in ASCII: as JSON, except that \\U and 8 digits escape a character above U+FFFF.

    JSON would use a surrogate pair, which YAML does not have.
    """

    def escaped(found: re.Match[str]) -> str:
        code = ord(found[0])
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return re.sub(r"[^ -~]", escaped, json.dumps(value, ensure_ascii=False))


def kubernetes(value: object) -> str:
    """Escape a value of a container's `args` or `env`, where $(NAME) is a variable and $$ is an escaped $."""
    # Runs of several $, and every $ before a parenthesis, are doubled. Any other $ stays as it is.
    text = re.sub(r"\$+(?=\()|\${2,}", lambda found: found[0] * 2, value) if isinstance(value, str) else value
    return yaml(text)


def python(value: object) -> str:
    """Return a value as a Python literal in ASCII."""
    return ascii(value)


def dockerfile(value: object) -> str:
    """Return a value as one word of a Dockerfile instruction, in double quotes if it needs quotes.

    Double quotes, backslashes and $ get a backslash.
    """
    text = re.sub(r'(["\\$])', r"\\\1", str(value))
    return f'"{text}"' if re.search(r"[^A-Za-z0-9._:/=,@+-]", text) or not text else text


def json_words(words: Sequence[object]) -> Ready:
    """Return the words as a JSON list, the form of a Dockerfile instruction that runs no shell."""
    return Ready(json.dumps([str(checked(word)) for word in words]))
