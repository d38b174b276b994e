"""Bodies that are not the form that they should be, and forms that are odd and right."""

import gzip

from tests.hostile.upload import PLAIN, Upload

FORM = {"Content-Type": "multipart/form-data; boundary=frontier"}
FILE = 'form-data; name="file"; filename="clip.wav"'
END = b"--frontier--\r\n"


def part(disposition: str | bytes, data: bytes = PLAIN, *more: bytes) -> bytes:
    """One part of a form, with further header lines."""
    if isinstance(disposition, str):
        disposition = disposition.encode()
    lines = [b"--frontier", b"Content-Disposition: " + disposition, *more, b"", data, b""]
    return b"\r\n".join(lines)


def refused(body: bytes, headers: dict[str, str] = FORM) -> Upload:
    """Is not the form that it should be."""
    return Upload(body, 400, "malformed_request", headers=headers)


def taken(body: bytes, headers: dict[str, str] = FORM) -> Upload:
    """Is a form that holds the plain clip."""
    return Upload(body, headers=headers)


def of_type(content_type: str, data: bytes = PLAIN) -> Upload:
    """Is of a type that is neither a form nor audio."""
    return Upload(data, 415, "unsupported_media_type", headers={"Content-Type": content_type})


def raw(**headers: str) -> Upload:
    """The plain clip as the body itself."""
    return Upload(PLAIN, headers={name.replace("_", "-"): value for name, value in headers.items()})


_NOTE = part('form-data; name="note"', b"hello")

_BOUNDARIES: dict[str, Upload] = {
    "no boundary": refused(part(FILE) + END, {"Content-Type": "multipart/form-data"}),
    "an empty boundary": refused(
        part(FILE) + END, {"Content-Type": "multipart/form-data; boundary="}
    ),
    "another boundary": refused(
        part(FILE) + END, {"Content-Type": "multipart/form-data; boundary=border"}
    ),
    "a boundary of 71 characters": refused(
        part(FILE).replace(b"frontier", b"x" * 71) + b"--" + b"x" * 71 + b"--\r\n",
        {"Content-Type": f"multipart/form-data; boundary={'x' * 71}"},
    ),
    "a boundary of 70 characters": taken(
        part(FILE).replace(b"frontier", b"x" * 70) + b"--" + b"x" * 70 + b"--\r\n",
        {"Content-Type": f"multipart/form-data; boundary={'x' * 70}"},
    ),
    "a boundary of 10 kB": refused(
        part(FILE) + END, {"Content-Type": f"multipart/form-data; boundary={'x' * 10_000}"}
    ),
    "a boundary in quotes": taken(
        part(FILE) + END, {"Content-Type": 'multipart/form-data; boundary="frontier"'}
    ),
    "a boundary that the audio holds": taken(
        part(FILE, PLAIN) + b"--frontier--\r\n--frontier\r\nmore after the end"
    ),
    "Content-Type in capitals": taken(
        part(FILE) + END, {"Content-Type": "MULTIPART/FORM-DATA; boundary=frontier"}
    ),
    "a preamble": refused(b"This is a form.\r\n" + part(FILE) + END),
    "newlines without returns": refused((part(FILE) + END).replace(b"\r\n", b"\n")),
}

_PARTS: dict[str, Upload] = {
    "no parts": refused(END),
    "no body": refused(b""),
    "no form at all": refused(PLAIN),
    "text in the field (curl without @)": refused(
        part('form-data; name="file"', b"clip.wav") + END
    ),
    "a path in the field": refused(part('form-data; name="file"', b"@/etc/passwd") + END),
    "another field": refused(part('form-data; name="audio"; filename="a.wav"') + END),
    "the field in capitals": refused(part('form-data; name="FILE"; filename="a.wav"') + END),
    "an empty field name": refused(part('form-data; name=""; filename="a.wav"') + END),
    "no name": refused(part("form-data") + END),
    "no disposition": refused(b"--frontier\r\n\r\n" + PLAIN + b"\r\n" + END),
    "no header and no empty line": refused(b"--frontier\r\n" + PLAIN + b"\r\n" + END),
    "an attachment": refused(part('attachment; filename="clip.wav"') + END),
    "two files": refused(part(FILE) + part(FILE) + END),
    "1000 files": refused(1_000 * part(FILE, b"x") + END),
    "1000 fields": refused(1_000 * part('form-data; name="note"', b"x") + part(FILE) + END),
    "nine fields": refused(9 * _NOTE + part(FILE) + END),
    "eight fields": taken(4 * _NOTE + part(FILE) + 4 * _NOTE + END),
    "cut off": refused(part(FILE)),
    "cut off in the audio": refused(part(FILE)[:-5_000]),
    "cut off in a header": refused(part(FILE)[:40]),
    "cut off in the last boundary": refused(part(FILE) + END[:-4]),
    "a header of 100 kB": refused(part(FILE, PLAIN, b"X-Long: " + b"x" * 100_000) + END),
    "1000 headers": refused(part(FILE, PLAIN, *[b"X-Many: x"] * 1_000) + END),
    "a header without a colon": refused(part(FILE, PLAIN, b"nothing") + END),
    "a type that lies": taken(part(FILE, PLAIN, b"Content-Type: video/mp4") + END),
    "an empty file": Upload(part(FILE, b"") + END, 400, "malformed_audio", headers=FORM),
    "a form in the form": Upload(
        part(FILE, part(FILE).replace(b"frontier", b"inner")) + END,
        415,
        "unsupported_audio",
        headers=FORM,
    ),
    "an HTML page in the form": Upload(
        part(FILE, b"<html></html>") + END, 415, "unsupported_audio", headers=FORM
    ),
}

_NAMES: dict[str, Upload] = {
    f"a file named {title}": taken(part(b'form-data; name="file"; filename="' + name + b'"') + END)
    for title, name in {
        "as one directory up": b"../../../etc/passwd",
        "as on Windows": rb"C:\clips\clip.wav",
        "in 10 kB": b"x" * 4_000,
        "in Umlauten": "Märchenstunde 🎙.wav".encode(),
        "in latin-1": "Märchen.wav".encode("latin-1"),
        "with NUL": b"clip.wav\0.exe",
        "from right to left": "\u202evaw.pilc".encode(),
        "as a script": b"<script>alert(1)</script>.wav",
        "as a command": b"$(reboot).wav",
        "with a semicolon": b"a;b.wav",
        "as SQL": b"'; DROP TABLE clips; --",
        "with an escaped quote": rb"a\"b.wav",
        "as a format": b"%s%s%s%n.wav",
        "mp3": b"clip.mp3",
    }.items()
} | {
    "a file with an empty name": taken(part('form-data; name="file"; filename=""') + END),
    "a file named across two lines": refused(
        part(b'form-data; name="file"; filename="clip\r\n.wav"') + END
    ),
    "a file named as RFC 5987 says": taken(
        part('form-data; name="file"; filename="a.wav"; filename*=UTF-8\'\'%e2%82%ac.wav') + END
    ),
    "a name of 10 kB": refused(
        part(b'form-data; name="file"; filename="' + b"x" * 10_000 + b'"') + END
    ),
}

_TYPES: dict[str, Upload] = {
    **{
        f"a body of {content_type or 'no type'}": of_type(content_type)
        for content_type in (
            *("application/json", "application/x-www-form-urlencoded", "text/plain", "video/mp4"),
            *("multipart/mixed; boundary=frontier", "multipart/related", "image/png", "nonsense"),
            *("audio", "audiowav", "multipart/form-data-not"),
        )
    },
    **{
        f"a body of {content_type}": raw(Content_Type=content_type)
        for content_type in (
            *("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/mpeg"),
            *("Audio/WAV; codec=1", "application/octet-stream", "audio/", "; boundary=frontier"),
        )
    },
    "a body without a type": raw(),
    "a packed body": Upload(
        gzip.compress(PLAIN),
        415,
        "unsupported_media_type",
        headers={"Content-Type": "audio/wav", "Content-Encoding": "gzip"},
    ),
    "a form as audio": Upload(part(FILE) + END, 415, "unsupported_audio"),
    "no audio in audio": Upload(b"", 400, "malformed_audio"),
}

_QUERIES: dict[str, Upload] = {
    **{
        f"a model named {name[:20]!r}": Upload(PLAIN, 404, "model_not_found", query={"model": name})
        for name in (
            "../../etc/passwd",
            "/",
            "x" * 5_000,
            "\0",
            "undertone-ravdess-2/",
            "тон",
            "%00",
        )
    },
    **{
        f"top_k {value!r}": Upload(PLAIN, 422, "invalid_request", query={"top_k": value})
        for value in ("0", "-1", "9", "1e3", "NaN", "many", "", "9" * 400, "1;2", "0x1")
    },
}

UPLOADS: dict[str, Upload] = {**_BOUNDARIES, **_PARTS, **_NAMES, **_TYPES, **_QUERIES}
