/** The microphone as frames of 16-bit integers, at the rate that it has. */

import { Refusal } from "./problem.js";

/**
 * @typedef {object} Microphone
 * @property {number} sr in Hz
 * @property {(onFrame: (frame: Int16Array<ArrayBuffer>) => void) => void} start hands on every
 *   frame since it was opened, and from then on
 * @property {() => Promise<void>} close lets go of it
 */

/**
 * Ask for the microphone. Nothing that the browser would do to make speech prettier is
 * asked for: the model learnt from voices as they are.
 *
 * @param {() => void} onEnded the device went away
 * @returns {Promise<Microphone>}
 * @throws {Refusal} there is none, or it may not be used
 */
export async function openMicrophone(onEnded) {
  if (!navigator.mediaDevices || !window.AudioWorkletNode) throw new Refusal(INSECURE);
  const context = new AudioContext();
  try {
    // Before the microphone: what is said while a module loads would be lost.
    await context.audioWorklet.addModule(new URL("pcm-worklet.js", import.meta.url));
    const media = await navigator.mediaDevices.getUserMedia({
      audio: {
        channelCount: 1,
        echoCancellation: false,
        noiseSuppression: false,
        autoGainControl: false,
      },
    });
    const worklet = new AudioWorkletNode(context, "pcm", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    context.createMediaStreamSource(media).connect(worklet);
    await context.resume();
    const [track] = media.getAudioTracks();
    track.addEventListener("ended", onEnded);
    return {
      sr: context.sampleRate,
      start(onFrame) {
        worklet.port.onmessage = ({ data }) => onFrame(data); // until then, its messages wait
      },
      async close() {
        track.stop();
        worklet.port.onmessage = null;
        await context.close();
      },
    };
  } catch (error) {
    await context.close();
    throw error instanceof DOMException ? new Refusal(refused(error)) : error;
  }
}

const INSECURE = {
  code: "microphone_unavailable",
  status: 0,
  title: "No microphone for this page",
  detail:
    "Browsers give the microphone only to pages that come over HTTPS or from localhost. " +
    "Open the page that way, or give a recording instead.",
};

/** @param {DOMException} error */
function refused(error) {
  const denied = error.name === "NotAllowedError";
  return {
    code: denied ? "microphone_denied" : "microphone_unavailable",
    status: 0,
    title: denied ? "The microphone was not allowed" : "No microphone was found",
    detail: denied
      ? "Allow it for this page in the browser’s address bar, or give a recording instead."
      : "Plug one in and try again, or give a recording instead.",
  };
}
