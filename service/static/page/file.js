/** A file that somebody chose, as something to send and to draw. */

import { peaksOf } from "./peaks.js";
import { encodeWav, looksLikeWav, toInt16 } from "./wav.js";

/** @import { Model, Sound } from "./types.js" */

/**
 * A WAV file stays as it is; whatever else the browser can decode becomes 16-bit WAV. What it
 * cannot decode stays as it is, too: the service says best what is wrong with it.
 *
 * @param {File} file
 * @param {Model | null} model
 * @returns {Promise<Sound>}
 */
export async function openFile(file, model) {
  const bytes = await file.arrayBuffer();
  const isWav = looksLikeWav(new Uint8Array(bytes, 0, Math.min(12, bytes.byteLength)));
  const decoded = await decode(bytes, isWav ? 48_000 : (model?.sample_rate ?? 16_000));
  const channels = decoded ? channelsOf(decoded) : [];
  const shown = {
    duration: decoded ? decoded.duration : null,
    peaks: decoded ? peaksOf(channels, decoded.sampleRate) : null,
  };
  if (isWav || !decoded) return { blob: file, name: file.name, origin: file.name, ...shown };
  const wav = encodeWav([interleave(channels)], decoded.sampleRate, channels.length);
  return {
    blob: wav,
    name: `${file.name.replace(/\.\w+$/, "")}.wav`,
    origin: `${file.name}, decoded here and sent as WAV`,
    ...shown,
  };
}

/**
 * @param {ArrayBuffer} bytes
 * @param {number} sr what to resample to, in Hz
 * @returns {Promise<AudioBuffer | null>} null where the browser cannot read it
 */
async function decode(bytes, sr) {
  try {
    // A copy: decoding takes the bytes away, and they are sent when they are WAV.
    return await new OfflineAudioContext(1, 1, sr).decodeAudioData(bytes.slice(0));
  } catch {
    return null;
  }
}

/** @param {AudioBuffer} sound */
function channelsOf(sound) {
  return Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
}

/** @param {Float32Array[]} channels */
function interleave(channels) {
  if (channels.length === 1) return toInt16(channels[0]);
  const together = new Float32Array(channels.length * channels[0].length);
  channels.forEach((samples, c) =>
    samples.forEach((sample, i) => (together[i * channels.length + c] = sample)),
  );
  return toInt16(together);
}
