"""Escape the values in the files of ``wsgi-core deploy``. The program that reads a file gets the original values.

There is a function for each file format. In a template, each value is passed to `checked`, and then to the function of
the file's format. Only values of the type `Ready` are written unchanged.
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
    """Raised if a value cannot be used for a deployment target, such as nginx. The message is shown to the user."""


def checked(value: object) -> object:
    """Return `value` unchanged.

    Raises EscapeError if the text of `value` has a line break, a control character or a lone surrogate.

    APPSEC: some file formats cannot escape control characters, and a line break would begin a new instruction.
    """
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in str(value)):
        raise EscapeError(
            f"{value!a:.100} has a line break or a control character, which cannot be written into a file"
        )
    return value


class Ready(str):
    """Text that a template writes unchanged, because the text is already escaped or needs no escape."""


def xml(value: object) -> str:
    """Escape a value for an XML attribute in double quotes, or for text between tags (XML 1.0, section 2.4).

    Raises EscapeError if the value has a percent sign. IIS and WinSW replace %NAME% by an environment variable, and
    have no escape for %.
    """
    if "%" in str(value):
        raise EscapeError(
            f"{value!s:.100} contains a percent sign, which begins a variable in this file; choose another path"
        )
    return escape_text(str(value), {'"': "&quot;"})


def systemd(value: object) -> str:
    """Return a value as one word of a systemd unit file (systemd.syntax(7)), in quotes if needed.

    A % is doubled, because systemd replaces specifiers such as %i.
    """
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if re.search(r"[^A-Za-z0-9._:/=,@%+-]", text) or not text else text


def systemd_command(words: Sequence[object]) -> Ready:
    """Return a command line for a systemd unit file (systemd.service(5), "Command lines").

    A $ is doubled, because systemd replaces variables such as $HOME in a command line. Raises EscapeError if the
    program's path begins with a character that systemd interprets, such as +, which gives the program full privileges.
    """
    if str(words[0])[:1] in tuple("@-:+!|"):
        raise EscapeError(
            f"{words[0]!s:.100} begins with {str(words[0])[0]!r}, which systemd interprets; choose another path"
        )
    return Ready(" ".join(systemd(str(checked(word)).replace("$", "$$")) for word in words))


def nginx(value: object) -> str:
    """Return a value as one word of an nginx.conf.

    Raises EscapeError if the text of the value is empty, or has a character other than ASCII letters, digits and
    ._:/*[]-. Quotes would not help: nginx also replaces variables in quotes, and has no escape for $.
    """
    if not _NGINX_WORD.fullmatch(str(value)):
        raise EscapeError(f"{value!s:.100} cannot be written into an nginx.conf; use only letters, digits and ._:/*[]-")
    return str(value)


def yaml(value: object) -> str:
    """Return a value as YAML in ASCII.

    The result is JSON, but a character above U+FFFF is written as \\U and 8 digits. JSON would use a surrogate pair,
    which YAML does not allow.
    """

    def escaped(found: re.Match[str]) -> str:
        code = ord(found[0])
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return re.sub(r"[^ -~]", escaped, json.dumps(value, ensure_ascii=False))


def kubernetes(value: object) -> str:
    """Return a value as YAML for the `args` or `env` of a container.

    Kubernetes replaces $(NAME) by a variable there, and $$ by $. If the value is text, each $ that Kubernetes would
    interpret is doubled.
    """
    # A $ is doubled if it stands before a parenthesis, or beside another $. Any other $ is unchanged.
    text = re.sub(r"\$+(?=\()|\${2,}", lambda found: found[0] * 2, value) if isinstance(value, str) else value
    return yaml(text)


def python(value: object) -> str:
    """Return a value as a Python literal in ASCII."""
    return ascii(value)


def dockerfile(value: object) -> str:
    """Return a value as one word of a Dockerfile instruction, in double quotes if needed.

    A double quote, a backslash and a $ are escaped by a backslash.
    """
    text = re.sub(r'(["\\$])', r"\\\1", str(value))
    return f'"{text}"' if re.search(r"[^A-Za-z0-9._:/=,@+-]", text) or not text else text


def json_words(words: Sequence[object]) -> Ready:
    """Return the words as a JSON list. A Dockerfile instruction in this form is not run by a shell."""
    return Ready(json.dumps([str(checked(word)) for word in words]))
