"""Click's test runner with the behaviour of Click 8.2, for every version of Click that the project supports."""

from __future__ import annotations

import contextvars
import inspect
import typing as t

import click.testing

OLD = "mix_stderr" in inspect.signature(click.testing.CliRunner).parameters


class BothStreams(click.testing.Result):
    """A result of Click 8.1 whose ``output`` has stdout and then stderr. In Click 8.2, ``output`` has both, too."""

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


class CliRunner(click.testing.CliRunner):
    """A runner that captures stdout and stderr separately.

    Click 8.1 leaves a context open after ``--help``. This runner closes it with the call.
    """

    def __init__(self, **options: t.Any) -> None:
        super().__init__(**options, **({"mix_stderr": False} if OLD else {}))

    def invoke(self, *args: t.Any, **options: t.Any) -> click.testing.Result:
        if not OLD:
            return super().invoke(*args, **options)
        result = contextvars.copy_context().run(super().invoke, *args, **options)
        result.__class__ = BothStreams
        return result
