"""A chunked body must match the grammar of RFC 9112 exactly, so that a proxy finds the same end of it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_core.serving.body_buffer import BodyBudget, SpooledBody
from wsgi_core.serving.chunked_body import MAX_CHUNK_LINE, MAX_TRAILERS, ChunkedBody


def body() -> ChunkedBody:
    return ChunkedBody(SpooledBody(BodyBudget(1 << 20, 1 << 20)))


def fed(*pieces: bytes) -> tuple[ChunkedBody, int]:
    """Return a body that has received the pieces, and the number of bytes that belong to it."""
    made = body()
    return made, sum(made.received(piece) for piece in pieces)


NEXT = b"GET /next HTTP/1.1\r\n"

ACCEPTED = {
    "no chunk": (b"0\r\n\r\n", b""),
    "two chunks": (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
    "data that looks like chunks": (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    "zeros and both cases": (b"0a\r\n0123456789\r\n0A\r\n0123456789\r\n000\r\n\r\n", b"0123456789" * 2),
    "extensions": (b'1;a\r\nx\r\n1;a=b;c="d;\\" e"\r\ny\r\n0;z\r\n\r\n', b"xy"),
    "blanks around an extension": (b"1 ; a = b\r\nx\r\n0\r\n\r\n", b"x"),
    "trailers": (b"0\r\nA: b\r\nC:\r\n\r\n", b""),
}  # fmt: skip

REFUSED = {
    "a line feed after the size": b"5\n\r\nhello\r\n0\r\n\r\n",
    "a line feed alone after the size": b"5\nhello\r\n0\r\n\r\n",
    "a line feed after an extension": b"5;a\n\r\nhello\r\n0\r\n\r\n",
    "a line feed within an extension": b'5;a="\n"\r\nhello\r\n0\r\n\r\n',
    "a carriage return within an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "an empty line before a chunk": b"\r\n5\r\nhello\r\n0\r\n\r\n",
    "an empty line between chunks": b"5\r\nhello\r\n\r\n0\r\n\r\n",
    "a line feed after the data": b"5\r\nhello\n0\r\n\r\n",
    "no line end after the data": b"5\r\nhello0\r\n\r\n",
    "a blank before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a blank after the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "an underscore": b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "a size of 17 digits": b"10000000000000000\r\n",
    "an extension without a name": b"5;\r\nhello\r\n0\r\n\r\n",
    "a bare line feed in the trailers": b"0\r\nA: b\nC: d\r\n\r\n",
    "a line feed as the end": b"0\r\n\n",
    "a trailer without a colon": b"0\r\nGET / HTTP/1.1\r\n\r\n",
    "a folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "a trailer with a blank before its colon": b"0\r\nA : b\r\n\r\n",
    "a long line in one piece": b"5;" + b"a" * MAX_CHUNK_LINE + b"\r\nhello\r\n0\r\n\r\n",
    "many trailers in one piece": b"0\r\n" + b"A: b\r\n" * MAX_TRAILERS + b"\r\n",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str):
    sent, data = ACCEPTED[name]
    for pieces in ([sent + NEXT], [bytes([byte]) for byte in sent + NEXT]):
        received, length = fed(*pieces)
        assert received.error is None
        assert received.completed
        assert length == len(sent), "what follows is the next request"
        assert received.getfile().read() == data
        assert len(received) == len(data)
        received.getbuf().close()


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str):
    sent = REFUSED[name]
    for pieces in ([sent], [bytes([byte]) for byte in sent]):
        received, _ = fed(*pieces)
        assert received.error
        assert not received.completed
        received.getbuf().close()


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=6), st.lists(st.integers(0, 200), max_size=8))
def test_it_does_not_matter_where_the_network_cuts(chunks: list[bytes], cuts: list[int]):
    sent = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    places = sorted({0, len(sent), *(cut % (len(sent) + 1) for cut in cuts)})
    received, length = fed(*(sent[start:end] for start, end in pairwise(places)))
    assert (received.completed, length) == (True, len(sent))
    assert received.getfile().read() == b"".join(chunks)
    received.getbuf().close()
