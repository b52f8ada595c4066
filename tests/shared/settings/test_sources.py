"""The settings: their sources, which source overrides which, and the errors for invalid values."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.sources import (
    ConfigurationError,
    Loaded,
    is_secret,
    load_settings,
    masked_values,
    option,
    variable,
)


@pytest.fixture(autouse=True)
def _an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "wsgi-core.toml") -> Path:
    """Write a configuration file into the current folder."""
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def load(environ: dict[str, str] | None = None, config: Path | None = None, **options: object) -> Loaded:
    return load_settings(options, config, environ or {})


def problems(environ: dict[str, str] | None = None, config: Path | None = None, **options: object) -> list[str]:
    """Return the problems of the settings."""
    with pytest.raises(ConfigurationError) as caught:
        load(environ, config, **options)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


# Sources


def test_without_any_source_the_defaults_hold():
    loaded = load()
    assert loaded.settings == Settings()
    assert loaded.file is None
    assert loaded.source("port") == "default"


def test_an_option_wins_over_the_environment_and_that_over_the_file():
    write("port = 1\nthreads = 2\nmax_waiting = 3\n")
    loaded = load({"WSGI_CORE_PORT": "4", "WSGI_CORE_THREADS": "5"}, port="6", threads=None)
    assert (loaded.settings.port, loaded.settings.threads, loaded.settings.max_waiting) == (6, 5, 3)
    assert [loaded.source(name) for name in ("port", "threads", "max_waiting")] == [
        "--port",
        "WSGI_CORE_THREADS",
        "wsgi-core.toml",
    ]


def test_the_file_is_the_one_named_then_the_variables_then_the_folders():
    write("port = 1\n")
    named, by_variable = write("port = 2\n", "a.toml"), write("port = 3\n", "b.toml")
    environ = {"WSGI_CORE_CONFIG": str(by_variable)}
    assert load().settings.port == 1
    assert load(environ).settings.port == 3
    assert load(environ, named).settings.port == 2


def test_a_byte_order_mark_before_the_file_does_not_matter():
    Path("wsgi-core.toml").write_bytes(b"\xef\xbb\xbfport = 7\r\n")
    assert load().settings.port == 7


def test_a_path_in_a_file_starts_from_the_files_folder():
    path = write('models = "models"\n', "etc/x.toml")
    assert load(config=path).settings.models == Path("etc/models")
    assert load({"WSGI_CORE_MODELS": "models"}).settings.models == Path("models")


def test_what_an_environment_says_in_text_becomes_what_the_schema_has():
    settings = load(
        {
            "WSGI_CORE_ACCESS_LOG": "true",
            "WSGI_CORE_TRUSTED_HOSTS": "a.test, .b.test",
            "WSGI_CORE_REQUEST_TIMEOUT": "2.5",
            "WSGI_CORE_THREADS": "",
        }
    ).settings
    assert settings.access_log is True
    assert settings.trusted_hosts == ("a.test", ".b.test")
    assert settings.request_timeout == 2.5
    assert settings.threads == Settings().threads


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WSGI_CORE_PORT", "9")
    assert load_settings().settings.port == 9


def test_what_else_begins_with_the_prefix_is_no_setting():
    """For example, the cache folder, and the variables that Kubernetes sets for a Service called wsgi-core."""
    links = {
        "WSGI_CORE_SERVICE_HOST": "10.0.0.1",
        "WSGI_CORE_SERVICE_PORT": "80",
        "WSGI_CORE_SERVICE_PORT_HTTP": "80",
        "WSGI_CORE_PORT": "tcp://10.0.0.1:80",
        "WSGI_CORE_PORT_80_TCP": "tcp://10.0.0.1:80",
        "WSGI_CORE_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert load({"WSGI_CORE_CACHE": "/x", **links}).settings == Settings()


# Invalid values


def test_a_misspelt_name_is_an_error_that_names_the_nearest():
    write("treads = 2\n")
    assert problems({"WSGI_CORE_PROT": "1"}) == [
        "wsgi-core.toml: there is no setting 'treads'; the nearest is threads",
        "WSGI_CORE_PROT: there is no such setting; the nearest is WSGI_CORE_PORT",
    ]


def test_a_name_that_is_near_to_none_is_an_error_too():
    write("[zzz]\nport = 1\n")
    assert problems() == ["wsgi-core.toml: there is no setting 'zzz'"]


def test_a_variable_in_small_letters_is_no_setting():
    (problem,) = problems({"WSGI_CORE_port": "1"})
    assert problem.endswith("the nearest is WSGI_CORE_PORT")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 70000", "port: input should be less than or equal to 65535, not 70000"),
        ('port = "8080"', "port: input should be a valid integer, not '8080'"),
        ("port = true", "port: input should be a valid integer, not True"),
        ("trusted_hosts = [1]", "trusted_hosts: 0: input should be a valid string, not 1"),
        ("threads = 2026-01-01", "threads: input should be a valid integer, not '2026-01-01'"),
        ("framework = 'django'", "framework: input should be 'wsgi_core' or 'flask', not 'django'"),
    ],
)
def test_a_wrong_value_in_a_file_says_where_and_why(text: str, said: str):
    write(text)
    assert problems() == [f"wsgi-core.toml: {said}"]


def test_an_empty_text_is_told_in_plain_words():
    with pytest.raises(ConfigurationError, match=r"^--host: must not be empty$"):
        load_settings({"host": ""}, environ={})


def test_every_problem_of_every_source_is_told_at_once():
    write("port = 'x'\n")
    told = problems({"WSGI_CORE_THREADS": "0"}, max_waiting="-1")
    assert [problem.partition(":")[0] for problem in told] == ["wsgi-core.toml", "WSGI_CORE_THREADS", "--max-waiting"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("API_KEY", "tooshort", "value should have at least 16 items after validation, not 8"),
        ("WEBHOOK_SECRETS", "tooshort", "input should be a valid dictionary"),
        ("WEBHOOK_SECRETS", "crm=0123456789abcdef,tooshort", "input should be a valid dictionary"),
        ("WEBHOOK_SECRETS", "crm=0123456789abcdef,x=tooshort", "entry 2: value should have at least 16 items"),
        ("WEBHOOK_SECRETS", "too short=0123456789abcdef", "entry 1, its name: string should match pattern"),
        ("WEBHOOK_SECRETS", "tooshort=", "entry 1: value should have at least 16 items"),
        ("CHAT_URL", "http://me:tooshort@localhost/v1", "not 'http://***@localhost/v1'"),
    ],
)
def test_a_secret_is_never_repeated(name: str, text: str, said: str):
    (problem,) = problems({f"WSGI_CORE_{name}": text})
    assert said in problem
    assert "tooshort" not in problem
    assert "too short" not in problem
    assert "0123456789abcdef" not in problem


def test_nor_is_one_in_a_file():
    write('api_key = 1\nwebhook_secrets = "tooshort"\n')
    assert problems() == [
        "wsgi-core.toml: api_key: input should be a valid string",
        "wsgi-core.toml: webhook_secrets: input should be an object",
    ]
    write('[webhook_secrets]\ncrm = "0123456789abcdef"\n"too short" = 7\n')
    told = problems()
    assert "wsgi-core.toml: webhook_secrets: entry 2: input should be a valid string" in told
    assert "too short" not in "".join(told)


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfep\x00", None])
def test_a_file_that_cannot_be_read_is_one_clear_error(content: bytes | None):
    path = Path("x.toml")
    if content is not None:
        path.write_bytes(content)
    (problem,) = problems(config=path)
    assert problem.startswith("x.toml: ")


# Names


def test_a_setting_has_the_same_name_everywhere():
    assert variable("max_waiting") == "WSGI_CORE_MAX_WAITING"
    assert option("max_waiting") == "--max-waiting"


def test_secrets_are_known_and_masked():
    assert is_secret("api_key")
    assert not is_secret("port")
    assert "0123456789abcdef" not in str(masked_values(Settings(api_key=SecretStr("0123456789abcdef"))))


def test_every_setting_says_what_it_is():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


# A file that was found in the current folder, but not named


@pytest.mark.parametrize(
    ("secret", "place", "value"),
    [
        ("chat_key", "chat_url", "https://evil.example/v1"),
        ("job_store_password", "job_store", "redis://evil.example/0"),
    ],
)
def test_a_secret_of_the_environment_is_not_sent_where_a_found_file_says(secret: str, place: str, value: str):
    file = write(f"{place} = '{value}'\n")
    environ = {variable(secret): "0123456789abcdef"}
    (problem,) = problems(environ)
    assert problem.startswith(f"{variable(secret)}: would be sent to the {place} of ")
    assert "0123456789abcdef" not in problem
    assert not load(environ, file).found, "a file that is named is trusted"
    assert not load({**environ, "WSGI_CORE_CONFIG": str(file)}).found
    assert load({**environ, variable(place): value}).found
    write(f"{place} = '{value}'\n{secret} = '0123456789abcdef'\n")
    assert load({}).found, "a secret of the file itself is sent where the file says"


@pytest.mark.parametrize(
    "text",
    [
        "app = 'evil:app'",
        "custom_op_libraries = ['evil.so']",
        "provider_options = {qnn = {backend_path = 'evil.so'}}",
        "model_settings = {churn = {custom_op_libraries = ['evil.so']}}",
    ],
)
@pytest.mark.parametrize("secret", ["api_key", "chat_key", "job_store_password", "webhook_secrets"])
def test_a_secret_of_the_environment_is_not_given_to_code_that_a_found_file_names(text: str, secret: str):
    file = write(text + "\n")
    environ = {variable(secret): "crm=0123456789abcdef" if secret == "webhook_secrets" else "0123456789abcdef"}
    (problem,) = problems(environ)
    assert problem.startswith(f"{variable(secret)}: could be read by the code that {text.split()[0]} names in ")
    assert "0123456789abcdef" not in problem
    assert not load(environ, file).found, "a file that is named is trusted"
    assert load({}).found
    write("model_settings = {churn = {intra_op_threads = 2}}\napp = ''\n".replace("app = ''\n", ""))
    assert load(environ).found
