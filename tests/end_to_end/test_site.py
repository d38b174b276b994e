"""docs/ as a site: every page is in it, nothing is warned about, and it needs no other server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FETCHED = re.compile(
    r"""<(?:script|img|iframe)[^>]+src=["']?(https?:|//)"""
    r"""|<link[^>]+rel=["']?(?:stylesheet|preconnect|icon)["']?[^>]+href=["']?(https?:|//)"""
    r"""|url\(["']?(https?:|//)|@import"""
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The site, and what was said while it was built: by the command of `make docs`."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


def test_it_is_built_without_a_warning(built):
    _, said = built
    assert "WARNING" not in said
    # mkdocs only informs about a page that no menu leads to.
    assert "not included in the" not in said


def test_every_page_is_in_it(built):
    folder, _ = built
    for page in (ROOT / "docs").glob("*.md"):
        assert (folder / page.name).with_suffix(".html").is_file()


def test_it_asks_no_other_server(built):
    folder, _ = built
    for path in (*folder.rglob("*.html"), *folder.rglob("*.css")):
        assert not FETCHED.search(path.read_text()), path
