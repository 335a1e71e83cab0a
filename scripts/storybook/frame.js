// A dialog is opened as app.js would after an answer.
"use strict";
for (const dialog of document.querySelectorAll("#dialog dialog")) {
  dialog.dispatchEvent(new CustomEvent("htmx:afterSwap", { bubbles: true, detail: { target: document.getElementById("dialog") } }));
}
