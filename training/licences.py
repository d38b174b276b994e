"""What there is to say of the corpora that a model learnt from: whose they are, and what they allow."""

from collections.abc import Mapping, Sequence
from typing import Final

from undertone.bundle import Corpus

CORPORA: Final[Mapping[str, Corpus]] = {
    "ravdess": Corpus(
        name="RAVDESS",
        licence="CC BY-NC-SA 4.0",
        citation="Livingstone SR, Russo FA (2018), PLoS ONE 13(5): e0196391",
        url="https://doi.org/10.5281/zenodo.1188976",
    ),
    "ravdess-song": Corpus(
        name="RAVDESS song",
        licence="CC BY-NC-SA 4.0",
        citation="Livingstone SR, Russo FA (2018), PLoS ONE 13(5): e0196391",
        url="https://doi.org/10.5281/zenodo.1188976",
    ),
    "tess": Corpus(
        name="TESS",
        licence="CC BY-NC-ND 4.0",
        citation="Dupuis K, Pichora-Fuller MK (2010), Toronto emotional speech set",
        url="https://doi.org/10.5683/SP2/E8H2MF",
    ),
}


def corpus(name: str) -> Corpus:
    """What there is to say about a corpus; of one of your own only you know its licence."""
    own = Corpus(name=name, licence="its owner's", citation="not published", url="")
    return CORPORA.get(name, own)


def licence(corpora: Sequence[Corpus]) -> str:
    """The licence of weights that were trained on ``corpora``: theirs."""
    names = sorted({corpus.licence for corpus in corpora})
    return f"{' and '.join(names)} (follows the corpora that it was trained on)"
