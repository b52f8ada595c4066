"""Views as classes: one instance a request (or one for all), one method per HTTP method if wanted."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Collection

from .context import current_app, request

http_method_funcs = frozenset({"get", "post", "head", "options", "delete", "put", "trace", "patch"})


class View:
    """A view whose `dispatch_request` answers. Mirrors flask 3.1.3 views.py: View."""

    methods: t.ClassVar[Collection[str] | None] = None
    provide_automatic_options: t.ClassVar[bool | None] = None
    decorators: t.ClassVar[list[Callable[..., t.Any]]] = []
    init_every_request: t.ClassVar[bool] = True

    def dispatch_request(self) -> t.Any:
        """Answer the request; in a subclass the parameters are the URL's variables."""
        raise NotImplementedError

    @classmethod
    def as_view(cls, name: str, *class_args: t.Any, **class_kwargs: t.Any) -> Callable[..., t.Any]:
        """Return the view function to register, under the endpoint ``name``; the rest goes to the class."""
        shared = None if cls.init_every_request else cls(*class_args, **class_kwargs)

        def view(**kwargs: t.Any) -> t.Any:
            self = view.view_class(*class_args, **class_kwargs) if shared is None else shared  # type: ignore[attr-defined]
            return current_app.ensure_sync(self.dispatch_request)(**kwargs)

        view.__name__, view.__module__ = name, cls.__module__
        decorated: t.Any = view
        for decorator in cls.decorators:
            decorated = decorator(decorated)
        # On the outermost function, where the registration looks, and on the one that makes the instance.
        view.view_class = decorated.view_class = cls  # type: ignore[attr-defined]
        decorated.__name__, decorated.__module__, decorated.__doc__ = name, cls.__module__, cls.__doc__
        decorated.methods = cls.methods
        decorated.provide_automatic_options = cls.provide_automatic_options
        return t.cast("Callable[..., t.Any]", decorated)


class MethodView(View):
    """A view with a method per HTTP method: ``get``, ``post``, ... Mirrors flask 3.1.3 views.py: MethodView."""

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        if "methods" not in cls.__dict__:
            inherited = {method for base in cls.__bases__ for method in getattr(base, "methods", None) or ()}
            methods = inherited | {name.upper() for name in http_method_funcs if hasattr(cls, name)}
            if methods:
                cls.methods = methods

    def dispatch_request(self, **kwargs: t.Any) -> t.Any:
        method = getattr(self, request.method.lower(), None)
        if method is None and request.method == "HEAD":
            method = getattr(self, "get", None)
        assert method is not None, f"Unimplemented method {request.method!r}"
        return current_app.ensure_sync(method)(**kwargs)
