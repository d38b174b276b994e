/** Plays the recording that is shown. */

/** @import { Sound } from "./types.js" */

/**
 * @typedef {object} Player
 * @property {(sound: Sound | null) => void} load
 * @property {(seconds: number) => void} seek
 * @property {() => void} play
 * @property {() => void} toggle
 * @property {() => void} pause
 */

/**
 * @param {object} on
 * @param {(seconds: number) => void} on.moved the playhead stands elsewhere
 * @param {(playing: boolean) => void} on.playing
 * @param {() => void} on.ended
 * @returns {Player}
 */
export function createPlayer(on) {
  const audio = new Audio();
  let address = "";

  // `timeupdate` comes four times a second, too seldom for a line that is to move smoothly.
  function follow() {
    if (audio.paused) return;
    on.moved(audio.currentTime);
    requestAnimationFrame(follow);
  }
  audio.addEventListener("play", () => {
    on.playing(true);
    follow();
  });
  audio.addEventListener("pause", () => on.playing(false));
  audio.addEventListener("ended", on.ended);

  return {
    load(sound) {
      audio.pause();
      if (address) URL.revokeObjectURL(address);
      address = sound?.peaks ? URL.createObjectURL(sound.blob) : "";
      if (address) audio.src = address;
      else audio.removeAttribute("src");
    },
    seek(seconds) {
      audio.currentTime = seconds;
      on.moved(seconds);
    },
    play() {
      if (!address) return;
      // It is refused by a browser that wants a click first, and cut off by a pause that comes at once.
      audio.play().catch(() => on.playing(!audio.paused));
    },
    toggle() {
      if (!audio.paused) audio.pause();
      else this.play();
    },
    pause: () => audio.pause(),
  };
}
