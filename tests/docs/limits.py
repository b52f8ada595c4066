"""Write docs/limits.md from the settings: ``python -m tests.docs.limits > docs/limits.md``."""

from __future__ import annotations

import typing as t

from pydantic.fields import FieldInfo

from wsgi_core.inference.schema import MAX_ROWS
from wsgi_core.inference.strict_json import MAX_CONTAINERS, MAX_DEPTH, MAX_STRINGS
from wsgi_core.inference.tensors import MAX_DIMENSIONS
from wsgi_core.serving.body_buffer import ALWAYS_IN_MEMORY, MEMORY_LIMIT
from wsgi_core.serving.chunked_body import MAX_CHUNK_LINE, MAX_TRAILERS
from wsgi_core.serving.dispatcher import LARGE, MAX_WAITING_STREAMS
from wsgi_core.serving.parser import MAX_BLANK, MAX_CHUNK_OVERHEAD
from wsgi_core.shared.content_coding import SMALL_BODY
from wsgi_core.shared.jobs.queue import MAX_ATTEMPTS
from wsgi_core.shared.retrieval.endpoint import MAX_BODY, MAX_CALLS, MAX_HEAD
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.sources import is_secret, option, variable
from wsgi_core.shared.streaming import MAX_COMPUTING, MAX_FIELDS, MAX_LINE
from wsgi_core.shared.webhooks import MAX_SIGNATURES


def size(count: int) -> str:
    """Return a number of bytes as text, in the largest binary unit that divides it."""
    for unit in ("bytes", "KiB", "MiB"):
        if count % 1024:
            return f"{count:,} {unit}"
        count //= 1024
    return f"{count:,} GiB"


_HEAD = """\
# Limits

The limits for clients, and the response to a client that exceeds one. Each option is also a setting in wsgi-core.toml
and an environment variable: `--max-headers` is `max_headers` and `WSGI_CORE_MAX_HEADERS`. Every error response is JSON,
`{"error": "..."}`. This page is generated from the settings.

"""

_SET = """\
| limit | option | default | response |
|---|---|---|---|
"""

_FIXED = f"""
These limits have no option:

| limit | value | response |
|---|---|---|
| Maximum depth of arrays and objects in JSON | {MAX_DEPTH} | 400 |
| Maximum number of arrays and objects in a JSON text | {MAX_CONTAINERS} | 400 |
| Maximum number of strings in a JSON text, without the names of members | {MAX_STRINGS} | 400 |
| NaN, infinity, a lone surrogate, a byte order mark, or anything but UTF-8 in JSON | not allowed | 400 |
| Maximum number of rows in a batch, unless the model's card allows fewer | {MAX_ROWS} | 400 |
| Maximum number of dimensions of a tensor | {MAX_DIMENSIONS} | 400 |
| Maximum size of a line in the body of `/predict/stream` | {size(MAX_LINE)} | an error for the line |
| Maximum size of a compressed body after decompression | as for any body | 413 |
| Maximum size of all decompressed bodies of {size(SMALL_BODY)} or more that are being processed | as for any body | \
request waits; 503 |
| Streams of `/predict/stream` that predict at the same time | {MAX_COMPUTING} | the other streams wait |
| Invalid fields that the response to a line of `/predict/stream` lists | {MAX_FIELDS} | further fields are omitted |
| Questions that wait for a language model at the same time, always fewer than the threads | {MAX_CALLS} | \
an answer made of quotes |
| Maximum size of a language model's response | {size(MAX_BODY)} | an answer made of quotes |
| Maximum size of its headers and interim responses | {size(MAX_HEAD)} | an answer made of quotes |
| Maximum number of attempts to process a webhook | {MAX_ATTEMPTS} | a dead letter (`wsgi-core jobs`) |
| Maximum number of signatures in a webhook's header | {MAX_SIGNATURES} | further signatures are ignored |
| Maximum size of all bodies of {size(LARGE)} or more that are being processed | as for one body | request waits |
| Requests of one connection that are processed at the same time | 1 | the next request waits, unread |
| Streams that wait for their clients, in addition to all threads but one | {MAX_WAITING_STREAMS} | \
503; the longest waiting stream is closed |
| Maximum size of all bodies that are kept in memory | {size(MEMORY_LIMIT)} | \
further bodies of more than {size(ALWAYS_IN_MEMORY)} are stored on disk |
| Bytes on the wire per byte of a chunked body | {MAX_CHUNK_OVERHEAD} | 400, connection closed |
| Maximum size of the line with a chunk's size and extensions | {size(MAX_CHUNK_LINE)} | 400, connection closed |
| Maximum size of all trailers of a chunked body | {size(MAX_TRAILERS)} | 400, connection closed |
| Maximum size of the empty lines before a request | {size(MAX_BLANK)} | 400, connection closed |
| A Host that is missing in HTTP/1.1, repeated, or not a valid host | not allowed | 400, connection closed |
| Transfer-Encoding together with Content-Length, or other than chunked | not allowed | 400, connection closed |
"""


def page() -> str:
    """Return the whole page in Markdown."""
    return _HEAD + _SET + "".join(_rows()) + _FIXED


def _rows() -> t.Iterator[str]:
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "response" in extra:
            # A secret has no option, because all users of the machine can read a command line.
            place = variable(name) if is_secret(name) else option(name)
            description = f"{field.description}".replace("<", "\\<")
            yield f"| {description} | `{place}` | {_shown(field)} | {extra['response']} |\n"


def _shown(field: FieldInfo) -> str:
    default = field.default
    if default is False:
        return "no"
    if in_bytes(field):
        return size(default)
    return "none" if default in (None, (), {}) else f"{default}"


def in_bytes(field: FieldInfo) -> bool:
    """Return whether the description of the setting says that it is in bytes."""
    return "in bytes" in str(field.description)


if __name__ == "__main__":
    print(page(), end="")
