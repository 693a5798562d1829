// Who the person at this page is to the server.

import { ask, key } from "/static/server.js";

class Session extends EventTarget {
  me = null;

  /** Ask the server who this key is. Throws ServerError, `unauthorized` without a valid key. */
  async open() {
    this.me = await ask("/v1/me");
    this.dispatchEvent(new Event("change"));
  }

  /** Use another key; an empty one forgets it. Throws ServerError. */
  async use(text) {
    key.set(text);
    this.me = null;
    this.dispatchEvent(new Event("change"));
    await this.open();
  }

  /** Whether the key has a scope. */
  may(scope) {
    return Boolean(this.me?.scopes.includes(scope));
  }
}

export const session = new Session();
