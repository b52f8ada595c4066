"""An invalid card is rejected with one line that says where the mistake is."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from wsgi_core.inference import ModelError
from wsgi_core.inference.card import Feature, read_card

NUMBER = {"name": "a", "description": "", "kind": "number", "dtype": "float32", "min": 0, "max": 9, "example": 1}
CARD: dict[str, Any] = {
    "name": "demo",
    "description": "",
    "input": {"tensor": "x"},
    "features": [NUMBER],
    "output": {"name": "y", "tensor": "y", "column": None},
}


def write(folder: Path, content: object) -> Path:
    path = folder / "card.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_reads_a_card(tmp_path: Path) -> None:
    card = read_card(write(tmp_path, CARD))
    assert card.name == "demo"
    assert card.example == {"a": 1}


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (["features", 0, "max"], "9", "features.0.max: Input should be a valid number"),
        (["features", 0, "maximum"], 9, "features.0.maximum: Extra inputs are not permitted"),
        (["features", 0, "max"], 1e39, "features.0.max"),
        (["features", 0, "example"], 10, "the example must be a number"),
        (["features", 0, "example"], True, "features.0.example"),
        (["features", 0, "kind"], "choice", "'allowed' must be set if the kind is 'choice'"),
        (["features", 0, "allowed"], [1], "'allowed' must be set if the kind is 'choice'"),
        (["features", 0, "dtype"], "int64", "features.0.dtype"),
        (["features", 0, "name"], "instances", "cannot be named 'instances'"),
        (["features"], [NUMBER, NUMBER], "two features have the same name"),
        (["features"], [], "features"),
        (["output", "column"], -1, "output.column"),
        (["input"], None, "input"),
    ],
)
def test_refuses_a_wrong_card_and_says_where(tmp_path: Path, where: list[Any], value: object, said: str) -> None:
    card = copy.deepcopy(CARD)
    part: Any = card
    for step in where[:-1]:
        part = part[step]
    part[where[-1]] = value
    with pytest.raises(ModelError) as caught:
        read_card(write(tmp_path, card))
    assert said in str(caught.value)
    assert "card.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_cannot_have_the_name_that_marks_a_batch(tmp_path: Path) -> None:
    text = {
        "name": "instances", "description": "", "encoder": "ngrams", "file": "v.txt",
        "max_characters": 9, "max_tokens": 9, "example": "a",
    }  # fmt: skip
    with pytest.raises(ModelError, match="cannot be named 'instances'"):
        read_card(write(tmp_path, {**CARD, "kind": "text", "features": [], "text": text}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": NaN}'])
def test_refuses_what_is_no_card_at_all(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError, match=r"card\.json: not a valid model card"):
        read_card(write(tmp_path, text))


def test_a_card_that_cannot_be_read_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unit": "years"}, "a number from 0 to 9 (years)"),
        ({"max": None}, "a number from 0"),
        ({"min": None}, "a number up to 9"),
        ({"min": None, "max": None}, "a number"),
        ({"kind": "choice", "allowed": [0, 1, 2.5]}, "0 or 1 or 2.5"),
    ],
)
def test_says_in_words_what_is_expected(change: dict[str, Any], said: str) -> None:
    assert Feature.model_validate_json(json.dumps({**NUMBER, **change})).expected == said


TEXT = {
    "name": "text", "description": "", "encoder": "ngrams", "file": "words.txt", "max_characters": 9, "max_tokens": 9,
    "example": "so",
}  # fmt: skip
PIXELS = {
    "name": "pixels", "description": "", "height": 1, "width": 2, "min": 0.0, "max": 1.0, "example": [0.5, 1.0],
}  # fmt: skip
PARTS = {"features": [NUMBER], "text": TEXT, "pixels": PIXELS}


def without_parts(**more: Any) -> dict[str, Any]:
    return {**{key: value for key, value in CARD.items() if key != "features"}, **more}


@pytest.mark.parametrize(
    ("kind", "part", "example"),
    [
        ("tabular", "features", {"a": 1}),
        ("text", "text", {"text": "so"}),
        ("embedding", "text", {"text": "so"}),
        ("image", "pixels", {"pixels": [0.5, 1.0]}),
    ],
)
def test_each_kind_has_its_part_and_no_other(tmp_path: Path, kind: str, part: str, example: dict[str, Any]) -> None:
    assert read_card(write(tmp_path, without_parts(kind=kind, **{part: PARTS[part]}))).example == example
    wrong = [{}, PARTS, *({other: PARTS[other]} for other in PARTS if other != part)]
    for parts in wrong:
        with pytest.raises(ModelError, match=f"a card of the kind '{kind}' must have '{part}', and must not have '"):
            read_card(write(tmp_path, without_parts(kind=kind, **parts)))


@pytest.mark.parametrize("file", ["../words.txt", "/etc/passwd", "a\\b", "..", ".hidden", ""])
def test_a_cards_file_stays_in_its_folder(tmp_path: Path, file: str) -> None:
    with pytest.raises(ModelError, match=r"text\.file"):
        read_card(write(tmp_path, without_parts(kind="text", text={**TEXT, "file": file})))


def test_labels_name_the_answer(tmp_path: Path) -> None:
    def label(answer: float | list[float], **output: Any) -> str:
        card = {**CARD, "output": {"name": "y", "tensor": "y", "column": 1, "labels": ["no", "yes"], **output}}
        return read_card(write(tmp_path, card)).output.label(answer)

    assert [label(answer) for answer in (0.0, 0.49, 0.5, 1.0)] == ["no", "no", "yes", "yes"]
    assert label(0.5, threshold=0.7) == "no"
    assert label([0.2, 0.1, 0.7], column=None, labels=["a", "b", "c"]) == "c"
    with pytest.raises(ModelError, match="an output with a 'column' must have two labels or none"):
        label(0.5, labels=["only"])
