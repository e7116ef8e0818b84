/* The interface around the map: search, years, legend, list, details. All text arrives as data and is set as text. */
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);

  function make(tag, marks, ...inner) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(marks || {})) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value === true) node.setAttribute(key, "");
      else if (value !== false && value != null) node.setAttribute(key, value);
    }
    node.append(...inner.filter((part) => part != null));
    return node;
  }

  const free = (text) => make("bdi", { dir: "auto" }, text); // text of unknown script
  const inOrder = (text) => make("bdi", { dir: "ltr" }, text); // "300 km" stays so where lines run from right to left

  function swatch(entry) {
    const node = make("span", { class: `ccm-swatch ccm-${entry.kind}`, "aria-hidden": "true" });
    node.style.setProperty("--color", entry.color);
    return node;
  }

  ccm.start = async (map) => {
    const data = byId("ccm-data");
    if (!data) return;
    L.control.scale({ imperial: false, maxWidth: 160 }).addTo(map);
    if (!window.DecompressionStream) {
      byId("ccm-trouble").hidden = false;
      return;
    }
    const content = await ccm.unpack(data.textContent);
    data.remove();
    const model = ccm.model(content, map.getZoom());
    window.ccmPage = { map, model, ...open(map, model) }; // for whoever scripts this page
    document.documentElement.classList.add("ccm-ready");
    performance.mark("ccm-ready");
  };

  /* Numbers and sentences in the page's language. */
  function telling({ language, words }) {
    const number = (value, options) => value.toLocaleString(language, options);
    const figure = (value, digits = 0) => {
      if (digits && value && Math.abs(value) < 1) return number(value, { maximumSignificantDigits: 2 });
      return number(value, { maximumFractionDigits: digits, minimumFractionDigits: Math.min(digits, 1) });
    };
    const short = { notation: "compact", compactDisplay: "long", maximumSignificantDigits: 3 };
    const hectares = (m2) => `${figure(m2 / 1e4, m2 < 1e5 ? 2 : m2 < 1e7 ? 1 : 0)} ha`; // one unit, as in the workbook
    const roughly = (m2) => `${number(m2 / 1e4, { maximumSignificantDigits: 3 })} ha`;
    const say = (key, values = {}) =>
      words[key].replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
    return {
      figure, say,
      count: (value) => number(value),
      list: (texts) => new Intl.ListFormat(language).format(texts),
      /* A quantity of one of the plan's sums or of one measure. */
      amount(kind, value, brief = false) {
        if (kind.about && value) return free(say("about_amount", { amount: roughly(value) }));
        if (kind.unit === "m2") return inOrder(hectares(value));
        const told = brief && value >= 1e6 ? number(value, short) : figure(value, kind.digits);
        return free(kind.unit ? `${told} ${kind.unit}` : told);
      },
    };
  }

  function open(map, model) {
    const { content, plan, total } = model;
    const { words } = content;
    const { figure, count, say, list, amount } = telling(content);
    const view = ccm.view(map, model);

    const score = content.score && {
      total: content.number("score"), low: content.number("score_low"), high: content.number("score_high"),
      rank: content.whole("score_rank"), missing: content.whole("score_missing"),
      parts: content.score.parts.map((part, p) => content.number(`part_${p}`)),
    };
    const steps = plan && {
      hazard: content.whole("event_hazard"), year: content.whole("event_year"),
      activity: content.whole("event_activity"), sums: plan.sums.map((sum) => content.number(`event_${sum.key}`)),
    };
    const reasons = plan && plan.reasons.length ? content.whole("plan_reason") : null;
    const numbers = content.numbers.map((told, n) => content.number(`number_${n}`));
    const texts = content.texts.map((told, t) => content.whole(`text_${t}`));
    const nameCodes = content.name ? content.whole("name") : null;
    const nameOf = (i) => (nameCodes && content.name.list[nameCodes[i]]) || "";

    function title(i) {
      const name = nameOf(i) === content.ids[i] ? "" : nameOf(i);
      return [free(content.ids[i]), ...(name ? [" ", make("span", { class: "ccm-name-of" }, free(name))] : [])];
    }

    // ---- legend ---------------------------------------------------------------------------------------------------
    function legend() {
      const hidden = model.hidden[model.view];
      const toggle = (e) => {
        if (!hidden.delete(e)) hidden.add(e);
        refresh();
        byId("ccm-legend").querySelector(`[data-entry="${e}"]`)?.focus();
      };
      const lines = model.entries().map((entry, e) => {
        if (!model.counts[e] && !entry.keep) return null;
        const off = hidden.has(e);
        const detail = entry.detail ? make("bdi", { class: "ccm-detail", dir: "ltr" }, entry.detail) : null;
        return make("li", {}, make("button", {
          type: "button", class: `ccm-entry${off ? " ccm-off" : ""}`, "aria-pressed": String(!off), "data-entry": e,
          onclick: () => toggle(e),
        }, swatch(entry), make("span", { class: "ccm-label" }, free(entry.label), detail),
        make("span", { class: "ccm-count" }, count(model.counts[e]))));
      });
      byId("ccm-legend").replaceChildren(...lines.filter(Boolean));
      const seen = model.counts.reduce((sum, n, e) => sum + (hidden.has(e) ? 0 : n), 0);
      byId("ccm-shown").textContent = say("shown", { n: count(seen) });
    }

    /* Says in one sentence what this zoom shows, with the key to the shade. */
    function sentence() {
      const drawn = model.level();
      const shading = drawn === "shade" && !model.off.has("shade");
      const told = say(`view_${drawn}`, { n: count(content.top.length) });
      byId("ccm-level").replaceChildren(free(shading ? `${shadeSentence()} ${told}` : told));
      const bar = byId("ccm-shade");
      bar.hidden = !shading || !model.steps.length;
      bar.replaceChildren(...model.steps.map((least, s) => {
        const most = (model.steps[s + 1] ?? Infinity) - 1;
        const told = most === Infinity ? "+" : most > least ? `\u2013${count(most)}` : "";
        const box = make("span", { class: "ccm-step", dir: "ltr" }, count(least) + told);
        box.style.setProperty("--color", model.shadeOf(least));
        return box;
      }));
      unshaded(shading);
      const people = byId("ccm-density");
      if (people) people.hidden = drawn === "shade" || model.off.has("population");
    }

    /* The lines that the shade counts, by name, as they stand in the legend. */
    function shadeClasses() {
      const labels = [...model.focused()].map((e) => say("shade_quoted", { label: model.entries()[e].label }));
      return list(labels.length < 5 ? labels : [...labels.slice(0, 3), say("shade_more", { n: labels.length - 3 })]);
    }

    const whole = () => model.until() === plan.years.length - 1;
    function shadeSentence() {
      if (!model.planned()) return say("shade_classes", { classes: shadeClasses() });
      return whole() ? say("shade_planned") : say("shade_planned_by", { year: plan.years[model.until()] });
    }

    /* Says what districts without a shade are: recorded areas that it does not count, or no record at all. */
    function unshaded(shading) {
      const blank = { kind: "fill", color: "#faf9f6" };
      const lines = [
        model.recorded.some((n, i) => n && !model.perDistrict[i])
          && [model.unshaded, say(model.planned() ? "shade_none_planned" : "shade_none")],
        model.recorded.some((n) => !n) && [blank, say("shade_blank")],
      ];
      byId("ccm-unshaded").hidden = !shading;
      byId("ccm-unshaded").replaceChildren(...lines.filter(Boolean).map(([entry, label]) =>
        make("li", { class: "ccm-entry" }, swatch(entry), make("span", { class: "ccm-label" }, free(label)))));
    }

    /* What stands beside the pointer of a district: how many areas are recorded there, and what the shade counts. */
    function districtLines(i) {
      const [n, total] = [count(model.perDistrict[i]), count(model.recorded[i])];
      if (!model.recorded[i]) return [say("district_blank")];
      const recorded = model.recorded[i] === 1 ? say("recorded_one") : say("recorded", { n: total });
      const lines = [recorded];
      if (plan && plan.years.length) {
        const values = { n: count(model.worked[i]), total, year: plan.years[model.until()] };
        lines[0] = say(whole() ? "district_planned" : "district_planned_by", values);
      }
      if (!model.planned()) lines.push(say("district_shade_counts", { n, classes: shadeClasses() }));
      if (model.finished[i]) lines.push(say("district_finished", { n: count(model.finished[i]) }));
      return lines;
    }

    // ---- years ----------------------------------------------------------------------------------------------------
    function years() {
      if (!plan || !plan.years.length) return;
      const done = new Set();
      const sums = plan.sums.map(() => 0);
      for (let k = 0; k < steps.year.length; k++) {
        if (steps.year[k] > model.year) continue;
        done.add(steps.hazard[k]);
        steps.sums.forEach((values, s) => { sums[s] += values[k] || 0; });
      }
      const by = say("by_year", { year: plan.years[model.year] ?? "" });
      byId("ccm-year-now").textContent = by;
      byId("ccm-year").setAttribute("aria-valuetext", by);
      byId("ccm-totals").replaceChildren(
        make("li", {}, make("strong", {}, count(done.size)), ` ${say("in_plan_by", { total: count(plan.hazards) })}`),
        ...plan.sums.map((sum, s) => make("li", {}, make("strong", {}, amount(sum, sums[s], true)), ` ${sum.label}`)),
      );
    }

    // ---- list -----------------------------------------------------------------------------------------------------
    const worth = plan ? new Float64Array(total) : score && score.total;
    if (plan) {
      const benefit = steps.sums[plan.sums.findIndex((sum) => sum.key === "benefit")];
      steps.hazard.forEach((i, k) => { worth[i] += benefit[k] || 0; });
    }

    function firstAreas() {
      byId("ccm-first").replaceChildren(...content.top.map((i) => make("li", {},
        make("button", { type: "button", class: "ccm-row", onclick: () => select(i, true) },
          swatch(model.colorOf(i)), make("span", { class: "ccm-label" }, ...title(i)),
          make("span", { class: "ccm-count" }, worth ? figure(worth[i], 1) : "")))));
    }

    // ---- details --------------------------------------------------------------------------------------------------
    function planOf(i) {
      if (!plan) return [];
      const lines = [];
      for (let k = 0; k < steps.hazard.length; k++) {
        if (steps.hazard[k] !== i) continue;
        const what = plan.sums.flatMap((sum, s) => {
          const value = steps.sums[s][k];
          return value > 0 ? [", ", make("bdi", { dir: "auto" }, amount(sum, value), ` ${sum.label}`)] : [];
        });
        const head = `${plan.years[steps.year[k]]}: ${plan.activities[steps.activity[k]]}`;
        const gives = make("span", { class: "ccm-what" }, ...what.slice(1));
        lines.push(make("li", {}, make("strong", {}, free(head)), gives));
      }
      const reason = reasons && plan.reasons[reasons[i]];
      return [
        make("h3", {}, words.plan),
        lines.length ? make("ul", { class: "ccm-steps" }, ...lines) : make("p", {}, words.not_in_plan),
        reason ? make("p", { class: "ccm-reason" }, free(reason)) : null,
      ];
    }

    function scoreOf(i) {
      if (!score) return [];
      const known = Number.isFinite(score.total[i]);
      const rank = { rank: count(score.rank[i]), total: count(content.score.ranked) };
      const whole = make("p", { class: "ccm-score" }, make("strong", {}, known ? figure(score.total[i], 1) : ""),
        ` ${say("scores_of", { score: "" }).trim()}, ${say("rank_of", rank)}`);
      const lacking = content.score.missing[score.missing[i]];
      const range = { what: lacking, low: figure(score.low[i]), high: figure(score.high[i]) };
      return [
        make("h3", {}, free(`${words.parts} (${content.score.name})`)),
        known ? whole : make("p", {}, words.not_scored),
        make("ul", { class: "ccm-parts" }, ...content.score.parts.map((part, p) => bar(part.label, score.parts[p][i]))),
        lacking ? make("p", { class: "ccm-lacking" }, free(say("missing", range))) : null,
      ];
    }

    function bar(label, value) {
      const known = Number.isFinite(value);
      const line = make("span", { class: "ccm-bar", "aria-hidden": "true" });
      line.style.setProperty("--share", `${known ? (100 * value) / (content.score.widest || 1) : 0}%`);
      return make("li", { class: known ? "" : "ccm-unknown" }, make("span", { class: "ccm-label" }, free(label)), line,
        make("span", { class: "ccm-count" }, known ? figure(value, 1) : words.unknown));
    }

    function factsOf(i) {
      const measures = content.numbers.map((kind, n) => [kind.label, numbers[n][i], kind]);
      const known = ([, value]) => Number.isFinite(value);
      const pairs = [
        ...measures.filter(known).map(([label, value, kind]) => [label, amount(kind, value)]),
        ...measures.filter((one) => !known(one)).map(([label]) => [label, words.unknown]),
        ...content.texts.map((one, t) => [one.label, free(one.list[texts[t][i]] || words.unknown)]),
      ];
      return [make("h3", {}, words.facts),
        make("dl", {}, ...pairs.flatMap(([label, value]) => [make("dt", {}, free(label)), make("dd", {}, value)]))];
    }

    function card(i) {
      const entry = model.entries()[model.now[i]];
      const name = nameOf(i) === content.ids[i] ? "" : nameOf(i);
      byId("ccm-card-body").replaceChildren(...[
        make("h2", { id: "ccm-card-title", tabindex: "-1" }, free(content.ids[i])),
        name ? make("p", { class: "ccm-name-of" }, free(name)) : null,
        make("p", { class: "ccm-class" }, swatch(entry), free(`${model.legend().label}: ${entry.label}`)),
        ...planOf(i), ...scoreOf(i), ...factsOf(i), make("p", { class: "ccm-fine" }, words.blank),
      ].filter(Boolean));
    }

    function select(i, fly) {
      model.selected = i;
      byId("ccm-card").hidden = i < 0;
      document.body.classList.toggle("ccm-open", i >= 0);
      if (i >= 0) {
        card(i);
        byId("ccm-card-body").scrollTop = 0;
        const { offsetWidth, offsetHeight } = byId("ccm-card");
        if (fly) view.flyTo(i, document.body.clientWidth > 760 ? [offsetWidth, 0] : [0, offsetHeight]);
        if (fly) byId("ccm-card-title").focus({ preventScroll: true });
      }
      view.outline();
    }

    // ---- search ---------------------------------------------------------------------------------------------------
    const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
    const field = byId("ccm-search");
    let haystack = null;
    let found = [];
    let pointed = -1;

    function seek(wanted) {
      haystack = haystack || content.ids.map((id, i) => plain(`${id}\n${nameOf(i)}`));
      const [starting, within] = [[], []];
      for (let i = 0; i < total && starting.length < 12; i++) {
        const at = haystack[i].indexOf(wanted);
        if (at === 0 || haystack[i][at - 1] === "\n") starting.push(i);
        else if (at > 0 && within.length < 12) within.push(i);
      }
      return [...starting, ...within].slice(0, 12);
    }

    function results() {
      const wanted = plain(field.value.trim());
      found = wanted ? seek(wanted) : [];
      pointed = -1;
      byId("ccm-results").hidden = !found.length;
      byId("ccm-results").replaceChildren(...found.map((i, r) => make("li", {
        role: "option", id: `ccm-result-${r}`, "aria-selected": "false", onclick: () => choose(r),
      }, swatch(model.entries()[model.now[i]]), make("span", { class: "ccm-label" }, ...title(i)))));
      field.setAttribute("aria-expanded", String(found.length > 0));
      field.removeAttribute("aria-activedescendant");
      const told = found.length ? say("results", { n: found.length }) : words.none_found;
      byId("ccm-found").textContent = wanted ? told : "";
    }

    function choose(r) {
      const i = found[r];
      clear();
      closePanel();
      select(i, true);
    }

    function clear() {
      field.value = "";
      results();
    }

    function point(step) {
      pointed = (pointed + step + found.length) % found.length;
      [...byId("ccm-results").children].forEach((node, r) => node.setAttribute("aria-selected", String(r === pointed)));
      field.setAttribute("aria-activedescendant", `ccm-result-${pointed}`);
      byId(`ccm-result-${pointed}`).scrollIntoView({ block: "nearest" });
    }

    field.addEventListener("input", results);
    field.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && found.length) {
        event.preventDefault();
        point(pointed < 0 && step < 0 ? 0 : step);
      } else if (event.key === "Enter" && found.length) choose(Math.max(0, pointed));
      else if (event.key === "Escape") clear();
    });

    // ---- pointer --------------------------------------------------------------------------------------------------
    const tip = make("div", { class: "ccm-tip", hidden: true, "aria-hidden": "true" });
    map.getContainer().append(tip);
    let asked = 0;

    const above = ".leaflet-control, .leaflet-popup"; // what lies on the map is not the map
    function hover({ latlng, containerPoint: { x, y }, originalEvent: { target } }) {
      const { row, part } = target.closest(above) ? { row: -1, part: -1 } : view.under(latlng);
      map.getContainer().style.cursor = row >= 0 ? "pointer" : "";
      tip.hidden = row < 0 && part < 0;
      if (tip.hidden) return;
      const lines = row >= 0
        ? [make("strong", {}, ...title(row)), make("span", {}, free(model.entries()[model.now[row]].label))]
        : [make("strong", {}, free(content.districts.names[part])),
          ...districtLines(part).map((line) => make("span", {}, free(line)))];
      tip.replaceChildren(...lines);
      const size = map.getSize();
      const left = Math.min(x + 14, size.x - tip.offsetWidth - 6);
      tip.style.transform = `translate(${left}px, ${Math.min(y + 14, size.y - tip.offsetHeight - 6)}px)`;
    }

    map.on("mousemove", (event) => {
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(() => hover(event));
    });
    map.on("mouseout", () => {
      cancelAnimationFrame(asked);
      tip.hidden = true;
    });
    map.on("click", ({ latlng }) => {
      const { row, part } = view.under(latlng);
      if (row < 0 && part >= 0) view.zoomToDistrict(part);
      else select(row, false);
    });

    // ---- controls -------------------------------------------------------------------------------------------------
    function chooseLegend(v) {
      model.view = v;
      model.steps = [];
      refresh();
      firstAreas();
    }

    function showAll(all) {
      model.hidden[model.view] = new Set(all ? [] : model.entries().map((entry, e) => e));
      refresh();
    }

    function showYear(year) {
      model.year = year;
      byId("ccm-year").value = year;
      refresh();
      if (model.selected >= 0) card(model.selected);
    }

    function playYears() {
      let year = 0;
      showYear(0);
      clearInterval(playing);
      playing = setInterval(() => {
        if (++year < plan.years.length) showYear(year);
        else clearInterval(playing);
      }, 1100);
    }

    let playing = 0;
    const picker = byId("ccm-view");
    picker.replaceChildren(...content.views.map((one, v) => make("option", { value: v }, one.label)));
    picker.closest(".ccm-pick").hidden = content.views.length < 2;
    picker.addEventListener("change", () => chooseLegend(Number(picker.value)));
    byId("ccm-all").addEventListener("click", () => showAll(true));
    byId("ccm-none").addEventListener("click", () => showAll(false));
    if (plan && plan.years.length) {
      byId("ccm-year").addEventListener("input", (event) => showYear(Number(event.target.value)));
      byId("ccm-play").addEventListener("click", playYears);
    }
    for (const box of document.querySelectorAll("[data-layer]")) {
      if (box.dataset.layer === "shade") box.closest("li").hidden = content.levels.dots <= map.getMinZoom();
      box.addEventListener("change", () => {
        model.off[box.checked ? "delete" : "add"](box.dataset.layer);
        sentence();
        view.repaint();
        view.names();
      });
    }

    const opener = byId("ccm-toggle");
    const closePanel = () => {
      document.body.classList.remove("ccm-panel-open");
      opener.setAttribute("aria-expanded", "false");
    };
    opener.addEventListener("click", () => {
      opener.setAttribute("aria-expanded", String(document.body.classList.toggle("ccm-panel-open")));
    });
    byId("ccm-card-close").addEventListener("click", () => {
      select(-1);
      map.getContainer().focus({ preventScroll: true });
    });
    byId("ccm-card").addEventListener("keydown", (event) => {
      if (event.key === "Escape") select(-1);
    });

    // ---- paper ----------------------------------------------------------------------------------------------------
    let screen = null;
    window.addEventListener("beforeprint", () => {
      screen = { center: map.getCenter(), zoom: map.getZoom(), bounds: map.getBounds(), snap: map.options.zoomSnap };
      map.options.zoomSnap = 0;
      document.documentElement.classList.add("ccm-printing");
      map.invalidateSize({ animate: false, pan: false }).fitBounds(screen.bounds, { animate: false });
    });
    window.addEventListener("afterprint", () => {
      document.documentElement.classList.remove("ccm-printing");
      map.options.zoomSnap = screen.snap;
      map.invalidateSize({ animate: false, pan: false }).setView(screen.center, screen.zoom, { animate: false });
    });

    function refresh() {
      model.tally();
      legend();
      years();
      sentence();
      view.repaint(false);
    }

    map.on("zoomanim", (event) => { model.zoom = event.zoom; });
    map.on("zoomend", () => {
      model.zoom = map.getZoom();
      sentence();
      view.repaint();
      view.outline();
    });
    map.on("moveend resize", view.names);
    refresh();
    firstAreas();
    view.names();
    return { select };
  }
})();
