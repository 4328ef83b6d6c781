"""The queue: what is taken, by whom, how often, and what becomes of it."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
import sample_tasks as tasks
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.operation import Operation, planning
from innkeeper.jobs import queue
from innkeeper.jobs.effects import end_sessions
from innkeeper.jobs.models import Job
from innkeeper.jobs.schedule import SCHEDULE
from innkeeper.jobs.worker import run_next

pytestmark = pytest.mark.django_db

ADMINISTRATOR = Actor(ActorKind.ADMINISTRATOR, 1, "admin")


def make_due(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(due_at=timezone.now() - timedelta(seconds=1))


def claimed(worker: str = "one") -> Job:
    (job,) = queue.claim("prompt", worker)
    return job


def test_a_job_runs_once_and_leaves_no_row(tmp_path: Path) -> None:
    tasks.note.enqueue(str(tmp_path / "notes"), text="hello")
    assert run_next("prompt", "one")
    assert (tmp_path / "notes").read_text() == "hello\n"
    assert not Job.objects.exists()
    assert not run_next("prompt", "one")


def test_a_job_of_an_operation_that_is_rolled_back_is_never_seen() -> None:
    with pytest.raises(RuntimeError), Operation(ADMINISTRATOR, "mail.remove"):
        end_sessions(["joe@example.test"])
        raise RuntimeError
    assert not Job.objects.exists()


def test_a_plan_makes_no_job() -> None:
    with planning(), Operation(ADMINISTRATOR, "mail.remove"):
        end_sessions(["joe@example.test"])
    assert not Job.objects.exists()


def test_ending_sessions_costs_an_operation_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with transaction.atomic(), django_assert_num_queries(1):
        end_sessions(f"user{n}@example.test" for n in range(1000))


def test_an_idle_poll_is_one_read(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1) as captured:
        assert queue.claim("prompt", "one") == []
    assert captured.captured_queries[0]["sql"].startswith("SELECT")


def test_the_poll_uses_the_index() -> None:
    due = Job.objects.filter(queue="prompt", failed_at=None, due_at__lte=timezone.now()).order_by("due_at", "id")[:1]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "job_due" in due.explain()


def test_the_job_that_is_due_longest_comes_first(tmp_path: Path) -> None:
    for text in ("second", "first"):
        tasks.note.enqueue(str(tmp_path / "notes"), text=text)
    first = Job.objects.get(arguments__contains="first")
    Job.objects.filter(pk=first.pk).update(due_at=timezone.now() - timedelta(minutes=1))
    assert claimed().pk == first.pk


def test_a_job_of_later_is_not_taken_now() -> None:
    tasks.fail_always.using(run_after=timezone.now() + timedelta(minutes=1)).enqueue()
    assert queue.claim("prompt", "one") == []


def test_a_job_that_is_held_is_given_to_nobody_else_until_its_lease_ends() -> None:
    tasks.fail_always.enqueue()
    job = claimed("one")
    assert timedelta(seconds=20) < job.due_at - timezone.now() <= timedelta(seconds=30)
    assert queue.claim("prompt", "two") == []
    make_due(job)
    assert claimed("two").pk == job.pk


def test_who_outlived_the_lease_does_not_end_the_job_of_the_successor() -> None:
    tasks.fail_always.enqueue()
    late = claimed("one")
    make_due(late)
    claimed("two")
    queue.finish(late)
    queue.fail(late, "too late")
    stored = Job.objects.get()
    assert (stored.worker, stored.error) == ("two", "")


def test_the_successor_of_a_killed_worker_has_its_jobs_at_once_and_nobody_elses() -> None:
    tasks.fail_always.enqueue()
    tasks.fail_always.enqueue()
    killed, other = claimed("killed"), claimed("other")
    assert queue.release("killed") == 1
    assert claimed("killed").pk == killed.pk
    assert Job.objects.get(pk=other.pk).worker == "other"


def test_a_failing_job_is_tried_later_each_time_and_stays_with_its_error_after_the_last() -> None:
    tasks.fail_always.enqueue()
    waits = []
    for _ in range(3):
        assert run_next("prompt", "one")
        job = Job.objects.get()
        waits.append(round((job.due_at - timezone.now()).total_seconds()))
        make_due(job)
    assert waits[:2] == [1, 2]
    assert job.failed_at is not None
    assert job.error == "RuntimeError: the mail server is away"
    assert not run_next("prompt", "one")


def test_a_job_that_kills_each_worker_is_given_up() -> None:
    tasks.fail_always.enqueue()
    for _ in range(3):
        claimed("victim")
        queue.release("victim")
    assert queue.claim("prompt", "victim") == []
    assert "death of its worker" in Job.objects.get().error


def test_jobs_that_may_be_joined_run_as_one_call(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    for n in range(12):
        tasks.note_all.enqueue([f"{notes}:{n}"])
    tasks.fail_always.enqueue()
    assert run_next("prompt", "one")
    assert notes.read_text() == "0 1 2 3 4 5 6 7 8 9\n"
    assert run_next("prompt", "one")
    assert notes.read_text().splitlines()[1:] == ["10 11"]
    assert [job.task for job in Job.objects.all()] == ["sample_tasks.fail_always"]


def test_of_joined_jobs_that_failed_each_is_tried_again_alone(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    for name in ("a", "bad", "c"):
        tasks.note_all.enqueue([f"{notes}:{name}"])
    assert run_next("prompt", "one")
    assert not notes.exists()
    assert [job.attempts for job in Job.objects.all()] == [1, 1, 1]
    for _ in range(5):
        Job.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        run_next("prompt", "one")
    assert sorted(notes.read_text().split()) == ["a", "c"]
    assert Job.objects.get().error == "ValueError: bad"


def test_a_job_whose_task_is_gone_fails_with_its_name() -> None:
    now = timezone.now()
    Job.objects.create(queue="prompt", task="sample_tasks.vanished", created_at=now, due_at=now)
    assert run_next("prompt", "one")
    job = Job.objects.get()
    assert job.failed_at is not None
    assert "vanished" in job.error


def test_the_schedule_is_written_once_and_entries_that_are_gone_leave() -> None:
    now = timezone.now()
    Job.objects.create(name="old", queue="upkeep", task="innkeeper.jobs.old.task", created_at=now, due_at=now)
    queue.install_schedule()
    before = set(Job.objects.values_list("name", "due_at"))
    queue.install_schedule()
    assert set(Job.objects.values_list("name", "due_at")) == before
    assert {name for name, _ in before} == {entry.name for entry in SCHEDULE}


def test_scheduled_work_becomes_due_again_after_success_and_after_failure() -> None:
    queue.install_schedule()
    entry = SCHEDULE[0]
    Job.objects.exclude(name=entry.name).update(due_at=timezone.now() + timedelta(days=1))
    (job,) = queue.claim("upkeep", "one")
    queue.finish(job)
    stored = Job.objects.get(name=entry.name)
    assert abs(stored.due_at - timezone.now() - entry.every) < timedelta(seconds=10)
    make_due(stored)
    for _ in range(20):
        (job,) = queue.claim("upkeep", "one")
        queue.fail(job, "away")
        make_due(job)
    stored.refresh_from_db()
    assert (stored.error, stored.failed_at) == ("away", None)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer at a time")
def test_workers_at_once_take_each_job_once() -> None:
    for _ in range(60):
        tasks.fail_always.enqueue()
    taken: list[int] = []

    def take(worker: str) -> None:
        while jobs := queue.claim("prompt", worker):
            taken.extend(job.pk for job in jobs)
        connection.close()

    threads = [threading.Thread(target=take, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 60
    assert len(set(taken)) == 60
