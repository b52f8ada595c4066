"""The programs that read the files accept them. Without such a program, a schema checks the file."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.conformance.cases import GOOD
from tests.processes import ROOT, Server, free_ports
from tests.runner import CliRunner
from wsgi_core.__main__ import cli
from wsgi_core.commands.deploy.targets import TARGETS

# A valid name of a folder, of which no part may have a special meaning for a program that reads the file.
ODD = """/srv/my $HOME models/50% "quoted" 'it's' & <b> \\ $(x) {{ y }} #é"""


def files(tmp_path: Path, *args: str) -> dict[str, str]:
    """Return what `wsgi-core deploy` writes, by the names of the files."""
    result = CliRunner().invoke(cli, ["deploy", *args, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    return {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}


def needs(program: str) -> str:
    """Return the path of a program. If it is not installed, skip the test."""
    folders = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(program, path=folders)
    if not found:
        pytest.skip(f"{program} is not installed here")
    return found


# systemd


@pytest.mark.parametrize(
    "args", [(), ("--models", ODD, "--port", "80", "--webhook-results", "/var/lib/wsgi-core/results.jsonl")]
)
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path, args: tuple[str, ...]):
    analyze = needs("systemd-analyze")
    written = files(tmp_path, "systemd", "--python", sys.executable, *args)
    assert set(written) == {"wsgi-core.service", "wsgi-core@.service"}
    for name in ("wsgi-core.service", "wsgi-core@8081.service"):
        if name not in written:
            (tmp_path / name).write_text(written["wsgi-core@.service"], encoding="utf-8")
        done = subprocess.run(
            [analyze, "verify", "--man=no", "--recursive-errors=no", str(tmp_path / name)],
            capture_output=True, text=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_is_locked_up_well(tmp_path: Path):
    analyze = needs("systemd-analyze")
    files(tmp_path, "systemd", "--python", sys.executable)
    # An exposure of 2.0 of 10 is lower than that of almost all units of a distribution.
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=20", str(tmp_path / "wsgi-core.service")],
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stop_by_systemd_has_the_time_that_the_server_takes(tmp_path: Path):
    unit = files(tmp_path, "systemd", "--stop-pause", "7.5", "--stop-timeout", "20")["wsgi-core.service"]
    assert "TimeoutStopSec=33\n" in unit
    assert "Environment=WSGI_CORE_STOP_PAUSE=7.5\n" in unit


def test_the_users_folders_are_hidden_unless_something_lies_there(tmp_path: Path):
    assert "ProtectHome=yes" in files(tmp_path / "a", "systemd", "--python", "/opt/bin/python")["wsgi-core.service"]
    home = files(tmp_path / "b", "systemd", "--python", "/home/me/venv/bin/python")["wsgi-core.service"]
    assert "ProtectHome=read-only" in home


# nginx


@contextmanager
def nginx(tmp_path: Path, text: str) -> Iterator[None]:
    """Run nginx with a generated configuration in a temporary folder."""
    program = needs("nginx")
    folders = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    (tmp_path / "all.conf").write_text(
        f"{user}pid {tmp_path}/pid;\nerror_log {tmp_path}/error.log;\ndaemon off;\nworker_processes 1;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{folders}{text}}}\n",
        encoding="utf-8",
    )
    command = [program, "-e", str(tmp_path / "error.log"), "-c", str(tmp_path / "all.conf")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, encoding="utf-8", check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            threading.Event().wait(0.05)
    raise AssertionError(f"nobody listens on {port}")


class Load:
    """Clients that request predictions over persistent connections. `statuses` has the status of every response.

    `hints` has the values of Retry-After in the 503 responses.
    """

    def __init__(self, port: int, clients: int, requests: int, rows: int = 1) -> None:
        self.port = port
        self.requests = requests
        self.body = json.dumps(GOOD if rows == 1 else [GOOD] * rows)
        self.statuses: list[object] = []
        self.hints: set[str | None] = set()
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        for _ in range(self.requests):
            try:
                connection.request("POST", "/predict", self.body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
                self.statuses.append(response.status)
                if response.status == 503:
                    self.hints.add(response.headers["Retry-After"])
            except (OSError, http.client.HTTPException) as error:
                self.statuses.append(repr(error))
        connection.close()


def wait_until_sent(load: Load, count: int) -> None:
    for _ in range(2000):
        if len(load.statuses) >= count:
            return
        threading.Event().wait(0.005)
    raise AssertionError("too slow")


@pytest.mark.skipif(sys.platform == "win32", reason="nginx is for Linux here")
def test_no_request_is_lost_when_a_process_behind_nginx_is_killed_under_load(tmp_path: Path):
    needs("nginx")
    first = free_ports(3)
    front = first + 2
    conf = files(tmp_path / "conf", "nginx", "--port", str(first), "--servers", "2", "--listen", str(front))
    with ExitStack() as stack:
        serve = ("-m", "wsgi_core", "serve", "--port")
        backends = [stack.enter_context(Server(*serve, str(first + number))) for number in range(2)]
        for backend in backends:
            backend.ready()
        stack.enter_context(nginx(tmp_path, conf["wsgi-core.conf"]))
        wait_for(front)
        load = Load(front, clients=6, requests=60)
        for thread in load.threads:
            thread.start()
        wait_until_sent(load, 60)
        os.kill(backends[0].process.pid, signal.SIGKILL)
        for thread in load.threads:
            thread.join(60)
    assert load.statuses == [200] * 360


def status(port: int, path: str) -> int:
    """Return the status of a response to a request on a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


@pytest.mark.skipif(sys.platform == "win32", reason="nginx is for Linux here")
def test_nginx_passes_on_that_all_processes_are_busy(tmp_path: Path):
    needs("nginx")
    first = free_ports(3)
    front = first + 2
    conf = files(tmp_path / "conf", "nginx", "--port", str(first), "--servers", "2", "--listen", str(front))
    with ExitStack() as stack:
        serve = ("-m", "wsgi_core", "serve", "--threads", "1", "--max-waiting", "0", "--port")
        for number in range(2):
            stack.enter_context(Server(*serve, str(first + number))).ready()
        stack.enter_context(nginx(tmp_path, conf["wsgi-core.conf"]))
        wait_for(front)
        load = Load(front, clients=8, requests=20, rows=1000)
        for thread in load.threads:
            thread.start()
        health = {status(front, "/healthz") for _ in range(10)}
        for thread in load.threads:
            thread.join(60)
        metrics = status(front, "/metrics"), status(first, "/metrics")
    assert set(load.statuses) == {200, 503}
    assert load.hints == {"1"}
    assert health == {200}
    assert metrics == (404, 200), "each process has its own"


def test_nginx_stays_below_the_servers_own_times(tmp_path: Path):
    text = files(tmp_path, "nginx", "--idle-timeout", "20", "--request-timeout", "9.5")["wsgi-core.conf"]
    assert "keepalive_timeout 16s;" in text
    assert "proxy_read_timeout 15s;" in text


# gunicorn


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")
@pytest.mark.parametrize("framework", ["wsgi_core", pytest.param("flask", marks=pytest.mark.long)])
def test_gunicorn_serves_with_its_configuration(tmp_path: Path, framework: str):
    args = ("--port", "0", "--processes", "1", "--framework", framework, "--max-content-length", "100")
    files(tmp_path, "gunicorn", *args)
    command = ("-m", "gunicorn", "--config", str(tmp_path / "gunicorn.conf.py"))
    with Server(*command, HOME=str(tmp_path)) as server:
        connection = http.client.HTTPConnection(*server.ready().address, timeout=20)
        connection.request("POST", "/predict", "[" + " " * 100 + "]", {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        assert response.status == 413, "the settings are passed on"
        connection.close()


@pytest.mark.parametrize("processes", ["1", "auto"])
def test_gunicorn_serves_an_application_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: str):
    text = files(tmp_path, "gunicorn", "--app", "mine:create_app()", "--processes", processes)["gunicorn.conf.py"]
    values: dict[str, object] = {}
    exec(text, values)
    assert values["wsgi_app"] == "mine:create_app()"
    assert values["workers"] == (1 if processes == "1" else os.cpu_count())


# granian


def status_of(port: int, method: str, path: str, body: str | None = None) -> int:
    """Return the status of a request to a server that may still be starting."""
    until = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            return connection.getresponse().status
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.1)
        finally:
            connection.close()


@pytest.mark.parametrize("framework", ["wsgi_core", pytest.param("flask", marks=pytest.mark.long)])
def test_granian_serves_with_its_program(tmp_path: Path, framework: str):
    pytest.importorskip("granian")
    port = free_ports()
    args = ("--port", str(port), "--processes", "1", "--framework", framework, "--max-content-length", "100")
    files(tmp_path, "granian", *args)
    with Server(str(tmp_path / "granian_serve.py")) as server:
        status = status_of(port, "POST", "/predict", "[" + " " * 100 + "]")
        assert status == 413, "".join(server.lines)
        assert status_of(port, "GET", "/healthz") == 200


@pytest.mark.parametrize("app", ["mine", "mine:create_app('x')"])
def test_an_application_that_granian_has_no_name_for_is_refused(tmp_path: Path, app: str):
    done = CliRunner().invoke(cli, ["deploy", "granian", "--app", app, "--out", str(tmp_path / "g")])
    assert done.exit_code == 2
    assert "granian needs module:name" in done.output


# Containers


def test_hadolint_finds_nothing_wrong_with_the_dockerfile(tmp_path: Path):
    program = needs("hadolint")
    for number, args in enumerate([(), ("--models", "my models/50%", "--trusted-hosts", "a.example.org")]):
        files(tmp_path / str(number), "docker", *args)
        done = subprocess.run(
            [program, str(tmp_path / str(number) / "Dockerfile")], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "")


def test_the_dockerfiles_health_check_does_what_it_says(tmp_path: Path):
    with Server("-m", "wsgi_core", "serve", "--port", "0", "--trusted-hosts", "a.example.org") as server:
        args = ("--port", server.ready().port, "--trusted-hosts", "a.example.org")
        text = files(tmp_path, "docker", *args)["Dockerfile"]
        line = next(line for line in text.splitlines() if line.startswith("HEALTHCHECK"))
        _, _, code = json.loads(line.partition(" CMD ")[2])
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    failed = subprocess.run([sys.executable, "-c", code], check=False, stderr=subprocess.DEVNULL)
    assert failed.returncode != 0, "and without a server it fails"


def manifests(text: str) -> list[dict[str, Any]]:
    return list(pytest.importorskip("yaml").safe_load_all(text))


def validate(manifest: dict[str, Any]) -> None:
    """Raise an exception if Kubernetes with strict validation of field names would reject the manifest."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    kubernetes_validate.validate(manifest, "1.30", strict=True)


ODD_ARGS = ("--models", ODD, "--trusted-hosts", "a.example.org,.b.example.org", "--stop-pause", "3")


@pytest.mark.parametrize("args", [(), ODD_ARGS])
def test_the_manifests_fit_the_schemas_of_kubernetes(tmp_path: Path, args: tuple[str, ...]):
    found = manifests(files(tmp_path, "kubernetes", *args)["wsgi-core.yaml"])
    assert [one["kind"] for one in found] == [
        "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget",
    ]  # fmt: skip
    for manifest in found:
        validate(manifest)


def test_the_schemas_would_find_a_mistake(tmp_path: Path):
    manifest = manifests(files(tmp_path, "kubernetes")["wsgi-core.yaml"])[0]
    manifest["spec"]["template"]["spec"]["terminationGracePeriod"] = 3
    with pytest.raises(Exception, match="terminationGracePeriod"):
        validate(manifest)


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the pod of a Deployment or an InferenceService."""
    if manifest["kind"] == "Deployment":
        spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
        return spec
    own = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "timeout"}
    return {key: value for key, value in manifest["spec"]["predictor"].items() if key not in own}


@pytest.mark.parametrize("args", [(), ODD_ARGS])
def test_the_pod_of_the_inference_service_fits_the_schema(tmp_path: Path, args: tuple[str, ...]):
    (manifest,) = manifests(files(tmp_path, "kserve", *args)["wsgi-core.yaml"])
    assert manifest["apiVersion"] == "serving.kserve.io/v1beta1"
    validate({"apiVersion": "v1", "kind": "Pod", "metadata": manifest["metadata"], "spec": pod_of(manifest)})
    assert pod_of(manifest)["containers"][0]["name"] == "kserve-container", "KServe looks for this name"


@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
def test_a_pod_gets_the_time_to_drain_and_its_settings(tmp_path: Path, target: str):
    text = files(tmp_path, target, *ODD_ARGS)["wsgi-core.yaml"]
    pod = pod_of(manifests(text)[0])
    (container,) = pod["containers"]
    assert pod["terminationGracePeriodSeconds"] > 3 + 30
    variables = {one["name"]: one["value"] for one in container["env"]}
    assert variables == {
        "WSGI_CORE_HOST": "0.0.0.0",
        "WSGI_CORE_MODELS": Path(ODD).as_posix().replace("$(", "$$("),
        "WSGI_CORE_STOP_PAUSE": "3.0",
        "WSGI_CORE_TRUSTED_HOSTS": "a.example.org,.b.example.org",
    }
    assert container["readinessProbe"]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "a.example.org"}]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


# Windows


def test_the_web_config_hands_over_what_it_was_given(tmp_path: Path):
    models = r"C:\Users\me & co\it's <models>"
    python = r"C:\Program Files\Python312\python.exe"
    args = ("--python", python, "--models", models, "--processes", "3", "--request-timeout", "70", "--port", "81")
    root = ElementTree.fromstring(files(tmp_path, "iis", *args)["web.config"].encode("utf-8"))
    (platform,) = root.iter("httpPlatform")
    assert platform.get("processPath") == python
    assert platform.get("requestTimeout") == "00:02:00"
    assert str(platform.get("arguments")).endswith("--host 127.0.0.1 --port %HTTP_PLATFORM_PORT%")
    variables = {one.get("name"): one.get("value") for one in platform.iter("environmentVariable")}
    assert variables == {
        "PYTHONUTF8": "1", "WSGI_CORE_MODELS": models, "WSGI_CORE_PROCESSES": "3", "WSGI_CORE_REQUEST_TIMEOUT": "70.0",
    }  # fmt: skip


def test_winsw_starts_what_it_was_given(tmp_path: Path):
    python = r"C:\a & b\python.exe"
    args = ("--name", "churn", "--python", python, "--port", "81", "--stop-timeout", "10")
    root = ElementTree.fromstring(files(tmp_path, "winsw", *args)["churn.xml"])
    assert root.findtext("id") == "churn"
    assert root.findtext("executable") == python
    assert root.findtext("stoptimeout") == "15 sec"
    assert {one.get("name"): one.get("value") for one in root.iter("env")} == {
        "PYTHONUTF8": "1", "WSGI_CORE_PORT": "81", "WSGI_CORE_STOP_TIMEOUT": "10.0",
    }  # fmt: skip
    assert [one.get("action") for one in root.iter("onfailure")] == ["restart", "restart"]


def test_every_template_is_used():
    templates = ROOT / "wsgi_core" / "commands" / "deploy" / "templates"
    used = itertools.chain.from_iterable(
        [f"{target.name}/{name}" for name in (*target.files, "next.txt")] for target in TARGETS
    )
    shared = {"container.yaml", "systemd/_unit"}
    found = {path.relative_to(templates).as_posix() for path in templates.rglob("*") if path.is_file()}
    assert found == {*used, *shared}
