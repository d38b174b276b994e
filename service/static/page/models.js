/** The picker of models, and what is known of the one that is picked. */

import { byId, make } from "./dom.js";
import { percent, size } from "./words.js";

/** @import { Model, State } from "./types.js" */

/**
 * @param {(model: Model) => void} onPick
 * @returns {(state: State) => void}
 */
export function modelsView(onPick) {
  const picker = /** @type {HTMLSelectElement} */ (byId("model"));
  const note = byId("model-note");
  const limit = byId("file-limit");
  /** @type {Model[]} */
  let listed = [];
  picker.addEventListener("change", () => {
    const picked = listed.find(({ name }) => name === picker.value);
    if (picked) onPick(picked);
  });
  return ({ models, model, phase }) => {
    if (models !== listed) {
      listed = models;
      picker.replaceChildren(
        ...models.map(({ name, version }) => make("option", { value: name }, `${name} ${version}`)),
      );
    }
    picker.disabled = !models.length || phase === "listening";
    if (!model) return;
    picker.value = model.name;
    note.textContent = `${measured(model)} Weights: ${model.licence}.`.trim();
    limit.textContent = `; up to ${model.limits.max_duration_s / 60} min, ${size(model.limits.max_bytes)}`;
  };
}

/** @param {Model} model */
function measured({ metrics, emotions }) {
  const [first] = Object.values(metrics);
  if (!first) return "";
  const chance = percent(1 / emotions.length);
  return `Of voices it never heard it gets ${percent(first.uar)} right, evenly over emotions; guessing gets ${chance}.`;
}
