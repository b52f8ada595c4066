"""The Open Inference Protocol on both twins: the same response to the same bytes, valid or not, and no 5xx but 503."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.conformance import wire
from tests.conformance.wire import Answer
from tests.examples import examples
from tests.oip import ONNX_TYPES, sample
from tests.processes import Server

HEADER = "Inference-Header-Content-Length"
ROW = [1.0, 2.0, 3.0]


def ask(
    services: Mapping[str, Any], path: str, body: bytes = b"", method: str = "POST", **headers: str
) -> tuple[Answer, Any]:
    """Send the request to both services. Check that the responses are equal, and return the response and its JSON."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    core, twin = (
        wire.call(services[name].wsgi_app, wire.environ(method, path, sent, body)).comparable()
        for name in ("wsgi_core", "flask")
    )
    assert core == twin
    assert core.code < 500 or core.code == 503
    return core, read(core)


def read(answer: Answer) -> Any:
    """Return the JSON of a response. Check its Content-Type and, for an error, that it has only ``error``."""
    length = answer.header(HEADER)
    data = answer.body if length is None else answer.body[: int(length)]
    if answer.header("Content-Encoding"):
        data = zlib.decompress(data, 47)
    assert answer.header("Content-Type") == ("application/json" if length is None else "application/octet-stream")
    payload = json.loads(data)
    if answer.code != 200:
        assert list(payload) == ["error"]
        assert payload["error"]
        assert len(payload["error"]) < 1000
    return payload


def tensor(**changes: Any) -> dict[str, Any]:
    """Return a valid input for `rows` with changes. A member with the value ``...`` is omitted."""
    good = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": ROW}
    return {key: value for key, value in {**good, **changes}.items() if value is not ...}


def body(*inputs: Any, **more: Any) -> bytes:
    """Return the body of an infer request."""
    return json.dumps({"inputs": list(inputs), **more}).encode()


def binary(size: Any, **changes: Any) -> dict[str, Any]:
    """Return a valid input whose data are ``size`` bytes after the JSON."""
    return tensor(**{"data": ..., "parameters": {"binary_data_size": size}, **changes})


RAW = np.array(ROW, "<f4").tobytes()

# Requests that are rejected: the body, and a part of the error.

MALFORMED: dict[str, tuple[bytes, str]] = {
    "no body": (b"", "not JSON"),
    "no JSON": (b"x", "not JSON"),
    "NaN": (b'{"inputs": [NaN]}', "NaN is not JSON"),
    "no object": (b"[]", "must be an object, got a list"),
    "no inputs": (b"{}", "inputs must be a list, got null"),
    "inputs that are an object": (b'{"inputs": {}}', "inputs must be a list"),
    "an empty list of inputs": (body(), "'x' is missing"),
    "an input that is null": (body(None), "inputs[0] must be an object"),
    "no name": (body(tensor(name=...)), "inputs[0].name must be a string"),
    "a name that is a number": (body(tensor(name=1)), "inputs[0].name must be a string"),
    "another name": (body(tensor(name="y")), "'y' is not an input of rows/2"),
    "a name of half a million letters": (body(tensor(name="\x80" * 500_000)), "is not an input"),
    "an input twice": (body(tensor(), tensor()), "twice"),
    "no shape": (body(tensor(shape=...)), "shape must be a list"),
    "another shape": (body(tensor(shape=[3])), "must be FP32 of the shape [-1, 3]"),
    "a negative size": (body(tensor(shape=[-1, 3])), "whole numbers from 0"),
    "a size that is a float": (body(tensor(shape=[1.0, 3])), "whole numbers from 0"),
    "a size that is true": (body(tensor(shape=[True, 3])), "whole numbers from 0"),
    "a size of 30 digits": (body(tensor(shape=[10**30, 3])), "whole numbers from 0"),
    "sizes that overflow together": (body(tensor(shape=[2**62, 3])), "values, got 3"),
    "sizes that overflow to what is there": (body(tensor(shape=[2**63, 3], data=[])), "values, got 0"),
    "a large shape without elements": (body(tensor(shape=[0, 2**40], data=[])), "too large"),
    "too many dimensions": (body(tensor(shape=[1] * 33, data=[1.0])), "at most 32"),
    "a million dimensions": (body(tensor(shape=[1] * 1_000_000, data=[1.0])), "at most 32"),
    "no datatype": (body(tensor(datatype=...)), "datatype must be a string"),
    "a datatype nobody knows": (body(tensor(datatype="FP8")), "'FP8' is not a datatype"),
    "a datatype that the model does not take": (
        body(tensor(datatype="BF16")),
        "must be FP32 of the shape [-1, 3], got BF16",
    ),
    "another datatype": (body(tensor(datatype="FP64")), "must be FP32"),
    "no data": (body(tensor(data=...)), "either data or"),
    "data that is null": (body(tensor(data=None)), "data must be a list, got null"),
    "data that is a number": (body(tensor(data=1)), "data must be a list"),
    "too few values": (body(tensor(data=[1, 2])), "3 values, got 2"),
    "too many values": (body(tensor(data=[1, 2, 3, 4])), "3 values, got 4"),
    "a string": (body(tensor(data=["1", 2, 3])), "needs numbers, got a string"),
    "true": (body(tensor(data=[True, 2, 3])), "needs numbers, got true"),
    "null": (body(tensor(data=[None, 2, 3])), "needs numbers, got null"),
    "a list among numbers": (body(tensor(data=[1, 2, [3]])), "needs numbers, got a list"),
    "a number among lists": (body(tensor(data=[[1, 2], 3])), "nesting of data does not match"),
    "nested the other way round": (body(tensor(data=[[1], [2], [3]])), "nesting of data does not match"),
    "nested too deeplyly": (body(tensor(data=[[ROW]])), "nesting of data does not match"),
    "nested 65 deep": (b'{"inputs": ' + b"[" * 65 + b"]" * 65 + b"}", "deeper than 64"),
    "beyond FP32": (body(tensor(data=[1e39, 2, 3])), "FP32 cannot represent"),
    "beyond FP64": (body(tensor()).replace(b"1.0", b"1e400"), "FP32 cannot represent"),
    "an integer of 400 digits": (body(tensor(data=[10**400, 2, 3])), "FP32 cannot represent"),
    "data and bytes": (body(binary(12, data=ROW)), "not both"),
    "bytes that are not there": (body(binary(12)), "0 bytes are left"),
    "a negative number of bytes": (body(binary(-12)), "binary_data_size is -12"),
    "a number of bytes that is a float": (body(binary(12.0)), "must be a whole number"),
    "a number of bytes that is true": (body(binary(True)), "must be a whole number"),
    "a number of bytes that is null": (body(binary(None)), "must be a whole number"),
    "parameters that are a list": (body(tensor(parameters=[])), "parameters must be an object"),
    "shared memory": (body(tensor(data=..., parameters={"shared_memory_region": "r"})), "not supported"),
    "shared memory and data": (body(tensor(parameters={"shared_memory_region": "r"})), "not supported"),
    "parameters of the request that are text": (body(tensor(), parameters="x"), "parameters must be an object"),
    "a flag that is a number": (body(tensor(), parameters={"binary_data_output": 1}), "must be true or false"),
    "an id that is a number": (body(tensor(), id=5), "id must be a string"),
    "outputs that are an object": (body(tensor(), outputs={}), "outputs must be a list"),
    "an output that is text": (body(tensor(), outputs=["y"]), "outputs[0] must be an object"),
    "an output without a name": (body(tensor(), outputs=[{}]), "outputs[0].name"),
    "another output": (body(tensor(), outputs=[{"name": "z"}]), "'z' is not an output of rows/2; it has ['y']"),
    "an output twice": (body(tensor(), outputs=[{"name": "y"}] * 2), "twice"),
    "classification": (body(tensor(), outputs=[{"name": "y", "parameters": {"classification": 1}}]), "not supported"),
    "a flag of an output that is text": (
        body(tensor(), outputs=[{"name": "y", "parameters": {"binary_data": "yes"}}]),
        "must be true or false",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_in_words(oip_services: dict[str, Any], name: str) -> None:
    sent, says = MALFORMED[name]
    answer, payload = ask(oip_services, "/v2/models/rows/infer", sent)
    assert answer.code == 400
    assert says in payload["error"]


LONG = str(len(body(binary(12))))
FRAMES: dict[str, tuple[str, bytes, str]] = {
    "a length beyond the body": ("9999", body(binary(12)) + RAW, "but the body has"),
    "a length within the JSON": ("5", body(binary(12)) + RAW, "not JSON"),
    "a length beyond the JSON": (str(int(LONG) + 1), body(binary(12)) + RAW + b"\0", "not JSON"),
    "a negative length": ("-1", body(binary(12)) + RAW, "whole number"),
    "a length that is no number": ("many", body(binary(12)) + RAW, "whole number"),
    "a length in arabic digits": ("\xd9\xa3", body(binary(12)) + RAW, "whole number"),
    "two lengths": (f"{LONG}, {LONG}", body(binary(12)) + RAW, "whole number"),
    "a length of a thousand digits": ("9" * 1000, body(binary(12)) + RAW, "whole number"),
    "an empty length": ("", body(binary(12)) + RAW, "whole number"),
    "too few bytes": (LONG, body(binary(12)) + RAW[:-1], "11 bytes are left"),
    "bytes that belong to nobody": (LONG, body(binary(12)) + RAW + b"\0", "1 bytes after the JSON"),
    "fewer bytes than the shape takes": (str(len(body(binary(8)))), body(binary(8)) + RAW[:8], "needs 12 bytes, got 8"),
    "raw bytes that make no rows": ("0", RAW[:-1], "needs 0 bytes, got 11"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_bytes_that_do_not_add_up_are_refused(oip_services: dict[str, Any], name: str) -> None:
    length, sent, says = FRAMES[name]
    answer, payload = ask(oip_services, "/v2/models/rows/infer", sent, **{HEADER: length})
    assert answer.code == 400
    assert says in payload["error"]


def strings(*items: bytes, **changes: Any) -> tuple[dict[str, Any], bytes]:
    """Return an input of the datatype BYTES, and its bytes after the JSON."""
    raw = b"".join(struct.pack("<I", len(item)) + item for item in items)
    return binary(len(raw), **{"datatype": "BYTES", "shape": [1, len(items)], **changes}), raw


@pytest.mark.parametrize(
    ("raw", "shape", "says"),
    [
        (b"\1\0\0", [1, 1], "within the length"),
        (b"\2\0\0\0a", [1, 1], "fewer are left"),
        (b"\xff\xff\xff\xff", [1, 1], "should have 4294967295 bytes"),
        (b"\0\0\0\0" * 3, [1, 2], "2 elements, got more"),
        (b"", [2**40, 2**40], "elements, got 0"),
        (b"\1\0\0\0\xff", [1, 1], "not UTF-8"),
    ],
)
def test_strings_that_do_not_add_up_are_refused(
    oip_services: dict[str, Any], raw: bytes, shape: list[int], says: str
) -> None:
    head = body(binary(len(raw), datatype="BYTES", shape=shape))
    answer, payload = ask(oip_services, "/v2/models/echo_bytes/infer", head + raw, **{HEADER: str(len(head))})
    assert answer.code == 400
    assert says in payload["error"]


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("INT8", [128]), ("UINT8", [-1]), ("INT64", [2**63]), ("UINT64", [-1]), ("UINT64", [2**64]),
        ("INT32", [1.0]), ("BOOL", [1]), ("BYTES", [1]), ("FP16", [65520.0]), ("INT64", [True]),
    ],
)  # fmt: skip
def test_a_value_that_the_type_does_not_have_is_refused(
    oip_services: dict[str, Any], datatype: str, data: list[Any]
) -> None:
    sent = body(tensor(datatype=datatype, shape=[1, 1], data=data))
    answer, _ = ask(oip_services, f"/v2/models/echo_{datatype.lower()}/infer", sent)
    assert answer.code == 400


# Requests that are accepted


@pytest.mark.parametrize("datatype", ONNX_TYPES)
@pytest.mark.parametrize("nested", [False, True])
def test_json_comes_back_exactly(oip_services: dict[str, Any], datatype: str, nested: bool) -> None:
    array = sample(datatype)
    sent = body(
        tensor(datatype=datatype, shape=[2, 3], data=(array if nested else array.ravel()).tolist()),
        id="é\n",
        more=[None],
    )
    answer, payload = ask(oip_services, f"/v2/models/echo_{datatype.lower()}/infer", sent)
    assert answer.code == 200
    assert payload["id"] == "é\n"
    (output,) = payload["outputs"]
    assert {key: output[key] for key in ("name", "shape", "datatype")} == {
        "name": "y",
        "shape": [2, 3],
        "datatype": datatype,
    }
    assert np.array_equal(np.array(output["data"], array.dtype), array.ravel())


def test_bytes_at_an_odd_place_are_read_rightly(oip_services: dict[str, Any]) -> None:
    for padding in range(8):
        head = body(binary(12), id="x" * padding)
        answer, payload = ask(oip_services, "/v2/models/rows/infer", head + RAW, **{HEADER: str(len(head))})
        assert payload["outputs"][0]["data"] == ROW
        assert answer.code == 200


def test_an_outputs_own_wish_counts_more_than_the_requests(oip_services: dict[str, Any]) -> None:
    wishes = {"outputs": [{"name": "z", "parameters": {"binary_data": False}}, {"name": "y"}]}
    sent = body(tensor(datatype="INT64", shape=[2], data=[7, 8]), parameters={"binary_data_output": True}, **wishes)
    answer, payload = ask(oip_services, "/v2/models/twice/infer", sent)
    assert payload["outputs"] == [
        {"name": "z", "shape": [2], "datatype": "INT64", "data": [7, 8]},
        {"name": "y", "shape": [2], "datatype": "INT64", "parameters": {"binary_data_size": 16}},
    ]
    assert answer.body[int(answer.header(HEADER) or 0) :] == struct.pack("<qq", 7, 8)


@pytest.mark.parametrize(
    ("model", "raw", "shape"),
    [
        ("rows", RAW * 2, [2, 3]),
        ("rows", b"", [0, 3]),
        ("echo_fp32", RAW, [1, 3]),
        ("scalar", RAW[:4], [1]),
        ("twice", struct.pack("<q", 5), [1]),
    ],
)
def test_a_body_of_raw_bytes_alone(oip_services: dict[str, Any], model: str, raw: bytes, shape: list[int]) -> None:
    answer, payload = ask(oip_services, f"/v2/models/{model}/infer", raw, **{HEADER: "0"})
    assert answer.code == 200
    assert payload["outputs"][0]["shape"] == shape
    assert answer.body[int(answer.header(HEADER) or 0) :] == raw * len(payload["outputs"])


def test_a_body_of_raw_bytes_is_one_string(oip_services: dict[str, Any]) -> None:
    answer, payload = ask(oip_services, "/v2/models/echo_bytes/infer", "zwölf".encode(), **{HEADER: "0"})
    assert payload["outputs"][0]["shape"] == [1, 1]
    assert answer.body.endswith(b"\6\0\0\0" + "zwölf".encode())


def test_a_body_of_raw_bytes_is_for_one_input(oip_services: dict[str, Any]) -> None:
    answer, payload = ask(oip_services, "/v2/models/pair/infer", RAW, **{HEADER: "0"})
    assert answer.code == 400
    assert "2 inputs" in payload["error"]


def test_what_json_cannot_say_comes_as_bytes_alone(oip_services: dict[str, Any]) -> None:
    asked = tensor(shape=[1], data=[-1.0])
    answer, payload = ask(oip_services, "/v2/models/root/infer", body(asked))
    assert answer.code == 400
    assert "binary_data" in payload["error"]
    answer, _ = ask(oip_services, "/v2/models/root/infer", body(asked, parameters={"binary_data_output": True}))
    assert answer.code == 200
    assert np.isnan(np.frombuffer(answer.body[-4:], "<f4")).all()


# Parts that are not plain tensors


def test_bfloat16_is_bytes_alone(oip_services: dict[str, Any]) -> None:
    path = "/v2/models/echo_bf16"
    _, metadata = ask(oip_services, path, method="GET")
    assert metadata["inputs"] == [{"name": "x", "datatype": "BF16", "shape": [-1]}]
    raw = struct.pack("<HH", 0x3F80, 0xC020)  # 1 and -2.5
    head = body(binary(4, datatype="BF16", shape=[2]), parameters={"binary_data_output": True})
    answer, payload = ask(oip_services, f"{path}/infer", head + raw, **{HEADER: str(len(head))})
    assert (answer.code, payload["outputs"][0]["datatype"]) == (200, "BF16")
    assert answer.body.endswith(raw)
    head = body(binary(4, datatype="BF16", shape=[2]))
    answer, payload = ask(oip_services, f"{path}/infer", head + raw, **{HEADER: str(len(head))})
    assert (
        answer.code,
        "BF16 can only be sent as bytes, not as JSON; request it with binary_data" in payload["error"],
    ) == (400, True)
    answer, payload = ask(oip_services, f"{path}/infer", body(tensor(datatype="BF16", shape=[1], data=[1.0])))
    assert (answer.code, "send it as bytes, with binary_data_size" in payload["error"]) == (400, True)


def test_the_map_of_a_classifier_is_a_tensor_with_its_classes(oip_services: dict[str, Any]) -> None:
    _, metadata = ask(oip_services, "/v2/models/classes", method="GET")
    assert metadata["outputs"] == [
        {"name": "y", "datatype": "FP32", "shape": [-1, 2], "parameters": {"labels": ["no", "yes"]}}
    ]
    answer, payload = ask(oip_services, "/v2/models/classes/infer", body(tensor(shape=[2, 2], data=[0.25, 0.75, 1, 0])))
    assert answer.code == 200
    assert payload["outputs"] == [{"name": "y", "shape": [2, 2], "datatype": "FP32", "data": [0.25, 0.75, 1.0, 0.0]}]


def test_an_input_with_a_default_may_be_sent(oip_services: dict[str, Any]) -> None:
    _, metadata = ask(oip_services, "/v2/models/scaled", method="GET")
    assert metadata["inputs"][1] == {
        "name": "scale",
        "datatype": "FP32",
        "shape": [1],
        "parameters": {"optional": True},
    }
    numbers = tensor(shape=[2], data=[1, 3])
    for more, expected in (([], [2, 6]), ([tensor(name="scale", shape=[1], data=[10])], [10, 30])):
        answer, payload = ask(oip_services, "/v2/models/scaled/infer", body(numbers, *more))
        assert (answer.code, payload["outputs"][0]["data"]) == (200, expected)
    answer, payload = ask(oip_services, "/v2/models/scaled/infer", struct.pack("<ff", 1, 3), **{HEADER: "0"})
    assert answer.body[int(answer.header(HEADER) or 0) :] == struct.pack("<ff", 2, 6)
    answer, payload = ask(oip_services, "/v2/models/scaled/infer", body(tensor(name="scale", shape=[1], data=[10])))
    assert (answer.code, "'x' is missing" in payload["error"]) == (400, True)


# Limits of the machine


def test_a_tensor_is_compared_with_the_model_before_it_is_decoded(oip_services: dict[str, Any]) -> None:
    """A million empty strings, 4 KB with gzip, once held the GIL for more than a second."""
    count = (1 << 20) - 200
    wrong = {
        "another type": binary(4 * count, datatype="BYTES", shape=[count, 3]),
        "another shape": binary(4 * count, datatype="FP32", shape=[count]),
    }
    for sent in wrong.values():
        head = body(sent)
        packed = gzip.compress(head + bytes(4 * count))
        assert len(packed) < 8192
        began = time.process_time()
        answer, payload = ask(
            oip_services, "/v2/models/rows/infer", packed, Content_Encoding="gzip", **{HEADER: str(len(head))}
        )
        assert (answer.code, "must be FP32 of the shape [-1, 3]" in payload["error"]) == (400, True)
        assert time.process_time() - began < 0.3  # for both services; with the defect, each took 1.2 s


def test_strings_beyond_the_shape_are_not_decoded(oip_services: dict[str, Any]) -> None:
    head = body(binary(4 << 20, datatype="BYTES", shape=[1, 1]))
    packed = gzip.compress(head + bytes((4 << 20) - len(head)))
    began = time.process_time()
    head = body(binary((4 << 20) - len(head), datatype="BYTES", shape=[1, 1]))
    packed = gzip.compress(head + bytes((4 << 20) - len(head)))
    answer, payload = ask(
        oip_services, "/v2/models/echo_bytes/infer", packed, Content_Encoding="gzip", **{HEADER: str(len(head))}
    )
    assert (answer.code, "the shape [1, 1] has 1 elements, got more" in payload["error"]) == (400, True)
    assert time.process_time() - began < 0.3


def test_a_run_without_enough_memory_is_503(oip_services: dict[str, Any]) -> None:
    answer, payload = ask(
        oip_services, "/v2/models/zeros/infer", body(tensor(datatype="INT64", shape=[1], data=[1 << 45]))
    )
    assert answer.code == 503
    assert payload["error"].startswith("zeros/1 needs more memory")
    assert answer.header("Retry-After") == "1"


# Types and codings


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("", 200),
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/vnd.x+json", 200),
        ("application/octet-stream", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data", 415),
        (";", 415),
    ],
)
def test_content_types(oip_services: dict[str, Any], content_type: str, status: int) -> None:
    answer, _ = ask(oip_services, "/v2/models/rows/infer", body(tensor()), Content_Type=content_type)
    assert answer.code == status


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("coding", CODINGS)
def test_the_length_counts_the_json_before_it_was_compressed(oip_services: dict[str, Any], coding: str) -> None:
    sent = CODINGS[coding](body(binary(12)) + RAW)
    headers = {"Content_Encoding": coding, HEADER: LONG}
    answer, payload = ask(oip_services, "/v2/models/rows/infer", sent, **headers)
    assert answer.code == 200
    assert payload["outputs"][0]["data"] == ROW


@pytest.mark.parametrize("coding", ["br", "gzip, deflate", "chunked", "x" * 1000, "\xe9"])
def test_an_unknown_coding_is_415(oip_services: dict[str, Any], coding: str) -> None:
    answer, _ = ask(oip_services, "/v2/models/rows/infer", body(tensor()), Content_Encoding=coding)
    assert answer.code == 415
    assert answer.header("Accept-Encoding") == "gzip, deflate"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_that_is_small_only_until_it_is_unpacked_is_413(oip_services: dict[str, Any], coding: str) -> None:
    bomb = CODINGS[coding](bytes(64 << 20))
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        answer, _ = ask(oip_services, "/v2/models/rows/infer", bomb, Content_Encoding=coding)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.code == 413
    assert peak < 24 << 20


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"x" + data])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_broken_compression_is_400(oip_services: dict[str, Any], coding: str, change: Callable[[bytes], bytes]) -> None:
    sent = change(CODINGS[coding](body(tensor())))
    answer, _ = ask(oip_services, "/v2/models/rows/infer", sent, Content_Encoding=coding)
    assert answer.code == 400


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate", "gzip"), ("deflate, gzip;q=0.5", "deflate"),
        ("*", "gzip"), ("br", None), ("", None), ("gzip;q=0", None), ("identity", None), (";;q=x,\xe9", None),
    ],
)  # fmt: skip
def test_a_large_answer_is_compressed_for_who_accepts_it(
    oip_services: dict[str, Any], accepted: str, coding: str | None
) -> None:
    sent = body(tensor(shape=[100, 3], data=ROW * 100))
    answer, payload = ask(oip_services, "/v2/models/rows/infer", sent, Accept_Encoding=accepted)
    assert answer.header("Content-Encoding") == coding
    assert payload["outputs"][0]["data"] == ROW * 100
    small, _ = ask(oip_services, "/v2/models/rows/infer", body(tensor()), Accept_Encoding=accepted)
    assert small.header("Content-Encoding") is None


def test_a_body_over_the_limit_is_413(oip_services: dict[str, Any]) -> None:
    answer, _ = ask(oip_services, "/v2/models/rows/infer", bytes((4 << 20) + 1))
    assert answer.code == 413


# The other routes

ROUTES = [
    ("GET", "/v2", 200), ("GET", "/v2/", 200), ("POST", "/v2", 405), ("GET", "/v2/nope", 404),
    ("GET", "/v2/health/live", 200), ("GET", "/v2/health/ready", 200), ("POST", "/v2/health/ready", 405),
    ("GET", "/v2/models", 404), ("GET", "/v2/models/", 404), ("GET", "/v2/models/stats", 200),
    ("GET", "/v2/models/rows", 200), ("GET", "/v2/models/rows/", 404), ("GET", "/v2/models/nope", 404),
    ("GET", "/v2/models/%ff%00<b>", 404), ("GET", "/v2/models/rows%2f1", 404), ("GET", "/v2/models/rows/ready", 200),
    ("GET", "/v2/models/rows/versions/1", 200), ("GET", "/v2/models/rows/versions/01", 404),
    ("GET", "/v2/models/rows/versions/-1", 404), ("GET", "/v2/models/rows/versions/1/ready", 200),
    ("GET", "/v2/models/rows/versions/9/ready", 404), ("GET", "/v2/models/rows/versions/1/config", 200),
    ("GET", "/v2/models/rows/versions/9/config", 404), ("GET", "/v2/models/rows/versions/1/stats", 200),
    ("GET", "/v2/models/rows/versions/9/stats", 404), ("GET", "/v2/models/nope/stats", 404),
    ("GET", "/v2/models/rows/infer", 405), ("DELETE", "/v2/models/rows", 405), ("POST", "/v2/models/nope/infer", 404),
    ("POST", "/v2/models/rows/versions/9/infer", 404), ("GET", "/v2/repository/index", 405),
    ("POST", "/v2/repository/index", 200), ("POST", "/v2/repository/models/nope/load", 404),
    ("POST", "/v2/repository/models/nope/unload", 404), ("GET", "/v2/repository/models/rows/load", 405),
    ("POST", "/v2/repository/models/rows/load", 200),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), ROUTES)
def test_routes(oip_services: dict[str, Any], method: str, path: str, status: int) -> None:
    if path.endswith("stats"):
        answers = [
            wire.call(service.wsgi_app, wire.environ(method, path, {}, b"")) for service in oip_services.values()
        ]
        assert [answer.code for answer in answers] == [status] * 2
        return
    answer, _ = ask(oip_services, path, b"", method)
    assert answer.code == status
    if status == 405:
        assert answer.header("Allow")


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"", 200), (b"{}", 200), (b'{"ready": true}', 200), (b'{"ready": 1}', 400), (b"[]", 400), (b"x", 400)],
)
def test_the_body_of_an_index(oip_services: dict[str, Any], sent: bytes, status: int) -> None:
    answer, payload = ask(oip_services, "/v2/repository/index", sent)
    assert answer.code == status
    if status == 200:
        assert {"name": "rows", "version": "2", "state": "READY", "reason": ""} in payload


@pytest.mark.parametrize("action", ["load", "unload"])
def test_loading_is_off_by_default(services: dict[str, Any], action: str) -> None:
    answer, payload = ask(services, f"/v2/repository/models/churn/{action}")
    assert answer.code == 403
    assert "model_control" in payload["error"]


@pytest.mark.parametrize("sent", [b'{"parameters": {"config": "{}"}}', b"[]", b"{"])
def test_loading_otherwise_than_it_lies_there_is_refused(oip_services: dict[str, Any], sent: bytes) -> None:
    answer, _ = ask(oip_services, "/v2/repository/models/rows/load", sent)
    assert answer.code == 400


# Requests drawn at random

NAMES = st.sampled_from(["x", "a", "b", "y", "scale", ""]) | st.text(max_size=3)
SIZES = st.sampled_from([0, 1, 2, 3, 6, -1, 2**31, 2**32, 2**62, 2**63, 2**64, 10**30, 1.0, True, None, "1"])
SHAPES = st.lists(SIZES, max_size=4) | st.just([1] * 40) | st.none() | st.integers()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=10,
)
NUMBERS = st.lists(st.floats(width=32) | st.integers(-3, 300) | st.booleans() | st.text(max_size=3), max_size=6)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "binary_data_size": st.integers(-1, 40) | SIZES,
        "binary_data": st.booleans() | st.none(),
        "binary_data_output": st.booleans() | st.integers(),
        "classification": st.integers(),
    },
)
TENSORS = st.fixed_dictionaries(
    {"name": NAMES, "shape": SHAPES, "datatype": st.sampled_from([*ONNX_TYPES, "BF16", "fp32"])},
    optional={"data": NUMBERS | VALUES, "parameters": PARAMETERS | VALUES},
)
OUTPUTS = st.fixed_dictionaries({"name": NAMES}, optional={"parameters": PARAMETERS | VALUES})
REQUESTS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS | VALUES, max_size=3)},
    optional={
        "id": st.text(max_size=4) | VALUES,
        "parameters": PARAMETERS | VALUES,
        "outputs": st.lists(OUTPUTS | VALUES, max_size=3) | VALUES,
    },
)
TAILS = st.binary(max_size=48) | st.lists(st.binary(max_size=6), max_size=4).map(
    lambda items: b"".join(struct.pack("<I", len(item)) + item for item in items)
)
MODELS = st.sampled_from(
    [f"echo_{datatype.lower()}" for datatype in ONNX_TYPES]
    + ["rows", "twice", "pair", "scalar", "echo_bf16", "scaled", "classes"]
)


@st.composite
def infers(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    """Draw a body and its headers: mostly valid, or cut off, extended or compressed, with right or wrong lengths."""
    head = json.dumps(draw(REQUESTS)).encode()
    sent = head + draw(TAILS)
    length = draw(
        st.sampled_from([str(len(head))] * 4 + ["0", "", "-1", str(len(sent) + 1)]) | st.integers(0, 300).map(str)
    )
    headers = draw(st.sampled_from([{HEADER: length}, {}]))
    sent = draw(st.sampled_from([sent, sent, sent, sent[: len(sent) // 2], sent[:-1], sent + b"\0"]))
    coding = draw(st.sampled_from([None, None, None, "gzip", "deflate"]))
    if coding:
        sent = CODINGS[coding](sent)
        headers = {**headers, "Content-Encoding": coding}
        sent = draw(st.sampled_from([sent, sent, sent[:-3]]))
    return sent, headers


@examples(300, HealthCheck.function_scoped_fixture)
@given(asked=infers(), model=MODELS)
def test_any_request_gets_the_same_answer_from_both(
    oip_services: dict[str, Any], asked: tuple[bytes, dict[str, str]], model: str
) -> None:
    sent, headers = asked
    answer, _ = ask(oip_services, f"/v2/models/{model}/infer", sent, **headers)
    assert answer.code in {200, 400, 413, 415}


@st.composite
def good_infers(draw: st.DrawFn) -> tuple[str, bytes, dict[str, str], np.ndarray[Any, Any]]:
    """Draw a valid request, and the tensor that the response must have."""
    datatype = draw(st.sampled_from([name for name in ONNX_TYPES if name != "BYTES"]))
    dtype = sample(datatype).dtype
    rows, columns = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    raw = draw(st.binary(min_size=rows * columns * dtype.itemsize, max_size=rows * columns * dtype.itemsize))
    if datatype == "BOOL":
        raw = bytes(byte & 1 for byte in raw)
    asked = binary(len(raw), datatype=datatype, shape=[rows, columns])
    head = body(asked, parameters={"binary_data_output": True})
    return datatype, head + raw, {HEADER: str(len(head))}, np.frombuffer(raw, dtype).reshape(rows, columns)


@examples(100, HealthCheck.function_scoped_fixture)
@given(asked=good_infers())
def test_any_tensor_comes_back_bit_by_bit(
    oip_services: dict[str, Any], asked: tuple[str, bytes, dict[str, str], np.ndarray[Any, Any]]
) -> None:
    datatype, sent, headers, array = asked
    answer, payload = ask(oip_services, f"/v2/models/echo_{datatype.lower()}/infer", sent, **headers)
    assert answer.code == 200
    assert payload["outputs"][0]["shape"] == list(array.shape)
    assert answer.body[int(answer.header(HEADER) or 0) :] == array.tobytes()


@examples(25, HealthCheck.function_scoped_fixture)
@given(asked=infers(), model=MODELS)
def test_any_request_gets_the_same_answer_behind_waitress(
    oip_servers: dict[str, Server], asked: tuple[bytes, dict[str, str]], model: str
) -> None:
    sent, headers = asked
    packet = wire.request_bytes("POST", f"/v2/models/{model}/infer", headers, sent)
    core, twin = (
        wire.exchange(oip_servers[name].address, packet, "POST").comparable() for name in ("wsgi_core", "flask")
    )
    assert core == twin
    assert core.code in {200, 400, 413, 415}


def test_no_request_left_a_traceback(oip_servers: dict[str, Server]) -> None:
    for server in oip_servers.values():
        assert "Traceback" not in "".join(server.lines)


# Reloading, which is not a part of the protocol


def test_reload(oip_services: dict[str, Any], oip_models: Path) -> None:
    path = "/v2/repository/reload"
    nothing: dict[str, Any] = {"added": [], "changed": [], "removed": [], "refused": {}}
    assert ask(oip_services, path)[1] == nothing
    (oip_models / "new" / "1").mkdir(parents=True)
    try:
        shutil.copy(oip_models / "scalar" / "1" / "model.onnx", oip_models / "new" / "1")
        assert ask(oip_services, path, b"{}")[1] == {**nothing, "added": ["new/1"]}
        (oip_models / "new" / "1" / "model.onnx").write_bytes(b"x")
        refused = ask(oip_services, path)[1]["refused"]
        assert list(refused) == ["new/1"]
        assert refused["new/1"].startswith(f"new{os.sep}1{os.sep}model.onnx: cannot be loaded")
    finally:
        shutil.rmtree(oip_models / "new")
    assert ask(oip_services, path)[1] == {**nothing, "removed": ["new/1"]}
    assert ask(oip_services, path, b"[]")[0].code == 400


def test_a_folder_that_is_gone_changes_nothing(oip_services: dict[str, Any], oip_models: Path) -> None:
    away = oip_models.with_name("away")
    oip_models.rename(away)
    try:
        answer, payload = ask(oip_services, "/v2/repository/reload")
    finally:
        away.rename(oip_models)
    assert answer.code == 400
    assert "cannot be listed" in payload["error"]
    assert str(oip_models) not in payload["error"]
