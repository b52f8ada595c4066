"""click's test runner with the behaviour of click 8.2, on every version of click that the package accepts."""

from __future__ import annotations

import contextvars
import inspect
import typing as t

import click.testing

OLD = "mix_stderr" in inspect.signature(click.testing.CliRunner).parameters


class BothStreams(click.testing.Result):
    """A result of click 8.1 whose ``output`` holds stdout and stderr, as it does since click 8.2."""

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


class CliRunner(click.testing.CliRunner):
    """Captures stderr apart from stdout. A context that click 8.1 leaves open after ``--help`` ends with the call."""

    def __init__(self, **options: t.Any) -> None:
        super().__init__(**options, **({"mix_stderr": False} if OLD else {}))

    def invoke(self, *args: t.Any, **options: t.Any) -> click.testing.Result:
        if not OLD:
            return super().invoke(*args, **options)
        result = contextvars.copy_context().run(super().invoke, *args, **options)
        result.__class__ = BothStreams
        return result
