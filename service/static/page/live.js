/** Answers while somebody speaks: frames go into a socket, windows come out of it. */

import { openSocket } from "./api.js";
import { Refusal } from "./problem.js";

/** @import { Model, Prediction, Problem, Segment } from "./types.js" */

const SUMMARY_WITHIN_MS = 15_000;

/**
 * @typedef {object} Live
 * @property {(frame: Int16Array<ArrayBuffer>) => void} send
 * @property {() => Promise<Prediction | null>} finish the answer for all that was sent; null where
 *   the socket gives none, and the recording has to be posted
 */

/**
 * Open a stream. That the socket is refused is no problem: `finish` then gives null.
 *
 * @param {number} sr in Hz
 * @param {Model | null} model
 * @param {object} on
 * @param {(segment: Segment) => void} on.segment
 * @param {() => void} on.refused there will be no live answers
 * @param {(problem: Problem) => void} on.problem the service ended a stream that had begun
 * @returns {Live}
 */
export function openStream(sr, model, on) {
  const socket = openSocket(sr, model);
  socket.binaryType = "arraybuffer";
  /** @type {Int16Array<ArrayBuffer>[]} */
  let early = [];
  let begun = false;
  let ending = false;
  /** @type {(prediction: Prediction | null) => void} */
  let settle;
  /** @type {(refusal: Refusal) => void} */
  let fail;
  const answer = new Promise((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  answer.catch(() => {}); // told through `on.problem` when nobody waits for it yet

  socket.onopen = () => {
    for (const frame of early) socket.send(frame);
    early = [];
    if (ending) socket.send(END);
  };
  socket.onmessage = ({ data }) => {
    const { type, ...message } = JSON.parse(data);
    if (type === "ready") begun = true;
    else if (type === "segment") on.segment(message);
    else if (type === "summary") settle(message);
    else if (type === "problem" && begun) {
      fail(new Refusal(message));
      if (!ending) on.problem(message);
    }
  };
  socket.onclose = () => {
    settle(null);
    if (!ending) on.refused();
  };

  return {
    send(frame) {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame);
      else if (socket.readyState === WebSocket.CONNECTING) early.push(frame);
    },
    async finish() {
      ending = true;
      if (socket.readyState === WebSocket.OPEN) socket.send(END);
      const timer = setTimeout(() => settle(null), SUMMARY_WITHIN_MS);
      try {
        return await answer;
      } finally {
        clearTimeout(timer);
        socket.close();
      }
    },
  };
}

const END = JSON.stringify({ type: "end" });
