"use strict";
(async () => {
  const BATCH = 60;
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const form = document.querySelector(".filters");
  const list = document.getElementById("list");
  const found = document.getElementById("found");
  const more = document.getElementById("more");
  const FAIL = facts.verdicts.length - 1;
  const many = facts.letters.length > 1;

  /** An element with attributes and children; texts are never read as HTML. */
  function make(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== ""));
    return made;
  }

  async function unpacked(script) {
    const bytes = Uint8Array.from(atob(script.textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  /** The cases of all reports, those of one row and dtype together. */
  async function load() {
    const cases = new Map();
    const scripts = [...document.querySelectorAll(".packed")];
    for (const [by, script] of scripts.entries()) {
      for (const [stem, row, dtype, inputs, checks] of await unpacked(script)) {
        const id = [stem, row, dtype].filter(Boolean).join("/");
        const known = cases.get(id) ?? { id, stem, row, dtype, inputs, checks: [] };
        cases.set(id, known);
        known.inputs ||= inputs;
        for (const check of checks) {
          const [name, clause, verdict, text = "", entry = "", ulp = "", share = "", at = "",
            expected = "", received = "", program = ""] = check;
          known.checks.push({ by, name, clause, verdict, text, entry, ulp, share, at, expected,
            received, program, words: `${id}/${name} ${text} ${entry}`.toLowerCase() });
        }
      }
      script.remove();
    }
    return [...cases.values()];
  }

  const FIELDS = ["loss", "clause", "verdict", "by", "text"];

  /** What the address asks for: filters, or one case. */
  function asked() {
    const [, query] = location.hash.match(/^#cases\?(.*)$/) ?? [null, ""];
    return new URLSearchParams(query);
  }

  function matcher(query) {
    const clause = query.get("clause"), text = (query.get("text") ?? "").trim().toLowerCase();
    const verdict = facts.verdicts.findIndex(([name]) => name === query.get("verdict"));
    const by = facts.letters.indexOf(query.get("by"));
    return (check) => (!clause || check.clause === clause) && (verdict < 0 || check.verdict === verdict)
      && (by < 0 || check.by === by) && (!text || check.words.includes(text));
  }

  function letter(by) {
    return many ? make("b", { class: `letter i${by}`, title: facts.names[by] }, facts.letters[by]) : "";
  }

  function chip(verdict, text) {
    const [name, kind, mark] = facts.verdicts[verdict];
    const shown = make("span", { "aria-hidden": "true" }, mark);
    return make("span", { class: `chip ${kind}`, title: name }, shown, " ", text ?? name);
  }

  /** How many of the matching checks have each verdict, for each implementation. */
  function tally(checks) {
    const counts = new Map();
    for (const { by, verdict } of checks) {
      const key = by * 10 + verdict;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const parts = facts.letters.map((_, by) => make("span", {}, letter(by)));
    for (const key of [...counts.keys()].sort((a, b) => a - b)) {
      const verdict = key % 10;
      const counted = chip(verdict, `${counts.get(key)}`);
      counted.append(make("span", { class: "hidden" }, ` ${facts.verdicts[verdict][0]}`));
      parts[Math.floor(key / 10)].append(counted);
    }
    return make("span", { class: "tally" }, ...parts);
  }

  async function copy(button, text) {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const selection = getSelection();
      selection.selectAllChildren(button.parentElement.querySelector("pre"));
      done = document.execCommand("copy");
      if (done) selection.removeAllRanges();
    }
    button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  function program(title, text) {
    const button = make("button", { type: "button", "aria-label": `Copy: ${title}` }, "Copy");
    button.addEventListener("click", () => copy(button, text));
    return make("details", { class: "script" }, make("summary", {}, title), button,
      make("pre", { tabindex: "0" }, text));
  }

  function detail(check) {
    const measured = check.ulp && `${check.ulp} ULP, ${check.share} of the budget, at worst`;
    const rows = [["finding", check.text], ["expected", check.expected], ["received", check.received],
      ["error", measured], ["at", check.text ? "" : check.at], ["register", check.entry]];
    const shown = rows.filter(([, text]) => text);
    const told = make("dl", {}, ...shown.flatMap(([name, text]) => [make("dt", {}, name),
      make("dd", {}, name === "finding" || name === "error" ? text : make("code", {}, text))]));
    return check.program ? [told, program("Script that reproduces it", check.program)] : [told];
  }

  /** A row of a table; the roles stay where narrow screens lay it out as blocks. */
  function row(head, cell) {
    return make("tr", { role: "row" }, make("th", { scope: "row", role: "rowheader" }, ...head),
      make("td", { role: "cell" }, ...cell));
  }

  function table(id, checks) {
    const told = checks.filter((c) => c.verdict !== 0 || c.expected || c.ulp);
    const plain = checks.filter((c) => !told.includes(c));
    const rows = told.map((check) =>
      row([check.name, make("small", {}, check.clause), chip(check.verdict)], detail(check)));
    if (plain.length) rows.push(row(["others", chip(0)], [plain.map((c) => c.name).join(", ")]));
    return make("table", { class: "checks", role: "table" },
      make("caption", { class: "hidden" }, `Checks of ${id}, and what was found`),
      make("tbody", { role: "rowgroup" }, ...rows));
  }

  function unfold(one, body) {
    if (one.inputs) body.append(make("h4", {}, "Inputs"), make("p", { class: "inputs" }, make("code", {}, one.inputs)));
    for (const by of facts.letters.keys()) {
      const checks = one.checks.filter((check) => check.by === by);
      if (!checks.length) continue;
      const named = checks.find((check) => check.name === "gradient") ?? checks[0];
      const command = `python -m conformance reproduce -i ${facts.implementations[by]} ${one.id}/${named.name}`;
      body.append(make("h4", {}, letter(by), many ? " " : "", facts.names[by]), table(one.id, checks),
        program("Command that prints a script", command));
    }
  }

  function line({ one, matching }) {
    const prefix = `${one.stem}/`, suffix = one.dtype ? `/${one.dtype}` : "";
    const summary = make("summary", {},
      make("span", { class: "id" }, make("code", {}, prefix, make("b", {}, one.row), suffix)), tally(matching));
    const shown = make("details", { class: "case", "data-id": one.id }, summary);
    shown.addEventListener("toggle", () => {
      if (!shown.open || shown.lastChild !== summary) return;
      const body = make("div", { class: "body" });
      unfold(one, body);
      shown.append(body);
    });
    return shown;
  }

  let results = [];

  function extend() {
    const from = list.childElementCount;
    list.append(...results.slice(from, from + BATCH).map(line));
    const left = results.length - list.childElementCount;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(BATCH, left)} more of ${left.toLocaleString("en")}`;
  }

  function show() {
    const query = asked(), fits = matcher(query), stem = query.get("loss"), id = query.get("case");
    results = cases
      .filter((one) => (!stem || one.stem === stem) && (!id || one.id === id))
      .map((one) => ({ one, matching: one.checks.filter(fits) }))
      .filter(({ matching }) => matching.length);
    const failing = ({ matching }) => matching.some(({ verdict }) => verdict === FAIL);
    results = [...results.filter(failing), ...results.filter((result) => !failing(result))];
    const checks = results.reduce((sum, { matching }) => sum + matching.length, 0);
    const total = cases.length.toLocaleString("en");
    found.textContent = `${checks.toLocaleString("en")} checks in `
      + `${results.length.toLocaleString("en")} of ${total} cases`;
    list.replaceChildren();
    extend();
    if (id && list.firstChild) list.firstChild.open = true;
    for (const name of FIELDS) {
      const field = form.elements[name];
      if (field && document.activeElement !== field) field.value = query.get(name) ?? "";
    }
  }

  function followed() {
    show();
    if (location.hash.startsWith("#cases?")) document.getElementById("cases").scrollIntoView();
  }

  function changed() {
    const given = [...new FormData(form)].filter(([, value]) => value);
    const query = new URLSearchParams(given).toString();
    history.replaceState(null, "", query ? `#cases?${query}` : "#cases");
    show();
  }

  let cases;
  try {
    cases = await load();
  } catch (error) {
    found.textContent = `The checks could not be unpacked: ${error}`;
    return;
  }
  form.hidden = false;
  let waiting;
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(changed, 120); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  more.addEventListener("click", extend);
  addEventListener("hashchange", followed);
  followed();
})();
