"""A text becomes token ids: words and word pairs of a vocabulary. No text causes an exception."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from wsgi_core.inference import InvalidFeatures, InvalidInput, MissingFeatures, Model, ModelError, ModelRepository
from wsgi_core.inference.card import Text
from wsgi_core.inference.text import NgramEncoder, open_encoder, pad

TEXT: dict[str, Any] = {
    "name": "text",
    "description": "",
    "encoder": "ngrams",
    "file": "vocabulary.txt",
    "max_characters": 20,
    "max_tokens": 4,
    "example": "good",
}


@pytest.fixture
def encoder() -> NgramEncoder:
    return NgramEncoder(["good", "not", "not good", "!!", ":)", "isn't", "it"], 4)


@pytest.fixture(scope="module")
def sentiment() -> Model:
    return ModelRepository().get("sentiment")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("good", [1]),
        ("Not GOOD", [2, 1, 3]),
        ("good good good", [1]),
        ("not,good", [2, 1, 3]),
        ("not very good", [2, 1]),
        ("it isn't :)!!", [7, 6, 5, 4]),
        ("", []),
        ("nothing known", []),
        ("good not it isn't !! :)", [1, 2, 7, 6]),
    ],
)
def test_words_and_pairs_once_each_in_order(encoder: NgramEncoder, text: str, ids: list[int]) -> None:
    assert encoder.ids(text) == ids
    np.testing.assert_array_equal(encoder.encode([text]), [ids or [0]])


def test_a_batch_is_filled_up_with_zeros(encoder: NgramEncoder) -> None:
    batch = encoder.encode(["not good", "good", "?"])
    assert batch.dtype == np.int64
    assert batch.tolist() == [[2, 1, 3], [1, 0, 0], [0, 0, 0]]
    assert pad([[], []]).tolist() == [[0], [0]]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_any_text_has_ids(texts: list[str]) -> None:
    encoder = NgramEncoder(["a", "b", "a b", "0", "é"], 3)
    batch = encoder.encode(texts)
    assert batch.shape[0] == len(texts)
    assert 1 <= batch.shape[1] <= 3
    assert batch.min() >= 0
    assert batch.max() <= 5


def test_a_long_text_is_no_crash_and_no_wait(sentiment: Model) -> None:
    for text in ("a" * 5000, "' " * 2500, ":-" * 2500, "!?" * 2500):
        assert 0 < sentiment.predict({"text": text})["positive_probability"] < 1


@pytest.mark.parametrize(
    ("payload", "error", "said"),
    [
        ({}, MissingFeatures, "missing feature: text"),
        ({"text": ""}, InvalidFeatures, "text must be a string of 1 to 5000 characters, got one of 0"),
        ({"text": "x" * 5001}, InvalidFeatures, "got one of 5001"),
        ({"text": 7}, InvalidFeatures, "got 7"),
        ({"text": None}, InvalidFeatures, "got null"),
        ([{"text": "a"}, {"text": []}, {"text": True}], InvalidFeatures, "[1].text must be"),
        ([{"text": "a"}, {}], MissingFeatures, "missing feature: [1].text"),
        ("a", InvalidInput, "expected an object or a list of objects"),
        ([{"text": "a"}] * 1001, InvalidInput, "expected 1 to 1000 rows, got 1001"),
    ],
)
def test_what_is_no_text_is_refused(sentiment: Model, payload: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as caught:
        sentiment.predict(payload)
    assert said in str(caught.value)


def test_a_vocabulary_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    text = Text.model_validate_json(json.dumps(TEXT))
    with pytest.raises(ModelError, match="the vocabulary cannot be read"):
        open_encoder(text, tmp_path)
    (tmp_path / "vocabulary.txt").write_bytes(b"good\n\xff\n")
    with pytest.raises(ModelError, match="the vocabulary cannot be read"):
        open_encoder(text, tmp_path)
    (tmp_path / "vocabulary.txt").write_bytes(b"not\r\ngood\r\n")  # with the line endings of a checkout on Windows
    assert open_encoder(text, tmp_path).encode(["good"]).tolist() == [[2]]


def test_a_tokenizer_that_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Text.model_validate_json(json.dumps({**TEXT, "encoder": "wordpiece", "file": "tokenizer.json"}))
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ModelError, match=r"needs the package 'tokenizers': pip install tokenizers"):
        open_encoder(text, tmp_path)
    monkeypatch.undo()
    pytest.importorskip("tokenizers")
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be read as a tokenizer"):
        open_encoder(text, tmp_path)


def test_word_pieces_are_cut_at_the_limit_and_filled_up(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = {"[PAD]": 0, "[UNK]": 1, "good": 2, "not": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    text = Text.model_validate_json(json.dumps({**TEXT, "encoder": "wordpiece", "file": "tokenizer.json"}))
    batch = open_encoder(text, tmp_path).encode(["not good", "good " * 9])
    assert batch.tolist() == [[3, 2, 0, 0], [2, 2, 2, 2]]
