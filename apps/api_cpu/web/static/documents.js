// The documents of this tab: what was sent, how far it is, and what became of it.

const KEPT = "documents";

/**
 * An entry: `id` (of this page), `name`, `status` (waiting, sending, reading, done, failed, canceled), `requestId`,
 * `jobId`, `facts` (seller, number, day, amount), `needsReview`, `isReviewed`, `error` ({code, message}),
 * `taskId`, `inputRef`; and for a tab that was not reloaded `file`.
 */
class Documents extends EventTarget {
  #entries = restored();

  /** All of them, the oldest first. */
  get all() {
    return this.#entries;
  }

  /** New entries for files. */
  add(files) {
    for (const file of files) this.#entries.push({ id: newId(), name: file.name, file, status: "waiting", share: 0 });
    this.#changed();
  }

  /** An entry for what is being sent as a whole; it has no file of its own. */
  addUpload(name) {
    const entry = { id: newId(), name, status: "sending", share: 0 };
    this.#entries.push(entry);
    this.#changed();
    return entry;
  }

  /** The entry of an extraction; a new one for an extraction that came from elsewhere. */
  of(requestId, name = requestId) {
    let entry = this.#entries.find((one) => one.requestId === requestId);
    if (!entry) {
      entry = { id: requestId, name, requestId, status: "done" };
      this.#entries.push(entry);
      this.#changed();
    }
    return entry;
  }

  /** Change an entry and tell whoever shows it. */
  update(entry, change) {
    Object.assign(entry, change);
    this.#changed(entry);
  }

  remove(entry) {
    this.#entries = this.#entries.filter((one) => one !== entry);
    this.#changed();
  }

  /** Forget all that have come to an end. */
  clear() {
    this.#entries = this.#entries.filter(({ status }) => ["waiting", "sending", "reading"].includes(status));
    this.#changed();
  }

  /** The read document `step` after this one, those that wait for a person first; undefined at the end. */
  neighbour(requestId, step, isWanted = () => true) {
    const read = this.#entries.filter(({ status }) => status === "done");
    const at = read.findIndex((one) => one.requestId === requestId);
    const order = step > 0 ? read.slice(at + 1) : read.slice(0, Math.max(0, at)).reverse();
    return order.find(isWanted);
  }

  #changed(entry) {
    const kept = this.#entries.map(({ file: _file, ...rest }) => rest);
    sessionStorage.setItem(KEPT, JSON.stringify(kept));
    this.dispatchEvent(new CustomEvent("change", { detail: entry }));
  }
}


/** What a list says about an extraction's answer. */
export function factsOf({ result, document_type: kind }) {
  return {
    kind,
    seller: result.vendor_name ?? "",
    number: result.document_number ?? "",
    day: result.issue_date ?? "",
    amount: [result.total ?? result.amount_due, result.currency].filter((part) => part != null).join(" "),
  };
}

/** The address of a document within the page. */
export const hashOf = ({ requestId }) => `#/documents/${encodeURIComponent(requestId)}`;

const newId = () => `${Date.now()}-${Math.random()}`;

function restored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
  } catch {
    return [];
  }
}

export const documents = new Documents();
