// What the parts of the page have in common: controls, what is looked at, marks of families, and how things are put.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG_NAMESPACE, tag), attributes, children);
const byId = (id) => document.getElementById(id);

const section = (id, title, ...children) => {
  byId(id).replaceChildren(html("h2", { id: `${id}-head` }, title), ...children);
};

const labelled = (text, control) => html("label", { class: "field" }, html("span", {}, text), control);

const select = (options, chosen, onChange) => {
  const made = html(
    "select",
    { change: () => onChange(made.value) },
    options.map(([value, text]) => html("option", { value, selected: value === chosen }, text)),
  );
  return made;
};

// What the parts of the page share: the group, metric and codec that are looked at. Whoever listens is told of a change.
const state = (initial) => {
  const listeners = [];
  const values = { ...initial };
  return {
    values,
    listen: (listener) => listeners.push(listener),
    set: (changes) => {
      const changed = Object.keys(changes).filter((key) => values[key] !== changes[key]);
      Object.assign(values, changes);
      if (changed.length) for (const listener of listeners) listener(changed);
    },
  };
};

// The families' marks, the same as in the report's figures: shape and colour together, so that either is enough.
const polygon = (corners, radius, turn) =>
  Array.from({ length: corners }, (_, corner) => {
    const angle = 2 * Math.PI * (corner / corners) + turn;
    return `${(radius * Math.sin(angle)).toFixed(2)},${(-radius * Math.cos(angle)).toFixed(2)}`;
  }).join("L");

const star = (radius, turn) => {
  const thin = 0.38 * radius;
  const arms = [
    [-thin, -radius],
    [thin, -radius],
    [thin, -thin],
    [radius, -thin],
    [radius, thin],
    [thin, thin],
    [thin, radius],
    [-thin, radius],
    [-thin, thin],
    [-radius, thin],
    [-radius, -thin],
    [-thin, -thin],
  ];
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  return arms.map(([x, y]) => `${(x * cos - y * sin).toFixed(2)},${(x * sin + y * cos).toFixed(2)}`).join("L");
};

const SHAPES = {
  s: (r) => polygon(4, 1.25 * r, Math.PI / 4),
  "^": (r) => polygon(3, 1.3 * r, 0),
  D: (r) => polygon(4, 1.3 * r, 0),
  v: (r) => polygon(3, 1.3 * r, Math.PI),
  P: (r) => star(1.15 * r, 0),
  X: (r) => star(1.15 * r, Math.PI / 4),
  p: (r) => polygon(5, 1.2 * r, 0),
  "<": (r) => polygon(3, 1.3 * r, -Math.PI / 2),
  h: (r) => polygon(6, 1.15 * r, 0),
  ">": (r) => polygon(3, 1.3 * r, Math.PI / 2),
  d: (r) => `0,${-1.4 * r}L${0.8 * r},0L0,${1.4 * r}L${-0.8 * r},0`,
};

const shape = (look, radius) => {
  const colour = colourOf(look);
  if (!look || !SHAPES[look.marker]) return svg("circle", { r: 1.05 * radius, fill: colour, stroke: colour });
  return svg("path", { d: `M${SHAPES[look.marker](radius)}Z`, fill: colour, stroke: colour });
};

// Black would be lost on a dark page: it is the colour of the text.
const colourOf = (look) => (!look || look.colour === "#000000" ? "currentColor" : look.colour);

const badge = (look) =>
  svg("svg", { class: "badge", viewBox: "-8 -8 16 16", width: 14, height: 14, "aria-hidden": "true" }, shape(look, 5));

// A name that may be broken after its signs, where there is little room.
const breakable = (text) => text.split(/(?<=[:@/_])/).flatMap((part, place) => (place ? [html("wbr"), part] : [part]));

const listed = (rows) => rows.map((row) => row.codec).join(", ");
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const significant = (value, digits = 3) => String(Number(value.toPrecision(digits)));
