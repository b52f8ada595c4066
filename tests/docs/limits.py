"""docs/limits.md, made out of the settings: ``python -m tests.docs.limits > docs/limits.md``."""

from __future__ import annotations

import typing as t

from wsgi_core.inference.schema import MAX_ROWS
from wsgi_core.inference.strict_json import MAX_CONTAINERS, MAX_DEPTH, MAX_STRINGS
from wsgi_core.inference.tensors import MAX_DIMENSIONS
from wsgi_core.serving.body_buffer import MEMORY
from wsgi_core.serving.dispatcher import LARGE, MAX_WAITING_STREAMS
from wsgi_core.serving.parser import MAX_CHUNK_OVERHEAD
from wsgi_core.shared.content_coding import SMALL_BODY
from wsgi_core.shared.jobs.queue import MAX_ATTEMPTS
from wsgi_core.shared.retrieval.endpoint import MAX_ANSWER, MAX_CALLS, MAX_HEAD
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.sources import is_secret, option, variable
from wsgi_core.shared.streaming import MAX_FIELDS, MAX_LINE
from wsgi_core.shared.webhooks import MAX_SIGNATURES

_HEAD = """\
# Limits

What a client may ask of the server, the option that says so, and what a client beyond it gets. The option has the same
name elsewhere: `--max-headers` is `max_headers` in wsgi-core.toml, and in the environment
`WSGI_CORE_MAX_HEADERS`. Every answer is JSON, `{"error": "..."}`. This page is made out of the settings themselves.

"""

_SET = """\
| limit | option | default | answer |
|---|---|---|---|
"""

_FIXED = f"""
These have no option:

| limit | value | answer |
|---|---|---|
| Levels of arrays and objects in JSON | {MAX_DEPTH} | 400 |
| Arrays and objects in a JSON text | {MAX_CONTAINERS} | 400 |
| Strings in a JSON text, names of members aside | {MAX_STRINGS} | 400 |
| NaN, infinities, lone surrogates, a byte order mark, anything but UTF-8 in JSON | none | 400 |
| Rows of a batch, unless a model's card allows fewer | {MAX_ROWS} | 400 |
| Dimensions of a tensor | {MAX_DIMENSIONS} | 400 |
| Bytes of a line in the body of `/predict/stream` | {MAX_LINE} | an error in its line |
| Bytes of a compressed body after decompression | those of a body | 413 |
| Bytes of all such bodies at work, of those with {SMALL_BODY} and more | those of a body | waits for its turn; 503 |
| Wrong fields that the response to a line of `/predict/stream` names | {MAX_FIELDS} | the others are left out |
| Questions that wait for a language model at a time, and fewer than threads | {MAX_CALLS} | answered with quotes |
| Bytes of a language model's response | {MAX_ANSWER} | answered with quotes |
| Bytes before it, with interim responses | {MAX_HEAD} | answered with quotes |
| Attempts at a webhook's job | {MAX_ATTEMPTS} | a dead letter (`wsgi-core jobs`) |
| Signatures in one header of a webhook | {MAX_SIGNATURES} | the others are not compared |
| Bytes of all bodies together that are at work, of those with {LARGE} and more | those of a body | waits for its turn |
| Requests of one connection that are worked on | 1 | the next one waits, unread |
| Streams that wait for their clients, beyond all threads but one | {MAX_WAITING_STREAMS} | 503; the oldest is closed |
| Bytes of all bodies together that are kept in memory | {MEMORY} | kept on disk |
| Bytes on the wire for a byte of a body in chunks | {MAX_CHUNK_OVERHEAD} | 400, connection closed |
| Host missing in HTTP/1.1, given twice, or not a host | none | 400, connection closed |
| Transfer-Encoding with a Content-Length, or other than chunked | none | 400, connection closed |
"""


def page() -> str:
    """The whole page, in Markdown."""
    return _HEAD + _SET + "".join(_rows()) + _FIXED


def _rows() -> t.Iterator[str]:
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "answer" in extra:
            # A secret is no option: everybody on the machine can read a command line.
            place = variable(name) if is_secret(name) else option(name)
            description = f"{field.description}".replace("<", "\\<")
            yield f"| {description} | `{place}` | {_shown(field.default)} | {extra['answer']} |\n"


def _shown(default: object) -> str:
    if default is False:
        return "no"
    return "none" if default in (None, (), {}) else f"{default}"


if __name__ == "__main__":
    print(page(), end="")
