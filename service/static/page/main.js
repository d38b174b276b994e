/** The page: what can be done on it, and what is shown of it. */

import { hasKey, listModels, predict, useKey, version } from "./api.js";
import { barsView } from "./bars.js";
import { byId } from "./dom.js";
import { onDrop } from "./drop.js";
import { openFile } from "./file.js";
import { listen } from "./listen.js";
import { modelsView } from "./models.js";
import { createPlayer } from "./player.js";
import { problemOf, problemView } from "./problem.js";
import { createStage } from "./stage.js";
import { createStore } from "./store.js";
import { tableView } from "./table.js";
import { takeView } from "./take.js";
import { sureness, verdictView } from "./verdict.js";

/** @import { Listening } from "./listen.js" */
/** @import { Prediction, Sound, State } from "./types.js" */

/** @type {State} */
const AT_REST = {
  phase: "idle",
  models: [],
  model: null,
  sound: null,
  segments: [],
  answer: null,
  problem: null,
  keyWanted: false,
  moment: null,
  note: null,
};

/** @satisfies {Partial<State>} */
const NOTHING_HEARD = { answer: null, segments: [], problem: null, moment: null, note: null };

const store = createStore(AT_REST);

/** @type {Listening | null} */
let listening = null;

let turns = 0;

/**
 * Begin something that makes what was begun before stale.
 *
 * @returns {() => boolean} whether nothing else was begun since
 */
function begin() {
  const turn = ++turns;
  return () => turn === turns;
}

const stage = createStage(
  {
    seek: (seconds) => player.seek(seconds),
    play(seconds) {
      player.seek(seconds);
      player.play();
    },
    toggle: () => player.toggle(),
  },
  () => listening?.soFar() ?? null,
);

const player = createPlayer({
  moved: (moment) => store.set({ moment }),
  playing(playing) {
    document.body.classList.toggle("playing", playing);
    byId("play-name").textContent = playing ? "Pause" : "Play";
  },
  ended: () => store.set({ moment: null }),
});

/**
 * Say something to a screen reader; never what changes several times a second.
 *
 * @param {string} words
 */
function say(words) {
  byId("status").textContent = words;
}

/** @param {unknown} error */
function fail(error) {
  const problem = problemOf(error);
  const keyWanted = problem.status === 401;
  store.set({ phase: "idle", problem: keyWanted ? null : problem, keyWanted, note: null });
  if (keyWanted) wantKey();
  else reveal(byId("problem"));
}

function wantKey() {
  if (hasKey()) byId("key-label").textContent = "That key is not known here. Is it another?";
  byId("key").focus();
}

/** @param {Prediction} answer */
function show(answer) {
  store.set({
    phase: "idle",
    answer,
    segments: answer.segments ?? [],
    problem: null,
    keyWanted: false,
  });
  say(`It sounds ${answer.label}. ${sureness(answer)}`);
  reveal(byId("verdict"));
}

/**
 * Bring into view what would otherwise happen unseen, as on a narrow screen.
 *
 * @param {HTMLElement} element
 */
function reveal(element) {
  const { top, bottom } = element.getBoundingClientRect();
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (top < 0 || Math.min(bottom, top + 240) > innerHeight) {
    element.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  }
}

/**
 * Learn which models there are; nothing can be asked or shown before.
 *
 * @returns {Promise<boolean>} whether they are known
 */
async function start() {
  if (store.get().models.length) return true;
  try {
    const [models, release] = await Promise.all([listModels(), version()]);
    byId("version").textContent = release;
    store.set({ models, model: models[0], problem: null, keyWanted: false });
    return true;
  } catch (error) {
    fail(error);
    return false;
  }
}

/** Post the recording that the page holds, if it holds one. */
async function ask() {
  const isLatest = begin();
  if (!(await start())) return;
  const { sound, model } = store.get();
  if (!sound) return;
  store.set({ ...NOTHING_HEARD, phase: "asking" });
  say("The recording is being heard.");
  try {
    const answer = await predict(sound, model);
    if (isLatest()) show(answer);
  } catch (error) {
    if (isLatest()) fail(error);
  }
}

/** @param {File | undefined} file */
async function give(file) {
  if (!file || store.get().phase === "listening") return;
  const isLatest = begin();
  store.set({ ...NOTHING_HEARD, phase: "asking", sound: null });
  try {
    const sound = await openFile(file, store.get().model);
    if (!isLatest()) return;
    hold(sound);
    await ask();
  } catch (error) {
    if (isLatest()) fail(error);
  }
}

/** @param {Sound} sound */
function hold(sound) {
  player.load(sound);
  store.set({ sound });
}

function again() {
  byId("verdict").focus();
  void ask();
}

async function speak() {
  const { phase } = store.get();
  if (phase === "listening") return stop();
  if (phase === "asking") return;
  const isLatest = begin();
  if (!(await start())) return;
  player.load(null);
  const note = "waiting for the microphone";
  store.set({ ...NOTHING_HEARD, phase: "listening", sound: null, note });
  try {
    listening = await listen(store.get().model, {
      level(level) {
        byId("speak").style.setProperty("--level", level.toFixed(2));
        requestAnimationFrame(stage.redraw);
      },
      segment(segment) {
        if (isLatest()) store.set({ segments: [...store.get().segments, segment] });
      },
      refused: () => store.set({ note: "no live answers: the recording is sent when you stop" }),
      problem: () => void stop(),
      enough: () => void stop(),
    });
  } catch (error) {
    return fail(error);
  }
  store.set({ note: null });
  say("Listening.");
}

async function stop() {
  if (!listening) return;
  const ending = listening;
  listening = null;
  const isLatest = begin();
  byId("speak").style.setProperty("--level", "0");
  store.set({ phase: "asking", note: null });
  const { sound, answer } = await ending.stop();
  if (isLatest()) hold(sound);
  try {
    const summary = await answer;
    if (!isLatest()) return;
    if (summary) show(summary);
    else await ask();
  } catch (error) {
    if (isLatest()) fail(error);
  }
}

/** @param {State} state */
function speakView({ phase, sound, note }) {
  const button = byId("speak");
  const on = phase === "listening";
  document.body.classList.toggle("listening", on);
  // Not `disabled`: that would take the focus from those who pressed it with the keyboard.
  button.setAttribute("aria-disabled", String(phase === "asking"));
  byId("file").toggleAttribute("disabled", on);
  byId("speak-name").textContent = on ? "Stop" : "Speak into the microphone";
  byId("speak-title").textContent = { idle: "Speak", listening: "Listening", asking: "Hearing" }[
    phase
  ];
  byId("speak-hint").textContent = on ? (note ?? "press again to stop") : "into the microphone";
  byId("play").toggleAttribute("disabled", on || !sound?.peaks);
}

byId("speak").addEventListener("click", () => void speak());
byId("play").addEventListener("click", () => player.toggle());
byId("file").addEventListener("change", (event) => {
  const input = /** @type {HTMLInputElement} */ (event.target);
  void give(input.files?.[0]);
  input.value = ""; // so that the same file can be chosen again
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ (byId("key"));
  useKey(input.value);
  input.value = "";
  store.set({ keyWanted: false, problem: null });
  byId("speak").focus(); // the form is gone, and the focus should not go with it
  void ask();
});
onDrop((file) => void give(file));

store.show(modelsView((model) => (store.set({ model }), store.get().sound && void ask())));
store.show(speakView);
store.show(({ keyWanted }) => (byId("key-form").hidden = !keyWanted));
store.show(problemView(again));
store.show(verdictView());
store.show(barsView());
store.show(stage.view);
store.show(tableView());
store.show(takeView(store.get, say));
void start();
