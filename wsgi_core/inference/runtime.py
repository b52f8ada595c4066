"""onnxruntime: its execution providers, its sessions, and its error messages.

onnxruntime is imported on first use, because the import is slow. An execution provider is the part of onnxruntime that
runs a model on one kind of hardware.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .errors import ModelError, one_line
from .settings import DEFAULTS, RuntimeSettings
from .tensors import NUMPY_TYPES

log = logging.getLogger(__name__)

CPU = "CPUExecutionProvider"

PACKAGES = {
    "CUDA": "onnxruntime-gpu",
    "Tensorrt": "onnxruntime-gpu",
    "NvTensorRTRTX": "onnxruntime-trt-rtx",
    "Dml": "onnxruntime-directml",
    "OpenVINO": "onnxruntime-openvino",
    "CoreML": "onnxruntime on macOS",
    "QNN": "onnxruntime-qnn",
    "MIGraphX": "onnxruntime-migraphx",
    "ROCM": "onnxruntime-rocm",
    "CANN": "onnxruntime-cann",
    "WebGpu": "onnxruntime-webgpu",
}
"""Maps the short name of an execution provider to the package that contains the provider.

CoreML is only in the macOS version of the package `onnxruntime`.
"""

_OTHER_NAMES = {"directml": "dml", "trt": "tensorrt"}

# Log severity 4 (FATAL): onnxruntime also raises its errors as exceptions, so the errors need not be logged.
_FATAL_ONLY = 4

_LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


class Provider(NamedTuple):
    """An execution provider that onnxruntime knows.

    installed: whether the installed onnxruntime contains the provider
    package: the package that contains the provider, or an empty string if the package is not known
    """

    name: str
    installed: bool
    package: str


def providers() -> list[Provider]:
    """Return all execution providers that onnxruntime knows, the installed providers first."""
    runtime = import_runtime()
    installed = runtime.get_available_providers()
    names = [*installed, *(name for name in runtime.get_all_providers() if name not in installed)]
    return [Provider(name, name in installed, _package(name)) for name in names]


def open_session(path: Path, settings: RuntimeSettings = DEFAULTS) -> Any:
    """Open an onnxruntime session for the model file `path`.

    If the execution providers in `settings` fail, and the CPU is one of them but not the first, use the CPU alone.
    Raises `ModelError` if the session cannot be opened.
    """
    runtime = import_runtime()
    names = [_full_name(name, path) for name in settings.execution_providers]
    given = {_full_name(name, path): options for name, options in settings.provider_options.items()}
    wanted = [(name, {key: str(value) for key, value in given.get(name, {}).items()}) for name in names]
    try:
        options = _session_options(runtime, settings, may_use_cpu=CPU in names)
        weights = _external_data(path)  # onnxruntime reads these buffers until the session is created
        if weights:
            sizes = [len(data) for data in weights.values()]
            options.add_external_initializers_from_files_in_memory([*weights], [*weights.values()], sizes)
        try:
            return _create(runtime, path, options, wanted)
        except Exception as error:
            if names[0] == CPU or CPU not in names:
                raise
            log.warning("%s: %s cannot be used: %s", path, names[0], reason_of(error))
            return _create(runtime, path, options, [(CPU, {})])
    except Exception as error:  # onnxruntime's exceptions have no narrower common base class
        reason = f"cannot be loaded as a model: {reason_of(error)}; build it again or remove it"
        raise ModelError(reason, path) from error


def _create(runtime: Any, path: Path, options: Any, wanted: Sequence[tuple[str, Mapping[str, str]]]) -> Any:
    """Create a session. onnxruntime's own fallback to other providers is disabled, because it prints to stdout."""
    session = runtime.InferenceSession(path, options, providers=wanted, enable_fallback=0)
    session.disable_fallback()
    return session


def _session_options(runtime: Any, settings: RuntimeSettings, *, may_use_cpu: bool) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = settings.intra_op_threads
    options.inter_op_num_threads = settings.inter_op_threads
    if settings.inter_op_threads != 1:
        options.execution_mode = runtime.ExecutionMode.ORT_PARALLEL
    options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, _LEVELS[settings.graph_optimization])
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if not may_use_cpu:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    for name, value in settings.session_options.items():
        options.add_session_config_entry(name, str(value))
    for library in settings.custom_op_libraries:
        options.register_custom_ops_library(str(library))
    return options


def _external_data(path: Path) -> dict[str, bytes]:
    """Return the contents of the model's external data files, by path relative to the model's folder.

    A file counts as external data if its name occurs in the file `path`. The files are read into memory. onnxruntime
    would memory-map the files, and a change to a mapped file would change the predictions or kill the process.
    """
    graph = path.read_bytes()
    files = [file for file in path.parent.rglob("*") if file != path and file.name.encode() in graph and file.is_file()]
    return {file.relative_to(path.parent).as_posix(): file.read_bytes() for file in files}


def nodes_by_provider(session: Any) -> dict[str, int]:
    """Return the number of graph nodes that each execution provider runs, the largest number first."""
    counts: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        counts[part.ep_name] = counts.get(part.ep_name, 0) + len(part.get_nodes())
    if not counts:  # the optimizer has removed all nodes
        return {session.get_providers()[0]: 0}
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def first_choice(settings: RuntimeSettings) -> str:
    """Return the full name of the preferred execution provider.

    Raises `ModelError` if the provider is unknown or not installed.
    """
    return _full_name(settings.execution_providers[0], None)


@cache
def import_runtime() -> Any:
    """Import onnxruntime and return the module. Raises `ModelError` if the import fails."""
    # NOTE: onnxruntime reads this variable during its import. Without the variable, it writes a device id and a
    # database into the user's cache folder. disable_telemetry_events() can only be called after the import.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"onnxruntime cannot be imported: {one_line(error)}; install onnxruntime with pip, "
            "and on Windows also a recent Visual C++ runtime, for example with pip install msvc-runtime"
        ) from error
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    return onnxruntime


def _full_name(name: str, path: Path | None) -> str:
    """Return the full name of an execution provider, such as `CPUExecutionProvider` for `cpu`.

    Raises `ModelError` if the provider is unknown or not installed.
    """
    short = name.lower().removesuffix("executionprovider")
    short = _OTHER_NAMES.get(short, short)
    known = {each.name.lower().removesuffix("executionprovider"): each for each in providers()}
    if short not in known:
        raise ModelError(f"there is no execution provider {name!r}; onnxruntime knows {', '.join(known)}", path)
    provider = known[short]
    if not provider.installed:
        raise ModelError(
            f"{provider.name} is not in the installed onnxruntime; install {provider.package or 'another build'} "
            "instead",
            path,
        )
    return provider.name


def _package(name: str) -> str:
    return PACKAGES.get(name.removesuffix("ExecutionProvider"), "onnxruntime" if name == CPU else "")


# Bfloat16


class BFloat16Session:
    """A wrapper around an onnxruntime session for a model with bfloat16 inputs or outputs.

    The arrays contain the 16 bits of each bfloat16 number, because NumPy has no bfloat16.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(self, outputs: Sequence[str], feed: Mapping[str, Any], options: Any = None) -> list[Any]:
        """Run the model, as `InferenceSession.run` of onnxruntime does."""
        values = {name: self._to_value(array) for name, array in feed.items() if array is not None}
        return [self._to_array(value) for value in self._session.run_with_ort_values(outputs, values, options)]

    def _to_value(self, array: Any) -> Any:
        value = import_runtime().OrtValue
        if array.dtype != NUMPY_TYPES["BF16"]:
            return value.ortvalue_from_numpy(array)
        bits = np.ascontiguousarray(array).view(np.uint16)
        return value.ortvalue_from_numpy_with_onnx_type(bits, _ONNX_BFLOAT16)

    def _to_array(self, value: Any) -> Any:
        if value.data_type() != "tensor(bfloat16)":
            return value.numpy()
        raw = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
        return np.frombuffer(raw, NUMPY_TYPES["BF16"]).reshape(value.shape())


_ONNX_BFLOAT16 = 16  # TensorProto.DataType.BFLOAT16 in onnx.proto


# Error messages

_OUT_OF_MEMORY = re.compile(r"failed to allocate memory|bad_alloc|out of memory|OUT_OF_MEMORY|not enough memory", re.I)
_CODE = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
_NODE = re.compile(r"while running (?P<op>\S+) node\. Name:'(?P<name>[^']*)'")
# A C++ file and line number, followed by the function: its name, or its declaration with arguments.
_FRAME = re.compile(
    r"\S+\.(?:cc|cpp|cu|cuh|h|hpp):\d+ "
    r"(?:[^()]*?[\w>)]\((?:[^()]|\([^()]*\))*\)(?: const)?(?: \[with [^\]]*\])? |[\w:~<>]+ )?"
)
_CONDITION = re.compile(r"^.*? was false\. ?")
_CPLUSPLUS = re.compile(r"\S*::\S*")
# An absolute path without its last component: a drive, two backslashes or a slash, then folders. The name of a folder
# must not end with a space or an apostrophe. Otherwise, two paths in a text would be read as one path.
_FOLDERS = re.compile(
    r"(?:(?<![A-Za-z])[A-Za-z]:[\\/]|\\\\|(?<![\w.<>)\]}~])/)[\\/]*"
    r"(?:(?:[^\\/:\"]|:(?![\\/\s]))*[^\\/:\"'\s(\[<=,;][\\/]+)*"
    r"(?=[^\\/\s:\"';,)])"
)


def reason_of(error: Exception) -> str:
    """Return the message of an onnxruntime error on one line, without log codes, C++ stack frames or absolute paths.

    The message is cut after 200 characters. If the error names the node that failed, the line begins with the node.
    """
    if isinstance(error, OSError):
        return one_line(error)
    text = _CODE.sub("", " ".join(f"{error}".split()))
    node = _NODE.search(text)
    text = _CODE.sub("", text.rpartition("Status Message: ")[2])
    if _FRAME.search(text):
        text = _CONDITION.sub("", _FRAME.sub("", text))
    text = without_paths(_CPLUSPLUS.sub("", text))
    text = " ".join(text.split())[:200] or "onnxruntime gives no reason"
    if node is None:
        return text
    return f"node {node['name']!r} ({node['op']}): {text}" if node["name"] else f"{node['op']}: {text}"


def without_paths(text: str) -> str:
    """Replace each absolute path in `text` with its last component.

    If the end of a path is unclear, the words after the path can be removed too.
    """
    return _FOLDERS.sub("", text)


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory could not be allocated."""
    return isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(f"{error}") is not None
