/** The timeline as a table, for those who would rather read. */

import { byId, make } from "./dom.js";
import { because, clock, percent } from "./words.js";

/** @import { Segment, State } from "./types.js" */

/** @returns {(state: State) => void} */
export function tableView() {
  const box = byId("table");
  const details = byId("table-details");
  /** @type {Segment[] | null} */
  let shown = null;
  return ({ segments, phase }) => {
    details.hidden = !segments.length || phase === "listening";
    if (details.hidden || segments === shown) return;
    shown = segments;
    const head = ["From", "To", "Sounds", "Probability", "Next"].map((name) =>
      make("th", { scope: "col" }, name),
    );
    box.replaceChildren(
      make(
        "table",
        {},
        make("thead", {}, make("tr", {}, ...head)),
        make("tbody", {}, ...segments.map(row)),
      ),
    );
  };
}

/** @param {Segment} segment */
function row({ start, end, label, score, probabilities, reason }) {
  const next = probabilities?.find((each) => each.label !== label);
  const cells = [
    clock(start),
    clock(end),
    label ?? because(reason),
    score === null ? "" : percent(score),
    next ? `${next.label} ${percent(next.score)}` : "",
  ];
  return make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));
}
