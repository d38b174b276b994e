/** From the first word into the microphone to a recording, with what was heard on the way. */

import { openStream } from "./live.js";
import { openMicrophone } from "./microphone.js";
import { GrowingPeaks } from "./peaks.js";
import { encodeWav } from "./wav.js";

/** @import { Model, Prediction, Problem, Segment, Sound } from "./types.js" */

/**
 * @typedef {object} Listening
 * @property {() => Sound} soFar
 * @property {() => Promise<{sound: Sound, answer: Promise<Prediction | null>}>} stop `answer` is
 *   null where the socket gave none, and is rejected with a Refusal where it refused
 */

/**
 * Listen until `stop` is called, and tell of each frame and each window.
 *
 * @param {Model | null} model
 * @param {object} on
 * @param {(level: number) => void} on.level 0 to 1, some twenty times a second
 * @param {(segment: Segment) => void} on.segment
 * @param {() => void} on.refused the socket is closed: no more windows before the end
 * @param {(problem: Problem) => void} on.problem the service ended the stream
 * @param {() => void} on.enough the recording is as long as the service takes, or the microphone
 *   went away
 * @returns {Promise<Listening>}
 * @throws {import("./problem.js").Refusal} there is no microphone to be had
 */
export async function listen(model, on) {
  const microphone = await openMicrophone(on.enough);
  const { sr } = microphone;
  const most = Math.floor((model?.limits.max_duration_s ?? 600) * sr);
  const live = openStream(sr, model, on);
  const peaks = new GrowingPeaks(sr);
  /** @type {Int16Array<ArrayBuffer>[]} */
  const frames = [];
  let samples = 0;

  microphone.start((frame) => {
    if (samples + frame.length > most) return on.enough();
    frames.push(frame);
    samples += frame.length;
    on.level(peaks.add(frame));
    live.send(frame);
  });

  /** @returns {Sound} */
  function soFar() {
    return {
      blob: NOTHING,
      name: "recording.wav",
      origin: "your voice",
      duration: samples / sr,
      peaks: peaks.all,
    };
  }

  return {
    soFar,
    async stop() {
      await microphone.close();
      return { sound: { ...soFar(), blob: encodeWav(frames, sr) }, answer: live.finish() };
    },
  };
}

const NOTHING = new Blob();
