"""The assistant, which retrieves passages for a question, and answers the question from the passages."""

from __future__ import annotations

import atexit
import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ...inference import Model, ModelError, ModelRepository
from ...inference.folders import find_models
from ...inference.repository import load_model
from ...inference.work import Cancelled, Work
from ..cache import built_models_dir
from .endpoint import Endpoint, UpstreamError
from .passages import Passage, read_documentation
from .search import Embeddings, Index, TfIdf

log = logging.getLogger(__name__)

EMBEDDERS = ("minilm-int8", "minilm")
"""The names of models that can embed the passages, the preferred name first."""

PASSAGES = 3
"""The maximum number of passages for a question."""

SENTENCES = 3
"""The maximum number of sentences that an answer quotes."""

NO_PASSAGE = "The documentation says nothing about this."

MIN_WORDS = 2
"""The minimum number of words in a quoted sentence."""

_CODE = re.compile(r"(?:(?<=\S)(:)\s*\n)?^(?:```|~~~)[^\n]*\n(.*?)^(?:```|~~~)[^\n]*$", re.DOTALL | re.MULTILINE)
_INLINE_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_PLACEHOLDER = re.compile("\ue000([0-9]+)\ue001")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*\"(\ue000])|\n\s*(?:[-*]|\d+\.)\s+|\n\n+")
_MARKER = re.compile(r"^\s*(?:(?:[-*>]|\d+\.)\s+)+")
_MARKUP = re.compile(r"[`*]{1,2}|\[([^\]]*)\]\([^)]*\)")


Found = tuple[Passage, float]
"""A passage and its score."""


class Question(BaseModel):
    """A question about this project."""

    model_config = ConfigDict(strict=True, frozen=True)

    query: Annotated[str, Field(min_length=1, max_length=2000, examples=["How do I serve it on Windows?"])]


@dataclass(frozen=True, slots=True)
class _Corpus:
    passages: list[Passage]
    index: Index
    by_words: TfIdf


class Assistant:
    """Answers questions from the documentation. Thread-safe.

    The first question calls `read`, which returns the passages. If an embedding model is available, a background thread
    then embeds the passages. Until they are embedded, passages are found only by their words. `embedded` is set when
    the thread has finished, even if the thread has failed. If `endpoint` is None, all answers consist of quotes.
    """

    def __init__(
        self,
        models: ModelRepository,
        endpoint: Endpoint | None = None,
        read: Callable[[], list[Passage]] = read_documentation,
    ) -> None:
        self._models = models
        self._endpoint = endpoint
        self._read = read
        self._lock = threading.Lock()
        self._corpus: _Corpus | None = None
        self.embedded = threading.Event()
        self._cancelled = threading.Event()

    def ask(self, query: str) -> dict[str, Any]:
        """Answer a question. Return a dict with the keys `query`, `context_used`, `answer` and `usage`.

        `context_used` is a list of the passages, best first, each with `source`, `heading`, `text` and `score`. `usage`
        has the names of the `retriever` and the `generator`, and the token counts. If the answer consists of quotes,
        words are counted as tokens. If the endpoint has failed, `fallback` in `usage` says why. Otherwise `fallback` is
        None.
        """
        corpus = self._open()
        found = _best(corpus, query)
        answer, usage = self._answer(corpus, query, found)
        context = [
            {"source": passage.source, "heading": passage.heading, "text": passage.text, "score": score}
            for passage, score in found
        ]
        return {
            "query": query,
            "context_used": context,
            "answer": answer,
            "usage": {"retriever": corpus.index.name, **usage},
        }

    def _answer(self, corpus: _Corpus, query: str, found: list[Found]) -> tuple[str, dict[str, Any]]:
        """Return the answer, and the entries of `usage` except `retriever` (see `ask`).

        If there is no passage, the endpoint is not called, and the answer is `NO_PASSAGE`.
        """
        passages = [passage for passage, _ in found]
        fallback = None
        if self._endpoint is not None and passages:
            try:
                answer, tokens = self._endpoint.generate(query, passages)
                return answer, {"generator": self._endpoint.model, **tokens, "fallback": None}
            except UpstreamError as error:
                fallback = str(error)
                log.warning("the answer consists of quotes, because the endpoint failed: %s", error)
        answer = quote(corpus.by_words, query, found)
        read, written = sum(len(p.text.split()) for p in passages) + len(query.split()), len(answer.split())
        tokens = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        return answer, {"generator": "quotes", **tokens, "fallback": fallback}

    def _open(self) -> _Corpus:
        """Return the corpus. The first call builds the corpus, and other threads wait until the corpus is built."""
        with self._lock:
            if self._corpus is None:
                passages = self._read()
                by_words = TfIdf([_text(passage) for passage in passages])
                self._corpus = _Corpus(passages, by_words, by_words)
                # Embedding takes seconds. On this thread, it would delay the first request, and the deadline of the
                # request would stop it.
                atexit.register(self._end)
                threading.Thread(target=self._embed, args=(self._corpus,), name="embed", daemon=True).start()
            return self._corpus

    def _embed(self, corpus: _Corpus) -> None:
        try:
            model = find_embedder(self._models) if corpus.passages else None
            if model is not None:
                texts = [_text(passage) for passage in corpus.passages]
                with Work(is_cancelled=self._cancelled.is_set):
                    self._corpus = replace(corpus, index=Embeddings(model, texts, corpus.by_words))
        except Cancelled:
            log.info("the passages are not embedded, because the process ends")
        except Exception:
            log.exception("the passages cannot be embedded, and are found only by their words")
        finally:
            self.embedded.set()
            atexit.unregister(self._end)

    def _end(self) -> None:
        """Stop embedding, and wait until the background thread has finished.

        If the thread ran a model while Python exits, the process would abort.
        """
        self._cancelled.set()
        self.embedded.wait()


def _text(passage: Passage) -> str:
    return f"{passage.heading}\n{passage.text}"


def find_embedder(models: ModelRepository) -> Model | None:
    """Return a model of `EMBEDDERS`, or None if no such model is available.

    Served models are preferred to models that `wsgi-core models build` has built. If a built model cannot be loaded,
    log a warning and return None.
    """
    for name in EMBEDDERS:
        if model := models.find(name):
            return model
    folder = built_models_dir()
    try:
        built = {found.name: found for found in find_models(folder)} if folder.is_dir() else {}
        return next((load_model(built[name]) for name in EMBEDDERS if name in built), None)
    except ModelError as error:
        log.warning(
            "the passages are found only by their words, because the embedding model cannot be loaded: %s", error
        )
        return None


def _best(corpus: _Corpus, query: str) -> list[Found]:
    """Return the best passages with their scores, at most `PASSAGES`. Passages with a score of 0 are omitted."""
    scores = corpus.index.scores(query)
    order = np.argsort(-scores, kind="stable")[:PASSAGES]
    return [(corpus.passages[index], round(float(scores[index]), 4)) for index in order if scores[index] > 0]


def quote(by_words: TfIdf, query: str, found: Sequence[Found]) -> str:
    """Return the sentences that match the question best, at most `SENTENCES`, as quotes with their sources.

    A sentence scores by the words that it shares with the question, and by the score of its passage. Sentences with
    less than half of the best score are omitted. If all scores are 0, only the first sentence is quoted. If there is no
    sentence, return `NO_PASSAGE`.
    """
    candidates = [(passage, sentence, score) for passage, score in found for sentence in sentences(passage.text)]
    if not candidates:
        return NO_PASSAGE
    scores = np.array([by_words.shared(query, sentence) * (1 + score) for _, sentence, score in candidates])
    best = np.argsort(-scores, kind="stable")[: SENTENCES if scores.any() else 1]
    kept = [candidates[index] for index in best if scores[index] >= scores.max() / 2]
    return "\n".join(f'"{sentence}" ({_citation(passage)})' for passage, sentence, _ in kept)


def _citation(passage: Passage) -> str:
    return f"{passage.source}, {passage.heading}" if passage.heading else passage.source


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a passage, each on one line, without Markdown syntax.

    A table row is one sentence. If a colon comes before a code block, the code is part of the sentence with the colon.
    Sentences with fewer than `MIN_WORDS` words are omitted.
    """
    code: list[str] = []

    def keep(text: str) -> str:
        """Store `text`, which is a piece of code, and return a placeholder for it.

        Markdown syntax such as `*` is removed from the sentences, but a `*` in code must stay. So the placeholder is
        replaced by the code after that.
        """
        code.append(text)
        return f"\ue000{len(code) - 1}\ue001"

    text = _CODE.sub(
        lambda block: ("\n\n" if block[1] is None else f"{block[1]} ") + keep(_one_line(block[2])) + "\n\n", text
    )
    text = _INLINE_CODE.sub(lambda found: keep(" ".join(found[2].split())), text)
    for sentence in _SENTENCE_END.split(re.sub(r"\n(?=\|)", "\n\n", text)):
        plain = " ".join(_MARKUP.sub(r"\1", _MARKER.sub("", sentence)).replace("|", " ").split())
        plain = _PLACEHOLDER.sub(lambda found: code[int(found[1])], plain)
        if len(plain.split()) >= MIN_WORDS:
            yield plain


def _one_line(code: str) -> str:
    return "; ".join(line.strip() for line in code.splitlines() if line.strip())
