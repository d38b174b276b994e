import librosa
import numpy as np
import pytest

from undertone.frames import centred, framed

SOUND = np.random.default_rng(0).standard_normal(5_000).astype(np.float32)


@pytest.mark.parametrize(("length", "hop"), [(512, 256), (400, 160), (1_024, 256), (5_000, 7)])
def test_frames_are_those_of_librosa(length, hop):
    expected = librosa.util.frame(SOUND, frame_length=length, hop_length=hop, axis=0)
    np.testing.assert_array_equal(framed(SOUND, length, hop), expected)
    np.testing.assert_array_equal(framed(np.repeat(SOUND, 2)[::2], length, hop), expected)
    padded = np.pad(SOUND, length // 2)
    expected = librosa.util.frame(padded, frame_length=length, hop_length=hop, axis=0)
    np.testing.assert_array_equal(centred(SOUND, length, hop), expected)
    assert len(centred(SOUND, length, hop)) == 1 + len(SOUND) // hop


def test_frames_share_their_samples_and_are_not_written_to():
    frames = framed(SOUND, 512, 256)
    assert np.shares_memory(frames, SOUND)
    with pytest.raises(ValueError, match="read-only"):
        frames[0, 0] = 1
    assert SOUND.flags.writeable
