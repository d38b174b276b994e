"""Everything that can be checked about a bundle, one check after the other, in words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from undertone.bundle import Bundle, open_bundle
from undertone.classifier import Classifier
from undertone.engine import Engine, open_engine
from undertone.errors import BundleError
from undertone.saved_model import SavedModelEngine, graph_operations

REFUSED: Final = {
    "Cudnn": "needs a GPU",
    "PyFunc": "calls Python",
    "EagerPyFunc": "calls Python",
    "ReadFile": "reads files of the host",
    "WriteFile": "writes files of the host",
    "WholeFileReader": "reads files of the host",
    "MatchingFiles": "lists files of the host",
    "ImmutableConst": "maps files of the host",
    "LoadLibrary": "loads machine code",
    "XlaHostCompute": "calls the host",
    "Rpc": "speaks to a network",
}
"""Beginnings of the names of operations that no classifier needs, and what is wrong with each.

The operations that every SavedModel has to read and write its own variables are not among them."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what it was.
        passed: whether it is as it must be.
        detail: what was found, for a person.
    """

    name: str
    passed: bool
    detail: str


def verify(path: Path) -> Iterator[Check]:
    """Check the bundle at ``path``: files, operations of the graph, golden sample.

    Each check comes as soon as it is done, which for the last takes seconds. The first that does not
    pass is the last, since the others would trust in it.
    """
    try:
        bundle = open_bundle(path)
    except BundleError as error:
        yield Check("files", False, error.detail)
        return
    manifest = bundle.manifest
    yield Check(
        "files", True, f"{len(manifest.files)} files and the manifest are those that were exported"
    )

    operations = graph_operations(bundle.saved_model)
    refused = [
        f"{operation} ({why})"
        for operation in sorted(operations)
        for beginning, why in REFUSED.items()
        if operation.startswith(beginning)
    ]
    if refused:
        yield Check("operations", False, f"the graph holds {', '.join(refused)}; do not load it")
        return
    yield Check(
        "operations",
        True,
        f"{len(operations)} kinds in the SavedModel, none of which leaves the graph",
    )

    engines: dict[str, Callable[[Bundle], Engine]] = {"golden sample": SavedModelEngine}
    if bundle.network is not None:
        engines["golden sample, ONNX"] = open_engine
    for name, engine in engines.items():
        try:
            Classifier(bundle, engine(bundle)).check_golden()
        except BundleError as error:
            yield Check(name, False, error.detail)
            return
        yield Check(name, True, "it makes of it what it made when it was exported")
