// Twice a second: what the visitors were shown since, and what the nodes say.
"use strict";

const SHOWN = 240;
const SLOW_MS = 900;
const SVG = "http://www.w3.org/2000/svg";
const PLACES = [[180, 62], [72, 200], [288, 200]];
const NAMES = {killed: "killed", frozen: "frozen", "cut off": "cut off"};
const pages = {memrep: [], memcached: []};
const seen = {memrep: 0, memcached: 0};

function element(parent, name, attributes, text) {
  const made = parent instanceof SVGElement ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function order(what, server) {
  fetch(`/do/${what.replace(" ", "-")}/${server}`, {method: "POST", headers: {"X-Demo": "1"}}).then(look);
}

function drawPages(name) {
  const place = document.querySelector(`#${name} .pages`);
  place.replaceChildren();
  const step = 960 / SHOWN;
  const all = pages[name];
  all.forEach(([, kind, ms], i) => {
    const bad = !["fine", "slow"].includes(kind);
    const height = bad ? 120 : Math.max(4, Math.min(120, 40 * Math.log10(1 + ms)));
    element(place, "rect", {
      x: 960 - (all.length - i) * step, y: 120 - height, width: step * 0.8, height,
      class: bad ? "bad" : ms > SLOW_MS ? "slow" : "fine",
    });
  });
}

function showSite(name, told) {
  const site = document.getElementById(name);
  for (const page of told.pages) {
    pages[name].push(page);
    seen[name] = page[0];
  }
  pages[name] = pages[name].slice(-SHOWN);
  const last = pages[name].at(-1);
  const bad = last && !["fine", "slow"].includes(last[1]);
  site.querySelector(".count").textContent = told.count.toLocaleString("en");
  site.querySelector(".count").classList.toggle("bad", Boolean(bad));
  const waits = told.waits_ms > 1000 ? `waits for ${(told.waits_ms / 1000).toFixed(1)} s` : "";
  site.querySelector(".detail").classList.toggle("bad", Boolean(waits));
  site.querySelector(".detail").textContent =
    waits || (last ? `${last[1] === "fine" ? "" : last[1] + ", "}${told.web_server}, ${last[2]} ms` : "");
  const kinds = told.kinds;
  const count = (kind) => kinds[kind] || 0;
  const sum = ["fine", "slow", "error", "logged out", "old"].reduce((total, kind) => total + count(kind), 0);
  site.querySelector(".sum").textContent =
    `${sum} pages; logged out ${count("logged out")}, shown an old cart ${count("old")}, errors ${count("error")}, slow ${count("slow")}`;
  drawPages(name);
}

function stateOf(status, i, condition) {
  const node = status && status.nodes[i];
  return node ? node.state : condition;
}

function draw(status, conditions) {
  const picture = document.getElementById("picture");
  picture.replaceChildren();
  const works = (i) => conditions[i] === "runs";
  for (const [a, b] of [[0, 1], [0, 2], [1, 2]]) {
    element(picture, "line", {
      x1: PLACES[a][0], y1: PLACES[a][1], x2: PLACES[b][0], y2: PLACES[b][1], class: works(a) && works(b) ? "" : "bad",
    });
  }
  PLACES.forEach(([x, y], i) => {
    const state = stateOf(status, i, conditions[i]);
    const shown = state === "serving" ? "serving" : ["down", "silent"].includes(state) || !works(i) ? "bad" : "";
    element(picture, "circle", {cx: x, cy: y, r: 46, class: shown});
    element(picture, "text", {x, y: y - 2}, `server ${i + 1}`);
    element(picture, "text", {x, y: y + 17, class: "small"}, works(i) ? state : conditions[i]);
  });
}

function showServers(status, conditions) {
  const place = document.getElementById("servers");
  conditions.forEach((condition, i) => {
    let card = place.children[i];
    if (!card) {
      card = element(place, "article");
      const head = element(card, "h2", {}, `server ${i + 1} `);
      element(head, "span", {class: "state"});
      const buttons = element(card, "div", {class: "buttons"});
      for (const [what, label] of [["killed", "Kill"], ["frozen", "Freeze"], ["cut off", "Cut off"]]) {
        element(buttons, "button", {type: "button", class: what.replace(" ", "-")}, label).onclick = () => order(what, i);
      }
      element(buttons, "button", {type: "button", class: "back"}, "Bring back").onclick = () => order("back", i);
    }
    const state = stateOf(status, i, condition);
    const node = status && status.nodes[i];
    const items = node && node.about ? `, ${node.about.items} sessions and locks` : "";
    const label = card.querySelector(".state");
    label.textContent = condition === "runs" ? state + items : `${NAMES[condition]}; the others say: ${state}`;
    label.className = `state ${condition !== "runs" || ["down", "silent"].includes(state) ? "bad" : state}`;
    for (const button of card.querySelectorAll("button")) {
      button.disabled = button.classList.contains("back") === (condition === "runs");
    }
  });
}

function showProblems(status) {
  const place = document.getElementById("problems");
  place.replaceChildren();
  const problems = status ? status.problems : [{text: "no node answers", remedy: "bring one back"}];
  if (!problems.length) element(place, "li", {}, "nothing is wrong");
  for (const problem of problems) {
    const item = element(place, "li", {}, problem.text);
    element(item, "span", {class: "remedy"}, problem.remedy);
  }
}

let looking = false;

async function look() {
  if (looking) return;
  looking = true;
  try {
    const state = await (await fetch(`/state?memrep=${seen.memrep}&memcached=${seen.memcached}`)).json();
    for (const [name, told] of Object.entries(state.visitors)) showSite(name, told);
    draw(state.status, state.conditions);
    showServers(state.status, state.conditions);
    showProblems(state.status);
    document.body.dataset.shown = "1";
  } catch (error) {
    document.getElementById("problems").replaceChildren();
    element(document.getElementById("problems"), "li", {}, "the demonstration has ended");
  } finally {
    looking = false;
  }
}

document.getElementById("beside").addEventListener("change", (event) => {
  document.getElementById("memcached").hidden = !event.target.checked;
});
setInterval(look, 500);
look();
