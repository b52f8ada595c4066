"""Does it pay to gather requests into one run? ``python -m loadtests.batching`` measures, ``--report`` writes it down.

32 clients ask, each again as soon as it has its answer, for one row at a time: of churn, whose run takes microseconds,
and of MiniLM (``wsgi-core models build minilm``), whose run takes milliseconds. The same server answers with and
without gathering, in turn; every pair of neighbours is one comparison.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from loadtests.gathering import Setting, as_argument, pad
from loadtests.instrument import environment
from loadtests.instrument.stats import Estimate, student_ratio
from loadtests.load.lean import Address, drive
from loadtests.load.window import Window
from loadtests.report.tables import number
from loadtests.rows import churn_rows
from wsgi_core.inference import Model, ModelRepository
from wsgi_core.shared.cache import built_models_dir

CLIENTS = 32
SIZES = (1, 2, 4, 8, 16, 32)
RUNS_AT_ONCE = 3
MODELS = ("churn", "minilm", "minilm-int8")
SHORTEST, LONGEST = 8, 40  # word pieces: a short sentence, two long ones
VOCABULARY = 30_000

USUAL = Setting("alone, 4 threads", threads=4)
SETTINGS = (
    USUAL,
    Setting("alone, 32 threads", threads=CLIENTS),
    Setting("gathered, no wait", threads=CLIENTS, gathers=True),
    Setting("gathered, 1 ms", threads=CLIENTS, gathers=True, wait_ms=1),
    Setting("gathered, 4 ms", threads=CLIENTS, gathers=True, wait_ms=4),
)
DOCS = Path(__file__).resolve().parent.parent / "docs" / "measure"


def messages(model: str) -> list[bytes]:
    """The requests for a model, with one row each; for MiniLM as many word pieces as sentences have."""
    if model == "churn":
        return [_message("/predict", row) for row in churn_rows(200).rows]
    return [_message(f"/v2/models/{model}/infer", _tokens(row)) for row in _token_ids()]


def _token_ids() -> list[list[int]]:
    dice = np.random.default_rng(7)
    return [dice.integers(1000, VOCABULARY, dice.integers(SHORTEST, LONGEST + 1)).tolist() for _ in range(200)]


def _tokens(row: Sequence[int]) -> dict[str, Any]:
    tensor = {"name": "tokens", "datatype": "INT64", "shape": [1, len(row)], "data": row}
    return {"inputs": [tensor], "outputs": [{"name": "embedding"}]}


def _message(path: str, payload: Any) -> bytes:
    body = json.dumps(payload).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextlib.contextmanager
def serving(setting: Setting) -> Iterator[tuple[Address, int]]:
    """A server in a process of its own: where it listens, and the number of the process."""
    command = [sys.executable, "-m", "loadtests.gathering", as_argument(setting)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Address("127.0.0.1", int(process.stdout.readline())), process.pid
        finally:
            process.terminate()


def measure(models: Sequence[str], rounds: int, seconds: float) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What each round counted, by model and by the label of the setting."""
    measured: dict[str, dict[str, list[dict[str, Any]]]] = {
        model: {setting.label: [] for setting in SETTINGS} for model in models
    }
    for turn in range(rounds):
        for setting in SETTINGS if turn % 2 == 0 else reversed(SETTINGS):
            with serving(setting) as (address, pid):
                for model in models:
                    window = drive(Window(pid), address, itertools.cycle(messages(model)), CLIENTS, 0.5, seconds)
                    measured[model][setting.label].append(window)
    return measured


def cost_by_size(model: str, repeats: int = 30) -> dict[str, float]:
    """The processor's ms for a row, by the number of rows in a run: the least of `repeats` runs of that size.

    Time of this process on the processor, in which other processes do not count.
    """
    loaded = ModelRepository(also=[built_models_dir()]).get(model)
    return {str(size): min(_run_costs(loaded, _rows(model, size), repeats)) / size * 1000 for size in SIZES}


def _run_costs(model: Model, rows: Any, repeats: int) -> Iterator[float]:
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(RUNS_AT_ONCE):
            model.run(rows)
        yield (time.process_time() - start) / RUNS_AT_ONCE


def _rows(model: str, size: int) -> Any:
    """A tensor of so many rows."""
    if model == "churn":
        return np.array([list(row.values()) for row in churn_rows(200).rows[:size]], np.float32)
    ids = _token_ids()[:size]
    return np.concatenate(pad([np.array([row]) for row in ids]))


def ratios(windows: dict[str, list[dict[str, Any]]], key: str, base: str) -> dict[str, Estimate]:
    """For each setting but `base`, its value over that one's of the same round."""
    bases = [_value(window, key) for window in windows[base]]
    return {
        label: student_ratio([_value(window, key) for window in each], bases)
        for label, each in windows.items()
        if label != base
    }


def _value(window: dict[str, Any], key: str) -> float:
    if key == "rate":
        return float(window["requests"] / window["seconds"])
    if key == "cpu":
        return float(window["server_cpu_seconds"] * 1000 / window["requests"])
    return float(window["latencies_ms"][key])


def _mean(windows: list[dict[str, Any]], key: str) -> float:
    return float(np.mean([_value(window, key) for window in windows]))


def report(results: dict[str, Any]) -> str:
    """The page: a table for each model, and in words what it says about gathering."""
    parts = [_HEAD.format(**results["environment"], seconds=results["seconds"], rounds=results["rounds"])]
    for model, windows in results["models"].items():
        shares = {key: ratios(windows, key, USUAL.label) for key in ("rate", "cpu", "p99")}
        sizes = _sizes(results["ms_a_row"][model])
        parts.append(f"## {model}\n\n{sizes}\n{_table(windows, shares)}\n{_verdict(windows)}")
    return "\n".join(parts)


def _table(windows: dict[str, list[dict[str, Any]]], shares: dict[str, dict[str, Estimate]]) -> str:
    """Means, and behind each in brackets its share of the usual one's."""
    lines = ["| | requests a second | server's CPU, ms a request | p50, ms | p99, ms |", "|---|---|---|---|---|"]
    for label, each in windows.items():
        cells = [
            f"{number(_mean(each, key))}{_share(shares.get(key, {}).get(label))}"
            for key in ("rate", "cpu", "p50", "p99")
        ]
        lines.append(f"| {' | '.join([label, *cells])} |")
    return "\n".join(lines) + "\n"


def _share(ratio: Estimate | None) -> str:
    return f" ({_interval(ratio)})" if ratio else ""


def _interval(ratio: Estimate) -> str:
    return f"x {ratio.value:.2f}, {ratio.low:.2f} to {ratio.high:.2f}"


def _sizes(costs: dict[str, float]) -> str:
    """The processor's time for a row by the size of the run, as a table."""
    heads = f"| rows in a run | {' | '.join(costs)} |\n|{'---|' * (len(costs) + 1)}"
    return f"{heads}\n| processor, ms a row | {' | '.join(map(number, costs.values()))} |\n"


def _verdict(windows: dict[str, list[dict[str, Any]]]) -> str:
    """Gathering pays where it answers more than the better one of those that do not gather, and none much later."""
    alone = max(
        (setting.label for setting in SETTINGS if not setting.gathers), key=lambda label: _mean(windows[label], "rate")
    )
    rates, slowest = ratios(windows, "rate", alone), ratios(windows, "p99", alone)
    gathered = [setting.label for setting in SETTINGS if setting.gathers]
    pays = [label for label in gathered if rates[label].low > 1 and slowest[label].low <= 1]
    best = max(gathered, key=lambda label: rates[label].value)
    found = f'beside "{alone}", the best of it, "{best}", answers as many requests {_interval(rates[best])}.\n'
    return f"**Gathering {'pays' if pays else 'does not pay'} here**: {found}"


_HEAD = """# Gathering requests into one run

Other servers gather single rows into batches ("dynamic batching"). On a graphics card a batch costs hardly more than a
row. Here models run on the processor. Is it worth it? Two measurements: what the processor spends on a row in runs
of several rows, and a server that gathers beside one that does not.

{rounds} rounds of {seconds:g} s for each setting; 32 clients, one row a request, each client asks again when it has its
answer. MiniLM gets sentences of 8 to 40 word pieces; the rows of a run are filled up to its longest. "Alone": a run
for each request. "Gathered": what waits while two runs are under way goes into one, after so many ms of waiting for
others. The first line is the server as it is. In brackets: how many times the first line's value, paired by rounds,
and the 95 % interval of that.

Made by `python -m loadtests.batching --report` from the result file beside this page, measured on {cpu} with
{usable_threads} usable threads, {system}.
"""


@click.command()
@click.option("--rounds", default=6, show_default=True, type=click.IntRange(2, 100))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.2, 600))
@click.option("--model", "models", multiple=True, type=click.Choice(MODELS), help="Only these. [default: all]")
@click.option("--out", default=DOCS / "batching.json", type=click.Path(path_type=Path), help="The result file.")
@click.option("--report", "only_report", is_flag=True, help="Do not measure; write the page from the result file.")
def main(rounds: int, seconds: float, models: tuple[str, ...], out: Path, only_report: bool) -> None:
    """Measure what gathering requests brings and costs, and write the page beside the result file."""
    if not only_report:
        measured = measure(models or MODELS, rounds, seconds)
        results = {
            "rounds": rounds,
            "seconds": seconds,
            "environment": environment.describe(),
            "ms_a_row": {model: cost_by_size(model) for model in measured},
            "models": measured,
        }
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    page = report(json.loads(out.read_text(encoding="utf-8")))
    out.with_suffix(".md").write_text(page, encoding="utf-8")
    Console().print(page, markup=False)


if __name__ == "__main__":
    main()
