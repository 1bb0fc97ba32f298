"""A file written part by part: whenever its writer is killed, going on ends with the same bytes or says why not."""

import itertools
import os
import signal

import pytest

from ulmfit_core import files
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.unfinished import Part, part_of, read_state

MADE_WITH = {"the input": "a hash"}
ROWS, DONE = 5, 3
WHOLE = b"row\n0\n1\n2\n3\n4\n"


def write(out, go_on, rows=ROWS):
    """Write a head and rows, each of them durable before the next; all of them together become `out`."""
    part = Part(out, MADE_WITH, go_on)
    try:
        if part.is_empty:
            part.keep(b"row\n", {"rows": 0})
        for number in range(part.told.get("rows", 0), rows):
            part.keep(b"%d\n" % number, {"rows": number + 1})
        if rows == ROWS:
            part.finish(files.promote)
    finally:
        part.close()


def stopped(folder):
    """The output of a go that was stopped after its first rows."""
    out = folder / "out.csv"
    write(out, go_on=False, rows=DONE)
    assert read_state(out).told == {"rows": DONE}
    return out


def is_killed(out, go_on, moment):
    """Whether a process that writes `out` was killed before its change of that number, and had not ended by then."""
    child = os.fork()
    if child == 0:
        try:
            die_before(moment)
            write(out, go_on)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def die_before(moment):
    """Let this process be killed when it is about to change something on the disk for that time."""
    changes = itertools.count(1)

    def deadly(change):
        def changed(*arguments, **options):
            if next(changes) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*arguments, **options)

        return changed

    for place, name in ((os, "write"), (os, "fsync"), (os, "replace"), (os, "unlink"), (files.AppendLog, "truncate")):
        setattr(place, name, deadly(getattr(place, name)))


# Kills


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a signal of Unix")
@pytest.mark.parametrize("go_on", [False, True], ids=["anew", "going on"])
def test_whenever_it_is_killed_the_next_go_ends_with_the_same_bytes(tmp_path, go_on):
    for moment in itertools.count(1):
        (tmp_path / str(moment)).mkdir()
        out = stopped(tmp_path / str(moment))
        killed = is_killed(out, go_on, moment)
        if not out.exists():
            write(out, go_on=read_state(out) is not None)
        assert out.read_bytes() == WHOLE, f"killed before change {moment}"
        if not killed:
            break
    assert moment > 15, "several in each row"


@pytest.mark.parametrize("left", [b"row\n0\n1\n2\n", b"", b"row\n0"], ids=["not cut yet", "cut", "a row begun"])
def test_a_start_anew_that_is_killed_leaves_nothing_answered(tmp_path, left):
    out = stopped(tmp_path)
    Part(out, MADE_WITH, False).close()
    part_of(out).write_bytes(left)
    write(out, go_on=True)
    assert out.read_bytes() == WHOLE


def test_a_state_without_a_part_is_nothing_to_go_on_with(tmp_path):
    out = stopped(tmp_path)
    part_of(out).unlink()
    with pytest.raises(UserError, match="nothing to go on with"):
        write(out, go_on=True)
    write(out, go_on=False)
    assert out.read_bytes() == WHOLE and list(tmp_path.iterdir()) == [out]


# Refusals


@pytest.mark.parametrize("kept", [0, 5])
def test_a_part_that_lost_rows_is_refused_and_stays(tmp_path, kept):
    out = stopped(tmp_path)
    short = part_of(out).read_bytes()[:kept]
    part_of(out).write_bytes(short)
    with pytest.raises(UserError, match=r"shorter than what was answered, so it is damaged\. Start anew"):
        write(out, go_on=True)
    assert part_of(out).read_bytes() == short and read_state(out).told == {"rows": DONE}
    write(out, go_on=False)
    assert out.read_bytes() == WHOLE


def test_what_another_process_writes_is_not_looked_at(tmp_path):
    out = tmp_path / "out.csv"
    at_work = Part(out, {"the input": "another hash"}, False)
    for go_on in (True, False):
        with pytest.raises(UserError, match="Another process is writing"):
            Part(out, MADE_WITH, go_on)
    at_work.keep(b"row\n", {"rows": 0})
    at_work.close()
    assert part_of(out).read_bytes() == b"row\n"


def test_who_is_refused_holds_up_nobody(tmp_path):
    out = stopped(tmp_path)
    with pytest.raises(UserError, match="the input changed") as refused:  # kept, as is all that its traceback holds
        Part(out, {"the input": "another hash"}, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv.part", "out.csv.part.json"] and refused
    Part(out, MADE_WITH, True).close()


def test_a_start_anew_tells_of_what_it_drops(tmp_path):
    out = stopped(tmp_path)
    part = Part(out, MADE_WITH, False)
    part.close()
    assert part.dropped == {"rows": DONE} and part.told == {}
