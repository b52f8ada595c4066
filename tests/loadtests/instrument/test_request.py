"""In process, an application gets the environ that waitress makes from the bytes of a request."""

import socket
import threading

import pytest
import waitress.server
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loadtests.http_file import read_requests
from loadtests.instrument.request import HOST, EnvironMaker, Request, RequestError, environ_of, json_request

# Variables that depend on the connection, or are a new object for each request.
CONNECTION = {"REMOTE_PORT", "SERVER_PORT", "wsgi.input", "wsgi.errors", "waitress.client_disconnected"}


class Recorder:
    """A waitress server that stores the environ and the body of its last request."""

    def __init__(self):
        self.seen = None
        self.server = waitress.server.create_server(self.record, host="127.0.0.1", port=0, threads=1)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def record(self, environ, start_response):
        body = environ["wsgi.input"].read()
        self.seen = {**environ, "body": body}
        start_response("200 OK", [("Content-Length", "0"), ("Connection", "close")])
        return [b""]

    def take(self, message):
        """Send the bytes. Return the environ and the body that the application got, or None if it was not called."""
        self.seen = None
        with socket.create_connection(("127.0.0.1", self.server.effective_port), timeout=10) as connection:
            connection.sendall(message)
            connection.settimeout(10)
            connection.recv(65536)
        return self.seen

    def close(self):
        self.server.maintenance_interval = 0
        self.server.close()
        self.thread.join(10)


@pytest.fixture(scope="module")
def waitress_behind():
    recorder = Recorder()
    yield recorder
    recorder.close()


def in_process(request):
    environ, _ = EnvironMaker([request]).make()
    return {**environ, "body": environ["wsgi.input"].read()}


def assert_alike(found, expected):
    for name in found.keys() | expected.keys():
        if name not in CONNECTION:
            assert found.get(name) == expected.get(name), name
    assert found["wsgi.input"] is not None


TARGETS = st.one_of(
    st.sampled_from(["/", "/predict?explain=1", "/a%3Fb?c=d", "//a//b", "/a%20b?q=%20", "/%C3%A4?%C3%B6=%FF", "/??"]),
    st.from_regex(r"/[!-\"$-~]{0,30}", fullmatch=True),
)
VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f")
VALUES = st.text(VISIBLE, min_size=1, max_size=10)
NAMES = st.sampled_from(["X-One", "x-one", "Accept", "Cookie", "Content-Type", "X_Under", "Host", "User-Agent"])
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6).filter(
    lambda found: sum(name.lower() == "host" for name, _ in found) < 2
)
ODD_BODIES = [b"a\r\nb\nc", "\u2028\u2029\x85".encode(), b"\xef\xbb\xbf{}"]
BODIES = st.binary(max_size=100) | st.sampled_from(ODD_BODIES)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    target=TARGETS, headers=HEADERS, body=BODIES, chunked=st.booleans(),
)  # fmt: skip
@example(method="POST", target="/predict?explain=1", headers=[], body=b"\x00\xff", chunked=True)
@settings(max_examples=200, deadline=None)
def test_the_environ_is_what_waitress_makes_of_the_same_bytes(waitress_behind, method, target, headers, body, chunked):
    more = (("Transfer-Encoding", "chunked"),) if chunked else ()
    request = Request(method, target, (*headers, *more), body)
    host = f"127.0.0.1:{waitress_behind.server.effective_port}"
    expected = waitress_behind.take(request.message(host))
    if expected is None:
        with pytest.raises(RequestError, match="waitress responds with 4"):
            environ_of(request.message(host))
        return
    found = in_process(request)
    if "host" not in {name.lower() for name, _ in headers}:
        found["HTTP_HOST"] = expected["HTTP_HOST"] = "any"
    assert_alike(found, expected)


def written(draw_ends, method, target, headers, body):
    head = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return draw_ends.join(head).encode() + body


LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="#?{}")
FILE_PATHS = st.text(LETTERS, max_size=12)


@given(
    bom=st.booleans(), end=st.sampled_from(["\n", "\r\n"]), method=st.sampled_from(["POST", "PUT", "get"]),
    path=FILE_PATHS.filter(lambda text: "HTTP/" not in text.upper() and text == text.strip()),
    query=st.sampled_from(["", "?a=b", "?ä=\u2028", "?a=%3F&a=b c"]), absolute=st.booleans(),
    value=st.sampled_from(["v", "ä", "a b"]),
    body=st.sampled_from([b"", b"{}", b"a\nb", b"a\r\nb", "\u2028x\x85y".encode(), b"\x00\xff", b"\xef\xbb\xbf1"]),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_a_file_is_sent_as_it_stands(tmp_path_factory, bom, end, method, path, query, absolute, value, body):
    """With any encoding and line endings, path, query, headers and body are those of the file."""
    from urllib.parse import unquote_to_bytes

    file = tmp_path_factory.mktemp("http") / "one.http"
    origin = "http://example.org:81" if absolute else ""
    head = [f"{method} {origin}/{path}{query} HTTP/1.1", f"X-One: {value}", f"X-One: {value}", "", ""]
    file.write_bytes(b"\xef\xbb\xbf" * bom + end.join(head).encode() + body)
    (request,) = read_requests(file)
    environ = in_process(request)
    # waitress merges several slashes at the beginning of a path into one.
    assert environ["PATH_INFO"].encode("latin-1") == b"/" + unquote_to_bytes(path).lstrip(b"/")
    assert unquote_to_bytes(environ["QUERY_STRING"]) == unquote_to_bytes(query[1:])
    assert environ["REQUEST_METHOD"] == method.upper()
    assert environ["HTTP_X_ONE"].encode("latin-1") == f"{value}, {value}".encode()
    assert environ["body"] == body
    assert environ["HTTP_HOST"] == ("example.org:81" if absolute else HOST)


def test_a_request_survives_the_way_to_the_worker():
    one = Request("PUT", "/%C3%A4", (("A", "b"), ("A", "c")), bytes(range(256)), status=404, without=("x",))
    assert Request.from_json(one.to_json()) == one
    assert json_request("/p", [1]).body == b"[1]"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request("POST", "/", (("Content-Length", "5"),), b"x"), "not complete"),
        (Request("POST", "/", (("Content-Length", "1"),), b"xyz"), "2 bytes follow the end"),
        (Request("GET", "/", (("Bad Name", "x"),)), "waitress responds with 400"),
    ],
)
def test_bytes_that_are_not_one_request_are_refused(request_, message):
    with pytest.raises(RequestError, match=message):
        environ_of(request_.message())


def test_something_is_evicted_before_each_request_if_it_is_asked_for():
    seen = []
    maker = EnvironMaker([Request("GET", "/")], ["200 OK"], evict=lambda: seen.append(1))
    maker.make()
    maker.make()
    assert len(seen) == 2


def test_a_large_body_is_whole_and_leaves_no_file_open():
    request = Request("POST", "/", (), bytes(2 << 20))
    assert environ_of(request.message())[1] == request.body
