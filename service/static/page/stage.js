/** The timeline as something to look at, to click and to walk along with the keyboard. */

import { byId, make } from "./dom.js";
import { drawScore } from "./score.js";
import { inOrder, segmentAt } from "./timeline.js";
import { because, clock, percent } from "./words.js";

/** @import { Sound, State } from "./types.js" */

const SHORTEST_S = 6;
const STEP_S = 0.5;
const LEAP_S = 5;

/**
 * @param {object} on
 * @param {(seconds: number) => void} on.seek go there
 * @param {(seconds: number) => void} on.play go there, and play
 * @param {() => void} on.toggle play or pause
 * @param {() => Sound | null} soFar the recording that is being made
 * @returns {{view: (state: State) => void, redraw: () => void}}
 */
export function createStage(on, soFar) {
  const stage = byId("stage");
  const canvas = /** @type {HTMLCanvasElement} */ (byId("canvas"));
  const lanes = byId("lanes");
  const playhead = byId("playhead");
  const clockFace = byId("clock");
  const origin = byId("origin");
  /** @type {State | null} */
  let state = null;
  let names = "";

  const duration = () => (state ? durationOf(state) : 0);

  function redraw() {
    if (!state) return;
    const live = state.phase === "listening" ? soFar() : null;
    const sound = live ?? state.sound;
    const until = live?.duration ?? duration();
    drawScore(
      canvas,
      {
        peaks: sound?.peaks ?? null,
        segments: state.segments,
        duration: live ? Math.max(SHORTEST_S, until) : until,
        until,
        emotions: inOrder(state.model),
      },
      lookOf(stage),
    );
    if (live) clockFace.textContent = clock(until);
  }

  stage.addEventListener("click", (event) => {
    const box = stage.getBoundingClientRect();
    if (duration())
      on.play(duration() * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
  });
  stage.addEventListener("keydown", (event) => {
    const to = keyTarget(event.key, state?.moment ?? 0, duration());
    if (!duration() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " || event.key === "Enter") on.toggle();
    else if (to !== null) on.seek(to);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(redraw).observe(stage);
  void document.fonts.ready.then(redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  return {
    redraw,
    view(next) {
      const drawn = state;
      state = next;
      const emotions = inOrder(next.model);
      if (emotions.join() !== names) {
        names = emotions.join();
        lanes.replaceChildren(
          ...emotions.map((emotion) => make("li", { "data-emotion": emotion }, emotion)),
        );
      }
      origin.textContent = next.sound?.origin ?? "";
      const all = duration();
      const at = Math.min(next.moment ?? 0, all);
      document.body.classList.toggle("has-sound", all > 0);
      stage.setAttribute("aria-disabled", String(all === 0));
      stage.setAttribute("aria-valuemax", all.toFixed(2));
      stage.setAttribute("aria-valuenow", at.toFixed(2));
      stage.setAttribute("aria-valuetext", all ? spoken(next, at, all) : "no recording yet");
      playhead.style.setProperty("--at", String(all ? at / all : 0));
      if (next.phase !== "listening") clockFace.textContent = `${clock(at)} / ${clock(all)}`;
      const sameSound = drawn && drawn.sound === next.sound && drawn.segments === next.segments;
      if (!sameSound || drawn.model !== next.model || drawn.phase !== next.phase) redraw();
    },
  };
}

/**
 * How long the recording is that can be played or walked along; 0 for none.
 *
 * @param {State} state
 */
function durationOf({ phase, sound, answer }) {
  if (phase === "listening") return 0;
  return sound?.duration ?? answer?.audio.duration_s ?? 0;
}

/**
 * @param {string} key
 * @param {number} at
 * @param {number} end
 * @returns {number | null}
 */
function keyTarget(key, at, end) {
  const to = {
    ArrowRight: at + STEP_S,
    ArrowUp: at + STEP_S,
    ArrowLeft: at - STEP_S,
    ArrowDown: at - STEP_S,
    PageUp: at + LEAP_S,
    PageDown: at - LEAP_S,
    Home: 0,
    End: end,
  }[key];
  return to === undefined ? null : Math.min(end, Math.max(0, to));
}

/**
 * What a screen reader says of a position.
 *
 * @param {State} state
 * @param {number} at
 * @param {number} all
 */
function spoken({ segments }, at, all) {
  const segment = segmentAt(segments, all, at);
  const place = `${clock(at)} of ${clock(all)}`;
  if (!segment) return place;
  if (!segment.label || segment.score === null) return `${place}, ${because(segment.reason)}`;
  return `${place}, ${segment.label} ${percent(segment.score)}`;
}

/**
 * The colours and sizes that the style sheet gives.
 *
 * @param {HTMLElement} stage
 * @returns {import("./score.js").Look}
 */
function lookOf(stage) {
  const style = getComputedStyle(stage);
  const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const value = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return {
    wave: root * parseFloat(value("--wave")),
    lane: root * parseFloat(value("--lane")),
    axis: root * parseFloat(value("--axis")),
    font: `${0.8 * root}px ${value("--text")}`,
    soft: value("--soft"),
    line: value("--line"),
    plain: value("--field"),
    hue: (emotion) => value(`--${emotion}`) || value("--accent"),
  };
}
