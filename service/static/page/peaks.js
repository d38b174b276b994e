/** What of a sound is drawn: the loudest sample of each hundredth of a second. */

export const PEAKS_PER_SECOND = 100;

/**
 * The peaks of a sound that is whole.
 *
 * @param {Float32Array[]} channels
 * @param {number} sr in Hz
 * @returns {Float32Array}
 */
export function peaksOf(channels, sr) {
  const step = sr / PEAKS_PER_SECOND;
  const peaks = new Float32Array(Math.ceil(channels[0].length / step));
  for (const samples of channels) {
    for (let i = 0; i < samples.length; i++) {
      const at = Math.floor(i / step);
      peaks[at] = Math.max(peaks[at], Math.abs(samples[i]));
    }
  }
  return peaks;
}

/** The peaks of a sound that is still going on. */
export class GrowingPeaks {
  #peaks = new Float32Array(1024);
  #seen = 0;
  #step;

  /** @param {number} sr in Hz */
  constructor(sr) {
    this.#step = sr / PEAKS_PER_SECOND;
  }

  /**
   * Take more of the sound.
   *
   * @param {Int16Array} samples
   * @returns {number} its loudest sample, 0 to 1
   */
  add(samples) {
    let loudest = 0;
    for (const sample of samples) {
      const at = Math.floor(this.#seen++ / this.#step);
      if (at >= this.#peaks.length) this.#grow();
      const level = Math.abs(sample) / 32768;
      if (level > this.#peaks[at]) this.#peaks[at] = level;
      if (level > loudest) loudest = level;
    }
    return loudest;
  }

  /** @returns {Float32Array} all so far */
  get all() {
    return this.#peaks.subarray(0, Math.ceil(this.#seen / this.#step));
  }

  #grow() {
    const larger = new Float32Array(2 * this.#peaks.length);
    larger.set(this.#peaks);
    this.#peaks = larger;
  }
}
