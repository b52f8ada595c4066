"""``wsgi-core trace``: what it prints and writes, and its exit codes."""

from __future__ import annotations

import re
import sys
import textwrap
import typing as t
from pathlib import Path

import pytest
from click.testing import Result

from tests.runner import CliRunner
from wsgi_core.__main__ import cli
from wsgi_core.shared.installation import install_command

APPS = """
    import {framework} as fw

    def create_app(**config):
        app = (getattr(fw, "Flask", None) or fw.App)("apps", static_folder=None)

        @app.before_request
        def {hook}():
            pass

        @app.route("/<name>", methods=["GET", "POST"])
        def view(name):
            return f"<{{name}}> {{fw.request.headers.get('X-Test')}} {{fw.request.get_json(silent=True)}}"

        @app.route("/loud")
        def loud():
            fw.request.environ["wsgi.errors"].write("heard\\n")
            fw.request.environ["wsgi.errors"].flush()
            return ""

        return app

    app = create_app()

    def broken():
        raise ValueError("no such file")
"""


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """Modules in the current folder: flask_side, core_side, and other_side, whose hook has another name."""
    modules = {
        "flask_side": ("flask", "check"),
        "core_side": ("wsgi_core", "check"),
        "other_side": ("wsgi_core", "test"),
    }
    for name, (framework, hook) in modules.items():
        text = textwrap.dedent(APPS).format(framework=framework, hook=hook)
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in modules:
        sys.modules.pop(name, None)


def run(*args: str, **kwargs: t.Any) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["trace", *args], catch_exceptions=False, **kwargs)


SIDES = ("--flask-app", "flask_side:create_app", "--app", "core_side:create_app")


@pytest.mark.usefixtures("apps")
def test_equal_traces_exit_with_0() -> None:
    result = run("post", "/x", "--json", "[1]", "--header", "X-Test: yes", *SIDES)
    assert result.exit_code == 0, result.output
    assert "request received: POST /x" in result.output
    assert "body chunk: 21 bytes" not in result.output
    assert re.search(r"before_request: check +flask_side\.py:\d+ +core_side\.py:\d+", result.output)
    assert re.search(r"^equal: \d+ events$", result.output, re.MULTILINE)
    assert "µs" not in result.output


@pytest.mark.usefixtures("apps")
def test_times_are_shown_where_they_are_asked_for(tmp_path: Path) -> None:
    result = run("GET", "/x", *SIDES, "--times", "--html", str(tmp_path / "page.html"))
    assert re.search(r"before_request: check +\d+  flask_side\.py:\d+ +\d+  core_side\.py:\d+", result.output)
    assert re.search(r"equal: \d+ events; flask 3\.1\.3 \d+ µs, wsgi_core .* µs \(includes the tracer", result.output)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count('class="track"') > 30
    assert "The times include the tracer" in text


@pytest.mark.usefixtures("apps")
def test_the_file_that_was_written_is_said(tmp_path: Path) -> None:
    page = tmp_path / "a page.html"
    assert f"Wrote {page}: open it in a browser." in run("GET", "/x", *SIDES, "--html", str(page)).output


def test_control_characters_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from wsgi_core import App\napp = App(__name__)\nname = '\\x1b[31mred\\x07'\n"
    text += "def hook(): pass\nhook.__name__ = name\napp.before_request(hook)\n"
    text += "app.add_url_rule('/', name, lambda: ('', 200, {'X-A': '1'}))\n"
    (tmp_path / "escaping.py").write_text(text, encoding="utf-8")
    (tmp_path / "failing.py").write_text("raise ValueError('\\x1b[2J')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    seen = run("GET", "/", "--app", "escaping.py").output
    assert "before_request: \\x1b[31mred\\x07" in seen
    seen += run("GET", "/", "--app", "failing.py").output
    assert "ValueError: \\x1b[2J" in seen
    assert seen.replace("\n", "").isprintable()


@pytest.mark.usefixtures("apps")
def test_json_and_headers_reach_the_app() -> None:
    result = run("POST", "/x", "--json", "[1]", "--header", "X-Test: yes", *SIDES)
    assert f"body chunk: {len('<x> yes [1]')} bytes" in result.output


@pytest.mark.usefixtures("apps")
def test_a_difference_exits_with_1_and_is_marked() -> None:
    result = run("GET", "/x", "--flask-app", "flask_side:create_app", "--app", "other_side:app")
    assert result.exit_code == 1
    (marked,) = (line for line in result.output.splitlines() if line.startswith("!"))
    assert "before_request: check | before_request: test" in marked
    assert "different: 1 of" in result.output


def test_a_different_answer_exits_with_1_and_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import {} as fw\napplication = (getattr(fw, 'Flask', None) or fw.App)('a')\n"
    text += "@application.get('/')\ndef view():\n    return '{}', {{'X-A': '{}'}}\n"
    (tmp_path / "answer_of_flask.py").write_text(text.format("flask", "xyz", 2), encoding="utf-8")
    (tmp_path / "answer_of_core.py").write_text(text.format("wsgi_core", "abc", 1), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    page = tmp_path / "page.html"
    result = run("GET", "/", "--flask-app", "answer_of_flask", "--app", "answer_of_core.py", "--html", str(page))
    assert result.exit_code == 1
    header, body = (line for line in result.output.splitlines() if line.startswith("!"))
    assert "answer: X-A ('2') | answer: X-A ('1')" in header
    assert "answer: body (3 bytes, at 0: b'xyz') | answer: body (3 bytes, at 0: b'abc')" in body
    assert "different: 2 of" in result.output
    assert "<b>answer</b> body" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("apps")
def test_the_name_may_be_left_out() -> None:
    result = run("GET", "/x", "--flask-app", "flask_side", "--app", "core_side")
    assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("apps")
def test_errors_of_a_factory_say_where(tmp_path: Path) -> None:
    line = (tmp_path / "core_side.py").read_text(encoding="utf-8").splitlines().index("def broken():") + 2
    result = run("GET", "/x", "--app", "core_side:broken")
    assert re.search(rf"ValueError: no such file \(.*core_side\.py:{line}\)$", result.output, re.MULTILINE)
    assert ".py:" not in run("GET", "/x", "--app", "core_side:missing").output


@pytest.mark.usefixtures("apps")
def test_what_the_app_logs_while_it_warms_up_is_not_shown() -> None:
    result = run("GET", "/loud", *SIDES)
    assert result.exit_code == 0, result.output
    assert result.output.count("heard") == 2


@pytest.mark.usefixtures("apps")
def test_one_app_is_shown_alone() -> None:
    for option in ("--app", "--flask-app"):
        result = run("GET", "/x", option, "flask_side:create_app()", "--warm-up", "1")
        assert result.exit_code == 0
        assert re.search(r"^\d+ events$", result.output, re.MULTILINE)


@pytest.mark.usefixtures("apps")
def test_two_apps_of_one_framework_go_by_their_names() -> None:
    result = run("GET", "/x", "--flask-app", "other_side:app", "--app", "core_side:app", "--signals")
    assert result.exit_code == 1
    assert "other_side:app" in result.output.splitlines()[0]
    assert "signal sent: request_started" in result.output


@pytest.mark.usefixtures("apps")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["GET"], "Missing argument 'PATH'"),
        (["GET", "/", "--header", "colonless"], "Name: value"),
        (["GET", "/", "--header", "X: a\nb"], "must be one line"),
        (["GET", "/", "--header", "X Y: a"], "Name: value"),
        (["", "/"], "'' is not a valid method"),
        (["B D", "/"], "'B D' is not a valid method"),
        (["GET", ""], "'' is not a path"),
        (["GET", "x"], "'x' is not a path"),
        (["GET", "/\n"], "is not a path"),
        (["GET", "http://["], "Invalid IPv6 URL"),
        (["GET", "/", "--warm-up", "-1"], "not in the range"),
        (["GET", "/", "--app", "json"], "'json' has none of app, application, create_app, make_app"),
        (["GET", "/", "--app", "missing:app"], "No module named 'missing'"),
        (["GET", "/", "--app", "core_side:missing"], "has no attribute 'missing'"),
        (["GET", "/", "--app", "core_side:1+"], "Failed to parse"),
        (["GET", "/", "--app", "core_side:broken"], "ValueError: no such file"),
        (["GET", "/", "--app", "os:getcwd"], "neither a Flask app nor"),
        (["GET", "/x", "--app", "core_side:app", "--html", "missing/x.html"], "missing"),
    ],
)
def test_wrong_usage_exits_with_2(args: list[str], message: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("apps")
def test_without_flask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flask", None)
    result = run("GET", "/x", *SIDES)
    assert result.exit_code == 2
    assert install_command("flask") in result.output


@pytest.mark.usefixtures("apps")
def test_colours_are_for_terminals_only() -> None:
    assert "\x1b" not in run("GET", "/x", *SIDES).output
    assert "\x1b[" in run("GET", "/x", *SIDES, color=True).output


@pytest.mark.usefixtures("apps")
def test_the_page_needs_nothing_beside_it(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("GET", "/x", "--flask-app", "flask_side:app", "--app", "other_side:app", "--html", str(page)).exit_code
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"""src=|href="[^#]|url\(|@import""", text)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert "before_request</b> check" in text
    assert "before_request</b> test" not in text  # the difference is in the row of both sides
    assert "µs" not in text
    assert 'class="track"' not in text
    assert "A before_request function runs before the view." in text


@pytest.mark.usefixtures("apps")
def test_the_page_escapes_what_the_client_sent(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run("GET", "/<b>bold", "--app", "core_side:app", "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;bold" in text
    assert "<b>bold" not in text


def test_the_service_and_its_twin_have_equal_traces() -> None:
    row = (
        '{"tenure_months": 12, "monthly_charges": 70.5, "total_charges": 846, "contract_month_to_month": 1,'
        ' "has_fiber": 1}'
    )
    for args in (["POST", "/predict", "--json", row], ["POST", "/predict", "--json", "{"], ["GET", "/nowhere"]):
        result = run(*args)
        assert result.exit_code == 0, result.output
        assert "flask_equiv/service/app.py" in result.output
