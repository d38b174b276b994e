"""What the documents say is so."""

import re
from pathlib import Path

import pytest

from service.cli import sound
from service.metrics import Metrics
from service.problems import KINDS
from service.settings import Settings
from undertone import client, errors
from undertone.errors import UndertoneError

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("models/**/*.md")]


def test_every_setting_is_documented():
    text = (ROOT / "docs" / "settings.md").read_text()
    for name in Settings.model_fields:
        assert f"`UNDERTONE_{name.upper()}`" in text


def test_no_document_names_a_setting_that_does_not_exist():
    known = {f"UNDERTONE_{name.upper()}" for name in Settings.model_fields} | {
        "UNDERTONE_DATA",
        "UNDERTONE_KEY",
    }
    for document in DOCUMENTS:
        assert set(re.findall(r"UNDERTONE_[A-Z_]*[A-Z]", document.read_text())) <= known, document


def test_every_metric_is_documented():
    text = (ROOT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"^\| `(undertone_\w+)`", text, re.MULTILINE))
    told = re.findall(r"^# HELP (undertone_\w+)", Metrics().exposition().decode(), re.MULTILINE)
    assert named == {name for name in told if not name.endswith("_created")}


def test_every_code_of_an_error_is_documented_under_its_status():
    text = (ROOT / "docs" / "api.md").read_text()
    rows = dict(re.findall(r"^\| (\d{3}) \| (.*) \|$", text, re.MULTILINE))
    for code, kind in KINDS.items():
        assert f"`{code}`" in rows[str(kind.status)]


def raised() -> set[str]:
    """Codes of the library, the client and the terminal; two errors only hold others together."""
    modules = (errors, client.errors, sound)
    kinds = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    codes = {kind.code for kind in kinds if issubclass(kind, UndertoneError)}
    return codes - {"error", "audio_error"}


def test_every_code_has_a_cause_and_a_fix():
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", text, re.MULTILINE)
    explained = [code for code, cause, fix in rows if cause.strip() and fix.strip()]
    assert len(set(explained)) == len(explained)
    assert set(explained) == {*KINDS, *raised(), "unreadable_file", "unexpected_answer"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_left_to_be_filled_in(document):
    assert not re.findall(r"@[A-Z]+@", document.read_text())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target
