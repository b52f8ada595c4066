"""Compressed bodies: which are decompressed, which are rejected, and never beyond the limit."""

from __future__ import annotations

import gzip
import threading
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, ServiceUnavailable

from tests.examples import examples
from wsgi_core.shared.content_coding import (
    CODINGS,
    SMALLEST,
    DecodedBodies,
    UnsupportedCoding,
    check_coding,
    choose_coding,
    decode_body,
    encode_body,
)

BODY = b"ab" * 5000


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("body", [b"", b"x", BODY])
def test_there_and_back(coding: str, body: bytes) -> None:
    assert decode_body(encode_body(body, coding), coding, 10_000) == body


def test_what_the_standard_library_reads_and_writes() -> None:
    assert gzip.decompress(encode_body(BODY, "gzip")) == BODY
    assert zlib.decompress(encode_body(BODY, "deflate")) == BODY
    assert decode_body(gzip.compress(BODY), " GZip ", None) == BODY
    assert decode_body(zlib.compress(BODY), "deflate", None) == BODY


def test_deflate_without_its_wrapping() -> None:
    assert decode_body(zlib.compress(BODY, wbits=-15), "deflate", None) == BODY


def test_the_same_body_gives_the_same_bytes() -> None:
    assert encode_body(BODY, "gzip") == encode_body(BODY, "gzip")


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_no_coding(coding: str) -> None:
    assert decode_body(BODY, coding, 1) == BODY


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "gzip;q=1", "é"])
def test_unknown_codings_are_answered_with_those_that_are_known(coding: str) -> None:
    with pytest.raises(UnsupportedCoding) as refused:
        decode_body(BODY, coding, None)
    assert ("Accept-Encoding", "gzip, deflate") in refused.value.get_headers()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_exactly_the_limit_and_one_more(coding: str) -> None:
    packed = encode_body(BODY, coding)
    assert decode_body(packed, coding, len(BODY)) == BODY
    with pytest.raises(RequestEntityTooLarge):
        decode_body(packed, coding, len(BODY) - 1)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_broken_is_refused(coding: str) -> None:
    packed = encode_body(BODY, coding)
    for broken in (b"", b"x", packed[:-1], packed[:10], packed + b"x", packed + packed, b"x" + packed):
        with pytest.raises(BadRequest):
            decode_body(broken, coding, None)


def test_small_answers_stay_as_they_are() -> None:
    assert choose_coding("gzip", SMALLEST) == "gzip"
    assert choose_coding("gzip", SMALLEST - 1) is None


@pytest.mark.parametrize(
    ("path", "coding"),
    [("/predict", ""), ("/predict", " Identity"), ("/v2/models/churn/infer", "gzip"), ("/v2/", "br")],
)
def test_a_plain_body_passes_and_one_whose_view_unpacks_it(path: str, coding: str) -> None:
    check_coding({"PATH_INFO": path, "HTTP_CONTENT_ENCODING": coding})
    check_coding({"PATH_INFO": path})


@pytest.mark.parametrize("path", ["/predict", "/", "", "/v22/x", "/webhooks/crm"])
def test_a_compressed_body_is_refused_where_nobody_unpacks_it(path: str) -> None:
    with pytest.raises(UnsupportedCoding) as refused:
        check_coding({"PATH_INFO": path, "HTTP_CONTENT_ENCODING": "gzip"})
    assert ("Accept-Encoding", "identity") in refused.value.get_headers()


# Limits apply to the size after decompression


@examples(50)
@given(sizes=st.lists(st.integers(0, 300_000), min_size=1, max_size=3), coding=st.sampled_from(CODINGS))
def test_the_size_is_known_before_the_body_is_unpacked(sizes: list[int], coding: str):
    for size in sizes:
        body = encode_body(b"7" * size, coding)
        admitted: list[int] = []
        assert len(decode_body(body, coding, 400_000, admitted.append)) == size == admitted[0]


def test_a_bomb_is_refused_before_it_is_admitted_and_in_little_memory():
    bomb = encode_body(bytes(200 << 20), "gzip")
    tracemalloc.start()
    try:
        with pytest.raises(RequestEntityTooLarge):
            decode_body(bomb, "gzip", 4 << 20, lambda size: pytest.fail("admitted"))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_bodies_wait_until_the_sum_of_those_at_work_has_space_for_them():
    bodies = DecodedBodies(4 << 20, 0.05)
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    bodies.reserve(first, 3 << 20)
    bodies.reserve(second, 1000)  # a small body is not counted
    with pytest.raises(ServiceUnavailable) as refused:
        bodies.reserve(second, 2 << 20)
    assert refused.value.retry_after == 1
    bodies.release(second)
    patient = DecodedBodies(4 << 20, 10)
    patient.reserve(first, 3 << 20)
    thread = threading.Timer(0.05, patient.release, [first])
    thread.start()
    patient.reserve(second, 4 << 20)
    thread.join()


def test_one_body_alone_is_admitted_whatever_its_size():
    DecodedBodies(1 << 20, 0.01).reserve({}, 5 << 20)
