/* Tens of thousands of areas on canvas tiles: unpack the columns, find what a tile shows, draw it, tell what was hit.
   Coordinates are Web Mercator with the world from 0 to 1. */
const ccm = (() => {
  "use strict";
  const MISSING = -2147483648;
  const CELLS = 64;

  // ---- data -------------------------------------------------------------------------------------------------------
  const mercatorX = (lon) => (lon + 180) / 360;
  const mercatorY = (lat) => 0.5 - Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) / (2 * Math.PI);
  const toLatLng = (x, y) => [(Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI, x * 360 - 180];

  async function unpack(text) {
    const letters = atob(text.trim());
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const all = new Uint8Array(await new Response(stream).arrayBuffer());
    const length = all[0] | (all[1] << 8) | (all[2] << 16) | (all[3] << 24);
    const content = JSON.parse(new TextDecoder().decode(all.subarray(4, 4 + length)));
    const body = all.subarray(4 + length);
    content.whole = (name) => wholeNumbers(body, content.columns[name]);
    content.number = (name) => {
      const told = content.whole(name);
      const step = content.columns[name][2];
      return Float64Array.from(told, (value) => (value === MISSING ? NaN : value * step));
    };
    content.picture = (name) => {
      const [at, size] = content.pictures[name];
      return URL.createObjectURL(new Blob([body.subarray(at, at + size)], { type: "image/png" }));
    };
    return content;
  }

  function wholeNumbers(body, [at, count, , delta]) {
    const out = new Int32Array(count);
    const [b, c, d] = [at + count, at + 2 * count, at + 3 * count];
    let before = 0;
    for (let i = 0; i < count; i++) {
      const folded = (body[at + i] | (body[b + i] << 8) | (body[c + i] << 16) | (body[d + i] << 24)) >>> 0;
      const value = (folded >>> 1) ^ -(folded & 1);
      out[i] = before = delta ? before + value : value;
    }
    return out;
  }

  const starts = (sizes) => {
    const out = new Int32Array(sizes.length + 1);
    for (let i = 0; i < sizes.length; i++) out[i + 1] = out[i] + sizes[i];
    return out;
  };

  /* Areas or lines: rings of each row, points of each ring, and the box around each row. */
  function shapes(content, name) {
    const ring = starts(content.whole(`${name}_rings`));
    const point = starts(content.whole(`${name}_points`));
    const x = content.number(`${name}_x`).map(mercatorX);
    const y = content.number(`${name}_y`).map(mercatorY);
    const count = ring.length - 1;
    const box = new Float64Array(4 * count);
    for (let i = 0; i < count; i++) {
      let [w, n, e, s] = [Infinity, Infinity, -Infinity, -Infinity];
      for (let p = point[ring[i]]; p < point[ring[i + 1]]; p++) {
        if (x[p] < w) w = x[p];
        if (x[p] > e) e = x[p];
        if (y[p] < n) n = y[p];
        if (y[p] > s) s = y[p];
      }
      box.set([w, n, e, s], 4 * i);
    }
    return { count, ring, point, x, y, box, find: index(box, count) };
  }

  function dots(content, name) {
    const x = content.number(`${name}_lon`).map(mercatorX);
    const y = content.number(`${name}_lat`).map(mercatorY);
    const box = new Float64Array(4 * x.length);
    for (let i = 0; i < x.length; i++) box.set([x[i], y[i], x[i], y[i]], 4 * i);
    return { count: x.length, x, y, box, find: index(box, x.length) };
  }

  /* A grid of 64 x 64 cells; find(box) lists each row whose box touches the given one, once. */
  function index(box, count) {
    let [w, n, e, s] = [Infinity, Infinity, -Infinity, -Infinity];
    const known = (i) => box[4 * i] <= box[4 * i + 2];
    for (let i = 0; i < count; i++) {
      if (!known(i)) continue;
      w = Math.min(w, box[4 * i]); n = Math.min(n, box[4 * i + 1]);
      e = Math.max(e, box[4 * i + 2]); s = Math.max(s, box[4 * i + 3]);
    }
    const [kx, ky] = [CELLS / (e - w || 1), CELLS / (s - n || 1)];
    const cell = (v, from, k) => Math.max(0, Math.min(CELLS - 1, Math.floor((v - from) * k)));
    const range = (b, o) => [cell(b[o], w, kx), cell(b[o + 1], n, ky), cell(b[o + 2], w, kx), cell(b[o + 3], n, ky)];
    const each = (b, o, task) => {
      const [c0, r0, c1, r1] = range(b, o);
      for (let r = r0; r <= r1; r++) for (let c = c0; c <= c1; c++) task(r * CELLS + c);
    };
    const sizes = new Int32Array(CELLS * CELLS);
    for (let i = 0; i < count; i++) if (known(i)) each(box, 4 * i, (k) => { sizes[k]++; });
    const start = starts(sizes);
    const fill = start.slice();
    const held = new Int32Array(start[CELLS * CELLS]);
    for (let i = 0; i < count; i++) if (known(i)) each(box, 4 * i, (k) => { held[fill[k]++] = i; });
    const seen = new Int32Array(count);
    let turn = 0;
    return (want) => {
      const found = [];
      if (want[0] > e || want[2] < w || want[1] > s || want[3] < n) return found;
      turn++;
      each(want, 0, (k) => {
        for (let h = start[k]; h < start[k + 1]; h++) {
          const i = held[h];
          if (seen[i] === turn) continue;
          seen[i] = turn;
          const b = 4 * i;
          const apart = box[b] > want[2] || box[b + 2] < want[0] || box[b + 1] > want[3] || box[b + 3] < want[1];
          if (!apart) found.push(i);
        }
      });
      return found;
    };
  }

  function inside(shape, i, x, y) {
    let odd = false;
    for (let r = shape.ring[i]; r < shape.ring[i + 1]; r++) {
      const end = shape.point[r + 1];
      for (let a = shape.point[r], b = end - 1; a < end; b = a++) {
        const [ya, yb] = [shape.y[a], shape.y[b]];
        if (ya > y !== yb > y && x < ((shape.x[b] - shape.x[a]) * (y - ya)) / (yb - ya) + shape.x[a]) odd = !odd;
      }
    }
    return odd;
  }

  // ---- drawing ----------------------------------------------------------------------------------------------------
  /* Canvas tiles that paint(ctx, tile) fills; tile.px and tile.py turn Mercator into the tile's pixels, and
     tile.k is what one screen pixel measures there. */
  const Tiles = L.GridLayer.extend({
    options: { tileSize: 512, updateWhenIdle: false, keepBuffer: 1 },
    createTile(coords) {
      const canvas = L.DomUtil.create("canvas", "leaflet-tile");
      this.fill(canvas, coords);
      return canvas;
    },
    fill(canvas, coords) {
      const ctx = canvas.getContext("2d");
      const scale = 256 * 2 ** coords.z;
      const [left, top] = [coords.x * 512, coords.y * 512];
      const k = 2 ** (coords.z - this.options.zoom());
      const ratio = Math.min(2, window.devicePixelRatio || 1) / Math.max(0.5, Math.min(1, k)); // sharp between zooms
      const size = Math.round(512 * ratio);
      if (canvas.width !== size) canvas.width = canvas.height = size;
      ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      ctx.clearRect(0, 0, 512, 512);
      const reach = (more) => [left - more, top - more, left + 512 + more, top + 512 + more].map((edge) => edge / scale);
      this.options.paint(ctx, { scale, k, ratio, reach, px: (x) => x * scale - left, py: (y) => y * scale - top });
    },
    repaint() {
      for (const tile of Object.values(this._tiles || {})) this.fill(tile.el, tile.coords);
    },
  });

  /* Adds one row's rings to the path, leaving out points closer than about a pixel to the last one. */
  function trace(ctx, tile, shape, i, closed) {
    const { px, py, k } = tile;
    for (let r = shape.ring[i]; r < shape.ring[i + 1]; r++) {
      const [from, end] = [shape.point[r], shape.point[r + 1]];
      let [lastX, lastY] = [px(shape.x[from]), py(shape.y[from])];
      ctx.moveTo(lastX, lastY);
      for (let p = from + 1; p < end; p++) {
        const [x, y] = [px(shape.x[p]), py(shape.y[p])];
        if (p < end - 1 && Math.abs(x - lastX) < 0.7 * k && Math.abs(y - lastY) < 0.7 * k) continue;
        ctx.lineTo(x, y);
        [lastX, lastY] = [x, y];
      }
      if (closed) ctx.closePath();
    }
  }

  const hatches = new Map();
  function hatch(ctx, color) {
    if (!hatches.has(color)) {
      const small = document.createElement("canvas");
      small.width = small.height = 8;
      const pen = small.getContext("2d");
      pen.fillStyle = "rgba(255,255,255,.65)";
      pen.fillRect(0, 0, 8, 8);
      pen.strokeStyle = color;
      pen.lineWidth = 1.6;
      pen.beginPath();
      for (const d of [-8, 0, 8]) { pen.moveTo(d, 8); pen.lineTo(d + 8, 0); }
      pen.stroke();
      hatches.set(color, ctx.createPattern(small, "repeat"));
    }
    return hatches.get(color);
  }

  /* How an entry of the legend is drawn: never by color alone, the palest ones get a dark outline. */
  function paintOf(ctx, entry) {
    if (entry.kind === "hatch") return { fill: hatch(ctx, entry.color), line: entry.color };
    if (entry.kind === "hollow") return { fill: "rgba(255,255,255,.55)", line: entry.color };
    return { fill: entry.color, line: "#33242f" };
  }

  const darker = (color) => {
    const part = (at) => Math.round(parseInt(color.slice(at, at + 2), 16) * 0.55).toString(16).padStart(2, "0");
    return `#${part(1)}${part(3)}${part(5)}`;
  };

  /* Dots by the thousand: one is drawn, its pixels are copied into a sheet, and the sheet is laid over the tile.
     Without a graphics card this takes a fraction of the time that as many arcs take. */
  const stamps = new Map();
  function stamp(entry, radius, k, halo) {
    const key = [entry.color, entry.kind, radius.toFixed(2), k.toFixed(2), halo].join(" ");
    if (!stamps.has(key)) {
      const half = Math.ceil(radius + (halo ? 2.4 : 0.5) * k);
      const size = 2 * half + 1;
      const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
      const pen = canvas.getContext("2d", { willReadFrequently: true });
      const paint = paintOf(pen, entry);
      pen.beginPath();
      pen.arc(half + 0.5, half + 0.5, radius, 0, 2 * Math.PI);
      if (halo) { pen.lineWidth = 3.4 * k; pen.strokeStyle = "rgba(255,255,255,.9)"; pen.stroke(); }
      pen.fillStyle = entry.kind === "hatch" ? "#f4f4f4" : paint.fill;
      pen.fill();
      pen.lineWidth = entry.kind === "speck" ? 0.5 * radius : (radius < 2 * k ? 0.6 : 0.9) * k;
      // around a small pale dot a black rim would make it look dark
      pen.strokeStyle = halo || !["fill", "speck"].includes(entry.kind) ? paint.line : darker(entry.color);
      pen.stroke();
      stamps.set(key, { half, size, pixels: pen.getImageData(0, 0, size, size).data });
    }
    return stamps.get(key);
  }

  const spare = document.createElement("canvas").getContext("2d");
  function sheet(ctx, tile) {
    const size = ctx.canvas.width;
    const image = ctx.createImageData(size, size);
    const onto = image.data;

    function press({ half, size: side, pixels }, x, y) {
      const [left, top] = [Math.round(x) - half, Math.round(y) - half];
      for (let r = Math.max(0, -top); r < Math.min(side, size - top); r++) {
        for (let c = Math.max(0, -left); c < Math.min(side, size - left); c++) {
          const from = 4 * (r * side + c);
          const alpha = pixels[from + 3];
          if (!alpha) continue;
          const to = 4 * ((top + r) * size + left + c);
          const under = (onto[to + 3] * (255 - alpha)) / 255;
          const sum = alpha + under;
          for (let k = 0; k < 3; k++) onto[to + k] = (pixels[from + k] * alpha + onto[to + k] * under) / sum;
          onto[to + 3] = sum;
        }
      }
    }

    return {
      dots(hazards, rows, entry, radius, halo = false) {
        const one = stamp(entry, radius * tile.k * tile.ratio, tile.k * tile.ratio, halo);
        for (const i of rows) press(one, tile.px(hazards.at.x[i]) * tile.ratio, tile.py(hazards.at.y[i]) * tile.ratio);
      },
      /* Each in the color of its own line, in no order of lines: where they crowd, each shows as often as it is. */
      specks(hazards, rows, entries, lineOf, radius) {
        const size = radius * tile.k * tile.ratio;
        const ones = entries.map(({ color }) => stamp({ color, kind: "speck" }, size, tile.k * tile.ratio, false));
        const { x, y } = hazards.at;
        for (const i of rows) press(ones[lineOf[i]], tile.px(x[i]) * tile.ratio, tile.py(y[i]) * tile.ratio);
      },
      lay() {
        if (spare.canvas.width !== size) spare.canvas.width = spare.canvas.height = size;
        spare.putImageData(image, 0, 0);
        ctx.drawImage(spare.canvas, 0, 0, 512, 512);
      },
    };
  }

  /* Draws rows as outlines and gives back those that are too small for one. */
  function drawOutlines(ctx, tile, hazards, rows, entry) {
    const paint = paintOf(ctx, entry);
    const small = [];
    ctx.lineWidth = (entry.kind === "fill" ? 0.9 : 1.3) * tile.k;
    ctx.strokeStyle = paint.line;
    ctx.fillStyle = paint.fill;
    ctx.lineJoin = "round";
    for (const i of rows) {
      const b = hazards.area.box;
      const wide = Math.max(b[4 * i + 2] - b[4 * i], b[4 * i + 3] - b[4 * i + 1]) * tile.scale;
      if (!(wide > 4 * tile.k)) { small.push(i); continue; }
      ctx.beginPath();
      trace(ctx, tile, hazards.area, i, true);
      ctx.globalAlpha = entry.kind === "fill" ? 0.82 : 1;
      ctx.fill("evenodd");
      ctx.globalAlpha = 1;
      ctx.stroke();
    }
    return small;
  }

  /* The row under a point, or -1: first the smallest outline around it, then the nearest dot within reach. */
  function hit(hazards, rows, x, y, reach, outlined) {
    let [best, size] = [-1, Infinity];
    if (outlined) {
      for (const i of rows) {
        const b = hazards.area.box;
        const area = (b[4 * i + 2] - b[4 * i]) * (b[4 * i + 3] - b[4 * i + 1]);
        if (area < size && inside(hazards.area, i, x, y)) [best, size] = [i, area];
      }
      if (best >= 0) return best;
    }
    let nearest = reach * reach;
    for (const i of rows) {
      const away = (hazards.at.x[i] - x) ** 2 + (hazards.at.y[i] - y) ** 2;
      if (away <= nearest) [best, nearest] = [i, away];
    }
    return best;
  }

  /* The map of the page; every Folium script finds it by its name. */
  function map(id, options, corners) {
    const alive = document.getElementById("ccm-data") && window.DecompressionStream;
    document.documentElement.classList.toggle("ccm-live", Boolean(alive));
    const made = L.map(id, { zoomSnap: 0.25, maxZoom: 19, fadeAnimation: false, ...options });
    if (corners && made.getSize().x && made.getSize().y) made.fitBounds(corners, { padding: [8, 8] });
    made.attributionControl.setPrefix(false);
    if (ccm.start) ccm.start(made);
    return made;
  }

  return { map, unpack, shapes, dots, inside, Tiles, trace, hatch, sheet, drawOutlines, hit, mercatorX, mercatorY, toLatLng };
})();
