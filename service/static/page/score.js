/** Draws the waveform, and below it a staff with a line for each emotion. */

import { PEAKS_PER_SECOND } from "./peaks.js";
import { spans } from "./timeline.js";
import { clock } from "./words.js";

/** @import { Span } from "./timeline.js" */
/** @import { Segment } from "./types.js" */

/**
 * @typedef {object} Score
 * @property {Float32Array | null} peaks
 * @property {Segment[]} segments
 * @property {number} duration what the width stands for, in seconds
 * @property {number} until how much of it there is, in seconds
 * @property {string[]} emotions from top to bottom
 */

/**
 * @typedef {object} Look
 * @property {number} wave height of the waveform, in CSS pixels
 * @property {number} lane height of each line, in CSS pixels
 * @property {number} axis height of the times below, in CSS pixels
 * @property {string} font of the times
 * @property {string} soft their colour
 * @property {string} line colour of the staff
 * @property {string} plain colour of sound that no emotion is told for
 * @property {(emotion: string) => string} hue
 */

/**
 * Draw all of it; cheap enough for every frame of the microphone.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Score} score
 * @param {Look} look
 */
export function drawScore(canvas, score, look) {
  const width = canvas.clientWidth;
  const height = look.wave + look.lane * score.emotions.length + look.axis;
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.scale(density, density);
  const all = spans(score.segments, score.until);
  drawStaff(context, width, score.emotions, look);
  if (!score.duration) return;
  drawTimes(context, width, height, score.duration, look);
  drawLanes(context, all, width / score.duration, score.emotions, look);
  drawWave(context, all, width, score, look);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {string[]} emotions
 * @param {Look} look
 */
function drawStaff(context, width, emotions, look) {
  context.fillStyle = look.line;
  emotions.forEach((_, i) =>
    context.fillRect(0, Math.round(look.wave + look.lane * (i + 0.5)), width, 1),
  );
  context.fillRect(0, Math.round(look.wave / 2), width, 1);
}

const TIMES_S = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300];
const BETWEEN_TIMES = 56;

/**
 * A faint line at round times, as many as there is room for, and what time it is.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {number} duration in seconds
 * @param {Look} look
 */
function drawTimes(context, width, height, duration, look) {
  const scale = width / duration;
  const step = TIMES_S.find((each) => each * scale >= BETWEEN_TIMES) ?? 600;
  context.font = look.font;
  context.textBaseline = "bottom";
  for (let t = 0; t * scale < width - BETWEEN_TIMES / 2; t += step) {
    const x = Math.round(t * scale);
    context.fillStyle = look.line;
    context.fillRect(x, 0, 1, height - look.axis);
    context.fillStyle = look.soft;
    context.textAlign = t ? "center" : "left";
    context.fillText(clock(t, step < 1 ? 1 : 0), x, height);
  }
}

/**
 * A ribbon along each line, as thick as the emotion is likely; in full colour where it is likeliest.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Span[]} all
 * @param {number} scale CSS pixels a second
 * @param {string[]} emotions
 * @param {Look} look
 */
function drawLanes(context, all, scale, emotions, look) {
  const runs = runsOf(all);
  emotions.forEach((emotion, i) => {
    const middle = look.wave + look.lane * (i + 0.5) + 0.5;
    const ribbons = runs.map((run) => ribbon(run, emotion, scale, middle, look.lane - 5));
    context.fillStyle = look.hue(emotion);
    context.globalAlpha = 0.4;
    for (const path of ribbons) context.fill(path);
    context.globalAlpha = 1;
    const likeliest = new Path2D();
    for (const { from, to, segment } of all) {
      const width = Math.max(1, (to - from) * scale);
      if (segment.label === emotion)
        likeliest.rect(from * scale, middle - look.lane, width, 2 * look.lane);
    }
    context.save();
    context.clip(likeliest);
    for (const path of ribbons) context.fill(path);
    context.restore();
  });
}

/**
 * Spans that follow each other without one that tells nothing.
 *
 * @param {Span[]} all
 * @returns {Span[][]}
 */
function runsOf(all) {
  /** @type {Span[][]} */
  const runs = [[]];
  for (const span of all) {
    if (span.segment.probabilities) runs.at(-1)?.push(span);
    else runs.push([]);
  }
  return runs.filter((run) => run.length);
}

/**
 * The outline of one emotion over a run: its shares in the middles of the spans, joined smoothly.
 *
 * @param {Span[]} run
 * @param {string} emotion
 * @param {number} scale CSS pixels a second
 * @param {number} middle of the line, in CSS pixels
 * @param {number} thickest in CSS pixels, at a share of 1
 */
function ribbon(run, emotion, scale, middle, thickest) {
  const points = run.map(({ from, to, segment }) => ({
    x: ((from + to) / 2) * scale,
    half:
      0.5 * thickest * (segment.probabilities?.find(({ label }) => label === emotion)?.score ?? 0),
  }));
  points.unshift({ ...points[0], x: run[0].from * scale });
  points.push({ ...points[points.length - 1], x: run[run.length - 1].to * scale });
  const path = new Path2D();
  path.moveTo(points[0].x, middle - points[0].half);
  smooth(
    path,
    points.map(({ x, half }) => ({ x, y: middle - half })),
  );
  points.reverse();
  path.lineTo(points[0].x, middle + points[0].half);
  smooth(
    path,
    points.map(({ x, half }) => ({ x, y: middle + half })),
  );
  path.closePath();
  return path;
}

/**
 * Through all points with level tangents: never above or below what was measured.
 *
 * @param {Path2D} path
 * @param {{x: number, y: number}[]} points
 */
function smooth(path, points) {
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const between = (a.x + b.x) / 2;
    path.bezierCurveTo(between, a.y, between, b.y, b.x, b.y);
  }
}

const STROKE = 2;
const PITCH = 3.5;

/**
 * Strokes in the colour of what is likeliest there.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Span[]} all
 * @param {number} width
 * @param {Score} score
 * @param {Look} look
 */
function drawWave(context, all, width, { peaks, duration, until }, look) {
  if (!peaks?.length) return;
  const loudest = Math.max(
    0.05,
    peaks.reduce((a, b) => Math.max(a, b), 0),
  );
  const perStroke = (duration * PITCH) / width;
  let span = 0;
  for (let x = 0, t = 0; t < until; x += PITCH, t += perStroke) {
    const first = Math.floor(t * PEAKS_PER_SECOND);
    const last = Math.max(first + 1, Math.floor((t + perStroke) * PEAKS_PER_SECOND));
    let peak = 0;
    for (let i = first; i < last; i++) peak = Math.max(peak, peaks[i] ?? 0);
    while (span < all.length - 1 && all[span].to <= t) span += 1;
    const label = all[span]?.segment.label;
    context.fillStyle = label ? look.hue(label) : look.plain;
    const tall = Math.max(STROKE, (peak / loudest) * (look.wave - 18));
    context.beginPath();
    context.roundRect(x, (look.wave - tall) / 2, STROKE, tall, STROKE / 2);
    context.fill();
  }
}
