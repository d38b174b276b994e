"""What the service hands a browser for the page at /, and what its colours promise."""

import re
from itertools import combinations

import httpx
import numpy as np
import pytest

from service.app import create_app
from service.page import STATIC
from service.settings import Settings
from tests.support.servers import running
from undertone.emotions import RAVDESS

PAGE = STATIC / "page"


def test_the_page_comes_with_headers_that_allow_its_own_files_alone(client):
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert "microphone=(self)" in page.headers["permissions-policy"]
    policy = dict(
        part.split(" ", 1) for part in page.headers["content-security-policy"].split("; ")
    )
    assert policy.pop("media-src") == "blob:"
    assert set(policy.values()) == {"'none'", "'self'"}
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"


@pytest.mark.parametrize(
    "file", sorted(path for path in PAGE.iterdir()), ids=lambda path: path.name
)
def test_files_of_the_page_load_nothing_from_elsewhere_and_hold_nothing_inline(client, file):
    text = file.read_text("utf-8")
    assert not re.search(r"https?://|<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert not any(re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL))
    linked = re.findall(r'(?:href|src)="(static/[^"]+)"', text)
    imported = [f"static/page/{name}" for name in re.findall(r'from "\./([^"]+)"', text)]
    fonts = [f"static/{name}" for name in re.findall(r'url\("\.\./([^"]+)"\)', text)]
    for address in [*linked, *imported, *fonts]:
        assert client.get(f"/{address}").status_code == 200, address


@pytest.mark.parametrize(
    ("file", "media_type"),
    [
        ("page/main.js", "text/javascript; charset=utf-8"),
        ("page/base.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/fonts/fraunces.woff2", "font/woff2"),
    ],
)
def test_static_files_say_what_they_are(client, file, media_type):
    answer = client.get(f"/static/{file}")
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "no-cache"
    again = client.get(f"/static/{file}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_a_static_file_that_is_not_there_is_a_problem(client):
    answer = client.get("/static/page/nothing.js")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_the_page_can_be_switched_off_with_the_documents(models):
    with running(create_app(Settings(docs=False), models)) as url:
        answer = httpx.get(url)
        assert answer.status_code == 404
        assert "/docs" not in answer.text, "it is not there either"


# What follows computes what base.css says of its colours.

RGB = np.ndarray

SIGHT = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""Linear RGB to linear RGB, at full severity: Machado, Oliveira and Fernandes (2009)."""

APART = 0.1
"""In Oklab, where a just noticeable difference is about 0.02."""


def colours(scheme: str) -> dict[str, RGB]:
    """The custom properties of a scheme that are colours, as linear RGB."""
    light, _, dark = (PAGE / "base.css").read_text("utf-8").partition("prefers-color-scheme: dark")
    text = {"light": light, "dark": dark}[scheme]
    found = re.findall(r"--([a-z-]+): #([0-9a-f]{6});", text)
    return {name: linear(value) for name, value in found}


def linear(value: str) -> RGB:
    encoded = np.array([int(value[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def contrast(one: RGB, other: RGB) -> float:
    """After WCAG 2.2."""
    bright, dark = sorted((float(c @ [0.2126, 0.7152, 0.0722]) for c in (one, other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def oklab(colour: RGB) -> RGB:
    """After Ottosson (2020)."""
    cones = np.cbrt(
        np.clip(colour, 0, 1)
        @ np.array(
            [
                [0.4122214708, 0.2119034982, 0.0883024619],
                [0.5363325363, 0.6806995451, 0.2817188376],
                [0.0514459929, 0.1073969566, 0.6299787005],
            ]
        )
    )
    return cones @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_emotion_stands_off_the_ground(scheme):
    palette = colours(scheme)
    for emotion in RAVDESS:
        assert contrast(palette[emotion], palette["panel"]) >= 3, emotion


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(scheme):
    palette = colours(scheme)
    for ground in ("panel", "ground"):
        for text in ("ink", "soft", "accent", "fault"):
            assert contrast(palette[text], palette[ground]) >= 4.5, (text, ground)
        assert contrast(palette["field"], palette[ground]) >= 3, ground
    assert contrast(palette["on-accent"], palette["accent"]) >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_emotions_are_told_apart_without_one_kind_of_cone(scheme, sight):
    palette = colours(scheme)
    seen = {emotion: oklab(np.array(SIGHT[sight]) @ palette[emotion]) for emotion in RAVDESS}
    for one, other in combinations(RAVDESS, 2):
        assert np.linalg.norm(seen[one] - seen[other]) >= APART, (one, other)
