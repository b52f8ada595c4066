"""Requests out of a file: what editors' HTTP clients write is understood, and what is wrong is said with its line."""

import pytest

from loadtests.request_file import RequestFileError, read_requests


@pytest.fixture
def parse(tmp_path):
    def parse(text):
        path = tmp_path / "asked.http"
        path.write_text(text, encoding="utf-8", newline="")
        return read_requests(path)

    return parse


def test_a_request_has_method_path_headers_and_body(parse):
    (one,) = parse('POST /predict HTTP/1.1\nContent-Type: application/json\nX-Key:  k\n\n{"a": 1}\n\n')
    assert (one.method, one.path, one.body) == ("POST", "/predict", b'{"a": 1}')
    assert one.headers == {"Content-Type": "application/json", "X-Key": "k"}


def test_the_first_line_may_be_the_first_of_the_file(parse):
    assert parse("GET /")[0].path == "/"


def test_comments_and_several_requests(parse):
    found = parse("# all of it\n\nGET /one\n\n### the second\n// really\nDELETE /two\n\n###\n")
    assert [(one.method, one.path) for one in found] == [("GET", "/one"), ("DELETE", "/two")]


def test_a_path_alone_is_a_get(parse):
    assert parse("/here?x=1")[0].variables["QUERY_STRING"] == "x=1"


def test_a_whole_url_gives_the_host(parse):
    (one,) = parse("GET http://example.org:81/a%20b?q=%20")
    assert (one.path, one.headers["Host"]) == ("/a b?q=%20", "example.org:81")
    assert one.variables["PATH_INFO"] == "/a b"


def test_lines_may_end_as_on_windows(parse):
    (one,) = parse("POST /\r\nA: b\r\n\r\nx\r\ny\r\n")
    assert (one.headers, one.body) == ({"A": "b"}, b"x\ny")


def test_a_body_may_come_from_a_file_beside_it(parse, tmp_path):
    (tmp_path / "picture.bin").write_bytes(b"\x00\xff")
    assert parse("POST /\n\n< picture.bin\n")[0].body == b"\x00\xff"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no request"),
        ("# nothing\n", "no request"),
        ("FETCH /", "line 1: expected a request line"),
        ("GET somewhere", "line 1: expected a path that begins with /"),
        ("GET /{{host}}", "line 1: variables"),
        ("\nGET /\nno header\n", "line 3: expected 'Name: value'"),
        ("POST /\n\n< missing.bin", "the body .*missing.bin"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(parse, text, message):
    with pytest.raises(RequestFileError, match=message):
        parse(text)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(RequestFileError, match="No such file"):
        read_requests(tmp_path / "none.http")
    (tmp_path / "binary.http").write_bytes(b"POST /\n\n\xff")
    with pytest.raises(RequestFileError, match="not UTF-8 at byte 8"):
        read_requests(tmp_path / "binary.http")
