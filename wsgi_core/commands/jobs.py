"""``wsgi-core jobs``: list the unfinished jobs of webhooks, retry dead letters, and purge jobs."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import click

from ..shared.jobs import JobStore, StoreUnavailable, open_store
from ..shared.observability.logs import one_line
from ..shared.settings.options import load_for_command

FILE = click.Path(path_type=Path)


@click.group("jobs", short_help="List, retry or purge the jobs of webhooks.")
@click.option("--config", type=FILE, metavar="FILE", help="The TOML file with the settings.")
@click.option("--job-store", metavar="TEXT", help="The SQLite file or redis:// URL. [default: from the settings]")
@click.option("--webhook-results", metavar="PATH", help="The results file. By default, the store is beside it.")
@click.pass_context
def jobs_command(ctx: click.Context, /, config: Path | None, **options: str | None) -> None:
    """List the unfinished jobs of webhooks, retry dead letters (jobs that are not tried again), or purge jobs.

    You can use these commands while the server runs. They find the job store through the same settings as the server.
    """
    settings = load_for_command(config, options).settings
    password = settings.job_store_password.get_secret_value() if settings.job_store_password else None
    try:
        ctx.obj = open_store(settings.job_store, password, settings.webhook_results)
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from error
    ctx.call_on_close(ctx.obj.close)


@jobs_command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each job, with its payload.")
@click.pass_obj
def list_command(store: JobStore, as_json: bool) -> None:
    """List queued, running, delayed and dead jobs, the oldest first."""
    jobs = _or_exit(lambda: _read(store))
    for job in jobs:
        click.echo(json.dumps(job) if as_json else _line(job))
    if not jobs and not as_json:
        click.echo("no jobs")


@jobs_command.command("retry")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--all", "every", is_flag=True, help="Retry every dead letter.")
@click.pass_obj
def retry_command(store: JobStore, keys: tuple[str, ...], every: bool) -> None:
    """Queue dead letters again, for a server that uses the same job store.

    You can shorten a KEY to its first characters. If a server was killed while it recorded the outcome of a job, let a
    server with the same results file retry the job. Otherwise two results files may have the outcome.
    """
    for key in _or_exit(lambda: _chosen(store.dead(), keys, every)):
        queued = _or_exit(lambda key=key: store.requeue(key))  # type: ignore[misc]
        click.echo(f"{'queued' if queued else 'gone'}  {one_line(key[:12])}")


@jobs_command.command("purge")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--all", "every", is_flag=True, help="Purge every dead letter.")
@click.pass_obj
def purge_command(store: JobStore, keys: tuple[str, ...], every: bool) -> None:
    """Delete jobs without processing them: the jobs with these KEYs, in any state, or every dead letter."""
    for key in _or_exit(lambda: _chosen(store.dead() if every else {**store.states(), **store.dead()}, keys, every)):
        _or_exit(lambda key=key: store.remove(key))  # type: ignore[misc]
        click.echo(f"purged  {one_line(key[:12])}")


def _read(store: JobStore) -> list[dict[str, t.Any]]:
    found = []
    for key, state in {**store.states(), **store.dead()}.items():
        if job := store.job(key):
            found.append(
                {
                    "key": key, "source": job.source, "delivery": job.id, "state": state.phase,
                    "attempts": state.attempts, "accepted": job.accepted, "error": state.error, "payload": job.payload,
                }
            )  # fmt: skip
    return sorted(found, key=lambda job: job["accepted"])


def _line(job: t.Mapping[str, t.Any]) -> str:
    accepted = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(job["accepted"]))
    tried = f"{job['attempts']} attempts" if job["attempts"] else ""
    parts = [job["key"][:12], f"{job['state']:<8}", accepted, job["source"], job["delivery"], tried, job["error"]]
    return one_line("  ".join(filter(None, parts)))  # a sender or another program may have written control characters


def _chosen(known: t.Collection[str], keys: tuple[str, ...], every: bool) -> list[str]:
    """Return the keys that begin with the prefixes ``keys``, or all keys if ``every`` is true.

    Raises click.UsageError if there are neither prefixes nor ``every``, or both. Raises click.ClickException if a
    prefix does not match exactly one key.
    """
    if every == bool(keys):
        raise click.UsageError("expected either the keys of jobs (see `wsgi-core jobs list`) or --all")
    if every:
        return sorted(known)
    chosen = []
    for given in keys:
        found = [key for key in known if key.startswith(given)]
        if len(found) != 1:
            raise click.ClickException(
                f"KEY {given} matches {len(found)} jobs, but must match one (for retry, a dead letter)"
            )
        chosen += found
    return chosen


def _or_exit(action: t.Callable[[], t.Any]) -> t.Any:
    try:
        return action()
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from error
