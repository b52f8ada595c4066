"""What is written into a file comes out as what it was, whatever it is."""

from __future__ import annotations

import ast
import json
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_core.commands.deploy import escaping

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


def test_dockerfile_puts_nothing_in():
    assert escaping.dockerfile("a/b") == "a/b"
    assert escaping.dockerfile('$A "b" \\') == '"\\$A \\"b\\" \\\\"'
    assert json.loads(escaping.json_words(["a b", "$HOME", 'q"'])) == ["a b", "$HOME", 'q"']


@pytest.mark.parametrize("value", ["a b", "a;", "$host", "{", "", 'a"', "ä"])
def test_nginx_takes_plain_words_alone(value: str):
    with pytest.raises(escaping.EscapeError):
        escaping.nginx(value)
    assert escaping.nginx("[::1]") == "[::1]"
