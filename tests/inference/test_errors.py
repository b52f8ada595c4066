"""The text of an error is one line of limited length, and an input error also has a list of its invalid fields."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from wsgi_core.inference import InputError, InvalidFeatures, MissingFeatures, ModelError, RuntimeSettings
from wsgi_core.inference.errors import one_line, quoted


def test_a_model_error_begins_with_the_file_to_blame() -> None:
    error = ModelError("no such file", Path("models/churn"))
    assert str(error) == f"{Path('models/churn')}: no such file"
    assert (error.reason, error.path) == ("no such file", Path("models/churn"))
    assert str(ModelError("no such file")) == "no such file"


@pytest.mark.parametrize("kind", [InputError, InvalidFeatures, MissingFeatures])
def test_the_fields_of_an_input_error_are_a_list_of_its_own(kind: type[InputError]) -> None:
    fields = [{"field": "a", "message": "is missing"}]
    error = kind("a is missing", fields)
    fields.clear()
    assert error.fields == [{"field": "a", "message": "is missing"}]
    assert (kind("x").fields, str(error)) == ([], "a is missing")


@given(st.text())
def test_a_quoted_name_is_a_short_line(name: str) -> None:
    text = quoted(name)
    assert "\n" not in text
    assert len(name) > 100 or text == repr(name)
    assert text[1:-1].endswith("...") or len(name) <= 100


def test_the_line_of_an_oserror_has_no_path(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011
        (tmp_path / "missing").read_bytes()
    assert one_line(caught.value) == "No such file or directory"
    assert tmp_path.name in str(caught.value)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\n  second\tthird"), "first second third"),
        (ValueError("x" * 1000), "x" * 200),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
def test_an_error_is_one_line_of_at_most_200_characters(error: Exception, line: str) -> None:
    assert one_line(error) == line


def test_a_validation_error_names_each_place_in_full() -> None:
    with pytest.raises(ValidationError) as caught:
        RuntimeSettings.model_validate({"intra_op_threads": -1, "wrong" * 50: 1})
    line = one_line(caught.value)
    assert line.startswith("intra_op_threads: Input should be greater than or equal to 0; ")
    assert f"{'wrong' * 50}: Extra inputs are not permitted" in line
