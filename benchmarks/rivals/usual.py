"""The usual way: FastAPI, `librosa.load`, a librosa call for each step, and `model.predict`.

Pitch, of which librosa has another definition, is taken from the library.

``uvicorn benchmarks.rivals.usual:app``
"""

import json

import keras
import librosa
import numpy as np
from fastapi import FastAPI, UploadFile

from benchmarks.rivals.answer import MODEL, answer
from undertone.features import features
from undertone.spec import Spec

manifest = json.loads((MODEL / "manifest.json").read_text())
spec, signature = manifest["spec"], manifest["signature"]
stft, (log_mel, *others) = spec["stft"], spec["features"]
steps = {step["kind"]: step for step in spec["preprocess"]}
assert list(steps) == ["centre", "trim", "level"], "these are what is done below"
trim, level = steps["trim"], steps["level"]
others_alone = Spec.model_validate({**spec, "features": others}) if others else None

inputs = keras.Input(shape=signature["input_shape"][1:])
layer = keras.layers.TFSMLayer(MODEL / "saved_model", call_endpoint=signature["name"])
model = keras.Model(inputs, layer(inputs)[signature["output"]])

app = FastAPI()


@app.post("/predict")
def predict(file: UploadFile) -> dict:
    """The emotion in a recording."""
    samples, sr = librosa.load(file.file, sr=spec["sr"])
    samples, _ = librosa.effects.trim(
        samples - samples.mean(),
        top_db=trim["top_db"],
        frame_length=trim["frame_length"],
        hop_length=trim["hop_length"],
    )
    rms = np.sqrt(np.mean(samples**2))
    samples = samples * 10 ** (level["target_db"] / 20) / rms
    size = int(spec["duration_s"] * sr)
    start = max(0, (len(samples) - size) // 2)
    samples = librosa.util.pad_center(samples[start : start + size], size=size)
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=sr,
        n_fft=stft["n_fft"],
        win_length=stft["win_length"],
        hop_length=stft["hop_length"],
        n_mels=log_mel["n_mels"],
    )
    matrix = librosa.power_to_db(mel, top_db=log_mel["top_db"]).T
    if others_alone:
        matrix = np.concatenate([matrix, features(samples, others_alone)], axis=1)
    probabilities = model.predict(matrix[np.newaxis], verbose=0)[0]
    return answer(probabilities, manifest["emotions"])
