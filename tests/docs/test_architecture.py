"""The picture of the architecture shows the actual imports, and all of them go down."""

from __future__ import annotations

from tests.docs.architecture import BOX, NAMES, PICTURE, imports, libraries, picture


def test_the_picture_is_current():
    assert PICTURE.read_text(encoding="utf-8") == picture()


def test_every_import_goes_down():
    assert [pair for pair in imports() if NAMES.index(pair[0]) > NAMES.index(pair[1])] == []


def test_flask_is_for_the_twin_and_for_what_measures_it():
    assert [name for name, used in libraries().items() if "flask" in used] == ["loadtests", "flask_equiv"]


def test_no_name_is_printed_over_the_libraries_beside_it():
    for name, used in libraries().items():
        # The widest letter of a bold name of 15 px, and every letter of a library's of 12 px.
        end, begin = 14 + 9.5 * len(name), BOX - 10 - 7.3 * len(" ".join(used))
        assert end < begin, name
