/** Numbers as people read them. */

/**
 * Never broken over lines.
 *
 * @param {number} share 0 to 1
 */
export function percent(share) {
  if (share > 0 && share < 0.01) return "<\u00a01\u00a0%";
  if (share < 1 && share > 0.99) return ">\u00a099\u00a0%";
  return `${Math.round(100 * share)}\u00a0%`;
}

/**
 * Minutes and seconds.
 *
 * @param {number} seconds
 * @param {number} [digits] after the point
 */
export function clock(seconds, digits = 1) {
  const scale = 10 ** digits;
  const ticks = Math.max(0, Math.round(seconds * scale));
  const minutes = Math.floor(ticks / (60 * scale));
  const rest = ((ticks - minutes * 60 * scale) / scale).toFixed(digits);
  return `${minutes}:${rest.padStart(digits ? 3 + digits : 2, "0")}`;
}

/** @param {number} bytes */
export function size(bytes) {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes >= 1 ? `${+mebibytes.toFixed(1)} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}

/**
 * How sure a model is that gives its likeliest emotion this score.
 *
 * @param {number} score
 */
export function confidence(score) {
  if (score >= 0.8) return "confident";
  if (score >= 0.6) return "fairly confident";
  if (score >= 0.4) return "unsure";
  return "guessing";
}

/**
 * Why a window has no label.
 *
 * @param {string | null} reason the code that the service gives, such as `no_speech`
 */
export function because(reason) {
  return reason?.replaceAll("_", " ") ?? "not told";
}

/** @param {string} word */
export function capital(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
