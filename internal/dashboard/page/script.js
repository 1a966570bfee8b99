// Renews the page while somebody looks at it. A page that has not changed is not sent again, and what is not asked for is not read.
"use strict";

const pause = 2000, slowest = 30000;
const live = document.getElementById("live");
let tag = "", failed = 0, timer = 0, states = "";

function say(text) {
  if (live.textContent !== text) live.textContent = text;
}

// The environments' states, as a person who does not see the page is told that they have changed.
function summary() {
  return [...document.querySelectorAll("h2")].map((h) => h.textContent.trim().replace(/\s+/g, " ")).join("; ");
}

function clock(seconds) {
  return seconds > 0 ? new Date(seconds * 1000).toTimeString().slice(0, 8) : "not yet";
}

function times(read) {
  const all = document.querySelectorAll("time.read");
  (read || "").split(",").forEach((at, i) => { if (all[i]) all[i].textContent = clock(Number(at)); });
}

// Puts the new content in the place of the old one. What a person has opened or focused stays so.
function show(text) {
  const now = document.getElementById("main"), next = new DOMParser().parseFromString(text, "text/html").getElementById("main");
  if (!next) return;
  for (const d of now.querySelectorAll("details[data-mine]")) {
    const same = next.querySelector("#" + CSS.escape(d.id));
    if (same) { same.open = d.open; same.dataset.mine = ""; }
  }
  const at = document.activeElement, within = now.contains(at) && at !== now;
  const key = within ? at.getAttribute("href") || (at.closest("details") || {}).id : "";
  now.replaceChildren(...next.childNodes);
  if (!key) return;
  const again = [...now.querySelectorAll("a, summary")].find((e) => e.getAttribute("href") === key || (e.localName === "summary" && e.parentElement.id === key));
  (again || now).focus({ preventScroll: true });
}

async function renew() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const answer = await fetch(location.pathname, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 200) {
      show(await answer.text());
      tag = answer.headers.get("ETag") || "";
    } else if (answer.status !== 304) {
      throw new Error((await answer.text()).trim() || "HTTP " + answer.status);
    }
    times(answer.headers.get("Read"));
    const before = states, lost = failed > 0;
    states = summary();
    failed = 0;
    if (before !== states) say("Changed: " + states);
    else if (lost) say("It answers again.");
  } catch (e) {
    failed++;
    say(e instanceof TypeError ? "The dashboard does not answer any more. Start it again: bin/gitops dashboard" : e.message);
  }
  timer = setTimeout(renew, Math.min(slowest, pause * 2 ** failed));
}

document.addEventListener("visibilitychange", renew);
document.addEventListener("click", (e) => {
  const details = e.target.closest("summary") && e.target.closest("details");
  if (details) details.dataset.mine = "";
});
live.textContent = "";
states = summary();
timer = setTimeout(renew, pause);
