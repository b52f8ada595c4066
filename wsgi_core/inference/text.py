"""The encoders that convert texts to the token ids that a model takes.

`NgramEncoder` looks up words and pairs of words in a vocabulary. `WordpieceEncoder` uses the tokenizer of a
transformer. The file of an encoder is in the same folder as model.onnx.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .card import Text
from .errors import ModelError, one_line
from .runtime import without_paths

TOKEN_PATTERN = r"\w+(?:'\w+)?|[!?]+|[:;=]-?[()dp/]"
"""Matches a token in a lower-case text: a word with at most one apostrophe inside, a run of ! and ?, or an emoticon."""

_tokens = re.compile(TOKEN_PATTERN).findall


class Encoder(Protocol):
    """An object that converts texts to rows of token ids."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the token ids as int64[N, L], with a row for each text. Short rows are padded with 0.

        L is at least 1. `texts` must not be empty.
        """


class NgramEncoder:
    """An encoder whose tokens are single words and pairs of adjacent words in `vocabulary`.

    The id of a token is its position in the vocabulary, counted from 1. A row contains no id twice, and at most
    `max_tokens` ids. Other words and pairs are ignored. TfidfVectorizer of scikit-learn finds the same tokens with
    `token_pattern=TOKEN_PATTERN, ngram_range=(1, 2)`.
    """

    def __init__(self, vocabulary: Iterable[str], max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._id_of = {ngram: number for number, ngram in enumerate(vocabulary, 1)}

    def ids(self, text: str) -> list[int]:
        """Return the ids of the words in a text, then the ids of the pairs of words, each in order of first appearance.

        At most `max_tokens` ids are returned. PERF: all loops except the last run in C.
        """
        words = _tokens(text.lower())
        found = dict.fromkeys(map(self._id_of.get, chain(words, map(" ".join, pairwise(words)))))
        return [number for number in found if number][: self.max_tokens]

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the token ids as int64[N, L], with a row for each text. Short rows are padded with 0.

        L is at least 1. `texts` must not be empty.
        """
        if len(texts) == 1:
            return np.array([self.ids(texts[0]) or [0]], np.int64)
        return pad([self.ids(text) for text in texts])


class WordpieceEncoder:
    """An encoder that uses the tokenizer in a transformer's tokenizer.json.

    The encoder needs the package `tokenizers` (extra `.[minilm]`). `max_tokens` includes the special tokens at the
    start and the end of a text.
    """

    def __init__(self, path: Path, max_tokens: int) -> None:
        self._tokenizer = _read_tokenizer(path)
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the token ids as int64[N, L], with a row for each text. Short rows are padded with 0.

        In BERT's vocabulary, 0 is the id of [PAD].
        """
        return pad([encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)])


def pad(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Pad the rows with 0 to the length of the longest row, and return int64[N, L]. L is at least 1.

    `rows` must not be empty.
    """
    filled = np.zeros((len(rows), max(1, *map(len, rows))), np.int64)
    for row, ids in zip(filled, rows, strict=True):
        row[: len(ids)] = ids
    return filled


def open_encoder(text: Text, folder: Path) -> Encoder:
    """Open the encoder of a card. `folder` contains the encoder's file.

    Raises `ModelError` if the file or a required package is missing or broken.
    """
    path = folder / text.file
    if text.encoder == "wordpiece":
        return WordpieceEncoder(path, text.max_tokens)
    try:
        vocabulary = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeError) as error:
        raise ModelError(f"the vocabulary cannot be read: {one_line(error)}; train the model again", path) from error
    return NgramEncoder(vocabulary[:-1], text.max_tokens)


def _read_tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ModelError("needs the package 'tokenizers': pip install tokenizers", path) from error
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the exceptions of tokenizers have no narrower common base class
        reason = f"cannot be read as a tokenizer: {without_paths(one_line(error))}; build the model again"
        raise ModelError(reason, path) from error
