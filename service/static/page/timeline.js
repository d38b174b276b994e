/** Windows overlap; what is shown does not. Which window speaks for which part of a recording. */

/** @import { Segment } from "./types.js" */

/**
 * @typedef {object} Span a part of the recording, and the window that speaks for it
 * @property {number} from in seconds
 * @property {number} to in seconds
 * @property {Segment} segment
 */

/**
 * Each window speaks for what is nearest to its middle; together they cover the recording.
 *
 * @param {Segment[]} segments in order of time
 * @param {number} duration in seconds
 * @returns {Span[]}
 */
export function spans(segments, duration) {
  const middles = segments.map(({ start, end }) => (start + end) / 2);
  return segments.map((segment, i) => ({
    from: i === 0 ? 0 : (middles[i - 1] + middles[i]) / 2,
    to: i === segments.length - 1 ? duration : (middles[i] + middles[i + 1]) / 2,
    segment,
  }));
}

/**
 * The window that speaks for a moment.
 *
 * @param {Segment[]} segments
 * @param {number} duration in seconds
 * @param {number} moment in seconds
 * @returns {Segment | null}
 */
export function segmentAt(segments, duration, moment) {
  const all = spans(segments, duration);
  return (all.find(({ to }) => moment < to) ?? all.at(-1))?.segment ?? null;
}

/**
 * The model's emotions from bright to dark: positive, neutral, negative. Bars and lines of the
 * staff keep this order, so that nothing jumps while somebody speaks.
 *
 * @param {import("./types.js").Model | null} model
 * @returns {string[]}
 */
export function inOrder(model) {
  if (!model) return [];
  const rank = ["positive", "neutral", "negative"];
  const place = (/** @type {string} */ emotion) => rank.indexOf(model.sentiment[emotion]);
  return [...model.emotions].sort((a, b) => place(a) - place(b));
}
