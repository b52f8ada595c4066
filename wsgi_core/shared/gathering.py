"""Call several blocking functions concurrently on threads, and collect their results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..inference import InputError, ModelNotFound, ModelRepository

Source = Callable[[], Any]


async def gather(sources: Mapping[str, Source]) -> dict[str, Any]:
    """Call all functions in `sources` concurrently on asyncio's default thread pool. Return their results by name.

    If a function raises InputError or ModelNotFound, its result is `{"error": ...}`. Other exceptions are raised.
    """
    results = await asyncio.gather(*(asyncio.to_thread(_ask, source) for source in sources.values()))
    return dict(zip(sources, results, strict=True))


def _ask(source: Source) -> Any:
    try:
        return source()
    except (InputError, ModelNotFound) as error:
        return {"error": str(error)}


def example_sources(models: ModelRepository) -> dict[str, Source]:
    """Return functions for `gather`: one for the repository index, and one for each model that has a card.

    The function of a model returns the prediction for the example in the card.
    """
    sources: dict[str, Source] = {"index": partial(_index, models)}
    for model in models.models:
        if model.card is not None:
            sources[model.id] = partial(model.predict, model.card.example)
    return sources


def _index(models: ModelRepository) -> list[dict[str, str]]:
    return [
        {"name": entry.name, "version": entry.version, "state": entry.state, "reason": entry.reason}
        for entry in models.index()
    ]
