"""NVIDIA's own client works with both twins: each call that the protocol has, and each datatype."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.oip import ONNX_TYPES, sample
from tests.processes import Server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecation warnings of the client and its dependencies
    import tritonclient.http as triton
    import tritonclient.http.aio as triton_aio
    from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

DATATYPES = list(ONNX_TYPES)
ROWS = np.array([[1, 2, 3], [4, 5, 6]], np.float32)


@pytest.fixture
def client(oip_server: Server) -> Iterator[Any]:
    with triton.InferenceServerClient(f"{oip_server.host}:{oip_server.port}") as made:
        yield made


def given(array: NDArray[Any], datatype: str, *, binary: bool, name: str = "x") -> Any:
    """Return an input of the client."""
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def assert_same(found: NDArray[Any] | None, expected: NDArray[Any]) -> None:
    assert found is not None
    assert found.shape == expected.shape
    if expected.dtype == object:
        texts = [item.decode() if isinstance(item, bytes) else item for item in found.ravel()]
        assert texts == expected.ravel().tolist()
    else:
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


# The server and its models


def test_health(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("rows")
    assert client.is_model_ready("rows", "2")
    assert not client.is_model_ready("rows", "3")
    assert not client.is_model_ready("nope")


def test_metadata(client: Any) -> None:
    server = client.get_server_metadata()
    assert server["name"] == "wsgi_core"
    assert "binary_tensor_data" in server["extensions"]
    assert client.get_model_metadata("rows") == client.get_model_metadata("rows", "1") == {
        "name": "rows",
        "versions": ["1", "2"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}],
        "parameters": {"execution_providers": {"CPUExecutionProvider": 1}},
    }  # fmt: skip


def test_configuration(client: Any) -> None:
    config = client.get_model_config("echo_bytes")
    assert config == client.get_model_config("echo_bytes", "1")
    assert config["input"] == [{"name": "x", "data_type": "TYPE_STRING", "dims": [-1, -1]}]
    assert config["max_batch_size"] == 0


def test_repository(client: Any) -> None:
    def states() -> dict[str, str]:
        index = client.get_model_repository_index()
        return {entry["version"]: entry["state"] for entry in index if entry["name"] == "rows"}

    assert states() == {"1": "READY", "2": "READY"}
    client.unload_model("rows")
    assert states() == {"1": "UNAVAILABLE", "2": "UNAVAILABLE"}
    assert not client.is_model_ready("rows")
    client.load_model("rows")
    assert states() == {"1": "READY", "2": "READY"}


def test_a_configuration_of_the_clients_own_is_refused(client: Any) -> None:
    with pytest.raises(InferenceServerException, match="parameters are not supported"):
        client.load_model("rows", config='{"max_batch_size": 8}')


@pytest.mark.parametrize("call", ["load_model", "unload_model"])
def test_models_cannot_be_changed_unless_that_is_allowed(call: str, servers: dict[str, Server]) -> None:
    for server in servers.values():
        with triton.InferenceServerClient(f"{server.host}:{server.port}") as client:
            with pytest.raises(InferenceServerException, match="model_control"):
                getattr(client, call)("churn")
            assert client.is_model_ready("churn")


def test_statistics(client: Any) -> None:
    def totals() -> dict[str, Any]:
        (found,) = client.get_inference_statistics("echo_int8", "1")["model_stats"]
        return found

    before = totals()
    infer_once(client, "echo_int8", given(sample("INT8"), "INT8", binary=True))
    with pytest.raises(InferenceServerException):
        infer_once(client, "echo_int8", given(sample("INT16"), "INT16", binary=True))
    after = totals()
    stats = after["inference_stats"]
    assert after["inference_count"] == before["inference_count"] + 2
    assert after["execution_count"] == before["execution_count"] + 1
    assert stats["success"]["count"] == before["inference_stats"]["success"]["count"] + 1
    assert stats["fail"]["count"] == before["inference_stats"]["fail"]["count"] + 1
    parts = sum(stats[step]["ns"] for step in ("compute_input", "compute_infer", "compute_output"))
    assert 0 < parts == stats["success"]["ns"]
    assert abs(after["last_inference"] / 1000 - time.time()) < 3600
    assert len(client.get_inference_statistics("rows")["model_stats"]) == 2
    assert len(client.get_inference_statistics()["model_stats"]) == len(client.get_model_repository_index())


def infer_once(client: Any, model: str, *inputs: Any, **how: Any) -> Any:
    return client.infer(model, list(inputs), **how)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.get_trace_settings(),
        lambda client: client.update_log_settings({"log_verbose_level": 1}),
        lambda client: client.get_system_shared_memory_status(),
        lambda client: client.unregister_cuda_shared_memory(),
    ],
    ids=["trace", "log", "shared memory", "cuda"],
)
def test_extensions_that_are_not_listed_are_refused_in_words(client: Any, call: Any) -> None:
    with pytest.raises(InferenceServerException) as refused:
        call(client)
    assert refused.value.status() == "404"
    assert "not found" in refused.value.message()


# Inference


@pytest.mark.parametrize("binary_output", [True, False], ids=["bytes out", "JSON out"])
@pytest.mark.parametrize("binary", [True, False], ids=["bytes in", "JSON in"])
@pytest.mark.parametrize("datatype", DATATYPES)
def test_each_datatype_comes_back(client: Any, datatype: str, binary: bool, binary_output: bool) -> None:
    array = sample(datatype)
    wanted = [triton.InferRequestedOutput("y", binary_data=binary_output)]
    result = infer_once(
        client, f"echo_{datatype.lower()}", given(array, datatype, binary=binary), outputs=wanted, request_id="66"
    )
    assert_same(result.as_numpy("y"), array)
    answer = result.get_response()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == (f"echo_{datatype.lower()}", "1", "66")
    (output,) = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("y", datatype, [2, 3])
    assert ("data" in output) is not binary_output


@pytest.mark.parametrize("binary", [True, False], ids=["bytes in", "JSON in"])
@pytest.mark.parametrize("datatype", DATATYPES)
def test_without_outputs_named_all_come_as_bytes(client: Any, datatype: str, binary: bool) -> None:
    array = sample(datatype)
    result = infer_once(client, f"echo_{datatype.lower()}", given(array, datatype, binary=binary))
    assert_same(result.as_numpy("y"), array)
    assert "id" not in result.get_response()


@pytest.mark.parametrize("datatype", DATATYPES)
def test_empty_tensors(client: Any, datatype: str) -> None:
    array = sample(datatype)[:0]
    for binary in (True, False):
        result = infer_once(client, f"echo_{datatype.lower()}", given(array, datatype, binary=binary))
        assert result.get_output("y")["shape"] == [0, 3]


@pytest.mark.parametrize("answer", [None, "gzip", "deflate"])
@pytest.mark.parametrize("request_", [None, "gzip", "deflate"])
def test_compression(client: Any, request_: str | None, answer: str | None) -> None:
    array = np.arange(3000, dtype=np.float32).reshape(-1, 3)
    for binary in (True, False):
        result = infer_once(
            client, "rows", given(array, "FP32", binary=binary),
            request_compression_algorithm=request_, response_compression_algorithm=answer,
        )  # fmt: skip
        assert_same(result.as_numpy("y"), array)


def test_several_inputs_some_as_bytes_and_some_outputs_as_json(client: Any) -> None:
    a, b = np.array([1.5, 2.5], np.float32), np.array([b"\0one", "zwölf".encode()], object)
    result = infer_once(
        client, "pair", given(a, "FP32", binary=False, name="a"), given(b, "BYTES", binary=True, name="b"),
        outputs=[triton.InferRequestedOutput(name, binary_data=binary) for name, binary in (("d", True), ("c", False))],
    )  # fmt: skip
    assert [output["name"] for output in result.get_response()["outputs"]] == ["d", "c"]
    assert_same(result.as_numpy("c"), a)
    assert result.as_numpy("d").tolist() == b.tolist()


def test_versions_and_parameters(client: Any) -> None:
    for version in ("1", "2"):
        result = infer_once(
            client, "rows", given(ROWS, "FP32", binary=True), model_version=version, sequence_id=7, priority=1,
            timeout=1000, parameters={"mine": "x"},
        )  # fmt: skip
        assert result.get_response()["model_version"] == version
    newest = infer_once(client, "rows", given(ROWS, "FP32", binary=True))
    assert newest.get_response()["model_version"] == "2"


def test_many_at_once(oip_server: Server) -> None:
    with triton.InferenceServerClient(f"{oip_server.host}:{oip_server.port}", concurrency=4) as client:
        asked = [ROWS + number for number in range(16)]
        pending = [client.async_infer("rows", [given(array, "FP32", binary=True)]) for array in asked]
        for array, each in zip(asked, pending, strict=True):
            assert_same(each.get_result().as_numpy("y"), array)


def test_bodies_that_the_client_makes_and_reads_apart_from_the_request(client: Any) -> None:
    tensor = given(ROWS, "FP32", binary=True)
    body, json_size = triton.InferenceServerClient.generate_request_body([tensor])
    headers = {"Inference-Header-Content-Length": str(json_size)}
    response = client._post("v2/models/rows/infer", body, headers, None)
    result = triton.InferenceServerClient.parse_response_body(
        response.read(), header_length=int(response.get("Inference-Header-Content-Length"))
    )
    assert_same(result.as_numpy("y"), ROWS)


@pytest.mark.parametrize("binary", [True, False], ids=["bytes", "JSON"])
@pytest.mark.parametrize(
    ("model", "array", "datatype", "status", "says"),
    [
        ("nope", ROWS, "FP32", "404", "no model 'nope'"),
        ("rows", ROWS.astype(np.float64), "FP64", "400", "must be FP32"),
        ("rows", ROWS[:, :2], "FP32", "400", r"shape \[-1, 3\]"),
        ("pair", ROWS, "FP32", "400", "not an input of pair/1"),
    ],
)
def test_what_is_wrong_is_said(
    client: Any, model: str, array: NDArray[Any], datatype: str, status: str, says: str, binary: bool
) -> None:
    with pytest.raises(InferenceServerException, match=says) as refused:
        infer_once(client, model, given(np.ascontiguousarray(array), datatype, binary=binary))
    assert refused.value.status() == status


# The client for asyncio


def test_the_asyncio_client(oip_server: Server) -> None:
    async def talk() -> None:
        async with triton_aio.InferenceServerClient(f"{oip_server.host}:{oip_server.port}") as client:
            assert await client.is_server_live()
            assert await client.is_server_ready()
            assert await client.is_model_ready("rows", "1")
            assert (await client.get_server_metadata())["name"] == "wsgi_core"
            assert (await client.get_model_metadata("rows"))["versions"] == ["1", "2"]
            assert (await client.get_model_config("rows"))["name"] == "rows"
            assert len(await client.get_model_repository_index()) > len(DATATYPES)
            await client.unload_model("scalar")
            assert not await client.is_model_ready("scalar")
            await client.load_model("scalar")
            assert (await client.get_inference_statistics("scalar"))["model_stats"]
            await asyncio.gather(*(infer_and_compare(client, datatype) for datatype in DATATYPES))
            with pytest.raises(InferenceServerException, match="no model"):
                await client.infer("nope", [given(ROWS, "FP32", binary=True)])

    async def infer_and_compare(client: Any, datatype: str) -> None:
        array = sample(datatype)
        for binary in (True, False):
            for coding in (None, "gzip", "deflate"):
                result = await client.infer(
                    f"echo_{datatype.lower()}", [given(array, datatype, binary=binary)],
                    outputs=[triton_aio.InferRequestedOutput("y", binary_data=binary)],
                    request_compression_algorithm=coding, response_compression_algorithm=coding,
                )  # fmt: skip
                assert_same(result.as_numpy("y"), array)

    asyncio.run(talk())
