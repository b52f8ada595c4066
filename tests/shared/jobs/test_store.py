"""A store has each job once, from its acceptance until it is done, and leases it to one worker at a time."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.shared.jobs.stored import job
from wsgi_core.shared.jobs import JobStore, StoreUnavailable, open_store, store
from wsgi_core.shared.jobs.store import DEAD, DELAYED, QUEUED, RUNNING, State, default_store


def test_a_job_is_added_once_and_taken_once(jobs: JobStore):
    assert jobs.add(job(1))
    assert not jobs.add(job(1))
    assert jobs.count_unfinished() == 1
    taken = jobs.take(9)
    assert taken is not None
    assert (taken[0].payload, taken[1].phase, taken[1].attempts) == ({"number": 1}, RUNNING, 1)
    assert jobs.take(9) is None
    assert jobs.count_unfinished() == 1


def test_another_process_finds_what_was_added(jobs: JobStore, tmp_path: Path):
    jobs.add(job(1))
    jobs.close()
    other = open_store(str(tmp_path / "jobs"))
    taken = other.take(9)
    assert taken is not None
    assert taken[0].id == "1"
    other.close()
    assert jobs.state("crm-1") == taken[1]


def test_a_job_that_is_done_is_known_as_a_duplicate_until_it_is_forgotten(jobs: JobStore):
    done = job(1)
    jobs.add(done)
    assert jobs.mark_done(done, "first") is None
    assert jobs.mark_done(done, "second") == "first"
    jobs.remove(done.key)
    jobs.delete_old()
    assert not jobs.add(done)
    assert jobs.count_unfinished() == 0


def test_only_jobs_that_are_due_are_queued_again(jobs: JobStore):
    for number in (1, 2):
        jobs.add(job(number))
        jobs.take(9)
    jobs.set_state("crm-1", State(DELAYED, time.time() - 1, 4))
    jobs.set_state("crm-2", State(DELAYED, time.time() + 3600, 4))
    assert jobs.requeue_due() == 1
    assert {key: state.phase for key, state in jobs.states().items()} == {"crm-1": QUEUED, "crm-2": DELAYED}
    taken = jobs.take(9)
    assert taken is not None
    assert (taken[0].key, taken[1].attempts) == ("crm-1", 5)


def test_a_job_whose_processes_were_killed_each_time_is_a_dead_letter(jobs: JobStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "LEASE_SECONDS", 0.0)
    jobs.add(job(1))
    for attempt in range(3):
        taken = jobs.take(3)
        assert taken is not None, attempt
        assert taken[1].phase == RUNNING
        assert jobs.requeue_due() == 1
    assert jobs.take(3) is None
    assert "ended before the job was done" in jobs.dead()["crm-1"].error


def test_a_job_that_one_recorder_has_marked_is_left_to_that_recorder(jobs: JobStore):
    jobs.add(job(1))
    taken = jobs.take(9, "second")
    assert taken is not None
    jobs.leave_to("first", taken[0].key, taken[1])
    assert jobs.requeue_due("first") == 0, "a process of the first recorder may still hold a lease"
    jobs.set_state("crm-1", replace(jobs.states()["crm-1"], due=time.time()))
    for _ in range(5):
        assert jobs.requeue_due("second") == 0
        assert jobs.take(9, "second") is None
    assert jobs.requeue_due("first") == 1
    assert jobs.take(9, "second") is None
    taken = jobs.take(9, "first")
    assert taken is not None
    assert (taken[0].key, taken[1].attempts, taken[1].recorder) == ("crm-1", 1, "first")
    assert jobs.take(9, "first") is None


def test_a_job_that_was_queued_before_it_was_marked_is_left_to_its_recorder(jobs: JobStore):
    jobs.add(job(1))
    jobs.set_state("crm-1", State(DELAYED, time.time() + 60, recorder="first"))
    assert jobs.take(9, "second") is None
    assert jobs.state("crm-1") is not None


def test_a_job_whose_recorder_never_comes_back_is_a_dead_letter(jobs: JobStore, monkeypatch: pytest.MonkeyPatch):
    jobs.add(job(1))
    jobs.set_state("crm-1", State(DELAYED, time.time() - 5, recorder="host:/results"))
    jobs.requeue_due("second")
    assert jobs.dead() == {}
    monkeypatch.setattr(store, "RECORDER_SECONDS", 4.0)
    jobs.requeue_due("second")
    assert jobs.dead() == {}, "the recorder may start a moment after this process"
    monkeypatch.setattr(jobs, "_opened", time.time() - 5)
    jobs.requeue_due("second")
    assert jobs.count_unfinished() == 0
    assert "host:/results" in jobs.dead()["crm-1"].error
    assert jobs.requeue("crm-1")
    assert jobs.take(9, "second") is not None


@pytest.mark.parametrize("restart", [False, True], ids=["its queue entry is left", "only the job is left"])
def test_a_job_without_a_state_is_run(jobs: JobStore, restart: bool):
    """As left by `requeue_due`, if the process that adds the job pauses between its state and the job."""
    jobs.add(job(1))
    jobs._table("states").delete_data("crm-1")
    if restart:
        jobs._table("queue").flush_queue()
        jobs.restore_states()
        assert jobs.requeue_due() == 1
    taken = jobs.take(9)
    assert taken is not None
    assert (taken[0].key, taken[1].attempts) == ("crm-1", 1)


def test_only_queued_jobs_are_taken_also_with_a_second_queue_entry(jobs: JobStore):
    for number, phase in enumerate((DELAYED, RUNNING)):
        jobs.add(job(number))
        jobs.set_state(f"crm-{number}", State(phase, time.time() + 60, 1, "failed"))
        jobs._table("queue").enqueue(f"crm-{number}".encode())
    assert jobs.take(9) is None
    assert {state.phase for state in jobs.states().values()} == {DELAYED, RUNNING}


def test_a_dead_letter_that_is_delivered_again_stays_a_dead_letter(jobs: JobStore):
    jobs.add(job(1))
    taken = jobs.take(9)
    assert taken is not None
    jobs.bury("crm-1", taken[1], "it is broken")
    assert not jobs.add(job(1))
    jobs.restore_states()
    assert (jobs.count_unfinished(), jobs.take(9)) == (0, None)


def test_a_job_that_was_marked_in_the_month_before_is_not_marked_again(jobs: JobStore):
    accepted = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert jobs.mark_done(replace(job(1), accepted=accepted - 60), "first") is None
    assert jobs.mark_done(replace(job(1), accepted=accepted + 60), "second") == "first"


def test_states_are_plain_values(jobs: JobStore):
    jobs.add(job(1))
    jobs.set_state("crm-1", State(DELAYED, 5.0, 3, "why"))
    assert jobs.states() == {"crm-1": State(DELAYED, 5.0, 3, "why")}


def test_a_dead_letter_is_kept_and_can_be_revived(jobs: JobStore):
    jobs.add(job(1))
    taken = jobs.take(9)
    assert taken is not None
    jobs.bury("crm-1", taken[1], "it is broken")
    (dead,) = jobs.dead().values()
    assert (dead.phase, dead.error, jobs.count_unfinished()) == (DEAD, "it is broken", 0)
    assert jobs.requeue("crm-1")
    assert (jobs.dead(), jobs.count_unfinished()) == ({}, 1)
    assert jobs.take(9) is not None


def test_a_redis_url_with_an_invalid_port_is_unavailable():
    pytest.importorskip("redis")
    with pytest.raises(StoreUnavailable, match=r"redis://127\.0\.0\.1:99999/0 is not valid"):
        open_store("redis://127.0.0.1:99999/0")


def test_a_store_that_cannot_be_written_is_unavailable(tmp_path: Path):
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        open_store(str(tmp_path / "missing" / "jobs"))
    (tmp_path / "jobs").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreUnavailable, match="jobs"):
        open_store(str(tmp_path / "jobs")).add(job(1))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_other_users_cannot_read_the_file(jobs: JobStore, tmp_path: Path):
    jobs.add(job(1))
    modes = [file.stat().st_mode & 0o077 for file in tmp_path.iterdir()]
    assert modes
    assert not any(modes)


@pytest.mark.parametrize(
    ("platform", "variable", "place"),
    [
        ("linux", "XDG_STATE_HOME", "wsgi_core"),
        ("linux", None, ".local/state/wsgi_core"),
        ("darwin", None, "Library/Application Support/wsgi_core"),
        ("win32", "LOCALAPPDATA", "wsgi_core"),
        ("win32", None, "AppData/Local/wsgi_core"),
    ],
)
def test_without_a_location_the_file_is_where_the_system_keeps_states(
    platform: str, variable: str | None, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", *([variable] if variable else [])):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    assert default_store() == tmp_path / place / "jobs.sqlite3"
    assert list(tmp_path.iterdir()) == []


NOT_RECORDS = [
    b"", b"no JSON", b"\xff", b"[]", b"{}", b"null", b"[" * 100_000, b'{"key": "crm-2"}',
    b'{"key": "crm-1", "source": 1, "id": "1", "payload": 1, "accepted": 1}',
    b'{"key": "crm-1", "source": "crm", "id": "1", "payload": 1, "accepted": "now"}',
    b'{"key": "crm-1", "source": "crm", "id": "1", "payload": 1, "accepted": 1e300}',
    b'{"key": "other", "source": "crm", "id": "1", "payload": 1, "accepted": 1}',
    b'{"phase": "queued", "due": Infinity}', b'{"phase": "queued", "due": -1}', b'{"phase": 1, "due": 1}',
]  # fmt: skip


@pytest.mark.parametrize("data", NOT_RECORDS)
@pytest.mark.parametrize("table", ["jobs", "states", "dead", "queue"])
def test_records_that_are_not_valid_stop_nothing(
    jobs: JobStore, caplog: pytest.LogCaptureFixture, table: str, data: bytes
):
    jobs.add(job(1))
    jobs.add(job(2))
    if table == "queue":
        jobs._table("queue").enqueue(data)
    else:
        jobs._table(table).put_data("crm-1", data)
    taken = []
    for _ in range(4):
        try:
            taken.append(jobs.take(9))
        except UnicodeError:
            assert table == "queue"
    assert any(each is not None and each[0].id == "2" for each in taken)
    jobs.requeue_due()
    assert "crm-2" in jobs.states()
    assert "crm-1" not in jobs.dead()
    assert jobs.add(job(3))
    assert table == "queue" or "is not valid" in caplog.text or data.startswith(b'{"phase"')
