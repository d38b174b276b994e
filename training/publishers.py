"""Where the corpora are published, and what the publishers' records say of their files.

Names, sizes, addresses and checksums are read from the record each time; none is known here.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from training.errors import DownloadError


class PublishedFile(BaseModel):
    """A file as its publisher's record describes it.

    Attributes:
        name: without a folder.
        url: where its bytes are.
        size: in bytes.
        algorithm: of ``checksum``, as `hashlib` calls it.
        checksum: hexadecimal.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    url: str
    size: int
    algorithm: Literal["md5", "sha1", "sha256", "sha512"]
    checksum: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a corpus is published.

    Attributes:
        page: for people.
        api_base: for us.
        record: what describes the files, below ``api_base``.
        wanted: what the names of the corpus's files match.
        parse: the record's JSON, and the ``api_base`` it came from, to its files.
    """

    page: str
    api_base: str
    record: str
    wanted: re.Pattern[str]
    parse: Callable[[Any, str], list[PublishedFile]]

    def read(self, record: str, api_base: str) -> list[PublishedFile]:
        """The corpus's files, from the JSON that the API at ``api_base`` gave for the record.

        Raises:
            DownloadError: it is no such JSON, or lists none of them.
        """
        try:
            files = self.parse(json.loads(record), api_base)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DownloadError(
                f"{api_base}{self.record} answered something else than a record of files; "
                f"download from {self.page} by hand"
            ) from error
        wanted = [file for file in files if self.wanted.fullmatch(file.name)]
        if not wanted:
            raise DownloadError(
                f"{api_base}{self.record} lists no file like {self.wanted.pattern}; "
                f"download from {self.page} by hand"
            )
        return wanted


def _zenodo(record: Any, _: str) -> list[PublishedFile]:
    """As https://developers.zenodo.org describes it."""
    return [
        PublishedFile(
            name=file["key"],
            url=file["links"]["self"],
            size=file["size"],
            algorithm=algorithm,
            checksum=checksum,
        )
        for file in record["files"]
        for algorithm, checksum in [file["checksum"].split(":")]
    ]


def _dataverse(record: Any, api_base: str) -> list[PublishedFile]:
    """As https://guides.dataverse.org/en/latest/api/ describes it."""
    return [
        PublishedFile(
            name=data["filename"],
            url=f"{api_base}/access/datafile/{data['id']}",
            size=data["filesize"],
            algorithm=data["checksum"]["type"].replace("-", "").lower(),
            checksum=data["checksum"]["value"],
        )
        for data in (file["dataFile"] for file in record["data"]["latestVersion"]["files"])
    ]


def _ravdess(archive: str) -> Source:
    return Source(
        page="https://zenodo.org/records/1188976",
        api_base="https://zenodo.org/api",
        record="/records/1188976",
        wanted=re.compile(re.escape(archive)),
        parse=_zenodo,
    )


SOURCES: Final[Mapping[str, Source]] = {
    "ravdess": _ravdess("Audio_Speech_Actors_01-24.zip"),
    "ravdess-song": _ravdess("Audio_Song_Actors_01-24.zip"),
    "tess": Source(
        page="https://doi.org/10.5683/SP2/E8H2MF",
        api_base="https://borealisdata.ca/api",
        record="/datasets/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF",
        wanted=re.compile(r".+\.(wav|zip)", re.IGNORECASE),
        parse=_dataverse,
    ),
}
