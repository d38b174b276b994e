/** The one place where the page's state lies. */

/**
 * @template T
 * @typedef {object} Store
 * @property {() => T} get
 * @property {(changes: Partial<T>) => void} set takes over the changes and shows them
 * @property {(view: (state: T) => void) => void} show calls `view` now and after every change
 */

/**
 * @template {object} T
 * @param {T} initial
 * @returns {Store<T>}
 */
export function createStore(initial) {
  let state = Object.freeze({ ...initial });
  /** @type {((state: T) => void)[]} */
  const views = [];
  return {
    get: () => state,
    set(changes) {
      state = Object.freeze({ ...state, ...changes });
      for (const view of views) view(state);
    },
    show(view) {
      views.push(view);
      view(state);
    },
  };
}
