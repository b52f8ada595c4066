"""Make every model, serve all models, request predictions with tritonclient, and write the results.

    python -m tests.conformance.exporters [--python PATH ...] [NAME ...]

Each exporter runs in the first Python that has its packages: this one, or one given by --python. Without NAME, the
results are written to docs/exporters.json and to the table of docs/models.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as triton

from tests.conformance.exporters.make import EXPORTERS
from tests.conformance.exporters.table import RESULTS, write_tables
from tests.processes import ROOT, Server

TOLERANCE = 1e-5


def main() -> None:
    """Run the named exporters, by default all. The exit code is 1 if an exporter fails or a prediction differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.exporters")
    parser.add_argument("--python", action="append", default=[], metavar="PATH", help="another interpreter to try")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EXPORTERS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = run(options.names or list(EXPORTERS), [sys.executable, *options.python], Path(folder))
    for result in results:
        print(f"{result['name']:20} {result['error'] or format(result['off'], '.1e')}")
    if not options.names:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8", newline="\n")
        write_tables()
    sys.exit(any(result["error"] for result in results))


def run(names: Sequence[str], interpreters: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """Make the models in `folder`, serve them, and compare them. Return a result for each name."""
    (folder / "models").mkdir()
    errors = {name: make(name, interpreters, folder) for name in names}
    made = [name for name in names if not errors[name]]
    results = {name: {"off": None, "error": errors[name], "packages": {}} for name in names}
    if made:
        serve = ("-m", "wsgi_core", "serve", "--port", "0", "--models", str(folder / "models"))
        with Server(*serve) as server:
            server.ready()
            client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
            for name in made:
                results[name] = compare(client, name, folder)
    return [{"name": name, "model": EXPORTERS[name].model, **results[name]} for name in names]


def make(name: str, interpreters: Sequence[str], folder: Path) -> str:
    """Make a model with the first interpreter that has the packages. Return why this failed, or ""."""
    find = "import sys; from importlib.metadata import version; [version(name) for name in sys.argv[1:]]"
    for python in interpreters:
        if subprocess.run([python, "-c", find, *EXPORTERS[name].packages], capture_output=True, check=False).returncode:
            continue
        command = [python, "-m", "tests.conformance.exporters.make", name, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""
    return f"no interpreter has {', '.join(EXPORTERS[name].packages)}"


def compare(client: triton.InferenceServerClient, name: str, folder: Path) -> dict[str, Any]:
    """Request predictions for the stored inputs. Return the largest difference from the library's own predictions."""
    arrays = np.load(folder / f"{name}.npz", allow_pickle=True)
    metadata = client.get_model_metadata(name)
    asked = [_input(tensor, arrays[f"in {tensor['name']}"]) for tensor in metadata["inputs"]]
    answers = client.infer(name, asked)
    expected = {key.removeprefix("out "): arrays[key] for key in arrays if key.startswith("out ")}
    off, error = 0.0, ""
    for output, wanted in expected.items():
        answer = answers.as_numpy(output)
        if answer is None or answer.shape != wanted.shape:
            error = f"{output} has the shape {None if answer is None else answer.shape}, not {wanted.shape}"
        elif wanted.dtype.kind in "OUS":
            same = [item.decode() for item in answer.flat] == [str(item) for item in wanted.flat]
            error = error if same else f"{output} has other labels"
        else:
            off = max(off, float(np.abs(answer.astype(np.float64) - wanted).max()))
    if off > TOLERANCE:
        error = error or f"off by {off:.1e}"
    packages = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return {"off": off, "error": error, "packages": packages}


def _input(tensor: dict[str, Any], array: Any) -> triton.InferInput:
    sent = triton.InferInput(tensor["name"], list(array.shape), tensor["datatype"])
    sent.set_data_from_numpy(array)
    return sent


if __name__ == "__main__":
    main()
