"""What is installed is what constraints.txt lists, all of it is needed, and the audit tells what it finds."""

from __future__ import annotations

import http.server
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.script import load
from tests.sealed.world import ROOT

VERSIONS = {"jinja2": "2.4.1", "tomlkit": "0.15.2"}
# As https://google.github.io/osv.dev/post-v1-querybatch/ describes answers: in the order of the questions.
ANSWER = {"results": [{"vulns": [{"id": "PYSEC-1", "modified": "2024-01-01T00:00:00Z"}, {"id": "GHSA-2"}]}, {}]}


@pytest.fixture(scope="module")
def audit():
    return load("audit")


class Service(http.server.BaseHTTPRequestHandler):
    """Answers with what it was told to, and keeps what it was asked."""

    said, asked = b"", {}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).asked = json.loads(body)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.said)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests' output is no place for it."""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch) -> None:
    """Whatever lies between this machine and the network, this machine is spoken to directly."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def service() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.skipif(Path(sys.prefix).parent.resolve() != ROOT, reason="is about the environment that `make` makes")
def test_the_environment_is_the_one_that_is_listed(audit):
    assert list(audit.deviations(audit.listed())) == []
    assert list(audit.misfits()) == []


def test_every_version_is_exact_and_listed_once(audit):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert all(line.count("==") == 1 and not set(line) & set(" ;<>~*+@") for line in lines)
    assert len(audit.listed()) == len(lines)


def test_what_is_needed_is_followed_to_the_end(audit):
    needed = audit.needed()
    assert {"torch", "sympy", "mpmath", "pytest", "pyside6-essentials", "shiboken6"} <= needed
    assert not {"pip", "ulmfit-studio", "tensorflow"} & needed


def test_a_deviation_is_told(audit):
    listed = audit.listed()
    changed = {name: version for name, version in listed.items() if name != "mpmath"} | {"numpy": "0.1", "leftpad": "1"}
    told = "\n".join(audit.deviations(changed))
    assert f"mpmath {audit.installed()['mpmath']} is not listed" in told
    assert "constraints.txt lists 0.1" in told and "leftpad is listed in constraints.txt, and nothing" in told


def test_a_known_vulnerability_is_told(audit, service):
    Service.said = json.dumps(ANSWER).encode()
    found = audit.vulnerabilities(VERSIONS, service)
    assert found == ["jinja2 2.4.1: PYSEC-1, GHSA-2 (https://osv.dev/PYSEC-1)"]
    queries = Service.asked["queries"]
    assert [(each["package"]["name"], each["version"]) for each in queries] == list(VERSIONS.items())
    assert {each["package"]["ecosystem"] for each in queries} == {"PyPI"}


@pytest.mark.parametrize("said", [b"<html>", b"{}", b'{"results": [{}]}'])
def test_half_an_answer_is_none(audit, service, said):
    Service.said = said
    with pytest.raises(OSError, match="answered"):
        audit.vulnerabilities(VERSIONS, service)


def test_a_service_that_cannot_be_reached_is_told_of(audit, monkeypatch, capsys):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and nobody listens
        monkeypatch.setattr(audit.vulnerabilities, "__defaults__", (f"http://127.0.0.1:{nobody.getsockname()[1]}/",))
        audit.main()
    assert "were NOT looked for" in capsys.readouterr().out
