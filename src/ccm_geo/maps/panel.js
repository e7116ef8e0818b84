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
    const page = open(map, content);
    window.ccmPage = page; // for whoever tests or scripts this page
    performance.mark("ccm-ready");
    document.documentElement.classList.add("ccm-ready");
  };

  function open(map, content) {
    const { words, plan } = content;
    const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, key) => (key in values ? values[key] : all));
    const say = (key, values = {}) => fill(words[key], values);
    const figure = (value, digits = 0) =>
      value.toLocaleString(content.language, digits && value && Math.abs(value) < 1 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: digits, minimumFractionDigits: Math.min(digits, 1) });
    const rounded = (value) => value.toLocaleString(content.language, { notation: "compact", compactDisplay: "long", maximumSignificantDigits: 3 });
    const count = (value) => value.toLocaleString(content.language);
    const area = (m2) => (m2 >= 1e6 ? `${figure(m2 / 1e6, 2)} km\u00b2` : `${figure(m2 / 1e4, m2 < 1e5 ? 2 : 1)} ha`);
    /* A quantity keeps its order in lines that run from right to left. */
    const amount = (sum, value, short) =>
      make("bdi", { dir: sum.unit === "m2" ? "ltr" : "auto" }, sum.unit === "m2" ? area(value) : short && value >= 1e6 ? rounded(value) : figure(value, sum.digits));
    const several = (n) => (n === 1 ? say("areas_one") : say("areas", { n: count(n) }));

    const total = content.ids.length;
    const hazards = { area: ccm.shapes(content, "hazard"), at: ccm.dots(content, "hazard") };
    const codes = content.views.map((view, v) => content.whole(`view_${v}`));
    const district = content.districts ? content.whole("hazard_district") : null;
    const districts = content.districts ? ccm.shapes(content, "district") : null;
    const firstYear = plan ? content.whole("plan_first") : null;
    const top = new Set(content.top);
    const state = {
      view: 0, year: plan ? plan.years.length - 1 : -1, selected: -1, zoom: map.getZoom(),
      hidden: content.views.map(() => new Set()), off: new Set(),
    };
    let now = new Int32Array(total); // entry of the legend under which each area is drawn
    let counts = [];
    let shade = { of: new Int32Array(0), steps: [] };
    const SHADES = ["#e7edf3", "#cfdbe7", "#adc1d5", "#85a2bf", "#5c82a7"];

    const view = () => content.views[state.view];
    const entries = () => view().entries;
    const shown = (i) => !state.hidden[state.view].has(now[i]);
    const level = () => {
      if (state.zoom >= content.levels.outlines) return "outlines";
      return districts && state.zoom < content.levels.dots ? "shade" : "dots";
    };

    // ---- what is shown --------------------------------------------------------------------------------------------
    function tally() {
      const later = view().later ?? -1;
      now = codes[state.view].slice();
      if (later >= 0) for (let i = 0; i < total; i++) if (firstYear[i] > state.year) now[i] = later;
      counts = new Array(entries().length).fill(0);
      for (let i = 0; i < total; i++) counts[now[i]]++;
      if (!districts) return;
      const focus = focused();
      const of = new Int32Array(districts.count);
      for (let i = 0; i < total; i++) if (district[i] >= 0 && focus.has(now[i])) of[district[i]]++;
      shade = { of, steps: shade.steps };
    }

    /* The classes that the shade counts: the important ones that are not filtered out, else all that are shown. */
    function focused() {
      const seen = entries().map((entry, e) => e).filter((e) => !state.hidden[state.view].has(e));
      const wanted = seen.filter((e) => entries()[e].focus);
      return new Set(wanted.length ? wanted : seen);
    }

    function shadeSteps() {
      const sorted = [...shade.of].filter((n) => n > 0).sort((a, b) => a - b);
      const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
      shade.steps = [...new Set(sorted.length ? [1, at(0.3), at(0.55), at(0.75), at(0.9)] : [])];
    }
    const shadeOf = (n) => SHADES[Math.max(0, shade.steps.filter((step) => step <= n).length - 1) + SHADES.length - shade.steps.length];

    // ---- tiles ----------------------------------------------------------------------------------------------------
    const pane = (name, z) => { const made = map.createPane(name); made.style.zIndex = z; made.style.pointerEvents = "none"; return name; };
    const tiles = (name, z, paint) => new ccm.Tiles({ pane: pane(name, z), zoom: () => state.zoom, paint }).addTo(map);

    const fit = map.getBoundsZoom([[content.box[1], content.box[0]], [content.box[3], content.box[2]]]);
    let picture = null;
    if (content.people) {
      const [west, south, east, north] = content.people.box;
      picture = L.imageOverlay(content.picture("people"), [[south, west], [north, east]], { pane: pane("ccm-people", 210), className: "ccm-picture", alt: "" }).addTo(map);
    }

    const ground = tiles("ccm-ground", 230, (ctx, tile) => {
      if (!districts) return;
      const rows = districts.find(tile.reach(4));
      const shading = level() === "shade" && !state.off.has("shade");
      ctx.lineJoin = "round";
      for (const i of rows) {
        ctx.beginPath();
        ccm.trace(ctx, tile, districts, i, true);
        ctx.fillStyle = shading && shade.of[i] > 0 ? shadeOf(shade.of[i]) : "rgba(255,255,255,.45)";
        ctx.fill("evenodd");
        if (state.off.has("districts")) continue;
        ctx.strokeStyle = "#9aa1aa";
        ctx.lineWidth = (shading ? 0.8 : 1.2) * tile.k;
        ctx.stroke();
      }
    });

    const roads = content.roads ? ccm.shapes(content, "road") : null;
    const roadClass = roads ? content.whole("road_class") : null;
    const places = content.places ? ccm.dots(content, "place") : null; // the largest come first
    const placeLimit = () => 14 * 4 ** Math.max(0, state.zoom - fit);
    const context = tiles("ccm-context", 240, (ctx, tile) => {
      if (roads && !state.off.has("roads")) {
        const deepest = Math.floor((state.zoom - fit) / 1.5);
        const rows = roads.find(tile.reach(4));
        for (let c = content.roads.classes - 1; c >= 0; c--) {
          if (c > deepest) continue;
          ctx.beginPath();
          for (const i of rows) if (roadClass[i] === c) ccm.trace(ctx, tile, roads, i, false);
          ctx.lineWidth = [1.5, 1, 0.7][Math.min(c, 2)] * (state.zoom > fit + 2 ? 1.25 : level() === "shade" ? 0.6 : 0.8) * tile.k;
          ctx.strokeStyle = ["#bda88b", "#c9bba4", "#d3c8b7"][Math.min(c, 2)];
          ctx.stroke();
        }
      }
      if (places && !state.off.has("places")) {
        ctx.fillStyle = "#5b6169";
        ctx.beginPath();
        for (const i of places.find(tile.reach(4))) {
          if (i >= placeLimit()) continue;
          const r = (i < 30 ? 2.2 : 1.5) * tile.k;
          ctx.rect(tile.px(places.x[i]) - r, tile.py(places.y[i]) - r, 2 * r, 2 * r);
        }
        ctx.fill();
      }
    });

    const dotSize = () => Math.min(4.2, (total < 600 ? 3.2 : 1.7) + 0.55 * Math.max(0, state.zoom - Math.max(fit, content.levels.dots - 1)));
    const speck = { color: `rgba(70, 46, 66, ${Math.min(0.75, 45 / Math.sqrt(total))})`, kind: "speck" };
    const areas = tiles("ccm-hazards", 350, (ctx, tile) => {
      const drawn = level();
      const sheet = ccm.sheet(ctx, tile);
      const group = (rows) => {
        const groups = entries().map(() => []);
        for (const i of rows) if (shown(i)) groups[now[i]].push(i);
        return groups;
      };
      const near = hazards.at.find(tile.reach(8));
      // where the country view shows the first areas only, every other one stays visible as a speck
      if (drawn === "shade") sheet.dots(hazards, near.filter(shown), speck, 0.9);
      let groups = group(drawn === "shade" ? content.top : near);
      if (drawn === "outlines") {
        const bare = near.filter((i) => hazards.area.ring[i] === hazards.area.ring[i + 1]);
        groups = group(hazards.area.find(tile.reach(8)));
        for (let e = groups.length - 1; e >= 0; e--) groups[e] = ccm.drawOutlines(ctx, tile, hazards, groups[e], entries()[e]);
        group(bare).forEach((rows, e) => groups[e].push(...rows));
      }
      for (let e = groups.length - 1; e >= 0; e--) {
        const size = drawn === "shade" ? 4.6 : drawn === "outlines" ? 2.4 : dotSize() * (entries()[e].focus ? 1.2 : 0.9);
        if (groups[e].length) sheet.dots(hazards, groups[e], entries()[e], size, drawn === "shade");
      }
      sheet.lay();
    });

    function repaint(around = true) {
      if (around) context.repaint();
      ground.repaint();
      areas.repaint();
    }

    // ---- names ----------------------------------------------------------------------------------------------------
    const namePane = map.createPane("ccm-names");
    namePane.style.zIndex = 380;
    namePane.style.pointerEvents = "none";
    namePane.classList.add("leaflet-zoom-hide");
    namePane.setAttribute("aria-hidden", "true");
    const ruler = document.createElement("canvas").getContext("2d");
    const fonts = { place: "600 12px system-ui, sans-serif", district: "600 11.5px system-ui, sans-serif" };

    function names() {
      const bounds = map.getBounds().pad(0.05);
      const box = [ccm.mercatorX(bounds.getWest()), ccm.mercatorY(bounds.getNorth()), ccm.mercatorX(bounds.getEast()), ccm.mercatorY(bounds.getSouth())];
      const wanted = [];
      if (places && content.places.names.length && !state.off.has("places")) {
        const limit = placeLimit() / 2;
        for (const i of places.find(box).filter((i) => i < limit).sort((a, b) => a - b).slice(0, 60)) {
          wanted.push({ text: content.places.names[i], x: places.x[i], y: places.y[i], kind: "place", weight: i < 3 ? 2 : 0 });
        }
      }
      if (districts && !state.off.has("districts") && state.zoom < fit + 5) {
        const b = districts.box;
        for (const i of districts.find(box)) {
          const [x, y] = [content.districts.lonlat[i][0], content.districts.lonlat[i][1]];
          const wide = (b[4 * i + 2] - b[4 * i]) * 256 * 2 ** state.zoom;
          wanted.push({ text: content.districts.names[i], x: ccm.mercatorX(x), y: ccm.mercatorY(y), kind: "district", weight: 1, wide, n: shade.of[i] || 0 });
        }
      }
      wanted.sort((a, b) => b.weight - a.weight || (b.n || 0) - (a.n || 0));
      const taken = [];
      const nodes = [];
      for (const name of wanted) {
        if (!name.text || nodes.length > (level() === "shade" ? 26 : 70)) continue;
        ruler.font = fonts[name.kind];
        const width = ruler.measureText(name.kind === "district" ? name.text.toLocaleUpperCase() : name.text).width + (name.kind === "place" ? 4 : 8);
        if (name.kind === "district" && width > name.wide * 1.15) continue;
        const at = map.latLngToLayerPoint(ccm.toLatLng(name.x, name.y));
        const left = name.kind === "place" ? at.x + 5 : at.x - width / 2;
        const spot = [left - 3, at.y - 9, left + width + 3, at.y + 9];
        if (taken.some((t) => t[0] < spot[2] && t[2] > spot[0] && t[1] < spot[3] && t[3] > spot[1])) continue;
        taken.push(spot);
        const node = make("span", { class: `ccm-name ccm-name-${name.kind}`, dir: "auto" }, name.text);
        node.style.transform = `translate(${Math.round(left)}px, ${Math.round(at.y - 8)}px)`;
        nodes.push(node);
      }
      namePane.replaceChildren(...nodes);
    }

    // ---- legend ---------------------------------------------------------------------------------------------------
    const swatch = (entry) => {
      const node = make("span", { class: `ccm-swatch ccm-${entry.kind}`, "aria-hidden": "true" });
      node.style.setProperty("--color", entry.color);
      return node;
    };

    function legend() {
      const hidden = state.hidden[state.view];
      byId("ccm-legend").replaceChildren(...entries().map((entry, e) => {
        if (!counts[e] && !entry.keep) return null;
        const button = make("button", {
          type: "button", class: `ccm-entry${hidden.has(e) ? " ccm-off" : ""}`, "aria-pressed": String(!hidden.has(e)),
          onclick: () => { if (hidden.has(e)) hidden.delete(e); else hidden.add(e); refresh(); byId("ccm-legend").querySelector(`[data-entry="${e}"]`)?.focus(); },
          "data-entry": e,
        }, swatch(entry), make("span", { class: "ccm-label" }, free(entry.label), entry.detail ? make("bdi", { class: "ccm-detail", dir: "ltr" }, entry.detail) : null), make("span", { class: "ccm-count" }, count(counts[e])));
        return make("li", {}, button);
      }).filter(Boolean));
      const seen = entries().reduce((sum, entry, e) => sum + (hidden.has(e) ? 0 : counts[e]), 0);
      byId("ccm-shown").textContent = say("shown", { n: count(seen) });
    }

    function sentence() {
      const drawn = level();
      const labels = [...focused()].map((e) => entries()[e].label);
      const named = view().later != null ? say("shade_planned") : labels.length > 3 ? say("shade_shown") : new Intl.ListFormat(content.language).format(labels);
      const text = drawn === "shade" ? say("view_shade", { classes: named, n: count(content.top.length) }) : say(drawn === "dots" ? "view_dots" : "view_outlines");
      byId("ccm-level").replaceChildren(free(text));
      const bar = byId("ccm-shade");
      bar.hidden = drawn !== "shade" || !shade.steps.length;
      bar.replaceChildren(...shade.steps.map((step, s) => {
        const next = shade.steps[s + 1];
        const box = make("span", { class: "ccm-step", dir: "ltr" }, next == null ? `${count(step)}+` : next - 1 > step ? `${count(step)}\u2013${count(next - 1)}` : count(step));
        box.style.setProperty("--color", shadeOf(step));
        return box;
      }));
      const people = byId("ccm-density");
      if (people) people.hidden = drawn === "shade" || state.off.has("population");
      if (picture) picture.setOpacity(drawn === "shade" || state.off.has("population") ? 0 : 0.85);
    }

    // ---- years ----------------------------------------------------------------------------------------------------
    const events = plan && { hazard: content.whole("event_hazard"), year: content.whole("event_year"), activity: content.whole("event_activity") };
    if (plan) for (const sum of plan.sums) events[sum.key] = content.number(`event_${sum.key}`);

    function years() {
      if (!plan) return;
      const done = new Set();
      const sums = plan.sums.map(() => 0);
      for (let k = 0; k < events.year.length; k++) {
        if (events.year[k] > state.year) continue;
        done.add(events.hazard[k]);
        plan.sums.forEach((sum, s) => { const value = events[sum.key][k]; if (value === value) sums[s] += value; });
      }
      const year = plan.years[state.year];
      byId("ccm-year-now").textContent = fill(words.by_year, { year });
      byId("ccm-year").setAttribute("aria-valuetext", fill(words.by_year, { year }));
      byId("ccm-totals").replaceChildren(
        make("li", {}, make("strong", {}, count(done.size)), ` ${fill(words.in_plan_by, { total: count(plan.hazards) })}`),
        ...plan.sums.map((sum, s) => make("li", {}, make("strong", {}, amount(sum, sums[s], true)), ` ${sum.label}`)),
      );
    }

    // ---- list and details -----------------------------------------------------------------------------------------
    const naming = (i) => (content.name ? content.name.list[content.name.code[i]] : "") || "";
    function title(i) {
      const name = naming(i);
      return name && name !== content.ids[i] ? [free(content.ids[i]), " ", make("span", { class: "ccm-name-of" }, free(name))] : [free(content.ids[i])];
    }

    const score = content.score && {
      total: content.number("score"), low: content.number("score_low"), high: content.number("score_high"), rank: content.whole("score_rank"),
      missing: content.whole("score_missing"), parts: content.score.parts.map((part, p) => content.number(`part_${p}`)),
    };
    const worth = plan ? new Float64Array(total) : score && score.total;
    if (plan) events.benefit.forEach((value, k) => { worth[events.hazard[k]] += value || 0; });

    function list() {
      byId("ccm-first").replaceChildren(...content.top.map((i) => make("li", {}, make("button", { type: "button", class: "ccm-row", onclick: () => select(i, true) },
        swatch(entries()[codes[state.view][i]]), make("span", { class: "ccm-label" }, ...title(i)),
        worth ? make("span", { class: "ccm-count" }, figure(worth[i], 1)) : null))));
    }

    const numbers = content.numbers.map((told, n) => content.number(`number_${n}`));
    const texts = content.texts.map((told, t) => content.whole(`text_${t}`));
    const reasons = plan && plan.reasons.length ? content.whole("plan_reason") : null;
    if (content.name) content.name.code = content.whole("name");

    const heading = (text) => make("h3", {}, text);
    const rows = (pairs) => make("dl", {}, ...pairs.flatMap(([label, value]) => [make("dt", {}, free(label)), make("dd", {}, typeof value === "string" ? free(value) : value)]));

    function scoreParts(i) {
      if (!score) return [];
      const known = Number.isFinite(score.total[i]);
      const out = [heading(`${words.parts} (${content.score.name})`)];
      if (known) {
        out.push(make("p", { class: "ccm-score" }, make("strong", {}, figure(score.total[i], 1)), " ", say("scores_of", { score: "" }).trim(),
          ", ", say("rank_of", { rank: count(score.rank[i]), total: count(content.score.ranked) })));
      } else out.push(make("p", {}, words.not_scored));
      const widest = content.score.widest || 1;
      out.push(make("ul", { class: "ccm-parts" }, ...content.score.parts.map((part, p) => {
        const value = score.parts[p][i];
        const bar = make("span", { class: "ccm-bar", "aria-hidden": "true" });
        bar.style.setProperty("--share", Number.isFinite(value) ? `${(100 * value) / widest}%` : "0%");
        return make("li", { class: Number.isFinite(value) ? "" : "ccm-unknown" }, make("span", { class: "ccm-label" }, free(part.label)), bar,
          make("span", { class: "ccm-count" }, Number.isFinite(value) ? figure(value, 1) : words.unknown));
      })));
      const lacking = content.score.missing[score.missing[i]];
      if (lacking) out.push(make("p", { class: "ccm-lacking" }, free(say("missing", { what: lacking, low: figure(score.low[i], 0), high: figure(score.high[i], 0) }))));
      return out;
    }

    function planOf(i) {
      if (!plan) return [];
      const steps = [];
      for (let k = 0; k < events.hazard.length; k++) {
        if (events.hazard[k] !== i) continue;
        const what = plan.sums.filter((sum) => events[sum.key][k] > 0).map((sum) => make("bdi", { dir: "auto" }, amount(sum, events[sum.key][k]), ` ${sum.label}`));
        steps.push(make("li", {}, make("strong", {}, free(`${plan.years[events.year[k]]}: ${plan.activities[events.activity[k]]}`)), what.length ? make("span", { class: "ccm-what" }, ...what.flatMap((part, p) => (p ? [", ", part] : [part]))) : null));
      }
      const reason = reasons && plan.reasons[reasons[i]];
      return [heading(words.plan), steps.length ? make("ul", { class: "ccm-steps" }, ...steps) : make("p", {}, words.not_in_plan), reason ? make("p", { class: "ccm-reason" }, free(reason)) : null];
    }

    function card(i) {
      const told = content.numbers.map((one, n) => [one, numbers[n][i]]).filter(([, value]) => Number.isFinite(value))
        .map(([one, value]) => [one.label, make("bdi", { dir: "ltr" }, one.unit === "m2" ? area(value) : `${figure(value, one.digits)} ${one.unit}`.trim())]);
      const said = content.texts.map((one, t) => [one.label, one.list[texts[t][i]] || words.unknown]);
      const unknown = content.numbers.filter((one, n) => !Number.isFinite(numbers[n][i])).map((one) => [one.label, words.unknown]);
      const entry = entries()[now[i]];
      byId("ccm-card-body").replaceChildren(
        make("h2", { id: "ccm-card-title", tabindex: "-1" }, free(content.ids[i])),
        ...[naming(i) && naming(i) !== content.ids[i] ? make("p", { class: "ccm-name-of" }, free(naming(i))) : null,
          make("p", { class: "ccm-class" }, swatch(entry), " ", free(`${view().label}: ${entry.label}`)),
          ...planOf(i), ...scoreParts(i), heading(words.facts), rows([...told, ...unknown, ...said]),
          make("p", { class: "ccm-fine" }, words.blank)].filter(Boolean),
      );
    }

    const mark = L.layerGroup([], { pane: "overlayPane" }).addTo(map);
    const place = (i) => ccm.toLatLng(hazards.at.x[i], hazards.at.y[i]);
    const drawable = (i) => i >= 0 && Number.isFinite(hazards.at.x[i]);

    /* Draws the chosen area's outline, and a ring around it where it would hardly be seen. */
    function outline() {
      const i = state.selected;
      mark.clearLayers();
      if (!drawable(i)) return;
      const { ring, point, x, y, box: b } = hazards.area;
      const lines = [];
      for (let r = ring[i]; r < ring[i + 1]; r++) {
        const corners = [];
        for (let p = point[r]; p < point[r + 1]; p++) corners.push(ccm.toLatLng(x[p], y[p]));
        lines.push([...corners, corners[0]]);
      }
      const wide = Math.max(b[4 * i + 2] - b[4 * i], b[4 * i + 3] - b[4 * i + 1]) * 256 * 2 ** state.zoom;
      for (const [weight, color] of [[7, "#fff"], [3, "#0b62c4"]]) {
        if (lines.length) mark.addLayer(L.polyline(lines, { weight, color, interactive: false }));
        if (!(wide > 26)) mark.addLayer(L.circleMarker(place(i), { radius: 12, weight: weight - 1, color, fill: false, interactive: false }));
      }
    }

    function flyTo(i) {
      const b = hazards.area.box.slice(4 * i, 4 * i + 4);
      const around = b[0] <= b[2] ? [ccm.toLatLng(b[0], b[1]), ccm.toLatLng(b[2], b[3])] : [place(i), place(i)];
      const sheet = byId("ccm-card");
      const covered = document.body.clientWidth > 760 ? [sheet.offsetWidth, 0] : [0, sheet.offsetHeight];
      map.fitBounds(L.latLngBounds(around).pad(0.6), { maxZoom: 15, animate: false, paddingBottomRight: covered });
    }

    function select(i, fly) {
      state.selected = i;
      byId("ccm-card").hidden = i < 0;
      document.body.classList.toggle("ccm-open", i >= 0);
      if (i >= 0) {
        card(i);
        byId("ccm-card-body").scrollTop = 0;
        if (fly && drawable(i)) flyTo(i);
        if (fly) byId("ccm-card-title").focus({ preventScroll: true });
      }
      outline();
    }

    // ---- search ---------------------------------------------------------------------------------------------------
    const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
    let haystack = null;
    const found = { rows: [], at: -1 };

    function seek(wanted) {
      haystack = haystack || content.ids.map((id, i) => plain(`${id}\n${naming(i)}`));
      const [starting, within] = [[], []];
      for (let i = 0; i < total && starting.length < 12; i++) {
        const at = haystack[i].indexOf(wanted);
        if (at === 0 || haystack[i][at - 1] === "\n") starting.push(i);
        else if (at > 0 && within.length < 12) within.push(i);
      }
      return [...starting, ...within].slice(0, 12);
    }

    function results() {
      const wanted = plain(byId("ccm-search").value.trim());
      found.rows = wanted ? seek(wanted) : [];
      found.at = -1;
      const box = byId("ccm-results");
      box.replaceChildren(...found.rows.map((i, r) => make("li", { role: "option", id: `ccm-result-${r}`, "aria-selected": "false", onclick: () => choose(r) }, swatch(entries()[now[i]]), make("span", { class: "ccm-label" }, ...title(i)))));
      box.hidden = !found.rows.length;
      byId("ccm-search").setAttribute("aria-expanded", String(found.rows.length > 0));
      byId("ccm-search").removeAttribute("aria-activedescendant");
      byId("ccm-found").textContent = !wanted ? "" : found.rows.length ? say("results", { n: found.rows.length }) : words.none_found;
    }

    function choose(r) {
      const i = found.rows[r];
      byId("ccm-search").value = "";
      results();
      closePanel();
      select(i, true);
    }

    byId("ccm-search").addEventListener("input", results);
    byId("ccm-search").addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && found.rows.length) {
        event.preventDefault();
        found.at = (found.at + step + found.rows.length) % found.rows.length;
        [...byId("ccm-results").children].forEach((node, r) => node.setAttribute("aria-selected", String(r === found.at)));
        byId("ccm-search").setAttribute("aria-activedescendant", `ccm-result-${found.at}`);
        byId(`ccm-result-${found.at}`).scrollIntoView({ block: "nearest" });
      } else if (event.key === "Enter" && found.rows.length) choose(Math.max(0, found.at));
      else if (event.key === "Escape") { byId("ccm-search").value = ""; results(); }
    });

    // ---- pointer --------------------------------------------------------------------------------------------------
    const tip = make("div", { class: "ccm-tip", hidden: true, "aria-hidden": "true" });
    map.getContainer().append(tip);

    function under(latlng) {
      const [x, y] = [ccm.mercatorX(latlng.lng), ccm.mercatorY(latlng.lat)];
      const drawn = level();
      const reach = (L.Browser.mobile ? 16 : 9) / (256 * 2 ** state.zoom);
      const box = [x - reach, y - reach, x + reach, y + reach];
      const near = drawn === "shade" ? content.top : [...new Set([...hazards.at.find(box), ...(drawn === "outlines" ? hazards.area.find(box) : [])])];
      const row = ccm.hit(hazards, near.filter(shown), x, y, reach, drawn === "outlines");
      if (row >= 0 || !districts) return { row, part: -1 };
      return { row, part: districts.find([x, y, x, y]).find((i) => ccm.inside(districts, i, x, y)) ?? -1 };
    }

    map.on("click", (event) => {
      const { row, part } = under(event.latlng);
      if (row >= 0) select(row, false);
      else if (part >= 0 && level() === "shade") {
        const b = districts.box;
        map.fitBounds([ccm.toLatLng(b[4 * part], b[4 * part + 1]), ccm.toLatLng(b[4 * part + 2], b[4 * part + 3])]);
      } else select(-1);
    });

    let asked = 0;
    map.on("mousemove", (event) => {
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(() => {
        const { row, part } = under(event.latlng);
        const lines = row >= 0 ? [title(row), [free(entries()[now[row]].label)]] : part >= 0 && level() === "shade" ? [[free(content.districts.names[part])], [several(shade.of[part])]] : null;
        map.getContainer().style.cursor = row >= 0 ? "pointer" : "";
        tip.hidden = !lines;
        if (!lines) return;
        tip.replaceChildren(...lines.map((parts, l) => make(l ? "span" : "strong", {}, ...parts)));
        const { x, y } = event.containerPoint;
        const size = map.getSize();
        tip.style.transform = `translate(${Math.min(x + 14, size.x - tip.offsetWidth - 6)}px, ${Math.min(y + 14, size.y - tip.offsetHeight - 6)}px)`;
      });
    });
    map.on("mouseout", () => { cancelAnimationFrame(asked); tip.hidden = true; });

    // ---- controls -------------------------------------------------------------------------------------------------
    const picker = byId("ccm-view");
    picker.replaceChildren(...content.views.map((one, v) => make("option", { value: v }, one.label)));
    picker.closest(".ccm-pick").hidden = content.views.length < 2;
    const shadeSwitch = document.querySelector("[data-layer=shade]");
    if (shadeSwitch) shadeSwitch.closest("li").hidden = content.levels.dots <= map.getMinZoom();
    picker.addEventListener("change", () => { state.view = Number(picker.value); shade.steps = []; refresh(); list(); });
    byId("ccm-all").addEventListener("click", () => { state.hidden[state.view].clear(); refresh(); });
    byId("ccm-none").addEventListener("click", () => { entries().forEach((entry, e) => state.hidden[state.view].add(e)); refresh(); });
    for (const box of document.querySelectorAll("[data-layer]")) {
      box.addEventListener("change", () => { state.off[box.checked ? "delete" : "add"](box.dataset.layer); sentence(); repaint(); names(); });
    }
    let playing = 0;
    if (plan) {
      const slider = byId("ccm-year");
      const show = (year) => { state.year = year; slider.value = year; refresh(); if (state.selected >= 0) card(state.selected); };
      slider.addEventListener("input", () => show(Number(slider.value)));
      byId("ccm-play").addEventListener("click", () => {
        clearInterval(playing);
        show(0);
        playing = setInterval(() => { if (state.year >= plan.years.length - 1) clearInterval(playing); else show(state.year + 1); }, 1100);
      });
    }
    byId("ccm-card-close").addEventListener("click", () => { select(-1); map.getContainer().focus({ preventScroll: true }); });
    byId("ccm-card").addEventListener("keydown", (event) => { if (event.key === "Escape") select(-1); });
    const toggle = byId("ccm-toggle");
    const closePanel = () => { document.body.classList.remove("ccm-panel-open"); toggle.setAttribute("aria-expanded", "false"); };
    toggle.addEventListener("click", () => toggle.setAttribute("aria-expanded", String(document.body.classList.toggle("ccm-panel-open"))));

    function refresh() {
      tally();
      if (districts && !shade.steps.length) shadeSteps();
      legend();
      years();
      sentence();
      repaint(false);
    }

    map.on("zoomanim", (event) => { state.zoom = event.zoom; });
    map.on("zoomend", () => { state.zoom = map.getZoom(); sentence(); repaint(); outline(); });
    map.on("moveend resize", names);
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

    refresh();
    list();
    names();
    return { map, state, content, hazards, select, seek, level, shown, counts: () => counts.slice() };
  }
})();
