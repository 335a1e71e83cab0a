// The page's own script: theme, ages, the live overview, dialogs, copying. HTMX sends
// the forms. Nothing is stored in the browser, which we share with Home Assistant.
"use strict";
(() => {
  const root = document.documentElement;

  // --- Theme: Home Assistant's, when we are shown inside it on the same origin.
  // Otherwise the style sheet follows the browser. This part runs before anything is
  // painted, so that a dark page does not flash white.

  const canvas = document.createElement("canvas").getContext("2d");

  // rgb reads any colour that a style sheet may hold; null when it is see-through or
  // of a kind that the browser does not turn into red, green and blue.
  function rgb(text) {
    if (!canvas || !text) return null;
    canvas.fillStyle = "#010203";
    canvas.fillStyle = text.trim();
    const hex = /^#(..)(..)(..)$/.exec(canvas.fillStyle);
    if (!hex || (canvas.fillStyle === "#010203")) return null;
    return hex.slice(1).map((h) => parseInt(h, 16));
  }

  function luminance(colour) {
    const [r, g, b] = colour.map((c) => {
      c /= 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function contrast(a, b) {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  }

  // Our own colours are readable on surfaces this dark or this light, and on no other.
  const DARK = 0.06, LIGHT = 0.85;
  const plain = (colour) => luminance(colour) <= DARK || luminance(colour) >= LIGHT;

  function set(token, colour) {
    if (colour) root.style.setProperty(token, "rgb(" + colour.join(" ") + ")");
    else root.style.removeProperty(token);
  }

  function themeFrom(parent) {
    const style = getComputedStyle(parent.document.documentElement);
    const read = (name) => rgb(style.getPropertyValue(name));
    const back = read("--primary-background-color");
    const card = read("--card-background-color") || read("--ha-card-background") || back;
    if (!back) return;
    root.dataset.theme = luminance(card) < 0.4 ? "dark" : "light";
    const ours = plain(back) && plain(card);
    set("--bg", ours && back);
    set("--card", ours && card);
    for (const [token, name] of [["--text", "--primary-text-color"], ["--muted", "--secondary-text-color"]]) {
      const colour = read(name);
      set(token, ours && colour && contrast(colour, card) >= 4.5 && contrast(colour, back) >= 4.5 && colour);
    }
    const primary = read("--primary-color");
    const own = primary && primary.join() !== "0,154,199"; // Home Assistant's own is too pale for text
    set("--primary", own && primary);
    const black = [20, 20, 20], white = [255, 255, 255];
    set("--on-primary", own && (contrast(primary, white) >= contrast(primary, black) ? white : black));
  }

  function watchTheme() {
    if (window.parent === window) return;
    try {
      const parent = window.parent;
      const update = () => { try { themeFrom(parent); } catch { /* its page is gone */ } };
      const observer = new MutationObserver(update);
      observer.observe(parent.document.documentElement, { attributes: true });
      for (const meta of parent.document.querySelectorAll("meta[name=color-scheme], meta[name=theme-color]")) {
        observer.observe(meta, { attributes: true });
      }
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
      addEventListener("pagehide", () => observer.disconnect());
      addEventListener("pageshow", (event) => { if (event.persisted) watchTheme(); });
      update();
    } catch { /* another origin: the style sheet follows the browser */ }
  }
  watchTheme();

  // --- Ages. They go by the server's clock as it was when the page was made.

  const made = document.querySelector("meta[name=z2mha-now]");
  const skew = (made && Date.parse(made.content) - Date.now()) || 0;
  const ago = new Intl.RelativeTimeFormat(root.lang || "en-GB", { style: "short" });

  function ageOf(seconds) {
    if (seconds < 15) return document.body.dataset.justNow;
    if (seconds < 60) return ago.format(-15 * Math.floor(seconds / 15), "second");
    if (seconds < 3600) return ago.format(-Math.floor(seconds / 60), "minute");
    if (seconds < 86400) return ago.format(-Math.floor(seconds / 3600), "hour");
    return ago.format(-Math.floor(seconds / 86400), "day");
  }

  function lengthOf(seconds) {
    const s = seconds % 60, m = Math.floor(seconds / 60) % 60, h = Math.floor(seconds / 3600);
    if (h) return h + " h " + m + " min";
    return m ? m + " min " + s + " s" : s + " s";
  }

  function tick() {
    const now = Date.now() + skew;
    for (const time of document.querySelectorAll("time[data-age], time[data-elapsed]")) {
      const seconds = Math.max(0, Math.floor((now - Date.parse(time.dateTime)) / 1000));
      const text = "age" in time.dataset ? ageOf(seconds) : lengthOf(seconds);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // --- The overview is changed only where it differs, so that focus, open details,
  // marked text and the scroll position stay, and screen readers hear only news.

  const keyOf = (node) => (node.nodeType === 1 && (node.id || node.dataset.key)) || "";
  const alike = (a, b) => a && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  function morph(have, want) {
    if (have.nodeType !== 1) {
      if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
      return;
    }
    if (have.nodeName === "TIME" && have.dateTime === want.dateTime) return;
    if (have.classList.contains("htmx-request")) return; // see htmx:afterRequest
    for (const { name } of [...have.attributes]) {
      if (!want.hasAttribute(name) && !(have.nodeName === "DETAILS" && name === "open")) have.removeAttribute(name);
    }
    for (const { name, value } of want.attributes) {
      if (have.getAttribute(name) !== value && !(have.nodeName === "DETAILS" && name === "open")) have.setAttribute(name, value);
    }
    morphChildren(have, want);
  }

  function morphChildren(have, want) {
    const keyed = new Map();
    for (const child of have.children) if (keyOf(child)) keyed.set(keyOf(child), child);
    let at = have.firstChild;
    for (const next of [...want.childNodes]) {
      const match = keyOf(next) ? keyed.get(keyOf(next)) : at;
      if (!alike(match, next)) {
        have.insertBefore(document.importNode(next, true), at);
        continue;
      }
      keyed.delete(keyOf(next));
      if (match === at) at = at.nextSibling;
      else have.insertBefore(match, at);
      morph(match, next);
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  }

  let last = "";

  // show returns whether html was an overview.
  function show(html, again) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const want = template.content.querySelector("#overview");
    const have = document.getElementById("overview");
    if (!want || !have) return false;
    if (want.dataset.print !== have.dataset.print) {
      // Another version of the program answers: take its scripts and styles too.
      if (!document.querySelector("dialog[open]") && performance.now() > 10000) location.reload();
      return true;
    }
    if (html !== last || again) {
      last = html;
      morph(have, want);
      if (window.htmx) htmx.process(have);
      tick();
    }
    return true;
  }

  // --- The connection: a stream, and asking every 5 s while the stream is silent. Some
  // proxies hold a stream back for ever, so only what arrives counts.

  const EVERY = 5000, QUIET = 40000, FIRST = 6000, RETRY = 60000;
  let source = null, tried = 0, heardAt = 0, asking = false;

  function connected() {
    document.getElementById("reconnecting").hidden = true;
  }

  function lost() {
    document.getElementById("reconnecting").hidden = false;
  }

  function heard() {
    heardAt = Date.now();
    connected();
  }

  function listen() {
    tried = Date.now();
    heardAt = 0;
    if (source) source.close();
    source = new EventSource("events");
    source.addEventListener("overview", (event) => { heard(); show(event.data); });
    source.addEventListener("alive", heard);
    source.onerror = () => { heardAt = 0; ask(); };
  }

  const closed = () => source.readyState === EventSource.CLOSED;
  const silent = (now) => closed() || (heardAt ? now - heardAt > QUIET : now - tried > FIRST);

  function watch() {
    const now = Date.now();
    if (document.hidden || !silent(now)) return;
    if (now - tried > RETRY || (closed() && now - tried > 3 * EVERY)) listen();
    ask();
  }

  async function ask() {
    if (asking) return;
    asking = true;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), 2 * EVERY);
    try {
      const answer = await fetch("overview", { cache: "no-store", signal: limit.signal });
      if (answer.ok && show(await answer.text())) connected();
      else lost();
    } catch {
      lost();
    }
    clearTimeout(timer);
    asking = false;
  }

  // --- Forms and dialogs.

  const ours = (html) => /\s(data-failure|id="setup-step")/.test(html);

  function refused(event) {
    const { xhr, requestConfig } = event.detail;
    if (!ours(xhr.responseText)) { // a proxy's answer
      event.detail.shouldSwap = false;
      lost();
      return;
    }
    event.detail.shouldSwap = true;
    event.detail.isError = false;
    const slot = requestConfig.elt.querySelector("[data-failure-slot]");
    if (slot && !xhr.responseText.includes('id="setup-step"')) {
      event.detail.target = slot;
      event.detail.swapOverride = "innerHTML";
    }
  }

  function begun(event) {
    event.detail.shouldSwap = false;
    const network = new FormData(event.detail.requestConfig.elt).get("network");
    show(event.detail.xhr.responseText);
    opener = null;
    closeDialog();
    const articles = [...document.querySelectorAll("#overview > article")];
    const article = articles.find((a) => a.dataset.key === network) || articles[0];
    const run = article && article.querySelector("[data-run]");
    focusOn(run || document.getElementById("overview"));
  }

  function focusOn(element) {
    if (!element) return;
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }

  function closeDialog() {
    const dialog = document.querySelector("#dialog dialog");
    if (dialog) dialog.close();
  }

  function focusOnStep(step) {
    checkWord(document.querySelector(step + " [data-word]"));
    focusOn(document.querySelector(step + " [data-focus], " + step + " [aria-invalid=true]"));
  }

  // opener is the button that a dialog came from. It was disabled while it was on its
  // way, and a browser forgets the focus of what is disabled.
  let opener = null;

  function openDialog() {
    const dialog = document.querySelector("#dialog dialog");
    if (!dialog || dialog.open) return;
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (document.activeElement === document.body && opener && opener.isConnected) opener.focus();
    });
    checkWord(dialog.querySelector("[data-word]"));
    dialog.showModal();
  }

  // checkWord keeps the button off until the word is typed. The server asks again.
  function checkWord(input) {
    if (input) input.form.querySelector("[type=submit]").disabled = input.value.trim() !== input.dataset.word.trim();
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status >= 400) {
      refused(event);
      return;
    }
    connected();
    if (event.detail.target.id === "overview") begun(event);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "dialog") openDialog();
    else focusOnStep(event.detail.target.closest("#node-step") ? "#node-step" : "#setup-step");
    tick();
  });
  document.addEventListener("htmx:afterRequest", () => { if (last) show(last, true); });
  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target.id === "dialog") opener = event.detail.elt.querySelector("[type=submit]");
    const slot = event.detail.elt.querySelector("[data-failure-slot]");
    if (slot) slot.replaceChildren();
  });

  // HTMX takes a new form over a moment after it is shown. Who is faster presses it
  // again through HTMX, since a form that is sent without it is refused.
  const taken = new WeakSet();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || !window.htmx || !form.hasAttribute("hx-post") || taken.has(form)) return;
    taken.add(form);
    event.preventDefault();
    htmx.process(form);
    setTimeout(() => form.requestSubmit(event.submitter)); // not while it is being sent
  });

  // --- Copying. The browser's clipboard works over https only; otherwise the old way.

  async function copy(box) {
    const text = box.querySelector("code").textContent;
    const done = await toClipboard(text) || oldCopy(box);
    box.querySelector("[data-copy-said]").textContent = done ? document.body.dataset.copied : document.body.dataset.copyNow;
    const button = box.querySelector("[data-copy]");
    const label = button.dataset.label || button.textContent;
    button.dataset.label = label;
    button.textContent = done ? document.body.dataset.copied : document.body.dataset.copyNow;
    setTimeout(() => { button.textContent = label; }, 3000);
  }

  async function toClipboard(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  }

  // oldCopy marks the text, so that it can be copied by hand when this fails too.
  function oldCopy(box) {
    getSelection().selectAllChildren(box.querySelector("code"));
    try {
      return document.execCommand("copy");
    } catch {
      return false;
    }
  }

  function reload() {
    try {
      window.top.location.reload(); // Home Assistant opens a new session for us
    } catch {
      location.reload();
    }
  }

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    if (hit("[data-copy]")) copy(hit("[data-copyable]"));
    else if (hit("[data-close]")) closeDialog();
    else if (hit("[data-skip]")) focusOn(document.querySelector("main"));
    else if (hit("[data-reload]")) reload();
    else if (event.target.nodeName === "DIALOG") closeDialog(); // beside the panel
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-word]")) checkWord(event.target);
  });

  document.addEventListener("DOMContentLoaded", () => {
    tick();
    setInterval(tick, 1000);
    if (!document.querySelector("#overview[data-live]")) return;
    listen();
    setInterval(watch, EVERY);
    document.addEventListener("visibilitychange", () => { if (!document.hidden && silent(Date.now())) { listen(); ask(); } });
  });
})();
