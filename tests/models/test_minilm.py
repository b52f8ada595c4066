"""The graph of the transformer, which is built node by node, computes the same as BERT.

The real model is large, so the tests compare a small model with random weights with a forward pass in NumPy.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsgi_core.commands.models import minilm_builder
from wsgi_core.inference import InvalidInput, InvalidTensors, Model, ModelError, ModelRepository
from wsgi_core.shared.cache import built_models_dir

pytest.importorskip("onnx")
builder = minilm_builder()

WIDTH, HEADS, LAYERS, WORDS, POSITIONS = 16, 4, 2, 50, 12


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    dice = np.random.default_rng(7)
    shapes = {f"embeddings.{kind}_embeddings.weight": (count, WIDTH) for kind, count in
              (("word", WORDS), ("position", POSITIONS), ("token_type", 2))}  # fmt: skip
    shapes |= {f"embeddings.LayerNorm.{part}": (WIDTH,) for part in ("weight", "bias")}
    for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
        dense = {f"attention.self.{part}": (WIDTH, WIDTH) for part in ("query", "key", "value")}
        dense |= {"attention.output.dense": (WIDTH, WIDTH)}
        dense |= {"intermediate.dense": (4 * WIDTH, WIDTH), "output.dense": (WIDTH, 4 * WIDTH)}
        for name, shape in dense.items():
            shapes |= {f"{layer}.{name}.weight": shape, f"{layer}.{name}.bias": shape[:1]}
        for name in ("attention.output", "output"):
            shapes |= {f"{layer}.{name}.LayerNorm.{part}": (WIDTH,) for part in ("weight", "bias")}
    return {name: dice.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def small(weights: dict[str, Any], tmp_path: Path) -> Model:
    path = tmp_path / "model.onnx"
    path.write_bytes(builder.build_graph(weights, HEADS))
    return Model("small", "1", path, None)


def forward(weights: dict[str, Any], tokens: list[int]) -> Any:
    """Return the mean of BERT's last layer for one text without padding, scaled to length 1, in NumPy and float64."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}

    def linear(x: Any, name: str) -> Any:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x: Any, name: str) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * w[f"{name}.LayerNorm.weight"] + w[f"{name}.LayerNorm.bias"]

    words, kinds = w["embeddings.word_embeddings.weight"], w["embeddings.token_type_embeddings.weight"]
    x = words[tokens] + w["embeddings.position_embeddings.weight"][: len(tokens)] + kinds[0]
    x = norm(x, "embeddings")
    for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
        q, k, v = (linear(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value"))
        heads = []
        for part in np.split(np.arange(WIDTH), HEADS):
            scores = np.exp(q[:, part] @ k[:, part].T / math.sqrt(WIDTH // HEADS))
            heads.append(scores / scores.sum(-1, keepdims=True) @ v[:, part])
        x = norm(x + linear(np.concatenate(heads, -1), f"{layer}.attention.output.dense"), f"{layer}.attention.output")
        wide = linear(x, f"{layer}.intermediate.dense")
        wide = wide * 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
        x = norm(x + linear(wide, f"{layer}.output.dense"), f"{layer}.output")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


TEXTS = [[1, 2, 3], [49], [7, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]]


@pytest.mark.parametrize("tokens", TEXTS)
def test_agrees_with_a_forward_pass_in_numpy(small: Model, weights: dict[str, Any], tokens: list[int]) -> None:
    embedding = small.infer({"tokens": np.array([tokens])})["embedding"][0]
    np.testing.assert_allclose(embedding, forward(weights, tokens), rtol=0, atol=1e-5)


def test_padding_changes_nothing(small: Model, weights: dict[str, Any]) -> None:
    padded = np.array([tokens + [0] * (12 - len(tokens)) for tokens in TEXTS])
    expected = [forward(weights, tokens) for tokens in TEXTS]
    np.testing.assert_allclose(small.infer({"tokens": padded})["embedding"], expected, rtol=0, atol=1e-5)


def test_a_row_of_padding_is_all_zeros(small: Model) -> None:
    embedding = small.infer({"tokens": np.zeros((1, 4), np.int64)})["embedding"]
    np.testing.assert_array_equal(embedding, np.zeros((1, WIDTH)))


@pytest.mark.parametrize("tokens", [[[WORDS]], [[1] * (POSITIONS + 1)]])
def test_too_many_tokens_or_an_unknown_one_are_the_clients_fault(small: Model, tokens: list[list[int]]) -> None:
    with pytest.raises(InvalidTensors, match="small/1 cannot process these inputs"):
        small.infer({"tokens": np.array(tokens)})


def test_the_same_weights_give_the_same_bytes(weights: dict[str, Any]) -> None:
    assert builder.build_graph(weights, HEADS) == builder.build_graph(dict(weights), HEADS)


def test_reads_what_safetensors_wrote() -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "ids": {"dtype": "I64", "shape": [1], "data_offsets": [16, 24]},
    }
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + np.arange(4, dtype="<f4").tobytes() + bytes(8)
    tensors = builder.read_safetensors(data)
    assert list(tensors) == ["a"]
    np.testing.assert_array_equal(tensors["a"], [[0, 1], [2, 3]])


def test_other_weights_than_the_published_are_refused(tmp_path: Path) -> None:
    for name in builder.SHA256:
        (tmp_path / name).write_bytes(b"else")
    with pytest.raises(ModelError, match="not the published file"):
        builder.check_source(tmp_path)


def test_the_built_models_give_the_known_answers() -> None:
    pytest.importorskip("tokenizers")
    if not (built_models_dir() / "minilm").exists():
        pytest.skip("not built on this machine: wsgi-core models build minilm")
    models = ModelRepository(built_models_dir())
    for name, tolerance in (("minilm", 1e-5), ("minilm-int8", 0.05)):
        builder.check_embeddings(models.get(name).path.parent.parent, tolerance)
    with pytest.raises(InvalidInput, match="expected 1 to 64 rows, got 65"):
        models.get("minilm").predict([{"text": "x"}] * 65)
