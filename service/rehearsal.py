"""A request that nobody sent, so that the first one that somebody sends finds most in its place.

What is touched for the first time costs: memory that the system has yet to give, code and tables that no
processor has in its caches. Without this the first clip took nearly twice as long as the ones after it.
"""

import asyncio
import logging
from functools import partial
from typing import Final

import numpy as np

from service.helpers import Helpers, NoHelper
from service.metrics import Metrics
from service.models import Models
from service.observe import new_id
from service.predict import rendered
from service.schemas import PredictionReply
from service.serving import Serving
from service.settings import Settings
from service.upload import Upload
from undertone import wav
from undertone.bundle import read_golden
from undertone.errors import AudioError

UPSAMPLED: Final = 3
"""The sample's 16 kHz become 48, the rate of most microphones."""

_log = logging.getLogger("undertone")


async def rehearse(models: Models, settings: Settings, helpers: Helpers) -> None:
    """Hear the golden sample of the default model as an upload, in queues that nobody measures.

    Each helper prepares it, too.

    What comes of it does not matter: that the network answers as it did when it was exported was seen
    when it was loaded. Where it fails, the log says so, and the service opens all the same.
    """
    serving = Serving(models, settings, Metrics(), helpers)
    try:
        classifier = await models.get()
        samples = read_golden(classifier.bundle).samples
        clip = wav.encode(np.repeat(samples, UPSAMPLED), UPSAMPLED * classifier.spec.sr)
        prediction = await serving.predict(Upload(clip), classifier)
        rendered(partial(PredictionReply.of, prediction, new_id(), None))
        helped = [helpers.prepare(clip, classifier.spec) for _ in range(helpers.n_ready)]
        await asyncio.gather(*helped)
    except (AudioError, NoHelper):
        pass  # a sample may be longer than what is taken, or hold nobody's voice
    except Exception as error:
        _log.warning("rehearsal failed", extra={"fields": {"reason": str(error)}})
    finally:
        serving.close()
