// For pages of a server that are not JupyterLab, such as Voilà's: what culling/extension.py says, in a bar above the page.
(() => {
  "use strict";
  const ASK_EVERY = 15_000;
  const stop = new URL(".", document.currentScript.src).href.replace(/\/$/, "");
  const bars = {};

  const put = (which, text, colours) => {
    bars[which] ??= document.createElement("p");
    const bar = bars[which];
    if (bar.textContent === (text || "")) return;
    bar.setAttribute("role", "status");
    bar.style.cssText = `position:sticky;top:0;z-index:1000;margin:0;padding:.75rem 1rem;font:1.125rem/1.4 sans-serif;${colours}`;
    bar.hidden = !text;
    if (!bar.isConnected) document.body.prepend(bar);
    bar.textContent = text || ""; // after it is there: a screen reader says what changes
  };

  const look = async () => {
    // no-cors, on the same origin: such a request may be read, and needs no token, which this page may not have
    const answer = await fetch(stop, { cache: "no-store", credentials: "same-origin", mode: "no-cors" });
    if (answer.status === 404) return false; // no culler on this hub
    if (answer.ok) {
      const view = await answer.json();
      put("message", view.message, "background:#0b4f8a;color:#fff");
      put("stop", view.notice, "background:#fff3cd;color:#3d2c00;border-bottom:2px solid #8a6100");
    }
    return true;
  };

  const begin = () =>
    look()
      .then((goOn) => goOn && setInterval(() => look().catch(() => undefined), ASK_EVERY))
      .catch((error) => console.warn("jupytercloud notice:", error));
  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin);
})();
