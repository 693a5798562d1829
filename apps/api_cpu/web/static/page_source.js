// Where a document's page images and words come from: the server, else the file that is still in this tab.

import { askPatiently, fetchBlobPatiently } from "/static/server.js";

const SHOWN_BY_BROWSERS = /^image\/(jpeg|png|webp|bmp|gif)$/;

/** Images and words of one document. `close` gives its memory back. */
export class PageSource {
  #urls = new Map();
  #leaving = new AbortController();

  constructor(requestId, file) {
    this.requestId = requestId;
    this.file = file;
  }

  /**
   * The URL of a page's image at least `width` pixels wide; null where there is none to show, or nobody looks any
   * more. `onWait(error)` is called when a busy server says to come again.
   */
  async image(number, width, onWait) {
    const name = `${number}/${width}`;
    if (!this.#urls.has(name)) {
      const found = await this.#fetch(number, width, onWait);
      if (this.#leaving.signal.aborted) return null;
      this.#urls.set(name, found && URL.createObjectURL(found));
    }
    return this.#urls.get(name);
  }

  /** A page's words, `{text, polygon}` each in reading order; none where the server has none. */
  async words(number) {
    try {
      const { words } = await askPatiently(`/v1/extracts/${this.requestId}/words?page=${number}`, { signal: this.#leaving.signal });
      return words.map(({ text, polygon }) => ({ text, polygon: polygon.map((corner) => corner.map(Number)) }));
    } catch {
      return [];
    }
  }

  close() {
    this.#leaving.abort();
    for (const url of this.#urls.values()) if (url) URL.revokeObjectURL(url);
  }

  async #fetch(number, width, onWait) {
    try {
      const path = `/v1/extracts/${this.requestId}/pages/${number}.png?width=${width}`;
      return await fetchBlobPatiently(path, { signal: this.#leaving.signal, onWait });
    } catch {
      const isShown = number === 1 && this.file && SHOWN_BY_BROWSERS.test(this.file.type);
      return isShown ? this.file : null;
    }
  }
}
