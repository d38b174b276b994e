/** The answer as files. */

/** @import { Prediction, Segment, Sound } from "./types.js" */

/**
 * The reply of the service as it came, with the name of the recording.
 *
 * @param {Prediction} answer
 * @param {Sound} sound
 */
export function toJson(answer, sound) {
  return `${JSON.stringify({ file: sound.name, ...answer }, null, 2)}\n`;
}

/**
 * A row for the whole recording, then one for each window.
 *
 * @param {Prediction} answer
 * @param {Segment[]} segments
 * @param {string[]} emotions the columns, in order
 */
export function toCsv(answer, segments, emotions) {
  const whole = { ...answer, start: 0, end: answer.audio.duration_s, reason: null };
  const rows = [
    ["part", "start_s", "end_s", "label", "score", "reason", ...emotions],
    row("whole", whole, emotions),
    ...segments.map((segment) => row("window", segment, emotions)),
  ];
  return rows.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

/**
 * @param {string} part
 * @param {Segment} segment
 * @param {string[]} emotions
 */
function row(part, { start, end, label, score, reason, probabilities }, emotions) {
  const scores = new Map(probabilities?.map((each) => [each.label, each.score]));
  return [
    part,
    start,
    end,
    label,
    score,
    reason,
    ...emotions.map((emotion) => scores.get(emotion)),
  ];
}

/** @param {unknown} cell */
function quoted(cell) {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Let the browser save something.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Not at once: the browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
