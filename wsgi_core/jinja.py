"""Jinja's environment and loader for an app: its own template folder first, then its blueprints'."""

from __future__ import annotations

import typing as t

from jinja2 import BaseLoader, TemplateNotFound
from jinja2 import Environment as BaseEnvironment

from .context import _cv_request

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .app import App
    from .scaffold import Scaffold

Source = tuple[str, str | None, "Callable[[], bool] | None"]
Attempt = tuple["Scaffold", BaseLoader, Source | None]


class Environment(BaseEnvironment):
    """A Jinja environment that knows its app. Mirrors flask 3.1.3 templating.py: Environment."""

    def __init__(self, app: App, **options: t.Any) -> None:
        if "loader" not in options:
            options["loader"] = app.create_global_jinja_loader()
        super().__init__(**options)
        self.app = app


class DispatchingJinjaLoader(BaseLoader):
    """Asks the app's loader, then each blueprint's. Mirrors flask 3.1.3 templating.py: DispatchingJinjaLoader."""

    def __init__(self, app: App) -> None:
        self.app = app

    def _iter_loaders(self) -> Iterator[tuple[Scaffold, BaseLoader]]:
        for owner in (self.app, *self.app.iter_blueprints()):
            loader = owner.jinja_loader
            if loader is not None:
                yield owner, loader

    def get_source(self, environment: BaseEnvironment, template: str) -> Source:
        """Return the first loader's source; TemplateNotFound. ``EXPLAIN_TEMPLATE_LOADING`` tries and logs them all."""
        explain = self.app.config["EXPLAIN_TEMPLATE_LOADING"]
        attempts: list[Attempt] = []
        for owner, loader in self._iter_loaders():
            try:
                attempts.append((owner, loader, loader.get_source(environment, template)))
                if not explain:
                    break
            except TemplateNotFound:
                attempts.append((owner, loader, None))
        if explain:
            self.app.logger.info(_explanation(template, attempts))
        for _, _, source in attempts:
            if source is not None:
                return source
        raise TemplateNotFound(template)

    def list_templates(self) -> list[str]:
        """Return the names that any of the loaders knows."""
        return list({name for _, loader in self._iter_loaders() for name in loader.list_templates()})


def _explanation(template: str, attempts: list[Attempt]) -> str:
    """Return which loaders were asked for a template, where they look, and what they found."""
    lines = [f"Locating template {template!r}:"]
    for number, (owner, loader, source) in enumerate(attempts, 1):
        kind = "blueprint" if hasattr(owner, "url_prefix") else "application"
        found = "no match" if source is None else f"found ({source[1] or '<string>'!r})"
        lines.append(f"{number:5}: trying loader of {kind} {owner.name!r} ({owner.import_name})")
        lines += [f"       {line}" for line in (*_settings(loader), f"-> {found}")]
    hits = sum(source is not None for _, _, source in attempts)
    if hits == 0:
        lines.append("Error: the template could not be found.")
    elif hits > 1:
        lines.append("Warning: multiple loaders returned a match for the template.")
    ctx = _cv_request.get(None)
    if hits != 1 and ctx is not None and ctx.request.blueprint is not None:
        blueprint = ctx.request.blueprint
        lines.append(f"  The template was looked up from an endpoint that belongs to the blueprint {blueprint!r}.")
        lines.append("  Maybe you did not place a template in the right folder?")
        lines.append("  See https://flask.palletsprojects.com/blueprints/#templates")
    return "\n".join(lines)


def _settings(loader: BaseLoader) -> Iterator[str]:
    yield f"class: {type(loader).__module__}.{type(loader).__name__}"
    for name, value in sorted(vars(loader).items()):
        if not name.startswith("_") and isinstance(value, (str, int, float, list, tuple)):
            yield f"{name}: {value!r}"
