/** What the page asks of the service. Addresses are relative: the page works below any prefix. */

import { Refusal } from "./problem.js";
import { size } from "./words.js";

/** @import { Model, Prediction, Problem, Sound } from "./types.js" */

let key = "";

/**
 * Use an API key from now on; it lies in this variable and nowhere else.
 *
 * @param {string} given
 */
export function useKey(given) {
  key = given;
}

/** @returns {boolean} whether there is one */
export function hasKey() {
  return key !== "";
}

/** @returns {Promise<Model[]>} the default one first */
export async function listModels() {
  const { models } = /** @type {{models: Model[]}} */ (await ask("models"));
  return models.sort((a, b) => Number(b.default) - Number(a.default));
}

/** @returns {Promise<string>} the version of the service */
export async function version() {
  return /** @type {{undertone: string}} */ (await ask("version")).undertone;
}

/**
 * The address that hears a recording, as the page and its curl line use it.
 *
 * @param {string} [model] a name
 * @returns {string}
 */
export function predictAddress(model) {
  const address = new URL("predict", document.baseURI);
  address.searchParams.set("segments", "true");
  if (model) address.searchParams.set("model", model);
  return address.href;
}

/**
 * The whole answer for a recording.
 *
 * @param {Sound} sound
 * @param {Model | null} model
 * @returns {Promise<Prediction>}
 * @throws {Refusal} the service says no
 */
export async function predict(sound, model) {
  // A service that refuses a large body closes the connection, which browsers report as no answer.
  const most = model?.limits.max_bytes ?? Infinity;
  if (sound.blob.size > most) throw new Refusal(tooLarge(sound.blob.size, most));
  const body = new FormData();
  body.append("file", sound.blob, sound.name);
  const reply = await ask(predictAddress(model?.name), { method: "POST", body });
  return /** @type {Prediction} */ (reply);
}

/**
 * The socket that answers while somebody speaks.
 *
 * @param {number} sr in Hz
 * @param {Model | null} model
 * @returns {WebSocket}
 */
export function openSocket(sr, model) {
  const address = new URL("stream", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  address.searchParams.set("sr", String(sr));
  if (model) address.searchParams.set("model", model.name);
  return new WebSocket(address, KEY.test(key) ? ["undertone", `undertone.key.${key}`] : []);
}

/** A script cannot give a socket headers, so the key is offered as a subprotocol, of these letters. */
const KEY = /^[\w.~-]+$/;

/**
 * @param {string} address
 * @param {RequestInit} [options]
 * @returns {Promise<unknown>}
 * @throws {Refusal} the service says no
 * @throws {TypeError} it does not answer
 */
async function ask(address, options = {}) {
  const headers = key ? { "X-API-Key": key } : undefined;
  const response = await fetch(address, { ...options, headers });
  if (response.ok) return response.json();
  throw new Refusal(await problemIn(response));
}

/**
 * @param {Response} response
 * @returns {Promise<Problem>}
 */
async function problemIn(response) {
  if (response.headers.get("content-type")?.includes("problem+json")) return response.json();
  return {
    code: "not_ours",
    status: response.status,
    title: `An answer of ${response.status}`,
    detail: `Something between this page and the service answered: ${response.statusText}.`,
  };
}

/**
 * @param {number} bytes
 * @param {number} most
 * @returns {Problem}
 */
function tooLarge(bytes, most) {
  return {
    code: "audio_too_large",
    status: 413,
    title: "Too many bytes",
    detail: `The recording is ${size(bytes)}. Give a shorter excerpt, or fewer bits or channels.`,
    allowed: { max_bytes: most },
  };
}
