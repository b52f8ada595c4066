"""Request files of editors' HTTP clients are read, or rejected with the feature and its line."""

import pytest

from loadtests.http_file import HttpFileError, read_requests
from loadtests.instrument.request import environ_of


@pytest.fixture
def parse(tmp_path):
    def parse(text):
        path = tmp_path / "asked.http"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_requests(path)

    return parse


def test_a_request_has_method_target_headers_and_body(parse):
    (one,) = parse('POST /predict HTTP/1.1\nContent-Type: application/json\nX-Key:  k\n\n{"a": 1}\n\n')
    assert (one.method, one.target, one.body) == ("POST", "/predict", b'{"a": 1}')
    assert one.headers == (("Content-Type", "application/json"), ("X-Key", "k"))


def test_comments_names_and_several_requests(parse):
    text = "# all of it\n\nGET /one\n\n### the second\n// really\n# @name second\n# @no-redirect\nDELETE /two\n\n###\n"
    assert [(one.method, one.target) for one in parse(text)] == [("GET", "/one"), ("DELETE", "/two")]


def test_a_target_alone_is_a_get(parse):
    (one,) = parse("/here?x=1")
    environ, _ = environ_of(one.message())
    assert (one.method, environ["PATH_INFO"], environ["QUERY_STRING"]) == ("GET", "/here", "x=1")


def test_a_whole_url_gives_the_host(parse):
    (one,) = parse("GET http://example.org:81/a%20b?q=%20#part")
    assert (one.target, dict(one.headers)["Host"]) == ("/a%20b?q=%20", "example.org:81")
    assert parse("GET http://example.org?q=1")[0].target == "/?q=1"


def test_a_query_may_go_on_in_the_following_lines(parse):
    (one,) = parse("GET /search HTTP/1.1\n    ?a=1\n    &b=2\nX-One: 1\n")
    assert (one.target, one.headers) == ("/search?a=1&b=2", (("X-One", "1"),))


def test_what_cannot_stand_in_a_target_is_encoded_as_editors_do(parse):
    assert parse("GET /ä b?ö=ü HTTP/1.1")[0].target == "/%C3%A4%20b?%C3%B6=%C3%BC"


def test_headers_may_be_repeated_and_have_comments_between_them(parse):
    assert parse("GET /\nA: 1\n# why\n// not\nA: 2\n")[0].headers == (("A", "1"), ("A", "2"))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_body_is_sent_with_the_line_ends_that_it_has(parse, end):
    body = "a\u2028b\x85c".encode() + end + b"\xff\x00"
    (one,) = parse(end.join([b"POST /", b"A: b", b"", body, b"", b""]))
    assert (one.headers, one.body) == ((("A", "b"),), body)


def test_variables_are_filled_in_everywhere(parse, monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    text = (
        "@host = localhost:5000\n@base = http://{{host}}/v1\n\n### one\nPOST {{base}}/x?k={{ host }}\n"
        'Authorization: Bearer {{$processEnv TOKEN}}\n\n{"host": "{{host}}", "b": {"c": {}}}\n'
    )
    (one,) = parse(text)
    assert (one.target, dict(one.headers)["Host"]) == ("/v1/x?k=localhost:5000", "localhost:5000")
    assert dict(one.headers)["Authorization"] == "Bearer secret"
    assert one.body == b'{"host": "localhost:5000", "b": {"c": {}}}'


def test_a_body_may_come_from_a_file_beside_it(parse, tmp_path):
    (tmp_path / "picture.bin").write_bytes(b"\x00\xff{{no}}")
    (tmp_path / "text ä.txt").write_bytes(b"{{x}}")
    assert parse("POST /\n\n< picture.bin\n")[0].body == b"\x00\xff{{no}}"
    assert parse("@x = 1\nPOST /\n\n<@ ./text ä.txt\n")[0].body == b"1"


def test_a_part_of_a_form_may_come_from_a_file(parse, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\x00")
    (one,) = parse("POST /\nContent-Type: multipart/form-data; boundary=b\n\n--b\nA: b\n\n< a.bin\n--b--\n")
    assert one.body == b"--b\r\nA: b\r\n\r\n\x00\r\n--b--\r\n"


def test_the_fields_of_a_form_may_stand_in_lines_of_their_own(parse):
    (one,) = parse("POST /\nContent-Type: application/x-www-form-urlencoded\n\na=1\n&b=2\n")
    assert one.body == b"a=1&b=2"


def test_what_is_done_with_the_response_is_no_part_of_the_request(parse):
    after = "> {%\n  client.test('x', () => {});\n%}\n\n>> out.json\n>>! again.json\n<> old.json\n"
    text = f"POST /\n\n{{}}\n\n{after}###\nGET /b\n"
    first, second = parse(text)
    assert (first.body, second.target) == (b"{}", "/b")
    assert parse("GET /\n\n> handler.js\n")[0].body == b""


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("Basic user:pa ss", "Basic dXNlcjpwYSBzcw=="),
        ("Basic a:b", "Basic YTpi"),
        ("Basic a b", "Basic YTpi"),
        ("Basic YTpi", "Basic YTpi"),
        ("Bearer a:b", "Bearer a:b"),
    ],
)
def test_basic_credentials_are_encoded_as_editors_do(parse, given, sent):
    assert parse(f"GET /\nAuthorization: {given}\n")[0].headers == (("Authorization", sent),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no request"),
        ("# nothing\n", "no request"),
        ("FETCH /", "line 1: expected a request line"),
        ("GET somewhere", "line 1: expected a path that begins with /"),
        ("GET localhost:5000/x", "line 1: expected a path that begins with /, or a URL"),
        ("GET /{{host}}", r"line 1: \{\{host\}\} is not defined"),
        ("POST /\n\n{{login.response.body.token}}", "line 3: .*login.response.body.token"),
        ("POST /\n\n{{$guid}}", r"line 3: \{\{\$guid\}\} has a different value each time"),
        ("@a = {{a}}\nGET /{{a}}", "is not defined"),
        ("@a =\n{{a}}", "line 2: the variables in .* leave no request line"),
        ("GET /{{$processEnv }}", "line 1: .*processEnv"),
        ("\nGET /\nno header\n", "line 3: expected 'Name: value'"),
        ("POST /\n\n< missing.bin", "line 3: the body cannot be read from .*missing.bin"),
        ("POST /\n\n<@latin1 x.txt", "line 3: an encoding"),
        ("# @prompt name\nGET /", "line 1: @prompt is not supported"),
        ("< {% x %}\nGET /", "line 1: a script before the request"),
        ("POST /\n\n< {% x %}", "line 3: a script before the request"),
        ("POST /\n\n{}\n>> out.json\nmore", "line 5: expected nothing more"),
        ("GET / HTTP/2", "line 1: HTTP/2 is not supported"),
        ("curl http://localhost/", "line 1: curl requests are not supported"),
        ("GRAPHQL http://localhost/", "line 1: GRAPHQL requests"),
        ("GET http://a:b@localhost/", "line 1: a password in the URL"),
        ("GET /\nAuthorization: Digest a b", "line 2: Authorization: Digest is not supported"),
        ("POST /\nContent-Length: 9\n\nx", "line 1: the request is not complete"),
        (b"\xff\xfeG\x00", "UTF-16"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name_with_its_line(parse, text, message):
    with pytest.raises(HttpFileError, match=message):
        parse(text)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(HttpFileError, match="No such file"):
        read_requests(tmp_path / "none.http")
