"""A server in processes of its own: started, waited for, asked, ended with all its children."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from loadtests.instrument.exchanges import Row
from loadtests.load.lean import Address
from loadtests.load.window import process_cpu
from loadtests.servers.contenders import PATHS, Server, Unavailable, payload, probability
from loadtests.servers.environments import last_line
from wsgi_core.inference import default_models_dir

START_SECONDS = 90.0
STOP_SECONDS = 10.0
# Its children have this long to follow.
FOLLOW_SECONDS = 0.5


class Running:
    """A server that has been started: `server`, `address`, `process`."""

    def __init__(self, server: Server, python: Path, ports: Sequence[int], folder: Path) -> None:
        self.server = server
        self.address = Address("127.0.0.1", ports[0])
        self._log = folder / "log.txt"
        # A folder of its own: some of them write files to where they stand.
        places = {"port": ports[0], "second_port": ports[1], "third_port": ports[2], "folder": folder}
        arguments = [part.format(**places) for part in server.arguments]
        environ = {name: value.format(**places) for name, value in server.environ.items()}
        with self._log.open("wb") as log:
            popen = subprocess.Popen(
                [str(python), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **common_environ(), **environ},
            )
        self.popen = popen
        self.process = psutil.Process(popen.pid)

    def wait(self) -> None:
        """Until it answers that it is ready. Raises `Unavailable` with what it wrote."""
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            if self.popen.poll() is not None:
                break
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._get(self.server.ready) == 200:
                    return
            time.sleep(0.05)
        written = last_line(self._log.read_text(encoding="utf-8", errors="replace"))
        raise Unavailable(f"it did not start: {written or 'it wrote nothing'}")

    def _get(self, path: str) -> int:
        with contextlib.closing(http.client.HTTPConnection(*self.address, timeout=5)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status

    def ask(self, form: str, rows: Sequence[Row]) -> list[float]:
        """The probabilities for the rows. Raises `Unavailable` for an answer that is none."""
        try:
            with contextlib.closing(http.client.HTTPConnection(*self.address, timeout=10)) as connection:
                return [self._probability(connection, form, row) for row in rows]
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"it did not answer: {error!r}") from error

    def _probability(self, connection: http.client.HTTPConnection, form: str, row: Row) -> float:
        connection.request("POST", PATHS[form], payload(form, row), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise Unavailable(f"it answered {response.status}: {answer[:200]!r}")
        return probability(form, answer)

    def cpu_seconds(self) -> float:
        """The CPU time that it and its children have used so far."""
        return process_cpu(self.process)

    def end(self) -> None:
        """Tell it to stop, then end by force what is left of it and its children."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = self.process.children(recursive=True)
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(STOP_SECONDS)
            _, left = psutil.wait_procs(children, FOLLOW_SECONDS)
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self.popen.kill()
        self.popen.wait()


def common_environ() -> dict[str, str]:
    """What all get: the model, and that nothing is to be sent to anybody."""
    model = default_models_dir() / "churn" / "1" / "model.onnx"
    quiet = {"DO_NOT_TRACK": "1", "ORT_DISABLE_TELEMETRY": "1"}
    return {"CHURN_MODEL": str(model.resolve()), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", **quiet}


@contextlib.contextmanager
def started(servers: Sequence[tuple[Server, Path]], folder: Path) -> Iterator[list[Running]]:
    """All of the servers, each with its interpreter, started at once; at the end all are ended."""
    running: list[Running] = []
    ports = free_ports(3 * len(servers))
    try:
        for number, (server, python) in enumerate(servers):
            own = folder / server.key
            own.mkdir()
            running.append(Running(server, python, ports[3 * number : 3 * number + 3], own))
        yield running
    finally:
        for one in running:
            one.end()


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listens on at this moment, no two the same."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
