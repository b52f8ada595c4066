"""``wsgi-core jobs``: list, retry or delete the jobs that process webhooks.

A dead letter is a job that the server does not try again by itself.
"""

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
@click.option("--job-store", metavar="TEXT", help="The job store: an SQLite file or a redis:// URL.")
@click.option("--webhook-results", metavar="PATH", help="The results file of the webhooks.")
@click.pass_context
def jobs_command(ctx: click.Context, /, config: Path | None, **options: str | None) -> None:
    """List, retry or delete the jobs that process webhooks.

    A dead letter is a job that the server does not try again by itself. You can use these commands while the server
    runs. They read the same settings as the server to find the job store.
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
    """List all unfinished jobs and dead letters, the oldest first."""
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
    """Queue dead letters again.

    Each KEY is the key of a dead letter, or the first characters of the key. A server that uses the same job store then
    runs the job.

    If a server was killed while it wrote the outcome of a job, retry this job only while all running servers write to
    the same results file. Otherwise, the outcome may be written to two results files.
    """
    for key in _or_exit(lambda: _chosen(store.dead(), keys, every)):
        queued = _or_exit(lambda key=key: store.requeue(key))  # type: ignore[misc]
        click.echo(f"{'queued' if queued else 'gone'}  {one_line(key[:12])}")


@jobs_command.command("purge")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--all", "every", is_flag=True, help="Delete every dead letter.")
@click.pass_obj
def purge_command(store: JobStore, keys: tuple[str, ...], every: bool) -> None:
    """Delete jobs without running them.

    Each KEY is the key of a job in any state, or the first characters of the key. With --all, every dead letter is
    deleted.
    """
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
    return one_line("  ".join(filter(None, parts)))  # a text from a sender may have control characters


def _chosen(known: t.Collection[str], keys: tuple[str, ...], every: bool) -> list[str]:
    """Return the keys in `known` that begin with one of the prefixes `keys`, or all keys if `every` is true.

    Raises click.UsageError if `keys` and `every` are both given, or if neither is given. Raises click.ClickException if
    a prefix matches no key or several keys.
    """
    if every == bool(keys):
        raise click.UsageError("give either --all, or keys of jobs (see `wsgi-core jobs list`)")
    if every:
        return sorted(known)
    chosen = []
    for given in keys:
        found = [key for key in known if key.startswith(given)]
        if len(found) != 1:
            raise click.ClickException(
                f"KEY {given} matches {len(found)} jobs, but must match one; `wsgi-core jobs list` shows"
                " the keys, and retry accepts only dead letters"
            )
        chosen += found
    return chosen


def _or_exit(action: t.Callable[[], t.Any]) -> t.Any:
    try:
        return action()
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from error
