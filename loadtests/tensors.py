"""What a tensor costs as bytes, as JSON, and as JSON through the standard library: ``python -m loadtests.tensors``.

A whole inference without HTTP, from the body's bytes to the answer's, on the model `identity`, whose answer is its
input. The standard library's way is what one would write by hand: `json.loads`, the values checked one by one,
`json.dumps`.
All three take turns in random order within each round, so that what disturbs the machine disturbs them alike.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from loadtests.instrument.stats import student_estimate, student_ratio
from wsgi_core.inference import Model, ModelRepository, v2

STANDARD, FAST_JSON, BINARY = "JSON, standard library", "JSON", "binary"
Way = Callable[[], object]


@click.command()
@click.option("--size", default=12_544, show_default=True, help="Numbers in the tensor.")
@click.option("--rounds", default=60, show_default=True, help="How often each takes its turn.")
def main(size: int, rounds: int) -> None:
    """Measure one inference of a 1 x SIZE FP32 tensor in three forms."""
    ways = make_ways(ModelRepository().get("identity"), size)
    times = measure(ways, rounds)
    table = Table(title=f"One inference of FP32 [1, {size}], body to answer", title_justify="left")
    for column in ("Form", "µs", "95 %", "times cheaper", "95 %"):
        table.add_column(column, justify="left" if column == "Form" else "right")
    for name in ways:
        cost, ratio = student_estimate(times[name]), student_ratio(times[STANDARD], times[name])
        table.add_row(
            name, f"{cost.value:.0f}", f"{cost.low:.0f} to {cost.high:.0f}",
            f"{ratio.value:.1f}", f"{ratio.low:.1f} to {ratio.high:.1f}",
        )  # fmt: skip
    Console().print(table)


def make_ways(model: Model, size: int) -> dict[str, Way]:
    """The three forms of the same inference, as functions."""
    values = np.random.default_rng(66).normal(size=(1, size)).astype(np.float32)
    tensor = {"name": model.inputs[0].name, "shape": [1, size], "datatype": "FP32"}
    text = json.dumps({"inputs": [{**tensor, "data": values.ravel().tolist()}]}).encode()
    parameters = {"binary_data_output": True}
    sized = {**tensor, "parameters": {"binary_data_size": values.nbytes}}
    head = json.dumps({"inputs": [sized], "parameters": parameters}).encode()
    packed, length = head + values.astype("<f4").tobytes(), str(len(head))
    statistics = v2.Statistics()
    return {
        STANDARD: lambda: infer_by_hand(model, text),
        FAST_JSON: lambda: v2.infer(model, text, None, statistics),
        BINARY: lambda: v2.infer(model, packed, length, statistics),
    }


def infer_by_hand(model: Model, body: bytes) -> bytes:
    """The same inference with the standard library's JSON. Raises ValueError for what is wrong with the body."""
    (tensor,) = json.loads(body)["inputs"]
    rows, columns = tensor["shape"]
    data = tensor["data"]
    if tensor["datatype"] != "FP32" or len(data) != rows * columns:
        raise ValueError("another type or shape")
    for value in data:
        if type(value) is not float and type(value) is not int:
            raise ValueError("not a number")
    results = model.infer({tensor["name"]: np.array(data, np.float32).reshape(rows, columns)})
    outputs = [
        {"name": name, "shape": array.shape, "datatype": "FP32", "data": array.ravel().tolist()}
        for name, array in results.items()
    ]
    answer = {"model_name": model.name, "model_version": model.version, "outputs": outputs}
    return json.dumps(answer).encode()


def measure(ways: dict[str, Way], rounds: int) -> dict[str, list[float]]:
    """The µs of one call of each way in each round, after a round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-1, rounds):
        order = list(ways)
        random.Random(number).shuffle(order)
        for name in order:
            cost = _time(ways[name])
            if number >= 0:
                times[name].append(cost)
    return times


def _time(way: Way, repeat: int = 20) -> float:
    """The least of some calls in a row, in µs: what was slower was disturbed."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter_ns()
        way()
        best = min(best, time.perf_counter_ns() - start)
    return best / 1000


if __name__ == "__main__":
    main()
