"""The study beside other servers: what it says of a result, and a short run with the project's own two servers."""

from __future__ import annotations

import ast
import json
import random
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from loadtests.servers import __main__ as command
from loadtests.servers import environments, page, study
from loadtests.servers.contenders import (
    HERE,
    OURS,
    PACKAGES,
    ROW,
    SERVERS,
    TENSOR,
    Server,
    Unavailable,
    by_key,
    message,
    probability,
)
from loadtests.servers.running import started
from loadtests.servers.study import Size, Study, name_of
from tests.processes import ROOT
from tests.runner import CliRunner
from wsgi_core.inference import ModelRepository

NOBODY = Server("nobody", "Nobody", ("-c", "raise SystemExit('nobody is here')"), (ROW,), "/", ("nobody>=1,<2",))


def results(times: float, spread: float = 0.01) -> dict[str, Any]:
    """A result file in which the others take so many times as long, give or take a share of it."""
    dice = random.Random(1)

    def windows(server: Server) -> dict[str, Any]:
        p50 = (times if server.requires else 1.0) * dice.uniform(1 - spread, 1 + spread)
        latencies = {"p50": p50, "p95": 2 * p50, "p99": 3 * p50}
        closed = {"requests": 100, "seconds": 1.0, "server_cpu_seconds": 0.05, "latencies_ms": latencies}
        return {"closed": closed, "open": {"requests": 50, "latencies_ms": latencies, "lag_ms": {}}}

    def one_round() -> dict[str, Any]:
        return {name_of(server, form): windows(server) for server in SERVERS for form in server.forms}

    return {
        "starts": 3,
        "rounds": 2,
        "seconds": 1.0,
        "rate": 50.0,
        "rows": "made up",
        "environment": {"cpu": "a processor", "usable_threads": 2, "system": "a system", "cpu_percent": 3.0},
        "servers": {server.key: {"a package": "1.0"} for server in SERVERS},
        "left_out": {},
        "idle": [{server.key: 0.01 for server in SERVERS}] * 3,
        "windows": [[one_round() for _ in range(2)] for _ in range(3)],
    }


def written(folder: Path, found: dict[str, Any]) -> Path:
    """The result file with this in it."""
    file = folder / "servers.json"
    file.write_text(json.dumps(found), encoding="utf-8")
    return file


# What is said


def test_who_answers_sooner_is_said_by_the_interval():
    assert page.is_sooner(results(3.0))
    assert "wsgi_core answers sooner than BentoML" in page.report(results(3.0))
    assert not page.is_sooner(results(0.5))
    assert "wsgi_core answers later than MLServer" in page.report(results(0.5))
    assert not page.is_sooner(results(1.0, spread=0.3))
    assert "Neither can be said to answer sooner" in page.report(results(1.0, spread=0.3))


def test_every_server_is_set_beside_ours_in_its_own_form():
    shares = page.beside_ours(results(3.0))
    assert set(shares) == {server.key for server in SERVERS if server.requires}
    assert all(share.low < 3 < share.high or share.value == pytest.approx(3, rel=0.1) for share in shares.values())


def test_each_form_has_a_table_for_each_loop_and_the_servers_have_theirs():
    tables = page.tables(results(3.0))
    assert len(tables) == 5
    assert [row[0] for row in tables[0].rows] == ["wsgi_core", "Flask twin", "LitServe", "BentoML"]
    assert all(len(row) == len(table.heads) for table in tables for row in table.rows)
    assert tables[0].rows[0][4:] == ["1", "500 (500 to 500)"]


@pytest.mark.parametrize(("times", "left_out", "code"), [(3.0, {}, 0), (0.5, {}, 1), (3.0, {"litserve": "gone"}, 3)])
def test_the_exit_code_tells_the_outcome_and_the_page_is_written_beside(tmp_path, times, left_out, code):
    file = written(tmp_path, results(times) | {"left_out": left_out})
    done = CliRunner().invoke(command.main, ["--report", "--out", str(file)])
    assert done.exit_code == code, done.output
    text = (tmp_path / "servers.md").read_text(encoding="utf-8")
    assert text == page.report(json.loads(file.read_text(encoding="utf-8")))
    assert ("LitServe was left out: gone" in text) == bool(left_out)


def test_the_page_of_the_docs_is_that_of_its_result_file():
    file = command.DOCS / "servers.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    assert file.with_suffix(".md").read_text(encoding="utf-8") == page.report(found)


def test_an_interpreter_for_a_server_that_is_not_known_is_a_usage_error():
    done = CliRunner().invoke(command.main, ["--python", "triton=python"])
    assert done.exit_code == 2
    assert all(package in done.output for package in PACKAGES)


def test_a_busy_machine_is_named():
    found = results(3.0)
    assert "Others used the machine" not in page.report(found)
    found["environment"]["cpu_percent"] = 60.0
    assert "it was 60 % busy" in page.report(found)


# What is measured


@pytest.fixture(scope="module")
def short() -> Study:
    """One start with one round of the project's own two servers."""
    ours = [by_key(OURS), by_key("flask")]
    one = Study(ours, {server.key: Path(sys.executable) for server in ours}, Size(1, 1, 0.1, 50.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "IDLE_SECONDS", 0.05)
        patch.setattr(study, "WARM_UP", 0.02)
        one.start(0)
    return one


def test_a_short_run_measures_every_server_in_every_form(short):
    assert short.results["left_out"] == {}
    ((windows,),) = short.results["windows"]
    assert set(windows) == {f"{key} {form}" for key in ("wsgi_core", "flask") for form in (ROW, TENSOR)}
    assert all(each["closed"]["requests"] > 0 for each in windows.values())
    assert all(each["closed"]["failures"] == 0 for each in windows.values())
    assert set(short.results["idle"][0]) == {"wsgi_core", "flask"}


def test_a_server_that_cannot_be_measured_is_forgotten_with_its_reason():
    flask = by_key("flask")
    one = Study([by_key(OURS), flask], {}, Size(2, 1, 0.1, 50.0), results(2.0))
    one.results["windows"] = results(2.0)["windows"]
    one.leave_out(flask, "it broke")
    assert one.servers == [by_key(OURS)]
    assert one.results["left_out"] == {"flask": "it broke"}
    assert not any(name.startswith("flask") for each in one.results["windows"][0] for name in each)
    with pytest.raises(RuntimeError, match="wsgi_core: it broke"):
        one.leave_out(by_key(OURS), "it broke")


def test_other_probabilities_are_no_comparison():
    class Answers:
        """Stands for a running server that always answers the same."""

        def __init__(self, key: str, value: float) -> None:
            self.server, self.value = by_key(key), value

        def ask(self, form: str, rows: list[Any]) -> list[float]:
            return [self.value] * len(rows)

    one = Study([by_key(OURS), by_key("litserve"), by_key("mlserver")], {}, Size(2, 1, 0.1, 50.0))
    one._compare([Answers(OURS, 0.5), Answers("litserve", 0.5 + 1e-8), Answers("mlserver", 0.51)])
    assert one.results["left_out"] == {"mlserver": "its probabilities are others"}


def test_a_server_that_does_not_start_is_left_out_with_what_it_wrote(tmp_path):
    refused = pytest.raises(Unavailable, match="did not start: nobody is here")
    with started([(NOBODY, Path(sys.executable))], tmp_path) as (nobody,), refused:
        nobody.wait()
    assert not psutil.pid_exists(nobody.process.pid)


def test_an_environment_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    def refuse(given: list[str]) -> str:
        raise Unavailable("no matching distribution")

    monkeypatch.setattr(environments, "_run", refuse)
    one = Study([by_key(OURS), NOBODY], {}, Size(2, 1, 0.1, 50.0))
    step = command._preparation(one, NOBODY, {}, tmp_path)
    assert step.seconds == command.INSTALL_GUESS
    step.run()
    assert one.results["left_out"] == {"nobody": "no matching distribution"}


def test_an_environment_is_made_once(tmp_path, monkeypatch):
    commands: list[list[str]] = []
    monkeypatch.setattr(environments, "_run", lambda given: commands.append(given) or "")
    assert not environments.is_installed(NOBODY, tmp_path)
    environments.install(NOBODY, tmp_path)
    assert environments.is_installed(NOBODY, tmp_path)
    assert commands[-1][-2:] == environments.requirements(NOBODY)
    assert commands[-1][-1].startswith("onnxruntime==")


# The others


def test_the_others_ask_for_the_features_of_the_model_in_its_order():
    card = ModelRepository().get("churn").card
    assert card is not None
    names = [feature.name for feature in card.features]
    tree = ast.parse((HERE / "with_bentoml.py").read_text(encoding="utf-8"))
    (predict,) = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "predict")
    assert [argument.arg for argument in predict.args.args][1:] == names
    tree = ast.parse((HERE / "with_litserve.py").read_text(encoding="utf-8"))
    (features,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
    assert list(ast.literal_eval(features)) == names


def test_both_forms_are_whole_requests_and_answers():
    row = {"a": 1, "b": 2.5}
    for form in (ROW, TENSOR):
        head, _, body = message(form, row).partition("\r\n\r\n")
        assert f"Content-Length: {len(body)}" in head
    assert json.loads(body)["inputs"][0]["data"] == [1, 2.5]
    assert probability(ROW, b'{"churn_probability": 0.25}') == 0.25
    assert probability(TENSOR, b'{"outputs": [{"data": [0.75, 0.25]}]}') == 0.25
    with pytest.raises(Unavailable, match="no probability"):
        probability(TENSOR, b'{"error": "x"}')


def test_the_wheel_carries_the_study():
    assert "\n    loadtests.servers\n" in (ROOT / "setup.cfg").read_text(encoding="utf-8")
    assert not any(
        package in (ROOT / "setup.cfg").read_text(encoding="utf-8").split("[tool:")[0] for package in PACKAGES
    )
