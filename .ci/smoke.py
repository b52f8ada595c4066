"""Start the installed command ``wsgi-core serve``, request a prediction, and stop the server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request

ROW = {"tenure_months": 5, "monthly_charges": 85.5, "total_charges": 430, "contract_month_to_month": 1, "has_fiber": 1}


def main(command: str) -> None:
    """Print the response to the prediction, and the seconds since the start.

    `command` is the path of ``wsgi-core``. Raises an exception if the response is wrong.
    """
    started = time.monotonic()
    server = subprocess.Popen([command, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        assert found, f"no address in {line!r}"
        request = urllib.request.Request(
            found[0] + "/predict", json.dumps(ROW).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = json.load(response)
        print(f"{answer} after {time.monotonic() - started:.2f} s")
        assert answer["model_version"] == "churn/1", answer
        assert 0 < answer["churn_probability"] < 1, answer
    finally:
        server.terminate()
        server.wait(timeout=20)


if __name__ == "__main__":
    main(sys.argv[1])
