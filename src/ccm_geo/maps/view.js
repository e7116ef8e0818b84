/* What is shown at each moment (the model), and how it is drawn on the map (the view). */
(() => {
  "use strict";
  const UNSHADED = "#c3cad2"; // hatches districts with recorded areas of which the shade counts none
  const SHADES = ["#e7edf3", "#cfdbe7", "#adc1d5", "#85a2bf", "#5c82a7"];

  /* The page's data and state: which legend, which year, what is filtered out, what is chosen. */
  ccm.model = (content, zoom) => {
    const { plan } = content;
    const total = content.ids.length;
    const codes = content.views.map((legend, v) => content.whole(`view_${v}`));
    const firstYear = plan ? content.whole("plan_first") : null;
    const district = content.districts ? content.whole("hazard_district") : null;
    const model = {
      content, plan, total,
      hazards: { area: ccm.shapes(content, "hazard"), at: ccm.dots(content, "hazard") },
      districts: content.districts ? ccm.shapes(content, "district") : null,
      view: 0, year: plan ? plan.years.length - 1 : -1, selected: -1, zoom,
      hidden: content.views.map(() => new Set()), // lines of each legend that are filtered out
      off: new Set(), // background layers that are switched off
      now: new Int32Array(total), // line of the legend under which each area is drawn
      counts: [], // areas of each line
      perDistrict: new Int32Array(0), steps: [], // what the districts' shade says
      unshaded: { kind: "hatch", color: UNSHADED },
    };

    model.legend = () => content.views[model.view];
    model.entries = () => model.legend().entries;
    model.shown = (i) => !model.hidden[model.view].has(model.now[i]);
    model.colorOf = (i) => model.entries()[codes[model.view][i]];

    model.level = () => {
      if (model.zoom >= content.levels.outlines) return "outlines";
      return model.districts && model.zoom < content.levels.dots ? "shade" : "dots";
    };

    /* The lines that the shade counts: the important ones that are not filtered out, else all that are shown. */
    model.focused = () => {
      const seen = model.entries().map((entry, e) => e).filter((e) => !model.hidden[model.view].has(e));
      const wanted = seen.filter((e) => model.entries()[e].focus);
      return new Set(wanted.length ? wanted : seen);
    };

    /* Whether the shade counts just what the plan works on; by which year, where years play a part. */
    model.planned = () => {
      const { planned, entries } = model.legend();
      const counted = entries.map((entry, e) => e).filter((e) => entries[e].focus);
      return planned && counted.length > 0 && !counted.some((e) => model.hidden[model.view].has(e));
    };
    model.until = () => (model.legend().later == null ? plan.years.length - 1 : model.year);

    /* What is recorded in a district, whatever is filtered out: all areas, those that the plan works on until
       the year shown, and those that the record calls closed or handed over. */
    const finished = content.views[0].entries.map((entry) => entry.kind === "hatch");
    const within = (wanted) => {
      const counted = new Int32Array(model.districts ? model.districts.count : 0);
      for (let i = 0; i < total; i++) if (district && district[i] >= 0 && wanted(i)) counted[district[i]]++;
      return counted;
    };
    model.recorded = within(() => true);
    model.finished = within((i) => finished[codes[0][i]]);

    model.tally = () => {
      const later = model.legend().later ?? -1;
      const now = codes[model.view].slice();
      if (later >= 0) for (let i = 0; i < total; i++) if (firstYear[i] > model.year) now[i] = later;
      model.now = now;
      model.counts = new Array(model.entries().length).fill(0);
      for (let i = 0; i < total; i++) model.counts[now[i]]++;
      if (!model.districts) return;
      const focus = model.focused();
      const counted = model.perDistrict = within((i) => focus.has(now[i]));
      if (plan) model.worked = within((i) => firstYear[i] >= 0 && firstYear[i] <= model.until());
      if (!model.steps.length) model.steps = steps(counted); // they stay, so that years and filters compare
    };

    const steps = (counted) => {
      const sorted = [...counted].filter((n) => n > 0).sort((a, b) => a - b);
      const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
      return sorted.length ? [...new Set([1, at(0.3), at(0.55), at(0.75), at(0.9)])] : [];
    };

    model.shadeOf = (n) => {
      const step = Math.max(0, model.steps.filter((least) => least <= n).length - 1);
      return SHADES[step + SHADES.length - model.steps.length];
    };
    return model;
  };

  /* The layers on the map, from the ground up: people, districts, roads and settlements, areas, names. */
  ccm.view = (map, model) => {
    const { content, hazards, districts } = model;
    const [west, south, east, north] = content.box;
    const fit = map.getBoundsZoom([[south, west], [north, east]]);

    const pane = (name, zIndex) => {
      Object.assign(map.createPane(name).style, { zIndex, pointerEvents: "none" });
      return name;
    };
    const tiles = (name, zIndex, paint) =>
      new ccm.Tiles({ pane: pane(name, zIndex), zoom: () => model.zoom, paint }).addTo(map);

    let picture = null;
    if (content.people) {
      const [w, s, e, n] = content.people.box;
      const options = { pane: pane("ccm-people", 210), className: "ccm-picture", alt: "" };
      picture = L.imageOverlay(content.picture("people"), [[s, w], [n, e]], options).addTo(map);
    }

    const ground = tiles("ccm-ground", 230, (ctx, tile) => {
      if (!districts) return;
      const shading = model.level() === "shade" && !model.off.has("shade");
      ctx.lineJoin = "round";
      for (const i of districts.find(tile.reach(4))) {
        ctx.beginPath();
        ccm.trace(ctx, tile, districts, i, true);
        const counted = shading ? model.perDistrict[i] : 0;
        const bare = shading && model.recorded[i] ? ccm.hatch(ctx, model.unshaded.color) : "rgba(255,255,255,.45)";
        ctx.fillStyle = counted ? model.shadeOf(counted) : bare;
        ctx.fill("evenodd");
        if (model.off.has("districts")) continue;
        ctx.strokeStyle = "#9aa1aa";
        ctx.lineWidth = (shading ? 0.8 : 1.2) * tile.k;
        ctx.stroke();
      }
    });

    const roads = content.roads ? ccm.shapes(content, "road") : null;
    const roadClass = roads ? content.whole("road_class") : null;
    const places = content.places ? ccm.dots(content, "place") : null; // the largest come first
    const placeLimit = () => 14 * 4 ** Math.max(0, model.zoom - fit);

    function drawRoads(ctx, tile) {
      const deepest = Math.floor((model.zoom - fit) / 1.5);
      const strength = model.zoom > fit + 2 ? 1.25 : model.level() === "shade" ? 0.6 : 0.8;
      const rows = roads.find(tile.reach(4));
      for (let c = Math.min(deepest, content.roads.classes - 1); c >= 0; c--) {
        ctx.beginPath();
        for (const i of rows) if (roadClass[i] === c) ccm.trace(ctx, tile, roads, i, false);
        ctx.lineWidth = [1.5, 1, 0.7][Math.min(c, 2)] * strength * tile.k;
        ctx.strokeStyle = ["#bda88b", "#c9bba4", "#d3c8b7"][Math.min(c, 2)];
        ctx.stroke();
      }
    }

    function drawPlaces(ctx, tile) {
      ctx.fillStyle = "#5b6169";
      ctx.beginPath();
      for (const i of places.find(tile.reach(4))) {
        if (i >= placeLimit()) continue;
        const r = (i < 30 ? 2.2 : 1.5) * tile.k;
        ctx.rect(tile.px(places.x[i]) - r, tile.py(places.y[i]) - r, 2 * r, 2 * r);
      }
      ctx.fill();
    }

    const context = tiles("ccm-context", 240, (ctx, tile) => {
      if (roads && !model.off.has("roads")) drawRoads(ctx, tile);
      if (places && !model.off.has("places")) drawPlaces(ctx, tile);
    });

    const dotSize = () => {
      const grown = Math.max(0, model.zoom - Math.max(fit, content.levels.dots - 1));
      return Math.min(4.2, (model.total < 600 ? 3.2 : 1.7) + 0.55 * grown);
    };
    /* Specks are as large as the room that each has on the screen, within what an eye can tell. */
    const room = (ccm.mercatorX(east) - ccm.mercatorX(west)) * (ccm.mercatorY(south) - ccm.mercatorY(north));
    const speckSize = () => {
      const side = 256 * 2 ** model.zoom * Math.sqrt(room / Math.max(1, model.total));
      return Math.max(0.6, Math.min(1.2, 0.17 * side));
    };
    const grouped = (rows) => {
      const groups = model.entries().map(() => []);
      for (const i of rows) if (model.shown(i)) groups[model.now[i]].push(i);
      return groups;
    };

    const areas = tiles("ccm-hazards", 350, (ctx, tile) => {
      const drawn = model.level();
      const entries = model.entries();
      const sheet = ccm.sheet(ctx, tile);
      const near = hazards.at.find(tile.reach(8));
      // where the country view shows the first areas only, every other one stays visible as a speck
      if (drawn === "shade") sheet.specks(hazards, near.filter(model.shown), entries, model.now, speckSize());
      let groups = grouped(drawn === "shade" ? content.top : near);
      if (drawn === "outlines") {
        groups = grouped(hazards.area.find(tile.reach(8)));
        for (let e = groups.length - 1; e >= 0; e--) {
          groups[e] = ccm.drawOutlines(ctx, tile, hazards, groups[e], entries[e]);
        }
        const { ring } = hazards.area;
        grouped(near.filter((i) => ring[i] === ring[i + 1])).forEach((rows, e) => groups[e].push(...rows));
      }
      for (let e = groups.length - 1; e >= 0; e--) {
        const size = { shade: 4.6, outlines: 2.4, dots: dotSize() * (entries[e].focus ? 1.2 : 0.9) }[drawn];
        if (groups[e].length) sheet.dots(hazards, groups[e], entries[e], size, drawn === "shade");
      }
      sheet.lay();
    });

    // ---- names ----------------------------------------------------------------------------------------------------
    const board = map.createPane("ccm-names");
    Object.assign(board.style, { zIndex: 380, pointerEvents: "none" });
    board.classList.add("leaflet-zoom-hide");
    board.setAttribute("aria-hidden", "true");
    const ruler = document.createElement("canvas").getContext("2d");
    const fonts = { place: "600 12px system-ui, sans-serif", district: "600 11.5px system-ui, sans-serif" };

    function placeNames(box) {
      if (!places || !content.places.names.length || model.off.has("places")) return [];
      const largest = places.find(box).filter((i) => i < placeLimit() / 2).sort((a, b) => a - b).slice(0, 60);
      return largest.map((i) => ({
        kind: "place", text: content.places.names[i], x: places.x[i], y: places.y[i], weight: i < 3 ? 2 : 0, count: 0,
      }));
    }

    function districtNames(box) {
      if (!districts || model.off.has("districts") || model.zoom >= fit + 5) return [];
      const b = districts.box;
      return districts.find(box).map((i) => ({
        kind: "district", text: content.districts.names[i], weight: 1, count: model.perDistrict[i] || 0,
        x: ccm.mercatorX(content.districts.lonlat[i][0]), y: ccm.mercatorY(content.districts.lonlat[i][1]),
        room: (b[4 * i + 2] - b[4 * i]) * 256 * 2 ** model.zoom,
      }));
    }

    /* Writes as many names as fit without touching each other, the more important first. */
    function names() {
      const seen = map.getBounds().pad(0.05);
      const [x0, x1] = [ccm.mercatorX(seen.getWest()), ccm.mercatorX(seen.getEast())];
      const box = [x0, ccm.mercatorY(seen.getNorth()), x1, ccm.mercatorY(seen.getSouth())];
      const wanted = [...placeNames(box), ...districtNames(box)].filter((name) => name.text);
      wanted.sort((a, b) => b.weight - a.weight || b.count - a.count);
      const most = model.level() === "shade" ? 26 : 70;
      const taken = [];
      const nodes = [];
      for (const name of wanted) {
        if (nodes.length >= most) break;
        ruler.font = fonts[name.kind];
        const text = name.kind === "district" ? name.text.toLocaleUpperCase() : name.text;
        const width = ruler.measureText(text).width + (name.kind === "place" ? 4 : 8);
        if (width > (name.room ?? Infinity) * 1.15) continue;
        const at = map.latLngToLayerPoint(ccm.toLatLng(name.x, name.y));
        const left = name.kind === "place" ? at.x + 5 : at.x - width / 2;
        const spot = [left - 3, at.y - 9, left + width + 3, at.y + 9];
        if (taken.some((t) => t[0] < spot[2] && t[2] > spot[0] && t[1] < spot[3] && t[3] > spot[1])) continue;
        taken.push(spot);
        const node = document.createElement("span");
        node.className = `ccm-name ccm-name-${name.kind}`;
        node.dir = "auto";
        node.textContent = name.text;
        node.style.transform = `translate(${Math.round(left)}px, ${Math.round(at.y - 8)}px)`;
        nodes.push(node);
      }
      board.replaceChildren(...nodes);
    }

    // ---- the chosen area ------------------------------------------------------------------------------------------
    const mark = L.layerGroup([], { pane: "overlayPane" }).addTo(map);
    const place = (i) => ccm.toLatLng(hazards.at.x[i], hazards.at.y[i]);
    const located = (i) => i >= 0 && Number.isFinite(hazards.at.x[i]);

    /* Draws the chosen area's outline, and a ring around it where it would hardly be seen. */
    function outline() {
      const i = model.selected;
      mark.clearLayers();
      if (!located(i)) return;
      const { ring, point, x, y, box: b } = hazards.area;
      const lines = [];
      for (let r = ring[i]; r < ring[i + 1]; r++) {
        const corners = [];
        for (let p = point[r]; p < point[r + 1]; p++) corners.push(ccm.toLatLng(x[p], y[p]));
        lines.push([...corners, corners[0]]);
      }
      const wide = Math.max(b[4 * i + 2] - b[4 * i], b[4 * i + 3] - b[4 * i + 1]) * 256 * 2 ** model.zoom;
      for (const [weight, color] of [[7, "#fff"], [3, "#0b62c4"]]) {
        const style = { weight, color, fill: false, interactive: false };
        if (lines.length) mark.addLayer(L.polyline(lines, style));
        if (!(wide > 26)) mark.addLayer(L.circleMarker(place(i), { ...style, weight: weight - 1, radius: 12 }));
      }
    }

    /* Brings an area into the part of the map that the details, this many pixels, leave free. */
    function flyTo(i, covered) {
      if (!located(i)) return;
      const b = hazards.area.box.slice(4 * i, 4 * i + 4);
      const corners = b[0] <= b[2] ? [ccm.toLatLng(b[0], b[1]), ccm.toLatLng(b[2], b[3])] : [place(i), place(i)];
      map.fitBounds(L.latLngBounds(corners).pad(0.6), { maxZoom: 15, animate: false, paddingBottomRight: covered });
    }

    /* What lies under a point: the row of an area and of a district, or -1. */
    function under(latlng) {
      const [x, y] = [ccm.mercatorX(latlng.lng), ccm.mercatorY(latlng.lat)];
      const drawn = model.level();
      const reach = (L.Browser.mobile ? 16 : 9) / (256 * 2 ** model.zoom);
      const box = [x - reach, y - reach, x + reach, y + reach];
      const around = drawn === "outlines" ? hazards.area.find(box) : [];
      const near = drawn === "shade" ? content.top : [...new Set([...hazards.at.find(box), ...around])];
      const row = ccm.hit(hazards, near.filter(model.shown), x, y, reach, drawn === "outlines");
      if (row >= 0 || !districts || drawn !== "shade") return { row, part: -1 };
      return { row, part: districts.find([x, y, x, y]).find((i) => ccm.inside(districts, i, x, y)) ?? -1 };
    }

    function zoomToDistrict(i) {
      const b = districts.box;
      map.fitBounds([ccm.toLatLng(b[4 * i], b[4 * i + 1]), ccm.toLatLng(b[4 * i + 2], b[4 * i + 3])]);
    }

    return {
      names, outline, flyTo, under, zoomToDistrict,
      repaint(around = true) {
        if (around) context.repaint();
        ground.repaint();
        areas.repaint();
        const hidden = model.level() === "shade" || model.off.has("population");
        if (picture) picture.setOpacity(hidden ? 0 : 0.85);
      },
    };
  };
})();
