"""The strict parser accepts only valid JSON. On valid JSON, it agrees with the standard library's parser."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_core.inference import JSONError, strict_json
from wsgi_core.inference.strict_json import MAX_CONTAINERS, MAX_DEPTH, MAX_STRINGS, loads

WHOLE = st.integers(-(1 << 63), (1 << 64) - 1)
SCALARS = st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=40)
BRACKETS_AND_QUOTES = st.text(alphabet='[]{}"\\,:1u d8', max_size=60)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_reads_what_the_standard_library_wrote(value: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert loads(text) == value
    assert loads(text.encode()) == value


@given(BRACKETS_AND_QUOTES)
def test_agrees_with_the_standard_library_on_syntax(text: str) -> None:
    try:
        expected = json.loads(text)
        json.dumps(expected, ensure_ascii=False).encode()  # fails for half a surrogate pair
    except ValueError:
        with pytest.raises(JSONError):
            loads(text.encode())
    else:
        assert loads(text.encode()) == expected


@given(st.binary(max_size=40))
def test_bytes_of_any_kind_give_a_value_or_a_json_error(data: bytes) -> None:
    with contextlib.suppress(JSONError):
        loads(data)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", '{"a": NaN}', "[1, -Infinity]"])
def test_refuses_constants_that_json_does_not_have(text: str) -> None:
    with pytest.raises(JSONError, match="is not JSON"):
        loads(text)


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"{", b"[1,]", b"{'a': 1}", b"01", b"+1", b".5", b"1.", b"0x1", b'"\t"', b"[1] 2", b"\x00", b"\xa0 1"],
)
def test_refuses_what_is_no_json(data: bytes) -> None:
    with pytest.raises(JSONError):
        loads(data)


def test_says_why_and_where() -> None:
    with pytest.raises(JSONError, match=r"\(line 2, column 7\)$"):
        loads(b'{"a": 1,\n "b": }')


@pytest.mark.parametrize("data", [b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', '"a"'.encode("utf-16")])
def test_refuses_other_encodings_than_utf8(data: bytes) -> None:
    with pytest.raises(JSONError, match="not UTF-8"):
        loads(data)


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf1", "\ufeff1"])
def test_refuses_a_byte_order_mark(data: bytes | str) -> None:
    with pytest.raises(JSONError, match="byte order mark"):
        loads(data)


@pytest.mark.parametrize(
    "text",
    [
        r'"\ud800"',
        r'"\uDFFF"',
        r'"\ud800\ud800"',
        r'"\udc00\ud800"',
        r'{"\ud834": 1}',
        r'["\ud834\\udd1e"]',
        '"\ud800"',
    ],
)
def test_refuses_half_a_surrogate_pair(text: str) -> None:
    with pytest.raises(JSONError, match=r"a lone surrogate|not UTF-8"):
        loads(text)


def test_accepts_pairs_and_what_only_looks_like_half_a_pair() -> None:
    assert loads(rb'"\ud834\udd1e"') == "\U0001d11e"
    assert loads(rb'"\\ud834"') == r"\ud834"
    assert loads(rb'"\u00e9\\\ud83d\ude00"') == "é\\\U0001f600"


def test_nests_to_the_limit_and_no_further() -> None:
    assert loads(nested(MAX_DEPTH)) == json.loads(nested(MAX_DEPTH))
    with pytest.raises(JSONError, match=f"deeper than {MAX_DEPTH} levels"):
        loads(nested(MAX_DEPTH + 1))
    with pytest.raises(JSONError, match="deeper than"):
        loads('{"a":' * 100_000 + "1" + "}" * 100_000)


def test_brackets_in_strings_do_not_count_as_depth() -> None:
    text = json.dumps(["[" * 1000, '"' + "{[" * 100, "\\", "[" * 100, '\\"['])
    assert loads(text) == json.loads(text)


@given(VALUES)
def test_depth_and_number_are_those_of_the_value(value: object) -> None:
    def measure(item: object) -> tuple[int, int]:
        inside = item.values() if isinstance(item, dict) else item if isinstance(item, list) else None
        if inside is None:
            return 0, 0
        measured = [measure(one) for one in inside]
        return 1 + max((depth for depth, _ in measured), default=0), 1 + sum(number for _, number in measured)

    steps = strict_json._steps(json.dumps(value).encode())
    assert (steps.cumsum(dtype=int).max(initial=0), (steps == 1).sum()) == measure(value)


@pytest.mark.parametrize("one", ["[]", '{"a":"["}'])
def test_so_many_lists_and_objects_and_no_more(one: str) -> None:
    most = "[" + ",".join([one] * (MAX_CONTAINERS - 1)) + "]"
    assert loads(most) == json.loads(most)
    with pytest.raises(JSONError, match=f"more than {MAX_CONTAINERS} lists and objects"):
        loads(f"[{most}]")


def test_a_wide_document_is_not_deep() -> None:
    rows = [{"a": [1, 2], "b": {"c": "]]]"}}] * 2000
    assert loads(json.dumps(rows)) == rows


def test_hostile_megabytes_are_answered_quickly() -> None:
    half = 500_000
    for data in (b"[" * half * 2, nested(half).encode(), b"[[]" * half, b'["' * half, b"[\\" * half):
        with pytest.raises(JSONError):
            loads(data)


def test_a_stack_that_is_nearly_used_up_is_no_crash() -> None:
    def deeper(levels: int) -> object:
        return loads(nested(60)) if levels == 0 else deeper(levels - 1)

    outcome: list[object] = []

    def at_the_edge() -> None:
        for levels in range(sys.getrecursionlimit() - 120, sys.getrecursionlimit()):
            try:
                deeper(levels)
            except (JSONError, RecursionError) as error:
                outcome.append(error)

    thread = threading.Thread(target=at_the_edge)
    thread.start()
    thread.join()
    assert outcome


def test_numbers_beyond_a_float_are_json() -> None:
    assert loads("1e400") == float("inf")
    assert loads("1" + "0" * 400) == float("inf")


@pytest.mark.parametrize("number", [1 << 64, -(1 << 63) - 1, 10**30 + 1])
@pytest.mark.parametrize("beside", ["", "1e400"], ids=["orjson", "the standard library"])
def test_an_integer_beyond_64_bits_is_the_nearest_float_whoever_reads_it(number: int, beside: str) -> None:
    values = loads(f"[{number}, {beside or 1}]")
    assert isinstance(values, list)
    assert type(values[0]) is float
    assert values[0] == float(number)


@pytest.mark.parametrize("number", [(1 << 64) - 1, -(1 << 63), (1 << 53) + 1])
def test_integers_within_64_bits_are_exact(number: int) -> None:
    assert loads(f"[{number}]") == [number]
    assert loads(f"[{number}, 1e400]") == [number, float("inf")]


@pytest.mark.parametrize("filling", [" ", '"', " " * 5000], ids=["short", "a string", "long"])
def test_depth_is_counted_in_short_and_long_texts_alike(filling: str) -> None:
    deep = "[" * (MAX_DEPTH + 1)
    text = f'["{deep}"]' if filling == '"' else f"{filling}{deep}{']' * (MAX_DEPTH + 1)}"
    if filling == '"':
        assert loads(text) == [deep]
    else:
        with pytest.raises(JSONError, match="deeper than"):
            loads(text)


def test_an_integer_that_python_would_not_convert_is_refused() -> None:
    with pytest.raises(JSONError, match="too many digits"):
        loads("1" * 5000)


def test_the_last_of_two_equal_names_counts() -> None:
    assert loads('{"a": 1, "a": 2}') == {"a": 2}


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_escapes_of_any_text_come_back(text: str) -> None:
    escaped = re.sub(r"....", lambda units: "\\u" + units[0], text.encode("utf-16-be").hex())
    assert loads(f'"{escaped}"') == text


def test_so_many_strings_and_no_more():
    """A string of one byte takes fifty bytes of memory."""
    assert len(loads("[" + ",".join(['"a"'] * MAX_STRINGS) + "]")) == MAX_STRINGS
    with pytest.raises(JSONError, match=f"more than {MAX_STRINGS} strings"):
        loads("[" + ",".join(['"a"'] * (MAX_STRINGS + 1)) + "]")


def test_names_of_members_are_not_counted():
    row = "{" + ",".join(f'"n{number}":1' for number in range(70)) + "}"
    assert len(loads("[" + ",".join([row] * 8000) + "]")) == 8000
