"""The page at /, and the static files that it and the documents are made of."""

from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

STATIC: Final = Path(__file__).parent / "static"

_PAGE_HEADERS: Final = {
    # Files of ours and nothing else; what is played is a blob that the page made itself.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; font-src 'self'; img-src 'self'; media-src blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-cache",
}

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""Said by us: the table that Python asks is the system's, and an image may have none."""


def install(app: FastAPI) -> None:
    """Give ``app`` its page, and ``/static`` with the files of all pages."""
    app.mount("/static", _Static(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "page" / "index.html", headers=_PAGE_HEADERS)


class _Static(StaticFiles):
    """Files that browsers may keep, and ask about."""

    def file_response(self, full_path: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().file_response(full_path, *args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        if media_type := _MEDIA_TYPES.get(Path(full_path).suffix):
            response.headers["content-type"] = media_type
        return response
