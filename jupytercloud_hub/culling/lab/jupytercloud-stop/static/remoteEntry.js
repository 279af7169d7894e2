// JupyterLab's side of culling/extension.py: a notice before a stop, its "keep it" button, what the hub tells everybody,
// and a sign of life when somebody types or clicks. Written by hand as the federated module that JupyterLab loads: it needs no
// package of JupyterLab (notices are a command), so there is nothing to build.
(() => {
  "use strict";
  const ASK_EVERY = 15_000;
  const HERE_AT_MOST_EVERY = 30_000;
  const KEEP = "jupytercloud-stop:keep";

  const activate = (app) => {
    const settings = app.serviceManager.serverSettings;
    const shown = {}; // which notice ("stop", "message") → {id, key} of what was put on the screen
    let lastHere = 0;

    const call = async (path, method = "GET") => {
      const xsrf = /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie);
      const headers = {};
      if (xsrf) headers["X-XSRFToken"] = xsrf[1];
      if (settings.token) headers.Authorization = `token ${settings.token}`;
      const url = `${settings.baseUrl}jupytercloud/stop${path}`;
      const response = await fetch(url, { method, headers, cache: "no-store", credentials: "same-origin" });
      return { ok: response.ok, status: response.status, body: await response.json().catch(() => ({})) };
    };

    const put = async (which, key, message, type, actions = []) => {
      if (shown[which]?.key === key) return; // also where she closed it
      if (shown[which]) await app.commands.execute("apputils:dismiss-notification", { id: shown[which].id });
      delete shown[which];
      if (!message) return;
      const options = { autoClose: false, actions };
      shown[which] = { key, id: await app.commands.execute("apputils:notify", { message, type, options }) };
    };

    const show = async (view) => {
      const notice = view?.notice;
      const label = view?.keep?.possible && view.keep.label;
      const actions = label ? [{ label, commandId: KEEP }] : [];
      await put("stop", notice && `${notice}|${view.keep.possible}`, notice, "warning", actions);
      await put("message", view?.message, view?.message, "info");
    };

    const look = async () => {
      const answer = await call("");
      if (answer.status === 404) return false; // no culler on this hub
      if (answer.ok) await show(answer.body);
      return true;
    };

    app.commands.addCommand(KEEP, {
      label: "Keep this server",
      execute: async () => {
        const answer = await call("/keep", "POST");
        delete shown.stop; // the button closed the notice
        if (answer.ok) return show(answer.body);
        const message = answer.body.error ? answer.body.error.detail : `HTTP ${answer.status}`;
        return app.commands.execute("apputils:notify", { message, type: "error", options: { autoClose: 10_000 } });
      },
    });

    const here = async () => {
      const now = Date.now();
      if (now - lastHere < HERE_AT_MOST_EVERY) return;
      lastHere = now;
      await call("/here", "POST").catch(() => undefined);
    };

    app.restored
      .then(here) // whoever opens the page is there
      .then(look)
      .then((goOn) => {
        if (!goOn) return;
        for (const event of ["keydown", "pointerdown", "wheel"]) {
          document.addEventListener(event, here, { passive: true, capture: true });
        }
        setInterval(() => look().catch(() => undefined), ASK_EVERY);
      })
      .catch((error) => console.warn("jupytercloud-stop:", error));
  };

  const plugin = {
    id: "jupytercloud-stop:notice",
    description: "Says when an idle server is about to stop.",
    autoStart: true,
    activate,
  };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["jupytercloud-stop"] = {
    init: () => undefined,
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
