"""The rungs do the same work: their responses have the same bytes, and twins differ only in their imports."""

import inspect
import json
import random
from dataclasses import replace

import pytest
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from loadtests.cases import TERMINATED, requests_for
from loadtests.instrument import worker
from loadtests.instrument.driver import (
    Allowed,
    WrongResponse,
    ask,
    check_status,
    clock_step_ns,
    compare,
    resolve,
    run_block,
)
from loadtests.instrument.request import EnvironMaker, Request, json_request
from loadtests.rungs import cases_app, core, flask_app, with_hooks
from loadtests.rungs.work import OTHER_ROUTES, driver_app, null_model, to_json
from loadtests.studies import ALL_PEERS, CASES, HOOKS, PEERS, ROUTES, STUDIES
from tests.loadtests.jobs import bench, carry_out

ROWS = [
    {"tenure_months": 12, "monthly_charges": 79.5, "total_charges": 954, "contract_month_to_month": 1, "has_fiber": 1},
    {"tenure_months": 0, "monthly_charges": 20.05, "total_charges": 0, "contract_month_to_month": 0, "has_fiber": 0},
]


def ready(experiment):
    return replace(experiment, requests=requests_for(experiment.case, ROWS))


EXPERIMENTS = {one.key: one for study in STUDIES.values() for one in (*study.experiments, ALL_PEERS)}


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_all_contenders_give_the_same_bytes(key):
    experiment = ready(EXPERIMENTS[key])
    found = bench(experiment)
    assert [one.name for one in found.timed] == [worker.DRIVER, *(one.name for one in experiment.contenders)]


def test_the_ladder_answers_what_the_model_says():
    app = resolve("loadtests.rungs.raw:create_app")(model="null")
    answer = ask(app, PREDICT[0])
    assert answer.status == "200 OK"
    assert dict(answer.headers)["content-type"] == "application/json"
    assert answer.body == b'{"churn_probability":0.5,"model_version":"null/1"}\n'


def test_churn_answers_each_row_with_its_own_probability():
    app = resolve("loadtests.rungs.core:create_app")(model="churn")
    first, second = (json.loads(ask(app, request).body) for request in PREDICT)
    assert first["model_version"] == "churn/1"
    assert first["churn_probability"] != second["churn_probability"]


def test_core_and_flask_rungs_differ_in_import_lines_only():
    def text(module):
        lines = inspect.getsource(module).splitlines()
        body = lines[next(index for index, line in enumerate(lines) if line.startswith("from __future__")) :]
        return [line for line in body if line and not line.startswith(("import ", "from "))]

    assert text(core) == text(flask_app)


@pytest.mark.parametrize("module", [core, flask_app])
def test_twelve_other_routes_are_registered(module):
    rules = {rule.rule for rule in module.create_app().url_map.iter_rules()}
    assert len(OTHER_ROUTES) == 12
    assert rules.issuperset({*OTHER_ROUTES, "/predict"})


@pytest.mark.parametrize("module", [core, flask_app])
def test_the_hooks_of_the_hook_variant_run(module):
    answer = ask(module.create_app(hooks=True), PREDICT[0])
    assert dict(answer.headers)["x-user"] == "measured"


@pytest.mark.parametrize("framework", cases_app.RUNGS)
def test_the_session_case_reads_and_writes_the_session(framework):
    answer = ask(cases_app.create_app(framework), requests_for("session", [])[0])
    assert json.loads(answer.body) == {"visits": 2}
    assert any(name == "set-cookie" and value.startswith("session;") for name, value in answer.headers)


def test_the_large_body_is_64_kb():
    body = requests_for("body_64k", [])[0].body
    assert 64_000 < len(body) <= 65_536


def test_json_settings_are_those_of_jsonify():
    value = {"b": 1.5, "a": "é"}
    app = flask_app.create_app()
    with app.app_context():
        assert app.json.response(value).get_data() == to_json(value)


def test_the_null_model_gives_what_churn_gives_in_form():
    app = resolve("loadtests.rungs.raw:create_app")(model="churn")
    answer = json.loads(ask(app, PREDICT[0]).body)
    assert answer.keys() == null_model({}).keys()


# The driver

PREDICT = requests_for("predict", ROWS)


def test_the_environ_can_be_that_of_a_server_that_does_not_end_the_stream():
    cases = ("predict", "not_terminated")
    (with_it, _), (without, _) = (EnvironMaker(requests_for(case, ROWS)).make() for case in cases)
    assert with_it.keys() - without.keys() == {TERMINATED}


def make(body=b"{}"):
    return replace(json_request("/predict", {}), body=body)


def test_each_request_gets_an_environ_and_a_stream_of_its_own():
    environs = EnvironMaker([make(b"one"), make(b"two")])
    first, second, third = (environs.make()[0] for _ in range(3))
    first["wsgi.input"].read()
    first["seen"] = True
    assert (second["wsgi.input"].read(), third["wsgi.input"].read()) == (b"two", b"one")
    assert "seen" not in third


def test_the_environ_is_one_of_pep_3333():
    from wsgiref.validate import validator

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read(5)]

    assert ask(validator(app), make(b"hello")).body == b"hello"


def saying(status="200 OK", headers=(), body=b"x"):
    def app(environ, start_response):
        start_response(status, list(headers))
        return [body]

    return app


@pytest.mark.parametrize(
    "other",
    [
        saying(body=b"y"),
        saying(status="200 Fine"),
        saying(status="500 INTERNAL SERVER ERROR"),
        saying(headers=[("X-More", "1")]),
    ],
    ids=["body", "reason", "status", "headers"],
)
def test_any_difference_ends_the_comparison(other):
    with pytest.raises(WrongResponse, match="responses differ"):
        compared({"one": saying(), "other": other}, [make()])


def compared(apps, requests, allowed=None):
    """Compare the responses of the applications."""
    compare({name: [ask(app, one) for one in requests] for name, app in apps.items()}, requests, allowed)


def test_the_message_names_request_and_both_answers():
    with pytest.raises(WrongResponse) as caught:
        compared({"one": saying(), "other": saying(body=b"other")}, [make(b'{"a": 1}')])
    for part in ('POST /predict {"a": 1}', "one: 200 OK", "other: 200 OK", "b'other'"):
        assert part in str(caught.value)


def test_a_status_that_is_not_expected_is_refused_with_what_came_back():
    response = ask(saying("404 NOT FOUND", body=b"no such page"), make())
    with pytest.raises(
        WrongResponse, match=r"one responds with 404 NOT FOUND to POST /predict, expected 200(.|\n)*no such page"
    ):
        check_status("one", make(), response)
    check_status("one", replace(make(), status=404), response)


def answering(**body):
    written = to_json(body)
    return saying(headers=[("Content-Length", str(len(written)))], body=written)


def test_what_is_declared_may_differ_and_has_to_be_there():
    apps = {"one": answering(share=0.5, name="a"), "other": answering(share=0.25, name="a")}
    compared(apps, [make()], {"other": Allowed(fields=("share",))})
    for allowed in (Allowed(), Allowed(fields=("name",)), Allowed(headers=("x-more",), fields=("share",))):
        with pytest.raises(WrongResponse, match="responses differ"):
            compared(apps, [make()], {"other": allowed})


def test_a_declared_field_keeps_its_type_and_the_serializer():
    apps = {"one": answering(share=0.5), "other": answering(share="0.5")}
    with pytest.raises(WrongResponse):
        compared(apps, [make()], {"other": Allowed(fields=("share",))})
    apps["other"] = saying(headers=[("Content-Length", "14")], body=b'{"share": 0.5}')
    with pytest.raises(WrongResponse):
        compared(apps, [make()], {"other": Allowed(fields=("share",))})


def test_the_tutorials_pipeline_says_much_the_same_as_churn():
    from loadtests.rungs import flask_tutorial  # imported here, because scikit-learn and pandas take more than a second

    churn, pipeline = (flask_tutorial.create_app(via=via).test_client() for via in ("ONNX", "DataFrame"))
    for row in ROWS:
        one, other = (client.post("/predict", json=row).get_json() for client in (churn, pipeline))
        assert one["churn_probability"] == pytest.approx(other["churn_probability"], abs=0.1)


def test_a_hand_written_rung_answers_errors_through_its_handlers():
    app = with_hooks.create_app()
    missing = Request("GET", "/no/such/page", status=404)
    assert ask(app, missing).status == "404 NOT FOUND"
    app.error_handlers[NotFound] = lambda error: Response("gone", status=410)
    app.after.append(lambda response: Response(response.get_data() + b"!", status=response.status))
    assert ask(app, missing)[::2] == ("410 GONE", b"gone!")
    seen = []
    app.teardown.append(seen.append)
    app.before.append(lambda: Response("before"))
    assert ask(app, missing).body == b"before!"
    assert seen == [None]


def test_the_hand_written_rung_turns_what_a_view_raises_into_a_500(caplog):
    app = with_hooks.create_app()
    seen = []
    app.teardown.append(seen.append)
    answer = ask(app, make(b"[]"))
    assert answer.status == "200 OK"

    def fails():
        raise LookupError("view")

    app.views["predict"] = fails
    assert ask(app, make()).status == "500 INTERNAL SERVER ERROR"
    assert [type(error) for error in seen] == [type(None), LookupError]
    assert "the view failed" in caplog.text


def test_the_order_and_case_of_headers_do_not_matter():
    one = saying(headers=[("A", "1"), ("B", "2")])
    other = saying(headers=[("b", "2"), ("a", "1")])
    compared({"one": one, "other": other}, [make()])


def test_a_block_consumes_the_body_and_closes_every_result():
    class Result:
        def __init__(self):
            seen["made"] += 1

        def __iter__(self):
            yield b"a"
            yield b"b"
            seen["consumed"] += 1

        def close(self):
            seen["closed"] += 1

    def app(environ, start_response):
        start_response("200 OK", [])
        return Result()

    seen = {"made": 0, "consumed": 0, "closed": 0}
    block = run_block(app, EnvironMaker([make()], ["200 OK"]), 7)
    assert seen == {"made": 7, "consumed": 7, "closed": 7}
    assert block.requests == 7


def test_a_status_that_changes_within_a_block_ends_the_run():
    with pytest.raises(WrongResponse, match="expected '200 OK', got '500 "):
        run_block(saying("500 INTERNAL SERVER ERROR"), EnvironMaker([make()], ["200 OK"]), 3)


def test_an_app_that_never_answers_ends_the_run():
    with pytest.raises(WrongResponse):
        run_block(lambda environ, start_response: [], EnvironMaker([make()], ["200 OK"]), 1)
    with pytest.raises(WrongResponse, match="not called"):
        ask(lambda environ, start_response: [], make())


def test_the_clock_step_is_the_usual_one_of_the_steps_seen():
    times = iter([0, 0, 10, 20, 21, 30, 930, 940, 950])
    assert clock_step_ns(lambda: next(times), ticks=4) == 10


# The worker


def test_orders_come_in_mirrored_pairs():
    orders = worker.balanced_orders(5, random.Random(1))
    taken = [next(orders) for _ in range(20)]
    for there, back in zip(taken[::2], taken[1::2], strict=True):
        assert there == back[::-1]
        assert sorted(there) == [0, 1, 2, 3, 4]
    assert len({tuple(order) for order in taken}) > 4


def test_a_worker_measures_every_contender_in_every_round():
    experiments = [ready(PEERS), ready(HOOKS)]
    samples = carry_out(experiments, seconds=0.05, warm_up=0.0, block_ms=0.5, seed=1)["samples"]
    assert samples.keys() == {"peers", "hooks"}
    rounds = {}
    for number, contender, requests, cpu_ns, wall_ns in samples["peers"]:
        assert requests > 0
        assert cpu_ns >= 0
        assert wall_ns > 0
        rounds.setdefault(number, set()).add(contender)
    assert len(rounds) % 2 == 0
    assert all(seen == set(range(len(PEERS.contenders) + 1)) for seen in rounds.values())


def test_the_driver_is_measured_with_an_app_that_does_nothing():
    assert ask(driver_app("404 NOT FOUND"), make()) == ("404 NOT FOUND", [], b"")


def test_the_routes_experiment_asks_for_a_static_path_among_all():
    app = resolve(ROUTES.contenders[-1].factory)(**ROUTES.contenders[-1].options)
    assert sum(1 for rule in app.url_map.iter_rules() if rule.endpoint != "static") == 1000


def test_the_single_cases_are_measured_on_both_sides():
    assert {tuple(one.name for one in case.contenders[-2:]) for case in CASES} == {("wsgi_core", "Flask")}
