"""docs/training.md, "Your own corpus in ten minutes": every block of it, as it is written."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from service.app import create_app
from service.settings import Settings
from tests.support.commands import uncounted
from tests.support.ravdess import SR, voice
from tests.support.servers import running
from undertone.wav import encode

ROOT = Path(__file__).resolve().parents[2]
SECTION = (
    (ROOT / "docs" / "training.md").read_text().split("## Your own corpus")[1].split("\n## ")[0]
)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)


@pytest.mark.slow
def test_a_corpus_of_ones_own_ends_in_a_served_model(tmp_path):
    for code, emotion in ((1, "happy"), (6, "sad")):
        for number, speaker in enumerate(("anna", "ben")):
            folder = tmp_path / "data" / "mine" / emotion / speaker
            folder.mkdir(parents=True)
            for take in range(1, 9):
                sound = voice(code, 1.0, seed=100 * number + 10 * code + take)
                (folder / f"{take:03d}.wav").write_bytes(encode(sound, SR))
    (recipe,) = blocks("toml")
    (tmp_path / "mine.toml").write_text(recipe)
    train, serve = blocks("sh")
    # The commands as they are written, with this interpreter behind their name.
    shell = f"""
        undertone-train() {{ '{sys.executable}' -c 'from training.cli import app; app()' "$@"; }}
        set -e
        {train}
    """
    environment = uncounted() | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "unseen speakers" in done.stdout
    card = (tmp_path / "models" / "mine" / "README.md").read_text()
    assert "recordings of your own" in card
    assert "`undertone-train crossval mine.toml --seed 0` makes these figures again" in card
    for unfounded in ("acted", "North American", "non-commercial", "a test computes"):
        assert unfounded not in card
    upload, name = re.search(r"file=@(\S+) '[^']*model=(\w+)'", serve).groups()
    app = create_app(Settings(models=tmp_path / "models", port=0))
    with running(app) as url, (tmp_path / upload).open("rb") as clip:
        reply = httpx.post(f"{url}/predict?model={name}", files={"file": clip}, timeout=60)
    assert reply.status_code == 200
    scores = {each["label"]: each["score"] for each in reply.json()["probabilities"]}
    assert scores.keys() == {"happy", "sad"}
    assert max(scores, key=scores.get) == "happy"
