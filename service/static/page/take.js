/** What can be taken away: the answer as files, the recording, the same as a curl line. */

import { hasKey, predictAddress } from "./api.js";
import { curlLine } from "./curl.js";
import { byId } from "./dom.js";
import { save, toCsv, toJson } from "./export.js";

/** @import { State } from "./types.js" */

/**
 * @param {() => State} get
 * @param {(words: string) => void} say
 * @returns {(state: State) => void}
 */
export function takeView(get, say) {
  const buttons = ["save-json", "save-csv", "save-wav", "copy"].map(
    (id) => /** @type {HTMLButtonElement} */ (byId(id)),
  );
  const [json, csv, wav, copy] = buttons;
  const line = /** @type {HTMLElement} */ (byId("curl").firstElementChild);

  json.addEventListener("click", () => {
    const { answer, sound } = get();
    if (answer && sound) saveText(toJson(answer, sound), "json", sound.name);
  });
  csv.addEventListener("click", () => {
    const { answer, sound, segments, model } = get();
    if (answer && sound)
      saveText(toCsv(answer, segments, model?.emotions ?? []), "csv", sound.name);
  });
  wav.addEventListener("click", () => {
    const { sound } = get();
    if (sound) save(sound.blob, sound.name);
  });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line.textContent ?? "");
      say("Copied.");
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    } catch {
      // No clipboard without HTTPS: what is marked can be copied by hand.
      getSelection()?.selectAllChildren(line);
      say("Marked: copy it with the keyboard.");
    }
  });

  return ({ answer, sound, model }) => {
    for (const button of buttons) button.disabled = !answer || !sound;
    wav.disabled = !sound?.blob.size;
    line.textContent = curlLine(predictAddress(model?.name), sound?.name ?? "clip.wav", hasKey());
  };
}

/**
 * @param {string} text
 * @param {"json" | "csv"} kind
 * @param {string} name of the recording
 */
function saveText(text, kind, name) {
  const type = kind === "json" ? "application/json" : "text/csv;charset=utf-8";
  save(new Blob([text], { type }), `${name.replace(/\.\w+$/, "")}.undertone.${kind}`);
}
