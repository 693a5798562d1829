// The one door to the server: the key, requests, answers, failures, and streams of events.

import { parseExact } from "/static/exact_json.js";

const KEY = "api_key";
// A server that is restarted is back within minutes.
const PAUSES_MS = [300, 700, 1500, 3000, ...Array(60).fill(5000)];
const LONGEST_PAUSE_MS = 60_000;

/** A request that did not succeed; `code` is one of docs/errors.md, or `offline`; `retryAfterMs` is the server's advice. */
export class ServerError extends Error {
  constructor(code, message, { status = 0, requestId = "", details = {}, retryAfterMs = 0 } = {}) {
    super(message);
    Object.assign(this, { code, status, requestId, details, retryAfterMs });
  }
}

/** Whether the same request may still be under way: its answer got lost, or the first try holds its `Idempotency-Key`. */
export const isUnsettled = ({ code }) => ["offline", "idempotency_in_progress"].includes(code);

/** Whether the same request may succeed later; a key that is asked for may come. */
export const isPassing = (error) => isUnsettled(error) || [401, 429, 503].includes(error.status);

/** Notices that the key is missing or no longer valid (`keyneeded`), and whether anyone answers (`offline`, `online`). */
export const connection = new EventTarget();
let isOnline = true;

/** The key lives in this tab only; an empty one is none. */
export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY),
};

/** The JSON of an answer, numbers as texts. Throws ServerError. */
export async function ask(path, options = {}) {
  return parseExact(await whole((await send(path, options)).text()));
}

/** The bytes of an answer. Throws ServerError. */
export async function fetchBlob(path, options = {}) {
  return whole((await send(path, options)).blob());
}

/** The bytes of an answer with its headers. Throws ServerError. */
export async function fetchFile(path) {
  const response = await send(path, {});
  return { blob: await whole(response.blob()), headers: response.headers };
}

/** POST `body` as JSON. Throws ServerError. */
export function post(path, body, options = {}) {
  return ask(path, {
    ...options,
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", ...options.headers },
  });
}

/** GET that waits for a server that is busy or being restarted. Throws ServerError when patience ends. */
export function askPatiently(path, options = {}) {
  return patiently(() => ask(path, options), options);
}

/** The same for the bytes of an answer; `onWait(error)` is called when it is waited for. */
export function fetchBlobPatiently(path, options = {}) {
  return patiently(() => fetchBlob(path, options), options);
}

async function patiently(request, { signal, onWait = () => {} }) {
  for (const pause of PAUSES_MS) {
    try {
      return await request();
    } catch (error) {
      if (error.status === 401 || !isPassing(error)) throw error;
      onWait(error);
      await sleep(Math.min(Math.max(pause, error.retryAfterMs), LONGEST_PAUSE_MS), signal);
    }
  }
  return request();
}

/** Send a form, `onProgress(share)` as its bytes leave. Resolves with the parsed answer. */
export function upload(path, form, { onProgress = () => {}, headers = {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries({ ...authorization(), ...headers })) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      heard(true);
      if (request.status < 400) resolve({ status: request.status, body: parseExact(request.responseText) });
      else reject(failure(request.status, request.responseText));
    };
    request.onerror = () => reject(silence());
    request.onabort = () => reject(new DOMException("left", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/**
 * The events of a stream, `{event, data, id}` each, up to the one called `last`. A stream that breaks or
 * ends before is taken up again after the last id seen. Throws ServerError when the server refuses.
 * EventSource cannot send a key, so the stream is read here.
 */
export async function* events(path, { signal, last }) {
  let seen = "";
  for (let failures = 0; ;) {
    try {
      const response = await send(path, { signal, headers: { Accept: "text/event-stream", ...(seen && { "Last-Event-ID": seen }) } });
      for await (const event of eventsIn(response.body)) {
        failures = 0;
        seen = event.id || seen;
        yield event;
        if (event.event === last) return;
      }
    } catch (error) {
      // A stream that breaks while it is read is a TypeError; with 429 the server asks to be polled instead.
      const isBroken = error instanceof TypeError || (isPassing(error) && error.status !== 429);
      if (!isBroken || failures >= PAUSES_MS.length) throw error;
    }
    await sleep(PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)], signal);
  }
}

async function* eventsIn(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const event = eventOf(block);
        if (event) yield event;
      }
    }
  } finally {
    // Whoever stops listening gives the connection back.
    reader.cancel().catch(() => {});
  }
}

function eventOf(block) {
  const said = { event: "message", data: "", id: "" };
  for (const line of block.split("\n")) {
    const [, name, text] = /^(event|data|id): ?(.*)$/.exec(line) ?? [];
    if (name) said[name] = name === "data" && said.data ? `${said.data}\n${text}` : text;
  }
  return said.data ? { ...said, data: parseExact(said.data) } : null;
}

async function send(path, options) {
  const headers = { ...options.headers, ...authorization() };
  const response = await whole(fetch(path, { ...options, headers }));
  heard(true);
  if (!response.ok) throw failure(response.status, await whole(response.text()), response.headers.get("Retry-After"));
  return response;
}

/** What is waited for from the network: an answer that breaks off on its way is none. */
async function whole(arriving) {
  try {
    return await arriving;
  } catch (error) {
    throw error.name === "AbortError" ? error : silence();
  }
}

function authorization() {
  return key.get() ? { Authorization: `Bearer ${key.get()}` } : {};
}

function failure(status, text, retryAfter = null) {
  let error = {};
  try {
    error = JSON.parse(text).error ?? {};
  } catch {
    // Something between this page and the server answered.
  }
  const { code = "refused", message = `HTTP ${status}`, request_id: requestId, details } = error;
  if (status === 401) connection.dispatchEvent(new Event("keyneeded"));
  return new ServerError(code, message, { status, requestId, details, retryAfterMs: 1000 * (Number(retryAfter) || 0) });
}

function silence() {
  heard(false);
  return new ServerError("offline", "The server does not answer.");
}

function heard(isHeard) {
  if (isHeard === isOnline) return;
  isOnline = isHeard;
  connection.dispatchEvent(new Event(isHeard ? "online" : "offline"));
}

/** Resolves after so many milliseconds; rejects as soon as `signal` is given. */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("left", "AbortError"));
    });
  });
}
