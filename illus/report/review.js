"use strict";
// Every name of a file or class is shown as text (textContent); nothing here builds HTML from strings.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const thumbnails = byId("thumbnails").textContent.split("\n");
const PAGE_SIZE = 30; // cards that are added at a time
const MARGIN = 800; // px below the window that are filled
const STORE = `illus review ${data.target}`;
const WORDS = { keep: "keep", drop: "drop", label: "class", not_copy_of: "not a copy" };

// --- Decisions: rows of overrides.csv, by what they are about ---------------------------------------

let decisions = new Map();
let saved = true; // no decision was made since the last download
let stored = false; // the browser remembers them through a reload

function subject([sha256, decision, value]) {
  if (decision === "not_copy_of") return "pair " + [sha256, value].sort().join(" ");
  return (decision === "label" ? "label " : "fate ") + sha256;
}

function put(row) {
  decisions.delete(subject(row)); // so that the last decision is the last row
  decisions.set(subject(row), row);
}

function today() {
  const now = new Date();
  const two = (number) => String(number).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

function decide(picture, decision, value = "") {
  if (picture.sha256) put([picture.sha256, decision, value, picture.paths[0], today()]);
}

const fateOf = (picture) => (decisions.get("fate " + picture.sha256) || [])[1] || "";
const labelOf = (picture) => (decisions.get("label " + picture.sha256) || [])[2] || "";
const areApart = (one, other) => decisions.has(subject([one.sha256, "not_copy_of", other.sha256]));

function remember() {
  try {
    localStorage.setItem(STORE, JSON.stringify({ page: data.page, saved, rows: [...decisions.values()] }));
    stored = true;
  } catch {
    stored = false; // a browser may forbid it to files; then leaving the page asks first
  }
}

function recall() {
  data.decisions.forEach(put);
  let before = null;
  try {
    before = JSON.parse(localStorage.getItem(STORE));
  } catch {
    return;
  }
  const isRow = (row) => Array.isArray(row) && row.length === 5 && row.every((field) => typeof field === "string");
  if (!before || !Array.isArray(before.rows) || !before.rows.every(isRow)) return;
  if (before.page === data.page) decisions = new Map(); // it holds all of them, without those taken back
  else if (before.saved) return; // they are in overrides.csv, or were taken out of it
  before.rows.forEach(put);
  saved = Boolean(before.saved);
}

function toCsv() {
  const field = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [data.columns, ...decisions.values()].map((row) => row.map(field).join(",") + "\n").join("");
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([toCsv()], { type: "text/csv" }));
  link.download = "overrides.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000); // a busy machine may start the download late
  saved = true;
  remember();
  showCounts();
  byId("saved-count").textContent = plural(decisions.size, "decision");
  byId("saved").showModal();
}

// --- Cards ------------------------------------------------------------------------------------------

const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

function prepareCards() {
  for (const card of data.cards) {
    for (const member of card.members) {
      member.thumbnail = thumbnails[member.picture];
      member.picture = data.pictures[member.picture];
    }
  }
  data.cards.push(...earlierCards());
  data.cards.forEach((card, number) => (card.number = number));
}

function earlierCards() {
  const bySha = new Map(data.pictures.map((picture, i) => [picture.sha256, i]));
  const shown = data.cards.map((card) => new Set(card.members.map((member) => member.picture.sha256)));
  const inCards = new Map();
  shown.forEach((set) => set.forEach((sha256) => inCards.set(sha256, [...(inCards.get(sha256) || []), set])));
  const cards = [];
  for (const row of data.decisions) {
    const ids = row[1] === "not_copy_of" ? [row[0], row[2]] : [row[0]];
    if ((inCards.get(ids[0]) || []).some((set) => ids.every((id) => set.has(id)))) continue;
    const members = ids.filter((id) => bySha.has(id)).map((id) => {
      const number = bySha.get(id);
      return { picture: data.pictures[number], thumbnail: thumbnails[number], keep: true, reason: "" };
    });
    const value = row[1] === "label" ? ` ${row[2]}` : "";
    const gone = members.length < ids.length ? ", of a file that is not here any more: " + (row[3] || row[0]) : "";
    const title = `${WORDS[row[1]]}${value}${gone}`;
    cards.push({ section: "earlier", kind: "", title, measure: row[4], members, reference: 0, choices: [], row });
  }
  return cards;
}

function isDecided(card) {
  if (card.row) return decisions.has(subject(card.row));
  const pictures = card.members.map((member) => member.picture);
  if (pictures.some((picture) => fateOf(picture))) return true;
  if (card.section !== "photos" && pictures.some((picture) => labelOf(picture))) return true;
  return pictures.some((one, i) => pictures.some((other, j) => i < j && areApart(one, other)));
}

const canDecide = (card) => Boolean(card.row) || card.members.some((member) => member.picture.sha256);

function accept(card) {
  const kept = card.members.filter((member) => member.keep);
  if (card.section === "labels") decide(card.members[0].picture, "label", card.choices[0]);
  else if (kept.length) kept.forEach((member) => decide(member.picture, "keep"));
  else card.members.forEach((member) => decide(member.picture, "drop"));
}

function acceptText(card) {
  if (card.section === "photos") return "Accept: drop it";
  if (card.section === "unreadable") return "Accept: leave it out";
  return card.members.some((member) => member.keep) ? "Accept: keep the first" : "Accept: drop all";
}

function choose(card, name) {
  for (const { picture } of card.members) {
    const others = picture.classes.some((other) => other !== name);
    if (others || card.section === "labels" || labelOf(picture)) decide(picture, "label", name);
  }
}

const isChosen = (card, name) => isDecided(card) && card.members.every(({ picture }) => {
  const label = labelOf(picture);
  return label ? label === name : card.section !== "labels" && picture.classes.every((other) => other === name);
});

function undo(card) {
  if (card.row) decisions.delete(subject(card.row));
  for (const { picture } of card.members) {
    if (card.row) break;
    decisions.delete("fate " + picture.sha256);
    decisions.delete("label " + picture.sha256);
    for (const other of card.members) decisions.delete(subject([picture.sha256, "not_copy_of", other.picture.sha256]));
  }
}

function toggle(member, decision) {
  if (fateOf(member.picture) === decision) decisions.delete("fate " + member.picture.sha256);
  else decide(member.picture, decision);
}

function rivals(card, member) {
  const best = card.members[card.reference];
  return member === best ? card.members.filter((other) => other !== member) : [best];
}

function isApart(card, member) {
  const others = rivals(card, member);
  return others.length > 0 && others.every((other) => areApart(member.picture, other.picture));
}

function toggleApart(card, member) {
  const undoing = isApart(card, member);
  for (const other of rivals(card, member)) {
    if (undoing) decisions.delete(subject([member.picture.sha256, "not_copy_of", other.picture.sha256]));
    else decide(member.picture, "not_copy_of", other.picture.sha256);
  }
}

// --- What is shown ----------------------------------------------------------------------------------

const view = { section: "copies", cards: [], shown: 0, current: -1, member: 0 };

function element(tag, className = "", text = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function button(text, className, action, key = "") {
  const made = element("button", className, text);
  made.type = "button";
  if (key.length > 1 || Number(key)) made.append(" ", element("kbd", "", key));
  else if (key) made.title = `key ${key}`;
  made.addEventListener("click", (event) => { event.stopPropagation(); action(); });
  return made;
}

function badges(card, member) {
  const { picture } = member;
  const fate = fateOf(picture), label = labelOf(picture);
  const list = element("div", "badges");
  const found = { labels: "", unreadable: "left out", photos: "photo: removed" };
  const proposed = found[card.section] ?? (member.keep ? "kept" : "removed");
  if (proposed && !fate && !card.row) list.append(element("span", `badge ${member.keep ? "keep" : "drop"}`, proposed));
  if (fate) list.append(element("span", `badge yours ${fate}`, `you: ${fate}`));
  if (label) list.append(element("span", "badge yours label", `you: ${label}`));
  if (isApart(card, member)) list.append(element("span", "badge yours apart", "you: not a copy"));
  return list;
}

function drawMember(card, member, chosen) {
  const { picture } = member;
  const box = element("div", "thumb");
  if (member.thumbnail) {
    const image = element("img");
    image.alt = "";
    image.src = "data:image/webp;base64," + member.thumbnail;
    box.append(image);
  } else box.textContent = "no picture";
  const figure = element("figure", chosen ? "chosen" : "", "", box);
  for (const path of picture.paths.slice(0, 8)) figure.append(element("div", "path", "", element("bdi", "", path)));
  if (picture.paths.length > 1) figure.append(element("div", "soft", `${picture.paths.length} files with the same bytes`));
  figure.append(element("div", "soft", picture.facts), badges(card, member));
  if (member.reason && card.title) figure.append(element("div", "soft reason", "", element("bdi", "", member.reason)));
  figure.addEventListener("click", () => select(card, card.members.indexOf(member)));
  if (picture.sha256 && !card.row) figure.append(memberActions(card, member));
  return figure;
}

function memberActions(card, member) {
  const actions = element("div", "actions");
  const on = (yes) => (yes ? " on" : "");
  const { picture } = member;
  const act = (action) => () => { action(); changed(card, card.members.indexOf(member)); };
  if (card.section !== "unreadable") {
    actions.append(button("Keep", "keep" + on(fateOf(picture) === "keep"), act(() => toggle(member, "keep")), "K"));
  }
  actions.append(button("Drop", "drop" + on(fateOf(picture) === "drop"), act(() => toggle(member, "drop")), "D"));
  if (card.section === "unreadable") return actions;
  actions.append(button("Class…", "label" + on(labelOf(picture)), () => askClass(card, member), "L"));
  if (card.members.length > 1) {
    const text = rivals(card, member).length > 1 ? "No copies" : "Not a copy";
    actions.append(button(text, "apart" + on(isApart(card, member)), act(() => toggleApart(card, member)), "N"));
  }
  return actions;
}

function drawCard(card) {
  const isCurrent = view.cards[view.current] === card;
  const node = element("article", "card");
  node.classList.toggle("wide", card.members.length > 4);
  node.classList.toggle("broad", card.members.length > 2);
  node.classList.toggle("one", card.members.length === 1 && card.section === "copies");
  node.classList.toggle("decided", isDecided(card));
  node.classList.toggle("current", isCurrent);
  node.tabIndex = -1;
  node.dataset.number = card.number;
  node.append(element("div", "head", "", element("strong", "", card.title || card.members[0].reason), element("span", "", card.measure)));
  const chosen = (i) => isCurrent && i === view.member && card.members.length > 1;
  node.append(element("div", "pictures", "", ...card.members.map((member, i) => drawMember(card, member, chosen(i)))));
  const actions = element("div", "actions");
  card.choices.forEach((name, i) => {
    const action = () => { choose(card, name); changed(card); };
    const text = card.section !== "labels" ? `All are ${name}` : i ? `Stays ${name}` : `Is ${name}`;
    const key = card.section === "labels" && i === 0 ? "1 or space" : i < 9 ? String(i + 1) : "";
    actions.append(button(text, "label" + (isChosen(card, name) ? " on" : ""), action, key));
  });
  if (canDecide(card) && !isDecided(card) && !card.row && card.section !== "labels") {
    actions.append(button(acceptText(card), "", () => { accept(card); changed(card); }, "space"));
  }
  if (isDecided(card)) actions.append(button("Undo", "", () => { undo(card); changed(card); }, "U"));
  if (actions.childElementCount) node.append(actions);
  return node;
}

const nodeOf = (card) => byId("list").querySelector(`[data-number="${card.number}"]`);
const redraw = (card) => card && nodeOf(card)?.replaceWith(drawCard(card));

function changed(card, member = view.member) {
  saved = false;
  remember();
  const ids = new Set(card.members.map((one) => one.picture.sha256));
  for (const node of byId("list").children) {
    const other = data.cards[node.dataset.number];
    if (other && other !== card && other.members.some((one) => ids.has(one.picture.sha256))) redraw(other);
  }
  select(card, member);
  showCounts();
}

function select(card, member = 0) {
  const before = view.cards[view.current];
  view.current = view.cards.indexOf(card);
  view.member = Math.min(Math.max(member, 0), card.members.length - 1);
  if (before !== card) redraw(before);
  redraw(card);
  nodeOf(card)?.focus({ preventScroll: true });
}

function showCounts() {
  const sections = { ...data.sections, ...(data.cards.some((card) => card.row) ? { earlier: "Earlier decisions" } : {}) };
  const total = data.cards.filter((card) => !card.row && canDecide(card));
  const open = total.filter((card) => !isDecided(card));
  byId("progress").textContent = `${open.length.toLocaleString("en")} open of ${total.length.toLocaleString("en")}`;
  byId("meter").max = total.length || 1;
  byId("meter").value = total.length ? total.length - open.length : 1;
  byId("save").textContent = saved ? "Save" : "Save *";
  byId("save").title = saved ? "save (S)" : "there are unsaved decisions (S)";
  const tabs = Object.entries(sections).map(([section, title]) => {
    const left = section === "earlier" ? data.cards.filter((card) => card.row) : open.filter((card) => card.section === section);
    const tab = button(title, "", () => { view.section = section; fillKinds(); showList(); });
    tab.append(element("b", "", left.length.toLocaleString("en")));
    tab.dataset.section = section;
    tab.setAttribute("aria-current", String(section === view.section));
    return tab;
  });
  byId("tabs").replaceChildren(...tabs);
  byId("tabs").scrollLeft = tabs.find((tab) => tab.dataset.section === view.section).offsetLeft - 60;
}

function fillSelect(select, values, all) {
  const option = (value, text) => { const made = element("option", "", text); made.value = value; return made; };
  select.replaceChildren(option("", all), ...values.map((value) => option(value, value)));
  select.hidden = values.length < 2;
}

function fillKinds() {
  const kinds = new Set(data.cards.filter((card) => card.section === view.section && card.kind).map((card) => card.kind));
  fillSelect(byId("kind"), [...kinds], "any kind");
}

function isWanted(card) {
  if (card.section !== view.section) return false;
  const state = card.row ? "all" : byId("state").value;
  if (state !== "all" && (state === "decided") !== isDecided(card)) return false;
  const kind = byId("kind").value, name = byId("class").value, part = byId("search").value.toLowerCase();
  if (kind && card.kind !== kind) return false;
  const pictures = card.members.map((member) => member.picture);
  if (name && !pictures.some((picture) => picture.classes.includes(name))) return false;
  return !part || pictures.some((picture) => picture.paths.some((path) => path.toLowerCase().includes(part)));
}

function showList() {
  view.cards = data.cards.filter(isWanted);
  if (byId("order").value === "-1") view.cards.reverse();
  view.shown = 0;
  view.current = view.cards.length ? 0 : -1;
  view.member = 0;
  byId("list").replaceChildren();
  byId("list").classList.toggle("single", ["photos", "labels", "unreadable"].includes(view.section));
  byId("shown").textContent = plural(view.cards.length, "card");
  if (!view.cards.length) byId("list").append(element("p", "empty", "Nothing here with these filters."));
  scrollTo(0, 0);
  showCounts();
  addCards();
}

function addCards() {
  const next = view.cards.slice(view.shown, view.shown + PAGE_SIZE);
  view.shown += next.length;
  byId("list").append(...next.map(drawCard));
  if (next.length && byId("more").getBoundingClientRect().top < innerHeight + MARGIN) addCards();
}

// --- The class dialog -------------------------------------------------------------------------------

let asked = null;

function askClass(card, member) {
  asked = { card, member };
  byId("class-search").value = "";
  listClasses();
  byId("classes").showModal();
  byId("class-search").focus();
}

function listClasses() {
  const part = byId("class-search").value.toLowerCase();
  const names = data.classes.filter((name) => name.toLowerCase().includes(part));
  const mark = (name) => (name === labelOf(asked.member.picture) ? "label on" : "");
  byId("class-list").replaceChildren(...names.map((name) => button(name, mark(name), () => giveClass(name))));
}

function giveClass(name) {
  decide(asked.member.picture, "label", name);
  byId("classes").close();
  changed(asked.card, asked.card.members.indexOf(asked.member));
}

// --- Keys -------------------------------------------------------------------------------------------

function move(steps) {
  const to = Math.min(Math.max(view.current + steps, 0), view.cards.length - 1);
  while (to >= view.shown) addCards();
  select(view.cards[to]);
  nodeOf(view.cards[to]).scrollIntoView({ block: "nearest" });
}

const KEYS = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  ArrowRight: (card) => select(card, view.member + 1),
  ArrowLeft: (card) => select(card, view.member - 1),
  " ": (card) => {
    if (canDecide(card) && !isDecided(card)) { accept(card); changed(card); }
    move(1);
  },
  k: (card, member) => { if (card.section !== "unreadable") { toggle(member, "keep"); changed(card); } },
  d: (card, member) => { toggle(member, "drop"); changed(card); },
  l: (card, member) => { if (card.section !== "unreadable") askClass(card, member); },
  n: (card, member) => { if (card.members.length > 1) { toggleApart(card, member); changed(card); } },
  u: (card) => { undo(card); changed(card); },
};

function onKey(event) {
  const typing = event.target.closest("input, select, dialog, button");
  if (event.ctrlKey || event.metaKey || event.altKey || typing || document.querySelector("dialog[open]")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const card = view.cards[view.current];
  if (key === "s") save();
  else if (key === "?") byId("help").showModal();
  else if (card && KEYS[key] && (!card.row || key.startsWith("Arrow") || key === "u")) KEYS[key](card, card.members[view.member]);
  else if (card && !card.row && card.choices[Number(key) - 1]) { choose(card, card.choices[Number(key) - 1]); changed(card); }
  else return;
  event.preventDefault();
}

// --- Start ------------------------------------------------------------------------------------------

function start() {
  recall();
  prepareCards();
  document.title = `Review ${data.name}`;
  byId("name").textContent = data.name;
  document.querySelectorAll(".target").forEach((node) => (node.textContent = data.target));
  const first = Object.keys(data.sections).find((section) => data.cards.some((card) => card.section === section && !isDecided(card)));
  view.section = first || "copies";
  fillSelect(byId("class"), data.classes, "all classes");
  fillKinds();
  for (const id of ["state", "kind", "class", "order", "search"]) byId(id).addEventListener("input", showList);
  byId("save").addEventListener("click", save);
  byId("help-button").addEventListener("click", () => byId("help").showModal());
  byId("class-search").addEventListener("input", listClasses);
  byId("class-search").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    byId("class-list").querySelector("button")?.click();
  });
  document.addEventListener("keydown", onKey);
  addEventListener("beforeunload", (event) => { if (!saved && !stored) event.preventDefault(); });
  new IntersectionObserver((seen) => { if (seen[0].isIntersecting) addCards(); }, { rootMargin: `${MARGIN}px` }).observe(byId("more"));
  showList();
}

start();
