/** What went wrong, in words. */

import { byId, make } from "./dom.js";
import { size } from "./words.js";

/** @import { Problem, State } from "./types.js" */

/** A problem as an error. */
export class Refusal extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/**
 * The problem behind anything that was thrown.
 *
 * @param {unknown} error
 * @returns {Problem}
 */
export function problemOf(error) {
  if (error instanceof Refusal) return error.problem;
  if (error instanceof TypeError) {
    return {
      code: "unreachable",
      status: 0,
      title: "The service does not answer",
      detail: "It may have stopped, or the network is down. Nothing of the recording is lost.",
    };
  }
  console.error(error);
  return {
    code: "page_fault",
    status: 0,
    title: "This page made a mistake",
    detail: `It can be told to those who look after it: ${String(error)}`,
  };
}

/**
 * Show the problem there is, or none.
 *
 * @param {() => void} onAgain
 * @returns {(state: State) => void}
 */
export function problemView(onAgain) {
  const box = byId("problem");
  /** @type {Problem | null} */
  let shown = null;
  return ({ problem, sound, models }) => {
    if (problem === shown) return;
    shown = problem;
    box.hidden = !problem;
    box.replaceChildren(...(problem ? describe(problem) : []));
    if (!problem || (!sound && models.length)) return;
    const again = make("button", { class: "button", type: "button" }, "Try again");
    again.addEventListener("click", onAgain);
    box.append(make("p", { class: "row" }, again));
  };
}

/** @param {Problem} problem */
function describe(problem) {
  const parts = [make("h2", {}, problem.title), make("p", {}, problem.detail)];
  const allowed = Object.entries(problem.allowed ?? {});
  if (allowed.length) {
    const rows = allowed.flatMap(([name, value]) => [
      make("dt", {}, name.replaceAll("_", " ")),
      make("dd", {}, inWords(name, value)),
    ]);
    parts.push(make("p", { class: "small" }, "Allowed:"), make("dl", {}, ...rows));
  }
  if (problem.request_id) {
    parts.push(make("p", { class: "small" }, `The log knows it as ${problem.request_id}.`));
  }
  return parts;
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function inWords(name, value) {
  if (name.endsWith("bytes") && typeof value === "number") return size(value);
  if (name.endsWith("_s") && typeof value === "number") return `${value} s`;
  if (Array.isArray(value)) {
    const range = value.length === 2 && value.every((each) => typeof each === "number");
    return value.join(range ? " to " : ", ");
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
