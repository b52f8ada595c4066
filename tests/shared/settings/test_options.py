"""Every setting except a secret has an option, with its default and its limits in the help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from tests.runner import CliRunner
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.options import load_for_command, settings_options
from wsgi_core.shared.settings.sources import is_secret, option


@click.command()
@settings_options
def show(config: Path | None, **options: Any) -> None:
    loaded = load_for_command(config, options)
    click.echo(f"{loaded.settings.port} {loaded.settings.access_log} {loaded.settings.cors_origins}")


def test_every_setting_is_an_option_and_no_secret_is():
    names = {parameter.name for parameter in show.params}
    assert names == {"config", *(name for name in Settings.model_fields if not is_secret(name))}


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if not is_secret(name)])
def test_the_help_names_each_option_and_what_it_is(name: str):
    text = " ".join(CliRunner().invoke(show, ["--help"], terminal_width=300).output.split())
    assert option(name) in text
    description = " ".join(f"{Settings.model_fields[name].description}".split())
    assert description[:60] in text


def test_options_win_and_are_typed():
    done = CliRunner().invoke(show, ["--port", "81", "--access-log", "--cors-origins", "https://a.example.org"])
    assert done.output == "81 True ('https://a.example.org',)\n"


@pytest.mark.parametrize("args", [("--port", "70000"), ("--port", "x"), ("--threads", "0")])
def test_a_value_that_does_not_fit_ends_with_code_2_and_names_the_option(args: tuple[str, str]):
    done = CliRunner().invoke(show, args)
    assert done.exit_code == 2
    assert args[0].removeprefix("--") in done.output
