/** Runs where the sound is: hands it on as 16-bit integers, a few hundredths of a second at a time. */

const FRAME = 2048;

class Pcm extends AudioWorkletProcessor {
  #frame = new Int16Array(FRAME);
  #filled = 0;

  /** @param {Float32Array[][]} inputs */
  process([input]) {
    for (const sample of input[0] ?? []) {
      const integer = Math.round(32768 * sample);
      this.#frame[this.#filled++] = Math.max(-32768, Math.min(32767, integer));
      if (this.#filled === FRAME) this.#handOn();
    }
    return true;
  }

  #handOn() {
    this.port.postMessage(this.#frame, [this.#frame.buffer]);
    this.#frame = new Int16Array(FRAME);
    this.#filled = 0;
  }
}

registerProcessor("pcm", Pcm);
