"""The settings with which onnxruntime runs a model.

This module must not import onnxruntime or NumPy, because processes that run no model also import this module.
"""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

Options = dict[str, str | int]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


def path_text(path: PurePath) -> str:
    """Return `path` as text. A Windows path without a drive gets slashes, so that the text is also valid on Linux."""
    return str(path) if path.drive else path.as_posix()


PortablePath = Annotated[Path, PlainSerializer(path_text, when_used="json")]


class RuntimeSettings(BaseModel):
    """The settings with which onnxruntime runs a model.

    The service's `Settings` have the same fields, which apply to all models. The service's setting `model_settings`
    overrides these fields for single models.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    execution_providers: tuple[Name, ...] = Field(
        default=("cpu",), min_length=1,
        description="onnxruntime's execution providers in order of preference (cuda, tensorrt, directml, openvino,"
        " coreml, cpu ...). Without cpu in the list, a model that needs the CPU for some operators is refused.",
    )  # fmt: skip
    provider_options: dict[Name, Options] = Field(
        default={}, description="Options for each execution provider, with onnxruntime's names."
    )
    intra_op_threads: int = Field(
        default=1,
        ge=0,
        le=1024,
        description="Number of threads that compute one operator of a model; 0: onnxruntime decides.",
    )
    inter_op_threads: int = Field(
        default=1,
        ge=0,
        le=1024,
        description="Number of operators of a model that run in parallel; 0: onnxruntime decides.",
    )
    graph_optimization: Literal["disabled", "basic", "extended", "all"] = Field(
        default="all", description="How much onnxruntime optimizes the graph of a model when it loads the model."
    )
    session_options: Options = Field(
        default={}, description="Other session options of onnxruntime, for example session.intra_op.allow_spinning=0."
    )
    custom_op_libraries: tuple[PortablePath, ...] = Field(
        default=(), description="Libraries with custom operators, which are loaded with each model."
    )

    def overridden(self, own: RuntimeSettings | None) -> RuntimeSettings:
        """Return a copy of these settings, overridden by the values that are set in `own`."""
        given = {name: getattr(own, name) for name in own.model_fields_set} if own else {}
        return self.model_copy(update=given)


DEFAULTS = RuntimeSettings()
