"""What a type checker says of programs that use the library: those of the documents, and wrong ones."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.documents import ROOT, blocks

DOCUMENTS = ("README.md", "docs/quickstart.md", "docs/api.md", "docs/python.md")

LEAVING = """
from undertone.client import AsyncClient, Client

def leave(client: Client) -> None:
    client.stream([b""], 16_000).close()

async def leave_later(client: AsyncClient) -> None:
    await client.stream([b""], 16_000).aclose()
"""


def checked(*paths: Path) -> str:
    """What mypy says, as strict as it is with the library itself."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", *map(str, paths)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_programs_of_the_documents_and_such_as_leave_early_are_typed(tmp_path):
    programs = [LEAVING] + [
        block.text for document in DOCUMENTS for block in blocks(document, "python")
    ]
    paths = [tmp_path / f"program_{number}.py" for number in range(len(programs))]
    for path, program in zip(paths, programs, strict=True):
        path.write_text(program)
    assert checked(*paths) == ""


def test_a_name_that_the_library_does_not_have_is_found_before_the_program_runs(tmp_path):
    path = tmp_path / "program.py"
    path.write_text('import undertone\n\nundertone.load("x")\nundertone.laod("x")\n')
    said = checked(path)
    assert "program.py:4: error" in said
    assert said.count("error:") == 1
