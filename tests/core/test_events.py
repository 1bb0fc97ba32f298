"""Events survive the way to the log and back; a torn tail does no harm."""

import dataclasses
import json

import pytest

from ulmfit_core import events

PHASE = {"title": "all", "first_step": 0, "last_step": 10, "epochs": 2, "groups": ["head"]}
EXAMPLES = [
    events.Started("vocab", "Build the vocabulary"),
    events.Plan(["head"], 10, 100, [5, 10], [PHASE], [0, 9], [[0.1, 0.2]], 1000, "cpu", 2),
    events.PhaseBegan(0, "all", ["head"], 0),
    events.EpochEnded(0, 0, 5, {"accuracy": 0.5}, True),
    events.WatchedScores(1, [{"text": "Schön!", "label": "pos", "probabilities": {"pos": 0.9, "neg": 0.1}}]),
    events.GeneralLoss(-1, 4.5, "some text"),
    events.SampleText(0, "", "Es war einmal ein König."),
    events.CheckpointSaved(3, 0.1),
    events.Artefact("dataset", "/somewhere"),
    events.Message("warning", "Careful."),
    events.Progress("Reading", 1.0, 2.0),
    events.Ended("done", report={"rows": 3}),
]


def test_there_is_an_example_of_every_kind():
    assert {type(event) for event in EXAMPLES} == set(events.KINDS.values())


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_an_event_survives_its_line(event):
    line = events.to_line(event)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert events.from_line(line) == event


def test_events_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EXAMPLES[0].job = "other"


def test_a_torn_last_line_is_left_out(tmp_path):
    whole = events.to_line(EXAMPLES[0])
    path = tmp_path / "events.jsonl"
    path.write_bytes(whole + events.to_line(EXAMPLES[-1])[:-7])
    assert events.read_events(path) == [EXAMPLES[0]]


def test_a_missing_log_has_no_events(tmp_path):
    assert events.read_events(tmp_path / "none") == []


def test_a_line_that_is_no_event_is_refused():
    for line in (b'{"rows": 3}', b"[1, 2]", b'{"event": 3}'):
        with pytest.raises(ValueError, match="no event"):
            events.from_line(line)


def test_what_a_newer_version_says_is_kept_and_counted(tmp_path):
    known = events.to_line(EXAMPLES[-1])
    more = b'{"event": "Ended", "status": "done", "at": 7.5, "verdict": "fine", "extra": 1}\n'
    new = b'{"event": "Calibrated", "at": 8.5, "bins": [1, 2]}\n'
    less = b'{"event": "Message", "at": 9.5, "words": "Careful."}\n'
    path = tmp_path / "events.jsonl"
    path.write_bytes(known + more + new + less)
    first, ended, calibrated, message = told = events.read_events(path)
    assert first == EXAMPLES[-1]
    assert (ended.status, ended.at, ended.extra) == ("done", 7.5, {"verdict": "fine", "extra": 1})
    assert calibrated == events.Unknown("Calibrated", at=8.5, extra={"bins": [1, 2]})
    assert message == events.Unknown("Message", at=9.5, extra={"words": "Careful."})
    assert events.of_another_version(told) == 3 and events.of_another_version(told[:1]) == 0
    for event, line in zip(told[1:], (more, new, less)):
        again, before = json.loads(events.to_line(event)), json.loads(line)
        assert {name: again[name] for name in before} == before, "it is written as it came"
