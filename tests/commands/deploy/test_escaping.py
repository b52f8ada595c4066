"""Any value that deploy writes into a file is read from the file unchanged."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, assume, example, given
from hypothesis import strategies as st

from tests.examples import examples
from wsgi_core.commands.deploy import escaping
from wsgi_core.commands.deploy.escaping import EscapeError
from wsgi_core.commands.deploy.options import Deployment
from wsgi_core.commands.deploy.targets import TARGETS, render
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.sources import Loaded

PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x7f￾￿"))


@given(PRINTABLE)
def test_xml_comes_back(text: str):
    if "%" in text:
        with pytest.raises(escaping.EscapeError):
            escaping.xml(text)
        return
    element = ElementTree.fromstring(f'<a b="{escaping.xml(text)}">{escaping.xml(text)}</a>')
    assert element.get("b") == element.text or not text
    assert element.get("b") == text


@given(PRINTABLE)
def test_yaml_and_python_come_back(text: str):
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(escaping.yaml(text)) == text
    assert ast.literal_eval(escaping.python(text)) == text


@pytest.mark.parametrize("value", [8080, 1.5, True, None])
def test_what_is_no_text_keeps_its_type(value: object):
    assert json.loads(escaping.kubernetes(value)) == value
    assert ast.literal_eval(escaping.python(value)) == value


def test_kubernetes_puts_nothing_in():
    assert json.loads(escaping.kubernetes("$(HOME) $x $$")) == "$$(HOME) $x $$$$"


def test_systemd_quotes_and_doubles():
    assert escaping.systemd("/plain/path") == "/plain/path"
    assert escaping.systemd('a b\\"%') == '"a b\\\\\\"%%"'
    assert escaping.systemd("") == '""'
    assert escaping.systemd_command(["/p y", "$HOME"]) == '"/p y" "$$HOME"'


@pytest.mark.parametrize("prefix", [*"@-:+!|", "+!", "!!"])
def test_a_prefix_by_which_systemd_runs_a_program_differently_is_refused(prefix: str):
    with pytest.raises(EscapeError, match="which systemd interprets"):
        escaping.systemd_command([f"{prefix}/usr/bin/python3", "-m", "wsgi_core"])
    with pytest.raises(EscapeError):
        render(TARGET["systemd"], Deployment(python=f"{prefix}/usr/bin/python3"), Loaded(Settings(), {}, None))


a_backslash = pytest.param(
    "a\\b", marks=pytest.mark.skipif(os.name == "nt", reason="a backslash separates folders on Windows")
)


@pytest.mark.parametrize("models", ["*", ".", "a?", "[ab]", "!a", a_backslash, "#a"])
def test_a_pattern_or_the_whole_folder_is_not_copied_into_an_image(models: str):
    made = Settings(models=Path(models))
    with pytest.raises(EscapeError, match="--models"):
        render(TARGET["docker"], Deployment(), Loaded(made, {"models": "--models"}, None))


def test_dockerfile_puts_nothing_in():
    assert escaping.dockerfile("a/b") == "a/b"
    assert escaping.dockerfile('$A "b" \\') == '"\\$A \\"b\\" \\\\"'
    assert json.loads(escaping.json_words(["a b", "$HOME", 'q"'])) == ["a b", "$HOME", 'q"']


@pytest.mark.parametrize("value", ["a b", "a;", "$host", "{", "", 'a"', "ä"])
def test_nginx_takes_plain_words_alone(value: str):
    with pytest.raises(escaping.EscapeError):
        escaping.nginx(value)
    assert escaping.nginx("[::1]") == "[::1]"


# The values in the files of the targets. They come from options, or from a wsgi-core.toml of another person.


TARGET = {target.name: target for target in TARGETS}
NAME = "WSGI_CORE_CHAT_MODEL"
# Characters with a meaning in one of the formats, and other characters.
TEXTS = st.text(
    st.sampled_from("$()%{}\"'\\#;:&<>-=!|*?~^`, \t\n\r\0aX1é☕\x85\u2028") | st.characters(exclude_categories=["Cs"]),
    min_size=1,
    max_size=12,
)
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def files(target: str, text: str, source: str = "wsgi-core.toml", **deployment: Any) -> dict[str, str]:
    """Return the files of a target for a service whose setting chat_model is ``text``."""
    made = Settings(chat_model=text, webhook_results=None)
    loaded = Loaded(made, {"chat_model": source if not TARGET[target].has_files else "--chat-model"}, None)
    return render(TARGET[target], Deployment.model_validate(deployment), loaded)


def only(made: dict[str, str], end: str = "") -> str:
    (text,) = (text for name, text in made.items() if name.endswith(end))
    return text


@examples(25)
@given(text=st.builds(lambda a, b, c: a + b + c, TEXTS, st.from_regex(FORBIDDEN, fullmatch=True), TEXTS))
@pytest.mark.parametrize("target", [name for name in TARGET if name != "nginx"])
def test_a_line_break_or_control_character_is_refused_wherever_it_comes_from(target: str, text: str):
    for source in ("wsgi-core.toml", "WSGI_CORE_CHAT_MODEL"):
        with pytest.raises(EscapeError):
            files(target, text, source)


@examples(60)
@given(text=TEXTS)
@example(text="$")
@example(text="\\")
@example(text='\\"$\\\\')
def test_a_dockerfile_has_the_value_and_no_other_instruction(text: str):
    parser = pytest.importorskip("dockerfile_parse")
    assume(not FORBIDDEN.search(text))
    plain = files("docker", "plain")["Dockerfile"]
    made = files("docker", text)["Dockerfile"]
    parsed, expected = (parser.DockerfileParser(fileobj=io.BytesIO(each.encode())).structure for each in (made, plain))
    assert [step["instruction"] for step in parsed] == [step["instruction"] for step in expected]
    (value,) = (step["value"] for step in parsed if step["value"].startswith(f"{NAME}="))
    assert docker_word(value.removeprefix(f"{NAME}=")) == text


def docker_word(word: str) -> str:
    """Return the value that Docker reads from a word, quoted or not (BuildKit's frontend/dockerfile/shell/lex.go).

    dockerfile_parse leaves the backslash in front of a dollar sign and of a backslash. Docker removes it.
    """
    assert re.fullmatch(r'[^\s"\'$\\]+|"([^"$\\]|\\["$\\])*"', word), word
    return re.sub(r'\\(["$\\])', r"\1", word[1:-1]) if word[0] == '"' else word


def expand(value: str, variables: dict[str, str]) -> str:
    """Expand a value as Kubernetes does: $$ is $, $(NAME) a variable (its third_party/forked/golang/expansion)."""
    return re.sub(
        r"\$(\$|\(([^)]*)\))?",
        lambda found: "$" if found[1] in ("$", None) else variables.get(found[2], found[0]),
        value,
    )


@examples(60)
@given(text=TEXTS)
@example(text="$(X)")
@example(text="$$(X)")
@example(text="$$$(X)")
@example(text="$$$$(X)")
@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
def test_a_manifest_has_the_value_after_kubernetes_has_expanded_it(target: str, text: str):
    yaml = pytest.importorskip("yaml")
    assume(not FORBIDDEN.search(text))
    documents = list(yaml.safe_load_all(only(files(target, text))))
    assert len(documents) == len(list(yaml.safe_load_all(only(files(target, "plain")))))

    def environments(node: Any) -> Any:
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "env":
                    yield {entry["name"]: entry["value"] for entry in value}
                yield from environments(value)
        elif isinstance(node, list):
            for value in node:
                yield from environments(value)

    (variables,) = environments(documents)
    assert expand(variables[NAME], {"X": "leaked", "": "leaked", "a": "leaked"}) == text


@examples(60)
@given(text=TEXTS)
def test_a_gunicorn_configuration_has_the_value(text: str):
    assume(not FORBIDDEN.search(text))
    tree = ast.parse(only(files("gunicorn", text)))
    (found,) = (node for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "raw_env")  # type: ignore[attr-defined]
    assert f"{NAME}={text}" in ast.literal_eval(found.value)


@examples(60)
@given(text=TEXTS)
@pytest.mark.parametrize(
    ("target", "path", "key"), [("iis", ".//environmentVariable", "value"), ("winsw", ".//env", "value")]
)
def test_xml_has_the_value(target: str, path: str, key: str, text: str):
    assume(not FORBIDDEN.search(text) and not re.search("[%\ufffe\uffff]", text))
    root = ElementTree.fromstring(only(files(target, text)).encode())
    assert [each.get(key) for each in root.iterfind(path) if each.get("name") == NAME] == [text]


def unquoted(line: str) -> list[str]:
    """Return the words of a line as systemd does (systemd.syntax(7)), for the syntax that deploy uses."""
    words: list[str] = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)', line):
        words.append(re.sub(r"\\(.)", r"\1", quoted) if quoted or not bare else bare)
    return [word.replace("%%", "%") for word in words]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
@examples(10, HealthCheck.function_scoped_fixture)
@given(text=st.lists(TEXTS, min_size=20, max_size=20).map("".join))
def test_systemd_reads_every_unit_and_the_value_is_in_it(text: str, tmp_path: Path):
    """systemd-analyze starts slowly, so there are few, long examples."""
    text = FORBIDDEN.sub("", text) or "x"
    made = files("systemd", text, user="root", python=shutil.which("true"))
    for name, unit in made.items():
        (line,) = (line for line in unit.splitlines() if line.startswith("Environment=") and NAME in line)
        assert unquoted(line.partition("=")[2]) == [f"{NAME}={text}"]
        file = tmp_path / name.replace("@", "@8081")
        file.write_text(unit, encoding="utf-8")
        done = subprocess.run(
            ["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60, check=False
        )
        said = [line for line in done.stderr.splitlines() if file.name in line]
        assert not said, said


@pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx here")
@examples(10, HealthCheck.function_scoped_fixture)
@given(
    names=st.lists(
        st.from_regex(r"_|(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,20}[A-Za-z0-9])?", fullmatch=True), min_size=5, max_size=5
    )
)
def test_nginx_reads_every_configuration(names: list[str], tmp_path: Path):
    blocks = [only(files("nginx", "x", name=f"a{place}", server_name=name)) for place, name in enumerate(names)]
    (tmp_path / "nginx.conf").write_text(
        f"error_log stderr;\npid {tmp_path}/pid;\nevents {{}}\nhttp {{\n" + "".join(blocks) + "}\n", encoding="utf-8"
    )
    command = ["nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
