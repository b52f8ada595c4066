"""The route /rag-chat, which answers questions about this project from its documentation.

In retrieval-augmented generation (RAG), an answer is made from passages that match the question.
"""

from __future__ import annotations

import typing as t

from wsgi_core import Blueprint, current_app, jsonify, request
from wsgi_core.inference.input_model import read_as
from wsgi_core.shared.openapi.operations import JSON, STRING, Operation, array, describe, errors, object_schema, ok
from wsgi_core.shared.retrieval import Question

PASSAGE = object_schema({"source": STRING, "heading": STRING, "text": STRING, "score": {"type": "number"}})

OPERATION = Operation(
    "Predictions",
    {
        200: ok(
            object_schema(
                {
                    "query": STRING,
                    "context_used": array(PASSAGE),
                    "answer": STRING,
                    "usage": {"type": "object", "description": "The retriever, the generator, and the token counts"},
                }
            )
        ),
        **errors(400, 413, 415, 422),
    },
    body={JSON: Question.model_json_schema()},
)


def blueprint() -> Blueprint:
    """Return the blueprint of the route /rag-chat."""
    api = Blueprint("chat", __name__)

    @api.post("/rag-chat")
    @describe(OPERATION)
    def rag_chat() -> t.Any:
        """Answer a question about this project from the passages of its documentation that match the question best"""
        question = read_as(Question, request.get_json())
        return jsonify(current_app.extensions["assistant"].ask(question.query))

    return api
