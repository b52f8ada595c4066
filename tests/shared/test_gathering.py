"""Sources are requested at the same time, and the failure of one source does not affect the other sources."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from wsgi_core.inference import InvalidInput, ModelNotFound, ModelRepository
from wsgi_core.shared.gathering import example_sources, gather


def test_sources_are_asked_at_once():
    barrier = threading.Barrier(3, timeout=10)
    sources = dict.fromkeys("abc", barrier.wait)
    assert sorted(asyncio.run(gather(sources)).values()) == [0, 1, 2]


def test_answers_come_in_the_order_of_the_sources():
    done = threading.Event()
    sources: dict[str, Any] = {"slow": lambda: done.wait(10), "quick": lambda: done.set()}
    assert list(asyncio.run(gather(sources)).items()) == [("slow", True), ("quick", None)]


@pytest.mark.parametrize("error", [InvalidInput("too many"), ModelNotFound("too many")])
def test_a_source_that_cannot_answer_says_why(error: Exception):
    def fail() -> None:
        raise error

    assert asyncio.run(gather({"bad": fail, "good": lambda: 1})) == {"bad": {"error": "too many"}, "good": 1}


def test_the_service_gathers_the_index_and_an_example_of_each_model():
    models = ModelRepository()
    answers = asyncio.run(gather(example_sources(models)))
    assert list(answers) == ["index", *(model.id for model in models.models)]
    assert [entry["name"] for entry in answers["index"]] == [model.name for model in models.models]
    card = models.get("churn").card
    assert card is not None
    assert answers["churn/1"] == models.get("churn").predict(card.example)
