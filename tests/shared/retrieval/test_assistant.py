"""Answers quote the documentation with their sources, or say that the documentation has no answer."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from tests.shared.retrieval.test_endpoint import ANSWER, chat_server, says, sends
from wsgi_core.inference import ModelRepository, default_models_dir
from wsgi_core.inference.deadline import run_session
from wsgi_core.shared.retrieval import Assistant, Endpoint, Passage, Question, read_documentation
from wsgi_core.shared.retrieval.assistant import NO_PASSAGE, find_embedder, sentences

PASSAGES = [
    Passage(
        "README.md", "Serve it", "Install it first. It listens on port 8080:\n\n```\npip install .\nserve --port 1\n```"
    ),
    Passage("docs/models.md", "", "| churn | who leaves |\n|---|---|\n| digits | which `digit` it is |"),
    Passage("docs/empty.md", "Marks", "---"),
]


@pytest.fixture(autouse=True)
def _nothing_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSGI_CORE_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def models() -> ModelRepository:
    return ModelRepository()


def assistant(models: ModelRepository, endpoint: Endpoint | None = None) -> Assistant:
    return Assistant(models, endpoint, lambda: PASSAGES)


def test_the_answer_quotes_its_source(models: ModelRepository):
    answer = assistant(models).ask("On which port does it listen?")
    assert answer["query"] == "On which port does it listen?"
    quotes = answer["answer"].splitlines()
    assert quotes[0] == '"It listens on port 8080: pip install .; serve --port 1" (README.md, Serve it)'
    best = answer["context_used"][0]
    assert (best["source"], best["heading"], best["text"]) == ("README.md", "Serve it", PASSAGES[0].text)
    assert 0 < best["score"] <= 1
    usage = answer["usage"]
    assert (usage["retriever"], usage["generator"], usage["fallback"]) == ("tf-idf", "quotes", None)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_a_row_of_a_table_is_quoted_alone(models: ModelRepository):
    answer = assistant(models).ask("which digit?")["answer"]
    assert answer == '"digits which digit it is" (docs/models.md)'


@pytest.mark.parametrize("query", ["bread and yeast", " ", "the", "☕", "\x00"])
def test_what_is_not_there_is_said_to_be_not_there(models: ModelRepository, query: str):
    answer = assistant(models).ask(query)
    assert (answer["answer"], answer["context_used"]) == (NO_PASSAGE, [])


def test_without_any_documentation_there_is_still_an_answer(models: ModelRepository):
    assert Assistant(models, None, list).ask("what?")["answer"] == NO_PASSAGE


def test_every_quote_stands_in_the_documentation(models: ModelRepository):
    plain = {sentence for passage in read_documentation() for sentence in sentences(passage.text)}
    for query in ("How do I serve it on Windows?", "What differs from Flask on purpose?", "licence"):
        for quote in Assistant(models).ask(query)["answer"].splitlines():
            assert quote[1 : quote.rindex('" (')] in plain


def test_the_documentation_says_how_to_serve(models: ModelRepository):
    assert "wsgi-core serve" in Assistant(models).ask("How do I serve it?")["answer"]


def test_an_endpoint_writes_the_answer(models: ModelRepository):
    with chat_server(says(ANSWER)) as (url, got):
        answer = assistant(models, Endpoint(url, "small")).ask("which port?")
        nothing = assistant(models, Endpoint(url, "small")).ask("bread")
    assert answer["answer"] == "Run it [1]."
    assert answer["usage"] == {
        "retriever": "tf-idf", "generator": "small", **ANSWER["usage"], "fallback": None,  # type: ignore[dict-item]
    }  # fmt: skip
    assert nothing["answer"] == NO_PASSAGE
    assert len(got) == 1, "with nothing found there is nothing to write an answer from"


def test_an_endpoint_that_fails_is_replaced_by_quotes_and_that_is_said(
    models: ModelRepository, caplog: pytest.LogCaptureFixture
):
    with chat_server(sends(b"{}", 500)) as (url, _):
        answer = assistant(models, Endpoint(url, "small")).ask("which port?")
    assert answer["answer"] == assistant(models).ask("which port?")["answer"]
    assert answer["usage"]["generator"] == "quotes"
    assert answer["usage"]["fallback"] == "the endpoint responded with 500"
    assert "the endpoint responded with 500" in caplog.text


def test_the_documentation_is_read_once_by_whoever_asks_first(models: ModelRepository):
    reads: list[int] = []
    one = Assistant(models, None, lambda: reads.append(1) or PASSAGES)
    assert reads == []
    threads = [threading.Thread(target=one.ask, args=("port",)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reads == [1]


def test_a_model_that_is_served_is_preferred_to_one_that_was_built(tmp_path: Path, models: ModelRepository):
    assert find_embedder(models) is None
    built = tmp_path / "models"
    for folder in (tmp_path / "served", built):
        shutil.copytree(default_models_dir() / "identity", folder / "minilm")
        card = folder / "minilm" / "card.json"
        card.write_text(card.read_text(encoding="utf-8").replace('"identity"', '"minilm"', 1), encoding="utf-8")
    from_build = find_embedder(models)
    assert from_build is not None
    assert from_build.path.is_relative_to(built)
    served = find_embedder(ModelRepository(tmp_path / "served"))
    assert served is not None
    assert served.path.is_relative_to(tmp_path / "served")


def test_a_broken_build_is_no_reason_to_give_no_answer(
    tmp_path: Path, models: ModelRepository, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "models" / "minilm" / "1").mkdir(parents=True)
    (tmp_path / "models" / "minilm" / "1" / "model.onnx").write_bytes(b"broken")
    one = assistant(models)
    one.ask("port")
    assert one.embedded.wait(30)
    assert one.ask("port")["usage"]["retriever"] == "tf-idf"
    assert "found only by their words" in caplog.text


def test_no_question_waits_for_the_embeddings(models: ModelRepository, monkeypatch: pytest.MonkeyPatch):
    may_go_on = threading.Event()

    def find(models: ModelRepository) -> None:
        may_go_on.wait(30)

    monkeypatch.setattr("wsgi_core.shared.retrieval.assistant.find_embedder", find)
    one = assistant(models)
    assert one.ask("port")["usage"]["retriever"] == "tf-idf"
    assert not one.embedded.is_set()
    may_go_on.set()
    assert one.embedded.wait(30)


def test_the_end_of_the_process_stops_the_embedding(models: ModelRepository, monkeypatch: pytest.MonkeyPatch):
    started = threading.Event()

    def embed(model: Any, texts: Any, by_words: Any) -> None:
        started.set()
        while True:
            run_session(SimpleNamespace(run=lambda *args: time.sleep(0.001)), [], {})

    monkeypatch.setattr("wsgi_core.shared.retrieval.assistant.find_embedder", lambda models: "a model")
    monkeypatch.setattr("wsgi_core.shared.retrieval.assistant.Embeddings", embed)
    one = assistant(models)
    one.ask("port")
    assert started.wait(30)
    assert not one.embedded.is_set()
    one._end()
    assert one.embedded.is_set()
    assert one.ask("port")["usage"]["retriever"] == "tf-idf"


@pytest.mark.parametrize("payload", [{}, {"query": ""}, {"query": 3}, {"query": "x" * 2001}, {"query": None}, []])
def test_a_question_is_a_text_of_some_length(payload: Any):
    assert Question.model_validate({"query": "x" * 2000, "more": 1}).query
    with pytest.raises(ValidationError):
        Question.model_validate(payload)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Let it read:\n\n```\nicacls /grant "*S-1-5-32-544:F"\n```\n', 'Let it read: icacls /grant "*S-1-5-32-544:F"'),
        ("Then type:\n```console\n$ ls *.py | wc -l\n$ a [b](c)\n```\n", "Then type: $ ls *.py | wc -l; $ a [b](c)"),
        ("Use `**kwargs` and *never* `a | b`.", "Use **kwargs and never a | b."),
        ("A ``code with ` in it`` and **bold** text.", "A code with ` in it and bold text."),
        ("Run it. `wsgi-core serve` serves.", "Run it."),
    ],
)  # fmt: skip
def test_code_is_quoted_as_it_stands(text: str, expected: str):
    assert next(iter(sentences(text))) == expected
