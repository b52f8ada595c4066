"""`wsgi-core jobs` lists the jobs in a store, and can change them while a server is running."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from tests.runner import CliRunner
from wsgi_core.__main__ import cli
from wsgi_core.shared.jobs import JobStore, open_store
from wsgi_core.shared.jobs.store import DELAYED, Job, State


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobStore]:
    """A store with one queued job, one delayed job, and two dead letters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSGI_CORE_JOB_STORE", "jobs")
    made = open_store("jobs")
    for number, key in enumerate(("aa1", "aa2", "bb1", "cc1")):
        made.add(Job(key, "crm", f"order-{number}", {"number": number}, time.time() + number))
    made.set_state("aa2", State(DELAYED, time.time() + 60, 2, "RuntimeError: broken"))
    for key in ("bb1", "cc1"):
        made.bury(key, State(DELAYED, 0, 8), "RuntimeError: broken")
    yield made
    made.close()


def jobs(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["jobs", *args])
    assert result.exit_code == code, result.output
    return result


def test_every_job_that_is_not_done_is_listed(store: JobStore):
    lines = jobs("list").output.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["aa1", "queued"], ["aa2", "delayed"], ["bb1", "dead"], ["cc1", "dead"],
    ]  # fmt: skip
    assert lines[3].endswith("crm  order-3  8 attempts  RuntimeError: broken")
    assert json.loads(jobs("list", "--json").output.splitlines()[0])["payload"] == {"number": 0}


def test_dead_letters_are_queued_again_one_or_all(store: JobStore):
    assert jobs("retry", "bb").output == "queued  bb1\n"
    assert set(store.dead()) == {"cc1"}
    jobs("retry", "--all")
    assert store.dead() == {}
    assert store.states()["cc1"].attempts == 0


def test_jobs_are_purged_by_key_and_dead_letters_all_at_once(store: JobStore):
    jobs("purge", "aa1")
    jobs("purge", "--all")
    assert set(store.states()) == {"aa2"}
    assert store.dead() == {}
    assert store.job("cc1") is None


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [(["retry"], 2, "--all"), (["purge", "--all", "aa1"], 2, "--all"), (["purge", "aa"], 1, "2 jobs"),
     (["retry", "aa1"], 1, "0 jobs"), (["purge", "zz"], 1, "0 jobs")],
)  # fmt: skip
def test_what_names_no_job_or_two_changes_nothing(store: JobStore, args: list[str], code: int, said: str):
    assert said in jobs(*args, code=code).output
    assert len(store.states()) == len(store.dead()) == 2


def test_an_empty_store_says_so_and_a_store_out_of_reach_is_an_error(tmp_path: Path):
    assert jobs("--job-store", str(tmp_path / "new"), "list").output == "no jobs\n"
    for place in (str(tmp_path / "none" / "jobs"), "redis://127.0.0.1:1/0"):
        assert "Error" in jobs("--job-store", place, "list", code=1).output


def test_what_others_have_written_into_the_store_is_shown_without_control_characters(store: JobStore):
    evil = "\x1b]0;evil\x07\x9b31m\n\u202eevil"
    store.add(Job("dd1", evil, evil, {}, time.time()))
    store.bury("dd1", State(DELAYED, 0, 8), evil)
    store._table("dead").put_data(f"ee{evil}", b"no JSON")
    store._table("states").put_data("ff1", b"[]")
    output = jobs("list").output
    assert len(output.splitlines()) == 5
    assert all(letter.isprintable() or letter == "\n" for letter in output)
    jobs("purge", "dd1")
    assert len(jobs("list").output.splitlines()) == 4
