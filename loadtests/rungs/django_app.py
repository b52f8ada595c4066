"""Django, written as in its documentation: views and ``urlpatterns``, with the settings in the same file.

Only the middleware that sets Content-Length is enabled. Django's settings are global: if a process makes several
applications, all of them use the routes of the last application.
"""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_POST

from loadtests.rungs.work import OTHER_ROUTES, load_model, to_json


def create_app(model: str = "null") -> WSGIHandler:
    predict = load_model(model)

    @require_POST  # type: ignore[untyped-decorator]
    def predict_view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(to_json(predict(json.loads(request.body))), content_type="application/json")

    urls: Any = ModuleType("urls")
    urls.urlpatterns = [path(rule.removeprefix("/"), _other) for rule in OTHER_ROUTES]
    urls.urlpatterns.append(path("predict", predict_view))
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"], MIDDLEWARE=["django.middleware.common.CommonMiddleware"], LOGGING_CONFIG=None
        )
    settings.ROOT_URLCONF = urls
    django.setup(set_prefix=False)
    return WSGIHandler()


def _other(request: HttpRequest, **values: Any) -> HttpResponse:
    return HttpResponse("never requested")
