"""KServe's own client works with both twins.

The client requires older versions of packages than this project's other tests. So the tests run only if it is
installed, with `pip install .[clients]` in a separate virtual environment.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from tests.oip import ONNX_TYPES, sample
from tests.processes import Server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    kserve = pytest.importorskip("kserve")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def talk(server: Server, conversation: Callable[[Any, str], Awaitable[None]]) -> None:
    """Run a conversation of the client with a server, and return its results."""

    async def run() -> None:
        config = kserve.inference_client.RESTConfig(protocol="v2", retries=0)
        async with kserve.InferenceRESTClient(config) as client:
            await conversation(client, f"http://{server.host}:{server.port}")

    asyncio.run(run())


def test_health(oip_server: Server) -> None:
    async def conversation(client: Any, url: str) -> None:
        assert await client.is_server_live(url) is True
        assert await client.is_server_ready(url) is True
        assert await client.is_model_ready(url, "rows") is True
        assert await client.is_model_ready(url, "nope") is False

    talk(oip_server, conversation)


@pytest.mark.parametrize("binary_output", [True, False], ids=["bytes out", "JSON out"])
@pytest.mark.parametrize("binary", [True, False], ids=["bytes in", "JSON in"])
@pytest.mark.parametrize("datatype", ONNX_TYPES)
def test_each_datatype_comes_back(oip_server: Server, datatype: str, binary: bool, binary_output: bool) -> None:
    if datatype == "FP16" and not (binary and binary_output):
        pytest.skip("this client takes FP16 as bytes alone")
    array = sample(datatype)

    async def conversation(client: Any, url: str) -> None:
        tensor = kserve.InferInput("x", list(array.shape), datatype)
        tensor.set_data_from_numpy(array, binary_data=binary)
        asked = kserve.InferRequest(
            f"echo_{datatype.lower()}", [tensor], request_id="66",
            request_outputs=[kserve.protocol.infer_type.RequestedOutput("y", {"binary_data": binary_output})],
        )  # fmt: skip
        answer = await client.infer(url, asked, model_name=f"echo_{datatype.lower()}")
        assert answer.id == "66"
        found = answer.outputs[0].as_numpy()
        assert found.shape == array.shape
        if datatype == "BYTES":
            texts = [item.decode() if isinstance(item, bytes) else item for item in found.ravel()]
            assert texts == array.ravel().tolist()
        else:
            assert np.array_equal(found, array)

    talk(oip_server, conversation)


def test_a_request_as_a_dict(oip_server: Server) -> None:
    async def conversation(client: Any, url: str) -> None:
        tensor = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1.0, 2.0, 3.0]}
        answer = await client.infer(url, {"inputs": [tensor]}, model_name="rows")
        assert answer.outputs[0].data == [1.0, 2.0, 3.0]

    talk(oip_server, conversation)


def test_what_is_wrong_is_said(oip_server: Server) -> None:
    async def conversation(client: Any, url: str) -> None:
        with pytest.raises(Exception, match=r"(?i)no model 'nope'.* '404 not found'"):
            await client.infer(url, {"inputs": []}, model_name="nope")
        with pytest.raises(Exception, match=r"(?i)'x' is missing, '400 bad request'"):
            await client.infer(url, {"inputs": []}, model_name="rows")

    talk(oip_server, conversation)
