/** The answer in words: what it sounds like, how sure the model is, and what to know about it. */

import { byId, make } from "./dom.js";
import { capital, confidence, percent } from "./words.js";

/** @import { Model, Prediction, State } from "./types.js" */

/** @returns {(state: State) => void} */
export function verdictView() {
  const box = byId("verdict");
  /** @type {unknown} */
  let shown;
  return ({ phase, answer, model, segments }) => {
    const last = phase === "listening" ? segments.at(-1) : null;
    const key = answer ?? last ?? phase;
    if (key === shown) return;
    shown = key;
    if (answer) box.replaceChildren(...told(answer, model));
    else box.replaceChildren(...(last?.label ? soFar(last.label) : waiting(phase)));
  };
}

const MEANING =
  "Probabilities here mean what they say: of a hundred recordings that get 70 %, about seventy are " +
  "what it says, as long as voices are like those that the model learnt from.";

/** @param {State["phase"]} phase */
function waiting(phase) {
  const [word, sentence] = {
    idle: ["nothing yet", MEANING],
    listening: ["…", "Speak one sentence or more. The bars move while you do."],
    asking: ["…", "The whole recording is being heard."],
  }[phase];
  return [head(word), make("p", { class: "small" }, sentence)];
}

/** @param {string} label of the last window */
function soFar(label) {
  return [
    head(label, label),
    make("p", { class: "small" }, "Right now. The answer for the whole follows."),
  ];
}

/**
 * @param {Prediction} answer
 * @param {Model | null} model
 */
function told(answer, model) {
  const parts = [head(answer.label, answer.label)];
  parts.push(make("p", {}, sureness(answer)));
  if (answer.warnings.length) {
    const items = answer.warnings.map(({ detail }) => make("li", {}, detail));
    parts.push(make("ul", { class: "warnings", "aria-label": "Warnings" }, ...items));
  }
  if (model) parts.push(...sentiment(answer.probabilities, model));
  const { audio } = answer;
  const rate = `${audio.sample_rate / 1000} kHz`;
  const channels = audio.channels === 1 ? "mono" : `${audio.channels} channels`;
  const heard = `${audio.duration_s.toFixed(2)} s, ${rate}, ${channels}`;
  const by = `${answer.model.name} ${answer.model.version}`;
  parts.push(make("p", { class: "small" }, `${heard}; heard by ${by}.`));
  return parts;
}

/**
 * @param {string} word
 * @param {string | null} [emotion]
 */
function head(word, emotion) {
  const attributes = { class: "verdict-word", ...(emotion && { "data-emotion": emotion }) };
  const title = make("h2", { class: "verdict-head", id: "verdict-title" }, "It sounds ");
  title.append(make("span", attributes, word));
  return title;
}

/** @param {Prediction} answer */
export function sureness({ label, score, probabilities }) {
  const next = probabilities.find((each) => each.label !== label);
  const then = next ? ` Next is ${next.label}, ${percent(next.score)}.` : "";
  const sure = confidence(score);
  return `${percent(score)}: the model is ${sure}.${then}`;
}

/**
 * @param {{label: string, score: number}[]} probabilities
 * @param {Model} model
 */
function sentiment(probabilities, model) {
  const kinds = /** @type {const} */ (["negative", "neutral", "positive"]);
  const shares = kinds.map((kind) =>
    probabilities.reduce(
      (sum, { label, score }) => sum + (model.sentiment[label] === kind ? score : 0),
      0,
    ),
  );
  const most = shares.indexOf(Math.max(...shares));
  const parts = make("div", { class: "sentiment-parts", "aria-hidden": "true" });
  shares.forEach((share, i) => {
    const part = make("i", i === most ? { class: "most" } : {});
    part.style.setProperty("--share", String(share));
    parts.append(part);
  });
  const words = kinds.map((kind, i) => `${kind} ${percent(shares[i])}`).join(" · ");
  return [
    make(
      "div",
      { class: "sentiment" },
      make("h3", {}, `${capital(kinds[most])} sentiment`),
      parts,
      make("p", { class: "small" }, words),
    ),
  ];
}
