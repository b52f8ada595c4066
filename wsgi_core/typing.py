"""Types for the annotations of views, hooks and error handlers, under Flask's names.

Flask 3.1.3 has them in its typing.py. Here they hold classes and no forward references, so that
``typing.get_type_hints`` can read an annotation.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from wsgiref.types import WSGIApplication

from werkzeug.datastructures import Headers
from werkzeug.sansio.response import Response

_P = t.ParamSpec("_P")
_R = t.TypeVar("_R")
# A function, or an ``async def`` that `App.ensure_sync` turns into a function.
_Func = cabc.Callable[_P, _R] | cabc.Callable[_P, cabc.Awaitable[_R]]

# What a view returns: the body, and in a tuple with it the status, the headers, or both.
ResponseValue = (
    Response
    | str
    | bytes
    | list[t.Any]
    | cabc.Mapping[str, t.Any]
    | cabc.Iterator[str]
    | cabc.Iterator[bytes]
    | cabc.AsyncIterable[str]
    | cabc.AsyncIterable[bytes]
)
HeaderValue = str | list[str] | tuple[str, ...]
HeadersValue = Headers | cabc.Mapping[str, HeaderValue] | cabc.Sequence[tuple[str, HeaderValue]]
ResponseReturnValue = (
    ResponseValue
    | tuple[ResponseValue, HeadersValue]
    | tuple[ResponseValue, int]
    | tuple[ResponseValue, int, HeadersValue]
    | WSGIApplication
)
ResponseClass = t.TypeVar("ResponseClass", bound=Response)

# The keys of the tables of hooks: None for the app, the name of a blueprint.
AppOrBlueprintKey = str | None

RouteCallable = _Func[..., ResponseReturnValue]
# Each exception class has a handler of its own, whose argument is of that class.
ErrorHandlerCallable = _Func[[t.Any], ResponseReturnValue]
BeforeFirstRequestCallable = _Func[[], None]
BeforeRequestCallable = _Func[[], ResponseReturnValue | None]
AfterRequestCallable = _Func[[ResponseClass], ResponseClass]
TeardownCallable = _Func[[BaseException | None], None]
URLValuePreprocessorCallable = cabc.Callable[[str | None, dict[str, t.Any] | None], None]
URLDefaultCallable = cabc.Callable[[str, dict[str, t.Any]], None]
ShellContextProcessorCallable = cabc.Callable[[], dict[str, t.Any]]
TemplateContextProcessorCallable = _Func[[], dict[str, t.Any]]
TemplateFilterCallable = cabc.Callable[..., t.Any]
TemplateGlobalCallable = cabc.Callable[..., t.Any]
TemplateTestCallable = cabc.Callable[..., bool]
