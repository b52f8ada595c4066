"""Texts are found by their words and, if an embedding model is available, by their meaning."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_core.shared.retrieval import Embeddings, TfIdf
from wsgi_core.shared.retrieval.search import words

TEXTS = ["The server listens on a port.", "Models are served by the server.", "Bread needs yeast and flour.", ""]


def test_words_lose_their_commonest_endings_and_the_commonest_words_are_left_out():
    assert words("The Servers are serving: it served 3 TESTS!") == ["server", "serv", "serv", "3", "test"]


def test_what_shares_rare_words_comes_first():
    scores = TfIdf(TEXTS).scores("which flour for the bread")
    assert scores.argmax() == 2
    assert scores[[0, 1, 3]].tolist() == [0, 0, 0]
    assert TfIdf(TEXTS).scores("the port of a server").argmax() == 0


def test_a_text_is_most_like_itself():
    index = TfIdf(TEXTS)
    for place, text in enumerate(TEXTS[:3]):
        assert index.scores(text)[place] == pytest.approx(1, abs=1e-6)


@given(query=st.text(max_size=30), texts=st.lists(st.text("ab cd", max_size=12), max_size=5))
def test_any_question_has_a_finite_score_for_each_text(query: str, texts: list[str]):
    scores = TfIdf(texts).scores(query)
    assert scores.shape == (len(texts),)
    assert np.all((scores >= 0) & (scores <= 1 + 1e-5))


def test_shared_words_weigh_by_how_rare_they_are():
    index = TfIdf(TEXTS)
    assert index.shared("server yeast", "yeast") > index.shared("server yeast", "a server") > 0
    assert index.shared("server", "server server") == index.shared("server", "server")
    assert index.shared("unknown", "unknown") == 0


class Meaning:
    """An embedding model that distinguishes two meanings."""

    id = "meaning/1"
    card = SimpleNamespace(text=SimpleNamespace(name="text", max_characters=30))

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def predict(self, rows: list[dict[str, str]]) -> dict[str, Any]:
        self.sizes.append(len(rows))
        assert all(len(row["text"]) <= 30 for row in rows)
        return {"predictions": [[1.0, 0.0] if "r" in row["text"] else [0.1, 0.995] for row in rows]}


def test_embeddings_find_what_shares_no_word_and_drop_what_is_far():
    model: Any = Meaning()
    texts = ["bread", "yes", *["xx"] * 40]
    index = Embeddings(model, texts, TfIdf(texts))
    assert index.name == "meaning/1 + tf-idf"
    assert max(model.sizes) <= 16
    scores = index.scores("flour")
    assert scores[0] == 1
    assert scores[1:].tolist() == [0] * 41
    assert index.scores("bread " * 20)[0] == pytest.approx(2)


def test_each_text_has_its_own_embedding_whatever_their_lengths():
    model: Any = Meaning()
    texts = ["r" if place % 3 else "x" * (50 - place) for place in range(40)]
    scores = Embeddings(model, texts, TfIdf(texts)).scores("r r")
    assert (scores >= 1).tolist() == [text == "r" for text in texts]
