/** WAV files of 16-bit PCM, of our own making. */

const HEADER_BYTES = 44;

/**
 * A WAV file.
 *
 * @param {Int16Array[]} chunks interleaved samples, one after the other
 * @param {number} sr in Hz
 * @param {number} [channels]
 * @returns {Blob}
 */
export function encodeWav(chunks, sr, channels = 1) {
  const dataBytes = 2 * chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  const text = (/** @type {number} */ at, /** @type {string} */ letters) =>
    [...letters].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, channels, true);
  header.setUint32(24, sr, true);
  header.setUint32(28, 2 * channels * sr, true);
  header.setUint16(32, 2 * channels, true);
  header.setUint16(34, 16, true);
  text(36, "data");
  header.setUint32(40, dataBytes, true);
  return new Blob([header, .../** @type {BlobPart[]} */ (chunks)], { type: "audio/wav" });
}

/**
 * Whether a file begins as WAV files do.
 *
 * @param {Uint8Array} bytes
 */
export function looksLikeWav(bytes) {
  const letters = String.fromCharCode(...bytes.subarray(0, 12));
  return /^(RIFF|RIFX|RF64)/.test(letters) && letters.endsWith("WAVE");
}

/**
 * Samples as 16-bit integers; what is beyond full scale is clipped.
 *
 * @param {Float32Array} samples full scale at 1
 * @returns {Int16Array<ArrayBuffer>}
 */
export function toInt16(samples) {
  const integers = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    integers[i] = Math.max(-32768, Math.min(32767, Math.round(32768 * samples[i])));
  }
  return integers;
}
