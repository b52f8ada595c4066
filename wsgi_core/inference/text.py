"""Encoders that turn texts into the token ids that a model takes: a vocabulary of words and pairs, or word pieces.

Both encoders give int64[N, L]: a row for each text, as long as the longest one and padded with 0. The file that an
encoder needs is in the folder of the model.onnx that was trained with it.
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
from .errors import ModelError, first_line
from .runtime import without_paths

TOKEN_PATTERN = r"\w+(?:'\w+)?|[!?]+|[:;=]-?[()dp/]"
"""Words with their part after an apostrophe, runs of ! and ?, and common emoticons, all in lower case."""

_tokens = re.compile(TOKEN_PATTERN).findall


class Encoder(Protocol):
    """An object that turns texts into rows of token ids."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return int64[N, L], padded with 0; L is at least 1."""


class NgramEncoder:
    """Words and pairs of neighbouring words, each once, as their index in a vocabulary (the first is 1).

    N-grams that the vocabulary does not have are ignored. Only the first `max_tokens` of a text are kept, words before
    pairs. The n-grams are those that scikit-learn's TfidfVectorizer finds with `token_pattern=TOKEN_PATTERN,
    ngram_range=(1, 2)`.
    """

    def __init__(self, vocabulary: Iterable[str], max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._id_of = {ngram: number for number, ngram in enumerate(vocabulary, 1)}

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text's n-grams that the vocabulary has, in the order of their first appearance.

        PERF: the loops run in C; a sentence of 20 words takes about 6 µs.
        """
        words = _tokens(text.lower())
        found = dict.fromkeys(map(self._id_of.get, chain(words, map(" ".join, pairwise(words)))))
        return [number for number in found if number][: self.max_tokens]

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return int64[N, L], padded with 0; L is at least 1."""
        if len(texts) == 1:
            return np.array([self.ids(texts[0]) or [0]], np.int64)
        return pad([self.ids(text) for text in texts])


class WordpieceEncoder:
    """The tokenizer that a transformer was trained with, from its tokenizer.json.

    It needs the package `tokenizers` (extra `.[minilm]`). `max_tokens` includes the marks at both ends.
    """

    def __init__(self, path: Path, max_tokens: int) -> None:
        self._tokenizer = _read_tokenizer(path)
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return int64[N, L], padded with 0, which is the id of [PAD]."""
        return pad([encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)])


def pad(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return the rows as int64[N, length of the longest, at least 1], padded with 0."""
    filled = np.zeros((len(rows), max(1, *map(len, rows))), np.int64)
    for row, ids in zip(filled, rows, strict=True):
        row[: len(ids)] = ids
    return filled


def open_encoder(text: Text, folder: Path) -> Encoder:
    """Return the encoder that a card names. Raises `ModelError` if its file or its package is missing or broken."""
    path = folder / text.file
    if text.encoder == "wordpiece":
        return WordpieceEncoder(path, text.max_tokens)
    try:
        vocabulary = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeError) as error:
        raise ModelError(f"the vocabulary cannot be read: {first_line(error)}; train the model again", path) from error
    return NgramEncoder(vocabulary[:-1], text.max_tokens)


def _read_tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ModelError("needs the package 'tokenizers': pip install tokenizers", path) from error
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # its exceptions have no common base but this one
        reason = f"not a tokenizer that can be read: {without_paths(first_line(error))}; build the model again"
        raise ModelError(reason, path) from error
