// What goes on while one looks: filters of tables, and a run that gains records. Texts are only ever set as text.
"use strict";

const POLL = 2000;
// Without news for so long a run was cut short: 30 minutes.
const PATIENCE = 900;

function filter(table) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const told = document.createElement("output");
  const id = "filter-" + Math.random().toString(36).slice(2);
  Object.assign(input, { id, type: "search", autocomplete: "off" });
  label.htmlFor = id;
  label.textContent = "Filter " + table.dataset.filter;
  told.setAttribute("role", "status");
  const bar = document.createElement("div");
  bar.className = "filter";
  bar.append(label, input, told);
  const form = table.closest("form") || table.closest(".scroll");
  form.before(bar);
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...table.tBodies[0].rows];
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    told.textContent = words.length ? `${shown} of ${rows.length} shown` : "";
  };
  input.addEventListener("input", apply);
  return apply;
}

function cell(row, text, className) {
  const td = row.insertCell();
  td.textContent = text;
  if (className) td.className = className;
  return td;
}

function link(td, href, text) {
  const a = document.createElement("a");
  a.href = href;
  a.textContent = text;
  td.replaceChildren(a);
}

function prepend(body, record) {
  const row = body.insertRow(0);
  row.className = "new";
  cell(row, record.launch, "number");
  cell(row, record.device);
  cell(row, record.model);
  link(cell(row, ""), "/trend?cell=" + Number(record.number), record.test);
  cell(row, record.value || "–", "value");
  cell(row, record.trouble || record.status, record.trouble ? "wide" + (record.status === "skipped" ? "" : " bad") : "");
  if (record.id) link(cell(row, ""), "/api/record?id=" + encodeURIComponent(record.id), record.id);
}

function live(section, refilter) {
  const body = document.querySelector("table[data-rows] tbody");
  const state = section.querySelector("[data-state]");
  let after = Number(section.dataset.after);
  let quiet = 0;
  const again = () => setTimeout(poll, POLL);
  const poll = async () => {
    if (document.hidden) return again();
    let news;
    try {
      const answer = await fetch("/api/progress?run=" + encodeURIComponent(section.dataset.run) + "&after=" + after);
      if (!answer.ok) throw new Error(answer.status);
      news = await answer.json();
    } catch {
      state.textContent = "The page is no longer served, or the store cannot be read. Reload to try again.";
      return;
    }
    for (const count of section.querySelectorAll("[data-count]")) count.textContent = news.run[count.dataset.count];
    for (const record of news.records) prepend(body, record);
    if (news.records.length) document.querySelector("[data-none]")?.remove();
    after = news.next;
    quiet = news.records.length ? 0 : quiet + 1;
    refilter();
    if (news.run.state === "complete") {
      state.textContent = "The run is complete.";
    } else if (quiet >= PATIENCE) {
      state.textContent = "No new record for half an hour: the run was cut short, or measures something long. Reload to go on watching.";
    } else {
      state.textContent = "The run goes on, or was cut short; this page watches it.";
      again();
    }
  };
  again();
}

const applies = [...document.querySelectorAll("table[data-filter]")].map(filter);
const section = document.querySelector("[data-live]");
if (section) live(section, () => applies.forEach((apply) => apply()));
