"""The runtime settings: a model's own override the service's, which come from a file, the environment or options."""

from __future__ import annotations

import json
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from pydantic import ValidationError

from tests.processes import run
from wsgi_core.inference import RuntimeSettings
from wsgi_core.inference.settings import path_text
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.sources import ConfigurationError, Loaded, load_settings
from wsgi_core.shared.settings.variables import as_variables

FILE = """
execution_providers = ["cuda", "cpu"]
custom_op_libraries = ["ops/a.so", "/abs/b.so"]
session_options = { "session.intra_op.allow_spinning" = 0 }

[provider_options.cuda]
device_id = 1

[model_settings.minilm]
execution_providers = ["openvino"]
intra_op_threads = 4
custom_op_libraries = ["own.so"]
"""


def load(tmp_path: Path, text: str = "", environ: dict[str, str] | None = None, **options: object) -> Loaded:
    file = tmp_path / "conf" / "wsgi-core.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return load_settings(options, file, environ or {})


def test_the_file_has_tables_for_providers_and_models(tmp_path: Path) -> None:
    settings = load(tmp_path, FILE).settings
    folder = tmp_path / "conf"
    assert settings.execution_providers == ("cuda", "cpu")
    assert settings.provider_options == {"cuda": {"device_id": 1}}
    assert settings.custom_op_libraries == (folder / "ops" / "a.so", folder / "/abs/b.so")
    own = settings.model_settings["minilm"]
    assert own == RuntimeSettings(
        execution_providers=("openvino",), intra_op_threads=4, custom_op_libraries=(folder / "own.so",)
    )
    merged = settings.overridden(own)
    assert (merged.execution_providers, merged.intra_op_threads, merged.session_options) == (
        ("openvino",),
        4,
        {"session.intra_op.allow_spinning": 0},
    )
    assert merged.provider_options == settings.provider_options


def test_variables_and_options_have_them_as_text(tmp_path: Path) -> None:
    environ = {
        "WSGI_CORE_EXECUTION_PROVIDERS": "openvino, cpu",
        "WSGI_CORE_PROVIDER_OPTIONS": '{"openvino": {"device_type": "CPU"}}',
        "WSGI_CORE_MODEL_SETTINGS": '{"churn": {"intra_op_threads": 2}}',
    }
    settings = load(tmp_path, "", environ, session_options="a=1,b=x", intra_op_threads="3").settings
    assert settings.execution_providers == ("openvino", "cpu")
    assert settings.provider_options == {"openvino": {"device_type": "CPU"}}
    assert settings.model_settings["churn"].model_fields_set == {"intra_op_threads"}
    assert (settings.session_options, settings.intra_op_threads) == ({"a": "1", "b": "x"}, 3)


def test_what_a_process_is_handed_on_is_read_as_it_was(tmp_path: Path) -> None:
    loaded = load(tmp_path, FILE)
    again = load(tmp_path, "", as_variables(loaded, has_files=False)).settings
    assert again == loaded.settings
    assert again.model_settings["minilm"].model_fields_set == loaded.settings.model_settings["minilm"].model_fields_set


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (PureWindowsPath("/srv/models"), "/srv/models"),
        (PureWindowsPath("ops/a.so"), "ops/a.so"),
        (PureWindowsPath(r"C:\models"), r"C:\models"),
        (PureWindowsPath(r"\\server\share\models"), r"\\server\share\models"),
        (PurePosixPath("/srv/a\\b"), "/srv/a\\b"),
    ],
)
def test_a_path_without_a_drive_is_written_with_slashes_on_windows(path: PurePath, text: str) -> None:
    assert path_text(path) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("execution_providers = []", "execution_providers: tuple should have at least 1 item"),
        ('execution_providers = ["../cpu"]', "execution_providers: 0: string should match pattern"),
        ('graph_optimization = "most"', "graph_optimization: input should be 'disabled', 'basic', 'extended' or 'all'"),
        ("intra_op_threads = -1", "intra_op_threads: input should be greater than or equal to 0"),
        ("[model_settings.churn]\nintra_op_thread = 1", "model_settings: churn.intra_op_thread: extra inputs are not"),
        ("[provider_options.cuda]\ndevice_id = [1]", "provider_options: cuda.device_id"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, text)
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", "cuda", '{"cuda": 1}'])
def test_a_variable_that_is_not_a_table_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="WSGI_CORE_PROVIDER_OPTIONS"):
        load(tmp_path, "", {"WSGI_CORE_PROVIDER_OPTIONS": text})


def test_the_defaults_can_be_shown_as_json() -> None:
    assert json.loads(Settings().model_dump_json())["execution_providers"] == ["cpu"]


def test_a_models_own_settings_override_only_what_they_give() -> None:
    service = RuntimeSettings(intra_op_threads=4, graph_optimization="basic")
    assert service.overridden(None) == service
    assert service.overridden(RuntimeSettings()) == service
    own = RuntimeSettings(intra_op_threads=1)  # the default value, but set explicitly
    assert service.overridden(own) == RuntimeSettings(intra_op_threads=1, graph_optimization="basic")
    assert service.intra_op_threads == 4


@pytest.mark.parametrize("given", [{"threads": 1}, {"intra_op_threads": 1025}, {"provider_options": {"a b": {}}}])
def test_what_onnxruntime_does_not_have_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RuntimeSettings.model_validate(given)


def test_the_module_is_imported_without_numpy_or_onnxruntime() -> None:
    done = run("-c", "import sys, wsgi_core.inference.settings; print({'numpy', 'onnxruntime'} & set(sys.modules))")
    assert done.stdout.strip() == "set()", done.stderr
