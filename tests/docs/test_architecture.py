"""The picture of the architecture shows the actual imports, and a layer imports only layers below it."""

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
        # In px: the widest letter of a name (bold, 15 px), and any letter of a library (12 px, monospace).
        end, begin = 14 + 9.5 * len(name), BOX - 10 - 7.3 * len(" ".join(used))
        assert end < begin, name
