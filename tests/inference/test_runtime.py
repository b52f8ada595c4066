"""Execution providers, the settings of a session, and the errors of onnxruntime."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.inference.test_repository import add
from tests.inference.test_tensors import build, helper, tensor
from wsgi_core.inference import (
    InputError,
    InvalidTensors,
    Model,
    ModelError,
    ModelRepository,
    OutOfMemory,
    default_models_dir,
)
from wsgi_core.inference.runtime import import_runtime, is_out_of_memory, providers, reason_of, without_paths
from wsgi_core.inference.settings import DEFAULTS, RuntimeSettings

ONNXRUNTIME = tuple(map(int, import_runtime().__version__.split(".")[:2]))
CHURN = default_models_dir() / "churn" / "1" / "model.onnx"


def load(**settings: Any) -> Model:
    return Model("churn", "1", CHURN, None, settings=RuntimeSettings(**settings))


# Execution providers


def test_the_installed_providers_are_listed_first() -> None:
    found = providers()
    assert {provider.name for provider in found if provider.installed} == set(
        import_runtime().get_available_providers()
    )
    assert [provider.installed for provider in found] == sorted((p.installed for p in found), reverse=True)
    packages = {provider.name: provider.package for provider in found}
    assert packages["CUDAExecutionProvider"] == packages["TensorrtExecutionProvider"] == "onnxruntime-gpu"
    assert packages["OpenVINOExecutionProvider"] == "onnxruntime-openvino"
    assert packages["DmlExecutionProvider"] == "onnxruntime-directml"


@pytest.mark.parametrize("name", ["cpu", "CPU", "CPUExecutionProvider"])
def test_a_provider_has_a_short_name(name: str) -> None:
    model = load(execution_providers=(name,))
    assert model.nodes == {"CPUExecutionProvider": 1}
    assert model.warnings == []


@pytest.mark.parametrize(
    ("name", "package"), [("cuda", "onnxruntime-gpu"), ("directml", "onnxruntime-directml"), ("trt", "onnxruntime-gpu")]
)
def test_a_provider_that_is_missing_names_its_package(name: str, package: str) -> None:
    if any(provider.installed and package == provider.package for provider in providers()):
        pytest.skip(f"{package} is installed")
    with pytest.raises(ModelError, match=rf"is not in the installed onnxruntime; install {package} instead") as error:
        load(execution_providers=(name, "cpu"))
    assert error.value.path == CHURN


def test_a_provider_that_does_not_exist_is_refused_with_the_names_that_do() -> None:
    with pytest.raises(ModelError, match=r"there is no execution provider 'cudda'; onnxruntime knows .*, cuda"):
        load(execution_providers=("cudda",))
    with pytest.raises(ModelError, match="there is no execution provider 'cudda'"):
        load(provider_options={"cudda": {"device_id": "0"}})


OTHERS = [provider.name for provider in providers() if provider.installed and "CPU" not in provider.name]


@pytest.mark.skipif(not OTHERS, reason="onnxruntime has the CPU alone")
def test_a_model_that_falls_back_says_so(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """The package onnxruntime for Linux has the Azure provider, which cannot run the nodes of an ordinary model."""
    add(tmp_path, "churn")
    settings = RuntimeSettings(execution_providers=(OTHERS[0], "cpu"))
    model = ModelRepository(tmp_path, settings=settings).get("churn")
    assert model.nodes == {"CPUExecutionProvider": 1}
    (warning,) = model.warnings
    assert warning == f"{OTHERS[0]} runs no node of the model; the model runs on CPUExecutionProvider"
    assert [record.getMessage() for record in caplog.records] == [f"churn/1: {warning}"]
    assert model.run(np.zeros((2, 5), np.float32)).shape == (2,)


@pytest.mark.skipif(not OTHERS, reason="onnxruntime has the CPU alone")
def test_without_the_cpu_in_the_list_a_model_that_needs_it_is_refused() -> None:
    with pytest.raises(ModelError, match="fallback to CPU EP has been explicitly disabled"):
        load(execution_providers=(OTHERS[0],))


# Settings of a session


def test_every_setting_reaches_the_session(tmp_path: Path) -> None:
    settings = RuntimeSettings(
        intra_op_threads=2,
        inter_op_threads=3,
        graph_optimization="disabled",
        session_options={"session.intra_op.allow_spinning": 0},
    )
    model = Model("churn", "1", CHURN, None, settings=settings)
    options = model._session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 3)
    assert options.graph_optimization_level.name == "ORT_DISABLE_ALL"
    assert options.execution_mode.name == "ORT_PARALLEL"
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_the_optimizer_can_be_turned_off(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in (("x", "y"), ("y", "z"), ("z", "w"))]
    build(tmp_path / "model.onnx", nodes, [tensor("x", "FP32", ["N"])], [tensor("w", "FP32", ["N"])])

    def count(level: Any) -> int:
        settings = RuntimeSettings(graph_optimization=level)
        return sum(Model("demo", "1", tmp_path / "model.onnx", None, settings=settings).nodes.values())

    assert count("disabled") == 3
    assert count("all") < 3


def test_a_model_may_have_settings_of_its_own(tmp_path: Path) -> None:
    add(tmp_path, "churn")
    add(tmp_path, "identity")
    settings = RuntimeSettings(intra_op_threads=2, session_options={"session.x": "1"})
    own = {"churn": RuntimeSettings(intra_op_threads=3)}
    models = ModelRepository(tmp_path, settings=settings, own_settings=own)
    assert models.get("churn").settings == settings.model_copy(update={"intra_op_threads": 3})
    assert models.get("identity").settings == settings
    with pytest.raises(ModelError, match="model_settings: there is no model 'chrun'; available: churn, identity"):
        ModelRepository(tmp_path, own_settings={"chrun": RuntimeSettings()})


@pytest.mark.parametrize("content", [None, b"not a library"])
def test_a_library_of_operators_that_cannot_be_loaded_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    library = tmp_path / "custom.so"
    if content:
        library.write_bytes(content)
    with pytest.raises(ModelError) as error:
        load(custom_op_libraries=(library,))
    assert str(tmp_path) not in error.value.reason
    assert "\n" not in error.value.reason


def test_a_library_of_operators_is_loaded_with_the_model(tmp_path: Path) -> None:
    extensions = pytest.importorskip("onnxruntime_extensions")
    node = helper.make_node("StringUpper", ["a"], ["b"], domain="ai.onnx.contrib")
    graph = helper.make_graph([node], "demo", [tensor("a", "BYTES", ["N"])], [tensor("b", "BYTES", ["N"])])
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.contrib", 1)]
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    with pytest.raises(ModelError, match="cannot be loaded as a model"):
        Model("upper", "1", path, None)
    settings = RuntimeSettings(custom_op_libraries=(Path(extensions.get_library_path()),))
    model = Model("upper", "1", path, None, settings=settings)
    assert model.infer({"a": np.array(["abc"], object)})["b"].tolist() == ["ABC"]


def test_the_users_word_on_telemetry_is_kept() -> None:
    script = (
        "import os; from wsgi_core.inference.runtime import import_runtime; import_runtime();"
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    for given, seen in (("0", "0"), (None, "1")):
        environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
        environment |= {"ORT_DISABLE_TELEMETRY": given} if given else {}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == seen


# Weights in separate files


def external(folder: Path, value: float, location: str = "data/weights.bin", size: int = 1 << 16) -> Path:
    """Write a model `y = x + w` into `folder`, with its weights in a separate file."""
    import onnx

    (folder / location).parent.mkdir(parents=True, exist_ok=True)
    weights = onnx.numpy_helper.from_array(np.full(size, value, np.float32), "w")
    node = helper.make_node("Add", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "demo", [tensor("x", "FP32", [1])], [tensor("y", "FP32", [size])], [weights])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (folder / location).unlink(missing_ok=True)
    path = folder / "model.onnx"
    onnx.save_model(proto, path, save_as_external_data=True, location=location, size_threshold=0)
    return path


X = {"x": np.zeros(1, np.float32)}


# onnxruntime 1.30 and older do not find a file that the model names "./weights.bin".
takes_a_dot = pytest.mark.skipif(ONNXRUNTIME < (1, 31), reason="onnxruntime 1.30 and older cannot load these weights")


@pytest.mark.parametrize(
    "location", ["weights.bin", "data/weights.bin", pytest.param("./weights.bin", marks=takes_a_dot), "a/b/c.bin"]
)
def test_a_served_model_does_not_change_with_its_files(tmp_path: Path, location: str) -> None:
    """If the session mapped the file, a change would change predictions, and truncating it would end the process."""
    model = Model("demo", "1", external(tmp_path, 1, location), None)
    with open(tmp_path / location, "r+b") as file:
        file.write(np.full(1 << 16, 7, np.float32).tobytes())
    assert set(model.infer(X)["y"]) == {1}
    os.truncate(tmp_path / location, 100)
    assert set(model.infer(X)["y"]) == {1}


def test_the_weights_are_the_sessions_own(tmp_path: Path) -> None:
    """onnxruntime copies the weights when it creates the session, so reusing the memory changes no prediction."""
    models = [Model("demo", "1", external(tmp_path / f"{n}", n), None) for n in range(20)]
    gc.collect()
    noise = [np.full(1 << 16, 99, np.float32) for _ in range(200)]
    assert [set(model.infer(X)["y"]) for model in models] == [{n} for n in range(20)]
    del noise


def test_missing_or_cut_weights_are_refused(tmp_path: Path) -> None:
    path = external(tmp_path, 1)
    os.truncate(tmp_path / "data" / "weights.bin", 1000)
    with pytest.raises(ModelError, match="cannot be loaded as a model"):
        Model("demo", "1", path, None)
    (tmp_path / "data" / "weights.bin").unlink()
    with pytest.raises(ModelError, match="cannot be loaded as a model") as error:
        Model("demo", "1", path, None)
    assert str(tmp_path) not in error.value.reason


# Errors


def error_of(model: Model, feed: dict[str, Any]) -> str:
    with pytest.raises(InputError) as error:
        model.infer(feed)
    return error.value.message.removeprefix(f"{model.id} cannot process these inputs: ")


FLOATS = np.zeros(3, np.float32)
RUNS: dict[str, tuple[list[Any], dict[str, Any], dict[str, Any], str]] = {
    "Reshape": ([1], {"s": ("INT64", [2])}, {"s": np.array([2, 2])}, "requested shape"),
    "Gather": ([1], {"s": ("INT64", ["M"])}, {"s": np.array([9])}, "out of data bounds"),
    "Add": ([1], {"s": ("FP32", ["M"])}, {"s": np.zeros(2, np.float32)}, "broadcast"),
    "MatMul": ([1], {"s": ("FP32", ["M"])}, {"s": np.zeros(2, np.float32)}, ""),
    "Tile": ([1], {"s": ("INT64", ["M"])}, {"s": np.array([1, 1])}, ""),
    "Expand": ([1], {"s": ("INT64", ["M"])}, {"s": np.array([2, 2])}, ""),
    "Slice": ([1], {"s": ("INT64", ["M"]), "e": ("INT64", ["M"])}, {"s": np.zeros(2, int), "e": np.zeros(3, int)}, ""),
    "TopK": ([1], {"s": ("INT64", [1])}, {"s": np.array([9])}, ""),
    "ConstantOfShape": ([], {"s": ("INT64", ["M"])}, {"s": np.array([-1])}, ""),
    "Pad": ([1], {"s": ("INT64", ["M"])}, {"s": np.array([-9, -9])}, ""),
}  # fmt: skip


@pytest.mark.parametrize("op", RUNS)
@pytest.mark.parametrize("name", ["", "layer/2"])
def test_what_onnxruntime_says_against_the_values_has_no_trace_of_its_sources(
    tmp_path: Path, op: str, name: str
) -> None:
    first, others, sent, said = RUNS[op]
    inputs = [*([tensor("x", "FP32", ["N"])] if first else []), *(tensor(key, *kind) for key, kind in others.items())]
    outputs = ["y", "i"] if op == "TopK" else ["y"]
    node = helper.make_node(op, [each.name for each in inputs], outputs, name=name)
    model = build(tmp_path / "model.onnx", [node], inputs, [tensor("y", "FP32", None)])
    text = error_of(model, {**({"x": FLOATS} if first else {}), **sent})
    assert said in text
    assert text.startswith(f"node {name!r} ({op}): " if name else f"{op}: ")
    assert_clean(text.replace("layer/2", ""))


def assert_clean(text: str) -> None:
    for trace in ("::", "/", "\\", ".cc", ".h:", "ONNXRuntimeError", "Status Message", "onnxruntime", "was false"):
        assert trace not in text, text


SAID = {
    "onnxruntime/core/providers/cpu/tensor/x.h": "The tensor cannot be reshaped. Input shape:{3}",
    r"D:\a\_work\1\s\onnxruntime\core\framework\op_kernel.cc": "The tensor is too large.",
}
FRAMES = (
    "{path}:39 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::Shape&, bool) (b % c) == 0 was false. ",
    "{path}:39 onnxruntime::ReshapeHelper::ReshapeHelper ",
    "{path}:39 static void SafeIntExceptionHandler<onnxruntime::OnnxRuntimeException>::SafeIntOnOverflow() ",
    "{path}:39 onnxruntime::common::Status onnxruntime::Op<T>::Compute(onnxruntime::Context*) const [with T = float] ",
    "{path}:39 onnxruntime::BFCArena::BFCArena(std::unique_ptr<Ort::IAllocator>, size_t (*)(int)) ",
    "[ONNXRuntimeError] : 1 : FAIL : {path}:39 CalculateTensorStorageSize ",
    "",
)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("path", SAID)
def test_frames_of_all_platforms_are_taken_out(frame: str, path: str) -> None:
    head = (
        "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Reshape node. "
        "Name:'' Status Message: "
    )
    assert reason_of(RuntimeError(head + frame.format(path=f"/src/{path}") + SAID[path])) == f"Reshape: {SAID[path]}"


def test_a_message_that_is_only_a_frame_leaves_no_reason() -> None:
    assert reason_of(RuntimeError("/src/a.cc:1 a::b() ")) == "onnxruntime gives no reason"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Load model from /home/me/x/1/model.onnx failed:Protobuf", "Load model from model.onnx failed:Protobuf"),
        (r"cannot open C:\Users\me\weights.bin: no such file", "cannot open weights.bin: no such file"),
        (r"cannot open \\server\share\weights.bin", "cannot open weights.bin"),
        ("open file '/srv/a b/weights.bin' fail", "open file 'weights.bin' fail"),
        ("Load model from /home/John Smith/x/1/model.onnx failed:x", "Load model from model.onnx failed:x"),
        ("cannot open /home/O'Brien/my models/w.bin", "cannot open w.bin"),
        ("cannot open \"/home/O'Brien/a b.bin\"", 'cannot open "a b.bin"'),
        (r"open C:\Program Files (x86)\me\w.bin: no such file", "open w.bin: no such file"),
        (r"open 'C:\\Users\\John Smith\\w.bin'", "open 'w.bin'"),
        ("open C:/Users/John Smith/w.bin", "open w.bin"),
        (r"open \\server\the models\w.bin", "open w.bin"),
        (r"open \\?\C:\Users\John Smith\w.bin", "open w.bin"),
        ("open '/a/b.bin' or '/c d/e.bin'", "open 'b.bin' or 'e.bin'"),
        ("open /a b/c.bin or /d e/f.bin, and (/g/h)", "open c.bin or f.bin, and (h)"),
        ("from /a:b/c.bin:/d/e.bin", "from c.bin:e.bin"),
        ("the folder /home/John Smith/models/", "the folder models/"),
        ("cannot open /model.onnx", "cannot open model.onnx"),
        ("expected <name>/<version>/model.onnx", "expected <name>/<version>/model.onnx"),
        ("[3, 4] / 2 and 'a' / 'b'", "[3, 4] / 2 and 'a' / 'b'"),
        ("10 rows/s and a/b are not paths, 1/2 neither", "10 rows/s and a/b are not paths, 1/2 neither"),
    ],
)  # fmt: skip
def test_paths_of_the_machine_are_cut_to_their_last_component(text: str, clean: str) -> None:
    assert without_paths(text) == clean


def hungry(path: Path) -> Model:
    """Return a model whose output has as many zeros as its input says."""
    node = helper.make_node("ConstantOfShape", ["shape"], ["y"])
    return build(path, [node], [tensor("shape", "INT64", [1])], [tensor("y", "FP32", ["N"])])


def test_a_run_without_enough_memory_says_so(tmp_path: Path) -> None:
    model = hungry(tmp_path / "model.onnx")
    with pytest.raises(OutOfMemory, match="demo/1 needs more memory for these inputs than the machine has left"):
        model.infer({"shape": np.array([1 << 45])})
    assert model.infer({"shape": np.array([2])})["y"].tolist() == [0, 0]


def test_a_size_that_no_machine_has_is_the_clients_fault(tmp_path: Path) -> None:
    with pytest.raises(InvalidTensors, match="overflow"):
        hungry(tmp_path / "model.onnx").infer({"shape": np.array([1 << 62])})


@pytest.mark.parametrize(
    "said",
    ["bfc_arena.cc:1 Failed to allocate memory for requested buffer of size 3", "std::bad_alloc",
     "CUDA failure 2: out of memory", "CUDA_ERROR_OUT_OF_MEMORY", "DML: Not enough memory resources are available"],
)  # fmt: skip
def test_every_provider_runs_out_of_memory_in_its_own_words(said: str) -> None:
    assert is_out_of_memory(RuntimeError(said))
    assert not is_out_of_memory(RuntimeError("indices element out of data bounds"))


def test_the_defaults_are_one_thread_on_the_cpu() -> None:
    assert (DEFAULTS.execution_providers, DEFAULTS.intra_op_threads, DEFAULTS.inter_op_threads) == (("cpu",), 1, 1)
