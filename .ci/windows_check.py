"""Check the server on CPython for Windows, under wine: predictions, overload, and the Windows service.

The script runs on Linux. Its argument is the folder that is drive C: under wine.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROW = {"tenure_months": 5, "monthly_charges": 85.5, "total_charges": 430, "contract_month_to_month": 1, "has_fiber": 1}
BODY = json.dumps(ROW).encode()
JSON = {"Content-Type": "application/json"}
# The time limit of each step in seconds. It is long, because the machine may be busy.
LIMIT = 150
COMMAND = ["wine", r"C:\py\Scripts\wsgi-core.exe"]


def say(text: str) -> None:
    print(f"{text} ({time.monotonic() - STARTED:.0f} s)", flush=True)


STARTED = time.monotonic()


def free_port() -> int:
    """Return a port on which no program listens now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, str | None]:
    """Send a request on a new connection. Return the status, the body and the header Retry-After of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request(method, path, body, JSON if body else {})
        response = connection.getresponse()
        return response.status, response.read(), response.headers.get("Retry-After")
    finally:
        connection.close()


@contextmanager
def served(*options: str) -> Iterator[int]:
    """Start ``wsgi-core.exe serve`` under wine, yield its port, and end the server after the block."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    printed = []
    try:
        for line in process.stdout:
            printed.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError("the server did not start:\n" + "".join(printed))
        # Read the rest of the output, because the server would block if the pipe were full.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield int(found[1])
    finally:
        in_wine("wine", "taskkill", "/F", "/IM", "wsgi-core.exe")
        try:
            process.wait(LIMIT)
        finally:
            process.kill()


def in_wine(*command: str) -> tuple[int, str]:
    """Run a program without input. Return its exit code and its output."""
    done = subprocess.run(
        command, input="", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        errors="replace", timeout=LIMIT, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def service(*args: str, says: str, code: int = 0) -> None:
    """Run ``wsgi-core.exe service`` under wine.

    Raises AssertionError unless the exit code is `code` and the output contains `says`.
    """
    found, output = in_wine(*COMMAND, "service", *args)
    assert (found, says in output) == (code, True), f"service {args}: exit code {found}\n{output}"


def check_curl(port: int) -> None:
    """Check that a request with curl gets a prediction."""
    url = f"http://127.0.0.1:{port}/predict"
    command = ["curl", "--silent", "--show-error", "--fail", url, "-H", "Content-Type: application/json", "-d", BODY]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=LIMIT).stdout)
    assert answer["model_version"] == "churn/1", answer
    assert 0 < answer["churn_probability"] < 1, answer
    say(f"curl from Linux: {answer}")


def check_overload(port: int, clients: int = 24, requests: int = 6) -> None:
    """Check that requests beyond the queue get 503 with Retry-After, while health checks get 200.

    The server must run with one thread and a queue for one request.
    """
    rows = json.dumps([ROW] * 2000).encode()
    seen: Counter[object] = Counter()

    def client() -> None:
        for _ in range(requests):
            try:
                status, _, retry_after = ask(port, "POST", "/predict", rows)
                seen[status if status != 503 or retry_after else "503 without Retry-After"] += 1
            except OSError as error:
                seen[repr(error)] += 1

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    health = {ask(port, "GET", "/healthz")[0] for _ in range(10)}
    for thread in threads:
        thread.join()
    assert set(seen) == {200, 503}, seen
    assert sum(seen.values()) == clients * requests
    assert health == {200}, health
    say(f"overload: {dict(seen)}, health {health}")


def half_sent(port: int) -> socket.socket:
    """Return a connection on which the first part of a request has been sent."""
    sock = socket.create_connection(("127.0.0.1", port), LIMIT)
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    sock.sendall(head.encode() + BODY[:10])
    return sock


def finish(sock: socket.socket) -> tuple[int, bool]:
    """Send the rest of the request from `half_sent`.

    Return the status of the response, and whether it has ``Connection: close``.
    """
    with sock:
        sock.sendall(BODY[10:])
        response = http.client.HTTPResponse(sock)
        response.begin()
        response.read()
        return response.status, response.headers.get("Connection") == "close"


def check_service(drive: Path) -> None:
    """Install and start the service, request a prediction, stop the service, and remove it.

    The service is stopped while it has incomplete requests, which must still be answered.
    """
    port, name = free_port(), "wsgi-core-ci"
    named = ("--name", name)
    log = ("--log", r"C:\service.log", "--access-log")
    times = ("--stop-pause", "1", "--body-timeout", "600")
    service("install", *named, "--port", str(port), *log, *times, says=f"Installed {name}.")
    service("status", *named, says=f"{name} is stopped", code=1)
    service("start", *named, says=f"{name} is running.")
    service("status", *named, says=f"{name} is running, process")
    assert ask(port, "POST", "/predict", BODY)[0] == 200
    say("service: installed, started, predicts")

    waiting = [half_sent(port) for _ in range(10)]
    with ThreadPoolExecutor() as pool:
        stop = pool.submit(service, "stop", *named, says=f"{name} has stopped.")
        wait_until_not_ready(port)
        answers = Counter(finish(sock) for sock in waiting)
        stop.result()
    assert answers == {(200, True): 10}, answers
    service("status", *named, says=f"{name} is stopped", code=1)
    say(f"service: stopped with 10 requests in flight, all answered: {dict(answers)}")

    service("start", *named, says=f"{name} is running.")
    service("remove", *named, says=f"Removed {name}.")
    service("remove", *named, says="there is no such service", code=1)
    assert "POST /predict 200" in (drive / "service.log").read_text(encoding="utf-8")
    say("service: started again, removed while it ran")


def wait_until_not_ready(port: int) -> None:
    """Wait until the server has begun to stop. Raises AssertionError after `LIMIT` seconds."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        try:
            if ask(port, "GET", "/readyz")[0] == 503:
                return
        except OSError:
            return
        time.sleep(0.05)
    raise AssertionError("the service was stopped, but /readyz still returns 200")


def check_refused_start() -> None:
    """Check that a service without models does not start, and that the commands print the reason."""
    named = ("--name", "wsgi-core-none")
    service("install", *named, "--models", r"C:\none", "--port", str(free_port()), says="Installed")
    service("start", *named, says="a model or the application cannot be loaded", code=1)
    service("status", *named, says="a model or the application cannot be loaded", code=1)
    service("remove", *named, says="Removed")
    say("service: without models, the commands print why it did not start")


def main(drive: Path) -> None:
    """Run all checks. Raises AssertionError if a check fails."""
    with served("--threads", "1", "--max-waiting", "1") as port:
        check_curl(port)
        check_overload(port)
    check_service(drive)
    check_refused_start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
