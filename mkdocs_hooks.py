"""What the site of docs/ needs beyond mkdocs: what leaves docs/ is not there.

A link loses its way, and a picture is taken along.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_LEAVING = re.compile(r"(?<!!)\[([^\]]+)\]\(\.\./[^)]*\)")
_LEAVING_PICTURE = re.compile(r"(!\[[^\]]*\]\()\.\./")
_PICTURES = "benchmarks/results/*.png"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files with the pictures that lie elsewhere."""
    root = Path(config.config_file_path or "mkdocs.yml").resolve().parent
    for path in sorted(root.glob(_PICTURES)):
        where = path.relative_to(root).as_posix()
        files.append(File.generated(config, where, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """The page with the words of such links, and without the links."""
    return _LEAVING_PICTURE.sub(r"\1", _LEAVING.sub(r"\1", markdown))
