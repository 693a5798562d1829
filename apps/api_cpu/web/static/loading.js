// Loads the page again when one of its files did not arrive: without one of its modules it stays empty.
// No module itself, so that nothing else has to arrive before it runs; `app.js` resets the count.

(() => {
  const LOADS = "loads";
  const MOST = 5;
  const PAUSE_MS = 500;

  function again() {
    const loads = Number(sessionStorage.getItem(LOADS) ?? 0) + 1;
    if (loads > MOST) return;
    sessionStorage.setItem(LOADS, loads);
    setTimeout(() => location.reload(), PAUSE_MS * 2 ** loads);
  }

  // An element's error does not bubble: it is seen on its way down.
  addEventListener("error", ({ target }) => {
    if (target instanceof Element && target.matches("script, link[rel=stylesheet]")) again();
  }, true);
  // The file of words is imported by the running page, once the language is known.
  addEventListener("unhandledrejection", () => { if (!document.body.classList.contains("ready")) again(); });
})();
