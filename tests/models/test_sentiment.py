"""The sentiment model predicts from token ids the same as scikit-learn from the text."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.models.scripts import (
    MODELS,
    assert_training_gives_the_committed_bytes,
    committed_files,
    load_script,
    read_card,
    same_cpu,
)
from wsgi_core.inference import Model, ModelRepository
from wsgi_core.inference.schema import TextSchema

CARD = read_card("sentiment")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("sentiment")


@pytest.fixture(scope="module")
def rows(script: ModuleType) -> Any:
    try:
        path = script.fetch()
    except subprocess.CalledProcessError:
        pytest.skip("the sentences cannot be fetched")
    return script.split_rows(path)


@pytest.fixture(scope="module")
def original(script: ModuleType, rows: Any) -> Any:
    return script.fit(rows)


@pytest.fixture(scope="module")
def sentiment() -> Model:
    return ModelRepository(MODELS).get("sentiment")


def run(model: Model, texts: list[str]) -> Any:
    answers = [model.predict([{"text": text} for text in texts[at : at + 1000]]) for at in range(0, len(texts), 1000)]
    return np.concatenate([answer["predictions"] for answer in answers])


@same_cpu
@pytest.mark.long
def test_agrees_with_the_original_library_on_the_held_out_sentences(rows: Any, original: Any, sentiment: Model) -> None:
    texts = [row.text for row in rows.test]
    assert len(texts) == CARD["evaluation"]["rows"] == 3396
    np.testing.assert_allclose(run(sentiment, texts), original.predict_proba(texts)[:, 1], rtol=0, atol=1e-5)


@same_cpu
@pytest.mark.long
def test_the_ngrams_are_those_of_scikit_learn(rows: Any, original: Any, sentiment: Model) -> None:
    assert isinstance(sentiment.schema, TextSchema)
    words = (MODELS / "sentiment" / "1" / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    assert words == list(original[0].get_feature_names_out())
    analyze, known = original[0].build_analyzer(), original[0].vocabulary_
    for row in rows.test[:300]:
        expected = {known[ngram] + 1 for ngram in analyze(row.text) if ngram in known}
        found = sentiment.schema.encoder.encode([row.text])[0].tolist()
        assert set(found) - {0} == expected
        assert len(set(found)) == len(found)


@pytest.mark.long
def test_the_cards_figures_are_those_of_the_committed_file(script: ModuleType, rows: Any, sentiment: Model) -> None:
    measured = script.scores(rows.positive(rows.test), run(sentiment, [row.text for row in rows.test]))
    assert measured == pytest.approx(CARD["evaluation"]["model"], abs=1e-4)
    assert measured["accuracy"] > CARD["evaluation"]["baseline_all_positive"]["accuracy"] + 0.2
    assert measured["accuracy"] > CARD["evaluation"]["vader_lexicon"]["accuracy"] + 0.05


@pytest.mark.long
def test_no_review_is_on_both_sides(rows: Any) -> None:
    assert not {row.review for row in rows.train} & {row.review for row in rows.test}
    assert not {row.text for row in rows.train} & {row.text for row in rows.test}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love this film, it is wonderful!", "positive"),
        ("GREAT phone, works perfectly :)", "positive"),
        ("What a waste of time and money.", "negative"),
        ("It broke after two days, terrible quality", "negative"),
    ],
)
def test_says_the_obvious(sentiment: Model, text: str, label: str) -> None:
    assert sentiment.card is not None
    assert sentiment.card.output.label(sentiment.predict({"text": text})["positive_probability"]) == label


def test_texts_without_a_known_word_get_one_answer(sentiment: Model) -> None:
    answers = {sentiment.predict({"text": text})["positive_probability"] for text in (" ", "zzqx", "日本語", "😀" * 9)}
    assert len(answers) == 1


def test_a_text_gets_the_same_answer_in_a_batch(sentiment: Model) -> None:
    texts = ["good", "a bad film with a good end " * 20, "?"]
    alone = [sentiment.predict({"text": text})["positive_probability"] for text in texts]
    np.testing.assert_allclose(run(sentiment, texts), alone, rtol=0, atol=1e-6)


@same_cpu
@pytest.mark.long
def test_training_again_gives_the_same_bytes(script: ModuleType, rows: Any, tmp_path: Path) -> None:
    assert_training_gives_the_committed_bytes("sentiment", script, tmp_path)


def test_a_wrong_archive_is_not_read(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"else")
    with pytest.raises(SystemExit, match="not the expected file"):
        script.read_archive(tmp_path / "x.tar.gz")


def test_no_sentences_are_committed() -> None:
    names = {path.name for path in committed_files("sentiment")}
    assert names == {"model.onnx", "vocabulary.txt", "card.json", "train.py"}
    lines = (MODELS / "sentiment" / "1" / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    assert max(len(line.split(" ")) for line in lines) == 2
