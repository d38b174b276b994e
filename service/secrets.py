"""How API keys are written down."""

import re

_ENTRY = re.compile(r"([A-Za-z0-9._-]{1,64}):([A-Za-z0-9._~-]{16,256})")


def parse_keys(text: str) -> dict[str, str]:
    """Keys by the names of those who hold them, from ``name:key``, apart by commas or white space.

    What stands behind a # up to the end of its line is left out.

    Raises:
        ValueError: an entry is none, or a name or a key comes twice; the message repeats no key.
    """
    keys: dict[str, str] = {}
    entries = re.split(r"[,\s]+", re.sub(r"#.*", "", text))
    for number, entry in enumerate(filter(None, entries), 1):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise ValueError(
                f"entry {number} is not name:key; a key has 16 to 256 characters of A-Z a-z 0-9 . _ ~ -"
            )
        if match[1] in keys:
            raise ValueError(f"there are two keys named {match[1]}")
        for name, key in keys.items():
            if key == match[2]:
                raise ValueError(
                    f"{name} and {match[1]} have the same key: nobody could tell them apart"
                )
        keys[match[1]] = match[2]
    if not keys:
        raise ValueError("there is no key")
    return keys
