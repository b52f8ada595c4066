"""Indexes of texts, which score how well each text matches a question: by words, or by words and meaning."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...inference import Model

_WORD = re.compile(r"[^\W_]+")
_ENDING = re.compile(r"(?<=\w{3})(?:ings?|ed|es|s)$")

STOP_WORDS = frozenset(
    _WORD.findall("""
    a an and are as at be by can do does for from has have how i if in is it its me my no not of on or so than that
    the their there they this to was we what when where which who why will with you your
    """)
)

BATCH = 16
"""The number of texts that are embedded in one run of the model."""

MIN_SIMILARITY = 0.2
"""The minimum cosine of embeddings that counts as a match. Unrelated texts usually have a lower cosine."""


class Index(Protocol):
    """A searchable collection of texts. `name` says how the texts are matched."""

    name: str

    def scores(self, query: str) -> NDArray[np.float32]:
        """Return float32[number of texts]: how well each text matches the question `query`. 0 means no match."""


def words(text: str) -> list[str]:
    """Return the words of a text in lower case. Stop words are omitted, and common English endings are removed."""
    return [_ENDING.sub("", word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


class TfIdf:
    """An index by words. A score is the cosine of the TF-IDF vectors of text and query (Spärck Jones, 1972)."""

    name = "tf-idf"

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(words(text)) for text in texts]
        documents = Counter(word for count in counts for word in count)
        self._place = {word: place for place, word in enumerate(documents)}
        self._weight = np.array([np.log((1 + len(texts)) / (1 + n)) + 1 for n in documents.values()], np.float32)
        self._vectors = self.vectors(texts)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return float32[number of texts, number of indexed words]: the TF-IDF vector of each text.

        Each vector has length 1. If a text has none of the indexed words, its vector is 0.
        """
        vectors = np.zeros((len(texts), len(self._place)), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word, count in Counter(words(text)).items():
                if word in self._place:
                    vector[self._place[word]] = 1 + np.log(count)
        vectors *= self._weight
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        normed: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
        return normed

    def scores(self, query: str) -> NDArray[np.float32]:
        """Return float32[number of texts]: a score from 0 to 1 for each text."""
        scores: NDArray[np.float32] = self._vectors @ self.vectors([query])[0]
        return scores

    def shared(self, query: str, text: str) -> float:
        """Return the total weight of the indexed words that a text shares with the question `query`."""
        places = (self._place.get(word) for word in {*words(query)} & {*words(text)})
        return float(sum(self._weight[place] for place in places if place is not None))


class Embeddings:
    """An index by words and meaning. A score is the TF-IDF score plus the cosine of the embeddings of text and query.

    A cosine below `MIN_SIMILARITY` counts as 0. Words are scored, too, because an embedding model may not know names
    and commands.
    """

    def __init__(self, model: Model, texts: Sequence[str], by_words: TfIdf) -> None:
        self.name = f"{model.id} + {by_words.name}"
        self._model = model
        self._by_words = by_words
        # PERF: batch texts of similar length, because each text is padded to the longest text in its batch.
        order = np.argsort([len(text) for text in texts], kind="stable")
        batches = (order[start : start + BATCH] for start in range(0, len(texts), BATCH))
        vectors = np.vstack([self._embed([texts[place] for place in batch]) for batch in batches])
        self._vectors = vectors[np.argsort(order)]

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        text = self._model.card.text if self._model.card else None
        assert text is not None
        rows = [{text.name: each[: text.max_characters]} for each in texts]
        return np.array(self._model.predict(rows)["predictions"], np.float32)

    def scores(self, query: str) -> NDArray[np.float32]:
        """Return float32[number of texts]: a score from 0 to 2 for each text."""
        scores: NDArray[np.float32] = self._vectors @ self._embed([query])[0]
        scores[scores < MIN_SIMILARITY] = 0
        scores += self._by_words.scores(query)
        return scores
