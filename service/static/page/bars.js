/** A bar for each emotion: of the whole recording, of the moment that plays, or of right now. */

import { byId, make } from "./dom.js";
import { inOrder, segmentAt } from "./timeline.js";
import { because, clock, percent } from "./words.js";

/** @import { Emotion, State } from "./types.js" */

/** @returns {(state: State) => void} */
export function barsView() {
  const list = byId("bars");
  const caption = byId("bars-of");
  let names = "";
  return (state) => {
    const emotions = inOrder(state.model);
    if (emotions.join() !== names) {
      names = emotions.join();
      list.replaceChildren(...emotions.map(row));
    }
    const { probabilities, words } = shown(state);
    caption.textContent = words;
    const scores = new Map(probabilities?.map(({ label, score }) => [label, score]));
    const most = Math.max(...scores.values());
    emotions.forEach((emotion, i) => {
      const score = scores.get(emotion) ?? 0;
      const item = /** @type {HTMLElement} */ (list.children[i]);
      item.classList.toggle("most", score > 0 && score === most);
      item.style.setProperty("--share", String(score));
      /** @type {HTMLElement} */ (item.lastElementChild).textContent = probabilities
        ? percent(score)
        : "–";
    });
  };
}

/** @param {string} emotion */
function row(emotion) {
  const track = make("span", { class: "bar-track", "aria-hidden": "true" });
  track.append(make("span", { class: "bar-fill" }));
  const value = make("span", { class: "bar-value" });
  return make(
    "li",
    { class: "bar", "data-emotion": emotion },
    make("span", {}, emotion),
    track,
    value,
  );
}

/**
 * @param {State} state
 * @returns {{probabilities: Emotion[] | null, words: string}}
 */
function shown({ phase, sound, segments, answer, moment }) {
  if (phase === "listening") {
    const last = segments.at(-1);
    if (!last) return { probabilities: null, words: "listening" };
    const words = last.probabilities ? "right now" : `right now: ${because(last.reason)}`;
    return { probabilities: last.probabilities, words };
  }
  if (answer && moment !== null) {
    const segment = segmentAt(segments, sound?.duration ?? answer.audio.duration_s, moment);
    if (segment) {
      const words = segment.probabilities ? "" : `: ${because(segment.reason)}`;
      return { probabilities: segment.probabilities, words: `at ${clock(moment)}${words}` };
    }
  }
  if (answer) return { probabilities: answer.probabilities, words: "in the whole recording" };
  return { probabilities: null, words: "" };
}
