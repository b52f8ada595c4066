"""Templates: what an app does with them, and the functions that render them. Jinja is imported on first use."""

from __future__ import annotations

import typing as t
from functools import cached_property, partial

from . import typing as ft
from .context import _cv_request, current_app, g, request, session
from .helpers import get_flashed_messages, stream_with_context
from .scaffold import AppMixin, Decorator, Scaffold, decorator_from, setupmethod
from .signals import before_render_template, template_rendered

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jinja2 import BaseLoader, Template

    from .app import App
    from .jinja import Environment


# Where Flask has them. They are Jinja's subclasses, and Jinja waits.
def __getattr__(name: str) -> t.Any:
    if name in {"Environment", "DispatchingJinjaLoader"}:
        from . import jinja

        return getattr(jinja, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _decorator_from_adder(add: Callable[..., None]) -> Callable[..., Decorator]:
    """Return the decorator that goes with a method ``add_...``: the same name without ``add_``."""

    def decorator(self: t.Any, name: str | None = None) -> Decorator:
        return decorator_from(partial(getattr(self, add.__name__), name=name))

    decorator.__name__ = add.__name__.removeprefix("add_")
    decorator.__doc__ = f"Decorate a function. {add.__doc__}"
    return setupmethod(decorator)


class Templating(AppMixin):
    """What an `App` does with templates."""

    jinja_environment: type[Environment] | None = None
    jinja_options: dict[str, t.Any] = {}

    @cached_property
    def jinja_env(self) -> Environment:
        """The Jinja environment, made when first used."""
        return self.create_jinja_environment()

    def create_jinja_environment(self) -> Environment:
        """Return an environment with the app's options and Flask's globals.

        Mirrors flask 3.1.3 app.py: Flask.create_jinja_environment.
        """
        from .jinja import Environment

        configured = self.config["TEMPLATES_AUTO_RELOAD"]
        auto_reload = self.debug if configured is None else configured
        options = {"autoescape": self.select_jinja_autoescape, "auto_reload": auto_reload, **self.jinja_options}
        env = (self.jinja_environment or Environment)(t.cast("App", self), **options)
        env.globals.update(url_for=self.url_for, get_flashed_messages=get_flashed_messages, config=self.config)
        # Included templates see no context unless they are told: the proxies always work.
        env.globals.update(request=request, session=session, g=g)
        env.policies["json.dumps_function"] = self.json.dumps
        return env

    def create_global_jinja_loader(self) -> BaseLoader:
        """Return a loader that asks the app, then its blueprints."""
        from .jinja import DispatchingJinjaLoader

        return DispatchingJinjaLoader(t.cast("App", self))

    def select_jinja_autoescape(self, filename: str | None) -> bool:
        """Return whether a template's values are escaped: markup is, and so is a template without a name."""
        return filename is None or filename.endswith((".html", ".htm", ".xml", ".xhtml", ".svg"))

    def update_template_context(self, context: dict[str, t.Any]) -> None:
        """Add what the context processors give; what the view passed wins.

        Mirrors flask 3.1.3 app.py: Flask.update_template_context.
        """
        ctx = _cv_request.get(None)
        passed = context.copy()
        for scope in (None, *reversed(ctx.request.blueprints if ctx is not None else ())):
            for func in self.template_context_processors.get(scope, ()):
                context.update(self.ensure_sync(func)())
        context.update(passed)

    @setupmethod
    def add_template_filter(self, f: ft.TemplateFilterCallable, name: str | None = None) -> None:
        """Add a template filter under ``name`` or its own."""
        self.jinja_env.filters[name or f.__name__] = f

    @setupmethod
    def add_template_test(self, f: ft.TemplateTestCallable, name: str | None = None) -> None:
        """Add a template test under ``name`` or its own."""
        self.jinja_env.tests[name or f.__name__] = f

    @setupmethod
    def add_template_global(self, f: ft.TemplateGlobalCallable, name: str | None = None) -> None:
        """Add a function that templates can call under ``name`` or its own."""
        self.jinja_env.globals[name or f.__name__] = f

    template_filter = _decorator_from_adder(add_template_filter)
    template_test = _decorator_from_adder(add_template_test)
    template_global = _decorator_from_adder(add_template_global)


class BlueprintTemplating(Scaffold):
    """What a `Blueprint` adds to the templates of the app that it is registered on."""

    record_once: Callable[[Callable[..., None]], None]

    @setupmethod
    def add_app_template_filter(self, f: ft.TemplateFilterCallable, name: str | None = None) -> None:
        """Add a filter for every template of the app."""
        self.record_once(lambda state: state.app.add_template_filter(f, name))

    @setupmethod
    def add_app_template_test(self, f: ft.TemplateTestCallable, name: str | None = None) -> None:
        """Add a test for every template of the app."""
        self.record_once(lambda state: state.app.add_template_test(f, name))

    @setupmethod
    def add_app_template_global(self, f: ft.TemplateGlobalCallable, name: str | None = None) -> None:
        """Add a function that every template of the app can call."""
        self.record_once(lambda state: state.app.add_template_global(f, name))

    app_template_filter = _decorator_from_adder(add_app_template_filter)
    app_template_test = _decorator_from_adder(add_app_template_test)
    app_template_global = _decorator_from_adder(add_app_template_global)


def _prepare(template: Template, context: dict[str, t.Any]) -> App:
    app: App = current_app._get_current_object()  # type: ignore[attr-defined]
    app.update_template_context(context)
    before_render_template.send(app, _async_wrapper=app.ensure_sync, template=template, context=context)
    return app


def _render(template: Template, context: dict[str, t.Any]) -> str:
    app = _prepare(template, context)
    text = template.render(context)
    template_rendered.send(app, _async_wrapper=app.ensure_sync, template=template, context=context)
    return text


def _stream(template: Template, context: dict[str, t.Any]) -> Iterator[str]:
    app = _prepare(template, context)

    def generate() -> Iterator[str]:
        yield from template.generate(context)
        template_rendered.send(app, _async_wrapper=app.ensure_sync, template=template, context=context)

    return stream_with_context(generate()) if _cv_request.get(None) is not None else generate()


def render_template(template_name_or_list: str | Template | list[str | Template], **context: t.Any) -> str:
    """Render a template by name, the first of several that exists, or as given.

    Mirrors flask 3.1.3 templating.py: render_template.
    """
    return _render(current_app.jinja_env.get_or_select_template(template_name_or_list), context)


def render_template_string(source: str, **context: t.Any) -> str:
    """Render a template's source text."""
    return _render(current_app.jinja_env.from_string(source), context)


def stream_template(template_name_or_list: str | Template | list[str | Template], **context: t.Any) -> Iterator[str]:
    """Render as `render_template` does, piece by piece, with the request's contexts kept."""
    return _stream(current_app.jinja_env.get_or_select_template(template_name_or_list), context)


def stream_template_string(source: str, **context: t.Any) -> Iterator[str]:
    """Render as `render_template_string` does, piece by piece, with the request's contexts kept."""
    return _stream(current_app.jinja_env.from_string(source), context)
