// Quality against bitrate or tokens a second. Better is always up: the axis of a metric of which less is better is
// turned over, and its label says so. The front is that of the report: only codecs over the same clips take part.

const niceTicks = (low, high, wanted) => {
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((value) => value >= raw);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(tick);
  return ticks;
};

const logTicks = (low, high) => {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const base of [1, 2, 5]) {
      const tick = base * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  }
  return ticks.length > 1 ? ticks : [low, high];
};

const AXES = { kbps: "kbps", tokens: "tokens/s" };

const makePlot = (data, shared) => {
  const facts = new Map(data.metrics.map((metric) => [metric.name, metric]));
  const canvas = html("div", { class: "canvas" });
  const tip = html("div", { class: "tip", role: "status" });
  const notes = html("ul", { class: "notes" });
  const legend = html("ul", { class: "legend", "aria-label": "Families" });
  const controls = html("div", { class: "controls" });

  const pointsOf = (group, metric, axis) => {
    const rows = group.rows.filter((row) => !row.reference && row.cells[metric]);
    const drawn = rows.filter((row) => row.cells[metric].mean !== null && row[axis] > 0);
    const others = drawn.filter((row) => !row.zero);
    const kept = others.length ? others : drawn;
    return { kept, absent: rows.filter((row) => !kept.includes(row)) };
  };

  const words = (row, metric, axis) => {
    const [fact, cell] = [facts.get(metric), row.cells[metric]];
    const rate = axis === "kbps" ? row.kbpsText : significant(row.tokens, 4);
    const value = `${fact.label} ${cell.text}${fact.unit ? ` ${fact.unit}` : ""}`;
    const interval = cell.interval ? `, 95 % interval ${cell.interval}` : "";
    return [`${rate} ${AXES[axis]}`, `${value}${interval}`, `${cell.n} clips${cell.compared ? "" : ", not compared"}`];
  };

  const scaleOf = (low, high, from, to, log) => {
    const map = log ? Math.log10 : (value) => value;
    const [a, b] = [map(low), map(high)];
    return (value) => from + ((to - from) * (map(value) - a)) / (b - a);
  };

  const frame = (width, height, edge, x, y, xTicks, yTicks, fact, axis) => [
    xTicks.map((tick) => [
      svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: edge.top, y2: height - edge.bottom }),
      svg(
        "text",
        { class: "tick", x: x(tick), y: height - edge.bottom + 16, "text-anchor": "middle" },
        significant(tick),
      ),
    ]),
    yTicks.map((tick) => [
      svg("line", { class: "grid", x1: edge.left, x2: width - edge.right, y1: y(tick), y2: y(tick) }),
      svg("text", { class: "tick", x: edge.left - 7, y: y(tick) + 4, "text-anchor": "end" }, significant(tick)),
    ]),
    svg(
      "text",
      { class: "axis", x: (edge.left + width - edge.right) / 2, y: height - 6, "text-anchor": "middle" },
      axis === "kbps" ? "bitrate (kbps)" : "tokens a second",
    ),
    svg(
      "text",
      {
        class: "axis",
        transform: `translate(13 ${(edge.top + height - edge.bottom) / 2}) rotate(-90)`,
        "text-anchor": "middle",
      },
      `${fact.label}${fact.unit ? ` (${fact.unit})` : ""}${fact.higher ? "" : ", less is better: turned over"}`,
    ),
  ];

  // The front as stairs: at each rate the best that can be had at it or below.
  const stairs = (rows, metric, axis, x, y, right) => {
    if (!rows.length) return null;
    const corners = rows.flatMap((row, place) => {
      const height = y(row.cells[metric].mean);
      const end = place + 1 < rows.length ? x(rows[place + 1][axis]) : right;
      return [`${x(row[axis]).toFixed(1)},${height.toFixed(1)}`, `${end.toFixed(1)},${height.toFixed(1)}`];
    });
    return svg("polyline", { class: "front", points: corners.join(" ") });
  };

  const families = (rows) => {
    const found = new Map();
    for (const row of rows) found.set(row.family, [...(found.get(row.family) ?? []), row]);
    return found;
  };

  const show = (row, metric, axis, x, y) => {
    tip.replaceChildren(
      html("strong", {}, row.codec),
      ...words(row, metric, axis).map((line) => html("span", {}, line)),
    );
    tip.classList.add("shown");
    const room = canvas.clientWidth - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(room, x + 12))}px`;
    tip.style.top = `${Math.max(0, y - tip.offsetHeight - 12)}px`;
  };
  const hide = () => tip.classList.remove("shown");

  const mark = (row, group, metric, axis, x, y) => {
    const cell = row.cells[metric];
    const [left, top] = [x(row[axis]), y(cell.mean)];
    const selected = row.codec === shared.values.codec;
    const choose = () => shared.set({ codec: selected ? null : row.codec });
    const key = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose();
    };
    const look = data.styles[row.family];
    const whisker =
      cell.low === undefined || cell.low === null
        ? null
        : svg("line", {
            class: "whisker",
            x1: 0,
            x2: 0,
            y1: y(cell.low) - top,
            y2: y(cell.high) - top,
            stroke: colourOf(look),
          });
    return svg(
      "g",
      {
        class: ["point", selected ? "selected" : "", cell.compared ? "" : "apart"].join(" ").trim(),
        transform: `translate(${left.toFixed(1)} ${top.toFixed(1)})`,
        tabindex: 0,
        role: "button",
        "aria-pressed": String(selected),
        "aria-label": [row.codec, ...words(row, metric, axis)].join(", "),
        "data-codec": row.codec,
        click: choose,
        keydown: key,
        mouseenter: () => show(row, metric, axis, left, top),
        focus: () => show(row, metric, axis, left, top),
        mouseleave: hide,
        blur: hide,
      },
      whisker,
      svg("circle", { class: "reach", r: 13 }),
      svg("circle", { class: "halo", r: 10 }),
      shape(look, 5),
    );
  };

  // A family's name beside its last point, where nothing is in the way; the legend names all of them anyhow.
  const names = (members, metric, axis, x, y, width, edge) => {
    const taken = [...members.values()].flat().map((row) => {
      const [left, top] = [x(row[axis]), y(row.cells[metric].mean)];
      return [left - 7, top - 7, left + 7, top + 7];
    });
    const free = (box) =>
      taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
    return [...members].flatMap(([family, rows]) => {
      const last = rows.reduce((one, other) => (other[axis] > one[axis] ? other : one));
      const [left, top] = [x(last[axis]), y(last.cells[metric].mean)];
      const length = 7.2 * family.length;
      const places = [
        [left + 10, top + 4],
        [left - 10 - length, top + 4],
        [left - length / 2, top - 12],
        [left - length / 2, top + 20],
      ];
      const place = places.find(
        ([a, b]) => a > edge.left && a + length < width - edge.right && free([a, b - 11, a + length, b + 3]),
      );
      if (!place) return [];
      taken.push([place[0], place[1] - 11, place[0] + length, place[1] + 3]);
      return [svg("text", { class: "family", x: place[0], y: place[1] }, family)];
    });
  };

  const draw = () => {
    const group = data.groups[shared.values.group];
    const { metric, axis, log } = shared.values;
    const width = Math.max(280, canvas.clientWidth || 720);
    const height = Math.round(Math.min(460, Math.max(300, 0.58 * width)));
    const edge = { left: 62, right: 16, top: 12, bottom: 42 };
    hide();
    const asked = group.metrics.includes(metric);
    const { kept, absent } = asked ? pointsOf(group, metric, axis) : { kept: [], absent: [] };
    notes.replaceChildren();
    legend.replaceChildren();
    if (!kept.length) {
      canvas.replaceChildren(
        html(
          "p",
          { class: "empty" },
          asked ? `No codec has both a value and a number of ${AXES[axis]} here.` : "Nothing was scored here.",
        ),
        tip,
      );
      return;
    }
    const fact = facts.get(metric);
    const rates = kept.map((row) => row[axis]);
    const ends = kept.flatMap((row) => [
      row.cells[metric].mean,
      row.cells[metric].low ?? row.cells[metric].mean,
      row.cells[metric].high ?? row.cells[metric].mean,
    ]);
    let [least, most] = [Math.min(...rates), Math.max(...rates)];
    [least, most] = log ? [least / 1.25, most * 1.25] : [0, most * 1.06];
    const margin = 0.07 * (Math.max(...ends) - Math.min(...ends)) || 0.05 * Math.abs(ends[0]) || 1;
    const [low, high] = [Math.min(...ends) - margin, Math.max(...ends) + margin];
    const x = scaleOf(least, most, edge.left, width - edge.right, log);
    const y = fact.higher
      ? scaleOf(low, high, height - edge.bottom, edge.top, false)
      : scaleOf(low, high, edge.top, height - edge.bottom, false);
    const front = group.fronts[metric][axis].map((codec) => kept.find((row) => row.codec === codec)).filter(Boolean);
    const members = families(kept);
    // By rising rate, which is the order of the Tab key; the selected one last and so on top.
    const rank = (row) => (row.codec === shared.values.codec ? Infinity : row[axis]);
    const ordered = [...kept].sort((one, other) => (rank(one) < rank(other) ? -1 : 1));
    const reference = group.rows.find((row) => row.reference)?.cells[metric]?.mean ?? null;
    const referenceLine =
      reference === null || reference < low || reference > high
        ? null
        : svg("line", {
            class: "reference",
            x1: edge.left,
            x2: width - edge.right,
            y1: y(reference),
            y2: y(reference),
          });
    const lines = [...members].map(([family, rows]) =>
      svg("polyline", {
        class: "line",
        stroke: colourOf(data.styles[family]),
        points: [...rows]
          .sort((a, b) => a[axis] - b[axis])
          .map((row) => `${x(row[axis]).toFixed(1)},${y(row.cells[metric].mean).toFixed(1)}`)
          .join(" "),
      }),
    );
    canvas.replaceChildren(
      svg(
        "svg",
        {
          viewBox: `0 0 ${width} ${height}`,
          width,
          height,
          role: "group",
          "aria-label": `${fact.label} against ${AXES[axis]}, ${plural(kept.length, "codec")}`,
        },
        frame(
          width,
          height,
          edge,
          x,
          y,
          log ? logTicks(least, most) : niceTicks(least, most, width / 110),
          niceTicks(low, high, 5),
          fact,
          axis,
        ),
        referenceLine,
        stairs(front, metric, axis, x, y, width - edge.right),
        lines,
        names(members, metric, axis, x, y, width, edge),
        ordered.map((row) => mark(row, group, metric, axis, x, y)),
      ),
      tip,
    );
    legend.append(
      ...[...members.keys()].map((family) => html("li", {}, badge(data.styles[family]), family)),
      html(
        "li",
        {},
        svg(
          "svg",
          { width: 24, height: 10, "aria-hidden": "true" },
          svg("line", { class: "front", x1: 0, x2: 24, y1: 5, y2: 5 }),
        ),
        "front: nothing cheaper is as good",
      ),
    );
    const said = [];
    if (absent.length)
      said.push(`Without a value or a number of ${AXES[axis]}, or the harness's zero: ${listed(absent)}.`);
    const apart = kept.filter((row) => !row.cells[metric].compared);
    if (apart.length)
      said.push(`Hollow: over other clips or under another definition, and not compared: ${listed(apart)}.`);
    if (referenceLine) said.push("The dotted line is the reference's own score.");
    notes.append(...said.map((note) => html("li", {}, note)));
  };

  const drawControls = () => {
    const group = data.groups[shared.values.group];
    const choices = group.metrics.map((name) => [
      name,
      `${facts.get(name).label} ${facts.get(name).higher ? "↑" : "↓"}`,
    ]);
    const log = html("input", {
      type: "checkbox",
      checked: shared.values.log,
      change: () => shared.set({ log: log.checked }),
    });
    controls.replaceChildren(
      labelled(
        "Metric",
        select(choices, shared.values.metric, (metric) => shared.set({ metric })),
      ),
      labelled(
        "Horizontal",
        select(Object.entries(AXES), shared.values.axis, (axis) => shared.set({ axis })),
      ),
      html("label", { class: "field check" }, log, html("span", {}, "logarithmic")),
    );
  };

  section("pareto", "Quality against rate", controls, canvas, legend, notes);
  shared.listen((changed) => {
    const held = document.activeElement?.closest("#pareto .point")?.dataset.codec;
    if (changed.includes("group") || changed.includes("metric")) {
      const focused = controls.contains(document.activeElement)
        ? [...controls.querySelectorAll("select,input")].indexOf(document.activeElement)
        : -1;
      drawControls();
      if (focused >= 0) controls.querySelectorAll("select,input")[focused].focus({ preventScroll: true });
    }
    draw();
    if (held !== undefined)
      [...canvas.querySelectorAll(".point")]
        .find((point) => point.dataset.codec === held)
        ?.focus({ preventScroll: true });
  });
  drawControls();
  draw();
  let drawnAt = canvas.clientWidth;
  new ResizeObserver(() => {
    if (canvas.clientWidth === drawnAt) return;
    drawnAt = canvas.clientWidth;
    draw();
  }).observe(canvas);
};
