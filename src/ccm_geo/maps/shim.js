/* What Folium's own templates call and Leaflet alone does not have, written anew and no larger than they need:
   $(...) as its popups and keep_in_front use it, and colored pins for folium.Icon. */
(() => {
  "use strict";

  const wrapped = (nodes) => Object.assign(nodes, {
    ready(task) {
      if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", task);
      else task();
      return this;
    },
    hide() { for (const node of this) node.style.display = "none"; return this; },
    show() { for (const node of this) node.style.display = ""; return this; },
  });

  const query = (what) => {
    if (typeof what === "function") return wrapped([document]).ready(what);
    if (typeof what !== "string") return wrapped([what]);
    if (!what.trim().startsWith("<")) return wrapped([...document.querySelectorAll(what)]);
    const inert = document.createElement("template");
    inert.innerHTML = what.trim();
    return wrapped([...inert.content.children]);
  };
  query.extend = Object.assign;
  if (!window.$) window.$ = query;

  const COLORS = {
    red: "#c8372d", darkred: "#8f2425", lightred: "#f27c70", orange: "#e08a1e", beige: "#dcc197", green: "#4f8f2f",
    darkgreen: "#3f6118", lightgreen: "#9ac95a", blue: "#2f7fb8", darkblue: "#164f78", cadetblue: "#3f6878",
    lightblue: "#79c0e0", purple: "#a54c99", darkpurple: "#54304f", pink: "#e27ab4", white: "#f7f7f7", gray: "#575757",
    lightgray: "#a3a3a3", black: "#2b2b2b",
  };

  const Pin = L.DivIcon.extend({
    options: {
      iconSize: [28, 40], iconAnchor: [14, 39], popupAnchor: [1, -34], tooltipAnchor: [12, -24], className: "ccm-pin",
    },
    createIcon(old) {
      const holder = L.DivIcon.prototype.createIcon.call(this, old);
      const draw = (name, marks) => {
        const node = document.createElementNS("http://www.w3.org/2000/svg", name);
        for (const [key, value] of Object.entries(marks)) node.setAttribute(key, value);
        return node;
      };
      const svg = draw("svg", { viewBox: "0 0 28 40", width: 28, height: 40, "aria-hidden": "true" });
      const fill = COLORS[this.options.markerColor] || COLORS.blue;
      svg.append(
        draw("path", { d: "M14 39C10 29 1.5 24 1.5 14a12.5 12.5 0 0 1 25 0C26.5 24 18 29 14 39Z", fill, stroke: "#fff" }),
        draw("circle", { cx: 14, cy: 14, r: 5, fill: this.options.iconColor || "#fff" }),
      );
      holder.replaceChildren(svg);
      return holder;
    },
  });
  L.AwesomeMarkers = L.AwesomeMarkers || { Icon: Pin, icon: (options) => new Pin(options) };
})();
