"""The corpora, fetched from where their authors publish them, and checked.

A transfer that was cut goes on where it stopped, in the same run and in the next one. What every
file must hash to is what `training.publishers` read from the publisher's record.
"""

import asyncio
import hashlib
import shutil
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import httpx
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

import undertone
from training.errors import DownloadError
from training.publishers import SOURCES, PublishedFile, Source

CONNECTIONS: Final = 4
"""At once; TESS is 2800 small files, and Borealis is a public service."""

ATTEMPTS: Final = 5
"""For each file, before the run is given up."""

PAUSE_S: Final = 1.0
"""Before the second attempt; twice as long before each further one."""

LONGEST_PAUSE_S: Final = 120.0
"""However long a server asks to be left alone."""

T = TypeVar("T")


def progress_bar() -> Progress:
    """A display for `download`: bar, bytes, speed, time that is left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )


def download(
    corpus: str, folder: Path, *, api_base: str | None = None, progress: Progress | None = None
) -> Path:
    """Fetch a corpus into a folder of its name in ``folder``, unless it is there already.

    It appears under that name when it is complete and every checksum was right; until then it grows
    in ``<corpus>.part``, from where a further call goes on.

    Args:
        corpus: one of `SOURCES`.
        folder: made where it does not exist.
        api_base: another server that speaks the publisher's API; for mirrors and tests.
        progress: a display, as from `progress_bar`, that the caller has started; none by default.

    Returns:
        The corpus's folder, as the readers in `training.corpora` take it.

    Raises:
        DownloadError: no such corpus, no network, too little disk space, or what arrived is not
            what the record says; the message says what to do.
    """
    if corpus not in SOURCES:
        raise DownloadError(f"no corpus {corpus!r} is known; known are {', '.join(SOURCES)}")
    source = SOURCES[corpus]
    home, staging = folder / corpus, folder / f"{corpus}.part"
    if home.is_dir() and any(home.iterdir()):
        return home
    try:
        staging.mkdir(parents=True, exist_ok=True)
        fetching = _fetch_all(
            source, api_base or source.api_base, staging, progress or Progress(), corpus
        )
        files = asyncio.run(fetching)
        for file in files:
            if file.name.lower().endswith(".zip"):
                _extract(staging / file.name)
        staging.replace(home)
    except (httpx.HTTPError, OSError, zipfile.BadZipFile) as error:
        raise DownloadError(
            f"{corpus} could not be downloaded: {_reason(error)}. Run the command again, it goes "
            f"on where it stopped; or download from {source.page} by hand and unpack into {home}"
        ) from error
    return home


async def _fetch_all(
    source: Source, api_base: str, folder: Path, progress: Progress, title: str
) -> Sequence[PublishedFile]:
    async with httpx.AsyncClient(
        follow_redirects=True,
        # Compressed on the way, the bytes would be none that a range or the size is counted in.
        headers={
            "Accept-Encoding": "identity",
            "User-Agent": f"undertone/{undertone.__version__}",
        },
        timeout=60.0,
    ) as client:
        files = await _persistently(lambda: _list(client, source, api_base))
        arrived = sum(_arrived(_inside(folder, file.name)) for file in files)
        total = sum(file.size for file in files)
        _require_room(folder, total - arrived)
        task = progress.add_task(title, total=total, completed=arrived)
        gate = asyncio.Semaphore(CONNECTIONS)

        async def fetch(file: PublishedFile) -> None:
            async with gate:
                await _fetch(client, file, folder / file.name, progress, task)

        try:
            async with asyncio.TaskGroup() as group:
                for file in files:
                    group.create_task(fetch(file))
        except ExceptionGroup as errors:
            # The others were cancelled for the first one's sake; it says why.
            raise errors.exceptions[0] from None
    return files


async def _list(client: httpx.AsyncClient, source: Source, api_base: str) -> list[PublishedFile]:
    response = await client.get(api_base + source.record)
    response.raise_for_status()
    return source.read(response.text, api_base)


async def _fetch(
    client: httpx.AsyncClient, file: PublishedFile, path: Path, progress: Progress, task: TaskID
) -> None:
    """One file to ``path``, where it stands only when its checksum was right."""
    part = _part(path)

    async def transfer() -> None:
        have = _arrived(path)
        if have >= file.size:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        async with client.stream("GET", file.url, headers=headers) as response:
            response.raise_for_status()
            goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
            if not goes_on:
                progress.advance(task, -have)
            with part.open("ab" if goes_on else "wb") as stream:
                async for chunk in response.aiter_bytes():
                    stream.write(chunk)
                    progress.advance(task, len(chunk))
        if _arrived(path) < file.size:
            raise httpx.ReadError("the connection ended early", request=response.request)

    if path.exists():
        return
    await _persistently(transfer)
    with part.open("rb") as stream:
        checksum = hashlib.file_digest(stream, file.algorithm).hexdigest()
    if checksum != file.checksum.lower():
        part.unlink()
        raise DownloadError(
            f"{file.name} arrived damaged and was removed: its {file.algorithm} is {checksum}, "
            f"the publisher's record says {file.checksum}; run the command again"
        )
    part.replace(path)


async def _persistently(step: Callable[[], Awaitable[T]]) -> T:
    """What ``step`` returns, tried again while what is wrong with the network may pass."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return await step()
        except httpx.TransportError:
            pause = PAUSE_S * 2**attempt
        except httpx.HTTPStatusError as error:
            status, asked = error.response.status_code, error.response.headers.get("Retry-After")
            if status != httpx.codes.TOO_MANY_REQUESTS and status < 500:
                raise
            pause = float(asked) if asked and asked.isdigit() else PAUSE_S * 2**attempt
        await asyncio.sleep(min(pause, LONGEST_PAUSE_S))
    return await step()


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.request.url} answered {error.response.status_code}"
    if isinstance(error, httpx.RequestError):
        trouble = str(error) or type(error).__name__
        return f"{error.request.url.host} cannot be reached, or broke off ({trouble})"
    return str(error)


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _arrived(path: Path) -> int:
    """How many bytes of the file are there, in ``path`` or on their way to it."""
    return next((p.stat().st_size for p in (path, _part(path)) if p.exists()), 0)


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DownloadError(f"refused to write {name!r}: it would lie outside of {folder}")
    return path


def _require_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise DownloadError(
            f"{folder} needs {size / 1e6:.0f} MB and its disk has {free / 1e6:.0f} MB left; "
            "free some, or choose another folder"
        )


def _extract(archive: Path) -> None:
    """Unpack where it lies, and remove it."""
    with zipfile.ZipFile(archive) as content:
        members = content.infolist()
        for member in members:
            _inside(archive.parent, member.filename)
        # `zipfile` writes no byte more than a member declares.
        _require_room(archive.parent, sum(member.file_size for member in members))
        content.extractall(archive.parent)
    archive.unlink()
