/**
 * What travels between the modules; no code.
 *
 * @typedef {{label: string, score: number}} Emotion
 *
 * @typedef {object} Segment a window of the recording
 * @property {number} start in seconds
 * @property {number} end in seconds
 * @property {string | null} label the likeliest emotion; null where none is told
 * @property {number | null} score
 * @property {Emotion[] | null} probabilities
 * @property {string | null} reason why there is no label
 *
 * @typedef {object} Prediction the reply of `POST /predict?segments=true`
 * @property {string} label
 * @property {number} score
 * @property {Emotion[]} probabilities likeliest first
 * @property {{label: string, score: number}} sentiment
 * @property {{duration_s: number, sample_rate: number, channels: number, encoding: string}} audio
 * @property {{name: string, version: string}} model
 * @property {{code: string, detail: string}[]} warnings
 * @property {string} request_id
 * @property {Segment[] | null} [segments]
 *
 * @typedef {object} Problem problem details, as the service gives them (RFC 9457)
 * @property {string} title
 * @property {string} detail
 * @property {string} code
 * @property {number} status
 * @property {Record<string, unknown>} [allowed]
 * @property {string} [request_id]
 *
 * @typedef {object} Model what `GET /models` says of one
 * @property {string} name
 * @property {string} version
 * @property {string} description
 * @property {boolean} default
 * @property {string[]} emotions in the order of the model's output
 * @property {Record<string, "positive" | "neutral" | "negative">} sentiment
 * @property {number} sample_rate in Hz
 * @property {{max_bytes: number, max_duration_s: number, max_channels: number}} limits
 * @property {Record<string, {uar: number, protocol: string}>} metrics
 * @property {string} licence
 *
 * @typedef {object} Sound a recording that the page holds
 * @property {Blob} blob what is sent, or was
 * @property {string} name of its file
 * @property {string} origin said to the reader: where it comes from, and whether it was converted
 * @property {number | null} duration in seconds; null where the browser cannot read it
 * @property {Float32Array | null} peaks the loudest of each hundredth of a second, 0 to 1
 *
 * @typedef {object} State all that the page shows
 * @property {"idle" | "listening" | "asking"} phase
 * @property {Model[]} models
 * @property {Model | null} model the one chosen
 * @property {Sound | null} sound
 * @property {Segment[]} segments of the recording that is shown, or so far
 * @property {Prediction | null} answer
 * @property {Problem | null} problem
 * @property {boolean} keyWanted whether the service asked for an API key
 * @property {number | null} moment where the playhead stands, in seconds; null: the whole recording
 * @property {string | null} note something to know that is no fault
 */

export {};
