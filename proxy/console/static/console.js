// What plain HTML and htmx do not do: keys for the review queue, the self-test, and a word when the proxy is gone.
"use strict";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const button = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (button) { event.preventDefault(); button.click(); }
});

async function asks(url) {
  try {
    const answer = await fetch(url, { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(8000) });
    return (await answer.json()).filtered === true;
  } catch { return false; }
}

async function selfTest(place) {
  const plain = await asks(place.dataset.http);
  const secure = await asks(place.dataset.https);
  const found = secure ? "both" : plain ? "plain" : "none";
  for (const part of place.querySelectorAll("[data-result]")) part.hidden = part.dataset.result !== found;
}

for (const place of document.querySelectorAll("[data-self-test]")) {
  place.querySelector("button").addEventListener("click", () => selfTest(place));
  selfTest(place);
}

document.addEventListener("htmx:sendError", () => { document.getElementById("gone").hidden = false; });
document.addEventListener("htmx:afterOnLoad", () => { document.getElementById("gone").hidden = true; });
